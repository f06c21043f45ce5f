"""keras.ops: the indices of extrema, and of what is not zero."""

from __future__ import annotations

import numpy as np

from ..graph.dtypes import FLOATS
from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, op


def _line(name: str, x: Tensor, axis: int | None) -> tuple[Tensor, int]:
    """x and the axis along which it is searched; a vector for None."""
    if axis is None:
        x, axis = apply("reshape", x, shape=(x.size,)), 0
    axis = arguments.axis(name, axis, x.ndim)
    if x.shape[axis] == 0:
        raise ValueError(f"{name}: axis {axis} of shape {x.shape} is empty")
    return x, axis


def _kept(y: Tensor, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    """y with the axes of x that were searched, at size 1."""
    if not keepdims:
        return y
    searched = range(x.ndim) if axis is None else (axis % x.ndim,)
    shape = tuple(1 if i in searched else n for i, n in enumerate(x.shape))
    return apply("reshape", y, shape=shape)


def _extremum(name: str, x: TensorLike, axis: int | None, keepdims: bool) -> Tensor:
    x = as_tensor(x, name=name)
    line, at = _line(name, x, axis)
    return _kept(apply(name, line, axis=at), x, axis, keepdims)


@op
def argmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """y = the index, int32, of the largest value along `axis`: the first one of equal values.

    Args:
        x: A tensor or array. NaN counts as the largest.
        axis: An int; by default the index into all values as one vector.
        keepdims: Whether the axis stays, at size 1.

    Differs from Keras: -0 is equal to 0; with JAX on a CPU it is smaller.
    """
    return _extremum("argmax", x, axis, keepdims)


@op
def argmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """y = the index, int32, of the smallest value along `axis`: the first one of equal values.

    Args:
        x: A tensor or array. NaN counts as the smallest.
        axis: An int; by default the index into all values as one vector.
        keepdims: Whether the axis stays, at size 1.

    Differs from Keras: -0 is equal to 0; with JAX on a CPU it is smaller.
    """
    return _extremum("argmin", x, axis, keepdims)


def _without_nan(
    name: str, x: TensorLike, axis: int | None, keepdims: bool, instead: float
) -> Tensor:
    x = as_tensor(x, name=name)
    line, at = _line(name, x, axis)
    if x.dtype not in FLOATS:
        return _kept(apply(name[3:], line, axis=at), x, axis, keepdims)
    missing = apply("isnan", line)
    y = apply(name[3:], apply("where", missing, instead, line), axis=at)
    y = apply("where", apply("all", missing, axis=at), -1, y)
    return _kept(y, x, axis, keepdims)


@op
def nanargmax(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """y = the index, int32, of the largest value that is not NaN; -1 where all are.

    Args:
        x: A tensor or array.
        axis: An int; by default the index into all values as one vector.
        keepdims: Whether the axis stays, at size 1.
    """
    return _without_nan("nanargmax", x, axis, keepdims, -float("inf"))


@op
def nanargmin(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """y = the index, int32, of the smallest value that is not NaN; -1 where all are.

    Args:
        x: A tensor or array.
        axis: An int; by default the index into all values as one vector.
        keepdims: Whether the axis stays, at size 1.
    """
    return _without_nan("nanargmin", x, axis, keepdims, float("inf"))


@op
def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """y = the indices of the values that are not zero: an int32 vector for each axis.

    Args:
        x: An array.

    Raises:
        TypeError: x has no values yet: use `where(x, a, b)`.
    """
    x = arguments.rank("nonzero", as_tensor(x, name="nonzero"), 1)
    values = arguments.known("nonzero", x, "use where(condition, x1, x2)")
    return tuple(as_tensor(i, "int32") for i in np.nonzero(values))
