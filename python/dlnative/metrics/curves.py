"""The area under a curve of all thresholds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..hyperparameters import Option
from .base import library_of, reported
from .means import predictions_of
from .thresholds import (
    ThresholdMetric,
    checked_thresholds,
    count_of_thresholds,
    divide_no_nan,
    evenly_spread,
)

if TYPE_CHECKING:
    from ..graph import Tensor
    from ..graph.types import ArrayLike, Result, Shape, TensorLike

CURVES = ("ROC", "PR", "PRGAIN")
# Summation method: height between two points.
HEIGHTS: dict[str, Callable[[Result, Result], Result]] = {
    "interpolation": lambda a, b: (a + b) / 2,
    "majoring": lambda a, b: library_of(a).maximum(a, b),
    "minoring": lambda a, b: library_of(a).minimum(a, b),
}


def _one_of(spellings: dict[str, str]) -> Callable[..., str]:
    """Check of an Option: what a spelling stands for."""

    def check(instance: Any, name: str, value: Any) -> str:
        if value not in spellings:
            known = ", ".join(map(repr, dict.fromkeys(spellings.values())))
            raise ValueError(
                f"{type(instance).__name__}: expected {name} to be one of {known}, received "
                f"{value!r}"
            )
        return spellings[value]

    return check


class AUC(ThresholdMetric):
    """The area under the ROC or precision-recall curve, from the points of many thresholds.

    ROC: the area under the true positive rate over the false positive rate. PR: that under the
    precision over the recall. PRGAIN: that under the precision gain over the recall gain,
    1 - (P / N) * FP / TP over 1 - (P / N) * FN / TP.

    Args:
        num_thresholds: How many thresholds, from 2 to 1,000,000, from just below 0 to just above 1.
        curve: "ROC", "PR" or "PRGAIN".
        summation_method: The height between two points: "interpolation" (their mean; for PR true
            and false positives are interpolated, not precision), "majoring" (the larger) or
            "minoring" (the smaller).
        name: Name in logs.
        dtype: "float32" or "float64".
        thresholds: Thresholds in [0, 1] instead of `num_thresholds`; those at the ends are added.
        multi_label: Whether each column of the predictions, (batch, labels), has a curve of its
            own; the result is the mean of their areas. Otherwise all predictions form one curve.
        num_labels: Number of columns with `multi_label`; by default that of the first batch.
        label_weights: One weight per column: of its area in the mean with `multi_label`, else of
            its predictions.
        from_logits: Whether predictions are logits: the sigmoid is applied to them.

    Example:
        >>> import dlnative
        >>> dlnative.metrics.AUC(num_thresholds=3)([0, 0, 1, 1], [0, 0.5, 0.3, 0.9])
        0.75

    Differs from Keras: counts are float64 whatever the dtype; `result` is a Python float; `curve`
    and `summation_method` are strings; the number of thresholds has a bound.

    Reference: Davis and Goadrich, The relationship between precision-recall and ROC curves, 2006;
        Flach and Kull, Precision-recall-gain curves, 2015.
    """

    _direction = "up"
    curve = Option(_one_of({s: c for c in CURVES for s in (c, c.lower())}))
    summation_method = Option(_one_of({s: m for m in HEIGHTS for s in (m, m.capitalize())}))

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: str | None = None,
        thresholds: Sequence[float] | np.ndarray | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: ArrayLike | None = None,
        from_logits: bool = False,
    ) -> None:
        self._given = None
        if thresholds is None:
            inner = evenly_spread(count_of_thresholds(self, num_thresholds, 2))[1:-1]
            even = True
        else:
            if not isinstance(thresholds, (list, tuple, np.ndarray)):
                raise TypeError(f"AUC: expected thresholds to be a list, received {thresholds!r}")
            inner = sorted(checked_thresholds("AUC", thresholds)) if len(thresholds) else []
            self._given = inner
            even = None
        if num_labels and not multi_label:
            raise ValueError(
                f"AUC: num_labels is for multi_label=True only, received num_labels={num_labels!r}"
            )
        self._multi_label = bool(multi_label)
        self._num_labels = num_labels or None
        self._from_logits = bool(from_logits)
        self._label_weights = _label_weights(label_weights)
        ends = -config.epsilon(), 1.0 + config.epsilon()
        columns = (self._num_labels or 0) if self._multi_label else None
        super().__init__([ends[0], *inner, ends[1]], name, dtype, even, columns)
        self.curve = curve
        self.summation_method = summation_method

    @property
    def num_thresholds(self) -> int:
        """How many thresholds there are, those at the ends included."""
        return len(self._thresholds)

    @property
    def multi_label(self) -> bool:
        """Whether each column of the predictions has a curve of its own."""
        return self._multi_label

    @property
    def num_labels(self) -> int | None:
        """The number of columns, as it was given."""
        return self._num_labels

    @property
    def label_weights(self) -> np.ndarray | None:
        """The weights of the columns, a float64 array, or None."""
        return self._label_weights

    def _make_state(self, y_true_shape: Shape, y_pred_shape: Shape) -> None:
        if self._multi_label:
            if len(y_pred_shape) != 2:
                raise ValueError(
                    f"metric '{self.name}': expected predictions of shape (batch, labels) for "
                    f"multi_label=True, received {tuple(y_pred_shape)}"
                )
            if self._histograms is None:
                self._add_histograms(y_pred_shape[1])
            if self._columns != y_pred_shape[1]:
                raise ValueError(
                    f"metric '{self.name}': expected predictions of {self._columns} labels, "
                    f"received shape {tuple(y_pred_shape)}"
                )
        weights = self._label_weights
        if weights is not None and weights.shape != tuple(y_pred_shape[-1:]):
            raise ValueError(
                f"metric '{self.name}': expected one of the {len(weights)} label_weights for each "
                f"column of the predictions, received shape {tuple(y_pred_shape)}"
            )

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch: see `ThresholdMetric`."""
        y_pred = predictions_of(y_pred, self._dtype)
        super().update_state(
            y_true, ops.sigmoid(y_pred) if self._from_logits else y_pred, sample_weight
        )

    def _weight(self, y_pred: Tensor, sample_weight: TensorLike | None) -> Tensor | None:
        weight = super()._weight(y_pred, sample_weight)
        if self._label_weights is None or self._multi_label:
            return weight
        columns = self._label_weights.astype(y_pred.dtype)
        return ops.broadcast_to(columns, y_pred.shape) if weight is None else weight * columns

    def result(self) -> Result:
        """The area so far."""
        counts = self._counts()
        if (self.curve, self.summation_method) == ("PR", "interpolation"):
            areas = _interpolated_precision(**counts)
        else:
            x, y = _points(self.curve, **counts)
            height = HEIGHTS[self.summation_method](y[:-1], y[1:])
            areas = (x[:-1] - x[1:]) * height
        xp = library_of(areas)
        area = xp.sum(areas, axis=0)
        if self._multi_label:
            weights = np.ones(area.shape) if self._label_weights is None else self._label_weights
            area = divide_no_nan(xp.sum(area * weights), xp.sum(weights))
        return reported(area, self.dtype)

    def get_config(self) -> dict[str, Any]:
        weights = self._label_weights
        config = {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self._multi_label,
            "num_labels": self._num_labels,
            "label_weights": None if weights is None else weights.tolist(),
            "from_logits": self._from_logits,
        }
        return config if self._given is None else {**config, "thresholds": self._given}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> AUC:
        weights = config.get("label_weights")
        if isinstance(weights, dict):  # Keras writes a tensor
            config = {**config, "label_weights": weights["config"]["value"]}
        return cls(**config)


