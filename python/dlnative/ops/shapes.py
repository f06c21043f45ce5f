"""keras.ops: the same values under other shapes, in another order, or repeated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.tensor import Tensor, ValueTensor, apply
from ..graph.types import Axes, Sizes, TensorLike
from . import arguments
from .core import shape as _shape
from .public import as_tensor, op


@op
def reshape(x: TensorLike, newshape: Sizes) -> Tensor:
    """y = x with the same values in the same order under another shape.

    Args:
        x: A tensor or array.
        newshape: An int or a tuple; one size may be -1: the one that fits.
    """
    x = as_tensor(x, name="reshape")
    new = arguments.integers("reshape", "newshape", newshape)
    if any(n < -1 for n in new) or new.count(-1) > 1:
        raise ValueError(
            f"reshape: expected newshape of sizes of at least 0, of which one may be -1, received "
            f"{new}"
        )
    if -1 in new:
        others = math.prod(n for n in new if n != -1)
        if not others or x.size % others:
            raise ValueError(f"reshape: no size in the place of -1 makes {new} fit {x.shape}")
        new = tuple(x.size // others if n == -1 else n for n in new)
    return apply("reshape", x, shape=new)


@op
def ravel(x: TensorLike) -> Tensor:
    """y = the values of x as a vector."""
    x = as_tensor(x, name="ravel")
    return apply("reshape", x, shape=(x.size,))


def size(x: TensorLike) -> int | Tensor:
    """The number of values: an int, or a tensor where an axis is open."""
    found = _shape(x)
    return _size(x) if None in found else math.prod(found)


@op
def _size(x: Any) -> Tensor:
    return as_tensor(math.prod(x.shape), "int32")


@op
def broadcast_to(x: TensorLike, shape: Sizes) -> Tensor:
    """y = x, repeated along the axes where its size is 1 and along new ones in front.

    Args:
        x: A tensor or array.
        shape: An int or a tuple.
    """
    shape = arguments.sizes("broadcast_to", "shape", shape)
    return apply("broadcast_to", as_tensor(x, name="broadcast_to"), shape=shape)


@op
def expand_dims(x: TensorLike, axis: Sizes) -> Tensor:
    """y = x with new axes of size 1.

    Args:
        x: A tensor or array.
        axis: An int or several: where the new axes are in the result.
    """
    x = as_tensor(x, name="expand_dims")
    count = len(arguments.integers("expand_dims", "axis", axis))
    places = arguments.axes("expand_dims", axis, x.ndim + count)
    own = iter(x.shape)
    new = tuple(1 if i in places else next(own) for i in range(x.ndim + count))
    return apply("reshape", x, shape=new)


@op
def squeeze(x: TensorLike, axis: Axes = None) -> Tensor:
    """y = x without axes of size 1.

    Args:
        x: A tensor or array.
        axis: An int or several, all of size 1; by default all axes of size 1.
    """
    x = as_tensor(x, name="squeeze")
    gone = [i for i, n in enumerate(x.shape) if n == 1]
    if axis is not None:
        axes = arguments.axes("squeeze", axis, x.ndim)
        for a in axes:
            if a not in gone:
                raise ValueError(f"squeeze: axis {a} of shape {x.shape} has not the size 1")
        gone = list(axes)
    return apply("reshape", x, shape=tuple(n for i, n in enumerate(x.shape) if i not in gone))


def _ordered(x: Tensor, order: Sequence[int]) -> Tensor:
    """x with its axes in this order."""
    return x if list(order) == list(range(x.ndim)) else apply("transpose", x, axes=tuple(order))


@op
def transpose(x: TensorLike, axes: Sequence[int] | None = None) -> Tensor:
    """y[i_axes[0], i_axes[1], ...] = x[i_0, i_1, ...]: the axes in the order `axes`.

    Args:
        x: A tensor or array.
        axes: A permutation of the axes; by default from the last to the first.
    """
    x = as_tensor(x, name="transpose")
    order = (
        range(x.ndim)[::-1] if axes is None else arguments.axes("transpose", axes, x.ndim, "axes")
    )
    if len(order) != x.ndim:
        raise ValueError(f"transpose: expected a permutation of {x.ndim} axes, received {axes}")
    return _ordered(x, order)


@op
def swapaxes(x: TensorLike, axis1: int, axis2: int) -> Tensor:
    """y = x with two of its axes in each other's place."""
    x = as_tensor(x, name="swapaxes")
    a = arguments.axis("swapaxes", axis1, x.ndim, "axis1")
    b = arguments.axis("swapaxes", axis2, x.ndim, "axis2")
    order = list(range(x.ndim))
    order[a], order[b] = b, a
    return _ordered(x, order)


@op
def moveaxis(x: TensorLike, source: Sizes, destination: Sizes) -> Tensor:
    """y = x with axes moved to other places; the others stay in their order.

    Args:
        x: A tensor or array.
        source: An axis or several.
        destination: Where each of them is in the result.
    """
    x = as_tensor(x, name="moveaxis")
    sources = arguments.axes("moveaxis", source, x.ndim, "source")
    destinations = arguments.axes("moveaxis", destination, x.ndim, "destination")
    if len(sources) != len(destinations):
        raise ValueError(
            f"moveaxis: expected as many axes in source as in destination, received {source} and "
            f"{destination}"
        )
    order = [i for i in range(x.ndim) if i not in sources]
    for place, axis in sorted(zip(destinations, sources)):
        order.insert(place, axis)
    return _ordered(x, order)


def _flipped(x: Tensor, axes: Sequence[int]) -> Tensor:
    return x[tuple(slice(None, None, -1 if i in axes else None) for i in range(x.ndim))]


