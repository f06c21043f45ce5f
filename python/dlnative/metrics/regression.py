"""Metrics of real targets that are no means of losses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..graph.tensor import Tensor
from ..hyperparameters import Option
from ..losses.base import match_ranks
from ..losses.labels import check_same_shape
from ..losses.options import FunctionOption
from ..utils.numbers import is_integer
from ..utils.warn import warn_user
from .base import Metric, library_of, reported
from .correlation import pair
from .means import FunctionMetric, Mean, predictions_of, weight_of

if TYPE_CHECKING:
    from ..graph.types import Result, Shape, TensorLike

AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class RootMeanSquaredError(Mean):
    """sqrt(mean((y_true - y_pred)^2)) over all values.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> dlnative.metrics.RootMeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.5
    """

    _direction = "down"

    def __init__(
        self, name: str | None = "root_mean_squared_error", dtype: str | None = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Targets, (batch, ...).
            y_pred: Predictions of the same shape.
            sample_weight: Optional weights, (batch,) or one per value.

        Raises:
            ValueError: The shapes do not fit.
        """
        y_pred = predictions_of(y_pred, self._dtype)
        true, pred = pair(self.name, ops.cast(y_true, y_pred.dtype), y_pred)
        super().update_state(ops.square(pred - true), sample_weight)

    def result(self) -> Result:
        """The root of the mean so far."""
        mean = super().result()
        return ops.sqrt(mean) if isinstance(mean, Tensor) else math.sqrt(mean)


def cosine_similarity(y_true: TensorLike, y_pred: TensorLike, axis: int = -1) -> Result:
    """sum(y_true * y_pred) / (|y_true| * |y_pred|) along an axis; 0 where one is 0."""
    y_true, y_pred = pair("cosine_similarity", y_true, y_pred)
    product = ops.normalize(y_true, axis=axis) * ops.normalize(y_pred, axis=axis)
    return ops.sum(product, axis=axis)


class CosineSimilarity(FunctionMetric):
    """The mean of the cosine of the angle between labels and predictions, from -1 to 1.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        axis: The axis of the vectors.

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.CosineSimilarity()
        >>> round(metric([[0.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 1.0]]), 4)
        0.5

    Differs from Keras: its configuration has `axis`.
    """

    _direction = "up"
    axis = FunctionOption()

    def __init__(
        self, name: str | None = "cosine_similarity", dtype: str | None = None, axis: int = -1
    ) -> None:
        super().__init__(cosine_similarity, name=name, dtype=dtype, axis=axis)


def _aggregation(instance: Any, name: str, value: Any) -> str | None:
    if value not in AGGREGATIONS:
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be one of "
            f"{', '.join(map(repr, AGGREGATIONS))}, received {value!r}"
        )
    return value


def _regressors(instance: Any, name: str, value: Any) -> int:
    if not is_integer(value) or value < 0:
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be an integer of at least 0, received "
            f"{value!r}"
        )
    return int(value)


class R2Score(Metric):
    """The coefficient of determination, 1 - sum((y - p)^2) / sum((y - mean(y))^2) per output.

    With `num_regressors` r and n targets it is adjusted: 1 - (1 - R2) * (n - 1) / (n - r - 1).

    Args:
        class_aggregation: How the scores of outputs become one: "uniform_average" (their mean),
            "variance_weighted_average" (weighted by the variance of their targets), or None (one
            score per output).
        num_regressors: Number of independent regressors, for the adjusted score.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> round(dlnative.metrics.R2Score()([[1], [4], [3]], [[2], [4], [4]]), 4)
        0.5714

    Differs from Keras: sums are float64 whatever the dtype, so more digits are left of their
    difference; an average is a Python float.
    """

    _direction = "up"
    class_aggregation = Option(_aggregation)
    num_regressors = Option(_regressors)

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self._sums: Any = None
        self._number = self.add_variable((), name="num_samples")

    def _make_state(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        if len(y_pred_shape) != 2:
            raise ValueError(
                f"metric '{self.name}': expected predictions of shape (batch, outputs), received "
                f"{tuple(y_pred_shape)}"
            )
        if self._sums is None:
            self._sums = self.add_variable((4, y_pred_shape[1]), name="sums")
        elif self._sums.shape[1] != y_pred_shape[1]:
            raise ValueError(
                f"metric '{self.name}': expected predictions of {self._sums.shape[1]} outputs as "
                f"in the batches before, received shape {tuple(y_pred_shape)}"
            )

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Targets, (batch, outputs).
            y_pred: Predictions, (batch, outputs).
            sample_weight: Optional weights, (batch,) or (batch, outputs).

        Raises:
            ValueError: The shapes do not fit.
        """
        y_pred = predictions_of(y_pred, self._dtype)
        true, pred = match_ranks(ops.cast(y_true, y_pred.dtype), y_pred)
        check_same_shape(self.name, true, pred)
        self._make_state(true.shape, pred.shape)
        true, pred = ops.cast(true, "float64"), ops.cast(pred, "float64")
        weight = ops.ones_like(true)
        if sample_weight is not None:
            weight = weight_of(pred, ops.cast(sample_weight, "float64"))
        rows = [weight, true * weight, true * true * weight, (true - pred) ** 2 * weight]
        self._sums.assign_add(ops.sum(ops.stack(rows), axis=1))
        self._number.assign_add(float(math.prod(true.shape)))

    def result(self) -> Result:
        """The score so far, or one per output."""
        sums = np.zeros((4, 1)) if self._sums is None else self._sums.value
        xp = library_of(sums)
        count, total, squares, residual = sums[0], sums[1], sums[2], sums[3]
        with np.errstate(divide="ignore", invalid="ignore"):
            variance = squares - total * (total / count)
            scores = 1 - residual / variance
            scores = xp.where(xp.isinf(scores), 0.0, scores)
            if self.class_aggregation == "variance_weighted_average":
                scores = xp.sum(variance * scores) / xp.sum(variance)
            elif self.class_aggregation == "uniform_average":
                scores = xp.mean(scores)
        return reported(self._adjusted(scores), self.dtype)

    def _adjusted(self, scores: Any) -> Any:
        if not self.num_regressors:
            return scores
        number = self._number.value
        left = number - self.num_regressors - 1
        if isinstance(left, Tensor):
            return ops.where(left > 0, 1 - (1 - scores) * (number - 1) / left, scores)
        if left <= 0:
            warn_user(
                f"metric '{self.name}': there are not more than num_regressors + 1 = "
                f"{self.num_regressors + 1} targets, so the score is not adjusted"
            )
            return scores
        return 1 - (1 - scores) * (number - 1) / left

    def get_config(self) -> dict[str, Any]:
        own = {"class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
        return {**super().get_config(), **own}
