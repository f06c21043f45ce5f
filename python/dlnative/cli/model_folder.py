"""The folder of `train --out`: proved before training, written as soon as there is a model."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..callbacks import Callback
from ..callbacks.early_stopping import packed, unpacked
from ..callbacks.monitor import packed_number
from ..models.training_state import TrainingState
from ..saving import atomic_write, load, save
from ..saving.store import check_replaceable, remove_model
from .resumption import Checkpoints
from .signals import Interrupted
from .task import Classification, Task

if TYPE_CHECKING:
    import numpy as np

__all__ = ["BestEpoch", "LastEpoch", "ModelFolder", "csv_text"]

_BEST = "best"
_HISTORY = "history.json"
_NAMES = ("config.json", "history.csv", _HISTORY)


class LastEpoch(Callback):
    """Keeps the state after the last whole epoch, as the model's own may be of half of one.

    Attributes:
        count: Number of whole epochs.
        trained: How many of them this process has trained.
        state: What training goes on from after the last of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trained = 0
        self._rows: list[dict[str, float]] = []
        self._kept: tuple[int, TrainingState | None] = (0, None)

    @classmethod
    def of(cls, history: dict[str, list[Any]], state: TrainingState | None) -> LastEpoch:
        """That of a model that has been trained elsewhere."""
        last = cls()
        for epoch, values in enumerate(zip(*history.values(), strict=True)):
            figures = {n: float(v) for n, v in zip(history, values, strict=True)}
            last._rows.append({"epoch": epoch + 1, **figures})
        last._kept = (len(last._rows), state)
        return last

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        values = {name: float(value) for name, value in (logs or {}).items()}
        self._rows.append({"epoch": epoch + 1, **values})
        self.trained += 1
        # One assignment: a signal finds the last epoch or this one.
        self._kept = (len(self._rows), TrainingState.of(self.model))

    def get_state(self) -> dict[str, Any]:
        """The rows: the model of the last whole epoch may not be the one of a checkpoint."""
        return {"rows": self.rows}

    def set_state(self, state: dict[str, Any]) -> None:
        self._rows = [dict(row) for row in state["rows"]]
        self._kept = (len(self._rows), None)

    def end(self, model: Any) -> None:
        """Notes that a model is that of the last epoch, after a run that had ended before."""
        if self.state is None:
            self._kept = (self.count, TrainingState.of(model))

    @property
    def count(self) -> int:
        """The number of whole epochs."""
        return self._kept[0]

    @property
    def state(self) -> TrainingState | None:
        """What training goes on from after the last of them; None before the first."""
        return self._kept[1]

    @property
    def rows(self) -> list[dict[str, float]]:
        """Loss and metrics of every whole epoch."""
        return self._rows[: self.count]


