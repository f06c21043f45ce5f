"""Correlations of labels and predictions, along an axis of each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import config, ops
from ..losses.base import as_labels, as_predictions, match_ranks
from ..losses.labels import check_same_shape
from ..losses.options import FunctionOption
from .means import FunctionMetric

if TYPE_CHECKING:
    from ..graph.types import Axes, Result, TensorLike


def pair(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels in the dtype of the predictions, both in one shape."""
    y_pred = as_predictions(y_pred)
    y_true, y_pred = match_ranks(as_labels(y_true, y_pred.dtype), y_pred)
    check_same_shape(name, y_true, y_pred)
    return y_true, y_pred


def pearson_correlation(y_true: TensorLike, y_pred: TensorLike, axis: Axes = -1) -> Result:
    """cov(y_true, y_pred) / (std(y_true) * std(y_pred)) along an axis; NaN where one is constant.

    Args:
        y_true: Targets, (batch, ...).
        y_pred: Predictions of the same shape.
        axis: The axis, or several.

    Returns:
        One value per sample where `axis` is the last of two.

    Example:
        >>> from dlnative.metrics import pearson_correlation
        >>> y_true, y_pred = [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
        >>> pearson_correlation(y_true, y_pred).round(4)
        array([1.    , 0.9934], dtype=float32)
    """
    true, pred = pair("pearson_correlation", y_true, y_pred)
    true = true - ops.mean(true, axis=axis, keepdims=True)
    pred = pred - ops.mean(pred, axis=axis, keepdims=True)
    true = true / ops.std(true, axis=axis, keepdims=True)
    pred = pred / ops.std(pred, axis=axis, keepdims=True)
    return ops.mean(true * pred, axis=axis)


def concordance_correlation(y_true: TensorLike, y_pred: TensorLike, axis: Axes = -1) -> Result:
    """2 * cov(y_true, y_pred) / (var(y_true) + var(y_pred) + (mean(y_true) - mean(y_pred))^2).

    Args:
        y_true: Targets, (batch, ...).
        y_pred: Predictions of the same shape.
        axis: The axis, or several.

    Returns:
        One value per sample where `axis` is the last of two.

    Example:
        >>> from dlnative.metrics import concordance_correlation
        >>> y_true, y_pred = [[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]
        >>> concordance_correlation(y_true, y_pred).round(4)
        array([0.9756, 0.9877], dtype=float32)

    Reference: Lin, A concordance correlation coefficient to evaluate reproducibility, 1989.
    """
    y_true, y_pred = pair("concordance_correlation", y_true, y_pred)
    mean_true = ops.mean(y_true, axis=axis, keepdims=True)
    mean_pred = ops.mean(y_pred, axis=axis, keepdims=True)
    covariance = (y_true - mean_true) * (y_pred - mean_pred)
    spread = ops.var(y_true, axis=axis, keepdims=True) + ops.var(y_pred, axis=axis, keepdims=True)
    spread = spread + ops.square(mean_true - mean_pred)
    return ops.mean(2.0 * covariance / (spread + config.epsilon()), axis=axis)


class PearsonCorrelation(FunctionMetric):
    """The mean of `pearson_correlation`, from -1 to 1.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        axis: The axis along which values are correlated, or several.

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.PearsonCorrelation()
        >>> round(metric([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9967
    """

    _direction = "up"
    axis = FunctionOption()

    def __init__(
        self, name: str | None = "pearson_correlation", dtype: str | None = None, axis: Axes = -1
    ) -> None:
        super().__init__(pearson_correlation, name=name, dtype=dtype, axis=axis)


class ConcordanceCorrelation(FunctionMetric):
    """The mean of `concordance_correlation`, from -1 to 1.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        axis: The axis along which values are correlated, or several.

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.ConcordanceCorrelation()
        >>> round(metric([[0, 1, 0.5], [1, 1, 0.2]], [[0.1, 0.9, 0.5], [1, 0.9, 0.2]]), 4)
        0.9816
    """

    _direction = "up"
    axis = FunctionOption()

    def __init__(
        self,
        name: str | None = "concordance_correlation",
        dtype: str | None = None,
        axis: Axes = -1,
    ) -> None:
        super().__init__(concordance_correlation, name=name, dtype=dtype, axis=axis)
