"""`fit`, once its data are loaded: what begins and ends training, and the loop over epochs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..callbacks import CallbackList
from .backup import Backup
from .epochs import Epochs
from .fitting import FitOptions, epoch_runner, test
from .loop import Feed
from .nonfinite import Doctor
from .reading import closing
from .state import TrainerState


def fit(
    model: Any,
    state: TrainerState,
    train: Feed,
    tester: Feed | None,
    callbacks: Any,
    options: FitOptions,
    backup: Backup | None,
) -> Any:
    """Trains; see `Trainer.fit`.

    Args:
        model: The model.
        state: Its TrainerState.
        train: The Feed to train on.
        tester: The Feed to validate with, or None.
        callbacks: As `Trainer.fit` takes them.
        options: A FitOptions.
        backup: The Backup that takes checkpoints, open, or None.
    """
    number = state.epochs
    if options.steps_per_epoch is None:  # a model that was loaded goes on as the saved one would
        number = max(number, options.initial_epoch)
    budget = None
    if options.max_seconds is None:
        epochs = Epochs(train, options.steps_per_epoch, number)
    else:
        from .budget import Budget

        budget = Budget(model, state, train, tester, options, callbacks)
        epochs = budget.epochs(number)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=options.verbose != 0,
            model=model,
            verbose=options.verbose,
            epochs=options.epochs,
            steps=epochs.length,
            samples=epochs.samples,
        )
    names = state.objectives.names()
    validated = [f"val_{name}" for name in names if tester is not None]
    callbacks.check_logs([*names, *state.objectives.constraints.names(), *validated])
    run = TrainingRun(model, state, epochs, tester, callbacks, options, backup)
    with closing(train, tester):
        try:
            steps = run()
            if budget is not None:
                budget.say_whether_it_was_enough(steps)
        finally:
            callbacks.close()
    return model.history


class TrainingRun:
    """One run over the epochs, from `on_train_begin` to `on_train_end`.

    Args:
        model: The model.
        state: Its TrainerState.
        epochs: An Epochs.
        tester: The Feed to validate with, or None.
        callbacks: A CallbackList.
        options: A FitOptions.
        backup: The Backup that takes checkpoints, or None.

    Attributes:
        doctor: The Doctor that watches the steps.
        epoch: Number of the epoch that is next, or under way.
        step: Number of its first step.
        begun: Number of the first step of the run.
        is_over: Whether a callback, or the time, has ended it.
        logs: Those of the last epoch.
    """

    def __init__(
        self,
        model: Any,
        state: TrainerState,
        epochs: Epochs,
        tester: Feed | None,
        callbacks: CallbackList,
        options: FitOptions,
        backup: Backup | None,
    ) -> None:
        self.model = model
        self.state = state
        self.epochs = epochs
        self.tester = tester
        self.callbacks = callbacks
        self.options = options
        self.backup = backup
        self.report = state.report(model, "train")
        self.doctor = Doctor(model, state, epochs.feed, options.on_nonfinite, options.replay)
        callbacks.note_nonfinite(self.doctor.reports)
        self.epoch = options.initial_epoch
        self.step = self.begun = int(state.counter)
        self.is_over = False
        self.logs: dict[str, Any] = {}

    def __call__(self) -> int:
        """Trains; returns the number of steps."""
        model, state, backup = self.model, self.state, self.backup
        model.stop_training = False
        if backup and backup.has_ended(self):
            return 0
        within = False
        if backup:
            within = backup.begin()
        else:
            self.begin()
        try:
            with self.doctor:
                self._run_epochs(within)
        finally:
            self.callbacks.before_final_weights()
            if int(state.counter) != self.begun and state.optimizer is not None:
                state.optimizer.finalize_variable_values(model.trainable_variables)
        steps = int(state.counter) - self.begun
        self.callbacks.on_train_end(self.logs)
        if backup:
            backup.end()
        return steps

    def begin(self) -> None:
        """What comes before the first epoch."""
        self.callbacks.on_train_begin()
        self.epochs.feed.reset()
        self.step = self.begun = int(self.state.counter)

    def _run_epochs(self, within: bool) -> None:
        """Runs what is left of them.

        Args:
            within: Whether the first of them has begun.
        """
        state, callbacks, feed = self.state, self.callbacks, self.epochs.feed
        run_epoch = self._runner()
        learns = self.epochs.samples is None
        while self.epoch < self.options.epochs and not self.is_over:
            epoch = self.epoch
            if not within:
                self.report.reset()
                callbacks.on_epoch_begin(epoch)
                self.step = int(state.counter)
            self.doctor.begin_epoch(epoch, within)
            within = False
            run_epoch(self.step)
            if learns:
                callbacks.note_samples(feed.rows)
            state.epochs = self.epochs.number
            self.logs = self._logs_of(epoch)
            callbacks.on_epoch_end(epoch, self.logs)
            self.epoch += 1
            self.is_over = bool(self.model.stop_training or feed.is_over)
            if self.backup:
                self.backup.end_epoch()

    def _logs_of(self, epoch: int) -> dict[str, Any]:
        """The logs of an epoch whose steps have run; validates."""
        logs = self.doctor.end_epoch(self.report.logs())
        if self.tester is not None and self.options.validates(epoch):
            passes = Epochs(self.tester, self.options.validation_steps)
            results = test(self.model, self.state, passes, self.callbacks, in_fit=True)
            logs.update((f"val_{name}", value) for name, value in results.items())
        logs.update(self.state.objectives.constraints.logs())
        return logs

    def _runner(self) -> Callable[[int], None]:
        """Function that trains for one epoch, given the number of the first step."""
        feed, callbacks, report, backup = (
            self.epochs.feed,
            self.callbacks,
            self.report,
            self.backup,
        )

        def end(batch: int) -> bool:
            logs = report.logs()
            callbacks.on_train_batch_end(batch, logs)
            callbacks.on_progress(feed.steps, feed.rows, logs)
            if backup:
                backup.look()
            return self.model.stop_training

        logs_of_bar = report.logs if callbacks.shows_progress else None
        look, part = (backup.look, backup.left) if backup else (None, None)
        return epoch_runner(
            self.state, self.epochs, callbacks, "train", end, logs_of_bar, look, part
        )
