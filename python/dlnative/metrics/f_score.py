"""F-beta scores of classes or labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..hyperparameters import Option
from .base import Metric, library_of, reported
from .means import predictions_of, weight_of

if TYPE_CHECKING:
    from ..graph.types import Result, Shape, TensorLike

AVERAGES = (None, "micro", "macro", "weighted")


def _average(instance: Any, name: str, value: Any) -> str | None:
    if value not in AVERAGES:
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be one of "
            f"{', '.join(map(repr, AVERAGES))}, received {value!r}"
        )
    return value


def _beta(instance: Any, name: str, value: Any) -> float:
    if not isinstance(value, float) or not 0 < value < math.inf:
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be a float greater than 0, received "
            f"{value!r}"
        )
    return value


def _threshold(instance: Any, name: str, value: Any) -> float | None:
    if value is not None and (not isinstance(value, float) or not 0 < value <= 1):
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be a float in (0, 1], or None, "
            f"received {value!r}"
        )
    return value


class FBetaScore(Metric):
    """The weighted harmonic mean of precision and recall, per class.

    F = (1 + beta^2) * precision * recall / (beta^2 * precision + recall).

    Args:
        average: None (one score per class), "micro" (the score of all classes together), "macro"
            (the mean of the scores) or "weighted" (their mean, weighted by how often each class
            occurs).
        beta: How much more recall counts than precision, a float greater than 0.
        threshold: Predictions above it are positive, a float in (0, 1]. By default the largest
            prediction of a sample is, unless it is 0.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.FBetaScore(beta=2.0, threshold=0.5)
        >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
        >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
        >>> metric(y_true, y_pred).round(4)
        array([0.3846, 0.9091, 0.8333], dtype=float32)

    Differs from Keras: counts are float64 whatever the dtype; an average is a Python float.
    """

    _direction = "up"
    average = Option(_average)
    beta = Option(_beta)
    threshold = Option(_threshold)

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._counts: Any = None

    def _make_state(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        true, pred = tuple(y_true_shape), tuple(y_pred_shape)
        if len(pred) != 2 or len(true) != 2 or true[1] != pred[1]:
            raise ValueError(
                f"metric '{self.name}': expected labels and predictions of shape (batch, "
                f"classes), received {true} and {pred}"
            )
        if self._counts is None:
            self._counts = self.add_variable((3, pred[1]), name="counts")
        elif self._counts.shape[1] != pred[1]:
            raise ValueError(
                f"metric '{self.name}': expected predictions of {self._counts.shape[1]} classes as "
                f"in the batches before, received shape {pred}"
            )

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: One-hot labels, or one label per class, (batch, classes).
            y_pred: Predictions, (batch, classes).
            sample_weight: Optional weights, (batch,) or one per prediction.

        Raises:
            ValueError: The shapes do not fit.
        """
        y_pred = predictions_of(y_pred, self._dtype)
        labels = ops.cast(y_true, y_pred.dtype)
        self._make_state(labels.shape, y_pred.shape)
        if self.threshold is None:
            largest = ops.max(y_pred, axis=-1, keepdims=True)
            positive = (y_pred >= largest) & (ops.abs(y_pred) > 1e-9)
        else:
            positive = y_pred > self.threshold
        positive = ops.cast(positive, y_pred.dtype)
        rows = ops.stack([positive * labels, positive, labels])  # (3, batch, classes)
        if sample_weight is not None:
            rows = rows * weight_of(y_pred, sample_weight)
        self._counts.assign_add(ops.sum(rows, axis=1))

    def result(self) -> Result:
        """The scores so far, (classes,), or their average."""
        counts = np.zeros((3, 1)) if self._counts is None else self._counts.value
        xp = library_of(counts)
        hits, positive, labels = counts[0], counts[1], counts[2]
        support = labels
        if self.average == "micro":
            hits, positive, labels = xp.sum(hits), xp.sum(positive), xp.sum(labels)
        epsilon, factor = config.epsilon(), self.beta**2
        precision, recall = hits / (positive + epsilon), hits / (labels + epsilon)
        score = (1 + factor) * precision * recall / (factor * precision + recall + epsilon)
        if self.average == "weighted":
            score = xp.sum(score * support / (xp.sum(support) + epsilon))
        elif self.average is not None:
            score = xp.mean(score)
        return reported(score, self.dtype)

    def get_config(self) -> dict[str, Any]:
        own = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **own}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall, per class: 2 * P * R / (P + R).

    Args:
        average: As for `FBetaScore`.
        threshold: As for `FBetaScore`.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.F1Score(threshold=0.5)
        >>> y_true = [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
        >>> y_pred = [[0.2, 0.6, 0.7], [0.2, 0.6, 0.6], [0.6, 0.8, 0.0]]
        >>> metric(y_true, y_pred).round(4)
        array([0.5   , 0.8   , 0.6667], dtype=float32)

    Differs from Keras: as `FBetaScore`.
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: str | None = None,
    ) -> None:
        super().__init__(average=average, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["beta"]
        return config
