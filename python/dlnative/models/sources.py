"""Data that come batch by batch: generators, iterables and PyDatasets, as one interface."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..utils import nest
from ..utils.packing import unpack_x_y_sample_weight
from ..utils.py_dataset import PyDataset
from . import frames
from .arrays import Rows, as_structure
from .order import Order

PEEKED = 2  # batches of a generator that every pass begins with, as in Keras
BETWEEN = -1  # passes: no position in one
DEPTH = 10  # batches that are read ahead


class Source(ABC):
    """Batches that are asked for one by one.

    Attributes:
        kind: What it is called in messages.
        batches: The number of batches in a pass, or None where it is not known.
        ends: Whether it is a wonder that a pass ends: Keras warns.
        workers: How many batches may be made at a time; 0 for no thread but that which trains.
        processes: Whether the workers are processes.
        depth: How many batches may be ahead of their use.
        first: The first batch where that is known without asking for it.
    """

    kind = "data"
    batches: int | None = None
    ends = False
    workers = 1
    processes = False
    depth = DEPTH
    first: Any = None

    @abstractmethod
    def open(self, number: int) -> None:
        """Begins a pass, which is number `number` of its kind."""

    def skip(self, count: int) -> None:
        """Leaves out the first batches of the pass that has begun."""
        for position in range(count):
            self.raw(position)

    @abstractmethod
    def raw(self, position: int) -> Any:
        """The batch at a position of the pass, as it is given; a source asks in order.

        Raises:
            StopIteration: There is none.
        """

    def fetch(self, position: int) -> Any:
        """The batch at a position of the pass as a tuple of arrays."""
        return self.as_arrays(position, self.raw(position))

    def as_arrays(self, position: int, batch: Any) -> Any:
        """`converted(batch)`, with the batch in messages."""
        if type(batch) is tuple and all(type(item) is np.ndarray for item in batch):
            return batch
        try:
            return converted(batch)
        except (TypeError, ValueError) as error:
            raise self.error(position, error) from error

    def error(self, position: int, error: Exception) -> Exception:
        """An error of the same kind whose message names the batch."""
        if type(error) not in (TypeError, ValueError):  # others may take other arguments
            return error
        return type(error)(f"{self.kind}, batch {position}: {error}")

    def fetchers(self) -> list[Callable[[int], Any]]:
        """One function like `fetch` per worker."""
        return [self.fetch] * max(1, self.workers)

    @property
    def remembers(self) -> bool:
        """Whether the data say where they are, by `get_state` and `set_state`."""
        return False

    def keep_states(self) -> None:  # noqa: B027
        """From now on `get_state` is going to be asked."""

    def get_state(self, position: int) -> Any:
        """What the data remember once the batches before a position have been used, or None.

        Args:
            position: The position in the pass, or BETWEEN passes.
        """
        return None

    def set_state(self, state: Any) -> None:  # noqa: B027
        """Makes the data what they were when `get_state` was called."""

    def forget(self, position: int) -> None:  # noqa: B027
        """No state before a position will be asked for."""

    def on_epoch_begin(self) -> None:  # noqa: B027
        """Called before the first batch of each epoch."""

    def on_epoch_end(self) -> None:  # noqa: B027
        """Called after the last one."""


class RememberingSource(Source):
    """Data that may say where they are, which they do after each batch that they give.

    A thread may be ahead with its batches, so that what they say last is not yet true.

    Args:
        data: What the user gave.
    """

    def __init__(self, data: Any) -> None:
        self._data = data
        self._states: dict[int, Any] | None = None
        self._resumed = False  # whether the next pass goes on where a state was

    @property
    def remembers(self) -> bool:
        return hasattr(self._data, "get_state") and hasattr(self._data, "set_state")

    def keep_states(self) -> None:
        if self.remembers:
            self._states = {}

    def get_state(self, position: int) -> Any:
        if self._states is None:
            return None
        return self._states[position] if position in self._states else self._data.get_state()

    def set_state(self, state: Any) -> None:
        self._data.set_state(state)
        self._resumed = True

    def forget(self, position: int) -> None:
        if self._states is not None:
            self._states.pop(position - 1, None)

    def _begin(self) -> None:
        """Called where a pass begins."""
        if self._states is not None:
            self._states.clear()

    def _noted(self, position: int, batch: Any) -> Any:
        """The batch, after which the data are asked for their state."""
        assert self._states is not None
        self._states[position + 1] = self._data.get_state()
        return batch


class IteratorSource(RememberingSource):
    """What can be gone through once: a generator or another iterator.

    Each pass begins with the two batches that were looked at first, as in Keras, and goes on where
    the one before has stopped.
    """

    ends = True

    def __init__(self, iterator: Iterator[Any], kind: str) -> None:
        super().__init__(iterator)
        self.kind = kind
        self._iterator = iterator
        # Copies: a generator may return the same array again, with other values.
        self._first = [
            copied(self.as_arrays(i, batch))
            for i, batch in enumerate(itertools.islice(iterator, PEEKED))
        ]
        if not self._first:
            raise ValueError(f"x: expected at least one batch, received an empty {kind}")
        self.first = self._first[0]
        self._rest: Iterator[Any] = iter(())

    def open(self, number: int) -> None:
        self._begin()
        self._rest = itertools.chain(self._first, self._iterator)

    def skip(self, count: int) -> None:
        if not self._resumed:
            super().skip(count)
        else:
            self._rest = itertools.chain(self._first[count:], self._iterator)
        self._resumed = False

    def raw(self, position: int) -> Any:
        batch = next(self._rest)
        return batch if self._states is None else self._noted(position, batch)


class IterableSource(RememberingSource):
    """What can be gone through again and again, such as a DataLoader of PyTorch."""

    def __init__(self, iterable: Any) -> None:
        super().__init__(iterable)
        self.kind = type(iterable).__name__
        self._iterable = iterable
        self._rest: Iterator[Any] = iter(())
        try:
            self.batches = len(iterable)
        except TypeError:  # it has no length, or does not know it
            self.batches = None
        if self.batches == 0:
            raise ValueError(f"x: expected at least one batch, received an empty {self.kind}")

    def open(self, number: int) -> None:
        self._begin()
        self._rest = iter(self._iterable)

    def skip(self, count: int) -> None:
        if not self._resumed:
            super().skip(count)
        self._resumed = False

    def raw(self, position: int) -> Any:
        batch = next(self._rest)
        return batch if self._states is None else self._noted(position, batch)


class DatasetSource(Source):
    """A PyDataset, ours or that of Keras.

    Args:
        dataset: The PyDataset.
        shuffle: Whether each pass has an order of its own.
        seed: Of the orders.
    """

    def __init__(self, dataset: Any, shuffle: bool, seed: int) -> None:
        self.kind = type(dataset).__name__
        self.dataset = dataset
        self.workers = dataset.workers
        self.processes = bool(dataset.use_multiprocessing and dataset.workers > 0)
        self.depth = max(1, dataset.max_queue_size)
        self._shuffle = shuffle
        self._seed = seed
        self._indices: Any = None
        self._count()

    def _count(self) -> None:
        """Asks for the number of batches, which an epoch may change."""
        self.batches = self.dataset.num_batches
        if self.batches is not None and self.batches < 1:
            raise ValueError(
                f"x: expected at least one batch, received a {self.kind} of length {self.batches}"
            )

    def open(self, number: int) -> None:
        self._count()
        self._indices = None
        if self._shuffle and self.batches is not None:
            order = Order(self.batches, 1, True, self._seed)
            self._indices = order.indices(number).tolist()

    def index(self, position: int) -> int:
        """The number of the batch at a position of the pass."""
        return position if self._indices is None else self._indices[position]

    def skip(self, count: int) -> None:
        pass

    @property
    def remembers(self) -> bool:
        return hasattr(self.dataset, "get_state") and hasattr(self.dataset, "set_state")

    def get_state(self, position: int) -> Any:
        return self.dataset.get_state() if self.remembers else None

    def set_state(self, state: Any) -> None:
        self.dataset.set_state(state)

    def raw(self, position: int) -> Any:
        return self.dataset[self.index(position)]

    def fetchers(self) -> list[Callable[[int], Any]]:
        if not self.processes:
            return super().fetchers()
        from .processes import WorkerProcess

        workers = [WorkerProcess(self.dataset, self.kind) for _ in range(self.workers)]
        return [_RemoteFetch(self, worker) for worker in workers]

    def error(self, position: int, error: Exception) -> Exception:
        index = self.index(position)
        return (
            super().error(position, error)
            if index == position
            else super().error(position, type(error)(f"item {index}: {error}"))
        )

    def on_epoch_begin(self) -> None:
        self.dataset.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.dataset.on_epoch_end()


class RowsSource(Source):
    """Batches of arrays, for steps that take no more than a batch.

    Args:
        rows: A Rows of inputs.
        size: Rows per batch.
    """

    kind = "data set"
    workers = 0

    def __init__(self, rows: Rows, size: int) -> None:
        self.rows = rows
        self.size = size
        self.batches = -(-rows.count // size)

    def open(self, number: int) -> None:
        pass

    def raw(self, position: int) -> Any:
        start = position * self.size
        return (self.rows.slice(start, min(start + self.size, self.rows.count)).structure,)


class _RemoteFetch:
    """`fetch` in a process."""

    def __init__(self, source: DatasetSource, worker: Any) -> None:
        self._source = source
        self._worker = worker
        self.close = worker.close

    def __call__(self, position: int) -> Any:
        source = self._source
        return source.as_arrays(position, self._worker(source.index(position)))


def is_source(data: Any) -> bool:
    """Whether `data` come batch by batch."""
    if isinstance(data, (np.ndarray, list, tuple, dict, str, bytes, range)):
        return False
    if hasattr(data, "__array__") or frames.holds_columns(data):
        return False
    return hasattr(data, "__next__") or _is_dataset(data) or hasattr(data, "__iter__")


def as_source(data: Any, shuffle: bool | str, seed: int) -> Source:
    """The Source of data for which `is_source` holds."""
    if hasattr(data, "__next__"):
        source: Source = IteratorSource(data, type(data).__name__)
    elif _is_dataset(data):
        return DatasetSource(data, bool(shuffle), seed)
    else:
        source = IterableSource(data)
    if shuffle == "batch":
        raise ValueError(
            f"shuffle: expected True or False, received 'batch'; the rows of a {source.kind}'s "
            "batches are in its own hands"
        )
    return source


def _is_dataset(data: Any) -> bool:
    """A PyDataset, also of Keras, which need not be imported to know one."""
    return isinstance(data, PyDataset) or any(
        cls.__name__ == "PyDataset" and cls.__module__.startswith("keras.")
        for cls in type(data).__mro__
    )


def converted(batch: Any) -> Any:
    """A batch as a tuple of arrays, or of nested arrays; None stays None.

    Raises:
        TypeError, ValueError: It is none; see `as_array`.
    """
    x, y, sample_weight = unpack_x_y_sample_weight(batch)
    if x is None:
        raise ValueError("expected (x,), (x, y) or (x, y, sample_weight), received no x: None")
    count = len(batch) if isinstance(batch, (list, tuple)) else 1
    named = ((x, "x"), (y, "y"), (sample_weight, "sample_weight"))
    return tuple(None if item is None else as_structure(item, name) for item, name in named[:count])


def copied(batch: Any) -> Any:
    """A tuple of arrays on memory of its own."""
    return nest.map_structure(lambda a: a if a is None else np.array(a), batch)
