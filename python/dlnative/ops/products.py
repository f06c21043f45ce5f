"""keras.ops: products of vectors, matrices and arrays of more axes, and what is made of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..graph.dtypes import float_type, result_type
from ..graph.table import normalize_axis
from ..graph.tensor import Tensor, apply
from ..graph.types import Shape, TensorLike
from .public import as_tensor, op


def _flat(x: Tensor) -> Tensor:
    return x if x.ndim == 1 else apply("reshape", x, shape=(math.prod(x.shape),))


@op
def matmul(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = x1 @ x2: matrices (..., m, k) and (..., k, n) give (..., m, n).

    Args:
        x1, x2: Tensors or arrays; the axes before the last two broadcast. A vector is a row on the
            left and a column on the right, and y does not have that axis. Integers wrap.

    Raises:
        ValueError: The sizes do not fit, or an operand has no axes.
    """
    return apply("matmul", as_tensor(x1), as_tensor(x2))


@op
def dot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = the sums of products along the last axis of x1 and the last but one of x2.

    Args:
        x1, x2: Tensors or arrays. A vector has its one axis summed over, and with a number without
            axes y is the product of elements.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return apply("multiply", x1, x2)
    if x2.ndim <= 2:
        return apply("matmul", x1, x2)
    return _contracted("dot", x1, x2, [x1.ndim - 1], [x2.ndim - 2])