@op
def flip(x: TensorLike, axis: Axes = None) -> Tensor:
    """y = x from the last to the first index along `axis`: an int, several, or None for all."""
    x = as_tensor(x, name="flip")
    return _flipped(x, arguments.axes("flip", axis, x.ndim))


@op
def fliplr(x: TensorLike) -> Tensor:
    """y = x from the last to the first column: `flip` along axis 1."""
    return _flipped(arguments.rank("fliplr", as_tensor(x, name="fliplr"), 2), (1,))


@op
def flipud(x: TensorLike) -> Tensor:
    """y = x from the last to the first row: `flip` along axis 0."""
    return _flipped(arguments.rank("flipud", as_tensor(x, name="flipud"), 1), (0,))


@op
def rot90(array: TensorLike, k: int = 1, axes: Sequence[int] = (0, 1)) -> Tensor:
    """y = the array turned by k times 90 degrees, from the first of two axes to the second.

    Args:
        array: A tensor or array of at least two axes.
        k: How often, an int.
        axes: Two axes.
    """
    x = arguments.rank("rot90", as_tensor(array, name="rot90"), 2)
    plane = arguments.axes("rot90", axes, x.ndim, "axes")
    if len(plane) != 2:
        raise ValueError(f"rot90: expected two axes, received {axes}")
    turns = arguments.integer("rot90", "k", k) % 4
    order = list(range(x.ndim))
    order[plane[0]], order[plane[1]] = plane[1], plane[0]
    if turns == 0:
        return x
    if turns == 2:
        return _flipped(x, plane)
    if turns == 1:
        return _ordered(_flipped(x, plane[1:]), order)
    return _flipped(_ordered(x, order), plane[1:])


@op
def roll(x: TensorLike, shift: TensorLike, axis: Axes = None) -> Tensor:
    """y[i] = x[(i - shift) mod n]

    Args:
        x: A tensor or array.
        shift: An int, or one for each axis. An integer tensor of a model, too, for one axis.
        axis: An int or several; by default the values are rolled as one vector.
    """
    x = as_tensor(x, name="roll")
    if axis is None:
        return apply("reshape", roll(ravel(x), shift, 0), shape=x.shape)
    axes = tuple(
        arguments.axis("roll", a, x.ndim) for a in arguments.integers("roll", "axis", axis)
    )
    if isinstance(shift, Tensor) and not isinstance(shift, ValueTensor):
        if shift.ndim or len(axes) != 1:
            raise ValueError("roll: a shift that is a tensor of a model must be one number")
        rows = np.arange(x.shape[axes[0]], dtype="int32") - shift
        return apply("take", x, rows % max(x.shape[axes[0]], 1), axis=axes[0])
    shifts = arguments.integers("roll", "shift", arguments.known("roll", shift, "give ints"))
    if len(shifts) != len(axes) and 1 not in (len(shifts), len(axes)):
        raise ValueError(f"roll: expected one shift for each axis of {axis}, received {shift}")
    count = max(len(shifts), len(axes))
    for a, s in zip(axes * (count // len(axes)), shifts * (count // len(shifts))):
        n = x.shape[a]
        first = -s % n if n else 0
        if first:
            head = apply("slice", x, axis=a, start=first, stop=n)
            x = apply("concatenate", head, apply("slice", x, axis=a, start=0, stop=first), axis=a)
    return x


@op
def repeat(x: TensorLike, repeats: TensorLike, axis: int | None = None) -> Tensor:
    """y = x with each of its slices along `axis` several times in a row.

    Args:
        x: A tensor or array.
        repeats: How often: an int, or one for each slice.
        axis: An int; by default the values are repeated as one vector.
    """
    x = as_tensor(x, name="repeat")
    if axis is None:
        x, axis = apply("reshape", x, shape=(x.size,)), 0
    axis = arguments.axis("repeat", axis, x.ndim)
    given = arguments.known("repeat", repeats, "give repeats as ints")
    counts = arguments.sizes("repeat", "repeats", given.reshape(-1))
    n = x.shape[axis]
    if len(counts) == 1:
        new = (*x.shape[: axis + 1], 1, *x.shape[axis + 1 :])
        wide = (*x.shape[: axis + 1], counts[0], *x.shape[axis + 1 :])
        y = apply("broadcast_to", apply("reshape", x, shape=new), shape=wide)
        return apply("reshape", y, shape=(*x.shape[:axis], n * counts[0], *x.shape[axis + 1 :]))
    if len(counts) != n:
        raise ValueError(
            f"repeat: expected one number of repeats or {n} for axis {axis} of shape {x.shape}, "
            f"received {len(counts)}"
        )
    rows = np.repeat(np.arange(n, dtype="int32"), counts)
    return apply("take", x, rows, axis=axis)


@op
def tile(x: TensorLike, repeats: Sizes) -> Tensor:
    """y = copies of x side by side.

    Args:
        x: A tensor or array.
        repeats: How many along each axis: an int for the last, or a tuple for the last ones. More
            of them than axes make new axes in front.
    """
    x = as_tensor(x, name="tile")
    counts = arguments.sizes("tile", "repeats", repeats)
    rank = max(len(counts), x.ndim)
    counts = (1,) * (rank - len(counts)) + counts
    own = (1,) * (rank - x.ndim) + x.shape
    apart = tuple(n for size in own for n in (1, size))
    wide = tuple(n for pair in zip(counts, own) for n in pair)
    y = apply("broadcast_to", apply("reshape", x, shape=apart), shape=wide)
    return apply("reshape", y, shape=tuple(c * n for c, n in zip(counts, own)))
