"""`tensor[key]` with NumPy's meaning, made of strided_slice, reshape and take.

Slices (also with negative steps), integers, None and `...` are one strided slice and one reshape.
Integer arrays and tensors pick rows; several of them are broadcast together, as in NumPy.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from .dtypes import INTEGERS
from .open_shapes import Open
from .tensor import Tensor, ValueTensor, apply, is_variable
from .types import Size

_ARRAYS = (Tensor, np.ndarray, list, tuple)


def get_item(x: Tensor, key: Any) -> Tensor:
    """x[key]

    Args:
        x: A tensor.
        key: Integers, slices, None, `...`, arrays of integers (lists, NumPy arrays or tensors), or
            a tuple of these; arrays of booleans only where they are known.

    Raises:
        IndexError: An integer is out of range, or there are more indices than axes.
        TypeError: The shape of the result would depend on values that are not known yet.
    """
    if x.is_symbolic:
        return symbolic_get_item(x, encoded(key))
    items = _expanded(x, key if isinstance(key, tuple) else (key,))
    starts, sizes, steps, shape = [], [], [], []
    arrays = []  # (axis of the result without them, indices)
    axis = 0
    for item in items:
        if item is None:
            shape.append(1)
            continue
        size = x.shape[axis]
        if isinstance(item, slice):
            start, count, step = _span(item, size)
            shape.append(count)
        elif _is_array(item):
            start, count, step = 0, size, 1
            arrays.append((len(shape), _indices(item, size)))
            shape.append(size)
        else:
            start, count, step = _position(item, size, axis, x), 1, 1
        starts.append(start)
        sizes.append(count)
        steps.append(step)
        axis += 1
    if any(n != m for n, m in zip(sizes, x.shape)) or any(step != 1 for step in steps):
        x = apply("strided_slice", x, starts=starts, sizes=sizes, steps=steps)
    if tuple(shape) != x.shape:
        x = apply("reshape", x, shape=tuple(shape))
    return _pick(x, arrays, items) if arrays else x


def symbolic_get_item(x: Tensor, key: Any) -> Tensor:
    """x[key] of a symbolic tensor. The layers, which make such tensors, put theirs here."""
    raise TypeError(f"[] of {x!r}, which no layer has made")


def encoded(key: Any) -> Any:
    """A key made of what a configuration can hold: slices as dicts and `...` as a string."""
    if isinstance(key, tuple):
        return {"items": [encoded(item) for item in key]}
    if isinstance(key, slice):
        return {"start": key.start, "stop": key.stop, "step": key.step}
    if isinstance(key, np.ndarray):
        return key.tolist()
    return "..." if key is Ellipsis else key


def decoded(key: Any) -> Any:
    """The key that `encoded` was given; arrays are lists."""
    if isinstance(key, tuple):
        return tuple(map(decoded, key))
    if isinstance(key, dict):
        if "items" in key:
            return tuple(map(decoded, key["items"]))
        return slice(key["start"], key["stop"], key["step"])
    return Ellipsis if isinstance(key, str) and key == "..." else key


def _expanded(x: Tensor, key: tuple[Any, ...]) -> list[Any]:
    """The items of a key: one for each axis and each None; masks are the indices that they hold."""
    items = []
    for item in key:
        mask = _as_mask(item)
        if mask is None:
            items.append(item)
        elif isinstance(item, (bool, np.bool_)):
            raise IndexError("a boolean is no index; write x[None] for a new axis")
        else:
            items += list(np.nonzero(mask))
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > x.ndim:
        raise IndexError(f"too many indices: {used} for a tensor of shape {x.shape}")
    dots = [i for i, item in enumerate(items) if item is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    missing = [slice(None)] * (x.ndim - used)
    if not dots:
        return items + missing
    return items[: dots[0]] + missing + items[dots[0] + 1 :]


def _as_mask(item: Any) -> Any:
    """The booleans of an index, None where it is none."""
    dtype = getattr(item, "dtype", None)
    if isinstance(item, (bool, np.bool_)):
        return item
    if isinstance(item, list):
        item = np.asarray(item)
        dtype = item.dtype if item.size else None
    if dtype is None or dtype not in ("bool", np.dtype(bool)):
        return None
    if isinstance(item, np.ndarray):
        return item
    if isinstance(item, ValueTensor):
        return item.value
    raise TypeError(
        "the shape of x[mask] would depend on the values of the mask: use "
        "dlnative.ops.where(mask, x, 0), or multiply by the mask"
    )


def _is_array(item: Any) -> bool:
    return isinstance(item, (Tensor, np.ndarray, list)) or is_variable(item)


def _indices(item: Any, size: Size) -> Any:
    if isinstance(item, ValueTensor):
        item = item.value
    if isinstance(item, Tensor) or is_variable(item):
        if item.dtype not in INTEGERS:
            raise IndexError(f"expected indices of an integer dtype, received {item.dtype}")
        return item
    array = np.asarray(item) if np.size(item) else np.zeros(np.shape(item), "int32")
    if array.dtype.kind not in "iu":
        raise IndexError(f"expected indices of an integer dtype, received {array.dtype}")
    if size is not None and array.size and (array.min() < -size or array.max() >= size):
        bad = array.max() if array.max() >= size else array.min()
        raise IndexError(f"index {bad} is out of range for an axis of size {size}")
    return array.astype("int64" if array.size and np.abs(array).max() >= 2**31 else "int32")


def _position(item: Any, size: Size, axis: int, x: Tensor) -> int:
    try:
        index = operator.index(item)
    except TypeError:
        raise TypeError(
            f"expected an integer, a slice, None, '...' or an array of integers as an index, "
            f"received {item!r}"
        ) from None
    if size is None:
        if index < 0:
            raise TypeError(f"index {index} from the end of axis {axis}, which has no size yet")
        return index
    if not -size <= index < size:
        raise IndexError(
            f"index {index} is out of range for axis {axis} of a tensor of shape {x.shape}"
        )
    return index % size


def _span(item: slice, size: Size) -> tuple[int, Size, int]:
    """First index, number of indices and step of a slice."""
    if item == slice(None):
        return 0, size, 1
    if size is None:  # how many indices there are depends on the size
        return 0, None, 1
    indices = range(*item.indices(int(size)))
    start = indices.start if len(indices) else 0
    count = len(indices)
    if isinstance(size, Open):
        # Where two sizes have equally many indices, a smaller one may have fewer: any other number
        # of them for each size says that the result is open.
        is_bounded = count == len(range(*item.indices(2 * size)))
        count = Open(count + size if is_bounded else count)
    return start, count, indices.step


def _pick(x: Tensor, arrays: list[tuple[int, Any]], items: list[Any]) -> Tensor:
    """x with the axes of `arrays` replaced by what their indices pick."""
    if len(arrays) == 1:
        axis, indices = arrays[0]
        return apply("take", x, indices, axis=axis)
    # Several: broadcast together, and counted as one index into their axes laid side by side.
    axes = [axis for axis, _ in arrays]
    others = [i for i in range(x.ndim) if i not in axes]
    sizes = [x.shape[axis] for axis in axes]
    linear = linear_index([indices for _, indices in arrays], sizes)
    first = apply("transpose", x, axes=tuple(axes + others))
    rest = tuple(x.shape[i] for i in others)
    flat = apply("reshape", first, shape=(int(np.prod(sizes)), *rest))
    picked = apply("take", flat, linear, axis=0)
    if not _adjacent(items):
        return picked
    place, rank = axes[0], linear.ndim
    order = [*range(rank, rank + place), *range(rank), *range(rank + place, picked.ndim)]
    return apply("transpose", picked, axes=tuple(order)) if place else picked


def linear_index(parts: Sequence[Any], sizes: Sequence[Size]) -> Tensor:
    """The one index that several, one for each axis of `sizes`, are into these axes as one.

    Where one of them is out of range the result is, too, so that it raises when it is used.
    """
    total = math.prod(sizes)
    dtype = "int32" if total < 2**31 and all(str(p.dtype) == "int32" for p in parts) else "int64"
    result = outside = None
    for part, size in zip(parts, sizes, strict=True):
        part = apply("cast", part, dtype=dtype)
        part = apply("where", part < 0, part + size, part)
        beyond = (part < 0) | (part >= size)
        outside = beyond if outside is None else outside | beyond
        result = part if result is None else result * size + part
    return apply("where", outside, total, result)


def _adjacent(items: list[Any]) -> bool:
    """Whether the arrays of a key stand next to each other: NumPy then leaves them in place."""
    places = [i for i, item in enumerate(items) if _is_array(item)]
    integers = [i for i, item in enumerate(items) if _is_integer(item)]
    together = sorted(places + integers)
    return together == list(range(together[0], together[-1] + 1))


def _is_integer(item: Any) -> bool:
    return item is not None and not isinstance(item, slice) and not _is_array(item)
