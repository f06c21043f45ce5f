"""Convolution in one and two dimensions: forward, transposed, and the gradients of its parts.

Shape legend, with (height, width) for 2D and (length) for 1D in the place of "...": images `x`
(batch, ..., in), `y` and `dy` (batch, ..., out), `kernel` (taps ..., in / groups, out) and
`bias` (out,). Transposed convolution maps `in` to `out` with a kernel (..., out, in). Kernels
are not flipped (it is a cross-correlation), as everywhere in deep learning.

Everything is written as a loop over the taps of the kernel: the pixels that one tap meets are a
strided slice of the padded image, and tap by tap the convolution is a matrix product.

Dtypes: float32 or float64, the same for all arrays of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._arrays import Array, as_array, check_shape
from ._taps import Padding, Taps
from .matmul import _activation, bias_backward


def _groups(op: str, groups: int, channels_in: int, channels_out: int) -> list[tuple[slice, slice]]:
    """Input and output channels of each group."""
    if channels_in % groups or channels_out % groups:
        raise ValueError(
            f"{op}: expected groups that divide {channels_in} and {channels_out} channels, "
            f"received {groups}."
        )
    n, m = channels_in // groups, channels_out // groups
    return [(slice(g * n, (g + 1) * n), slice(g * m, (g + 1) * m)) for g in range(groups)]


def _finish(
    op: str,
    z: Array,
    bias: Array | None,
    activation: str | None,
    pre_activation: bool,
    attributes: dict[str, Any],
) -> Array | tuple[Array, Array]:
    """Bias and activation: `y = activation(z + bias)`."""
    if bias is not None:
        check_shape(op, "bias", bias, z.shape[-1:])
        z = as_array(z + bias, z.dtype)
    y = z if activation is None else _activation(op, activation)[0](z, **attributes)
    return (y, np.array(z)) if pre_activation else y


def _convolution(
    op: str,
    x: Array,
    kernel: Array,
    strides: Sequence[int] | None,
    padding: Padding,
    dilation_rate: Sequence[int] | None,
    groups: int,
) -> Array:
    taps = Taps(op, x.shape[1:-1], kernel.shape[:-2], strides, padding, dilation_rate)
    channels = _groups(op, groups, x.shape[-1], kernel.shape[-1])
    if kernel.shape[-2] * groups != x.shape[-1]:
        raise ValueError(
            f"{op}: expected a kernel for {x.shape[-1]} channels in {groups} groups, received "
            f"{kernel.shape}."
        )
    padded = taps.pad(x)
    y = np.zeros((x.shape[0], *taps.places, kernel.shape[-1]), x.dtype)
    for tap, met in taps:
        for c_in, c_out in channels:
            y[..., c_out] += padded[met][..., c_in] @ kernel[tap][:, c_out]
    return y


def _backward_input(
    op: str,
    dy: Array,
    kernel: Array,
    input_shape: Sequence[int],
    strides: Sequence[int] | None,
    padding: Padding,
    dilation_rate: Sequence[int] | None,
    groups: int,
) -> Array:
    taps = Taps(op, input_shape[1:-1], kernel.shape[:-2], strides, padding, dilation_rate)
    channels = _groups(op, groups, input_shape[-1], kernel.shape[-1])
    check_shape(op, "dy", dy, (dy.shape[0], *taps.places, kernel.shape[-1]))
    dpadded = taps.pad(np.zeros((dy.shape[0], *input_shape[1:]), dy.dtype))
    for tap, met in taps:
        for c_in, c_out in channels:
            dpadded[met][..., c_in] += dy[..., c_out] @ kernel[tap][:, c_out].T
    return taps.crop(dpadded)


def _backward_kernel(
    op: str,
    x: Array,
    dy: Array,
    kernel_size: Sequence[int],
    strides: Sequence[int] | None,
    padding: Padding,
    dilation_rate: Sequence[int] | None,
    groups: int,
    bias: bool,
) -> Array | tuple[Array, Array]:
    taps = Taps(op, x.shape[1:-1], kernel_size, strides, padding, dilation_rate)
    channels = _groups(op, groups, x.shape[-1], dy.shape[-1])
    check_shape(op, "dy", dy, (x.shape[0], *taps.places, dy.shape[-1]))
    padded = taps.pad(x)
    dkernel = np.zeros((*kernel_size, x.shape[-1] // groups, dy.shape[-1]), x.dtype)
    summed = tuple(range(x.ndim - 1))
    for tap, met in taps:
        for c_in, c_out in channels:
            dkernel[tap][:, c_out] = np.tensordot(
                padded[met][..., c_in], dy[..., c_out], axes=(summed, summed)
            )
    return (dkernel, bias_backward(dy)) if bias else dkernel


def _transposed_size(
    size: int, extent: int, stride: int, padding: str | tuple[int, int], extra: int | None
) -> tuple[int, int]:
    """(first pixel kept, number of pixels) of the scattered image, as in Keras 3.

    Scattering `size` pixels `stride` apart with a kernel of `extent` pixels writes
    (size - 1) stride + extent pixels; the result is a window on these, with zeros after them.
    """
    if padding == "valid":
        extra = max(stride - extent, 0) if extra is None else extra
        return 0, (size - 1) * stride + extent + extra
    if padding == "same":
        if extra is None:
            pad, out = stride + extent - 2, size * stride
        else:
            pad = extent + extent % 2 - 2 + extra
            out = (size - 1) * stride + extent % 2 + extra
        # Keras pads the input, with stride - 1 zeros between its pixels, by so much before it.
        return extent - 1 - min(pad - pad // 2, extent - 1), out
    before, after = int(padding[0]), int(padding[1])
    return before, (size - 1) * stride + extent + (extra or 0) - before - after


def _transpose(
    op: str,
    x: Array,
    kernel: Array,
    strides: Sequence[int] | None,
    padding: Padding,
    output_padding: Sequence[int] | None,
    dilation_rate: Sequence[int] | None,
) -> Array:
    rank = x.ndim - 2
    strides = (1,) * rank if strides is None else strides
    dilation = (1,) * rank if dilation_rate is None else dilation_rate
    if x.shape[-1] != kernel.shape[-1]:
        raise ValueError(
            f"{op}: expected a kernel for {x.shape[-1]} channels, received {kernel.shape}."
        )
    extents = [d * (k - 1) + 1 for k, d in zip(kernel.shape, dilation)]
    full = tuple((n - 1) * s + e for n, s, e in zip(x.shape[1:], strides, extents))
    taps = Taps(op, full, kernel.shape[:-2], strides, "valid", dilation)
    scattered = np.zeros((x.shape[0], *full, kernel.shape[-2]), x.dtype)
    for tap, met in taps:
        scattered[met] += x @ kernel[tap].T
    for axis in range(rank):
        of_axis = (
            padding if isinstance(padding, str) else (padding[2 * axis], padding[2 * axis + 1])
        )
        first, size = _transposed_size(
            x.shape[axis + 1],
            extents[axis],
            strides[axis],
            of_axis,
            None if output_padding is None else output_padding[axis],
        )
        if size < 1:
            raise ValueError(
                f"{op}: expected a result of at least 1 pixel, received sizes {x.shape[1:-1]}, "
                f"padding {padding!r}."
            )
        zeros = [(0, 0)] * x.ndim
        zeros[axis + 1] = (0, max(first + size - full[axis], 0))
        scattered = np.take(np.pad(scattered, zeros), np.arange(first, first + size), axis=axis + 1)
    return scattered


def conv1d(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Convolution over one axis: `x` (batch, length, in), `kernel` (taps, in / groups, out).

    `z[b, o, j] = sum over t, c of x[b, o s + t d - before, c] kernel[t, c, j] + bias[j]`, and
    `y = activation(z)`. See `conv2d`; here `strides` and `dilation_rate` are tuples of one
    number, and explicit padding is (left, right).
    """
    z = _convolution("conv1d", x, kernel, strides, padding, dilation_rate, groups)
    return _finish("conv1d", z, bias, activation, pre_activation, attributes)


