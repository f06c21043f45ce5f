"""Metric, Mean and MeanMetricWrapper: running means over batches.

The state of a mean is one float64 Variable [total, count]. On NumPy arrays `update_state` changes
it at once; on graph tensors it emits the op `accumulate_mean`, so that a compiled step keeps the
metric.
"""

from __future__ import annotations

import functools

import numpy as np

from .. import config, initializers
from ..changes import Tracked
from ..graph.tensor import Tensor, Tracing, ValueTensor, apply
from ..losses.base import FLOATS, as_labels, as_predictions, match_weight, reshape, run_op
from ..losses.options import checked_arguments
from ..naming import auto_name
from ..variables import Variable


class Metric(Tracked):
    """Base class of metrics: state, and how batches change it.

    A subclass makes its state by `add_weight`, changes it in `update_state` by `assign` and
    `assign_add`, and computes `result` from it, with operators and `dlnative.ops`. In a compiled
    model `update_state` sees tensors of the program, which then keeps the state; called on arrays
    it sees tensors that have values. A mean of values per sample is a `MeanMetricWrapper`.

    Args:
        dtype: "float32" or "float64" of the values; by default that of the predictions.
        name: Name in logs.

    Example:
        >>> import dlnative
        >>> from dlnative import ops
        >>> class TruePositives(dlnative.metrics.Metric):
        ...     def __init__(self, name="tp"):
        ...         super().__init__(name=name)
        ...         self.count = self.add_weight(name="count")
        ...     def update_state(self, y_true, y_pred, sample_weight=None):
        ...         self.count.assign_add(ops.sum((y_true == 1) & (y_pred > 0.5)))
        ...     def result(self):
        ...         return self.count.numpy()
        >>> float(TruePositives()([1, 1, 0], [0.9, 0.2, 0.8]))
        1.0
    """

    _direction: str | None = (
        None  # "up" or "down": which way is better, for callbacks that compare epochs
    )

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            setattr(cls, "update_state", _on_tensors(cls.update_state))  # noqa: B010

    def __init__(self, dtype=None, name=None):
        if dtype is not None and dtype not in FLOATS:
            raise ValueError(
                f"{type(self).__name__}: expected dtype of {FLOATS}, received {dtype!r}"
            )
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype
        self._variables = []

    @property
    def dtype(self):
        return self._dtype or config.floatx()

    @property
    def variables(self):
        """The state, that of metrics among the attributes included.

        They are float64 Variables that programs read and write in place.
        """
        return [*self._variables, *(v for metric in self._parts() for v in metric.variables)]

    def _parts(self):
        return [value for value in vars(self).values() if isinstance(value, Metric)]

    def add_variable(self, shape=(), initializer="zeros", dtype="float64", name="variable"):
        """A state Variable; `reset_state` sets it to zero again.

        Args:
            shape: Its shape.
            initializer: Name of an initializer, or one.
            dtype: Its dtype.
            name: Its name.
        """
        initial = initializers.get(initializer or "zeros")(shape, dtype="float64")
        variable = Variable(
            initial, dtype=dtype, name=name, trainable=False, path=f"{self.name}/{name}"
        )
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    def reset_state(self):
        """Forgets all batches so far."""
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape))
        for metric in self._parts():
            metric.reset_state()

    def update_state(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} does not implement update_state")

    def result(self):
        raise NotImplementedError(f"{type(self).__name__} does not implement result")

    def __call__(self, *args, **kwargs):
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self):
        return {"name": self.name, "dtype": self._dtype}

    @classmethod
    def from_config(cls, config):
        return cls(**config)

    def __repr__(self):
        return f"<{type(self).__name__} name={self.name}>"


def update_metric(metric, *batch):
    """`metric.update_state` on tensors, as a part of their program.

    Args:
        metric: A Metric.
        *batch: Tensors: labels, predictions, and weights where there are some.

    Raises:
        TypeError: The program would keep nothing.
    """
    graph = batch[0].graph
    before = len(graph.nodes)
    with Tracing(graph):
        metric.update_state(*batch)
    assigned = any(id(v) in graph.assigned for v in metric.variables)
    if not assigned and not any(node.op.writes for node in graph.nodes[before:]):
        raise TypeError(
            f"metric '{metric.name}': its update_state changes no state when a model is compiled. "
            "Make state by add_weight and change it by assign or assign_add, or keep a Mean (or a "
            "MeanMetricWrapper around a function of tensors) and update that"
        )


