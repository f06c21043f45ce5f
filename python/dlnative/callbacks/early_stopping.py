"""Stops training when a quantity no longer improves."""

from __future__ import annotations

import base64
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..utils.numbers import is_number
from ..utils.warn import warn_user
from .callback import Callback, Logs, state_values


class EarlyStopping(Callback):
    """Stops training when `monitor` has not improved for `patience` epochs.

    Args:
        monitor: Name in the logs of an epoch.
        min_delta: An improvement is a change of more than this.
        patience: Epochs without improvement before training stops.
        verbose: 1 says what was done.
        mode: "min", "max", or "auto": by the name of the loss or metric.
        baseline: Training stops if the quantity does not get better than this within `patience`.
        restore_best_weights: Whether the model ends with the weights of the best epoch.
        start_from_epoch: The first epoch that counts.

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: By `fit`, before the first step: logs will not have `monitor`, or it is not
            known which way it is better. With a callback of the user's in front, which may put
            it into the logs, a missing `monitor` is only warned of after an epoch.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.SGD(learning_rate=0.0), "mse")
        >>> stop = dlnative.callbacks.EarlyStopping(monitor="loss", patience=3)
        >>> x, y = np.ones((4, 1)), np.zeros(4)
        >>> len(model.fit(x, y, epochs=10, verbose=0, callbacks=[stop]).epoch)
        4

    Attributes:
        best: The best value.
        best_epoch: Number of its epoch.
        stopped_epoch: Number of the epoch after which training was stopped, or 0.

    Differs from Keras: a `monitor` that will not be there is an error and not a warning.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(monitor, str):
            raise TypeError(f"EarlyStopping: expected monitor to be a name, received {monitor!r}")
        for name, value in (
            ("min_delta", min_delta),
            ("patience", patience),
            ("start_from_epoch", start_from_epoch),
            ("baseline", 0 if baseline is None else baseline),
        ):
            if not is_number(value) or value != value:
                raise TypeError(
                    f"EarlyStopping: expected {name} to be a number, received {value!r}"
                )
        if mode not in ("auto", "min", "max"):
            warn_user(f"EarlyStopping: mode {mode!r} is unknown, 'auto' is used")
            mode = "auto"
        self.monitor = monitor
        self.min_delta = abs(min_delta)
        self.patience = patience
        self.verbose = verbose
        self.mode = mode
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._better: Any = None
        self.best: Any = None
        self.best_weights: list[np.ndarray] | None = None
        self._goes_on = False  # whether the state of another process has been set for the next fit
        self.on_train_begin()

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        if type(self).get_monitor_value is not EarlyStopping.get_monitor_value:
            return  # the value is the user's
        self._better = self._comparison()
        if complete and self.monitor not in names:
            hint = ""
            if self.monitor.startswith("val_") and self.monitor.removeprefix("val_") in names:
                hint = " Pass validation_data or validation_split to fit()."
            raise ValueError(
                f"EarlyStopping: '{self.monitor}' is not in the logs of this model, which have "
                f"{', '.join(names)}.{hint}"
            )

    def get_state(self) -> dict[str, Any]:
        """The attributes that `on_train_begin` sets; weights are strings of base64, and `best`,
        which may be infinite, one of hexadecimal digits.
        """
        weights = self.best_weights
        return {
            "wait": self.wait,
            "stopped_epoch": self.stopped_epoch,
            "best": None if self.best is None else float(self.best).hex(),
            "best_weights": None if weights is None else [_packed(w) for w in weights],
            "best_epoch": self.best_epoch,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        names = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")
        wait, stopped_epoch, best, weights, best_epoch = state_values(self, state, *names)
        self.best_weights = None if weights is None else [_unpacked(self, w) for w in weights]
        self.wait, self.stopped_epoch = wait, stopped_epoch
        self.best = None if best is None else float.fromhex(best)
        self.best_epoch = best_epoch
        self._goes_on = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self._goes_on:
            self._goes_on = False
            return
        self.wait = 0
        self.stopped_epoch = 0
        self.best = None
        self.best_weights = None
        self.best_epoch = 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._goes_on = False
        if self._better is None:
            self._better = self._comparison()
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
        if np.ndim(current):
            raise ValueError(
                f"EarlyStopping: expected monitor to name a number in the logs, '{self.monitor}' "
                f"is an array of shape {np.shape(current)}"
            )
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights = self.model.get_weights()
            self.best_epoch = epoch
        self.wait += 1
        if self._is_improvement(current, self.best):
            self.best = current
            self.best_epoch = epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(current, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs: Logs | None) -> Any:
        """The value of `monitor`; warns where the logs do not have it."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warn_user(
                f"EarlyStopping: metric '{self.monitor}' is not available; available are "
                f"{', '.join(logs)}"
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
                f"EarlyStopping: it is not known whether '{self.monitor}' is better when it is "
                "larger or smaller. Pass mode='max' or mode='min'."
            )
        return operator.gt if direction == "up" else operator.lt

    def _is_improvement(self, value: Any, reference: Any) -> bool:
        if reference is None:
            return True
        delta = self.min_delta if self._better is operator.gt else -self.min_delta
        return self._better(value - delta, reference)


def _packed(array: np.ndarray) -> dict[str, Any]:
    """An array as plain values."""
    text = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": text}


def _unpacked(callback: Callback, value: Any) -> np.ndarray:
    text, dtype, shape = state_values(callback, value, "base64", "dtype", "shape")
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
