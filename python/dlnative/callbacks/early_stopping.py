"""Stops training when a quantity no longer improves."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

from ..utils.messages import print_message
from .callback import Callback, Logs, state_values
from .monitor import MonitorCallback, packed_number, unpacked_number


class EarlyStopping(MonitorCallback):
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

    _must_be_there = True

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
        super().__init__(monitor, mode, min_delta)
        self._check_number("patience", patience)
        self._check_number("start_from_epoch", start_from_epoch)
        self._check_number("baseline", 0 if baseline is None else baseline)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.best_weights: list[np.ndarray] | None = None
        self._packed: tuple[Any, Any] = (None, None)  # best weights, and what the state has of them
        self._goes_on = False  # whether the state of another process has been set for the next fit
        self.on_train_begin()

    def get_state(self) -> dict[str, Any]:
        """The attributes that `on_train_begin` sets; weights are strings of base64, and `best`,
        which may be infinite, one of hexadecimal digits.
        """
        weights = self.best_weights
        if weights is not self._packed[0]:  # else they are those of the last time
            self._packed = weights, None if weights is None else [packed(w) for w in weights]
        return {
            "wait": self.wait,
            "stopped_epoch": self.stopped_epoch,
            "best": packed_number(self.best),
            "best_weights": self._packed[1],
            "best_epoch": self.best_epoch,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        names = ("wait", "stopped_epoch", "best", "best_weights", "best_epoch")
        wait, stopped_epoch, best, weights, best_epoch = state_values(self, state, *names)
        self.best_weights = None if weights is None else [unpacked(self, w) for w in weights]
        self.wait, self.stopped_epoch = wait, stopped_epoch
        self.best = unpacked_number(best)
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
        current = self.get_monitor_value(logs)
        if current is None or epoch < self.start_from_epoch:
            return
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
            print_message(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print_message(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)


def packed(array: np.ndarray) -> dict[str, Any]:
    """An array as plain values."""
    text = base64.b64encode(array.tobytes()).decode()
    return {"dtype": array.dtype.name, "shape": list(array.shape), "base64": text}


def unpacked(callback: Callback, value: Any) -> np.ndarray:
    """The array that `packed` has packed, of the state of a callback."""
    text, dtype, shape = state_values(callback, value, "base64", "dtype", "shape")
    return np.frombuffer(base64.b64decode(text), dtype).reshape(shape).copy()
