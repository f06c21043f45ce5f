"""Data as the user gives it, as lists of NumPy arrays with the same number of rows."""

from __future__ import annotations

import functools
import hashlib
from typing import Any, NoReturn

import numpy as np

from .. import _core
from ..engines.feeding import describe_outside, integer_limits, is_outside
from ..losses.labels import CHUNK
from ..utils import nest
from . import frames

COLLECT = "Give NumPy arrays: np.stack(...) makes one of a list of samples"


class Rows:
    """A data set: flat lists of arrays for inputs, labels and weights, and how inputs are nested.

    Attributes:
        x: Input arrays, in the order of `nest.flatten`.
        y: One array or None per output of the model.
        weights: One array or None per output.
        structure: The inputs as given, nested, for the call of the model.
        count: Number of rows.
        y_structure, weight_structure: For a step of the user's, which takes labels and weights
            nested as given: how they are nested. `y` and `weights` are then their leaves.
    """

    __slots__ = ("count", "structure", "weight_structure", "weights", "x", "y", "y_structure")

    def __init__(
        self,
        x: list[Any],
        y: list[Any],
        weights: list[Any],
        structure: Any,
        count: int,
        y_structure: Any = None,
        weight_structure: Any = None,
    ) -> None:
        self.x = x
        self.y = y
        self.weights = weights
        self.structure = structure
        self.count = count
        self.y_structure = y_structure
        self.weight_structure = weight_structure

    def split(self, at: int) -> tuple[Rows, Rows]:
        """Rows before `at` and rows from `at` on, as views."""
        return self._slice(slice(None, at), at), self._slice(slice(at, None), self.count - at)

    def slice(self, start: int, stop: int) -> Rows:
        """Rows from `start` to `stop`, as views."""
        return self._slice(slice(start, stop), stop - start)

    def _slice(self, rows: Any, count: int) -> Rows:
        def cut(arrays: list[Any]) -> list[Any]:
            return [None if a is None else a[rows] for a in arrays]

        structure = nest.map_given(lambda a: a[rows], self.structure)
        nested = self.y_structure, self.weight_structure
        return Rows(
            nest.flatten(structure), cut(self.y), cut(self.weights), structure, count, *nested
        )


SAMPLED = 64  # rows whose values are compared


def describe_array(array: np.ndarray | None) -> dict[str, Any] | None:
    """Shape and dtype of an array, and a digest of some of its rows, as plain values."""
    if array is None:
        return None
    rows = np.linspace(0, len(array) - 1, min(len(array), SAMPLED)).astype(np.int64)
    content = np.ascontiguousarray(array[rows]).tobytes()
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.name,
        "sample": hashlib.sha256(content).hexdigest()[:16],
    }


def as_structure(value: Any, what: str) -> Any:
    """Arrays, nested as given; a list of numbers (or of rows of numbers) is one array.

    A Series is a column, as in Keras.
    """
    if isinstance(value, dict):
        return {key: _leaf(item, f"{what}[{key!r}]") for key, item in value.items()}
    if isinstance(value, (list, tuple)) and value and not is_numbers(value):
        return type(value)(_leaf(item, f"{what}[{i}]") for i, item in enumerate(value))
    array = as_array(value, what)
    return array[:, None] if frames.is_series(value) else array


def _leaf(value: Any, what: str) -> Any:
    """A part of a structure; None where an optional input is not given."""
    return None if value is None else as_structure(value, what)


def is_numbers(value: Any) -> bool:
    """Whether a list stands for one array: its innermost items are numbers, strings or nothing."""
    while isinstance(value, (list, tuple)):
        if not value:
            return True
        value = value[0]
    return isinstance(value, (int, float, complex, str, bytes, np.generic))


def as_array(value: Any, what: str) -> np.ndarray:
    """`value` as an array of numbers with at least one row; no copy where it is an array already.

    Raises:
        TypeError: A generator, a data set object, or an array of something else than numbers.
        ValueError: A single number, no rows, or rows of different lengths.
    """
    if not isinstance(value, np.ndarray):
        value = _convert(value, what)
    if value.dtype.kind not in "biuf" or value.dtype.itemsize > 8:
        hint = ""
        if value.dtype.kind == "O":
            hint = " Rows must be numbers and of equal length."
        elif value.dtype.kind in "US":
            hint = " Strings must be encoded as numbers first."
        raise TypeError(
            f"{what}: expected an array of numbers, received dtype {value.dtype}.{hint}"
        )
    if value.ndim == 0:
        raise ValueError(
            f"{what}: expected an array with samples on its first axis, received one number"
        )
    if value.shape[0] == 0:
        raise ValueError(
            f"{what}: expected at least one sample, received an empty array of shape {value.shape}"
        )
    if value.size == 0:
        raise ValueError(
            f"{what}: expected samples with at least one value, received shape {value.shape}"
        )
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    return value


