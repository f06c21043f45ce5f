"""Arrays as they are fed: in the dtype of a feed, which may not have every value of an array."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import numpy as np

from .._core import FeedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..graph.tensor import Tensor


@functools.cache
def integer_limits(dtype: Any, source: Any) -> tuple[int, int] | None:
    """(smallest, largest) value of an integer dtype; None where each value of `source` has one.

    Floats lose their fraction, so that only those outside, infinities and NaN have none. What
    becomes a bool or a float has none that it cannot become.

    Args:
        dtype: What is fed.
        source: The dtype of the array.
    """
    if np.dtype(dtype).kind not in "iu" or np.can_cast(source, dtype, "safe"):
        return None
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def is_outside(array: np.ndarray, limits: tuple[int, int]) -> np.ndarray:
    """Where an array has a value that no integer within limits stands for, as bools."""
    low, high = limits
    if array.dtype.kind == "f":
        whole = np.trunc(array, dtype=np.float64)  # in which `high + 1` is exact
        return ~((whole >= low) & (whole < high + 1))
    own = np.iinfo(array.dtype)
    return (array < max(low, own.min)) | (array > min(high, own.max))


def describe_outside(value: Any, dtype: Any, limits: tuple[int, int]) -> str:
    """What is wrong with a value that is outside, and what to do."""
    wider = ", or give its Input a wider dtype (dtype='int64')" if dtype != "int64" else ""
    return (
        f"the value {value}, which {dtype} does not have: expected {limits[0]} to {limits[1]}. "
        f"Bring the data into that range{wider}"
    )


def check_range(array: np.ndarray, dtype: str, name: str | None, number: int = 0) -> None:
    """Raises where a dtype of integers does not have a value of an array.

    Args:
        array: The array.
        dtype: What it is fed as.
        name: Name of the feed, or None.
        number: Of the feed, which stands for a name.

    Raises:
        FeedError: It does not.
    """
    limits = integer_limits(dtype, array.dtype)
    if limits is None:
        return
    outside = is_outside(array, limits)
    if outside.any():
        value = array.reshape(-1)[int(np.argmax(outside))]
        feed = f"feed {number}" if name is None else f"'{name}'"
        raise FeedError(f"{feed}: received {describe_outside(value, dtype, limits)}")


def check_ranges(feeds: Iterable[Tensor], arrays: Iterable[Any]) -> None:
    """`check_range` of the array of each feed."""
    for number, (feed, array) in enumerate(zip(feeds, arrays, strict=True)):
        check_range(np.asarray(array), feed.dtype, getattr(feed.source, "name", None), number)


def fed(feed: Tensor, array: Any) -> np.ndarray:
    """A copy of an array in the dtype of a feed.

    Raises:
        FeedError: It has a value that this does not have.
    """
    check_ranges([feed], [array])
    return np.array(array, dtype=feed.dtype, order="C")
