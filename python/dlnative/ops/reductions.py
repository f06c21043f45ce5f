"""keras.ops: sums, products, means, extrema and norms over axes, and sums that run along one."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence

from ..graph.dtypes import FLOATS, float_type, standard_dtype
from ..graph.table import normalize_axes, normalize_axis
from ..graph.tensor import Tensor, apply
from ..graph.types import Axes, DTypeLike, TensorLike
from .public import as_tensor, op, operand


def _floating(x: Tensor) -> Tensor:
    """x in its float dtype; integers and booleans as `config.floatx()`."""
    return x if x.dtype in FLOATS else apply("cast", x, dtype=float_type(x.dtype))


def _moved(x: Tensor, axis: int) -> Tensor:
    """x with `axis` behind the others."""
    axis = normalize_axis("moveaxis", axis, x.ndim)
    order = [i for i in range(x.ndim) if i != axis] + [axis]
    return x if axis == x.ndim - 1 else apply("transpose", x, axes=tuple(order))


def _flat(x: Tensor) -> Tensor:
    return x if x.ndim == 1 else apply("reshape", x, shape=(math.prod(x.shape),))


@op
def sum(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the sum of x over `axis`; 0 over no elements.

    Args:
        x: A tensor or array. Booleans and uint8 are added as int32.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.

    Differs from Keras: the sum of uint8 is int32, as there is no uint32.
    """
    return apply("sum", as_tensor(x), axis=axis, keepdims=keepdims)


@op
def prod(
    x: TensorLike, axis: Axes = None, keepdims: bool = False, dtype: DTypeLike | None = None
) -> Tensor:
    """y = the product of x over `axis`; 1 over no elements.

    Args:
        x: A tensor or array. Booleans and uint8 are multiplied as int32.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
        dtype: What x is cast to before.

    Differs from Keras: the product of uint8 is int32, as there is no uint32.
    """
    x = as_tensor(x, None if dtype is None else standard_dtype(dtype, "prod: dtype"))
    return apply("prod", x, axis=axis, keepdims=keepdims)


