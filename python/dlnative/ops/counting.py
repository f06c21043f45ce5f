"""keras.ops: how often values occur."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.dtypes import INTEGERS, float_type
from ..graph.tensor import Tensor, ValueTensor, apply
from ..graph.types import TensorLike
from . import arguments
from .creation import _linspace
from .public import as_tensor, op


@op
def bincount(
    x: TensorLike, weights: TensorLike | None = None, minlength: int = 0, sparse: bool = False
) -> Tensor:
    """y[k] = how often k is one of the values of x, or the sum of its weights.

    Args:
        x: An array of integers of shape (n,), or (samples, n) to count in each sample.
        weights: None, or an array of the shape of x.
        minlength: The least number of counts; there are more where x has larger values.
        sparse: Must be False: there are no sparse tensors here.

    Returns:
        int32 counts, or sums of the dtype of the weights.

    Raises:
        ValueError: x has negative values.
        TypeError: x has no values yet: use `segment_sum`.
    """
    if sparse:
        raise ValueError("bincount: there are no sparse tensors here")
    least = arguments.at_least("bincount", "minlength", minlength, 0)
    x = arguments.rank("bincount", as_tensor(x, name="bincount"), 1, 2)
    if x.dtype not in INTEGERS:
        raise TypeError(f"bincount: expected integers, received {x.dtype}")
    values = arguments.known("bincount", x, "use segment_sum with num_segments")
    if values.size and values.min() < 0:
        raise ValueError(f"bincount: expected no negative values, received {values.min()}")
    length = max(int(values.max(initial=-1)) + 1, least)
    if weights is None:
        weights = arguments.filled((), 1, x.shape, "int32")
    weights = as_tensor(weights, name="bincount")
    if weights.shape != x.shape:
        raise ValueError(f"bincount: expected weights of shape {x.shape}, received {weights.shape}")
    # Each sample has its own counts, side by side.
    rows = x.shape[0] if x.ndim == 2 else 1
    places = values.reshape(rows, -1).astype("int64") + length * np.arange(rows)[:, None]
    flat = arguments.filled((weights,), 0, (rows * length,), weights.dtype)
    weights = apply("reshape", weights, shape=(weights.size,))
    y = apply("scatter", flat, places.reshape(-1), weights, mode="add")
    return apply("reshape", y, shape=(rows, length)) if x.ndim == 2 else y


@op
def histogram(
    x: TensorLike, bins: int = 10, range: Sequence[Any] | None = None
) -> tuple[Tensor, Tensor]:
    """(counts, edges) of the values of x in bins of equal width; the last one has both its edges.

    Args:
        x: A vector.
        bins: How many bins.
        range: (low, high); by default the least and the largest value. Others do not count.

    Returns:
        The number of values in each bin, a float, and the edges of the bins, one more.
    """
    x = arguments.rank("histogram", as_tensor(x, name="histogram"), 0, 1)
    bins = arguments.at_least("histogram", "bins", bins, 1)
    x = as_tensor(apply("reshape", x, shape=(x.size,)), float_type(x.dtype))
    if range:
        if not isinstance(range, (list, tuple)) or len(range) != 2 or range[1] < range[0]:
            raise ValueError(f"histogram: expected a range (low, high), received {range}")
        low, high = as_tensor(range[0], x.dtype), as_tensor(range[1], x.dtype)
    elif not x.size:
        raise ValueError("histogram: an empty x needs a range")
    else:
        low, high = apply("min", x), apply("max", x)
    flat = apply("where", low == high, 0.5, 0.0)
    edges, _ = _linspace("histogram", low - flat, high + flat, bins + 1, True, x.dtype, 0)
    # Bin 0 is for what lies below, and one more at the end for what lies above.
    place = apply("searchsorted", edges, x, side="right")
    place = apply("where", x == edges[bins], bins, place)
    ones = arguments.filled((x,), 1, x.shape, x.dtype)
    counts = arguments.filled((x,), 0, (bins + 2,), x.dtype)
    counts = apply("scatter", counts, place, ones, mode="add")
    return apply("slice", counts, axis=0, start=1, stop=bins + 1), edges


@op
def unique(
    x: TensorLike,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
    size: int | None = None,
    fill_value: float | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """y = the values of x, each once, in order; each NaN is a value of its own.

    Args:
        x: A tensor or array.
        sorted: Whether they must be sorted; they always are.
        return_index: Whether to return the index in x of the first of each value, too.
        return_inverse: Whether to return the index in y of each value of x, too.
        return_counts: Whether to return how often each value occurs, too.
        axis: None for the values of x as one vector, or the axis whose slices are compared.
        size: How many values are returned: the first ones, or all and `fill_value` behind them. A
            tensor of a model needs it.
        fill_value: A number; the least value by default.

    Returns:
        y, or a tuple of y and the int32 tensors asked for.

    Raises:
        TypeError: x has no values yet and there is no size.
    """
    x = as_tensor(x, name="unique")
    moved = apply("reshape", x, shape=(x.size,)) if axis is None else _first(x, axis)
    n, rest = moved.shape[0], moved.shape[1:]
    rows = apply("reshape", moved, shape=(n, int(np.prod(rest, dtype=int))))
    order = _row_order(rows)
    group: Any = apply("cumsum", as_tensor(_changes(rows, order), "int32"), axis=0) - 1
    if size is None and not isinstance(group, ValueTensor):
        raise TypeError("unique: a tensor of a model has no values yet; give the size")
    found = (int(group.value[-1]) + 1 if n else 0) if size is None else size
    count = arguments.at_least("unique", "size", found, 0)
    if not n and count and fill_value is None:
        raise ValueError("unique: an empty x needs a fill_value")
    kept = apply("where", group < count, group, count)
    # The place in the order of the first of each group, n where there is none.
    firsts = arguments.filled((group,), n, (count + 1,), "int32")
    firsts = apply("scatter", firsts, kept, np.arange(n, dtype="int32"), mode="min")[:count]
    if n:
        index = apply("take", order, apply("where", firsts < n, firsts, 0), axis=0)
        y = apply("take", moved, index, axis=0)
    else:
        index, y = firsts, arguments.filled((x,), 0, (count, *rest), x.dtype)
    if fill_value is not None:
        there = apply("reshape", firsts < n, shape=(count, *(1,) * len(rest)))
        y = apply("where", there, y, as_tensor(fill_value, x.dtype))
    results = [y if axis is None else _back(y, axis)]
    if return_index:
        results.append(index)
    if return_inverse:
        inverse = apply("scatter", order * 0, order, group, mode="set")
        results.append(apply("reshape", inverse, shape=x.shape) if axis is None else inverse)
    if return_counts:
        zeros = arguments.filled((group,), 0, (count + 1,), "int32")
        ones = arguments.filled((group,), 1, (n,), "int32")
        results.append(apply("scatter", zeros, kept, ones, mode="add")[:count])
    return results[0] if len(results) == 1 else tuple(results)


def _first(x: Tensor, axis: int) -> Tensor:
    """x with the axis in front."""
    axis = arguments.axis("unique", axis, x.ndim)
    order = (axis, *(i for i in range(x.ndim) if i != axis))
    return apply("transpose", x, axes=order) if axis else x


def _back(y: Tensor, axis: int) -> Tensor:
    """y with its first axis in the place of `axis`."""
    axis %= y.ndim
    order = (*range(1, axis + 1), 0, *range(axis + 1, y.ndim))
    return apply("transpose", y, axes=order) if axis else y


def _row_order(rows: Tensor) -> Tensor:
    """The indices that sort the rows by their first values, then by their second ones, ..."""
    order = as_tensor(np.arange(rows.shape[0], dtype="int32"))
    for column in reversed(range(rows.shape[1])):
        values = apply("take", rows[:, column], order, axis=0)
        order = apply("take", order, apply("argsort", values, axis=0), axis=0)
    return order


def _changes(rows: Tensor, order: Tensor) -> Tensor:
    """Whether each row, in this order, is not equal to the one before."""
    ranked = apply("take", rows, order, axis=0)
    new = apply("any", ranked[1:] != ranked[:-1], axis=1)
    return apply("concatenate", as_tensor(np.ones(min(rows.shape[0], 1), bool)), new, axis=0)
