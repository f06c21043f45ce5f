"""keras.ops: diagonals and triangles of matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config
from ..graph.dtypes import standard_dtype
from ..graph.open_shapes import Open
from ..graph.tensor import Tensor, apply
from ..graph.types import DTypeLike, TensorLike
from . import arguments
from .public import as_tensor, op


def _matrix(
    name: str, N: int, M: int | None, dtype: DTypeLike | None, mask: Callable[[Any, Any], Any]
) -> Tensor:
    """A constant matrix of 0 and 1: mask(row, column) of all places."""
    N = arguments.at_least(name, "N", N, 0)
    M = N if M is None else arguments.at_least(name, "M", M, 0)
    dtype = config.floatx() if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    return as_tensor(mask(np.arange(N)[:, None], np.arange(M)), dtype)


@op
def eye(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Tensor:
    """y[i, j] = 1 where j = i + k, else 0.

    Args:
        N, M: Numbers of rows and columns; M is N by default.
        k: Which diagonal: 0 for the main one, positive ones lie above it.
        dtype: `config.floatx()` by default.
    """
    k = arguments.integer("eye", "k", k)
    return _matrix("eye", N, M, dtype, lambda i, j: j == i + k)


@op
def identity(n: int, dtype: DTypeLike | None = None) -> Tensor:
    """y[i, j] = 1 where i = j, else 0, of shape (n, n)."""
    return _matrix("identity", n, None, dtype, lambda i, j: i == j)


@op
def tri(N: int, M: int | None = None, k: int = 0, dtype: DTypeLike | None = None) -> Tensor:
    """y[i, j] = 1 where j <= i + k, else 0.

    Args:
        N, M: Numbers of rows and columns; M is N by default.
        k: The last diagonal with ones.
        dtype: `config.floatx()` by default.
    """
    k = arguments.integer("tri", "k", k)
    return _matrix("tri", N, M, dtype, lambda i, j: j <= i + k)


def _triangle(name: str, x: TensorLike, k: int, lower: bool) -> Tensor:
    x = arguments.rank(name, as_tensor(x, name=name), 2)
    k = arguments.integer(name, "k", k)
    rows, columns = np.arange(x.shape[-2])[:, None], np.arange(x.shape[-1])
    kept = columns <= rows + k if lower else columns >= rows + k
    return apply("where", kept, x, as_tensor(0, x.dtype))


@op
def tril(x: TensorLike, k: int = 0) -> Tensor:
    """y[.., i, j] = x[.., i, j] where j <= i + k, else 0."""
    return _triangle("tril", x, k, True)


@op
def triu(x: TensorLike, k: int = 0) -> Tensor:
    """y[.., i, j] = x[.., i, j] where j >= i + k, else 0."""
    return _triangle("triu", x, k, False)


@op
def diagonal(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """y[.., i] = x[i, i + offset, ..], with i in the last axis.

    Args:
        x: A tensor or array of two axes or more.
        offset: Which diagonal: 0 for the main one, positive ones lie above it.
        axis1, axis2: The axes of the rows and of the columns.
    """
    return _diagonal("diagonal", arguments.rank("diagonal", as_tensor(x), 2), offset, axis1, axis2)


def _diagonal(name: str, x: Tensor, offset: int, axis1: int, axis2: int) -> Tensor:
    plane = arguments.axes(name, (axis1, axis2), x.ndim, "axis1 and axis2")
    offset = arguments.integer(name, "offset", offset)
    n, m = (x.shape[a] for a in plane)
    others = [i for i in range(x.ndim) if i not in plane]
    if others != list(range(x.ndim - 2)) or plane[0] > plane[1]:
        x = apply("transpose", x, axes=(*others, *plane))
    count = max(min(n, m - offset) if offset > 0 else min(n + offset, m), 0)
    if isinstance(n + m, Open):  # whichever is the smaller one
        count = n + m
    # In the matrix as a vector one place of the diagonal follows m + 1 behind the other.
    x = apply("reshape", x, shape=(*x.shape[:-2], n * m))
    start = (offset if offset > 0 else -offset * m) if count else 0
    starts = [0] * (x.ndim - 1) + [start]
    steps = [1] * (x.ndim - 1) + [m + 1]
    return apply("strided_slice", x, starts=starts, sizes=(*x.shape[:-1], count), steps=steps)


def _on_diagonal(v: Tensor, k: int) -> Tensor:
    """The square matrix with the vector v on its k-th diagonal."""
    n = v.size + abs(k)
    if not v.size:
        return arguments.filled((v,), 0, (n, n), v.dtype)
    start = k if k > 0 else -k * n
    rest = n * n - start - (v.size - 1) * (n + 1) - 1
    flat = apply("pad", v, low=[start], high=[rest], interior=[n])
    return apply("reshape", flat, shape=(n, n))


@op
def diag(x: TensorLike, k: int = 0) -> Tensor:
    """y = the k-th diagonal of a matrix, or the matrix that has a vector on its k-th diagonal."""
    x = arguments.rank("diag", as_tensor(x, name="diag"), 1, 2)
    k = arguments.integer("diag", "k", k)
    return _on_diagonal(x, k) if x.ndim == 1 else _diagonal("diag", x, k, 0, 1)


@op
def diagflat(x: TensorLike, k: int = 0) -> Tensor:
    """y = the matrix that has all values of x on its k-th diagonal."""
    x = as_tensor(x, name="diagflat")
    k = arguments.integer("diagflat", "k", k)
    return _on_diagonal(apply("reshape", x, shape=(x.size,)), k)


@op
def trace(x: TensorLike, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """y = the sum of x[i, i + offset, ..] over i; the arguments are those of `diagonal`.

    Differs from Keras: the sums of uint8 are int32; there is no uint32 here.
    """
    x = arguments.rank("trace", as_tensor(x, name="trace"), 2)
    return apply("sum", _diagonal("trace", x, offset, axis1, axis2), axis=-1)


@op
def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:
    """y[i, j] = x[i]^(N - 1 - j), or x[i]^j: the matrix of Vandermonde.

    Args:
        x: A vector.
        N: The number of columns; the size of x by default.
        increasing: Whether the powers increase from the left to the right.
    """
    x = arguments.rank("vander", as_tensor(x, name="vander"), 1, 1)
    N = x.size if N is None else arguments.at_least("vander", "N", N, 0)
    if not isinstance(increasing, bool):
        raise TypeError(f"vander: expected increasing to be True or False, received {increasing!r}")
    powers = np.arange(N, dtype="int32")
    powers = powers if increasing else powers[::-1]
    return apply("power", apply("reshape", x, shape=(x.size, 1)), as_tensor(powers, x.dtype))
