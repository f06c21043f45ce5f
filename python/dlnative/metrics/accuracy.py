"""Accuracies: how often predictions are right."""

from __future__ import annotations

from ..losses.base import as_labels, as_predictions, match_ranks, reshape, run_op
from ..losses.functions import class_numbers, takes_class_numbers
from ..losses.labels import check_one_hot, check_same_shape
from ..losses.options import FunctionOption
from ..utils.numbers import finite_number
from .base import MeanMetricWrapper


def _dense(y_true, y_pred):
    y_pred = as_predictions(y_pred)
    return match_ranks(as_labels(y_true, y_pred.dtype), y_pred)


def accuracy(y_true, y_pred):
    """1 where y_true == y_pred, else 0; both of one shape, which the result has too."""
    y_true, y_pred = _dense(y_true, y_pred)
    check_same_shape("accuracy", y_true, y_pred)
    return run_op("cast", run_op("equal", y_true, y_pred), dtype=str(y_pred.dtype))


def binary_accuracy(y_true, y_pred, threshold=0.5):
    """mean((y_pred > threshold) == y_true) over the last axis: one value per sample, (batch, ...).

    Differs from Keras: the mean over the last axis is taken here and not in the metric.
    """
    y_true, y_pred = _dense(y_true, y_pred)
    if len(y_pred.shape) == 1:
        y_true = reshape(y_true, (*y_true.shape, 1))
        y_pred = reshape(y_pred, (*y_pred.shape, 1))
    check_same_shape("binary_accuracy", y_true, y_pred)
    return run_op("binary_accuracy", y_pred, y_true, threshold=float(threshold))


def categorical_accuracy(y_true, y_pred):
    """1 where argmax(y_pred) == argmax(y_true), else 0: one value per sample, (batch, ...)."""
    y_pred = as_predictions(y_pred)
    y_true = as_labels(y_true, y_pred.dtype)
    check_one_hot("categorical_accuracy", y_true, y_pred)
    return run_op("categorical_accuracy", y_pred, y_true)


@takes_class_numbers
def sparse_categorical_accuracy(y_true, y_pred):
    """1 where argmax(y_pred) == y_true, else 0: one value per sample, (batch, ...)."""
    y_pred = as_predictions(y_pred)
    labels = class_numbers("sparse_categorical_accuracy", y_true, y_pred)
    return run_op("sparse_categorical_accuracy", y_pred, labels)


class Accuracy(MeanMetricWrapper):
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

    def __init__(self, name="accuracy", dtype=None):
        super().__init__(accuracy, name=name, dtype=dtype)


def _check_threshold(name, threshold):
    finite_number(name, "threshold", threshold)


class BinaryAccuracy(MeanMetricWrapper):
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

    def __init__(self, name="binary_accuracy", dtype=None, threshold=0.5):
        super().__init__(binary_accuracy, name=name, dtype=dtype, threshold=threshold)


class CategoricalAccuracy(MeanMetricWrapper):
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

    def __init__(self, name="categorical_accuracy", dtype=None):
        super().__init__(categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
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

    def __init__(self, name="sparse_categorical_accuracy", dtype=None):
        super().__init__(sparse_categorical_accuracy, name=name, dtype=dtype)
