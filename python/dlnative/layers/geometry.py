"""Arguments of the layers that slide windows over images: sizes, padding, data format, rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import config
from ..graph.window import AXES
from ..naming import unknown
from ..utils.numbers import is_integer
from . import messages

if TYPE_CHECKING:
    from ..graph.types import Shape

# The order of axes that puts channels last, for the remedies in messages.
TO_CHANNELS_LAST = {1: "x.transpose(0, 2, 1)", 2: "x.transpose(0, 2, 3, 1)"}


def standardize_sizes(
    layer: Any, argument: str, value: Any, rank: int, least: int = 1
) -> tuple[int, ...]:
    """An integer, or one per spatial axis, as a tuple of `rank` integers.

    Raises:
        TypeError: Not an integer, or a tuple with something that is none.
        ValueError: A tuple of another length, or a size below `least`.
    """
    wanted = "an integer" if rank == 1 else f"an integer or a tuple of {rank} integers"
    if is_integer(value):
        value = (value,) * rank
    if not isinstance(value, (tuple, list)) or not all(is_integer(n) for n in value):
        raise TypeError(
            f"{messages.describe(layer)}: expected {argument} to be {wanted}, received {value!r}"
        )
    if len(value) != rank:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be {wanted}, received {value!r}"
        )
    if min(value) < least:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} of at least {least}, "
            f"received {tuple(value)}"
        )
    return tuple(int(n) for n in value)


def one_of(*known: str, any_case: bool = False) -> Callable[[Any, str, Any], str]:
    """A check for `Option`: one of the names `known`, in lower case; else ValueError."""

    def check(layer: Any, argument: str, value: Any) -> str:
        name = value.lower() if any_case and isinstance(value, str) else value
        if name not in known:
            raise ValueError(f"{messages.describe(layer)}: {unknown(argument, value, known)}")
        return name

    return check


def sizes(least: int = 1) -> Callable[[Any, str, Any], tuple[int, ...]]:
    """A check for `Option`: an integer per spatial axis, see `standardize_sizes`."""

    def check(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
        return standardize_sizes(layer, argument, value, rank_of(layer), least)

    return check


def rank_of(layer: Any) -> int:
    """Number of spatial axes of what a layer takes."""
    return getattr(layer, "rank", 2)


def data_format(layer: Any, argument: str, value: Any) -> str:
    """A check for `Option`: "channels_last" or "channels_first"; None is the one of `config`."""
    known = one_of("channels_last", "channels_first")
    return known(layer, argument, config.image_data_format() if value is None else value)


def check_images(
    layer: Any, shape: Shape, rank: int, source: str = "", channels_first: bool = False
) -> None:
    """ValueError unless `shape` is that of a batch of images, without an axis of size 0.

    Args:
        layer: The layer that is called, for messages.
        shape: Shape of its input, the batch first.
        rank: Number of spatial axes.
        source: Where the input comes from, see `messages.source`.
        channels_first: Whether the channels come before the spatial axes.
    """
    axes = ("channels", *AXES[rank]) if channels_first else (*AXES[rank], "channels")
    expected = f"(batch, {', '.join(axes)})"
    missing = "x[:, None]" if channels_first else "x[..., None]"
    received = f"received {messages.format_shape(shape)}{source}"
    if len(shape) == rank + 1:
        raise ValueError(
            f"{messages.describe(layer)}: expected input of shape {expected}, {received}. If the "
            f"channels are missing, add an axis of one channel: {missing}, or a Reshape layer."
        )
    if len(shape) != rank + 2:
        raise ValueError(
            f"{messages.describe(layer)}: expected input of shape {expected}, {received}. "
            "Reshape it, or put the layer before those that change its rank, such as Flatten."
        )
    for name, size in zip(axes, shape[1:], strict=True):
        if size is not None and size < 1:
            raise ValueError(
                f"{messages.describe(layer)}: expected input with a {name} of at least 1, "
                f"{received}"
            )


def with_hint(error: ValueError, shape: Shape, rank: int) -> ValueError:
    """`error` with a word on transposing, if the shape looks like one of channels first."""
    if shape[1] in (1, 3) and shape[-1] > 4 and len(error.args) == 1:
        error.args = (
            f"{error.args[0]} If axis 1 holds the channels, transpose: {TO_CHANNELS_LAST[rank]}.",
        )
    return error