def _on_tensors(update_state):
    """`update_state` that sees arrays as tensors with values, for the same promotion of dtypes."""

    @functools.wraps(update_state)
    def update(self, *args, **kwargs):
        return update_state(
            self,
            *map(_as_values, args),
            **{key: _as_values(value) for key, value in kwargs.items()},
        )

    return update


def _as_values(value):
    if isinstance(value, (list, tuple)) and not any(isinstance(v, Tensor) for v in value):
        value = np.asarray(value)
    return ValueTensor(value) if isinstance(value, np.ndarray) else value


class Mean(Metric):
    """The weighted mean of all values so far: sum(values * weight) / sum(weight), at first 0.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> mean = dlnative.metrics.Mean()
        >>> mean.update_state([1.0, 3.0, 5.0, 7.0])
        >>> mean.result()
        4.0
        >>> mean.reset_state()
        >>> mean([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
        2.0

    Differs from Keras: totals are float64 whatever the dtype; `result` is a Python float.
    """

    def __init__(self, name="mean", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.state = self.add_variable((2,), name="total_and_count")

    @property
    def total(self):
        """sum(values * weight) so far."""
        return float(self.state.value[0])

    @property
    def count(self):
        """sum(weight) so far."""
        return float(self.state.value[1])

    def update_state(self, values, sample_weight=None):
        """Adds a batch.

        Args:
            values: A number, or (batch, ...).
            sample_weight: Optional weights: (batch,), or one per value, or one number for all.
        """
        values = _predictions(values, self._dtype)
        weight = None
        if sample_weight is not None:
            values, weight = _per_weight(values, sample_weight)
        if isinstance(values, ValueTensor):
            values = ValueTensor(values.value, "float64")
            weight = None if weight is None else ValueTensor(weight.value, "float64")
        apply("accumulate_mean", self.state, values, weight)

    def result(self):
        """The mean so far."""
        total, count = self.state.value.tolist()
        return total / count if count else 0.0


def _predictions(values, dtype=None):
    """Predictions as a tensor; those of arrays in `dtype`, if one is given."""
    if isinstance(values, Tensor) and not isinstance(values, ValueTensor):
        return values
    values = as_predictions(values.value if isinstance(values, ValueTensor) else values)
    return ValueTensor(values, dtype)


def _per_weight(values, weight):
    """One value per weight: axes of `values` that the weights do not have are averaged."""
    if isinstance(values, ValueTensor):
        weight = ValueTensor(getattr(weight, "value", weight), values.dtype)
    weight = as_labels(weight, values.dtype)
    if len(weight.shape) == len(values.shape) + 1 and weight.shape[-1] == 1:
        weight = reshape(weight, tuple(weight.shape[:-1]))
    rank = len(weight.shape)
    if len(values.shape) > rank > 0:
        values = run_op("mean", values, axis=tuple(range(rank, len(values.shape))))
    return values, match_weight(values, weight)


class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions.

    Args:
        fn: Function (y_true, y_pred, **kwargs) that gives one value per sample; made of
            `dlnative.ops` it also works in a compiled model.
        name: Name in logs.
        dtype: "float32" or "float64".
        **kwargs: Passed on to `fn`.

    Example:
        >>> import dlnative
        >>> def error(y_true, y_pred):
        ...     return dlnative.ops.mean(y_true - y_pred, axis=-1)
        >>> metric = dlnative.metrics.MeanMetricWrapper(error, name="bias")
        >>> metric([[1.0], [3.0]], [[0.0], [0.0]])
        2.0
    """

    def __init__(self, fn, name=None, dtype=None, **kwargs):
        super().__init__(name=name or getattr(fn, "__name__", None) or fn.name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = checked_arguments(self, kwargs)
        self.sparse_labels = getattr(fn, "sparse_labels", False)

    def update_state(self, y_true, y_pred, sample_weight=None):  # type: ignore[override]
        """Adds a batch.

        Args:
            y_true: Labels, (batch, ...).
            y_pred: Predictions, (batch, ...).
            sample_weight: Optional weights, (batch,) or one per value.
        """
        y_pred = _predictions(y_pred)
        if isinstance(y_pred, ValueTensor):
            labels = y_true.value if isinstance(y_true, ValueTensor) else np.asarray(y_true)
            y_true = ValueTensor(labels, None if self.sparse_labels else y_pred.dtype)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if not isinstance(y_pred, ValueTensor):
            values = y_pred.graph.result(values, f"metric '{self.name}'")
        super().update_state(values, sample_weight)

    def get_config(self):
        return {**super().get_config(), **self._fn_kwargs}
