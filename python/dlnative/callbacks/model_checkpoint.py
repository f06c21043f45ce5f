"""Saves the model while it trains."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from ..utils.messages import print_message
from ..utils.numbers import is_integer, is_number, whole_number
from ..utils.warn import warn_user
from .callback import Logs, state_values
from .monitor import MonitorCallback, packed_number, unpacked_number

_WEIGHTS = (".weights.h5", ".safetensors")


class ModelCheckpoint(MonitorCallback):
    """Saves the model, or its weights, after epochs, or after so many batches or seconds.

    For training that is to go on after a crash use `BackupAndRestore`, or `resume` of `fit`.

    Args:
        filepath: Where to, with fields such as `{epoch:02d}` and names in the logs,
            `{val_loss:.2f}`; `{epoch}` and, between epochs, `{batch}` count from 1. It ends in
            ".keras", or has no suffix, which is a folder in the format of this package; with
            `save_weights_only` in ".weights.h5" or ".safetensors". Its folder is made.
        monitor: Name in the logs by which the best model is told.
        verbose: 1 says what is done.
        save_best_only: Whether to save only where `monitor` is better than in what was saved. Logs
            without it, or where it is an array, are a warning, and the model is saved.
        save_weights_only: Whether to save the weights, by `model.save_weights`.
        mode: "min", "max", or "auto": by the name of the loss or metric.
        save_freq: "epoch", or a number of batches, counted across epochs. Then Python has its turn
            at each batch, or each group of `steps_per_execution`.
        initial_value_threshold: What `monitor` has to be better than for the first save.
        keep: How many of the files that the callback has written stay, the newest; None for all.
        seconds: The model is saved at the first batch or epoch that ends so many seconds after the
            last save, too, and with `save_freq=False` only then; None for not.

    Raises:
        TypeError: An argument of a wrong type.
        ValueError: The path ends in something else, or `save_freq` is none of these. By `fit`: it
            is not known which way `monitor` is better.
        KeyError: By `fit`: the path has a field that the logs do not have.
        OSError: By `fit`: the file cannot be written.

    Example:
        >>> import numpy as np, dlnative
        >>> path = getfixture("tmp_path") / "epoch{epoch}.keras"
        >>> model = dlnative.Sequential([dlnative.Input((1,)), dlnative.layers.Dense(1)])
        >>> model.compile("sgd", "mse")
        >>> save = dlnative.callbacks.ModelCheckpoint(path, keep=2)
        >>> fitted = model.fit(np.ones((4, 1)), np.zeros(4), epochs=3, verbose=0, callbacks=[save])
        >>> sorted(file.name for file in path.parent.iterdir())
        ['epoch2.keras', 'epoch3.keras']

    Differs from Keras: files are replaced in one step. `keep`, `seconds`, folders and
    ".safetensors" are new; whole models in HDF5 (".h5") are not written. `save_best_only` goes with
    a number of batches. `save_freq` of 0 and less is an error.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        keep: int | None = None,
        seconds: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if not isinstance(filepath, (str, os.PathLike)):
            raise TypeError(
                f"ModelCheckpoint: expected filepath to be a path, received {filepath!r}"
            )
        if initial_value_threshold is not None:
            self._check_number("initial_value_threshold", initial_value_threshold)
        is_count = is_integer(save_freq) and int(save_freq) > 0  # type: ignore[call-overload]
        if save_freq != "epoch" and not is_count and not (save_freq is False and seconds):
            raise ValueError(
                "ModelCheckpoint: expected save_freq to be 'epoch' or a number of batches (or "
                f"False where seconds are given), received {save_freq!r}"
            )
        if seconds is not None and not (is_number(seconds) and seconds > 0):
            raise ValueError(
                "ModelCheckpoint: expected seconds to be a positive number or None, received "
                f"{seconds!r}"
            )
        self.best = initial_value_threshold
        self.verbose = verbose
        self.filepath = os.fsdecode(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.keep = None if keep is None else whole_number("ModelCheckpoint", "keep", keep, 1)
        self.seconds = seconds
        self._check_path()
        self._epoch = 0
        self._seen = 0  # batches since the last save by `save_freq`
        self._last_batch = -1
        self._written: list[str] = []
        self._saved_at = time.monotonic()
        if is_count or seconds is not None:
            # Not a method of the class: a hook that is there costs time at every batch.
            self.on_train_batch_end = self._end_batch  # type: ignore[method-assign]

    def _check_path(self) -> None:
        name = os.path.basename(self.filepath)
        if self.save_weights_only:
            expected, fits = "'.weights.h5' or '.safetensors'", name.endswith(_WEIGHTS)
        else:
            expected = "'.keras', or have no suffix, for a folder,"
            fits = name.endswith(".keras") or (bool(name) and "." not in name)
        if not fits:
            raise ValueError(
                f"ModelCheckpoint: expected filepath to end in {expected} as save_weights_only is "
                f"{self.save_weights_only}, received {self.filepath!r}"
            )

    def get_state(self) -> dict[str, Any]:
        """The best value, files that were written, and batches since the last of them."""
        return {
            "best": packed_number(self.best),
            "epoch": self._epoch,
            "seen": self._seen,
            "last_batch": self._last_batch,
            "written": self._written[:],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        names = ("best", "epoch", "seen", "last_batch", "written")
        best, self._epoch, self._seen, self._last_batch, written = state_values(self, state, *names)
        self.best, self._written = unpacked_number(best), list(written)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._saved_at = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_freq == "epoch" or self._is_time():
            self._save(epoch, None, logs or {})

    def _end_batch(self, batch: int, logs: Logs | None = None) -> None:
        if self.save_freq is not False and self.save_freq != "epoch":
            # A new epoch begins at 0; with steps_per_execution a call stands for several batches.
            self._seen += batch + 1 if batch <= self._last_batch else batch - self._last_batch
            self._last_batch = batch
            if self._seen >= int(self.save_freq):
                self._seen = 0
                self._save(self._epoch, batch, logs or {})
                return
        if self._is_time():
            self._save(self._epoch, batch, logs or {})

    def _is_time(self) -> bool:
        return self.seconds is not None and time.monotonic() - self._saved_at >= self.seconds

    def _save(self, epoch: int, batch: int | None, logs: Logs) -> None:
        """Saves the model, unless it is not the best."""
        path = self._path(epoch, batch, logs)
        self._saved_at = time.monotonic()
        if not self._is_wanted(epoch, logs, path):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        self._say(epoch, f"finished saving model to {path}")
        self._written = [*(each for each in self._written if each != path), path]
        if self.keep is not None:
            for old in self._written[: -self.keep]:
                _remove(Path(old))
            self._written = self._written[-self.keep :]

    def _path(self, epoch: int, batch: int | None, logs: Logs) -> str:
        fields = dict(logs)
        if batch is not None:
            fields.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(epoch=epoch + 1, **fields)
        except KeyError as error:
            raise KeyError(
                f"ModelCheckpoint: filepath {self.filepath!r} has the field {error}, which is not "
                f"in the logs; they have epoch, {', '.join(fields)}"
            ) from None

    def _is_wanted(self, epoch: int, logs: Logs, path: str) -> bool:
        if not self.save_best_only:
            self._say(epoch, f"saving model to {path}")
            return True
        current = logs.get(self.monitor)
        if current is None or np.ndim(current):
            received = "is not available" if current is None else f"is an array: {current!r}"
            warn_user(
                f"ModelCheckpoint: '{self.monitor}', by which the best model is told, {received}; "
                "the model is saved"
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        if not self._is_improvement(current, self.best):
            self._say(epoch, f"{self.monitor} did not improve from {best}")
            return False
        self._say(
            epoch,
            f"{self.monitor} improved from {best} to {current:.5f}, saving model to {path}",
        )
        self.best = current
        return True

    def _say(self, epoch: int, text: str) -> None:
        if self.verbose > 0:
            print_message(f"\nEpoch {epoch + 1}: {text}")


def _remove(path: Path) -> None:
    """Removes a file, or a folder with a model."""
    from ..saving.store import remove_model

    if path.is_dir():
        remove_model(path)
    else:
        path.unlink(missing_ok=True)
