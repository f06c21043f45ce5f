"""keras.ops: tensors joined to one, and one split into several."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..graph.open_shapes import may_agree
from ..graph.tensor import Tensor, apply
from ..graph.types import Result, Shape, Sizes, TensorLike
from . import arguments
from .public import as_tensor, op


def _several(name: str, xs: TensorLike) -> list[Tensor]:
    """The tensors of a list, or the slices of one tensor along its first axis."""
    xs = xs if isinstance(xs, (list, tuple)) else list(as_tensor(xs, name=name))
    if not xs:
        raise ValueError(f"{name}: expected at least one tensor, received none")
    return [as_tensor(x, name=name) for x in xs]


def _joined(name: str, xs: Sequence[Tensor], axis: int) -> Tensor:
    """xs one after the other along `axis`, whose other sizes agree."""
    first = xs[0]
    axis = arguments.axis(name, axis, first.ndim)
    for x in xs[1:]:
        if not may_agree(x.shape, first.shape, axis):
            raise ValueError(
                f"{name}: expected shapes that agree except in axis {axis}, received "
                f"{', '.join(str(x.shape) for x in xs)}"
            )
    return apply("concatenate", *xs, axis=axis)


def _reshaped(x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else apply("reshape", x, shape=shape)


@op
def concatenate(xs: TensorLike, axis: int | None = 0) -> Tensor:
    """y = the tensors one after the other along `axis`.

    Args:
        xs: A list of tensors or arrays whose shapes agree except in `axis`.
        axis: An int; None joins the values as vectors.
    """
    parts = _several("concatenate", xs)
    if axis is None:
        return _joined("concatenate", [_reshaped(x, (x.size,)) for x in parts], 0)
    return _joined("concatenate", parts, axis)


@op
def append(x1: TensorLike, x2: TensorLike, axis: int | None = None) -> Result:
    """y = x1, and x2 behind it along `axis`; by default both as vectors."""
    return concatenate([x1, x2], axis)


@op
def stack(x: TensorLike, axis: int = 0) -> Tensor:
    """y[.., k, ..] = x[k], with k in a new axis `axis`.

    Args:
        x: A list of tensors or arrays of one shape.
        axis: Where the new axis is in the result.
    """
    xs = _several("stack", x)
    shape = xs[0].shape
    if not all(may_agree(t.shape, shape) for t in xs):
        shapes = ", ".join(str(t.shape) for t in xs)
        raise ValueError(f"stack: expected tensors of one shape, received {shapes}")
    axis = arguments.axis("stack", axis, len(shape) + 1)
    rows = [_reshaped(t, (*t.shape[:axis], 1, *t.shape[axis:])) for t in xs]
    return _joined("stack", rows, axis)


@op
def hstack(xs: TensorLike) -> Tensor:
    """y = the tensors side by side: along axis 1, vectors along axis 0."""
    parts = [x if x.ndim else _reshaped(x, (1,)) for x in _several("hstack", xs)]
    return _joined("hstack", parts, 0 if parts[0].ndim == 1 else 1)


@op
def vstack(xs: TensorLike) -> Tensor:
    """y = the tensors one below the other: along axis 0, vectors as rows."""
    parts = [x if x.ndim > 1 else _reshaped(x, (1, x.size)) for x in _several("vstack", xs)]
    return _joined("vstack", parts, 0)


@op
def dstack(xs: TensorLike) -> Tensor:
    """y = the tensors one behind the other: along axis 2, with vectors as (1, n, 1)."""
    parts = _several("dstack", xs)
    flat = [x if x.ndim > 1 else _reshaped(x, (1, x.size)) for x in parts]
    return _joined("dstack", [x if x.ndim > 2 else _reshaped(x, (*x.shape, 1)) for x in flat], 2)


@op
def column_stack(xs: TensorLike) -> Tensor:
    """y = the tensors side by side along axis 1, vectors as columns."""
    parts = [x if x.ndim > 1 else _reshaped(x, (x.size, 1)) for x in _several("column_stack", xs)]
    return _joined("column_stack", parts, 1)


@op
def split(x: TensorLike, indices_or_sections: Sizes, axis: int = 0) -> list[Tensor]:
    """y = a list of the parts of x along `axis`.

    Args:
        x: A tensor or array.
        indices_or_sections: How many equal parts, or the indices at which a new part begins.
        axis: An int.
    """
    return _split("split", x, indices_or_sections, axis)


def _split(name: str, x: TensorLike, indices_or_sections: Sizes, axis: int) -> list[Tensor]:
    x = as_tensor(x, name=name)
    axis = arguments.axis(name, axis, x.ndim)
    n = x.shape[axis]
    several = isinstance(indices_or_sections, (list, tuple)) or np.ndim(indices_or_sections)
    if several:
        ends = arguments.integers(name, "indices_or_sections", indices_or_sections)
        if list(ends) != sorted(ends) or any(not 0 <= end <= n for end in ends):
            raise ValueError(
                f"{name}: expected indices of [0, {n}] that do not fall, received {ends}"
            )
        return _parts(x, (0, *ends), (*ends, n), axis)
    count = arguments.at_least(name, "indices_or_sections", indices_or_sections, 1)
    if n % count:
        raise ValueError(
            f"{name}: axis {axis} of shape {x.shape} does not split into {count} equal parts"
        )
    size = n // count
    return _parts(x, range(0, n, size), range(size, n + 1, size), axis) if n else [x] * count


def _parts(x: Tensor, starts: Sequence[int], stops: Sequence[int], axis: int) -> list[Tensor]:
    """x[start:stop] along `axis` for each pair, as Python's slices."""
    before = (slice(None),) * axis
    keys = [(*before, slice(start, stop)) for start, stop in zip(starts, stops)]
    return [x[key] for key in keys]


