"""What callbacks have in common that follow one number of the logs."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..utils.numbers import is_number
from ..utils.warn import warn_user
from .callback import Callback, Logs


class MonitorCallback(Callback):
    """Base class of callbacks that ask whether `monitor` has become better.

    Args:
        monitor: Name in the logs of an epoch.
        mode: "min", "max", or "auto": by the name of the loss or metric.
        min_delta: An improvement is a change of more than this.

    Attributes:
        best: The best value so far, or None.
    """

    _must_be_there = False  # whether logs that will not have `monitor` are an error before training

    def __init__(self, monitor: str, mode: str, min_delta: float = 0) -> None:
        super().__init__()
        if not isinstance(monitor, str):
            raise TypeError(f"{self._kind}: expected monitor to be a name, received {monitor!r}")
        self._check_number("min_delta", min_delta)
        if mode not in ("auto", "min", "max"):
            warn_user(f"{self._kind}: mode {mode!r} is unknown, 'auto' is used")
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: Any = None
        self._better: Any = None

    @property
    def _kind(self) -> str:
        return type(self).__name__

    def _check_number(self, name: str, value: Any) -> None:
        if not is_number(value) or value != value:
            raise TypeError(f"{self._kind}: expected {name} to be a number, received {value!r}")

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        if type(self).get_monitor_value is not MonitorCallback.get_monitor_value:
            return  # the value is the user's
        self._better = self._comparison()
        if self._must_be_there and complete and self.monitor not in names:
            hint = ""
            if self.monitor.startswith("val_") and self.monitor.removeprefix("val_") in names:
                hint = " Pass validation_data or validation_split to fit()."
            raise ValueError(
                f"{self._kind}: '{self.monitor}' is not in the logs of this model, which have "
                f"{', '.join(names)}.{hint}"
            )

    def get_monitor_value(self, logs: Logs | None) -> Any:
        """The value of `monitor`; warns where the logs do not have it."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warn_user(
                f"{self._kind}: metric '{self.monitor}' is not available; available are "
                f"{', '.join(logs)}"
            )
        elif np.ndim(value):
            raise ValueError(
                f"{self._kind}: expected monitor to name a number in the logs, '{self.monitor}' "
                f"is an array of shape {np.shape(value)}"
            )
        return value

    def _comparison(self) -> Callable[[Any, Any], Any]:
        """(new, old) -> whether new is better."""
        if self.mode != "auto":
            return operator.lt if self.mode == "min" else operator.gt
        name = self.monitor.removeprefix("val_")
        direction = self.model.metric_direction(name)
        if direction is None:
            raise ValueError(
                f"{self._kind}: it is not known whether '{self.monitor}' is better when it is "
                "larger or smaller. Pass mode='max' or mode='min'."
            )
        return operator.gt if direction == "up" else operator.lt

    def _is_improvement(self, value: Any, reference: Any) -> bool:
        if self._better is None:
            self._better = self._comparison()
        if reference is None:
            return True
        delta = self.min_delta if self._better is operator.gt else -self.min_delta
        return self._better(value - delta, reference)


def packed_number(value: Any) -> str | None:
    """A number, which may be infinite, as a plain value that JSON can hold."""
    return None if value is None else float(value).hex()


def unpacked_number(text: str | None) -> float | None:
    """The number that `packed_number` has packed."""
    return None if text is None else float.fromhex(text)
