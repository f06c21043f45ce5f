"""Checkpoints while `fit` trains, and the way on from the newest."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..callbacks import BackupAndRestore, CallbackList
from ..callbacks.callback import overrides
from ..callbacks.callback_list import flatten
from ..utils.warn import warn_user
from .description import describe_run, describe_training, difference
from .fitting import build_optimizer
from .training_state import TrainingState

if TYPE_CHECKING:
    from ..saving.checkpoints import CheckpointFolder
    from .training_run import TrainingRun

SHARE = 30  # a checkpoint by the clock comes no sooner than so many times what the last one took
SECONDS = 5.0  # between two checkpoints of `fit(resume=...)`


def backup_of(resume: Any, callbacks: Any) -> Backup | None:
    """The Backup that `fit` is asked for, by `resume` or a BackupAndRestore among the callbacks.

    Raises:
        TypeError: `resume` is no path.
        ValueError: There are several.
    """
    from ..saving.checkpoints import CheckpointFolder

    used = callbacks.callbacks if isinstance(callbacks, CallbackList) else flatten(callbacks)
    given = [each for each in used if isinstance(each, BackupAndRestore)]
    if len(given) + (resume is not None) > 1:
        raise ValueError(
            "fit: expected one folder for checkpoints, by resume or by one BackupAndRestore among "
            "the callbacks, received several"
        )
    if given:
        backup = given[0]
        steps = backup.save_freq if type(backup.save_freq) is int else None
        return Backup(
            CheckpointFolder(backup.backup_dir, keep=2 if backup.double_checkpoint else 1),
            steps,
            backup.seconds,
            backup.save_freq == "epoch",
            backup.delete_checkpoint,
        )
    if resume is None:
        return None
    if not isinstance(resume, (str, os.PathLike)) or not os.fspath(resume):
        raise TypeError(f"resume: expected the path of a folder, received {resume!r}")
    return Backup(CheckpointFolder(resume), seconds=SECONDS)


class Backup:
    """The checkpoints of one `fit`.

    A checkpoint is a copy of the `TrainingState`, taken between two steps or after an epoch, and
    written by a thread, one at a time: the next waits for it, unless the clock alone asks for it;
    then it is taken later. What the thread raises is a warning, and training goes on: the
    checkpoint before stays.

    Args:
        folder: Where they are written, open.
        steps: One is due after so many steps, or None.
        seconds: One is due after so many seconds, or None.
        epochs: Whether one is due after each epoch.
        delete: Whether they are removed when training has ended.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        steps: int | None = None,
        seconds: float | None = None,
        epochs: bool = False,
        delete: bool = False,
    ) -> None:
        self.folder = folder
        self.steps = steps
        self.seconds = seconds
        self.epochs = epochs
        self.delete = delete
        self._found: list[TrainingState] = []
        self._start: TrainingState | None = None
        self._memory: dict[str, np.ndarray] = {}  # of the last checkpoint, which is written
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._is_due = self._is_running = False
        self._took = 0.0
        self._last = (0, 0.0)  # steps and time of the last checkpoint

    # --- before the first step -------------------------------------------------------------------

    @contextlib.contextmanager
    def opened(self, state: Any) -> Iterator[None]:
        """A `with` block around `fit`, which begins with the newest whole checkpoint.

        Args:
            state: The TrainerState. Data are loaded with the seed that the checkpoint has.
        """
        before = state.position()
        with self.folder:
            for arrays, values in self.folder.newest():
                self._found.append(TrainingState(arrays, values))
                if not values["fit"]["finished"]:
                    break
            if self._found:
                state.seed = self._found[0].values["training"]["seed"]
            try:
                yield
            except BaseException:
                if not self._is_running:  # nothing has been put back
                    state.go_to(before)
                raise
            finally:
                self._wait()
                self._report_error()

    def has_ended(self, run: TrainingRun) -> bool:
        """Looks whether there is a checkpoint to go on from, and whether nothing is left to do.

        If so, model and callbacks are put back to the end of the run.

        Args:
            run: The run that begins.

        Raises:
            ValueError: It is a checkpoint of another run; nothing has been changed.
        """
        self._run = run
        self._model, self._state = run.model, run.state
        # Those that remember something, and the others, which begin anew in each process.
        own = [overrides(callback, "get_state") for callback in run.callbacks.callbacks]
        pairs = list(zip(run.callbacks.callbacks, own, strict=True))
        self._own = [callback for callback, is_own in pairs if is_own]
        self._others = [callback for callback, is_own in pairs if not is_own]
        if self._state.description is None:
            self._state.description = describe_training(run.model, run.state)
        described = describe_run(run.epochs.feed, run.tester, run.options)
        self._description = {**self._state.description, **described}
        found = self._start = self._chosen(run.options.epochs)
        self._found = []
        if found is not None:
            self._check(found)
            fit = found.values["fit"]
            done = "the run has ended" if fit["finished"] else "training goes on"
            if run.options.verbose:
                print(f"{self.folder.path}: {done} after epoch {fit['epoch']}, step {fit['steps']}")
            if fit["finished"]:
                self._put_back(found)
                if self.delete:
                    self.folder.clear()
                return True
        for feed in (run.epochs.feed, run.tester):
            if feed is not None:
                feed.keep_states()
        return False

    def _check(self, found: TrainingState) -> None:
        """Raises ValueError where it is a checkpoint of another run."""
        path, fit, epochs = self.folder.path, found.values["fit"], self._run.options.epochs
        differs = difference(fit["run"], self._description)
        if differs is not None:
            raise ValueError(
                f"resume: {path} has checkpoints of another run, which go on with the same model, "
                f"data and options only: {differs}. Give another folder, or remove them to begin "
                "anew"
            )
        if fit["finished"] and not fit["is_over"] and fit["epoch"] < epochs:
            raise ValueError(
                f"resume: {path} has the end of a run of {fit['epoch']} epochs and no whole "
                f"checkpoint before it, from which it could go on to {epochs}"
            )
        if fit["epoch"] > epochs:
            raise ValueError(
                f"resume: expected epochs of at least {fit['epoch']}, as many as {path} has, "
                f"received {epochs}"
            )
        received = [type(callback).__name__ for callback in self._own]
        if fit["callbacks"] != received:
            raise ValueError(
                f"resume: expected callbacks that remember something as in {path}, "
                f"{', '.join(fit['callbacks'])}, received {', '.join(received)}"
            )

    def _chosen(self, epochs: int) -> TrainingState | None:
        """The newest checkpoint that a run of so many epochs goes on from."""
        for found in self._found:
            fit = found.values["fit"]
            if not fit["finished"] or fit["is_over"] or fit["epoch"] >= epochs:
                return found
        return self._found[-1] if self._found else None

    def _put_back(self, found: TrainingState) -> None:
        """Makes model and callbacks what they were."""
        try:
            found.put_back(self._model, self._own)
        except ValueError as error:
            raise ValueError(f"resume: {self.folder.path}: {error}") from error
        self._is_running = True

    def begin(self) -> bool:
        """What comes before the first step: goes to where the checkpoint was taken, if one was.

        Callbacks that remember nothing begin before the model is put back, so that whatever they
        change in it has been changed in the run already; the others begin afterwards.

        Returns:
            Whether an epoch has begun.
        """
        run, found, self._start = self._run, self._start, None
        if found is None:
            run.begin()
            build_optimizer(self._model, self._state)
            self._is_running = True
            self._last = run.begun, time.monotonic()
            self.folder.write(*self._taken())  # what cannot be written is said before training
            return False
        fit = found.values["fit"]
        within = fit["train"]["first"] is not None
        for callback in self._others:
            callback.on_train_begin({})
            if within:
                callback.on_epoch_begin(fit["epoch"], {})
        self._put_back(found)
        for callback in self._own:
            callback.on_train_begin({})
        differs = difference(fit["changed"], self._changed())
        if differs is not None:
            raise ValueError(
                f"resume: {self.folder.path}: a callback has changed the model in the run, which "
                f"its set_state, or on_train_begin, has to do again: {differs}"
            )
        run.epochs.feed.reset()
        run.epochs.set_state(fit["train"])
        if run.tester is not None:
            run.tester.set_state(fit["test"], False)
        if fit["returned"] is not None:
            self._state.returned["train"].logs = _arrays(fit["returned"])
        run.doctor.set_state(fit["doctor"])
        run.epoch, run.step, run.begun = fit["epoch"], fit["step"], fit["begun"]
        run.is_over, run.logs = fit["is_over"], _arrays(fit["logs"])
        self._last = int(self._state.counter), time.monotonic()
        return within

    # --- while it trains -------------------------------------------------------------------------

    def left(self) -> int | None:
        """Steps until the next checkpoint is due, or None where steps do not count."""
        if self.steps is None or self._is_due:
            return None
        return max(1, self._last[0] + self.steps - int(self._state.counter))

    def look(self) -> None:
        """Called between two steps: takes a checkpoint if one is due."""
        steps, then = self._last
        if self.steps is not None and int(self._state.counter) - steps >= self.steps:
            self._is_due = True
        is_time = False
        if self.seconds is not None:
            wanted = max(self.seconds, SHARE * self._took)
            is_time = time.monotonic() - then >= wanted and not self._is_writing
        run = self._run
        can = not self._model.stop_training and not run.epochs.feed.ended
        if run.doctor.needs_whole_epochs and run.epochs.is_running:
            can = False
        if can and (self._is_due or is_time):
            self._take()

    def end_epoch(self) -> None:
        """Called after an epoch."""
        self._is_due = self._is_due or self.epochs
        if self._run.is_over or self._run.epoch == self._run.options.epochs:
            if not self.delete:
                self._take()
        else:
            self.look()

    def end(self) -> None:
        """Called when training has ended: the last checkpoint says so."""
        self._wait()
        if self.delete:
            self.folder.clear()
        else:
            self._take(finished=True)

    # --- writing ---------------------------------------------------------------------------------

    @property
    def _is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _changed(self) -> dict[str, Any]:
        """What callbacks have changed in the configuration of the model and how it is compiled."""
        now = describe_training(self._model, self._state)
        return {key: value for key, value in now.items() if value != self._description[key]}

    def _taken(self, finished: bool = False) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The state of everything as it stands."""
        run, state = self._run, self._state
        taken = TrainingState.of(self._model, self._own, self._memory)
        self._memory = taken.arrays
        returned = state.returned["train"].logs if "train" in state.own else None
        if returned is not None:
            returned = _plain(run.report.logs())
        taken.values["fit"] = {
            "epoch": run.epoch,
            "step": run.step,
            "begun": run.begun,
            "steps": int(state.counter) - run.begun,
            "is_over": run.is_over,
            "finished": finished,
            "logs": _plain(run.logs),
            "returned": returned,
            "doctor": run.doctor.get_state(),
            "run": self._description,
            "callbacks": [type(callback).__name__ for callback in self._own],
            "changed": self._changed(),
            "train": run.epochs.get_state(),
            "test": None if run.tester is None else run.tester.get_state(False),
        }
        return taken.arrays, taken.values

    def _take(self, finished: bool = False) -> None:
        start = time.monotonic()
        self._wait()
        self._report_error()
        taken = self._taken(finished)
        self._is_due = False
        self._last = int(self._state.counter), start

        def write() -> None:
            try:
                self.folder.write(*taken)
            except BaseException as error:
                self._error = error
            self._took = time.monotonic() - start

        self._thread = threading.Thread(target=write, name="dlnative-checkpoint")
        self._thread.start()

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _report_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            warn_user(
                f"a checkpoint could not be written, the one before stays: {error}", RuntimeWarning
            )


def _plain(logs: dict[str, Any]) -> dict[str, Any]:
    return {name: np.asarray(value).tolist() for name, value in logs.items()}


def _arrays(logs: dict[str, Any]) -> dict[str, Any]:
    """Logs that were made plain."""
    return {n: np.array(v) if isinstance(v, list) else v for n, v in logs.items()}
