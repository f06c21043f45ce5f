"""Stops training when a quantity stays where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..utils.messages import print_message
from ..utils.numbers import finite_number, whole_number
from .callback import Logs, state_values
from .monitor import MonitorCallback, packed_number, unpacked_number


class StopOnPlateau(MonitorCallback):
    """Stops training when `monitor` has changed by no more than `min_delta` for `patience` epochs.

    The largest and the smallest of the last `patience` + 1 values then differ by no more than
    `min_delta`: training that still gets better, or worse, or goes up and down, goes on, whereas
    `EarlyStopping` asks for an improvement only.

    Args:
        monitor: Name in the logs.
        min_delta: The change that counts as none, 0 or more.
        patience: For how many epochs, or steps, there must be none; 1 or more.
        unit: "epochs"; or "steps", after each of which it is looked at. The logs of a step have the
            means of its epoch so far, which settle in long epochs whatever training does: steps are
            for epochs of one or a few steps. Then Python has its turn at each batch.
        verbose: 1 says when training was stopped.

    Attributes:
        stopped_epoch: Number of the epoch in which training was stopped, or None.

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: A number that is too small or not finite, an unknown `unit`; or, by `fit` before
            the first step, the logs will not have `monitor`.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.SGD(learning_rate=0.0), "mse")
        >>> stop = dlnative.callbacks.StopOnPlateau(patience=3)
        >>> x, y = np.ones((4, 1)), np.zeros(4)
        >>> len(model.fit(x, y, epochs=10, verbose=0, callbacks=[stop]).epoch)
        4

    Differs from Keras, which has no such callback.
    """

    _must_be_there = True

    def __init__(
        self,
        monitor: str = "loss",
        min_delta: float = 1e-4,
        patience: int = 10,
        unit: str = "epochs",
        verbose: int = 0,
    ) -> None:
        super().__init__(monitor, "min", min_delta)  # whichever way: changes have none
        if finite_number("StopOnPlateau", "min_delta", min_delta) < 0:
            raise ValueError(
                f"StopOnPlateau: expected min_delta to be 0 or more, received {min_delta!r}"
            )
        if unit not in ("epochs", "steps"):
            raise ValueError(
                f"StopOnPlateau: expected unit to be 'epochs' or 'steps', received {unit!r}"
            )
        self.patience = whole_number("StopOnPlateau", "patience", patience, 1)
        self.unit = unit
        self.verbose = verbose
        self.stopped_epoch: int | None = None
        self._epoch = 0
        self._values: list[float] = []
        self._goes_on = False  # whether the state of another process has been set for the next fit
        if unit == "steps":
            # Not a method of the class: a hook that is there costs time at every batch.
            self.on_train_batch_end = self._end_step  # type: ignore[method-assign]

    def get_state(self) -> dict[str, Any]:
        """The last values, in hexadecimal digits, the epoch, and `stopped_epoch`."""
        values = [packed_number(value) for value in self._values]
        return {"values": values, "epoch": self._epoch, "stopped_epoch": self.stopped_epoch}

    def set_state(self, state: dict[str, Any]) -> None:
        names = ("values", "epoch", "stopped_epoch")
        values, self._epoch, self.stopped_epoch = state_values(self, state, *names)
        self._values = [unpacked_number(value) or 0.0 for value in values]
        self._goes_on = True

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        super()._check_logs(names, complete)
        if self.unit == "steps" and self.monitor.startswith("val_"):
            raise ValueError(
                f"StopOnPlateau: expected monitor to be in the logs of steps, '{self.monitor}' is "
                "in those of epochs; leave out unit='steps'"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self._goes_on:
            self._values = []
            self.stopped_epoch = None
        self._goes_on = False

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.unit == "epochs":
            self._look(epoch, logs or {})

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch is not None and self.verbose > 0:
            print_message(
                f"Epoch {self.stopped_epoch + 1}: {self.monitor} has changed by no more than "
                f"{self.min_delta} for {self.patience} {self.unit}, training stopped"
            )

    def _end_step(self, batch: int, logs: Logs | None = None) -> None:
        self._look(self._epoch, logs or {})

    def _look(self, epoch: int, logs: Logs) -> None:
        value = self.get_monitor_value(logs)
        if value is None:
            return
        self._values = [*self._values[-self.patience :], float(value)]
        if len(self._values) <= self.patience:
            return
        if max(self._values) - min(self._values) <= self.min_delta:
            self.stopped_epoch = epoch
            self.model.stop_training = True