@op
def array_split(x: TensorLike, indices_or_sections: Sizes, axis: int = 0) -> list[Tensor]:
    """y = a list of parts of x along `axis`, of which the first may be one longer than the last.

    Args:
        x: A tensor or array.
        indices_or_sections: How many parts, an int.
        axis: An int.
    """
    x = as_tensor(x, name="array_split")
    axis = arguments.axis("array_split", axis, x.ndim)
    count = arguments.at_least("array_split", "indices_or_sections", indices_or_sections, 1)
    size, longer = divmod(x.shape[axis], count)
    ends = [i * size + min(i, longer) for i in range(count + 1)]
    return _parts(x, ends[:-1], ends[1:], axis)


@op
def hsplit(x: TensorLike, indices_or_sections: Sizes) -> list[Tensor]:
    """y = a list of the parts of x along axis 1, of a vector along axis 0; see `split`."""
    x = arguments.rank("hsplit", as_tensor(x, name="hsplit"), 1)
    return _split("hsplit", x, indices_or_sections, 0 if x.ndim == 1 else 1)


@op
def vsplit(x: TensorLike, indices_or_sections: Sizes) -> list[Tensor]:
    """y = a list of the parts of x along axis 0; see `split`."""
    return _split("vsplit", x, indices_or_sections, 0)


@op
def dsplit(x: TensorLike, indices_or_sections: Sizes) -> list[Tensor]:
    """y = a list of the parts of x along axis 2, for three axes or more; see `split`."""
    x = arguments.rank("dsplit", as_tensor(x, name="dsplit"), 3)
    return _split("dsplit", x, indices_or_sections, 2)


@op
def unstack(x: TensorLike, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """y = a list of the slices of x along `axis`, without that axis.

    Args:
        x: A tensor or array.
        num: How many there are, or None.
        axis: An int.
    """
    x = as_tensor(x, name="unstack")
    axis = arguments.axis("unstack", axis, x.ndim)
    if num is not None and arguments.integer("unstack", "num", num) != x.shape[axis]:
        raise ValueError(
            f"unstack: expected num of {x.shape[axis]} for axis {axis} of {x.shape}, received {num}"
        )
    keys = [(*(slice(None),) * axis, i) for i in range(x.shape[axis])]
    return [x[key] for key in keys]