def _convert(value: Any, what: str) -> np.ndarray:
    """Lists of numbers, data frames and objects with `__array__` (tensors) as arrays."""
    if value is None:
        raise ValueError(f"{what}: expected an array, received None")
    if frames.is_frame(value):
        return frames.frame_array(value, what)
    if frames.is_series(value):
        return frames.series_array(value, what)
    package = type(value).__module__.partition(".")[0]
    if package == "scipy" and hasattr(value, "toarray"):
        raise TypeError(
            f"{what}: expected an array, received a sparse {type(value).__name__}. Give "
            "`.toarray()`, batch by batch if the whole does not fit in memory"
        )
    if package == "polars" and hasattr(value, "collect"):
        raise TypeError(f"{what}: expected a DataFrame, received a LazyFrame. Give `.collect()`")
    if package == "torch" and hasattr(value, "detach"):
        value = value.detach().cpu()
    if not isinstance(value, (list, tuple)) and not hasattr(value, "__array__"):
        kind = type(value).__name__
        if (
            hasattr(value, "__next__")
            or hasattr(value, "__iter__")
            or hasattr(value, "__getitem__")
        ):
            raise TypeError(f"{what}: expected arrays, received {kind}. {COLLECT}.")
        raise TypeError(f"{what}: expected an array, received {value!r} of type {kind}")
    try:
        return np.asarray(value)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{what}: expected rows of equal length, received {_first_lengths(value)} ({error})"
        ) from None


def _first_lengths(value: Any) -> str:
    try:
        return f"rows of lengths {[len(row) for row in value[:5]]}"
    except TypeError:
        return type(value).__name__


def check_counts(named: list[tuple[str, Any]]) -> int:
    """The number of rows that all arrays have.

    Args:
        named: List of (name, array or None).

    Raises:
        ValueError: They differ; the message gives each.
    """
    counts = [(name, array.shape[0]) for name, array in named if array is not None]
    if len({count for _, count in counts}) > 1:
        sizes = ", ".join(f"{name} has {count}" for name, count in counts)
        raise ValueError(f"Expected the same number of samples in all arrays: {sizes}")
    return counts[0][1]


def named_leaves(structure: Any, what: str) -> list[tuple[str, Any]]:
    """(name, array) of every leaf, in the order of `nest.flatten`."""
    if isinstance(structure, dict):
        return [
            leaf
            for key in sorted(structure)
            for leaf in named_leaves(structure[key], f"{what}[{key!r}]")
        ]
    if isinstance(structure, (list, tuple)):
        return [
            leaf for i, item in enumerate(structure) for leaf in named_leaves(item, f"{what}[{i}]")
        ]
    return [(what, structure)]


def check_finite(what: str, array: np.ndarray | None, dtype: Any) -> None:
    """Raises where an array has a value that `dtype` has not; the message names the first sample.

    Floats must not have a NaN or an infinity, integers must not have what is outside of their
    range. The array is read in pieces, and not copied.

    Args:
        what: Name of the array.
        array: The array, or None.
        dtype: The dtype in which it is computed with: what that cannot hold becomes infinite.

    Raises:
        ValueError: The array has such a value.
    """
    if array is None:
        return
    limits = integer_limits(dtype, array.dtype)
    if limits is None and (array.dtype.kind != "f" or np.dtype(dtype).kind != "f"):
        return
    if array.size <= CHUNK and _surely_fits(array, dtype, limits):
        return
    rows = max(1, CHUNK // max(1, array[:1].size))
    for start in range(0, array.shape[0], rows):
        part = array[start : start + rows]
        if _surely_fits(part, dtype, limits):
            continue
        if limits is not None:
            fits = ~is_outside(part, limits)
        else:
            with np.errstate(over="ignore"):
                fits = np.isfinite(part.astype(dtype))
        if not fits.all():  # a value beyond the largest may be rounded to it
            _fail(what, part, fits.reshape(len(part), -1), start, dtype, limits)


def _fail(
    what: str,
    part: np.ndarray,
    fits: np.ndarray,
    start: int,
    dtype: Any,
    limits: tuple[int, int] | None,
) -> NoReturn:
    """Raises for the first value that does not fit, of rows from `start` on."""
    row = int(np.argmin(fits.all(axis=1)))
    column = int(np.argmin(fits[row]))
    value = part[row].reshape(-1)[column]
    place = f" in column {column}" if part.ndim == 2 and part.shape[1] > 1 else ""
    has = f"{what}: sample {start + row} has"
    if limits is not None:
        raise ValueError(f"{has} {describe_outside(f'{value}{place}', dtype, limits)}.")
    if np.isfinite(value):
        raise ValueError(
            f"{has} the value {value}{place}, which is infinite in {dtype}. Scale the data, or use "
            "dtype='float64' in the model; check_finite=False trains on it all the same."
        )
    raise ValueError(
        f"{has} the value {value}{place}. Clean the data (for example np.nan_to_num), or pass "
        "check_finite=False to train on it all the same."
    )


def _surely_fits(part: np.ndarray, dtype: Any, limits: tuple[int, int] | None) -> bool:
    """Whether `dtype` has every value; False also where that takes a closer look."""
    if limits is None:
        if part.dtype == _numpy_dtype(dtype) and part.flags.c_contiguous and part.flags.aligned:
            return _core.all_finite(part)
        largest = _largest(dtype)
        low, high = -largest, largest
    else:
        low, high = limits
    # NaN is the extremum of what has one, and compares as False. On data out of cache extrema take
    # about half the time of np.isfinite.
    top = np.maximum.reduce(part, axis=None).item()
    return bool(top <= high and np.minimum.reduce(part, axis=None).item() >= low)


@functools.cache
def _numpy_dtype(dtype: Any) -> np.dtype:
    return np.dtype(dtype)  # comparing with that takes a fifth of the time of doing so with a name


@functools.cache
def _largest(dtype: Any) -> float:
    return float(np.finfo(dtype).max)
