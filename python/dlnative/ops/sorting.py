"""keras.ops: values in order, and where they are in it."""

from __future__ import annotations

import numpy as np

from ..graph.tensor import Tensor, ValueTensor, apply
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, op


def _line(name: str, x: Tensor, axis: int | None) -> tuple[Tensor, int]:
    """x and the axis along which it is sorted; a vector for None and for a number."""
    if axis is None or x.ndim == 0:
        if axis not in (None, 0, -1):
            raise ValueError(f"{name}: axis {axis} is out of range for 0 dimensions")
        return apply("reshape", x, shape=(x.size,)), 0
    return x, arguments.axis(name, axis, x.ndim)


@op
def sort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """y = the values along `axis` from the smallest to the largest; NaN is the largest.

    Args:
        x: A tensor or array.
        axis: An int; None sorts all values as one vector.
    """
    x, axis = _line("sort", arguments.rank("sort", as_tensor(x, name="sort"), 1), axis)
    return apply("take_along_axis", x, apply("argsort", x, axis=axis), axis=axis)


@op
def argsort(x: TensorLike, axis: int | None = -1) -> Tensor:
    """y = the indices, int32, that sort x along `axis`; of equal values the first comes first.

    Args:
        x: A tensor or array. NaN is larger than all other values.
        axis: An int; None sorts all values as one vector.
    """
    x, axis = _line("argsort", as_tensor(x, name="argsort"), axis)
    return apply("argsort", x, axis=axis)


@op
def argpartition(x: TensorLike, kth: int, axis: int | None = -1) -> Tensor:
    """y = indices, int32, of which the first kth are those of the smallest values along `axis`.

    Args:
        x: A tensor or array.
        kth: The place that the value has in the order, which parts the smaller from the larger.
        axis: An int; None takes all values as one vector.
    """
    x, axis = _line("argpartition", as_tensor(x, name="argpartition"), axis)
    kth = arguments.axis("argpartition", kth, x.shape[axis], "kth") + 1
    order = apply("argsort", x, axis=axis)
    low = apply("slice", order, axis=axis, start=0, stop=kth)
    high = apply("slice", order, axis=axis, start=kth, stop=x.shape[axis])
    # As in Keras with JAX: the larger ones stay in the order of their indices.
    high = apply("take_along_axis", high, apply("argsort", high, axis=axis), axis=axis)
    return apply("concatenate", low, high, axis=axis)


@op
def top_k(x: TensorLike, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """(values, indices) of the k largest values along the last axis, the largest first.

    Args:
        x: A tensor or array. NaN is larger than all other values.
        k: How many.
        sorted: Whether they must be sorted; they always are.

    Returns:
        The values, and their indices in x, int32; of equal values the first comes first.
    """
    x = arguments.rank("top_k", as_tensor(x, name="top_k"), 1)
    k, last = arguments.at_least("top_k", "k", k, 0), x.ndim - 1
    if k > x.shape[last]:
        raise ValueError(f"top_k: expected k of at most {x.shape[last]}, received {k}")
    order = apply("argsort", x, axis=last, descending=True)
    indices = apply("slice", order, axis=last, start=0, stop=k)
    return apply("take_along_axis", x, indices, axis=last), indices


@op
def in_top_k(targets: TensorLike, predictions: TensorLike, k: int) -> Tensor:
    """y[i] = whether less than k of predictions[i] are larger than predictions[i, targets[i]].

    Args:
        targets: Class numbers of shape (..).
        predictions: Scores of shape (.., classes).
        k: How many classes count as found.
    """
    predictions = arguments.rank("in_top_k", as_tensor(predictions, name="in_top_k"), 1)
    targets = as_tensor(targets, name="in_top_k")
    if targets.dtype not in ("int32", "int64", "uint8"):
        raise TypeError(f"in_top_k: expected targets of integers, received {targets.dtype}")
    if targets.shape != predictions.shape[:-1]:
        raise ValueError(
            f"in_top_k: expected predictions with the classes behind the shape of targets, "
            f"received {targets.shape} and {predictions.shape}"
        )
    n, axis = predictions.shape[-1], predictions.ndim - 1
    targets = apply("reshape", as_tensor(targets, "int64"), shape=(*targets.shape, 1))
    known = (targets >= -n) & (targets < n)
    own = apply("take_along_axis", predictions, apply("where", known, targets, 0), axis=axis)
    # NaN is no large score, and a class that does not exist has none.
    own = apply("where", known & (own == own), own, -float("inf"))
    larger = apply("sum", as_tensor(predictions > own, "int32"), axis=axis)
    return larger < arguments.integer("in_top_k", "k", k)


@op
def searchsorted(sorted_sequence: TensorLike, values: TensorLike, side: str = "left") -> Tensor:
    """y = where values would be put into a sorted vector, int32.

    Args:
        sorted_sequence: A vector whose values do not fall.
        values: A tensor, array or number.
        side: "left": in front of equal values; "right": behind them.
    """
    x = arguments.rank("searchsorted", as_tensor(sorted_sequence, name="searchsorted"), 1, 1)
    return apply("searchsorted", x, as_tensor(values, name="searchsorted"), side=side)


@op
def digitize(x: TensorLike, bins: TensorLike) -> Tensor:
    """y[i] = k where bins[k - 1] <= x[i] < bins[k], or bins[k - 1] > x[i] >= bins[k]; int32.

    Args:
        x: A tensor, array or number.
        bins: A vector whose values do not fall, or do not rise.
    """
    x = as_tensor(x, name="digitize")
    bins = arguments.rank("digitize", as_tensor(bins, name="digitize"), 1, 1)
    n = bins.shape[0]
    if isinstance(bins, ValueTensor):
        rising = bool(n == 0 or bins.value[0] <= bins.value[-1])
        ordered = bins.value if rising else bins.value[::-1]
        if np.any(ordered[1:] < ordered[:-1]):
            raise ValueError("digitize: expected bins that do not fall or do not rise")
        if rising:
            return apply("searchsorted", bins, x, side="right")
        return n - apply("searchsorted", bins[::-1], x, side="right")
    up = apply("searchsorted", bins, x, side="right")
    down = n - apply("searchsorted", bins[::-1], x, side="right")
    return apply("where", bins[0] <= bins[n - 1], up, down) if n else up


@op
def isin(
    x1: TensorLike, x2: TensorLike, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """y[i] = whether x1[i] is one of the values of x2.

    Args:
        x1, x2: Tensors or arrays.
        assume_unique: Whether values are known to be there once; it changes nothing here.
        invert: Whether to answer "is none of them".
    """
    x1, x2 = as_tensor(x1, name="isin"), as_tensor(x2, name="isin")
    if x2.size:
        ordered = sort(apply("reshape", x2, shape=(x2.size,)))
        place = apply("searchsorted", ordered, x1, side="left")
        found = apply("take", ordered, apply("minimum", place, x2.size - 1), axis=0) == x1
    else:
        found = arguments.filled((x1,), False, x1.shape, "bool")
    return apply("logical_not", found) if invert else found
