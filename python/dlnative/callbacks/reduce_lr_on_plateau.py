"""Lowers the learning rate when a quantity no longer improves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..scalar import Scalar
from ..utils.messages import print_message
from .callback import Logs, state_values
from .monitor import MonitorCallback, packed_number, unpacked_number


class ReduceLROnPlateau(MonitorCallback):
    """Lowers the learning rate when `monitor` has not improved for `patience` epochs.

    The logs of an epoch have the rate that it was trained with as "learning_rate". Where they do
    not have `monitor`, a warning says so after each epoch, and the rate stays.

    Args:
        monitor: Name in the logs of an epoch.
        factor: What the learning rate is multiplied by, in [0, 1).
        patience: Epochs without improvement before the rate is lowered.
        verbose: 1 says what is set.
        mode: "min", "max", or "auto": by the name of the loss or metric.
        min_delta: An improvement is a change of more than this.
        cooldown: Epochs after a reduction in which `patience` does not begin to count.
        min_lr: The rate is not made lower than this.

    Raises:
        TypeError: An argument of a wrong type; or, by `fit`, the learning rate of the optimizer is
            a schedule or a function.
        ValueError: `factor` is not in [0, 1); or, by `fit`, it is not known which way `monitor` is
            better.

    Example:
        >>> import numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile(dlnative.optimizers.SGD(learning_rate=8.0), "mse")
        >>> reduce = dlnative.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=1)
        >>> x, y = np.ones((4, 1)), np.zeros(4)
        >>> fitted = model.fit(x, y, epochs=4, verbose=0, callbacks=[reduce])
        >>> fitted.history["learning_rate"]
        [8.0, 8.0, 4.0, 2.0]

    Differs from Keras: a schedule as learning rate is a TypeError before the first step, and not
    when the rate would be lowered. An unknown argument is a TypeError.
    """

    _adds_logs = ("learning_rate",)

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        for name, value in (
            ("factor", factor),
            ("patience", patience),
            ("cooldown", cooldown),
            ("min_lr", min_lr),
        ):
            self._check_number(name, value)
        if not 0 <= factor < 1:
            raise ValueError(f"ReduceLROnPlateau: expected factor in [0, 1), received {factor!r}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.wait = 0
        self.cooldown_counter = 0
        self._goes_on = False  # whether the state of another process has been set for the next fit

    def get_state(self) -> dict[str, Any]:
        """What `on_train_begin` sets; `best`, which may be infinite, in hexadecimal digits."""
        best = packed_number(self.best)
        return {"wait": self.wait, "cooldown_counter": self.cooldown_counter, "best": best}

    def set_state(self, state: dict[str, Any]) -> None:
        wait, cooldown, best = state_values(self, state, "wait", "cooldown_counter", "best")
        self.wait, self.cooldown_counter = wait, cooldown
        self.best = unpacked_number(best)
        self._goes_on = True

    def _check_logs(self, names: Sequence[str], complete: bool) -> None:
        super()._check_logs(names, complete)
        rate = self.model.optimizer._learning_rate
        if not isinstance(rate, Scalar):
            raise TypeError(
                "ReduceLROnPlateau: expected the learning rate of the optimizer to be a number, "
                f"which it can lower, received {rate!r}"
            )

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self._goes_on:
            self.best = None
            self.wait = self.cooldown_counter = 0
        self._goes_on = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._goes_on = False
        logs = {} if logs is None else logs
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        current = self.get_monitor_value(logs)
        if current is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(current, self.best):
            self.best = current
            self.wait = 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience and self._reduce(epoch):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def in_cooldown(self) -> bool:
        """Whether a reduction is so recent that `patience` does not count yet."""
        return self.cooldown_counter > 0

    def _reduce(self, epoch: int) -> bool:
        """Lowers the rate; False where it is at its lower bound."""
        optimizer = self.model.optimizer
        rate = float(optimizer.learning_rate)
        if rate <= self.min_lr:
            return False
        optimizer.learning_rate = rate = max(rate * self.factor, self.min_lr)
        if self.verbose > 0:
            print_message(
                f"\nEpoch {epoch + 1}: ReduceLROnPlateau sets the learning rate to {rate}."
            )
        return True
