"""What the builders have in common: checks of their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from .. import config

Value = TypeVar("Value")


def check_image_size(
    builder: str, input_shape: Sequence[int], smallest: int = 1
) -> tuple[int, int, int]:
    """`input_shape` as (height, width, channels).

    Args:
        builder: Name of the function, for messages.
        input_shape: The argument as it was given.
        smallest: Rows and columns that the network needs.

    Raises:
        TypeError: Not a tuple of integers.
        ValueError: Not three sizes, or an image that is too small.
    """
    if config.image_data_format() != "channels_last":
        raise ValueError(
            f"{builder}: its layers take images with channels last; call "
            "config.set_image_data_format('channels_last')"
        )
    expected = f"{builder}: expected input_shape=(height, width, channels), such as (32, 32, 3)"
    if not isinstance(input_shape, (tuple, list)):
        raise TypeError(f"{expected}, received {input_shape!r}")
    sizes = tuple(input_shape)
    if len(sizes) != 3:
        hint = " For images of one channel append a 1." if len(sizes) == 2 else ""
        hint = " Leave the batch size out." if len(sizes) == 4 else hint
        raise ValueError(f"{expected}, received {sizes}.{hint}")
    if None in sizes:
        raise ValueError(f"{expected}, with all sizes known, received {sizes}")
    if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in sizes):
        raise TypeError(f"{expected}, received {sizes}")
    height, width, channels = (int(n) for n in sizes)
    if min(height, width) < smallest or channels < 1:
        hint = ""
        if height in (1, 3) and channels > 4:
            hint = " If the channels come first, transpose the images: x.transpose(0, 2, 3, 1)."
        raise ValueError(
            f"{builder}: expected images of at least {smallest}x{smallest} pixels and one channel, "
            f"received input_shape={sizes}.{hint}"
        )
    return height, width, channels


def check_option(builder: str, argument: str, value: Value, known: Sequence[object]) -> Value:
    """ValueError unless `value` is one of `known`."""
    if value not in known:
        offered = " or ".join(repr(k) for k in known)
        raise ValueError(f"{builder}: expected {argument} to be {offered}, received {value!r}")
    return value
