"""Numbers of true and false positives and negatives; precision and recall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..hyperparameters import Option
from ..utils.numbers import is_integer
from .thresholds import BELOW_ALL, ThresholdMetric, checked_thresholds, divide_no_nan

if TYPE_CHECKING:
    from ..graph.types import Result


def _as_given(thresholds: Any) -> Any:
    """Thresholds as a configuration has them: as they were given, but no array."""
    return thresholds.tolist() if isinstance(thresholds, np.ndarray) else thresholds


def positive_integer(instance: Any, name: str, value: Any) -> int | None:
    """Check of an Option: None, or an integer of at least 1."""
    if value is not None and (not is_integer(value) or value < 1):
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be an integer of at least 1, or None, "
            f"received {value!r}"
        )
    return None if value is None else int(value)


def class_number(instance: Any, name: str, value: Any) -> int | None:
    """Check of an Option: None, or the number of a class."""
    if value is not None and (not is_integer(value) or value < 0):
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be the number of a class from 0 on, or "
            f"None, received {value!r}"
        )
    return None if value is None else int(value)


class _Count(ThresholdMetric):
    """One entry of the confusion matrix."""

    _entry = ""

    def __init__(
        self,
        thresholds: float | Sequence[float] | np.ndarray | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self._given = _as_given(thresholds)
        values = 0.5 if thresholds is None else thresholds
        super().__init__(checked_thresholds(type(self).__name__, values), name=name, dtype=dtype)

    def result(self) -> Result:
        """The weight so far: a number, or an array for several thresholds."""
        return self._reported(self._counts()[self._entry])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self._given}


_COUNT_DOC = """The weight of the {labels} labels whose predictions are {predictions}: {formula}.

    Without sample weights it is their number.

    Args:
        thresholds: A number in [0, 1], or a list of them: predictions above it are positive. By
            default 0.5; logits need 0.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> dlnative.metrics.{name}()([0, 1, 1, 1], [1, 0, 1, 1])
        {result}

    Differs from Keras: counts are float64 whatever the dtype; the result for one threshold is a
    Python float.
    """


class TruePositives(_Count):
    __doc__ = _COUNT_DOC.format(
        name="TruePositives",
        labels="positive",
        predictions="positive",
        formula="sum(weight * [y_true != 0 and y_pred > threshold])",
        result="2.0",
    )
    _entry = "tp"


class FalsePositives(_Count):
    __doc__ = _COUNT_DOC.format(
        name="FalsePositives",
        labels="negative",
        predictions="positive",
        formula="sum(weight * [y_true == 0 and y_pred > threshold])",
        result="1.0",
    )
    _entry = "fp"


class TrueNegatives(_Count):
    __doc__ = _COUNT_DOC.format(
        name="TrueNegatives",
        labels="negative",
        predictions="negative",
        formula="sum(weight * [y_true == 0 and y_pred <= threshold])",
        result="0.0",
    )
    _entry = "tn"


class FalseNegatives(_Count):
    __doc__ = _COUNT_DOC.format(
        name="FalseNegatives",
        labels="positive",
        predictions="negative",
        formula="sum(weight * [y_true != 0 and y_pred <= threshold])",
        result="1.0",
    )
    _entry = "fn"


class _Share(ThresholdMetric):
    """A share of the true positives."""

    _direction = "up"
    _other = ""
    top_k = Option(positive_integer)
    class_id = Option(class_number)

    def __init__(
        self,
        thresholds: float | Sequence[float] | np.ndarray | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        self._given = _as_given(thresholds)
        if thresholds is None:
            # With top_k all that is among the k largest is positive.
            values = [0.5 if top_k is None else BELOW_ALL]
        else:
            values = checked_thresholds(type(self).__name__, thresholds)
        super().__init__(values, name=name, dtype=dtype)
        self.top_k = top_k
        self.class_id = class_id

    def result(self) -> Result:
        """The share so far: a number, or an array for several thresholds."""
        counts = self._counts()
        return self._reported(divide_no_nan(counts["tp"], counts["tp"] + counts[self._other]))

    def get_config(self) -> dict[str, Any]:
        own = {"thresholds": self._given, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **own}


_SHARE_DOC = """{what}: {formula}, 0 where there are none.

    Args:
        thresholds: A number in [0, 1], or a list of them: predictions above it are positive. By
            default 0.5, or none with `top_k`; logits need 0.
        top_k: Only the k largest predictions of a sample can be positive.
        class_id: Only this class counts: column `class_id` of labels and predictions.
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> round(dlnative.metrics.{name}()([0, 1, 1, 1], [1, 0, 1, 1]), 4)
        0.6667

    Differs from Keras: counts are float64 whatever the dtype; the result for one threshold is a
    Python float; a `class_id` that the predictions do not have is an error.
    """


class Precision(_Share):
    __doc__ = _SHARE_DOC.format(
        name="Precision",
        what="How many of the positive predictions are right",
        formula="true positives / (true positives + false positives)",
    )
    _other = "fp"


class Recall(_Share):
    __doc__ = _SHARE_DOC.format(
        name="Recall",
        what="How many of the positive labels are found",
        formula="true positives / (true positives + false negatives)",
    )
    _other = "fn"
