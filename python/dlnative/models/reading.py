"""Reads the batches of a source in order, and ahead of their use where that pays off."""

from __future__ import annotations

import contextlib
import contextvars
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from .sources import Source, copied

# Seconds. Reading ahead saves the time of a batch or that of a step, whichever is shorter, and
# costs two switches between threads.
HAND_OVER = 50e-6
SURE = 1e-3  # seconds that batches in a row would have saved, until a thread reads ahead
PATIENCE = 5.0  # seconds that threads have to finish their batches when training ends


class _End:
    """What `Reader.next` returns where a pass or an epoch is over."""


END = _End()


class Workers:
    """Threads that fetch batches at given positions; results come in the order of the positions.

    Args:
        fetchers: A function from a position to a batch for each thread. Its method `close(now)`, if
            it has one, is called at the end; `now` says that the thread still waits for it.
    """

    def __init__(self, fetchers: list[Callable[[int], Any]]) -> None:
        self._tasks: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
        self._early: dict[int, tuple[Any, BaseException | None]] = {}
        self._closed = False
        self._fetchers = fetchers
        self._threads = [
            threading.Thread(
                target=contextvars.copy_context().run,
                args=(self._work, fetch),
                name="dlnative-reader",
                daemon=True,
            )
            for fetch in fetchers
        ]
        for thread in self._threads:
            thread.start()

    def _work(self, fetch: Callable[[int], Any]) -> None:
        while True:
            position = self._tasks.get()
            if position is None or self._closed:
                return
            try:
                self._done.put((position, fetch(position), None))
            except BaseException as error:
                self._done.put((position, None, error))

    def ask(self, position: int) -> None:
        """Has the batch at a position fetched."""
        self._tasks.put(position)

    def get(self, position: int) -> Any:
        """Waits for the batch at a position; raises what its fetching raised."""
        while position not in self._early:
            done, batch, error = self._done.get()
            self._early[done] = batch, error
        batch, error = self._early.pop(position)
        if error is not None:
            raise error
        return batch

    def close(self, patience: float) -> None:
        """Ends the threads; those that are not ready in time end after their batch."""
        self._closed = True
        for _ in self._threads:
            self._tasks.put(None)
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        for thread, fetch in zip(self._threads, self._fetchers, strict=True):
            close = getattr(fetch, "close", None)
            if close is not None:
                close(thread.is_alive())
                thread.join(patience)


class Reader:
    """The batches of a source, as tuples of arrays.

    A pass is what `open` begins, an epoch a part of it or the whole. Where fetching is quick it
    happens in `next`; otherwise in a thread, or in the workers that a PyDataset asks for.

    Args:
        source: The Source.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.position = 0
        self._asked = 0
        self._stop: int | None = None
        self._workers: Workers | None = None
        self._saving = 0.0
        self._returned = 0.0

    def open(self, number: int) -> None:
        """Begins a pass."""
        if self._asked > self.position:  # what a thread still reads belongs to the one before
            self._end_workers(PATIENCE)
        self.source.open(number)
        self.position = self._asked = 0

    def skip(self, count: int) -> None:
        """Leaves out the first `count` batches of the pass that has begun."""
        self.source.skip(count)
        self.position = self._asked = count

    def begin_epoch(self, limit: int | None) -> None:
        """From here on at most `limit` batches will be asked for."""
        self._stop = None if limit is None else self.position + limit
        self._returned = 0.0
        source = self.source
        if self._workers is None and (source.workers > 1 or source.processes):
            self._workers = Workers(source.fetchers())

    def end_epoch(self) -> None:
        """Processes end with an epoch: the next ones get the data set as it will be then."""
        if self.source.processes:
            self._end_workers(PATIENCE)

    def next(self) -> Any:
        """The next batch, or END."""
        if self._stop is not None and self.position >= self._stop:
            return END
        try:
            batch = self._next_inline() if self._workers is None else self._next_read()
        except StopIteration:
            return END
        self.position += 1
        return batch

    def _next_inline(self) -> Any:
        start = time.perf_counter()
        batch = self.source.fetch(self.position)
        end = time.perf_counter()
        self._asked = self.position + 1
        saving = min(end - start, start - self._returned) if self._returned else 0.0
        self._saving = self._saving + saving if saving > HAND_OVER else 0.0
        self._returned = end
        if self._saving >= SURE and self.source.workers:
            # A source may fill the same arrays anew while they wait here: copies wait.
            self._workers = Workers([lambda position: copied(self.source.fetch(position))])
        return batch

    def _next_read(self) -> Any:
        workers = self._workers
        assert workers is not None
        stop = self.position + self.source.depth
        if self._stop is not None:
            stop = min(stop, self._stop)
        while self._asked < stop:
            workers.ask(self._asked)
            self._asked += 1
        return workers.get(self.position)

    def close(self, patience: float) -> None:
        """Ends all threads and processes."""
        self._end_workers(patience)

    def _end_workers(self, patience: float) -> None:
        if self._workers is not None:
            self._workers.close(patience)
            self._workers = None
            self._asked = self.position


class Closable(Protocol):
    """What may have threads or processes."""

    def close(self, patience: float) -> None:
        """Ends them; they have so many seconds for what they do."""


@contextlib.contextmanager
def closing(*readers: Closable | None) -> Iterator[None]:
    """A `with` block after which nothing reads data; Ctrl-C does not wait for what is read."""
    patience = PATIENCE
    try:
        yield
    except KeyboardInterrupt:
        patience = 0.0
        raise
    finally:
        for reader in readers:
            if reader is not None:
                reader.close(patience)
