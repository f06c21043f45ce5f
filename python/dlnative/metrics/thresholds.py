"""Counts of right and wrong yes-or-no answers at many thresholds, kept as two histograms.

A prediction p is positive at the threshold t where p > t. Of the sorted thresholds t[0] <= ... <=
t[n-1] those below p are the first b, and b says everything about p: its *bucket*, 0 to n. One
histogram of the buckets of positive labels and one of those of negative labels give the confusion
matrices of all thresholds, so a batch of N predictions costs N additions for any number of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..graph.tensor import Tensor, apply
from ..losses.base import match_ranks
from ..losses.labels import check_same_shape
from ..utils.numbers import as_float, is_integer
from .base import Metric, library_of, reported
from .means import predictions_of, weight_of

if TYPE_CHECKING:
    from ..graph.types import Result, TensorLike
    from ..variables import Variable

FEW = 4  # so many thresholds are compared one by one
MOST = 1_000_000  # thresholds of a metric; a file may ask for any number
BELOW_ALL = -1e10  # where predictions go that are not among the top k


def checked_thresholds(name: str, thresholds: Any) -> list[float]:
    """One number or several in [0, 1] as a list."""
    several = isinstance(thresholds, (list, tuple, np.ndarray))
    values = [as_float(name, "thresholds", t) for t in (thresholds if several else [thresholds])]
    wrong = [t for t in values if not 0 <= t <= 1]
    if wrong:
        raise ValueError(f"{name}: expected thresholds in [0, 1], received {wrong}")
    if not values:
        raise ValueError(f"{name}: expected at least one threshold, received {thresholds!r}")
    return values


def count_of_thresholds(metric: Any, value: Any, least: int) -> int:
    """The argument `num_thresholds` of a metric."""
    if not is_integer(value) or not least <= value <= MOST:
        raise ValueError(
            f"{type(metric).__name__}: expected num_thresholds to be an integer of at most "
            f"{MOST} and at least {least}, received {value!r}"
        )
    return int(value)


def evenly_spread(count: int) -> list[float]:
    """`count` thresholds from 0 to 1; 0.5 alone."""
    return [0.5] if count == 1 else [i / (count - 1) for i in range(count)]


def is_even(thresholds: Sequence[float]) -> bool:
    """Whether thresholds divide [0, 1] into equal parts, so that a bucket can be computed."""
    count = len(thresholds)
    even = np.arange(count, dtype=np.float32) / max(count - 1, 1)
    return count >= 3 and np.allclose(thresholds, even, atol=config.epsilon())


def divide_no_nan(a: Any, b: Any) -> Result:
    """a / b, and 0 where b is 0."""
    if isinstance(b, Tensor):
        return ops.divide_no_nan(a, b)
    a, b = np.broadcast_arrays(np.asarray(a, "float64"), np.asarray(b, "float64"))
    return np.divide(a, b, out=np.zeros(b.shape), where=b != 0)


def add_at(variable: Variable, index: Tensor, weight: Tensor | None) -> None:
    """variable[index[i]] += weight[i], or 1, one after another; the variable is one line."""
    index = apply("reshape", index, shape=(math.prod(index.shape),))
    if weight is None:
        added: Any = np.ones(index.shape)
    else:
        added = ops.reshape(ops.cast(weight, variable.dtype), index.shape)
    variable.assign(apply("scatter", ops.public.as_tensor(variable), index, added, mode="add"))


class ThresholdMetric(Metric):
    """Base of the metrics that compare predictions with thresholds.

    Args:
        thresholds: The thresholds, at least one.
        name: Name in logs.
        dtype: "float32" or "float64".
        even: Whether the thresholds divide [0, 1] into equal parts; by default they are looked at.
        columns: None: all predictions are counted together; a number: each of so many columns is
            counted alone; 0: each column of the first batch is.
    """

    top_k: int | None = None
    class_id: int | None = None

    def __init__(
        self,
        thresholds: Sequence[float],
        name: str | None = None,
        dtype: str | None = None,
        even: bool | None = None,
        columns: int | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        self._thresholds = [float(t) for t in thresholds]
        self._order = np.argsort(self._thresholds, kind="stable")
        self._even = is_even(self._thresholds) if even is None else even
        self._lowest = int(self._even and self._thresholds[0] < 0)  # bucket of p = 0
        self._histograms: Any = None
        if columns != 0:
            self._add_histograms(columns)

    def _add_histograms(self, columns: int | None) -> None:
        self._columns = columns
        shape = (columns or 1, 2, len(self._thresholds) + 1)
        self._histograms = self.add_variable((math.prod(shape),), name="histograms")

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, as a list."""
        return list(self._thresholds)

    # --- counting --------------------------------------------------------------------------------

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Labels, (batch, ...): all but 0 is positive.
            y_pred: Predictions of the same shape.
            sample_weight: Optional weights, (batch,) or one per prediction.

        Raises:
            ValueError: The shapes do not fit.
        """
        y_pred = predictions_of(y_pred, self._dtype)
        y_true, y_pred = match_ranks(ops.public.as_tensor(y_true), y_pred)
        check_same_shape(self.name, y_true, y_pred)
        self._make_state(y_true.shape, y_pred.shape)
        if self.top_k is not None:
            y_pred = _only_top_k(self.name, y_pred, self.top_k)
        if self.class_id is not None:
            y_true, y_pred = (_column(self.name, t, self.class_id) for t in (y_true, y_pred))
        weight = self._weight(y_pred, sample_weight)
        size = len(self._thresholds) + 1
        index = self._bucket(y_pred) + ops.where(y_true != 0, size, 0)
        if self._columns is not None:
            index = index + np.arange(self._columns, dtype="int32") * (2 * size)
        add_at(self._histograms, index, weight)

    def _weight(self, y_pred: Tensor, sample_weight: TensorLike | None) -> Tensor | None:
        """The weights of predictions, or None."""
        return None if sample_weight is None else weight_of(y_pred, sample_weight)

    def _bucket(self, p: Tensor) -> Tensor:
        """How many thresholds are below p, int32."""
        n = len(self._thresholds)
        if self._even:
            bucket = ops.cast(ops.minimum(ops.ceil(p * float(n - 1)), float(n - 1)), "int32")
            return ops.maximum(bucket, self._lowest)  # of NaN, too: it is cast to 0
        if n <= FEW:
            above = [ops.cast(p > t, "int32") for t in self._thresholds]
            return sum(above[1:], start=above[0])
        p = ops.where(ops.isnan(p), -float("inf"), p)
        ordered = np.sort(self._thresholds).astype(p.dtype)
        return ops.searchsorted(ordered, p, side="left")

    # --- results ---------------------------------------------------------------------------------

    def _counts(self) -> dict[str, Result]:
        """{"tp": ..., "fp": ..., "tn": ..., "fn": ...} so far, (thresholds,) or with columns."""
        n = len(self._thresholds)
        if self._histograms is None:
            zeros = np.zeros(n)
            return {"tp": zeros, "fp": zeros, "tn": zeros, "fn": zeros}
        xp = library_of(self._histograms.value)
        histograms = xp.reshape(self._histograms.value, (-1, 2, n + 1))
        above = xp.cumsum(histograms[:, :, ::-1], axis=2)[:, :, ::-1][:, :, 1:]
        below = xp.cumsum(histograms, axis=2)[:, :, :-1]
        counts = {"tp": above[:, 1], "fp": above[:, 0], "tn": below[:, 0], "fn": below[:, 1]}
        place = np.argsort(self._order)
        counts = {key: xp.transpose(value[:, place]) for key, value in counts.items()}
        return counts if self._columns is not None else {k: v[:, 0] for k, v in counts.items()}

    @property
    def true_positives(self) -> Result:
        """Weight of the positive labels whose predictions are positive, per threshold."""
        return self._counts()["tp"]

    @property
    def false_positives(self) -> Result:
        """Weight of the negative labels whose predictions are positive, per threshold."""
        return self._counts()["fp"]

    @property
    def true_negatives(self) -> Result:
        """Weight of the negative labels whose predictions are negative, per threshold."""
        return self._counts()["tn"]

    @property
    def false_negatives(self) -> Result:
        """Weight of the positive labels whose predictions are negative, per threshold."""
        return self._counts()["fn"]

    def _reported(self, values: Result) -> Result:
        """A number for one threshold, an array for several."""
        return reported(values[0] if len(values) == 1 else values, self.dtype)


def _only_top_k(name: str, p: Tensor, k: int) -> Tensor:
    """`p` where it is among the k largest of the last axis, and below all thresholds elsewhere."""
    if k > p.shape[-1]:
        raise ValueError(
            f"{name}: expected at least top_k={k} predictions per sample, received predictions of "
            f"shape {p.shape}"
        )
    _, found = ops.top_k(p, k)
    ones = apply("broadcast_to", ops.ones_like(p[..., :1]), shape=found.shape)
    mask = apply("scatter_along_axis", ops.zeros_like(p), found, ones, axis=-1, mode="set")
    return ops.where(mask > 0, p, BELOW_ALL)


def _column(name: str, x: Tensor, class_id: int) -> Tensor:
    """x[..., class_id], (batch, ..., 1)."""
    if len(x.shape) < 2 or not 0 <= class_id < x.shape[-1]:
        raise ValueError(
            f"{name}: expected predictions of shape (batch, ..., classes) with a class {class_id}, "
            f"received shape {tuple(x.shape)}"
        )
    return x[..., class_id : class_id + 1]
