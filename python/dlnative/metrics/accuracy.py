"""Accuracies: how often predictions are right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..losses.base import Values, as_labels, as_predictions, match_ranks, reshape, run_op
from ..losses.functions import class_numbers, takes_class_numbers
from ..losses.labels import check_one_hot, check_same_shape
from ..losses.options import FunctionOption
from ..utils.numbers import finite_number, is_integer
from .means import FunctionMetric, Mean, predictions_of

if TYPE_CHECKING:
    from ..graph.types import Result, TensorLike


def _dense(y_true: TensorLike, y_pred: TensorLike) -> tuple[Values, Values]:
    y_pred = as_predictions(y_pred)
    return match_ranks(as_labels(y_true, y_pred.dtype), y_pred)


def accuracy(y_true: TensorLike, y_pred: TensorLike) -> Result:
    """1 where y_true == y_pred, else 0; both of one shape, which the result has too."""
    y_true, y_pred = _dense(y_true, y_pred)
    check_same_shape("accuracy", y_true, y_pred)
    return run_op("cast", run_op("equal", y_true, y_pred), dtype=str(y_pred.dtype))


def binary_accuracy(y_true: TensorLike, y_pred: TensorLike, threshold: float = 0.5) -> Result:
    """1 where (y_pred > threshold) == y_true, else 0; both of one shape, which the result has."""
    y_true, y_pred = _dense(y_true, y_pred)
    check_same_shape("binary_accuracy", y_true, y_pred)
    right = run_op("equal", run_op("cast", y_pred > threshold, dtype=str(y_pred.dtype)), y_true)
    return run_op("cast", right, dtype=str(y_pred.dtype))


def _share_of_right(y_true: Any, y_pred: Any, threshold: float) -> Any:
    """The mean of `binary_accuracy` over the last axis, in one op."""
    y_true, y_pred = _dense(y_true, y_pred)
    if len(y_pred.shape) == 1:
        y_true = reshape(y_true, (*y_true.shape, 1))
        y_pred = reshape(y_pred, (*y_pred.shape, 1))
    check_same_shape("binary_accuracy", y_true, y_pred)
    return run_op("binary_accuracy", y_pred, y_true, threshold=float(threshold))


def categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Result:
    """1 where argmax(y_pred) == argmax(y_true), else 0: one value per sample, (batch, ...)."""
    y_pred = as_predictions(y_pred)
    y_true = as_labels(y_true, y_pred.dtype)
    check_one_hot("categorical_accuracy", y_true, y_pred)
    return run_op("categorical_accuracy", y_pred, y_true)


@takes_class_numbers
def sparse_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike) -> Result:
    """1 where argmax(y_pred) == y_true, else 0: one value per sample, (batch, ...)."""
    y_pred = as_predictions(y_pred)
    labels = class_numbers("sparse_categorical_accuracy", y_true, y_pred)
    return run_op("sparse_categorical_accuracy", y_pred, labels)


def top_k_categorical_accuracy(y_true: TensorLike, y_pred: TensorLike, k: int = 5) -> Result:
    """1 where the class of the one-hot label is among the k largest predictions, else 0.

    Args:
        y_true: One-hot labels, (batch, ..., classes).
        y_pred: Predictions, (batch, ..., classes).
        k: How many predictions count.

    Returns:
        One value per sample, (batch, ...).
    """
    y_pred = as_predictions(y_pred)
    y_true = as_labels(y_true, y_pred.dtype)
    check_one_hot("top_k_categorical_accuracy", y_true, y_pred)
    found = ops.in_top_k(ops.argmax(y_true, axis=-1), y_pred, k)
    return run_op("cast", found, dtype=str(y_pred.dtype))


@takes_class_numbers
def sparse_top_k_categorical_accuracy(
    y_true: TensorLike, y_pred: TensorLike, k: int = 5, from_sorted_ids: bool = False
) -> Result:
    """1 where the class number is among the k largest predictions, else 0.

    Args:
        y_true: Class numbers, (batch, ...) or (batch, ..., 1).
        y_pred: Predictions, (batch, ..., classes).
        k: How many predictions count.
        from_sorted_ids: Whether `y_pred` are class numbers instead, those of the largest
            predictions first.

    Returns:
        One value per sample, (batch, ...).
    """
    if from_sorted_ids:
        return _among_sorted(y_true, y_pred, k)
    y_pred = as_predictions(y_pred)
    labels = class_numbers("sparse_top_k_categorical_accuracy", y_true, y_pred)
    return run_op("cast", ops.in_top_k(labels, y_pred, k), dtype=str(y_pred.dtype))


def _among_sorted(y_true: Any, y_pred: Any, k: int) -> Any:
    y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
    if y_true.shape == y_pred.shape[:-1]:
        y_true = ops.expand_dims(y_true, -1)
    if y_true.shape != (*y_pred.shape[:-1], 1) or y_pred.shape[-1] < k:
        raise ValueError(
            f"sparse_top_k_categorical_accuracy: expected labels of shape {y_pred.shape[:-1]} and "
            f"at least k={k} class numbers per sample, received {y_true.shape} and {y_pred.shape}"
        )
    return ops.cast(ops.any(ops.equal(y_true, y_pred[..., :k]), axis=-1), config.floatx())


class Accuracy(FunctionMetric):
    """How often predictions equal labels exactly.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> dlnative.metrics.Accuracy()([1, 2, 3, 4], [0, 2, 3, 4])
        0.75
    """

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: str | None = None) -> None:
        super().__init__(accuracy, name=name, dtype=dtype)


def _check_threshold(name: str, threshold: Any) -> None:
    finite_number(name, "threshold", threshold)


class BinaryAccuracy(FunctionMetric):
    """How often y_pred > threshold is what the label says.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        threshold: Predictions above it count as 1. Logits need threshold=0.

    Example:
        >>> import dlnative
        >>> dlnative.metrics.BinaryAccuracy()([[1], [1], [0], [0]], [[0.98], [1.0], [0.0], [0.6]])
        0.75
    """

    _direction = "up"
    threshold = FunctionOption(_check_threshold)

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: str | None = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name=name, dtype=dtype, threshold=threshold)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch: see `MeanMetricWrapper`."""
        given: tuple[Any, Any] = sample_weight, y_pred
        weight_rank, rank = map(np.ndim, given)
        per_value = weight_rank >= max(rank, 2)
        self._fn = binary_accuracy if per_value else _share_of_right
        super().update_state(y_true, y_pred, sample_weight)


