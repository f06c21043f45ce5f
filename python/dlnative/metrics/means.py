"""Sum, Mean and MeanMetricWrapper: running sums and means of values per sample.

The state is one float64 Variable [total, count]. On NumPy arrays `update_state` changes it at once;
on graph tensors it emits the op `accumulate_mean`, so that a compiled step keeps the metric.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.tensor import Tensor, ValueTensor, apply, traced_graph
from ..losses.base import as_labels, as_predictions, match_weight, reshape, run_op
from ..losses.options import checked_arguments
from ..naming import object_name
from .base import Metric

if TYPE_CHECKING:
    from ..graph.types import TensorLike
    from ..variables import Variable


class Mean(Metric):
    """The weighted mean of all values so far: sum(values * weight) / sum(weight), at first 0.

    Values that belong to one sample are averaged first.

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

    def __init__(self, name: str | None = "mean", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.state = self.add_variable((2,), name="total_and_count")

    @property
    def total(self) -> float:
        """sum(values * weight) so far."""
        return float(self.state.value[0])

    @property
    def count(self) -> float:
        """sum(weight) so far."""
        return float(self.state.value[1])

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Adds a batch.

        Args:
            values: A number, or (batch, ...).
            sample_weight: Optional weights: (batch,), or one per value, or a number: it is the
                weight of the mean of all values.
        """
        added, weight = values_and_weight(values, sample_weight, self._dtype, "mean")
        inner = math.prod(added.shape[1:])  # values of one sample
        if weight is None and inner != 1:
            added = run_op("mean", added, axis=tuple(range(1, len(added.shape))))
        elif inner != 1:
            weight = run_op("rescale", weight, scale=1.0 / max(inner, 1))
        accumulate(self.state, added, weight)

    def result(self) -> Any:
        """The mean so far: a float, or a tensor of the program that is being made."""
        if traced_graph() is not None:
            state: Any = self.state
            is_empty = state[1] == 0.0
            return apply("where", is_empty, 0.0, state[0] / apply("where", is_empty, 1.0, state[1]))
        total, count = self.state.array.tolist()
        return total / count if count else 0.0


class Sum(Metric):
    """The weighted sum of all values so far: sum(values * weight).

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> dlnative.metrics.Sum()([1.0, 3.0, 5.0, 7.0], sample_weight=[1, 1, 0, 0])
        4.0

    Differs from Keras: the total is float64 whatever the dtype; `result` is a Python float.
    """

    def __init__(self, name: str | None = "sum", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.state = self.add_variable((2,), name="total_and_count")

    @property
    def total(self) -> float:
        """sum(values * weight) so far."""
        return float(self.state.value[0])

    def update_state(self, values: TensorLike, sample_weight: TensorLike | None = None) -> None:
        """Adds a batch.

        Args:
            values: A number, or (batch, ...).
            sample_weight: Optional weights: (batch,), or one per value, or one number for all.
        """
        accumulate(self.state, *values_and_weight(values, sample_weight, self._dtype, "sum"))

    def result(self) -> float:
        """The sum so far."""
        state: Any = self.state
        return state[0] if traced_graph() is not None else self.total


def accumulate(state: Variable, values: Any, weight: Any = None) -> None:
    """state = state + [sum(values * weight), sum(weight)]; without weight the number of values."""
    if isinstance(values, ValueTensor):
        values = ValueTensor(values.value, "float64")
        weight = None if weight is None else ValueTensor(weight.value, "float64")
    state.assign(apply("accumulate_mean", state, values, weight))


def predictions_of(values: Any, dtype: str | None = None) -> Tensor:
    """Predictions as a tensor of floats, in `dtype` if one is given."""
    if isinstance(values, Tensor) and not isinstance(values, ValueTensor):
        return values if dtype in (None, values.dtype) else apply("cast", values, dtype=dtype)
    values = as_predictions(values.value if isinstance(values, ValueTensor) else values)
    return ValueTensor(values, dtype)


def weight_of(values: Tensor, weight: Any) -> Tensor:
    """Weights under the shape of `values`; a single one is for all of them.

    Raises:
        ValueError: The shapes do not fit.
    """
    if isinstance(values, ValueTensor):
        weight = ValueTensor(getattr(weight, "value", weight), values.dtype)
    weight = as_labels(weight, values.dtype)
    if len(weight.shape) > 0 and weight.size == 1:
        weight = reshape(weight, ())
    return match_weight(values, weight)


def values_and_weight(
    values: Any, weight: Any, dtype: str | None, reduction: str
) -> tuple[Any, Any]:
    """Values, and one weight for each of them or None.

    Axes of `values` that the weights do not have are reduced by the op `reduction`. Values that a
    loss has masked have a weight of 0, where there are weights.
    """
    mask = getattr(values, "mask", None)
    values = predictions_of(values, dtype)
    if weight is None:
        return values, None
    if mask is not None:
        mask = run_op("cast", mask, dtype=values.dtype)
        return values, run_op("multiply", weight_of(values, weight), mask)
    if isinstance(values, ValueTensor):
        weight = ValueTensor(getattr(weight, "value", weight), values.dtype)
    weight = as_labels(weight, values.dtype)
    if len(weight.shape) == len(values.shape) + 1 and weight.shape[-1] == 1:
        weight = reshape(weight, tuple(weight.shape[:-1]))
    rank = len(weight.shape)
    if len(values.shape) > rank:
        values = run_op(reduction, values, axis=tuple(range(rank, len(values.shape))))
    return values, weight_of(values, weight)


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

    def __init__(
        self, fn: Any, name: str | None = None, dtype: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name or object_name(fn), dtype=dtype)
        self._fn = fn
        self._fn_kwargs = checked_arguments(self, kwargs)
        self.sparse_labels = getattr(fn, "sparse_labels", False)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Labels, (batch, ...).
            y_pred: Predictions, (batch, ...).
            sample_weight: Optional weights, (batch,) or one per value.
        """
        y_pred = predictions_of(y_pred)
        if isinstance(y_pred, ValueTensor):
            labels = y_true.value if isinstance(y_true, ValueTensor) else np.asarray(y_true)
            y_true = ValueTensor(labels, None if self.sparse_labels else y_pred.dtype)
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if not isinstance(y_pred, ValueTensor):
            values = y_pred.graph.result(values, f"metric '{self.name}'")
        super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        from ..utils.serialization import serialize_keras_object

        return {
            **super().get_config(),
            "fn": serialize_keras_object(self._fn),
            **serialize_keras_object(self._fn_kwargs),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MeanMetricWrapper:
        from ..utils.serialization import deserialize_keras_object

        if "fn" in config:
            config = {key: deserialize_keras_object(value) for key, value in config.items()}
        return cls(**config)


class FunctionMetric(MeanMetricWrapper):
    """A MeanMetricWrapper whose class says which function: its configuration does not."""

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), **self._fn_kwargs}
