"""Reductions over axes, scans and orders along one, and `broadcast_to`, which undoes a sum.

`axis` is None (all axes), a number, or several; `keepdims` leaves axes of size 1 in
their places. The dtype is the same out as in, integers wrap; results that are indices are int32.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ._arrays import Array, as_array

Axis = int | Sequence[int] | None


def _axes(x: Array, axis: Axis) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(x.ndim))
    return (axis,) if isinstance(axis, int) else tuple(axis)


def _wide(x: Array) -> np.dtype:
    """The dtype in which elements are multiplied, and added one after the other."""
    return np.dtype(np.float64) if x.dtype == np.float32 else x.dtype


def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over `axis`; 0 over no elements."""
    dtype = x.dtype  # NumPy would add int32 as int64
    return as_array(np.sum(x, axis=_axes(x, axis), keepdims=keepdims, dtype=dtype), dtype)


def prod(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Product over `axis`, of float32 in float64; 1 over no elements."""
    y = np.prod(x, axis=_axes(x, axis), keepdims=keepdims, dtype=_wide(x))
    return as_array(y, x.dtype)


def mean(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Arithmetic mean over `axis`: the sum divided by the number of elements in it."""
    count = math.prod(x.shape[a] for a in _axes(x, axis))
    return as_array(np.sum(x, axis=_axes(x, axis), keepdims=keepdims) / count, x.dtype)


def max(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Largest element over `axis`; NaN if one is NaN.

    Raises:
        ValueError: There is no element to take the maximum of.
    """
    return as_array(np.max(x, axis=_axes(x, axis), keepdims=keepdims), x.dtype)


def min(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Smallest element over `axis`; NaN if one is NaN.

    Raises:
        ValueError: There is no element to take the minimum of.
    """
    return as_array(np.min(x, axis=_axes(x, axis), keepdims=keepdims), x.dtype)


def any(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether one element over `axis` is True; False over no elements. Dtype: bool."""
    return as_array(np.any(x, axis=_axes(x, axis), keepdims=keepdims), x.dtype)


def all(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Whether all elements over `axis` are True; True over no elements. Dtype: bool."""
    return as_array(np.all(x, axis=_axes(x, axis), keepdims=keepdims), x.dtype)


def argmax(x: Array, axis: int = -1) -> Array:
    """Index of the largest element along `axis`, the first one of equals, as int32.

    Raises:
        ValueError: There is no element to take the maximum of.
    """
    return as_array(np.argmax(x, axis=axis), np.int32)


def argmin(x: Array, axis: int = -1) -> Array:
    """Index of the smallest element along `axis`, the first one of equals, as int32.

    Raises:
        ValueError: There is no element to take the minimum of.
    """
    return as_array(np.argmin(x, axis=axis), np.int32)


def cumsum(x: Array, axis: int = -1, reverse: bool = False) -> Array:
    """Running sum along `axis`, from the end with `reverse`; float32 is added in float64."""
    return _scan(np.add, x, axis, reverse)


def cumprod(x: Array, axis: int = -1, reverse: bool = False) -> Array:
    """Running product along `axis`, from the end with `reverse`; float32 as float64."""
    return _scan(np.multiply, x, axis, reverse)


def _scan(function: np.ufunc, x: Array, axis: int, reverse: bool) -> Array:
    y = np.flip(x, axis) if reverse else x
    y = function.accumulate(y, axis=axis, dtype=_wide(x))
    return np.array(np.flip(y, axis) if reverse else y, dtype=x.dtype)


def argsort(x: Array, axis: int = -1, descending: bool = False) -> Array:
    """Indices that sort `x` along `axis`, as int32; equal elements keep their order.

    NaN is larger than all numbers.
    """
    if not descending:
        return as_array(np.argsort(x, axis=axis, kind="stable"), np.int32)
    # The last of the reversed order is the first of the descending one; so are equal elements.
    backwards = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return np.array(x.shape[axis] - 1 - np.flip(backwards, axis), dtype=np.int32)


def searchsorted(sorted: Array, values: Array, side: str = "left") -> Array:
    """How many elements of `sorted` are less than each value, or with "right" less or equal.

    `sorted` has one axis; NaN is larger than all numbers and equals itself. The result is int32.

    Raises:
        ValueError: `sorted` has more axes than one, or `side` is unknown.
    """
    if sorted.ndim != 1 or side not in ("left", "right"):
        raise ValueError(
            "searchsorted: expected a sorted array of one axis and side 'left' or 'right', "
            f"received shape {sorted.shape} and '{side}'."
        )
    return as_array(
        np.searchsorted(sorted, values, side="right" if side == "right" else "left"), np.int32
    )


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Repeat `x` along new axes and axes of size 1 until it has `shape`."""
    return np.array(np.broadcast_to(x, shape))