@op
def mean(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = the mean of x over `axis`, float32 for integers; NaN over no elements.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
    """
    x = as_tensor(x)
    x = x if x.dtype in FLOATS else apply("cast", x, dtype="float32")
    return apply("mean", x, axis=axis, keepdims=keepdims)


def _extremum(
    name: str, x: TensorLike, axis: Axes, keepdims: bool, initial: TensorLike | None = None
) -> Tensor:
    x = as_tensor(x)
    if (
        initial is not None
        and math.prod(x.shape[a] for a in normalize_axes(name, axis, x.ndim)) == 0
    ):
        nothing = apply("sum", x, axis=axis, keepdims=keepdims) + as_tensor(initial)
        return apply("cast", nothing, dtype=x.dtype)
    if x.dtype == "bool":
        y = apply("any" if name == "max" else "all", x, axis=axis, keepdims=keepdims)
    else:
        y = apply(name, x, axis=axis, keepdims=keepdims)
    if initial is None:
        return y
    return apply("maximum" if name == "max" else "minimum", y, as_tensor(initial, x.dtype))


@op
def max(
    x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: TensorLike | None = None
) -> Tensor:
    """y = the largest of x over `axis`, NaN if one is; ties share the gradient.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
        initial: A value that takes part as well.

    Raises:
        ValueError: There are no elements, and no `initial`.
    """
    return _extremum("max", x, axis, keepdims, initial)


@op
def min(
    x: TensorLike, axis: Axes = None, keepdims: bool = False, initial: TensorLike | None = None
) -> Tensor:
    """y = the smallest of x over `axis`, NaN if one is; ties share the gradient.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
        initial: A value that takes part as well.

    Raises:
        ValueError: There are no elements, and no `initial`.
    """
    return _extremum("min", x, axis, keepdims, initial)


@op
def amax(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = max(x, axis, keepdims)"""
    return _extremum("max", x, axis, keepdims)


@op
def amin(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = min(x, axis, keepdims)"""
    return _extremum("min", x, axis, keepdims)


@op
def ptp(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = max(x) - min(x) over `axis`."""
    x = as_tensor(x)
    low = apply("min", x, axis=axis, keepdims=keepdims)
    return apply("max", x, axis=axis, keepdims=keepdims) - low


@op
def any(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = whether one of x is not zero, over `axis`; False over no elements."""
    return apply("any", as_tensor(x), axis=axis, keepdims=keepdims)


@op
def all(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = whether none of x is zero, over `axis`; True over no elements."""
    return apply("all", as_tensor(x), axis=axis, keepdims=keepdims)


@op
def count_nonzero(x: TensorLike, axis: Axes = None) -> Tensor:
    """y = how many of x are not zero, over `axis`, int32."""
    return apply("sum", as_tensor(x) != 0, axis=axis)


@op
def average(x: TensorLike, axis: Axes = None, weights: TensorLike | None = None) -> Tensor:
    """y = sum(x * weights) / sum(weights) over `axis`; the mean without weights.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        weights: Of the shape of x, or of the sizes of `axis`.

    Raises:
        ValueError: The weights have another shape.
    """
    x = as_tensor(x)
    if weights is None:
        return apply("mean", _floating(x), axis=axis)
    weights = as_tensor(weights)
    dtype = float_type(x.dtype, weights.dtype)
    x, weights = apply("cast", x, dtype=dtype), apply("cast", weights, dtype=dtype)
    if weights.shape != x.shape:
        weights = _along(x, axis, weights)
    return apply("sum", x * weights, axis=axis) / apply("sum", weights, axis=axis)


def _along(x: Tensor, axis: Axes, weights: Tensor) -> Tensor:
    """Weights of the sizes of `axis`, in its order, repeated over the other axes of x."""
    given = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    axes = [normalize_axis("average", a, x.ndim) for a in given]
    if not axes or weights.shape != tuple(x.shape[a] for a in axes):
        expected = f"{x.shape}" + (f" or {tuple(x.shape[a] for a in axes)}" if axes else "")
        raise ValueError(f"average: expected weights of shape {expected}, received {weights.shape}")
    order = sorted(range(len(axes)), key=axes.__getitem__)
    if order != list(range(len(axes))):
        weights = apply("transpose", weights, axes=tuple(order))
    kept = tuple(n if i in axes else 1 for i, n in enumerate(x.shape))
    return apply("broadcast_to", apply("reshape", weights, shape=kept), shape=x.shape)


@op
def var(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = mean((x - mean(x))^2) over `axis`, a float; NaN over no elements.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
    """
    x = _floating(as_tensor(x))
    centered = x - apply("mean", x, axis=axis, keepdims=True)
    return apply("mean", apply("square", centered), axis=axis, keepdims=keepdims)


@op
def std(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = var(x)^(1/2) over `axis`, a float; NaN over no elements."""
    return apply("sqrt", var(as_tensor(x), axis, keepdims))


@op
def logsumexp(x: TensorLike, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """y = ln(sum of e^x) over `axis`, without overflow on the way; -inf over no elements.

    Args:
        x: A tensor or array.
        axis: None for all axes, an axis, or several.
        keepdims: Whether the axes stay, at size 1.
    """
    x = _floating(as_tensor(x))
    largest = apply("stop_gradient", _extremum("max", x, axis, True, -math.inf))
    largest = apply("where", apply("isfinite", largest), largest, 0.0)
    total = apply("log", apply("sum", apply("exp", x - largest), axis=axis, keepdims=keepdims))
    if total.shape != largest.shape:
        largest = apply("reshape", largest, shape=total.shape)
    return total + largest


@op
def norm(
    x: TensorLike, ord: float | str | None = None, axis: Axes = None, keepdims: bool = False
) -> Tensor:
    """y = the norm of vectors, or of matrices where there are two axes.

    Args:
        x: A tensor or array.
        ord: For vectors a number p, (sum |x|^p)^(1/p), of which 0 counts what is not zero and inf
            and -inf are the extrema of |x|; 2 by default. For matrices "fro", which is the
            default, the root of the sum of squares; 1 and -1, the extrema of sums of |x| over
            columns; inf and -inf, over rows.
        axis: One axis for vectors, two for matrices; by default all that there are.
        keepdims: Whether the axes stay, at size 1.

    Raises:
        ValueError: There is no such norm, or there are more than two axes and `ord` is given.

    Differs from Keras: no norms of matrices by their singular values (2, -2 and "nuc").
    """
    x = _floating(as_tensor(x))
    if axis is None and ord is None:
        return _root_of_squares(x, None, keepdims)
    given = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    axes = tuple(normalize_axis("norm", a, x.ndim) for a in given)
    if len(axes) == 1:
        return _vector_norm(x, 2 if ord is None else ord, axes, keepdims)
    if len(axes) == 2 and axes[0] != axes[1]:
        return _matrix_norm(x, "fro" if ord is None else ord, axes, keepdims)
    raise ValueError(f"norm: expected one axis or two, received {list(axes)}")


def _root_of_squares(x: Tensor, axis: Axes, keepdims: bool) -> Tensor:
    return apply("sqrt", apply("sum", x * x, axis=axis, keepdims=keepdims))


def _vector_norm(x: Tensor, ord: float | str, axes: Sequence[int], keepdims: bool) -> Tensor:
    if isinstance(ord, str) or ord != ord:
        raise ValueError(f"norm: expected a number as ord of a vector norm, received {ord!r}")
    if ord == 2:
        return _root_of_squares(x, axes, keepdims)
    if ord == math.inf:
        return _extremum("max", apply("abs", x), axes, keepdims, 0)
    if ord == -math.inf:
        return apply("min", apply("abs", x), axis=axes, keepdims=keepdims)
    if ord == 0:
        return apply("sum", apply("cast", x != 0, dtype=x.dtype), axis=axes, keepdims=keepdims)
    if ord == 1:
        return apply("sum", apply("abs", x), axis=axes, keepdims=keepdims)
    powers = apply("power", apply("abs", x), float(ord))
    total = apply("sum", powers, axis=axes, keepdims=keepdims)
    return apply("power", total, 1.0 / ord)


def _matrix_norm(x: Tensor, ord: float | str, axes: Sequence[int], keepdims: bool) -> Tensor:
    if ord in ("f", "fro"):
        return _root_of_squares(x, axes, keepdims)
    row, column = axes
    if ord in (1, -1, math.inf, -math.inf):
        inner, outer = (row, column) if builtins.abs(ord) == 1 else (column, row)
        sums = apply("sum", apply("abs", x), axis=inner, keepdims=True)
        y = _extremum(*(("max", sums, outer, True, 0) if ord > 0 else ("min", sums, outer, True)))
    else:
        raise ValueError(
            "norm: expected ord of a matrix norm to be 'fro', 1, -1, inf or -inf (there are no "
            f"singular values here), received {ord!r}"
        )
    kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    shape = kept if keepdims else tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return y if y.shape == shape else apply("reshape", y, shape=shape)


def _scan(name: str, x: TensorLike, axis: int | None, dtype: DTypeLike | None) -> Tensor:
    x = as_tensor(x, None if dtype is None else standard_dtype(dtype, f"{name}: dtype"))
    dtype = "int32" if x.dtype == "bool" else x.dtype
    x, axis = (_flat(x), 0) if axis is None else (x, axis)
    return apply("cast", apply(name, x, axis=axis), dtype=dtype)


@op
def cumsum(x: TensorLike, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = x[0] + ... + x[i] along `axis`.

    Args:
        x: A tensor or array. Booleans are added as int32.
        axis: An axis, or None for all elements in their order.
        dtype: What x is cast to before.
    """
    return _scan("cumsum", x, axis, dtype)


@op
def cumprod(x: TensorLike, axis: int | None = None, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = x[0] * ... * x[i] along `axis`.

    Args:
        x: A tensor or array. Booleans are multiplied as int32.
        axis: An axis, or None for all elements in their order.
        dtype: What x is cast to before.
    """
    return _scan("cumprod", x, axis, dtype)


@op
def diff(a: TensorLike, n: int = 1, axis: int = -1) -> Tensor:
    """y[i] = a[i + 1] - a[i] along `axis`, `n` times; for booleans a[i + 1] != a[i].

    Args:
        a: A tensor or array.
        n: How often, at least 0.
        axis: An axis.
    """
    a = as_tensor(a)
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"diff: expected n to be an integer of at least 0, received {n!r}")
    if n == 0:
        return a
    axis = normalize_axis("diff", axis, a.ndim)
    name = "not_equal" if a.dtype == "bool" else "subtract"
    for _ in range(n):
        size = a.shape[axis]
        later = apply("slice", a, axis=axis, start=builtins.min(1, size), stop=size)
        earlier = apply("slice", a, axis=axis, start=0, stop=builtins.max(size - 1, 0))
        a = apply(name, later, earlier)
    return a


@op
def trapezoid(
    y: TensorLike, x: TensorLike | None = None, dx: TensorLike = 1.0, axis: int = -1
) -> Tensor:
    """The integral of y along `axis` by the trapezoidal rule: sum of dx (y[i] + y[i + 1]) / 2.

    Args:
        y: A tensor or array; integers become floats.
        x: Where y was sampled: a vector, or of the shape of y.
        dx: The distance of samples where x is None.
        axis: An axis.
    """
    y = _floating(as_tensor(y))
    if x is None:
        distances = operand(dx)
        if getattr(distances, "ndim", 0):
            missing = (1,) * (y.ndim - distances.ndim)
            distances = _moved(apply("reshape", distances, shape=missing + distances.shape), axis)
    else:
        x = as_tensor(x)
        distances = _floating(diff(x) if x.ndim == 1 else _moved(diff(x, axis=axis), axis))
    y = _moved(y, axis)
    if getattr(distances, "ndim", 0) == 0:
        return distances * (apply("sum", y, axis=-1) - 0.5 * (y[..., 0] + y[..., -1]))
    return 0.5 * apply("sum", distances * (y[..., 1:] + y[..., :-1]), axis=-1)
