"""Ops that move elements to and from given places; `scatter` computes with them on the way.

Elements have any dtype, and results that of `x`. Indices are int32 or int64; negative ones count
from the end, and one that is out of range raises ValueError.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import numpy as np

from ._arrays import Array, as_array, check_shape


def strided_slice(
    x: Array, starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int]
) -> Array:
    """`y[i, j, ...] = x[starts[0] + i * steps[0], starts[1] + j * steps[1], ...]`.

    `y` has the shape `sizes`; steps may be negative, but not 0.

    Raises:
        ValueError: An element lies outside of `x`.
    """
    places = []
    for axis, (start, size, step) in enumerate(zip(starts, sizes, steps, strict=True)):
        place = start + np.arange(size) * step
        if step == 0 or np.any((place < 0) | (place >= x.shape[axis])):
            raise ValueError(
                f"strided_slice: {size} elements from {start} with steps of {step} lie outside of "
                f"axis {axis} of size {x.shape[axis]}."
            )
        places.append(place)
    return as_array(x[np.ix_(*places)] if places else x.copy(), x.dtype)


def pad(
    x: Array,
    low: Sequence[int],
    high: Sequence[int],
    interior: Sequence[int] | None = None,
    value: float = 0,
) -> Array:
    """Put `value` around the elements of `x`, and between them.

    On axis `k`, `low[k]` elements come before `x`, `high[k]` after it and `interior[k]`
    between any two neighbours.
    """
    interior = [0] * x.ndim if interior is None else interior
    shape, places = [], []
    for n, before, after, between in zip(x.shape, low, high, interior, strict=True):
        shape.append(before + n + builtins.max(n - 1, 0) * between + after)
        places.append(before + np.arange(n) * (between + 1))
    y = np.full(shape, value, dtype=x.dtype)
    if places:
        y[np.ix_(*places)] = x
    else:
        y[...] = x
    return y


def take(x: Array, indices: Array, axis: int = -1) -> Array:
    """`y = x[..., indices, ...]`: `axis` is replaced by the shape of `indices`.

    Raises:
        ValueError: An index is out of range.
    """
    axis = axis % x.ndim
    places = _places("take", indices, axis, x.shape[axis])
    return as_array(np.take(x, places, axis=axis), x.dtype)


def take_along_axis(x: Array, indices: Array, axis: int = -1) -> Array:
    """`y[i, j, k] = x[i, indices[i, j, k], k]`, here for `axis` 1 of 3.

    `indices` and `y` have the shape of `x` except for the size of `axis`.

    Raises:
        ValueError: `indices` has another shape, or one of them is out of range.
    """
    axis = axis % x.ndim
    _check_along_axis("take_along_axis", x, indices, axis)
    places = _places("take_along_axis", indices, axis, x.shape[axis])
    return as_array(np.take_along_axis(x, places, axis=axis), x.dtype)


def scatter(x: Array, indices: Array, updates: Array, mode: str = "add") -> Array:
    """Update rows of a copy of `x`: `y[indices[i]] op= updates[i]` for `i = 0, 1, ...`.

    `mode` is "add", "set", "max", "min" or "multiply". Where an index occurs several times its
    updates come one after the other; the last one stays with "set". A NaN wins "max" and "min".
    Of bool, the sum is "or" and the product "and"; integers wrap. `indices` has one axis;
    `updates` has its size and the shape of a row.

    Raises:
        ValueError: An index is out of range, `mode` is unknown, or shapes do not fit.
    """
    check_shape("scatter", "updates", updates, (len(indices), *x.shape[1:]))
    places = _places("scatter", indices, 0, x.shape[0])
    y = x.copy()
    for place, update in zip(places, updates, strict=True):
        y[place] = _updated("scatter", y[place], update, mode)
    return y


def scatter_along_axis(
    x: Array, indices: Array, updates: Array, axis: int = -1, mode: str = "add"
) -> Array:
    """Update a copy of `x`: `y[i, indices[i, j, k], k] op= updates[i, j, k]` in the order of j.

    The places are those that `take_along_axis` reads, here for `axis` 1 of 3; `mode` is as in
    `scatter`.

    Raises:
        ValueError: An index is out of range, `mode` is unknown, or shapes do not fit.
    """
    axis = axis % x.ndim
    _check_along_axis("scatter_along_axis", x, indices, axis)
    check_shape("scatter_along_axis", "updates", updates, indices.shape)
    places = _places("scatter_along_axis", indices, axis, x.shape[axis])
    y = x.copy()
    for j in range(indices.shape[axis]):
        at = np.take(places, [j], axis=axis)
        old = np.take_along_axis(y, at, axis=axis)
        new = _updated("scatter_along_axis", old, np.take(updates, [j], axis=axis), mode)
        np.put_along_axis(y, at, new, axis=axis)
    return y


def _places(op: str, indices: Array, axis: int, size: int) -> Array:
    """`indices` counted from the front."""
    wrong = indices[(indices < -size) | (indices >= size)]
    if wrong.size:
        raise ValueError(f"{op}: index {wrong[0]} is out of range for axis {axis} of size {size}")
    return np.where(indices < 0, indices + size, indices)


def _check_along_axis(op: str, x: Array, indices: Array, axis: int) -> None:
    expected = list(x.shape)
    if indices.ndim == x.ndim:
        expected[axis] = indices.shape[axis]
    check_shape(op, "indices", indices, tuple(expected))


def _updated(op: str, old: Array, update: Array, mode: str) -> Array:
    functions = {"add": np.add, "max": np.maximum, "min": np.minimum, "multiply": np.multiply}
    if mode == "set":
        return update
    if mode not in functions:
        expected = "', '".join([*functions, "set"])
        raise ValueError(f"{op}: expected mode '{expected}', received '{mode}'.")
    return functions[mode](old, update)