def conv2d(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Convolution of images: `x` (batch, height, width, in), `kernel` (kh, kw, in/groups, out).

    `z[b, o, j] = sum over t, c of x[b, o s + t d - before, c] kernel[t, c, j] + bias[j]`, and
    `y = activation(z)`, where o and t stand for a row and a column, s for the strides, d for the
    dilation rate, and pixels outside of the image are zero. Padding is "valid" (none), "same"
    (ceil(size / stride) pixels come out, the odd pixel of padding goes below and to the right) or
    (top, bottom, left, right). With `groups`, part g of the output channels sees part g of the
    input channels. `attributes` are those of the activation. With `pre_activation` the result
    is `(y, z)`.

    A weight that is infinite or NaN may make NaN where it meets padding, or not: kernels read the
    zeros or leave them out.

    Raises:
        ValueError: The kernel does not fit the channels or the padded image, or there is no
            activation of this name.
    """
    z = _convolution("conv2d", x, kernel, strides, padding, dilation_rate, groups)
    return _finish("conv2d", z, bias, activation, pre_activation, attributes)


def _fused_backward_input(
    op: str,
    dx: Array,
    saved: Array | None,
    activation: str | None,
    attributes: dict[str, Any],
) -> Array:
    return dx if activation is None else _activation(op, activation)[1](dx, saved, **attributes)


def conv1d_backward_input(
    dy: Array,
    kernel: Array,
    saved: Array | None = None,
    input_shape: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    activation: str | None = None,
    **attributes: Any,
) -> Array:
    """Gradient of `conv1d` for `x`, of shape `input_shape`: see `conv2d_backward_input`."""
    op = "conv1d_backward_input"
    dx = _backward_input(op, dy, kernel, input_shape, strides, padding, dilation_rate, groups)
    return _fused_backward_input(op, dx, saved, activation, attributes)


def conv2d_backward_input(
    dy: Array,
    kernel: Array,
    saved: Array | None = None,
    input_shape: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    activation: str | None = None,
    **attributes: Any,
) -> Array:
    """Gradient of `conv2d` for `x`, of shape `input_shape`: the adjoint of the convolution.

    `dx[b, i, c] = sum over o, t, j of dy[b, o, j] kernel[t, c, j] where o s + t d - before = i`.
    With `activation`, the gradient passes on through the activation that made `x`:
    `activation_backward(dx, saved, **attributes)`, `saved` of `input_shape`.
    """
    op = "conv2d_backward_input"
    dx = _backward_input(op, dy, kernel, input_shape, strides, padding, dilation_rate, groups)
    return _fused_backward_input(op, dx, saved, activation, attributes)


def conv1d_backward_kernel(
    x: Array,
    dy: Array,
    kernel_size: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    bias: bool = False,
) -> Array | tuple[Array, Array]:
    """Gradient of `conv1d` for its kernel, of shape (taps, in / groups, out).

    See `conv2d_backward_kernel`.
    """
    op = "conv1d_backward_kernel"
    return _backward_kernel(op, x, dy, kernel_size, strides, padding, dilation_rate, groups, bias)


def conv2d_backward_kernel(
    x: Array,
    dy: Array,
    kernel_size: Sequence[int] = (),
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    dilation_rate: Sequence[int] | None = None,
    groups: int = 1,
    bias: bool = False,
) -> Array | tuple[Array, Array]:
    """Gradient of `conv2d` for its kernel, of shape (kh, kw, in / groups, out).

    `dkernel[t, c, j] = sum over b, o of x[b, o s + t d - before, c] dy[b, o, j]`. With `bias`
    the result is `(dkernel, bias_backward(dy))`.
    """
    op = "conv2d_backward_kernel"
    return _backward_kernel(op, x, dy, kernel_size, strides, padding, dilation_rate, groups, bias)


def conv1d_transpose(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    output_padding: Sequence[int] | None = None,
    dilation_rate: Sequence[int] | None = None,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Transposed convolution over one axis, with a kernel (taps, out, in).

    See `conv2d_transpose`.
    """
    z = _transpose("conv1d_transpose", x, kernel, strides, padding, output_padding, dilation_rate)
    return _finish("conv1d_transpose", z, bias, activation, pre_activation, attributes)


def conv2d_transpose(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    strides: Sequence[int] | None = None,
    padding: Padding = "valid",
    output_padding: Sequence[int] | None = None,
    dilation_rate: Sequence[int] | None = None,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Transposed convolution: `x` (batch, height, width, in), `kernel` (kh, kw, out, in).

    `y[b, i s + t d - before, j] += x[b, i, c] kernel[t, j, c]` over all i, t and c; then bias and
    activation. With e = (k - 1) d + 1 for a kernel of k taps, n pixels become

    - "valid": (n - 1) s + max(e, s), or (n - 1) s + e + output_padding, and before = 0;
    - "same": n s, or (n - 1) s + e % 2 + output_padding, with the same pixels as Keras 3;
    - (top, bottom, left, right): (n - 1) s + e + output_padding, less so many pixels of the border.

    Raises:
        ValueError: The kernel does not fit the channels, or nothing would come out.
    """
    z = _transpose("conv2d_transpose", x, kernel, strides, padding, output_padding, dilation_rate)
    return _finish("conv2d_transpose", z, bias, activation, pre_activation, attributes)
