"""keras.ops: values picked by indices, and put into places that indices name.

Indices may be negative: they count from the end. One that is out of range raises; in a model, where
its value is not known before, when the model runs.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.ops.elementwise import broadcast_shapes
from ..graph.tensor import Tensor, ValueTensor, apply
from ..graph.types import Shape, Sizes, TensorLike
from . import arguments
from .public import as_tensor, op, operand


@op
def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """y[.., i, ..] = x[.., indices[i], ..]

    Args:
        x: A tensor or array.
        indices: Integers; their shape takes the place of the axis.
        axis: An int; by default x is a vector of its values.

    Differs from Keras: an index out of range raises; with JAX it gives NaN.
    """
    x = as_tensor(x, name="take")
    if axis is None:
        x, axis = apply("reshape", x, shape=(x.size,)), 0
    axis = arguments.axis("take", axis, x.ndim)
    return apply("take", x, arguments.indices("take", indices, x.shape[axis]), axis=axis)


@op
def take_along_axis(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """y[.., i, ..] = x[.., indices[.., i, ..], ..]

    Args:
        x: A tensor or array.
        indices: Integers, with as many axes as x; the other axes broadcast together.
        axis: An int; by default x is a vector of its values.

    Differs from Keras: an index out of range raises; with JAX it gives NaN.
    """
    x = as_tensor(x, name="take_along_axis")
    if axis is None:
        x, axis = apply("reshape", x, shape=(x.size,)), 0
    axis = arguments.axis("take_along_axis", axis, x.ndim)
    n = x.shape[axis]
    indices = arguments.indices("take_along_axis", indices, n)
    if indices.ndim != x.ndim:
        raise ValueError(
            f"take_along_axis: expected indices of {x.ndim} dimensions, received {indices.shape}"
        )
    count = indices.shape[axis]
    mine, theirs = list(x.shape), list(indices.shape)
    mine[axis] = theirs[axis] = 1
    shape = list(broadcast_shapes("take_along_axis", mine, theirs))
    shape[axis] = n
    x = arguments.broadcast("take_along_axis", x, tuple(shape))
    shape[axis] = count
    indices = arguments.broadcast("take_along_axis", indices, tuple(shape))
    return apply("take_along_axis", x, indices, axis=axis)


@op
def select(
    condlist: Sequence[TensorLike], choicelist: Sequence[TensorLike], default: TensorLike = 0
) -> Tensor:
    """y = the choice of the first condition that holds, else the default.

    Args:
        condlist: A list of conditions.
        choicelist: As many tensors, arrays or numbers; all broadcast together.
        default: A tensor, array or number.
    """
    if not isinstance(condlist, (list, tuple)) or not isinstance(choicelist, (list, tuple)):
        raise ValueError(
            "select: expected lists of conditions and choices, received "
            f"{type(condlist).__name__} and {type(choicelist).__name__}"
        )
    if not condlist or len(condlist) != len(choicelist):
        raise ValueError(
            f"select: expected as many conditions as choices, received {len(condlist)} and "
            f"{len(choicelist)}"
        )
    y = operand(default)
    for condition, choice in reversed(builtins.list(zip(condlist, choicelist))):
        y = apply("where", as_tensor(condition, "bool"), operand(choice), y)
    return y


def _starts(name: str, start_indices: Any, x: Tensor) -> list[Any]:
    """The start on each axis: an int where it is known, else a tensor without axes."""
    starts = start_indices
    if not isinstance(starts, (list, tuple)):
        starts = as_tensor(starts, name=name)
        starts = starts.value.tolist() if isinstance(starts, ValueTensor) else builtins.list(starts)
    if not isinstance(starts, (list, tuple)) or len(starts) != x.ndim:
        raise ValueError(
            f"{name}: expected a start for each axis of shape {x.shape}, received {start_indices}"
        )
    found = [as_tensor(s, name=name) for s in starts]
    return [
        arguments.integer(name, "start_indices", s) if isinstance(s, ValueTensor) else s
        for s in found
    ]


def _checked_start(name: str, start: int, count: int, axis: int, x: Tensor) -> int:
    """A start that is known as a non-negative int, from which `count` values fit the axis."""
    n = x.shape[axis]
    first = start + n if start < 0 else start
    if not 0 <= first <= first + count <= n:
        raise ValueError(
            f"{name}: {count} values from {start} on do not fit axis {axis} of shape {x.shape}"
        )
    return first


def _span(start: TensorLike, count: int, n: int) -> Tensor:
    """Indices of `count` values from a start on that is not known; those out of range raise."""
    start = as_tensor(start, "int32")
    first = apply("where", start < 0, start + n, start)
    rows = first + np.arange(count, dtype="int32")
    return apply("where", rows < 0, n, rows)


@op
def slice(inputs: TensorLike, start_indices: TensorLike, shape: Sizes) -> Tensor:
    """y[i0, i1, ...] = inputs[start_indices[0] + i0, start_indices[1] + i1, ...]

    Args:
        inputs: A tensor or array.
        start_indices: An index for each axis: ints, or integer tensors.
        shape: The size of the result along each axis; -1 for all that is left.

    Raises:
        ValueError: The slice does not lie within inputs.

    Differs from Keras: with JAX a slice that reaches beyond the end is moved until it fits.
    """
    x = as_tensor(inputs, name="slice")
    starts = _starts("slice", start_indices, x)
    counts = builtins.list(arguments.integers("slice", "shape", shape))
    if len(counts) != x.ndim:
        raise ValueError(f"slice: expected a size for each axis of {x.shape}, received {shape}")
    firsts = [0] * x.ndim
    for axis, (start, count) in enumerate(zip(starts, counts)):
        if count < -1:
            raise ValueError(f"slice: expected sizes of at least 0, or -1, received {shape}")
        if isinstance(start, int):
            if count == -1:
                counts[axis] = x.shape[axis] - (start + x.shape[axis] if start < 0 else start)
            firsts[axis] = _checked_start("slice", start, counts[axis], axis, x)
        elif count == -1:
            raise ValueError("slice: a size of -1 needs a start that is known")
        else:
            x = apply("take", x, _span(start, count, x.shape[axis]), axis=axis)
    if tuple(counts) == x.shape:
        return x
    return apply("strided_slice", x, starts=firsts, sizes=tuple(counts), steps=[1] * x.ndim)


@op
def slice_update(inputs: TensorLike, start_indices: TensorLike, updates: TensorLike) -> Tensor:
    """y = inputs, with y[start_indices[0] + i0, ...] = updates[i0, ...]

    Args:
        inputs: A tensor or array.
        start_indices: An index for each axis: ints, or integer tensors.
        updates: A tensor or array with as many axes.

    Raises:
        ValueError: The updates do not lie within inputs.

    Differs from Keras: with JAX updates that reach beyond the end are moved until they fit.
    """
    x = as_tensor(inputs, name="slice_update")
    updates = as_tensor(updates, x.dtype, "slice_update")
    if updates.ndim != x.ndim or any(n > m for n, m in zip(updates.shape, x.shape)):
        raise ValueError(
            f"slice_update: expected updates that fit shape {x.shape}, received {updates.shape}"
        )
    starts = _starts("slice_update", start_indices, x)
    for axis, start in enumerate(starts):
        if isinstance(start, int):
            starts[axis] = _checked_start("slice_update", start, updates.shape[axis], axis, x)
    if all(isinstance(start, int) for start in starts):
        return _put(x, 0, starts, updates)
    spans = []
    for axis, (start, count) in enumerate(zip(starts, updates.shape)):
        rows = _span(start, count, x.shape[axis])
        own = tuple(count if i == axis else 1 for i in range(x.ndim))
        rows = apply("reshape", rows, shape=own)
        spans.append(apply("broadcast_to", rows, shape=updates.shape))
    index = arguments.linear_index("slice_update", spans, x.shape)
    flat = apply("reshape", x, shape=(math.prod(x.shape),))
    count = math.prod(updates.shape)
    index, updates = (apply("reshape", t, shape=(count,)) for t in (index, updates))
    y = apply("scatter", flat, index, updates, mode="set")
    return apply("reshape", y, shape=x.shape)


def _put(x: Tensor, axis: int, starts: Sequence[int], updates: Tensor) -> Tensor:
    """x with `updates` in its place from `starts` on; before `axis` the sizes agree."""
    if axis == x.ndim:
        return updates
    n, start, stop = x.shape[axis], starts[axis], starts[axis] + updates.shape[axis]
    if (start, stop) == (0, n):
        return _put(x, axis + 1, starts, updates)
    cut = [
        apply("slice", x, axis=axis, start=a, stop=b)
        for a, b in ((0, start), (start, stop), (stop, n))
    ]
    cut[1] = _put(cut[1], axis + 1, starts, updates)
    return apply("concatenate", *[part for part in cut if part.shape[axis]], axis=axis)


def _flat_index(name: str, indices: Tensor, shape: Shape) -> tuple[Tensor, int]:
    """(The one index into the leading axes, the number of these), of indices of shape (.., d)."""
    d = indices.shape[-1] if indices.ndim else 0
    if not 0 < d <= len(shape):
        raise ValueError(
            f"{name}: expected indices with 1 to {len(shape)} numbers each for shape {shape}, "
            f"received indices of shape {indices.shape}"
        )
    parts = [indices[..., i] for i in range(d)]
    index = arguments.linear_index(name, parts, shape[:d])
    return apply("reshape", index, shape=(index.size,)), d


@op
def scatter(indices: TensorLike, values: TensorLike, shape: Sizes) -> Tensor:
    """y[indices[i]] = the sum of the values[i] whose indices are the same; 0 in other places.

    Args:
        indices: Integers of shape (.., d): each has an index for the first d axes of `shape`.
        values: A tensor or array of shape (.., the other axes of `shape`).
        shape: The shape of the result.

    Differs from Keras: an index out of range raises; with JAX its value is left out.
    """
    shape = arguments.sizes("scatter", "shape", shape)
    indices, values = as_tensor(indices, name="scatter"), as_tensor(values, name="scatter")
    index, d = _flat_index("scatter", indices, shape)
    rest = shape[d:]
    values = arguments.broadcast("scatter", values, (*indices.shape[:-1], *rest))
    values = apply("reshape", values, shape=(index.size, *rest))
    start = arguments.filled((values, index), 0, (math.prod(shape[:d]), *rest), values.dtype)
    return apply("reshape", apply("scatter", start, index, values, mode="add"), shape=shape)


_REDUCTIONS = {None: "set", "add": "add", "max": "max", "min": "min", "mul": "multiply"}


@op
def scatter_update(
    inputs: TensorLike, indices: TensorLike, updates: TensorLike, reduction: str | None = None
) -> Tensor:
    """y = inputs, with y[indices[i]] = updates[i], or that combined with the value before.

    Args:
        inputs: A tensor or array.
        indices: Integers of shape (n, d): each row has an index for the first d axes.
        updates: A tensor or array that broadcasts to (n, the other axes of inputs). Of several for
            one place the last stays.
        reduction: None, "add", "max", "min" or "mul".

    Differs from Keras: an index out of range raises; with JAX its update is left out.
    """
    mode = reduction.lower() if isinstance(reduction, str) else reduction
    if mode not in _REDUCTIONS:
        raise ValueError(
            "scatter_update: expected a reduction of None, 'add', 'max', 'min' or 'mul', received "
            f"{reduction!r}"
        )
    x = as_tensor(inputs, name="scatter_update")
    updates = as_tensor(updates, x.dtype, "scatter_update")
    indices = arguments.rank("scatter_update", as_tensor(indices, name="scatter_update"), 2, 2)
    index, d = _flat_index("scatter_update", indices, x.shape)
    rest = x.shape[d:]
    updates = arguments.broadcast("scatter_update", updates, (index.size, *rest))
    flat = apply("reshape", x, shape=(math.prod(x.shape[:d]), *rest))
    y = apply("scatter", flat, index, updates, mode=_REDUCTIONS[mode])
    return apply("reshape", y, shape=x.shape)


@op
def unravel_index(indices: TensorLike, shape: Sizes) -> tuple[Tensor, ...]:
    """y[k] = the index on axis k of the place that is number `indices` in an array of `shape`.

    Args:
        indices: Integers; those out of range stand for the first or the last place.
        shape: An int or a tuple.

    Returns:
        A tuple of tensors, one for each axis, of the shape and dtype of indices.
    """
    indices = as_tensor(indices, name="unravel_index")
    if indices.dtype in ("bool", "float32", "float64"):
        raise TypeError(f"unravel_index: expected integers, received {indices.dtype}")
    shape = arguments.sizes("unravel_index", "shape", shape)
    total = math.prod(shape)
    indices = apply("minimum", apply("maximum", indices, -total), total - 1)
    found = []
    for n in reversed(shape):
        found.append(indices % n)
        indices = indices // n
    return tuple(reversed(found))
