"""What `fit` returns: the losses and metrics of every epoch."""

from __future__ import annotations

from .callback import Callback, Logs


class History(Callback):
    """Records the logs of every epoch.

    Attributes:
        history: {name: [value of each epoch]}.
        epoch: Numbers of the epochs.
        params: Parameters of the run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history = {}
        self.epoch = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)
        self._model.history = self
