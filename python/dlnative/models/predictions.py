"""Where the outputs of `predict` go: new arrays, or those that the user gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..utils import nest

Specs = list[tuple[tuple[int, ...], Any]]


def given_arrays(out: Any, specs: Specs, rows: int | None) -> list[np.ndarray]:
    """The arrays of `predict(out=...)`, flat, of which each can be written to.

    Args:
        out: An array, or arrays nested as the outputs of the model.
        specs: (shape of a row, dtype) of each output.
        rows: How many rows there will be, or None where that is not known.

    Raises:
        TypeError: Something else than arrays, or another dtype.
        ValueError: Another number of arrays, another shape, an array that cannot be written to, or
            two that share memory.
    """
    arrays = nest.flatten(out)
    if len(arrays) != len(specs):
        raise ValueError(
            f"out: expected {len(specs)} arrays, one per output of the model, received "
            f"{len(arrays)}"
        )
    for i, (array, (shape, dtype)) in enumerate(zip(arrays, specs, strict=True)):
        name = "out" if len(specs) == 1 else f"out[{i}]"
        if not isinstance(array, np.ndarray):
            raise TypeError(f"{name}: expected an array, received {type(array).__name__}")
        if array.dtype != dtype:
            raise TypeError(f"{name}: expected dtype {dtype}, received {array.dtype}")
        if array.shape[1:] != shape or (rows is not None and array.shape[0] != rows):
            expected = ", ".join(str(n) for n in ("rows" if rows is None else rows, *shape))
            raise ValueError(f"{name}: expected shape ({expected}), received {array.shape}")
        if not array.flags.c_contiguous or not array.flags.writeable:
            what = "writable" if array.flags.c_contiguous else "C-contiguous"
            raise ValueError(f"{name}: expected a {what} array")
        for j in range(i):
            if np.may_share_memory(array, arrays[j]):
                raise ValueError(f"{name}: expected memory of its own, received that of out[{j}]")
    return arrays


def check_apart(
    arrays: Sequence[np.ndarray], inputs: Sequence[np.ndarray | None], first: int = 0
) -> None:
    """Raises where writing outputs would change inputs that are read after that.

    Inputs may be overwritten by the outputs of the very same rows: a step has read them.

    Args:
        arrays: What outputs are written into.
        inputs: What is read.
        first: The row of `arrays` that the outputs of the first row of `inputs` become.
    """
    for array in arrays:
        for given in inputs:
            if given is None or not np.may_share_memory(array, given):
                continue
            same = given.ctypes.data == array.ctypes.data + first * array.strides[0]
            if not (same and given.flags.c_contiguous and given.strides[0] == array.strides[0]):
                raise ValueError(
                    "out: expected memory that x does not use, or row by row the same, received "
                    "an array that overlaps x otherwise: rows of x would be overwritten before "
                    "they are read. Give a new array, or a copy of x"
                )


class Predictions:
    """The outputs of batches whose number is not known beforehand.

    Args:
        out: What the user gives to `predict(out=...)`, or None.

    Attributes:
        structure: How the outputs of the model are nested, once that is known.
    """

    def __init__(self, out: Any = None) -> None:
        self.structure: Any = None
        self._out = out
        self._given: list[np.ndarray] | None = None
        self._batches: list[list[np.ndarray]] = []
        self._rows = 0

    def next(
        self, specs: Specs, rows: int, inputs: Sequence[np.ndarray | None]
    ) -> list[np.ndarray]:
        """Arrays for the outputs of a batch.

        Args:
            specs: (shape of a row, dtype) of each output.
            rows: Number of rows.
            inputs: The arrays of the batch.
        """
        if self._out is not None and self._given is None:
            self._given = given_arrays(self._out, specs, None)
        first, self._rows = self._rows, self._rows + rows
        if self._given is None:
            arrays = [np.empty((rows, *shape), dtype) for shape, dtype in specs]
            self._check_shapes(arrays)
        else:
            check_apart(self._given, inputs, first)
            arrays = [array[first : self._rows] for array in self._given]
            if len(arrays[0]) < rows:
                raise ValueError(
                    f"out: expected room for all rows, received {len(self._given[0])} rows; there "
                    f"are at least {self._rows}"
                )
        self._batches.append(arrays)
        return arrays

    def add(self, outputs: Sequence[np.ndarray], inputs: Sequence[np.ndarray | None]) -> None:
        """Takes the outputs of a batch whose shapes were not known, and its arrays."""
        specs = [(array.shape[1:], array.dtype) for array in outputs]
        targets = self.next(specs, len(outputs[0]), inputs)
        for target, array in zip(targets, outputs, strict=True):
            target[...] = array

    def _check_shapes(self, arrays: list[np.ndarray]) -> None:
        for array, first in zip(arrays, self._batches[0] if self._batches else arrays, strict=True):
            if array.shape[1:] != first.shape[1:]:
                raise ValueError(
                    f"predict: expected outputs of shape {first.shape[1:]} per row, as those "
                    f"before, received {array.shape[1:]}; predict batch by batch"
                )

    def last(self, count: int | None) -> list[np.ndarray]:
        """The outputs of the last `count` batches, or of all."""
        if count is None and self._given is not None:
            return [array[: self._rows] for array in self._given]
        batches = self._batches if count is None else self._batches[-count:]
        if not batches:
            raise ValueError("x: expected at least one batch to predict for, received none")
        return [np.concatenate(parts) for parts in zip(*batches, strict=True)]
