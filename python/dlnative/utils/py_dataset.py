"""PyDataset: batches that Python code makes, in the order of their numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from .numbers import whole_number


class PyDataset:
    """Base of data sets whose batches are made by Python code, by several workers if need be.

    A subclass has `__getitem__(index)`, which returns batch number `index` as `(inputs,)`,
    `(inputs, labels)` or `(inputs, labels, sample_weights)`, and `__len__`, the number of batches;
    instead of `__len__` it may have a property `num_batches`, which is None for a data set without
    end. `fit` asks for each batch of an epoch once, and trains on them in an order that does not
    depend on the number of workers.

    Args:
        workers: How many batches are made at a time. One is made ahead of its use, in a thread; 0
            makes each when it is needed, in the thread that trains.
        use_multiprocessing: Whether the workers are processes, which compute at the same time, and
            not threads, which can only wait at the same time. The data set is copied to them at the
            beginning of each epoch.
        max_queue_size: How many batches are made or waiting to be used at most.

    Raises:
        TypeError, ValueError: An argument is not a whole number of at least 0 (workers) or 1.

    Example:
        >>> import numpy as np
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...
        ...     def __getitem__(self, index):
        ...         x = np.arange(4.0)[:, None] + 4 * index
        ...         return x, x**2
        >>> Squares(workers=2).num_batches
        3
    """

    # For a subclass that does not call __init__.
    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = whole_number("PyDataset", "workers", workers, low=0)
        self.use_multiprocessing = bool(use_multiprocessing)
        self.max_queue_size = whole_number("PyDataset", "max_queue_size", max_queue_size, low=1)

    def __getitem__(self, index: int) -> Any:
        """Batch number `index`."""
        raise NotImplementedError(
            f"{type(self).__name__} must define __getitem__(index), which returns a batch"
        )

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    @property
    def num_batches(self) -> int | None:
        """The number of batches of an epoch, None for a data set without end."""
        if hasattr(self, "__len__"):
            return len(self)
        raise NotImplementedError(
            f"{type(self).__name__} must define __len__(), the number of batches, or the property "
            "num_batches"
        )

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


Sequence = PyDataset
