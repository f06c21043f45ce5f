"""Metric, the base class: state, and how the update of a metric becomes part of a program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, initializers, ops
from ..changes import Tracked
from ..graph.table import table
from ..graph.tensor import Tensor, Tracing, ValueTensor, traced_graph
from ..losses.base import FLOATS
from ..naming import auto_name
from ..placement import is_without_memory
from ..utils.serialization import Identifier
from ..variables import Variable

if TYPE_CHECKING:
    from ..graph.types import Shape


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
    is_several = False  # whether its result is made of the results of other metrics

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update_state" in cls.__dict__:
            setattr(cls, "update_state", _on_tensors(cls.update_state))  # noqa: B010
        if "result" in cls.__dict__:
            setattr(cls, "result", _when_needed(cls.result))  # noqa: B010

    def __init__(self, dtype: str | None = None, name: str | None = None) -> None:
        if dtype is not None and dtype not in FLOATS:
            raise ValueError(
                f"{type(self).__name__}: expected dtype of {FLOATS}, received {dtype!r}"
            )
        self.name = name or auto_name(type(self).__name__)
        self._dtype = dtype
        self._variables = []

    @property
    def dtype(self) -> str:
        """The dtype asked for, or the default dtype."""
        return self._dtype or config.floatx()

    @property
    def variables(self) -> list[Variable]:
        """The state, that of metrics among the attributes included.

        They are float64 Variables that programs read and write in place.
        """
        return [*self._variables, *(v for metric in self._parts() for v in metric.variables)]

    def _parts(self) -> list[Metric]:
        return [value for value in vars(self).values() if isinstance(value, Metric)]

    def add_variable(
        self,
        shape: Sequence[int] = (),
        initializer: Identifier = "zeros",
        dtype: str = "float64",
        name: str = "variable",
    ) -> Variable:
        """A state Variable; `reset_state` sets it to zero again.

        Args:
            shape: Its shape.
            initializer: Name of an initializer, or one.
            dtype: Its dtype.
            name: Its name.
        """
        draw: Any = initializers.get(initializer or "zeros")
        own: Any = {"dtype": dtype, "name": name, "trainable": False, "path": f"{self.name}/{name}"}
        if is_without_memory() and isinstance(draw, initializers.Zeros):
            variable = Variable.empty(tuple(shape), **own)
        else:
            variable = Variable(draw(shape, dtype="float64"), **own)
        self._variables.append(variable)
        return variable

    add_weight = add_variable

    def _make_state(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        """Makes state whose shape depends on labels and predictions, where there is such state.

        Args:
            y_true_shape: Shape of the labels, the batch first.
            y_pred_shape: Shape of the predictions.

        Raises:
            ValueError: The metric cannot be computed of such, or its state has another shape.
        """

    def reset_state(self) -> None:
        """Forgets all batches so far."""
        for variable in self._variables:
            variable.assign(np.zeros(variable.shape))
        for metric in self._parts():
            metric.reset_state()

    def update_state(self, *args: Any, **kwargs: Any) -> None:
        """Adds a batch to the state."""
        raise NotImplementedError(f"{type(self).__name__} does not implement update_state")

    def result(self) -> Any:
        """The value so far, computed from the state."""
        raise NotImplementedError(f"{type(self).__name__} does not implement result")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """`update_state`, then `result`."""
        self.update_state(*args, **kwargs)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same metric again."""
        return {"name": self.name, "dtype": self._dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """The metric of a configuration that `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def update_metric(metric: Metric, *batch: Tensor) -> None:
    """`metric.update_state` on tensors, as a part of their program.

    Args:
        metric: A Metric.
        *batch: Tensors: labels, predictions, and weights where there are some.

    Raises:
        TypeError: The program would keep nothing.
    """
    graph = batch[0].graph
    with Tracing(graph):
        metric.update_state(*batch)
    if not any(id(v) in graph.assigned for v in metric.variables):
        raise TypeError(
            f"metric '{metric.name}': its update_state changes no state when a model is compiled. "
            "Make state by add_weight and change it by assign or assign_add, or keep a Mean (or a "
            "MeanMetricWrapper around a function of tensors) and update that"
        )


def _on_tensors(update_state: Callable[..., None]) -> Callable[..., None]:
    """`update_state` that sees arrays as tensors with values, for the same promotion of dtypes."""

    @functools.wraps(update_state)
    def update(self: Metric, *args: Any, **kwargs: Any) -> None:
        return update_state(
            self,
            *map(_as_values, args),
            **{key: _as_values(value) for key, value in kwargs.items()},
        )

    return update


class Result(Tensor):
    """The result of a metric in a program that is being made.

    Who only reports it, as a step of one's own does, reads it from the state after the step:
    nothing is computed in the program. Whatever else is done with it makes it the tensor that
    `result` computes of the state as it then stands.
    """

    __slots__ = ("compute", "metric")

    def __init__(self, metric: Metric, compute: Callable[[], Any]) -> None:
        self.metric = metric
        self.compute = compute

    def __getattr__(self, name: str) -> Any:  # of a slot that has no value yet
        if name not in Tensor.__slots__:
            raise AttributeError(f"'{type(self).__name__}' object has no attribute {name!r}")
        graph: Any = traced_graph()
        result = graph.result(self.compute(), f"result of metric '{self.metric.name}'")
        # Tensors are told apart by identity: this one is the output of a node of its own.
        same = graph.apply(table["reshape"], (result,), {"shape": result.shape})
        for slot in Tensor.__slots__:
            if slot != "__weakref__":
                setattr(self, slot, getattr(same, slot))
        self.node.outputs = (self,)
        return getattr(result, name)

    def __repr__(self) -> str:
        return f"<result of metric '{self.metric.name}'>"


def _when_needed(result: Callable[..., Any]) -> Callable[..., Any]:
    """`result` that in a program is computed when it is needed."""

    @functools.wraps(result)
    def in_any_graph(self: Metric, *args: Any, **kwargs: Any) -> Any:
        graph = traced_graph()
        if graph is None or self.is_several:
            return result(self, *args, **kwargs)
        if graph.is_immediate:
            return _as_it_stands(graph, self, lambda: result(self, *args, **kwargs))
        if type(self).result is not in_any_graph:  # super().result() within one
            return result(self, *args, **kwargs)
        return Result(self, lambda: result(self, *args, **kwargs))

    return in_any_graph


def _as_it_stands(graph: Any, metric: Metric, compute: Callable[[], Any]) -> Any:
    """What `compute` makes of the state that a metric has in a graph that computes at once."""
    before = [(v, v._value) for v in metric.variables]
    try:
        for v, _ in before:
            v._value = graph.variable(v).value
        with Tracing(None):
            return compute()
    finally:
        for v, value in before:
            v._value = value


def library_of(state: Any) -> Any:
    """The functions for values of the state: NumPy's on arrays, `dlnative.ops` on tensors.

    A result that is written with them, and with operators, can be part of a program.
    """
    return ops if isinstance(state, Tensor) else np


def reported(value: Any, dtype: str) -> Any:
    """A result: of shape () a Python float, or an array of `dtype`; in a program a tensor."""
    if isinstance(value, Tensor):
        return ops.cast(value, dtype) if value.shape else value
    return value.astype(dtype) if np.ndim(value) else float(value)


def _as_values(value: Any) -> Any:
    if isinstance(value, (list, tuple)) and not any(isinstance(v, Tensor) for v in value):
        value = np.asarray(value)
    return ValueTensor(value) if isinstance(value, np.ndarray) else value