class BestEpoch(Callback):
    """Keeps the weights of the epoch with the smallest loss of the validation.

    Attributes:
        epoch: Its number, from 1; 0 without a validation.
        weights: The weights after it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: tuple[int, float, list[np.ndarray]] = (0, math.inf, [])
        self._packed: list[Any] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        loss = (logs or {}).get("val_loss", math.nan)
        if loss < self._kept[1] or (not self.epoch and loss == loss):
            self._kept = (epoch + 1, float(loss), self.model.get_weights())
            self._packed = []

    @property
    def epoch(self) -> int:
        """Number of the epoch, from 1; 0 without a validation."""
        return self._kept[0]

    @property
    def weights(self) -> list[np.ndarray]:
        """The weights after it."""
        return self._kept[2]

    def get_state(self) -> dict[str, Any]:
        """{"epoch", "loss", "weights"}, packed."""
        epoch, loss, weights = self._kept
        self._packed = self._packed or [packed(array) for array in weights]
        return {"epoch": epoch, "loss": packed_number(loss), "weights": self._packed}

    def set_state(self, state: dict[str, Any]) -> None:
        weights = [unpacked(self, array) for array in state["weights"]]
        self._kept = (state["epoch"], float.fromhex(state["loss"]), weights)
        self._packed = state["weights"]


class ModelFolder:
    """Where a trained model goes, as a context: what ends it, the model that was written stays.

    The folder is made at once, and removed at the end if nothing has been written into it.

    Args:
        path: The folder; one that exists keeps the model in it until the new one is written.

    Attributes:
        checkpoints: The Checkpoints in it.
        kept: What has been written, to be said where something else ends early.

    Raises:
        OSError: If it cannot be made or written.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self.checkpoints = Checkpoints(self._path)
        self.kept = ""
        self._made: list[Path] = []
        for folder in (self._path, *self._path.parents):
            if folder.exists():
                break
            self._made.append(folder)
        try:
            self._path.mkdir(parents=True, exist_ok=True)
            for name in _NAMES:
                if (self._path / name).is_dir():
                    raise IsADirectoryError(f"{self._path / name}: a folder; expected a file")
            check_replaceable(self._path)
            if not os.access(self._path, os.W_OK | os.X_OK):
                raise PermissionError(f"{self._path}: no permission to write there")
        except OSError:
            self._remove_empty()
            raise

    def __enter__(self) -> ModelFolder:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        remark = self.checkpoints.remark(bool(self.kept))
        if not remark:  # without a step they are of no use
            with contextlib.suppress(OSError):
                self.checkpoints.remove()
        if not self.kept and not remark:
            self._remove_empty()
        text = "; ".join(filter(None, (self.kept, remark)))
        if isinstance(error, Interrupted):
            error.remark = text or error.remark
        elif error is not None and text and sys.stderr is not None:
            print(f"dlnative: {text}", file=sys.stderr)

    def rehearse(self, model: Any, task: Task, training: dict[str, Any]) -> None:
        """Saves the untrained model to a folder beside, to learn now what would fail later.

        Raises:
            OSError: If it cannot be written.
            ValueError: If it cannot be saved.
        """
        with tempfile.TemporaryDirectory(prefix=".dlnative-", dir=self._path) as place:
            _save(Path(place), model, task, training, [{"epoch": 0}], {})

    def write(
        self,
        model: Any,
        task: Task,
        training: dict[str, Any],
        last: LastEpoch,
        results: dict[str, Any],
    ) -> None:
        """Makes a model what it was after its last whole epoch, and writes it.

        Where the folder has become unusable, the model goes to a new one for temporary files.

        Raises:
            OSError: If the folder could not be written; the model is in the other.
        """
        if last.state is not None:
            last.state.put_into(model)
        training = {**training, "trained_epochs": last.count}

        def save_to(place: Path) -> None:
            _save(place, model, task, training, last.rows, results, last.state)
            self.kept = f"{place} has the model of epoch {last.count} of {training['epochs']}"

        try:
            save_to(self._path)
        except OSError:
            save_to(Path(tempfile.mkdtemp(prefix="dlnative-")))
            raise

    def write_best(
        self, task: Task, training: dict[str, Any], last: LastEpoch, best: BestEpoch
    ) -> None:
        """Writes the model of the best epoch to the folder `best`; removes one of another run.

        Raises:
            OSError: If it cannot be written.
        """
        place = self._path / _BEST
        if not best.epoch:
            remove_model(place, _NAMES)
            return
        model = load(self._path, compile=False).model
        model.set_weights(best.weights)
        training = {**training, "trained_epochs": best.epoch}
        _save(place, model, task, training, last.rows[: best.epoch], {})

    def add_results(self, last: LastEpoch, results: dict[str, Any]) -> None:
        """Writes the history again, with figures that have been measured since."""
        atomic_write(self._path / _HISTORY, _json({"epochs": last.rows, **results}))

    def _remove_empty(self) -> None:
        for folder in self._made:
            with contextlib.suppress(OSError):  # not made, or not empty
                folder.rmdir()


def _save(
    place: Path,
    model: Any,
    task: Task,
    training: dict[str, Any],
    rows: Sequence[dict[str, float]],
    results: dict[str, Any],
    state: TrainingState | None = None,
) -> None:
    save(
        model,
        place,
        classes=task.classes if isinstance(task, Classification) else None,
        preprocessing=task.get_config(),
        training=training,
        files={"history.csv": csv_text(rows), _HISTORY: _json({"epochs": rows, **results})},
        state=state,
    )


def csv_text(rows: Sequence[dict[str, Any]]) -> str:
    """Rows of one form as CSV, with a header."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _json(value: Any) -> str:
    """JSON proper: what is not finite becomes null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
