"""Functions that compute one step at a time in Python."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..reference.state import NotFinite


class Stepwise(ABC):
    """A Function, as `NativeFunction` is one, whose steps are computed in Python.

    It has no `run_finite`.
    """

    finite_dtypes: Sequence[str] = ()

    @abstractmethod
    def once(
        self, arrays: Sequence[np.ndarray], step: int, epoch: int, samples: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """One step on the arrays of a batch; returns a tuple of new arrays.

        Args:
            arrays: One array per feed.
            step: Number of the step, for random masks.
            epoch: Number of the epoch, for augmentation.
            samples: Numbers of the rows, for augmentation; 0, 1, ... by default.

        Raises:
            NotFinite: The step is held back; nothing has been written.
        """

    @property
    @abstractmethod
    def rows(self) -> list[int]:
        """The rows that a step reads of the array of each feed."""

    def __call__(self, *arrays: np.ndarray, step: int = 0) -> tuple[np.ndarray, ...]:
        """One run on whole arrays, one per feed; returns a tuple of new arrays."""
        return self.once(arrays, step, step, None)

    def gathered(
        self, arrays: Sequence[Any], indices: np.ndarray | None, first: int, number: int
    ) -> tuple[list[np.ndarray], np.ndarray | None]:
        """(the rows that a step of a run reads of each array, the numbers of its samples).

        Args:
            arrays, indices, first: As for `run`.
            number: Of the step within the run.
        """
        batch: list[np.ndarray] = []
        samples = None
        for count, array in zip(self.rows, arrays, strict=True):
            span = slice(first + number * count, first + (number + 1) * count)
            batch.append(np.asarray(array[span if indices is None else indices[span]]))
            if samples is None:
                numbers = np.arange(span.start, span.stop)
                samples = numbers if indices is None else np.asarray(indices)[span]
        return batch, samples

    def run(
        self,
        arrays: Sequence[Any],
        indices: np.ndarray | None,
        first: int,
        steps: int,
        step: int = 0,
        max_seconds: float | None = None,
        out: Sequence[np.ndarray] | None = None,
        epoch: int = 0,
    ) -> int:
        """Runs up to `steps` steps; see `NativeFunction.run`."""
        start = time.monotonic()
        for s in range(steps):
            batch, samples = self.gathered(arrays, indices, first, s)
            try:
                results = self.once(batch, step + s, epoch, samples)
            except NotFinite:
                return s
            for target, result in zip(out or (), results, strict=False):
                count = result.shape[0]
                target[first + s * count : first + (s + 1) * count] = result
            if max_seconds is not None and time.monotonic() - start >= max_seconds:
                return s + 1
        return steps
