"""keras.ops.image: colours."""

from __future__ import annotations

import numpy as np

from ... import config
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, apply
from ...graph.types import TensorLike
from ..public import as_tensor, named
from .layout import channel_axis, channels_first, contract, floats_of, images_of

_LUMA = (0.2989, 0.5870, 0.1140)


@named("image.rgb_to_grayscale")
def rgb_to_grayscale(images: TensorLike, data_format: str | None = None) -> Tensor:
    """y = 0.2989 red + 0.5870 green + 0.1140 blue, with one channel.

    Args:
        images: An image or a batch; of one channel they stay as they are. Integers are computed as
            floats and truncated.
        data_format: "channels_last" by default, or "channels_first".
    """
    op = "image.rgb_to_grayscale"
    first = channels_first(op, data_format)
    images = images_of(op, images)
    axis = channel_axis(images, first)
    if images.shape[axis] == 1:
        return images
    _check_channels(op, images, axis, "1 or 3")
    x = images if images.dtype in FLOATS else as_tensor(images, config.floatx())
    y = contract(x, as_tensor(np.array(_LUMA)[:, None], x.dtype), axis)
    return y if y.dtype == images.dtype else apply("cast", y, dtype=images.dtype)


def _check_channels(op: str, images: Tensor, axis: int, expected: str = "3") -> None:
    if images.shape[axis] != 3:
        raise ValueError(
            f"{op}: expected images of {expected} channels on axis {axis}, received shape "
            f"{images.shape}"
        )


def _channels(op: str, images: TensorLike, data_format: str | None) -> tuple[list[Tensor], int]:
    """The three channels of floating images, each with an axis of size 1; and which axis that is.

    Raises:
        TypeError: Images of integers.
    """
    first = channels_first(op, data_format)
    images = floats_of(op, images)
    axis = channel_axis(images, first)
    _check_channels(op, images, axis)
    if op == "image.rgb_to_hsv":
        tiny = apply("abs", images) < float(np.finfo(images.dtype).eps)
        images = apply("where", tiny, as_tensor(0, images.dtype), images)
    return [apply("slice", images, axis=axis, start=i, stop=i + 1) for i in range(3)], axis


@named("image.rgb_to_hsv")
def rgb_to_hsv(images: TensorLike, data_format: str | None = None) -> Tensor:
    """value = max(red, green, blue), saturation = (value - min) / value, hue in [0, 1).

    Args:
        images: Floats in [0, 1], an image or a batch of 3 channels.
        data_format: "channels_last" by default, or "channels_first".

    Raises:
        TypeError: Images of integers.

    Reference: Smith 1978, "Color gamut transform pairs".
    """
    (r, g, b), axis = _channels("image.rgb_to_hsv", images, data_format)
    value = apply("maximum", apply("maximum", r, g), b)
    extent = value - apply("minimum", apply("minimum", r, g), b)
    zero, one = as_tensor(0, r.dtype), as_tensor(1, r.dtype)
    lit, colored = value > 0, extent > 0
    saturation = apply("where", lit, extent / apply("where", lit, value, one), zero)
    norm = 1 / (6 * apply("where", colored, extent, one))
    hue = apply("where", value == g, norm * (b - r) + 2 / 6, norm * (r - g) + 4 / 6)
    hue = apply("where", value == r, norm * (g - b), hue)
    turn = apply("cast", hue < 0, dtype=r.dtype)
    hue = apply("where", colored, hue, zero) + turn
    return apply("concatenate", hue, saturation, value, axis=axis)


@named("image.hsv_to_rgb")
def hsv_to_rgb(images: TensorLike, data_format: str | None = None) -> Tensor:
    """y = value (1 - saturation + saturation d), d the share of the channel in the hue.

    Args:
        images: Floats in [0, 1], an image or a batch of 3 channels.
        data_format: "channels_last" by default, or "channels_first".

    Raises:
        TypeError: Images of integers.

    Reference: Smith 1978, "Color gamut transform pairs".
    """
    (hue, saturation, value), axis = _channels("image.hsv_to_rgb", images, data_format)
    angle = apply("mod", hue, as_tensor(1, hue.dtype)) * 6
    shares = (
        apply("abs", angle - 3) - 1,
        2 - apply("abs", angle - 2),
        2 - apply("abs", angle - 4),
    )
    rest = 1 - saturation
    planes = [value * (rest + saturation * _clip(share)) for share in shares]
    return apply("concatenate", *planes, axis=axis)


def _clip(x: Tensor) -> Tensor:
    low, high = as_tensor(0, x.dtype), as_tensor(1, x.dtype)
    return apply("minimum", apply("maximum", x, low), high)
