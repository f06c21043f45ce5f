"""Steps over the rows of a data set: which rows, in which order, and when Python has its turn."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from .arrays import Rows, describe_array
from .batch import flat_arrays
from .order import Order
from .step import Immediate, Step

PAUSE = 0.1  # seconds after which a run returns, for the progress bar and for Ctrl-C
CHECKED = 1 << 20  # rows that the first run of an epoch may ask for


class HeldStep(NamedTuple):
    """A step of training whose values are not finite, of which nothing was written.

    Attributes:
        step: The Step.
        rows: The Rows of the data.
        arrays: Those of the batch, in the order of `flat_arrays`.
        number: Number of the step, for random masks.
        epoch: Number of the epoch, for augmentation.
        samples: Numbers of the rows in the data; None where they are not known.
    """

    step: Step
    rows: Rows
    arrays: list[Any]
    number: int
    epoch: int
    samples: np.ndarray | None


# What follows a HeldStep: it is run once more, it is left out, or the epoch ends before it.
Verdict: TypeAlias = Literal["again", "next", "end"]


class Feed(ABC):
    """What the steps of epochs run over.

    Attributes:
        kind: What it is called in messages.
        ends: Whether it is a wonder that it ends, of which Keras warns.
        batches: The number of batches in a pass, or None where it is not known.
        position: Batches of this pass so far.
        first: Batches of this pass before this epoch.
        on_held: What is asked about a step that is held back, with `position` at its batch.
        armed: What is not 0 while `run` runs steps, so that steps are held back there only, and not
            those of callbacks; None where none is.
        deadline: When no more batches are to be run, on the clock `time.perf_counter`, or None.
        ended: Whether the answer, or the deadline, has ended this epoch.
    """

    kind = "data set"
    ends = False
    deadline: float | None = None

    def __init__(self, batches: int | None) -> None:
        self.batches = batches
        self.position = self.first = 0
        self.on_held: Callable[[HeldStep], Verdict] | None = None
        self.armed: np.ndarray | None = None
        self.ended = False

    @property
    def steps(self) -> int:
        """Steps of this epoch so far."""
        return self.position - self.first

    @property
    def is_over(self) -> bool:
        """Whether no more batches are to be run."""
        return self.deadline is not None and time.perf_counter() >= self.deadline

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows of this epoch so far."""

    def rows_before(self, batch: int) -> int | None:
        """Number of rows in the batches of a pass before one, or None where it is not known."""
        return None

    @abstractmethod
    def open(self, number: int) -> None:
        """Begins a pass in the order that belongs to a number."""

    @abstractmethod
    def skip(self, count: int) -> None:
        """Leaves out the first batches of a pass that has begun."""

    @abstractmethod
    def on_epoch_begin(self) -> None:
        """Called before each epoch, and before the pass that may begin with it."""

    def limit(self, count: int | None) -> None:
        """Begins an epoch here, in which no more than `count` batches will be asked for."""
        self.first = self.position
        self.ended = False

    def _arm(self, on: bool) -> None:
        """From here on steps are held back, or not any more."""
        if self.armed is not None:
            self.armed[()] = on

    def _after_held(self, held: HeldStep) -> int:
        """How many steps a step that is held back counts for: 1 where it is left out."""
        assert self.on_held is not None
        verdict = self.on_held(held)
        self.ended = verdict == "end"
        return int(verdict == "next")

    def go_on(self, first: int, rows: int) -> None:
        """Goes on within an epoch.

        Args:
            first: Batches of this pass before the epoch.
            rows: Rows of the epoch so far.
        """
        self.first = first

    def keep_states(self) -> None:  # noqa: B027
        """From now on `get_state` is going to be called."""

    def get_state(self, within: bool) -> dict[str, Any]:
        """What its data remember, and what has been read of them, as plain values.

        Args:
            within: Whether the pass goes on, so that the state is that at its position.
        """
        return {}

    def set_state(self, state: dict[str, Any], within: bool) -> None:  # noqa: B027
        """Makes the data what they were when `get_state` was called.

        Args:
            state: What it returned.
            within: As given to it; `open` and `skip` are going to reach the position.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What tells these data from others, as plain values."""

    @abstractmethod
    def ready(self, count: int) -> int:
        """How many of the next `count` batches there are; waits for them."""

    @abstractmethod
    def run(
        self, limit: int | None, step: int = 0, progress: Callable[[], None] | None = None
    ) -> int:
        """Runs up to `limit` batches, or all that there are.

        Args:
            limit: How many at most, or None.
            step: Number of the first step, for random masks.
            progress: Called at least every `PAUSE` seconds.

        Returns:
            How many were run.
        """

    @property
    @abstractmethod
    def structure(self) -> Any:
        """How the outputs of predictions are nested."""

    @abstractmethod
    def outputs(self, count: int | None = None) -> list[np.ndarray]:
        """The outputs of the last `count` batches, or of all in this epoch."""

    @abstractmethod
    def on_epoch_end(self) -> None:
        """Ends an epoch."""

    @abstractmethod
    def reset(self) -> None:
        """Called before the first epoch of `fit` and `evaluate`."""

    @abstractmethod
    def close(self, patience: float) -> None:
        """Ends what runs besides, which has so many seconds for what it does."""


