"""What `fit` returns: the losses and metrics of every epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from .callback import Callback, Logs, state_values


class History(Callback):
    """Records the logs of every epoch.

    Attributes:
        history: {name: [value of each epoch]}.
        epoch: Numbers of the epochs.
        params: Parameters of the run.
        nonfinite: A `NonFinite` for each step whose values were not finite, see `fit`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.nonfinite: list[Any] = []
        self._goes_on = False  # whether the state of another process has been set for the next fit

    def get_state(self) -> dict[str, Any]:
        """{"history", "epoch"}; arrays are lists."""
        history = {
            name: [np.asarray(value).tolist() for value in values]
            for name, values in self.history.items()
        }
        return {"history": history, "epoch": [int(epoch) for epoch in self.epoch]}

    def set_state(self, state: dict[str, Any]) -> None:
        history, epoch = state_values(self, state, "history", "epoch")
        self.history = {
            name: [np.array(value) if isinstance(value, list) else value for value in values]
            for name, values in history.items()
        }
        self.epoch = list(epoch)
        self._goes_on = True

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if not self._goes_on:
            self.epoch = []
        self._goes_on = False

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._goes_on = False
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self._model.history = self
