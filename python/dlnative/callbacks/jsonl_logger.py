"""Writes the logs of epochs and batches as lines of JSON."""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np

from .callback import Logs
from .log_file import LogFileCallback, batches_between


class JSONLLogger(LogFileCallback):
    """Writes one JSON object a line: `{"epoch": 0, "loss": 0.5, ...}` after each epoch.

    With `update_freq`, also after every so many batches, with the means of their epoch so far:
    `{"epoch": 0, "batch": 99, "loss": 0.7, ...}`; they are counted across epochs. NaN and
    infinities, which JSON does not have, are "NaN", "Infinity" and "-Infinity", arrays are lists.

    Args:
        filename: The file.
        append: Whether `fit` appends to a file that is there. Otherwise it begins anew.
        update_freq: "epoch"; or a number of batches, of which "batch" is 1. Then Python has its
            turn at each batch (or each group of `steps_per_execution`, which counts as one).

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: `update_freq` is not one of these.

    Example:
        >>> import pathlib, tempfile, numpy as np, dlnative
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> path = pathlib.Path(tempfile.mkdtemp(), "log.jsonl")
        >>> fitted = model.fit(np.zeros((4, 1)), np.zeros(4), batch_size=2, verbose=0,
        ...                    callbacks=[dlnative.callbacks.JSONLLogger(path, update_freq=2)])
        >>> print(path.read_text())
        {"epoch": 0, "batch": 1, "loss": 0.0}
        {"epoch": 0, "loss": 0.0}
        <BLANKLINE>
    """

    _remembered = ("epoch", "seen")

    def __init__(
        self,
        filename: str | os.PathLike[str],
        append: bool = False,
        update_freq: str | int = "epoch",
    ) -> None:
        super().__init__(filename, append)
        self.update_freq = update_freq
        self._every = batches_between("JSONLLogger", update_freq)
        self.epoch = 0
        self.seen = 0  # calls of the hook of batches in this `fit`
        if self._every is not None:
            # Not a method of the class: a hook that is there costs time at every batch.
            self.on_train_batch_end = self._note_batch  # type: ignore[method-assign]

    def _begin(self) -> None:
        super()._begin()
        self.seen = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._write({"epoch": epoch}, logs)

    def _note_batch(self, batch: int, logs: Logs | None = None) -> None:
        self.seen += 1
        if self._every is not None and self.seen % self._every == 0:
            self._write({"epoch": self.epoch, "batch": batch}, logs)

    def _write(self, numbers: dict[str, int], logs: Logs | None) -> None:
        line = json.dumps(numbers | plain_logs(logs), ensure_ascii=False, allow_nan=False)
        self._file.write(f"{line}\n".encode())


def plain_logs(logs: Logs | None) -> dict[str, Any]:
    """Logs as JSON can hold them."""
    return {name: _plain(value) for name, value in (logs or {}).items()}


def _plain(value: Any) -> Any:
    """A value of logs as JSON can hold it."""
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return _plain(np.asarray(value)) if hasattr(value, "__array__") else str(value)
