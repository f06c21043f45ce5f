"""Stops training when the loss is no number any more."""

from __future__ import annotations

import math

from ..utils.messages import print_message
from .callback import Callback, Logs


class TerminateOnNaN(Callback):
    """Stops training at the first batch after which the mean loss of the epoch is NaN or infinite.

    Args:
        raise_error: Whether to raise RuntimeError instead of ending `fit` in the ordinary way.
    """

    def __init__(self, raise_error: bool = False) -> None:
        super().__init__()
        self.raise_error = raise_error

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is None or math.isfinite(loss):
            return
        if self.raise_error:
            raise RuntimeError(
                f"The loss is {loss} after batch {batch}. Training has been stopped."
            )
        print_message(f"Batch {batch}: Invalid loss, terminating training")
        self.model.stop_training = True