class CategoricalAccuracy(FunctionMetric):
    """How often the largest prediction is that of the one-hot label.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.CategoricalAccuracy()
        >>> metric([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        0.5
    """

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: str | None = None) -> None:
        super().__init__(categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(FunctionMetric):
    """How often the largest prediction is that of the class number.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.SparseCategoricalAccuracy()
        >>> metric([2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0.0]])
        0.5
    """

    _direction = "up"

    def __init__(
        self, name: str | None = "sparse_categorical_accuracy", dtype: str | None = None
    ) -> None:
        super().__init__(sparse_categorical_accuracy, name=name, dtype=dtype)


def _check_k(name: str, k: Any) -> None:
    if not is_integer(k) or k < 1:
        raise ValueError(f"{name}: expected k to be an integer of at least 1, received {k!r}")


class TopKCategoricalAccuracy(FunctionMetric):
    """How often the class of the one-hot label is among the k largest predictions.

    Args:
        k: How many predictions count.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.TopKCategoricalAccuracy(k=1)
        >>> metric([[0, 0, 1], [0, 1, 0]], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        0.5
    """

    _direction = "up"
    k = FunctionOption(_check_k)

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: str | None = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name=name, dtype=dtype, k=k)


class SparseTopKCategoricalAccuracy(FunctionMetric):
    """How often the class number is among the k largest predictions.

    Args:
        k: How many predictions count.
        name: Name in logs.
        dtype: "float32" or "float64".
        from_sorted_ids: Whether predictions are class numbers, those of the largest first.

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.SparseTopKCategoricalAccuracy(k=1)
        >>> metric([2, 1], [[0.1, 0.9, 0.8], [0.05, 0.95, 0.0]])
        0.5
    """

    _direction = "up"
    k = FunctionOption(_check_k)
    from_sorted_ids = FunctionOption()

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: str | None = None,
        from_sorted_ids: bool = False,
    ) -> None:
        super().__init__(
            sparse_top_k_categorical_accuracy,
            name=name,
            dtype=dtype,
            k=k,
            from_sorted_ids=from_sorted_ids,
        )

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch: see `MeanMetricWrapper`."""
        if not self.from_sorted_ids:
            super().update_state(y_true, y_pred, sample_weight)
            return
        # Large class numbers are no floats: they stay as they are.
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        Mean.update_state(self, predictions_of(values), sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if not self.from_sorted_ids:
            del config["from_sorted_ids"]  # as Keras writes it
        return config