@op
def vdot(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = sum of x1[i] x2[i] over all elements in their order, a number."""
    return apply("matmul", _flat(as_tensor(x1)), _flat(as_tensor(x2)))


@op
def inner(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y[i, j] = sum over k of x1[i, k] x2[j, k]: the last axes; i and j stand for the others."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.ndim == 0 or x2.ndim == 0:
        return apply("multiply", x1, x2)
    return _contracted("inner", x1, x2, [x1.ndim - 1], [x2.ndim - 1])


@op
def outer(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y[i, j] = x1[i] x2[j] of all elements in their order."""
    x1, x2 = _flat(as_tensor(x1)), _flat(as_tensor(x2))
    return apply("multiply", apply("reshape", x1, shape=(*x1.shape, 1)), x2)


@op
def tensordot(x1: TensorLike, x2: TensorLike, axes: int | Sequence[Any] = 2) -> Tensor:
    """y = the sums of products over axes of x1 and x2; its axes are the others of x1, then of x2.

    Args:
        x1, x2: Tensors or arrays.
        axes: n for the last n axes of x1 and the first n of x2, or a pair: an axis of each, or a
            list of axes of each.

    Raises:
        ValueError: Axes are out of range or named twice, or their sizes or numbers differ.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if isinstance(axes, int):
        if not 0 <= axes <= min(x1.ndim, x2.ndim):
            raise ValueError(
                f"tensordot: expected at most as many axes as {x1.shape} and {x2.shape} have, "
                f"received axes={axes}"
            )
        return _contracted(
            "tensordot", x1, x2, list(range(x1.ndim - axes, x1.ndim)), list(range(axes))
        )
    if len(axes) != 2:
        raise ValueError(f"tensordot: expected a number or a pair as axes, received {axes!r}")
    first, second = ([a] if isinstance(a, int) else list(a) for a in axes)
    first = [normalize_axis("tensordot", a, x1.ndim) for a in first]
    second = [normalize_axis("tensordot", a, x2.ndim) for a in second]
    if len(set(first)) != len(first) or len(set(second)) != len(second):
        raise ValueError(f"tensordot: axes {axes!r} name a dimension twice")
    return _contracted("tensordot", x1, x2, first, second)


def _contracted(
    name: str, x1: Tensor, x2: Tensor, first: Sequence[int], second: Sequence[int]
) -> Tensor:
    """One matrix product over the axes `first` of x1 and `second` of x2."""
    sizes = [x1.shape[a] for a in first]
    if sizes != [x2.shape[a] for a in second]:
        raise ValueError(
            f"{name}: expected axes {first} of {x1.shape} and {second} of {x2.shape} to have the "
            "same sizes"
        )
    rows = [i for i in range(x1.ndim) if i not in first]
    columns = [i for i in range(x2.ndim) if i not in second]
    k = math.prod(sizes)
    left, ta = _as_matrix(x1, rows, first, k)
    right, tb = _as_matrix(x2, second, columns, math.prod(x2.shape[i] for i in columns))
    y = apply("matmul", left, right, transpose_a=ta, transpose_b=tb)
    shape = tuple(x1.shape[i] for i in rows) + tuple(x2.shape[i] for i in columns)
    return y if y.shape == shape else apply("reshape", y, shape=shape)


def _as_matrix(
    x: Tensor, rows: Sequence[int], columns: Sequence[int], width: int
) -> tuple[Tensor, bool]:
    """(matrix, whether it is transposed) with these axes of x as its rows and columns."""
    height = math.prod(x.shape[i] for i in rows)
    if [*columns, *rows] == list(range(x.ndim)) and rows and columns:
        return apply("reshape", x, shape=(width, height)), True
    order = (*rows, *columns)
    x = x if order == tuple(range(x.ndim)) else apply("transpose", x, axes=order)
    return apply("reshape", x, shape=(height, width)), False


@op
def kron(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = the Kronecker product: y[i m + j, ...] = x1[i, ...] x2[j, ...], m sizes of x2."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    ndim = max(x1.ndim, x2.ndim)
    sizes1, sizes2 = ((1,) * (ndim - x.ndim) + x.shape for x in (x1, x2))
    x1 = apply("reshape", x1, shape=tuple(size for n in sizes1 for size in (n, 1)))
    x2 = apply("reshape", x2, shape=tuple(size for n in sizes2 for size in (1, n)))
    y = apply("multiply", x1, x2)
    return apply("reshape", y, shape=tuple(n * m for n, m in zip(sizes1, sizes2)))


@op
def cross(
    x1: TensorLike,
    x2: TensorLike,
    axisa: int = -1,
    axisb: int = -1,
    axisc: int = -1,
    axis: int | None = None,
) -> Tensor:
    """y = x1 x x2: the vectors at right angles to those of x1 and x2.

    Args:
        x1, x2: Tensors or arrays of vectors of 3 or 2 components, of which the third is 0. The
            other axes broadcast.
        axisa, axisb: The axes of the components.
        axisc: Their axis in y. Two vectors of 2 components give only the third one, and no axis.
        axis: Stands for the three.
    """
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis, axis, axis)
    a = _components("x1", as_tensor(x1), axisa)
    b = _components("x2", as_tensor(x2), axisb)
    third = a[0] * b[1] - a[1] * b[0]
    if len(a) == len(b) == 2:
        return third
    if len(a) == 3 and len(b) == 3:
        parts = [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], third]
    elif len(a) == 3:
        parts = [-(a[2] * b[1]), a[2] * b[0], third]
    else:
        parts = [a[1] * b[2], -(a[0] * b[2]), third]
    ndim = third.ndim + 1
    axisc = normalize_axis("cross", axisc, ndim)
    shape = third.shape[:axisc] + (1,) + third.shape[axisc:]
    return apply("concatenate", *(apply("reshape", p, shape=shape) for p in parts), axis=axisc)


def _components(name: str, x: Tensor, axis: int) -> list[Tensor]:
    axis = normalize_axis("cross", axis, x.ndim)
    n = x.shape[axis]
    if n not in (2, 3):
        raise ValueError(f"cross: expected {name} with 2 or 3 components, received {x.shape}")
    return [x[(slice(None),) * axis + (i,)] for i in range(n)]


@op
def cdist(x: TensorLike, y: TensorLike) -> Tensor:
    """d[i, j] = the Euclidean distance of x[i] and y[j]; their gradient where it is 0 is NaN.

    Args:
        x: A tensor or array of shape (..., m, components).
        y: One of shape (..., n, components); the axes in front broadcast.
    """
    x, y = as_tensor(x), as_tensor(y)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1]:
        raise ValueError(
            "cdist: expected x of shape (..., m, components) and y of shape (..., n, components), "
            f"received {x.shape} and {y.shape}"
        )
    dtype = float_type(x.dtype, y.dtype)
    x, y = apply("cast", x, dtype=dtype), apply("cast", y, dtype=dtype)
    difference = x[..., :, None, :] - y[..., None, :, :]
    return apply("sqrt", apply("sum", difference * difference, axis=-1))


@op
def corrcoef(x: TensorLike) -> Tensor:
    """y[i, j] = the correlation of the variables x[i] and x[j], between -1 and 1.

    Args:
        x: A tensor or array: a row of observations for each variable, or one row.
    """
    x = as_tensor(x)
    if x.ndim > 2:
        raise ValueError(f"corrcoef: expected a vector or a matrix, received shape {x.shape}")
    dtype = "float64" if x.dtype == "int64" else float_type(x.dtype)
    rows = apply("reshape", apply("cast", x, dtype=dtype), shape=_as_rows(x.shape))
    centered = rows - apply("mean", rows, axis=1, keepdims=True)
    covariance = apply("matmul", centered, centered, transpose_b=True) / (rows.shape[1] - 1.0)
    n = rows.shape[0]
    if n == 1:
        one = apply("reshape", covariance, shape=())
        return one / one
    diagonal = apply("reshape", covariance, shape=(n * n,))[:: n + 1]
    deviation = apply("sqrt", diagonal)
    y = covariance / apply("reshape", deviation, shape=(n, 1)) / deviation
    return apply("minimum", apply("maximum", y, -1.0), 1.0)


def _as_rows(shape: Shape) -> Shape:
    return (1,) * (2 - len(shape)) + tuple(shape)


@op
def correlate(x1: TensorLike, x2: TensorLike, mode: str = "valid") -> Tensor:
    """y[k] = sum over i of x1[k + i] x2[i], two vectors.

    Args:
        x1, x2: Tensors or arrays of one axis; integers become floats.
        mode: Which k: "valid" where the shorter lies within the longer, "same" as many as the
            longer has, with the shorter around each, "full" wherever they overlap.

    Raises:
        ValueError: They are not vectors with elements, or there is no such mode.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    if x1.ndim != 1 or x2.ndim != 1 or 0 in x1.shape + x2.shape:
        raise ValueError(
            f"correlate: expected two vectors with elements, received {x1.shape} and {x2.shape}"
        )
    dtype = result_type(x1.dtype, x2.dtype)
    dtype = "float64" if dtype == "int64" else float_type(dtype)
    swapped = x1.shape[0] < x2.shape[0]
    longer, shorter = (apply("cast", x, dtype=dtype) for x in ((x2, x1) if swapped else (x1, x2)))
    n = shorter.shape[0]
    paddings = {"valid": (0, 0), "same": (n // 2, n - n // 2 - 1), "full": (n - 1, n - 1)}
    if mode not in paddings:
        raise ValueError(f"correlate: expected mode {', '.join(paddings)}, received {mode!r}")
    y = apply(
        "conv1d",
        apply("reshape", longer, shape=(1, longer.shape[0], 1)),
        apply("reshape", shorter, shape=(n, 1, 1)),
        padding=paddings[mode],
    )
    y = apply("reshape", y, shape=(math.prod(y.shape),))
    return y[::-1] if swapped else y