def _label_weights(given: Any) -> np.ndarray | None:
    if given is None:
        return None
    weights = np.asarray(getattr(given, "value", given), dtype="float64")
    if weights.ndim != 1 or not (weights >= 0).all():
        raise ValueError(
            f"AUC: expected label_weights to be one weight of at least 0 per label, received "
            f"{given!r}"
        )
    return weights


def _points(curve: str, tp: Result, fp: Result, tn: Result, fn: Result) -> tuple[Result, Result]:
    """The coordinates of a curve, one point per threshold."""
    recall = divide_no_nan(tp, tp + fn)
    if curve == "ROC":
        return divide_no_nan(fp, fp + tn), recall
    if curve == "PR":
        return recall, divide_no_nan(tp, tp + fp)
    xp = library_of(tp)
    ratio = divide_no_nan(tp + fn, tn + fp)
    # Without true positives both diverge; a recall below that of chance has no gain.
    recall_gain = xp.where(tp == 0, 0.0, xp.maximum(1 - ratio * divide_no_nan(fn, tp), 0.0))
    return recall_gain, xp.where(tp == 0, 1.0, 1 - ratio * divide_no_nan(fp, tp))


def _interpolated_precision(tp: Result, fp: Result, tn: Result, fn: Result) -> Result:
    """The areas under precision over recall between thresholds, true positives being linear.

    Between two thresholds A and B the true positives are TP = slope * P + intercept in the positive
    predictions P, so the integral of TP / P over P is slope * (P_A - P_B) + intercept * log(P_A /
    P_B), and the recall changes by slope / positives with P.
    """
    p, xp = tp + fp, library_of(tp)
    gained, grown = tp[:-1] - tp[1:], xp.maximum(p[:-1] - p[1:], 0)
    slope = divide_no_nan(gained, grown)
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    log_ratio = xp.log(xp.where(both, p[:-1], 1.0) / xp.where(both, p[1:], 1.0))
    return divide_no_nan(slope * (gained + intercept * log_ratio), tp[1:] + fn[1:])
