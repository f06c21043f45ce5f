"""The time budget of `fit`: how many steps there are, and where they end."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

from ..callbacks import CallbackList, History, LambdaCallback
from ..optimizers.schedules import LearningRateSchedule
from ..utils.messages import print_message
from ..utils.warn import warn_user
from .epochs import Epochs
from .fitting import FitOptions, build_optimizer, test
from .loop import Feed, Pass, run_steps
from .report import Report
from .state import TrainerState
from .training_state import TrainingState

SHARE = 0.02  # of the budget, in which steps are measured, and as much again for the validation
SHORT = 0.05  # seconds: less are of no use, as other programs take turns, unless they are a tenth
LEAST = 3  # steps that are measured
MARGIN = 0.08  # of the budget, that is left for what was not measured
LAST = 0.02  # of the budget, before whose end the last step has to be done
SHOWN = 2e-4  # seconds for what an epoch prints
CAREFUL = 1.25  # by how much the last validation may take longer than it was measured
ENDLESS = 1e9  # steps: the length of a schedule while it is measured


class Budget:
    """Measures steps, undoes them, and says how many there are going to be.

    Args:
        model: The model.
        state: Its TrainerState.
        train: The Feed to train on.
        tester: The Feed to validate with, or None.
        options: A FitOptions with `max_seconds`; its `epochs` are set.
        callbacks: As `Trainer.fit` takes them. None is called.

    Attributes:
        whole: The number of whole epochs.
        rest: The number of steps of an epoch after them, or 0.
        steps: The number of steps.

    Raises:
        ValueError: The data cannot be read again, or the time is not enough for a step. The model
            is as it was.
        NotImplementedError: A step runs op by op.
    """

    def __init__(
        self,
        model: Any,
        state: TrainerState,
        train: Feed,
        tester: Feed | None,
        options: FitOptions,
        callbacks: Any,
    ) -> None:
        for name, feed in (("x", train), ("validation_data", tester)):
            if feed is not None:
                _check_can_be_undone(model, name, feed)
        self._model = model
        self._state = state
        self._train = train
        self._tester = tester
        self._options = options
        self._seconds_in_all = float(options.max_seconds or 0.0)
        self._batches = train.batches or 1
        self._length = min(options.steps_per_epoch or self._batches, self._batches)
        self._step = self._epoch = self._validation = self._compile = 0.0  # seconds of each
        self._hooks = _silent(callbacks)
        build_optimizer(model, state)
        before, history = TrainingState.of(model), model.history
        rate = getattr(state.optimizer, "_learning_rate", None)
        try:
            has_end = self._land(rate, ENDLESS)
            self._measure()
        except BaseException:
            self._undo(before, rate, history)
            raise
        self._undo(before, rate, history)
        left = options.deadline - time.perf_counter() - MARGIN * self._seconds_in_all
        left -= self._compile if has_end else 0.0
        left -= (CAREFUL - 1.0) * self._validation
        self.whole, self.rest = self._count(left)
        self.steps = self._steps(self.whole) + self.rest
        if not self.steps:
            raise ValueError(
                f"max_seconds: {options.max_seconds:g} s are not enough: compiling and measuring "
                f"took {time.perf_counter() - options.begun:.2g} s, a step takes "
                f"{self._step:.2g} s and a validation {self._validation:.2g} s"
            )
        self._land_at_the_end(rate)
        options.epochs = options.initial_epoch + self.whole + (self.rest > 0)

    def epochs(self, number: int) -> Epochs:
        """The Epochs of the run, which ends in time even where steps take longer than measured.

        Args:
            number: Number of the first pass.
        """
        last = self._options.deadline - LAST * self._seconds_in_all
        self._train.deadline = last - CAREFUL * self._validation - self._step
        if self._options.verbose:
            seconds = f"{self._options.max_seconds:g} s"
            print_message(f"{self.steps} steps in {seconds}, in epochs of {self._length}")
        return BudgetEpochs(self._train, self._options.steps_per_epoch, number, self)

    def say_whether_it_was_enough(self, done: int) -> None:
        """Warns where time was over before the last step.

        Args:
            done: The number of steps.
        """
        if self._train.is_over and done < self.steps:
            warn_user(
                f"fit: max_seconds={self._options.max_seconds:g} were over after {done} of "
                f"{self.steps} steps, which took longer than the first ones; a schedule of the "
                "learning rate has not come to its end"
            )

    # --- before the first step -------------------------------------------------------------------

    def _land(self, rate: Any, steps: float) -> bool:
        """Trains with a copy of a schedule that ends after so many steps; whether it has an end."""
        if not isinstance(rate, LearningRateSchedule):
            return False
        landed = copy.deepcopy(rate)
        if not landed.end_at(int(self._state.optimizer._iterations) + steps):
            return False
        self._state.optimizer.learning_rate = landed
        return True

    def _land_at_the_end(self, rate: Any) -> None:
        try:
            self._land(rate, self.steps)
        except ValueError as error:
            raise ValueError(
                f"max_seconds: {self._options.max_seconds:g} s are enough for {self.steps} steps, "
                f"too few for the schedule of the learning rate: {error}"
            ) from error

    def _undo(self, before: TrainingState, rate: Any, history: Any) -> None:
        if isinstance(rate, LearningRateSchedule):
            self._state.optimizer.learning_rate = rate
        before.put_back(self._model)
        self._model.history = history

    def _measure(self) -> None:
        seconds = max(SHARE * self._seconds_in_all, min(SHORT, 0.1 * self._seconds_in_all))
        self._measure_steps(seconds)
        if self._tester is not None:
            self._validation = self._measure_validation(self._tester, seconds)

    def _measure_steps(self, seconds: float) -> None:
        """Trains as `fit` does, without callbacks, for so long or for a few steps."""
        state, options, hooks = self._state, self._options, self._hooks
        hooks.set_model(self._model)
        epochs = Epochs(self._train, options.steps_per_epoch, state.epochs)
        report = state.report(self._model, "train")
        run = self._runner(report)
        begun = time.perf_counter()
        steps = ran = number = 0
        in_steps = in_epochs = 0.0
        while True:
            t0 = time.perf_counter()
            report.reset()
            hooks.on_epoch_begin(number)
            limit = epochs.begin() or 1
            t1 = time.perf_counter()
            done = 0
            if not ran:
                done = ran = self._train.run(1, int(state.counter))
                self._compile = time.perf_counter() - t1
                t1 = time.perf_counter()
            size = 1
            while done < limit and (steps < LEAST or time.perf_counter() - begun < seconds):
                count = run(min(size, limit - done))
                done, steps, size = done + count, steps + count, 2 * size
            t2 = time.perf_counter()
            epochs.end(stopped=True)
            hooks.on_epoch_end(number, report.logs())
            number += 1
            in_steps += t2 - t1
            in_epochs += t1 - t0 + time.perf_counter() - t2
            if steps >= LEAST and time.perf_counter() - begun >= seconds:
                break
        self._step = in_steps / steps
        self._epoch = in_epochs / number + (SHOWN if options.verbose else 0.0)

    def _measure_validation(self, tester: Feed, seconds: float) -> float:
        """Seconds of a validation: of whole ones, or, where one takes longer, of some batches."""
        batches = self._options.validation_steps or tester.batches or 1
        for most in (1, batches):  # the first time it compiles, perhaps, and fills the caches
            tester.open(0)
            tester.limit(None)
            whole = batches * _seconds_each(tester, seconds, most)
        begun, passes, now = time.perf_counter(), 0, 0.0
        while now + whole < seconds:
            epochs = Epochs(tester, self._options.validation_steps)
            test(self._model, self._state, epochs, self._hooks, in_fit=True)
            passes, now = passes + 1, time.perf_counter() - begun
        return now / passes if passes else whole

    def _runner(self, report: Report) -> Callable[[int], int]:
        """Function that trains for so many steps as `fit` does; returns their number."""
        feed, hooks, state = self._train, self._hooks, self._state
        if not hooks.has_batch_hooks("train"):
            return lambda count: feed.run(count, int(state.counter))

        def end(batch: int) -> bool:
            hooks.on_train_batch_end(batch, report.logs())
            return False

        def run(count: int) -> int:
            before, together = feed.position, state.steps_per_execution
            begin = hooks.on_train_batch_begin
            run_steps(feed, count, int(state.counter), begin, end, together)
            return feed.position - before

        return run

    # --- how many --------------------------------------------------------------------------------

    def _count(self, seconds: float) -> tuple[int, int]:
        """(whole epochs, steps of a last one) for which there is time."""
        low, high = 0, 1
        while self._seconds(high) <= seconds:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._seconds(middle) <= seconds else (low, middle)
        left = seconds - self._seconds(low) - self._epoch
        if self._validates(low + 1) > self._validates(low):
            left -= self._validation
        rest = int(left / self._step) if left > 0 else 0
        return low, min(rest, self._steps(low + 1) - self._steps(low) - 1)

    def _seconds(self, epochs: int) -> float:
        each = epochs * self._epoch + self._validates(epochs) * self._validation
        return each + self._steps(epochs) * self._step

    def _steps(self, epochs: int) -> int:
        """The number of steps in so many epochs, the last of which in a pass may be shorter."""
        passes, more = divmod(epochs, -(-self._batches // self._length))
        return passes * self._batches + more * self._length

    def _validates(self, epochs: int) -> int:
        """The number of validations in so many epochs."""
        first, frequency = self._options.initial_epoch, self._options.validation_freq
        if self._tester is None:
            return 0
        if isinstance(frequency, set):
            return sum(first < epoch <= first + epochs for epoch in frequency)
        return (first + epochs) // frequency - first // frequency


class BudgetEpochs(Epochs):
    """Whole epochs, and a last one of fewer steps."""

    def __init__(self, feed: Feed, steps: int | None, number: int, budget: Budget) -> None:
        super().__init__(feed, steps, number)
        self._whole, self._rest = budget.whole, budget.rest

    @property
    def length(self) -> int | None:
        return super().length if self._whole > 0 else self._rest

    def begin(self) -> int | None:
        if self._whole == 0:
            self.steps = self._rest
        self._whole -= 1
        return super().begin()


def _seconds_each(feed: Feed, seconds: float, most: int) -> float:
    """Seconds of a batch, measured for so long, over one batch or more."""
    begun, done, size = time.perf_counter(), 0, 1
    while True:
        count = feed.run(min(size, most - done))
        done, size = done + count, 2 * size
        now = time.perf_counter() - begun
        if not count or done == most or now >= seconds:
            return now / done


def _silent(callbacks: Any) -> CallbackList:
    """As many hooks as these callbacks have, that do nothing."""
    given = CallbackList(callbacks).callbacks
    plain = [LambdaCallback(on_epoch_begin=_nothing, on_epoch_end=_nothing) for _ in given]
    hooked = [c for c in given if CallbackList(c).has_batch_hooks("train")]
    for callback, _ in zip(plain, hooked):
        vars(callback).update(on_train_batch_begin=_nothing, on_train_batch_end=_nothing)
    return CallbackList([*plain, History()])


def _nothing(*arguments: Any, **options: Any) -> None:
    pass


def _check_can_be_undone(model: Any, name: str, feed: Feed) -> None:
    """Raises where data are read only once, or a step runs Python, whose effects stay."""
    if not isinstance(feed, Pass):
        raise ValueError(
            f"max_seconds: expected {name} to be arrays, as the first steps are measured and "
            f"undone, received a {feed.kind}; give epochs and steps_per_epoch"
        )
    if feed.runs_python:
        raise NotImplementedError(
            "max_seconds: expected a compiled step, as the first ones are measured and undone; "
            f"that of {type(model).__name__} runs op by op"
        )
