"""Depthwise convolution: every channel has filters of its own; forward and gradients.

Shape legend: `x` (batch, height, width, channels), `kernel` (kh, kw, channels, multiplier),
`y` and `dy` (batch, height, width, channels * multiplier), where output channel
`c * multiplier + m` is input channel c under filter m. Dtypes: float32 or float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._arrays import Array, check_shape
from ._taps import Padding, Taps
from .convolution import _finish
from .matmul import bias_backward


def _filters(dy: Array, channels: int) -> Array:
    """View (..., channels * multiplier) as (..., channels, multiplier)."""
    return dy.reshape(*dy.shape[:-1], channels, dy.shape[-1] // channels)


def depthwise_conv2d(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Convolution of each channel on its own.

    `z[b, o, c M + m] = sum over t of x[b, o s + t d - before, c] kernel[t, c, m] + bias[c M + m]`
    and `y = activation(z)`, where o and t stand for a row and a column and M is the multiplier.
    Strides, padding and dilation as in `conv2d`, and so is `pre_activation`: then the result is
    `(y, z)`.

    Raises:
        ValueError: The kernel does not fit the channels or the padded image, or there is no
            activation of this name.
    """
    op = "depthwise_conv2d"
    taps = Taps(op, x.shape[1:-1], kernel.shape[:2], strides, padding, dilation_rate)
    channels, multiplier = kernel.shape[2:]
    check_shape(op, "x", x, (*x.shape[:-1], channels))
    padded = taps.pad(x)
    z = np.zeros((x.shape[0], *taps.places, channels, multiplier), x.dtype)
    for tap, met in taps:
        z += padded[met][..., np.newaxis] * kernel[tap]
    z = z.reshape(*z.shape[:-2], channels * multiplier)
    return _finish(op, z, bias, activation, pre_activation, attributes)


def depthwise_conv2d_backward_input(
    dy: Array,
    kernel: Array,
    input_shape: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
) -> Array:
    """Gradient of `depthwise_conv2d` for `x`, of shape `input_shape`.

    `dx[b, i, c] = sum over o, t, m of dy[b, o, c M + m] kernel[t, c, m]`, where i is the pixel
    `o s + t d - before`.
    """
    op = "depthwise_conv2d_backward_input"
    taps = Taps(op, input_shape[1:-1], kernel.shape[:2], strides, padding, dilation_rate)
    channels, multiplier = kernel.shape[2:]
    check_shape(op, "dy", dy, (dy.shape[0], *taps.places, channels * multiplier))
    dpadded = taps.pad(np.zeros((dy.shape[0], *input_shape[1:]), dy.dtype))
    for tap, met in taps:
        dpadded[met] += np.sum(_filters(dy, channels) * kernel[tap], axis=-1)
    return taps.crop(dpadded)


def depthwise_conv2d_backward_kernel(
    x: Array,
    dy: Array,
    kernel_size: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    bias: bool = False,
) -> Array | tuple[Array, Array]:
    """Gradient of `depthwise_conv2d` for its kernel, of shape (kh, kw, channels, multiplier).

    `dkernel[t, c, m] = sum over b, o of x[b, o s + t d - before, c] dy[b, o, c M + m]`. With
    `bias` the result is `(dkernel, bias_backward(dy))`.
    """
    op = "depthwise_conv2d_backward_kernel"
    taps = Taps(op, x.shape[1:-1], kernel_size, strides, padding, dilation_rate)
    channels = x.shape[-1]
    check_shape(op, "dy", dy, (x.shape[0], *taps.places, dy.shape[-1]))
    padded = taps.pad(x)
    filtered = _filters(dy, channels)
    dkernel = np.zeros((*kernel_size, channels, filtered.shape[-1]), x.dtype)
    for tap, met in taps:
        dkernel[tap] = np.sum(padded[met][..., np.newaxis] * filtered, axis=(0, 1, 2))
    return (dkernel, bias_backward(dy)) if bias else dkernel
