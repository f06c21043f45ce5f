"""Reductions over axes, and `broadcast_to`, which undoes the shape change of a sum.

`axis` is None (all axes), a number, or several; `keepdims` leaves axes of size 1 in
their places. Dtypes: float32 or float64, the same out as in; `argmax` returns int32.
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


def sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Array:
    """Sum over `axis`; 0 over no elements."""
    return as_array(np.sum(x, axis=_axes(x, axis), keepdims=keepdims), x.dtype)


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


def argmax(x: Array, axis: int = -1) -> Array:
    """Index of the largest element along `axis`, the first one of equals, as int32.

    Raises:
        ValueError: There is no element to take the maximum of.
    """
    return as_array(np.argmax(x, axis=axis), np.int32)


def broadcast_to(x: Array, shape: tuple[int, ...]) -> Array:
    """Repeat `x` along new axes and axes of size 1 until it has `shape`."""
    return np.array(np.broadcast_to(x, shape))
