"""What the public ops make of their arguments: axes, sizes, indices and values known by now."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .. import config
from ..graph import indexing
from ..graph.dtypes import INTEGERS
from ..graph.ops.elementwise import broadcast_shapes
from ..graph.tensor import Tensor, ValueTensor, apply
from .public import as_tensor


def integer(op: str, name: str, value: Any) -> int:
    """`value` as an int; TypeError where it is no integer."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{op}: expected {name} to be an integer, received {value!r}")
    if isinstance(value, int):  # also a size that stands for an open one, which stays that
        return value
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{op}: expected {name} to be an integer, received {value!r}") from None


def integers(op: str, name: str, value: Any) -> tuple[int, ...]:
    """One or several integers as a tuple."""
    if isinstance(value, (list, tuple)) or getattr(value, "shape", ()) != ():
        return tuple(integer(op, name, v) for v in value)
    return (integer(op, name, value),)


def at_least(op: str, name: str, value: Any, low: int) -> int:
    """`value` as an int that is not less than `low`."""
    result = integer(op, name, value)
    if result < low:
        raise ValueError(f"{op}: expected {name} of at least {low}, received {result}")
    return result


def sizes(op: str, name: str, value: Any) -> tuple[int, ...]:
    """The sizes of a shape, one of which may be given as an int."""
    result = integers(op, name, value)
    if any(n < 0 for n in result):
        raise ValueError(f"{op}: expected {name} without negative sizes, received {result}")
    return result


def axis(op: str, value: Any, ndim: int, name: str = "axis") -> int:
    """An axis of `ndim` as a non-negative int; ValueError where it is out of range."""
    result = integer(op, name, value)
    if not -ndim <= result < ndim:
        raise ValueError(f"{op}: {name} {result} is out of range for {ndim} dimensions")
    return result % ndim


def axes(op: str, value: Any, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """One or several axes of `ndim`, in the order given, none of them twice; all for None."""
    if value is None:
        return tuple(range(ndim))
    result = tuple(axis(op, v, ndim, name) for v in integers(op, name, value))
    if len(set(result)) != len(result):
        raise ValueError(f"{op}: {name} {value} names a dimension twice")
    return result


def rank(op: str, x: Tensor, low: int, high: int | None = None) -> Tensor:
    """`x`, which must have at least `low` axes, and at most `high`."""
    if x.ndim < low or (high is not None and x.ndim > high):
        span = f"{low} or more" if high is None else f"{low}" if low == high else f"{low} to {high}"
        raise ValueError(f"{op}: expected a rank of {span}, received shape {x.shape}")
    return x


def known(op: str, x: Any, instead: str) -> np.ndarray:
    """The values of an array or number that decide about shapes.

    Args:
        op: The op, for the message.
        x: A value tensor, or what `as_tensor` takes.
        instead: What to use where there are no values yet, for the message.

    Raises:
        TypeError: `x` is a tensor of a program that has no values yet.
    """
    x = as_tensor(x, name=op)
    if isinstance(x, ValueTensor):
        return x.value
    raise TypeError(
        f"{op}: the shape of the result depends on values that a tensor of a model does not have "
        f"yet; {instead}"
    )


def indices(op: str, value: Any, size: int) -> Tensor:
    """Indices into an axis of `size` as a tensor of int32 or int64; known ones are checked."""
    result = as_tensor(value, name=op)
    if result.size == 0 and isinstance(value, (list, tuple)):
        result = as_tensor(result, "int32")
    if result.dtype not in INTEGERS:
        raise TypeError(f"{op}: expected indices of an integer dtype, received {result.dtype}")
    if isinstance(result, ValueTensor) and result.size:
        low, high = result.value.min(), result.value.max()
        if low < -size or high >= size:
            bad = high if high >= size else low
            raise ValueError(f"{op}: index {bad} is out of range for an axis of size {size}")
    return as_tensor(result, "int32") if result.dtype == "uint8" else result


def linear_index(op: str, parts: list[Any], sizes: tuple[int, ...]) -> Tensor:
    """The one index that several, one for each axis of `sizes`, are into these axes as one."""
    parts = [indices(op, part, size) for part, size in zip(parts, sizes, strict=True)]
    return parts[0] if len(parts) == 1 else indexing.linear_index(parts, sizes)


def broadcast(op: str, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """`x` in a shape that it must broadcast to."""
    if x.shape == shape:
        return x
    if broadcast_shapes(op, x.shape, shape) != shape:
        raise ValueError(f"{op}: shape {x.shape} does not broadcast to {shape}")
    return apply("broadcast_to", x, shape=shape)


def filled(like: tuple[Tensor, ...], value: Any, shape: tuple[int, ...], dtype: str) -> Tensor:
    """A tensor with `value` everywhere, of the graph of one of `like`, or of values."""
    scalar = as_tensor(value, dtype)
    for tensor in like:
        if tensor.graph is not None and isinstance(scalar, ValueTensor):
            scalar = tensor.graph.constant(scalar.value)
    return broadcast("full", scalar, shape)


def spatial_rank(op: str, x: Tensor) -> int:
    """How many axes `x` has between those of the batch and the channels: 1 or 2."""
    if x.ndim not in (3, 4):
        raise ValueError(
            f"{op}: expected inputs of rank 3 or 4, a batch of sequences or of images with "
            f"channels, received shape {x.shape}"
        )
    return x.ndim - 2


def spatial(op: str, name: str, value: Any, rank: int, low: int = 1) -> tuple[int, ...]:
    """A size for each spatial axis, from one for all of them or one each."""
    result = integers(op, name, value)
    if not isinstance(value, (list, tuple)):
        result = result * rank
    if len(result) != rank or any(n < low for n in result):
        raise ValueError(
            f"{op}: expected {name} to be an integer of at least {low}, or {rank} of them, "
            f"received {value!r}"
        )
    return result


def choice(op: str, name: str, value: Any, choices: tuple[str, ...]) -> str:
    """`value`, one of several words, in lower case."""
    if not isinstance(value, str) or value.lower() not in choices:
        expected = " or ".join(map(repr, choices))
        raise ValueError(f"{op}: expected {name} {expected}, received {value!r}")
    return value.lower()


def is_channels_first(op: str, data_format: Any) -> bool:
    """What `data_format` says; None is `config.image_data_format()`."""
    formats = ("channels_last", "channels_first")
    if data_format is None:
        data_format = config.image_data_format()
    return choice(op, "data_format", data_format, formats) == formats[1]


def channels_last(x: Tensor) -> Tensor:
    """(batch, channels, ...) as (batch, ..., channels)."""
    return apply("transpose", x, axes=(0, *range(2, x.ndim), 1))


def channels_first(x: Tensor) -> Tensor:
    """(batch, ..., channels) as (batch, channels, ...)."""
    return apply("transpose", x, axes=(0, x.ndim - 1, *range(1, x.ndim - 1)))
