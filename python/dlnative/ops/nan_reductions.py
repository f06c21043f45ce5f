"""keras.ops: reductions without NaN. Integers have none: for them they are the plain ones."""

from __future__ import annotations

import math

from ..graph.dtypes import FLOATS, float_type, standard_dtype
from ..graph.tensor import Tensor, apply
from ..graph.types import Axes, DTypeLike, TensorLike
from .public import as_tensor, op
from .reductions import cumprod, cumsum, mean, prod, sum


def _without_nan(x: Tensor, value: float) -> Tensor:
    """x with `value` in the place of NaN."""
    return apply("where", apply("isnan", x), value, x) if x.dtype in FLOATS else x


@op
def nansum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the sum of what is not NaN in x over `axis`; 0 over nothing.

    Differs from Keras: the sum of uint8 is int32, as there is no uint32.
    """
    return sum(_without_nan(as_tensor(x), 0.0), axis, keepdims)


@op
def nanprod(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the product of what is not NaN in x over `axis`; 1 over nothing.

    Differs from Keras: the product of uint8 is int32, as there is no uint32.
    """
    return prod(_without_nan(as_tensor(x), 1.0), axis, keepdims)


def _extremum(name: str, x: TensorLike, axis: Axes, keepdims: bool, least: float) -> Tensor:
    x = as_tensor(x)
    if x.dtype == "bool":
        return apply("any" if name == "max" else "all", x, axis=axis, keepdims=keepdims)
    y = apply(name, _without_nan(x, least), axis=axis, keepdims=keepdims)
    if x.dtype not in FLOATS:
        return y
    nothing = apply("all", apply("isnan", x), axis=axis, keepdims=keepdims)
    return apply("where", nothing, math.nan, y)


@op
def nanmax(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the largest of what is not NaN in x over `axis`; NaN where all are."""
    return _extremum("max", x, axis, keepdims, -math.inf)


@op
def nanmin(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the smallest of what is not NaN in x over `axis`; NaN where all are."""
    return _extremum("min", x, axis, keepdims, math.inf)


def _count(x: Tensor, axis: Axes, keepdims: bool) -> Tensor:
    """How many of the floats x are not NaN, in their dtype."""
    there = apply("cast", x == x, dtype=x.dtype)
    return apply("sum", there, axis=axis, keepdims=keepdims)


@op
def nanmean(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the mean of what is not NaN in x over `axis`; NaN over nothing."""
    x = as_tensor(x)
    if x.dtype not in FLOATS:
        return mean(x, axis, keepdims)
    total = apply("sum", _without_nan(x, 0.0), axis=axis, keepdims=keepdims)
    return total / _count(x, axis, keepdims)


@op
def nanvar(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the variance of what is not NaN in x over `axis`, a float; NaN over nothing."""
    x = as_tensor(x)
    x = x if x.dtype in FLOATS else apply("cast", x, dtype=float_type(x.dtype))
    centered = apply("where", apply("isnan", x), 0.0, x - nanmean(x, axis, True))
    total = apply("sum", apply("square", centered), axis=axis, keepdims=keepdims)
    return total / _count(x, axis, keepdims)


@op
def nanstd(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = nanvar(x)^(1/2) over `axis`, a float; NaN over nothing."""
    return apply("sqrt", nanvar(as_tensor(x), axis, keepdims))


@op
def nancumsum(x: TensorLike, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = the sum of what is not NaN in x[0], ..., x[i] along `axis`; see `cumsum`."""
    dtype = None if dtype is None else standard_dtype(dtype, "nancumsum: dtype")
    return cumsum(_without_nan(as_tensor(x), 0.0), axis, dtype)


@op
def nancumprod(x: TensorLike, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = the product of what is not NaN in x[0], ..., x[i] along `axis`; see `cumprod`."""
    dtype = None if dtype is None else standard_dtype(dtype, "nancumprod: dtype")
    return cumprod(_without_nan(as_tensor(x), 1.0), axis, dtype)
