"""The best of one rate among the thresholds where another is large enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..hyperparameters import Number, Option
from .base import library_of, reported
from .confusion import class_number
from .thresholds import ThresholdMetric, count_of_thresholds, divide_no_nan, evenly_spread

if TYPE_CHECKING:
    from ..graph.types import Result


class _AtRate(ThresholdMetric):
    """The largest of one rate at the thresholds where another is at least a given value."""

    _direction = "up"
    class_id = Option(class_number)
    _argument = ""  # the name of the given value
    _rates = ("", "")  # the rate that is given, and the rate that is reported

    def __init__(
        self,
        value: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: str | None,
    ) -> None:
        count = count_of_thresholds(self, num_thresholds, 1)
        super().__init__(evenly_spread(count), name=name, dtype=dtype, even=count > 1)
        setattr(self, self._argument, value)
        self.class_id = class_id

    @property
    def num_thresholds(self) -> int:
        """How many thresholds there are."""
        return len(self._thresholds)

    def result(self) -> Result:
        """The rate so far; 0 where no threshold makes the other large enough."""
        counts = self._counts()
        given, best = (_rate(name, **counts) for name in self._rates)
        xp = library_of(given)
        given = given.astype(self.dtype) if xp is np else ops.cast(given, self.dtype)
        enough = given >= getattr(self, self._argument)
        return reported(xp.max(xp.where(enough, best, 0.0)), self.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_thresholds": self.num_thresholds,
            self._argument: getattr(self, self._argument),
            "class_id": self.class_id,
        }


def _rate(name: str, tp: Result, fp: Result, tn: Result, fn: Result) -> Result:
    right, wrong = {
        "sensitivity": (tp, fn),
        "recall": (tp, fn),
        "specificity": (tn, fp),
        "precision": (tp, fp),
    }[name]
    return divide_no_nan(right, right + wrong)


_AT_RATE_DOC = """The best {reported} among the thresholds with at least a given {given}.

    {formula}; 0 where no threshold has the {given}.

    Args:
        {given}: The {given} that is asked for, in [0, 1].
        num_thresholds: How many thresholds, 1 to 1,000,000, from 0 to 1.
        class_id: Only this class counts: column `class_id` of labels and predictions.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.{name}(0.5)
        >>> round(metric([0, 0, 0, 1, 1], [0, 0.3, 0.8, 0.3, 0.8]), 4)
        {result}

    Differs from Keras: counts are float64 whatever the dtype; `result` is a Python float; a
    `class_id` that the predictions do not have is an error.
    """
_SENSITIVITY = "sensitivity = recall = TP / (TP + FN)"
_SPECIFICITY = "specificity = TN / (TN + FP)"
_PRECISION = "precision = TP / (TP + FP)"


class SensitivityAtSpecificity(_AtRate):
    __doc__ = _AT_RATE_DOC.format(
        name="SensitivityAtSpecificity",
        given="specificity",
        reported="sensitivity",
        formula=f"{_SENSITIVITY}, {_SPECIFICITY}",
        result="0.5",
    )
    _argument = "specificity"
    _rates = ("specificity", "sensitivity")
    specificity = Number(0.0, 1.0)

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)


class SpecificityAtSensitivity(_AtRate):
    __doc__ = _AT_RATE_DOC.format(
        name="SpecificityAtSensitivity",
        given="sensitivity",
        reported="specificity",
        formula=f"{_SPECIFICITY}, {_SENSITIVITY}",
        result="0.6667",
    )
    _argument = "sensitivity"
    _rates = ("sensitivity", "specificity")
    sensitivity = Number(0.0, 1.0)

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)


class PrecisionAtRecall(_AtRate):
    __doc__ = _AT_RATE_DOC.format(
        name="PrecisionAtRecall",
        given="recall",
        reported="precision",
        formula=f"{_PRECISION}, {_SENSITIVITY}",
        result="0.5",
    )
    _argument = "recall"
    _rates = ("recall", "precision")
    recall = Number(0.0, 1.0)

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)


class RecallAtPrecision(_AtRate):
    __doc__ = _AT_RATE_DOC.format(
        name="RecallAtPrecision",
        given="precision",
        reported="recall",
        formula=f"{_SENSITIVITY}, {_PRECISION}",
        result="1.0",
    )
    _argument = "precision"
    _rates = ("precision", "recall")
    precision = Number(0.0, 1.0)

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