class Pass(Feed):
    """All batches of arrays, the last of which may be smaller.

    Args:
        rows: A Rows.
        batch: Rows per batch.
        get_step: Function from a number of rows to a Step.
        current: Function that tells what Steps depend on beside their arguments: they are got anew
            where it returns something else than before.
        order: The Order of each pass; None for that of the data.
        out: None, or one array per output of the Step, for all rows.
        structure: How the outputs are nested.

    Attributes:
        batch: Rows per batch.
    """

    def __init__(
        self,
        rows: Any,
        batch: int,
        get_step: Callable[[int], Step],
        current: Callable[[], Any],
        order: Order | None = None,
        out: list[np.ndarray] | None = None,
        structure: Any = None,
    ) -> None:
        self._data = rows
        self._arrays = flat_arrays(rows)
        self._get_step = get_step
        self._current = current
        self.count = rows.count
        self.batch = min(batch, rows.count)
        self.full, self._rest = divmod(rows.count, self.batch)
        self._all = self.full + (self._rest > 0)
        super().__init__(self._all)
        self.order = order
        self.out = out
        self._structure = structure
        self._indices: np.ndarray | None = None
        self._epoch = 0
        self._load()

    def _load(self) -> None:
        self._full_step = self._get_step(self.batch)
        self._run_full = self._full_step.function.run
        self._full_arrays = self._full_step.pick(self._arrays)
        if self._rest:
            self._rest_step = self._get_step(self._rest)
            self._run_rest = self._rest_step.function.run
            self._rest_arrays = self._rest_step.pick(self._arrays)
        self._loaded = self._current()

    @property
    def runs_python(self) -> bool:
        """Whether a step is computed op by op, with whatever the code of users does."""
        return isinstance(self._full_step.function, Immediate)

    @property
    def rows(self) -> int:
        return self.rows_before(self.position) - self.rows_before(self.first)

    @property
    def structure(self) -> Any:
        return self._structure

    def rows_before(self, batch: int) -> int:
        return min(batch * self.batch, self.count)

    def open(self, number: int) -> None:
        self.position = 0
        if self.order is not None:
            self._indices, self._epoch = self.order.indices(number), number

    def skip(self, count: int) -> None:
        self.position = count

    def on_epoch_begin(self) -> None:
        pass

    def describe(self) -> dict[str, Any]:
        return {
            "rows": self.count,
            "batch_size": self.batch,
            "arrays": [describe_array(array) for array in self._arrays],
        }

    def ready(self, count: int) -> int:
        return min(count, self._all - self.position)

    def run(
        self, limit: int | None, step: int = 0, progress: Callable[[], None] | None = None
    ) -> int:
        if self._current() != self._loaded:
            self._load()
        done = start = self.position
        size, stop = self.batch, self._all
        if limit is not None and start + limit < stop:
            stop = start + limit
        full = self.full if stop > self.full else stop
        allowed = max(1, CHECKED // size)
        self._arm(True)
        if done < full:
            self._full_step.show()
        while done < full and not self.ended:
            asked = min(full - done, allowed)
            ran = self._run_full(
                self._full_arrays,
                self._indices,
                done * size,
                asked,
                step + done - start,
                PAUSE,
                self.out,
                self._epoch,
            )
            # Row numbers are checked before the first step; no more than these steps may need.
            allowed = 2 * max(1, ran)
            if not ran:
                ran = self._after_held(self._held(self._full_step, done, step + done - start))
            done += ran
            self.position = done
            if progress is not None:
                progress()
            self.ended |= self.is_over
        while done < stop and not self.ended:
            last = step + full - start
            self._rest_step.show()
            ran = self._run_rest(
                self._rest_arrays, self._indices, full * size, 1, last, None, self.out, self._epoch
            )
            done += ran or self._after_held(self._held(self._rest_step, done, last))
            self.position = done
            if progress is not None:
                progress()
            self.ended |= self.is_over
        self._arm(False)
        return done - start

    def _held(self, step: Step, batch: int, number: int) -> HeldStep:
        self.position = batch
        first, stop = self.rows_before(batch), self.rows_before(batch + 1)
        samples = np.arange(first, stop) if self._indices is None else self._indices[first:stop]
        arrays = [None if a is None else np.asarray(a[samples]) for a in self._arrays]
        return HeldStep(step, self._data, arrays, number, self._epoch, samples)

    def on_epoch_end(self) -> None:
        pass

    def reset(self) -> None:
        pass

    def close(self, patience: float) -> None:
        pass

    def outputs(self, count: int | None = None) -> list[np.ndarray]:
        assert self.out is not None
        first = 0 if count is None else self.rows_before(self.position - count)
        return [array[first : self.rows_before(self.position)] for array in self.out]


def run_steps(
    feed: Feed,
    limit: int | None,
    step: int,
    begin: Callable[[int], None],
    end: Callable[[int], bool],
    together: int = 1,
) -> bool:
    """Runs up to `limit` batches, or all, with a call of `begin` and `end` around each.

    Args:
        feed: The Feed.
        limit: How many batches at most, or None.
        step: Number of the first step of the epoch.
        begin: Called with the number of the batch in the epoch, from 0.
        end: Called with the number of the batch; True ends the run.
        together: How many batches are run between two calls.

    Returns:
        Whether `end` has ended it.
    """
    done, first = 0, feed.steps
    while limit is None or done < limit:
        count = feed.ready(together if limit is None else min(together, limit - done))
        if not count:
            return False
        begin(first + done)
        feed.run(count, step + first + done)
        if end(first + done + together - 1) or feed.ended:
            return True
        done += count
    return False


def run_in_parts(
    feed: Feed,
    limit: int | None,
    step: int,
    progress: Callable[[], None] | None = None,
    part: Callable[[], int | None] | None = None,
) -> None:
    """Runs up to `limit` batches, or all that there are.

    Args:
        feed: The Feed.
        limit: How many at most, or None.
        step: Number of the first step of the epoch.
        progress: Called at least every `PAUSE` seconds.
        part: Function that says after how many steps at most `progress` is to be called, or None.
    """
    done, first = 0, feed.steps
    while limit is None or done < limit:
        count = None if limit is None else limit - done
        most = None if part is None else part()
        if most is not None:
            count = most if count is None else min(count, most)
        ran = feed.run(count, step + first + done, progress)
        done += ran
        if count is None or ran < count or feed.ended:
            return
        if progress is not None and part is not None:
            progress()
