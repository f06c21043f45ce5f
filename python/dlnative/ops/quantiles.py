"""keras.ops: median, quantiles and percentiles over axes, also of what is not NaN.

With the n values sorted, quantile q lies at position p = q (n - 1), between the values number
floor(p) and ceil(p).

Reference: Hyndman and Fan, Sample quantiles in statistical packages, 1996, definition 7.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..graph.dtypes import FLOATS, float_type
from ..graph.table import normalize_axes
from ..graph.tensor import Tensor, apply
from ..graph.types import Axes, TensorLike
from .public import as_tensor, op

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@op
def quantile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """y = the value below which a share of q of x lies, over `axis`; NaN if one is.

    Args:
        x: A tensor or array; integers become floats.
        q: A number of [0, 1], or a vector of them, which are the first axis of the result.
        axis: None for all axes, an axis, or several.
        method: Between two values: "linear" interpolation, the "lower", "higher" or "nearest" one,
            or their "midpoint".
        keepdims: Whether the axes stay, at size 1.

    Raises:
        ValueError: There are no values, or there is no such method.

    Differs from Keras: for float64 q is float64, too.
    """
    return _quantile("quantile", x, q, axis, method, keepdims)


@op
def percentile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """y = quantile(x, q / 100), see there."""
    return _quantile("percentile", x, q, axis, method, keepdims, whole=100.0)


@op
def median(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the value in the middle of x, sorted, or the mean of the two there; NaN if one is."""
    return _quantile("median", x, 0.5, axis, "midpoint", keepdims)


@op
def nanquantile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """y = `quantile` of what is not NaN in x; NaN where all are."""
    return _quantile("nanquantile", x, q, axis, method, keepdims, skip_nan=True)


@op
def nanpercentile(
    x: TensorLike, q: TensorLike, axis: Axes = None, method: str = "linear", keepdims: bool = False
) -> Tensor:
    """y = `percentile` of what is not NaN in x; NaN where all are."""
    return _quantile("nanpercentile", x, q, axis, method, keepdims, 100.0, skip_nan=True)


@op
def nanmedian(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = `median` of what is not NaN in x; NaN where all are."""
    return _quantile("nanmedian", x, 0.5, axis, "midpoint", keepdims, skip_nan=True)


def _quantile(
    name: str,
    x: TensorLike,
    q: TensorLike,
    axis: Axes,
    method: str,
    keepdims: bool,
    whole: float = 1.0,
    skip_nan: bool = False,
) -> Tensor:
    if method not in METHODS:
        raise ValueError(f"{name}: expected a method of {', '.join(METHODS)}, received {method!r}")
    x = as_tensor(x)
    x = x if x.dtype in FLOATS else apply("cast", x, dtype=float_type(x.dtype))
    q = apply("cast", as_tensor(q, name=name), dtype=x.dtype)
    if q.ndim > 1:
        raise ValueError(f"{name}: expected q to be a number or a vector, received {q.shape}")
    q = q if whole == 1.0 else q / whole
    axes = normalize_axes(name, axis, x.ndim)
    kept = [i for i in range(x.ndim) if i not in axes]
    lines = _sorted_lines(name, x, kept, axes, skip_nan)
    picked = _picked(lines, apply("reshape", q, shape=(math.prod(q.shape),)), method, skip_nan)
    if q.ndim:
        picked = apply("transpose", picked, axes=(len(kept), *range(len(kept))))
    sizes = (n if i in kept else 1 for i, n in enumerate(x.shape) if keepdims or i in kept)
    return apply("reshape", picked, shape=q.shape + tuple(sizes))


def _sorted_lines(
    name: str, x: Tensor, kept: Sequence[int], axes: Sequence[int], skip_nan: bool
) -> Tensor:
    """x as (kept axes, values to sort), sorted, with NaN at the end, or everywhere if one is."""
    order = (*kept, *axes)
    shape = tuple(x.shape[i] for i in kept)
    n = math.prod(x.shape[a] for a in axes)
    if n == 0:
        raise ValueError(f"{name}: expected values, received shape {x.shape}")
    x = x if order == tuple(range(x.ndim)) else apply("transpose", x, axes=order)
    x = apply("reshape", x, shape=(*shape, n))
    bad = apply("isnan", x)
    if not skip_nan:
        bad = apply("any", bad, axis=-1, keepdims=True)
    x = apply("where", bad, math.nan, x)  # through which no gradient goes
    return apply("take_along_axis", x, apply("argsort", x, axis=-1), axis=-1)


def _picked(lines: Tensor, q: Tensor, method: str, skip_nan: bool) -> Tensor:
    """The quantiles q, a vector, of sorted lines, on their last axis."""
    last: Tensor | float
    if skip_nan:
        there = apply("cast", lines == lines, dtype=lines.dtype)
        last = apply("sum", there, axis=-1, keepdims=True) - 1.0
    else:
        last = float(lines.shape[-1] - 1)
    position = q * last
    low, high = apply("floor", position), apply("ceil", position)
    share = position - low
    low_value, high_value = (_values(lines, index, last, skip_nan) for index in (low, high))
    if method == "linear":
        return low_value * (1.0 - share) + high_value * share
    if method == "midpoint":
        return (low_value + high_value) * 0.5
    if method == "nearest":
        return apply("where", share <= 0.5, low_value, high_value)
    return low_value if method == "lower" else high_value


def _values(lines: Tensor, index: Tensor, last: Tensor | float, skip_nan: bool) -> Tensor:
    index = apply("maximum", apply("minimum", index, last), 0.0)
    index = apply("cast", index, dtype="int32")
    if not skip_nan:
        return apply("take", lines, index, axis=lines.ndim - 1)
    return apply("take_along_axis", lines, index, axis=lines.ndim - 1)
