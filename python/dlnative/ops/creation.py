"""keras.ops: arrays out of nothing but sizes and numbers, and in the shape of others."""

from __future__ import annotations

import numpy as np

from .. import config
from ..graph.dtypes import FLOATS, dtype_of, float_type, promote, standard_dtype, strong
from ..graph.ops.elementwise import broadcast_shapes
from ..graph.tensor import Tensor, ValueTensor, apply
from ..graph.types import DTypeLike, Shape, Sizes, TensorLike
from . import arguments
from .public import as_tensor, op


def _dtype(name: str, dtype: DTypeLike | None) -> str:
    return config.floatx() if dtype is None else standard_dtype(dtype, f"{name}: dtype")


@op
def array(x: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y = a copy of x as a tensor.

    Args:
        x: A tensor, array, number or nested list.
        dtype: A dtype to cast to; that of x by default.
    """
    return copy(as_tensor(x, None if dtype is None else _dtype("array", dtype), "array"))


@op
def copy(x: TensorLike) -> Tensor:
    """y = x, in memory of its own."""
    x = as_tensor(x, name="copy")
    return ValueTensor(np.array(x.value)) if isinstance(x, ValueTensor) else x


@op
def full(shape: Sizes, fill_value: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = fill_value

    Args:
        shape: An int or a tuple.
        fill_value: A number, or an array that broadcasts to the shape.
        dtype: `config.floatx()` by default, whatever fill_value is.
    """
    dtype = _dtype("full", dtype)
    return arguments.filled((), fill_value, arguments.sizes("full", "shape", shape), dtype)


@op
def zeros(shape: Sizes, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 0, of shape `shape` and dtype `config.floatx()` by default."""
    return arguments.filled((), 0, arguments.sizes("zeros", "shape", shape), _dtype("zeros", dtype))


@op
def ones(shape: Sizes, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 1, of shape `shape` and dtype `config.floatx()` by default."""
    return arguments.filled((), 1, arguments.sizes("ones", "shape", shape), _dtype("ones", dtype))


@op
def empty(shape: Sizes, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 0: there is no memory without values here, as in Keras with JAX."""
    return arguments.filled((), 0, arguments.sizes("empty", "shape", shape), _dtype("empty", dtype))


def _like(name: str, x: TensorLike, value: TensorLike, dtype: DTypeLike | None) -> Tensor:
    x = as_tensor(x, name=name)
    dtype = x.dtype if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    return arguments.filled((x,), value, x.shape, dtype)


@op
def full_like(x: TensorLike, fill_value: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = fill_value, in the shape and, by default, the dtype of x."""
    return _like("full_like", x, fill_value, dtype)


@op
def zeros_like(x: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 0, in the shape and, by default, the dtype of x."""
    return _like("zeros_like", x, 0, dtype)


@op
def ones_like(x: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 1, in the shape and, by default, the dtype of x."""
    return _like("ones_like", x, 1, dtype)


@op
def empty_like(x: TensorLike, dtype: DTypeLike | None = None) -> Tensor:
    """y[i] = 0, in the shape and, by default, the dtype of x; see `empty`."""
    return _like("empty_like", x, 0, dtype)


@op
def arange(
    start: TensorLike,
    stop: TensorLike | None = None,
    step: TensorLike | None = None,
    dtype: DTypeLike | None = None,
) -> Tensor:
    """y = start, start + step, start + 2 step, ... as long as it is less than stop.

    Args:
        start: The first number; where `stop` is None it is the end, and 0 the first number.
        stop: The end, which is not reached.
        step: Not 0; 1 by default, and with a negative one the numbers fall.
        dtype: By default that in which the numbers given meet.
    """
    if dtype is None:
        found = [dtype_of(v, "arange") for v in (start, stop, step) if v is not None]
        dtype = strong(promote(*found))
    given = (0, start) if stop is None else (start, stop)
    first, end, by = (
        arguments.known("arange", v, "give numbers").item()
        for v in (*given, 1 if step is None else step)
    )
    if by == 0:
        raise ValueError("arange: expected a step that is not 0")
    values = np.arange(first, end, by)
    return as_tensor(values, standard_dtype(dtype, "arange: dtype"))


@op
def linspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Tensor | tuple[Tensor, Tensor]:
    """y[i] = start (1 - i / n) + stop i / n, with n = num - 1, or num without the end.

    Args:
        start, stop: Numbers, tensors or arrays that broadcast together.
        num: How many values.
        endpoint: Whether `stop` is the last of them.
        retstep: Whether to return (y, the distance of neighbours).
        dtype: By default the float dtype in which start and stop meet. Values of an integer dtype
            are rounded down.
        axis: Where the axis of the values is put.
    """
    y, step = _linspace("linspace", start, stop, num, endpoint, dtype, axis)
    return (y, step) if retstep else y


def _linspace(
    name: str,
    start: TensorLike,
    stop: TensorLike,
    num: int,
    endpoint: bool,
    dtype: DTypeLike | None,
    axis: int,
) -> tuple[Tensor, Tensor]:
    num = arguments.at_least(name, "num", num, 0)
    found = float_type(dtype_of(start, name), dtype_of(stop, name))
    dtype = found if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    # Integers of 64 bits have more digits than float32.
    inner = dtype if dtype in FLOATS else "float64" if dtype == "int64" else config.floatx()
    start, stop = as_tensor(start, inner, name), as_tensor(stop, inner, name)
    bounds = broadcast_shapes(name, start.shape, stop.shape)
    axis = arguments.axis(name, axis, len(bounds) + 1)
    kept = (*bounds[:axis], 1, *bounds[axis:])
    first = _spread(start, bounds, kept)
    last = _spread(stop, bounds, kept)
    count = num - 1 if endpoint else num
    if num == 0:
        y = arguments.filled((), 0, (*bounds[:axis], 0, *bounds[axis:]), inner)
        step = as_tensor(np.nan, inner)
    elif num == 1:
        y, step = first, as_tensor(np.nan, inner) if endpoint else stop - start
    else:
        shape = [1] * len(kept)
        shape[axis] = count
        part = (np.arange(count, dtype=inner) / np.asarray(count, inner)).reshape(shape)
        y, step = first * (1 - part) + last * part, (stop - start) / count
        y = apply("concatenate", y, last, axis=axis) if endpoint else y
    y = y if dtype in FLOATS else apply("floor", y)
    return as_tensor(y, dtype), step


def _spread(x: Tensor, bounds: Shape, kept: Shape) -> Tensor:
    """x broadcast to the shape `bounds`, as shape `kept`."""
    return apply("reshape", apply("broadcast_to", x, shape=bounds), shape=kept)


@op
def logspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    base: TensorLike = 10,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Tensor:
    """y[i] = base^(the values of `linspace` of start and stop).

    Args:
        start, stop: The first and the last exponent; numbers, tensors or arrays.
        num, endpoint, axis: As for `linspace`.
        base: A number, tensor or array.
        dtype: By default the float dtype in which start and stop meet.
    """
    found = float_type(dtype_of(start, "logspace"), dtype_of(stop, "logspace"))
    dtype = found if dtype is None else standard_dtype(dtype, "logspace: dtype")
    inner = dtype if dtype in FLOATS else config.floatx()
    exponents, _ = _linspace("logspace", start, stop, num, endpoint, inner, axis)
    return as_tensor(as_tensor(base, inner) ** exponents, dtype)


@op
def geomspace(
    start: TensorLike,
    stop: TensorLike,
    num: int = 50,
    endpoint: bool = True,
    dtype: DTypeLike | None = None,
    axis: int = 0,
) -> Tensor:
    """y[i] = start (stop / start)^(i / n), with n = num - 1, or num without the end.

    Args:
        start, stop: Numbers, tensors or arrays of one sign, not 0.
        num, endpoint, axis: As for `linspace`.
        dtype: By default the float dtype in which start and stop meet.
    """
    found = float_type(dtype_of(start, "geomspace"), dtype_of(stop, "geomspace"))
    dtype = found if dtype is None else standard_dtype(dtype, "geomspace: dtype")
    inner = dtype if dtype in FLOATS else config.floatx()
    start, stop = as_tensor(start, inner), as_tensor(stop, inner)
    sign = apply("sign", start)
    low, high = apply("log10", start / sign), apply("log10", stop / sign)
    exponents, _ = _linspace("geomspace", low, high, num, endpoint, inner, 0)
    y = sign * as_tensor(10.0, inner) ** exponents
    axis = arguments.axis("geomspace", axis, y.ndim)
    order = [*range(1, axis + 1), 0, *range(axis + 1, y.ndim)]
    return as_tensor(apply("transpose", y, axes=tuple(order)) if axis else y, dtype)


@op
def meshgrid(*x: TensorLike, indexing: str = "xy") -> list[Tensor]:
    """y[k][i0, i1, ...] = x[k][ik]: the coordinates of all points of a grid.

    Args:
        *x: Vectors or numbers.
        indexing: "ij", or "xy", with which the first two axes change places.

    Returns:
        A list of tensors, one for each vector.
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij', received {indexing!r}")
    vectors = [arguments.rank("meshgrid", as_tensor(v, name="meshgrid"), 0, 1) for v in x]
    places = list(range(len(vectors)))
    if indexing == "xy" and len(vectors) > 1:
        places[:2] = 1, 0
    shape = [1] * len(vectors)
    for v, place in zip(vectors, places):
        shape[place] = v.size
    grids = []
    for v, place in zip(vectors, places):
        own = tuple(v.size if i == place else 1 for i in range(len(vectors)))
        grids.append(apply("broadcast_to", apply("reshape", v, shape=own), shape=tuple(shape)))
    return grids
