"""keras.ops: convolutions along one or two axes. Kernels are not flipped."""

from __future__ import annotations

from typing import Any

from ..graph.dtypes import FLOATS
from ..graph.tensor import Tensor, apply
from ..graph.types import Sizes, TensorLike
from . import arguments
from .public import as_tensor, op


def _kernel(name: str, kernel: TensorLike) -> Tensor:
    kernel = as_tensor(kernel, name=name)
    if kernel.dtype not in FLOATS:
        raise TypeError(f"{name}: expected a kernel of floats, received {kernel.dtype}")
    return kernel


def _inputs(
    name: str, inputs: TensorLike, kernel: Tensor, data_format: str | None
) -> tuple[Tensor, int, bool]:
    """(The inputs with channels last and in the dtype of the kernel, how many spatial axes,
    whether channels came first)."""
    x = as_tensor(as_tensor(inputs, name=name), kernel.dtype)
    rank = arguments.spatial_rank(name, x)
    if kernel.ndim != x.ndim:
        raise ValueError(
            f"{name}: expected a kernel of rank {x.ndim} for inputs of shape {x.shape}, received "
            f"shape {kernel.shape}"
        )
    first = arguments.is_channels_first(name, data_format)
    return arguments.channels_last(x) if first else x, rank, first


def _taps(
    name: str, rank: int, strides: Sizes, padding: str, dilation_rate: Sizes
) -> dict[str, Any]:
    """The attributes of a row that say where the taps lie."""
    return {
        "strides": arguments.spatial(name, "strides", strides, rank),
        "padding": arguments.choice(name, "padding", padding, ("valid", "same")),
        "dilation_rate": arguments.spatial(name, "dilation_rate", dilation_rate, rank),
    }


@op
def conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:
    """y[b, o, j] = sum over t, c of x[b, o s + t d - before, c] kernel[t, c, j]

    s are the strides, d the dilation rates. Where the inputs have a multiple of the kernel's input
    channels, they are cut into groups, each with its part of the outputs.

    Args:
        inputs: Shape (batch, length, channels) or (batch, height, width, channels).
        kernel: Floats of shape (length, in, out) or (height, width, in, out).
        strides: An int for all axes, or one for each.
        padding: "valid" for windows within the inputs, "same" for ceil(size / stride) windows.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
        dilation_rate: The distance between taps, as `strides`.

    Returns:
        The result, in the dtype of the kernel.

    Raises:
        ValueError: Shapes do not fit; there are three spatial axes.
        TypeError: The kernel is of integers.
    """
    kernel = _kernel("conv", kernel)
    x, rank, first = _inputs("conv", inputs, kernel, data_format)
    channels, own = x.shape[-1], kernel.shape[-2]
    if own == 0 or channels % own:
        raise ValueError(
            f"conv: expected inputs with a multiple of the kernel's {own} input channels, received "
            f"{channels}"
        )
    groups = max(channels // own, 1)
    taps = _taps("conv", rank, strides, padding, dilation_rate)
    y = apply(f"conv{rank}d", x, kernel, groups=groups, **taps)
    return arguments.channels_first(y) if first else y


@op
def depthwise_conv(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:
    """y[b, o, c M + m] = sum over t of x[b, o s + t d - before, c] kernel[t, c, m]

    Args:
        inputs: Shape (batch, length, channels) or (batch, height, width, channels).
        kernel: Floats of shape (length, channels, M) or (height, width, channels, M).
        strides: An int for all axes, or one for each.
        padding: "valid" for windows within the inputs, "same" for ceil(size / stride) windows.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
        dilation_rate: The distance between taps, as `strides`.

    Returns:
        The result, in the dtype of the kernel.

    Raises:
        ValueError: Shapes do not fit; there are three spatial axes.
        TypeError: The kernel is of integers.
    """
    kernel = _kernel("depthwise_conv", kernel)
    x, rank, first = _inputs("depthwise_conv", inputs, kernel, data_format)
    taps = _taps("depthwise_conv", rank, strides, padding, dilation_rate)
    y = _depthwise(x, kernel, taps)
    return arguments.channels_first(y) if first else y


def _depthwise(x: Tensor, kernel: Tensor, taps: dict[str, Any]) -> Tensor:
    """Channels last. Sequences are images of one row."""
    if x.ndim == 4:
        return apply("depthwise_conv2d", x, kernel, **taps)
    row = {key: value if isinstance(value, str) else (1, *value) for key, value in taps.items()}
    x = apply("reshape", x, shape=(x.shape[0], 1, *x.shape[1:]))
    y = apply("depthwise_conv2d", x, apply("reshape", kernel, shape=(1, *kernel.shape)), **row)
    return apply("reshape", y, shape=(y.shape[0], *y.shape[2:]))


@op
def separable_conv(
    inputs: TensorLike,
    depthwise_kernel: TensorLike,
    pointwise_kernel: TensorLike,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:
    """y = conv(depthwise_conv(inputs, depthwise_kernel), pointwise_kernel)

    Args:
        inputs: Shape (batch, length, channels) or (batch, height, width, channels).
        depthwise_kernel: Floats of shape (length, channels, M) or (height, width, channels, M).
        pointwise_kernel: Floats of shape (1, channels M, out) or (1, 1, channels M, out).
        strides: Those of the first convolution: an int for all axes, or one for each.
        padding: "valid" for windows within the inputs, "same" for ceil(size / stride) windows.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
        dilation_rate: The distance between taps, as `strides`.
    """
    name = "separable_conv"
    kernel = _kernel(name, depthwise_kernel)
    x, rank, first = _inputs(name, inputs, kernel, data_format)
    y = _depthwise(x, kernel, _taps(name, rank, strides, padding, dilation_rate))
    # Its taps are as far apart as those of the first one, where it has several.
    y = conv(y, pointwise_kernel, dilation_rate=dilation_rate)
    return arguments.channels_first(y) if first else y


@op
def conv_transpose(
    inputs: TensorLike,
    kernel: TensorLike,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:
    """y[b, i s + t d - before, j] = sum over i, t, c of x[b, i, c] kernel[t, j, c]

    The adjoint of a convolution whose inputs have the shape of y.

    Args:
        inputs: Shape (batch, length, channels) or (batch, height, width, channels).
        kernel: Floats of shape (length, out, in) or (height, width, out, in).
        strides: An int for all axes, or one for each.
        padding: "valid" keeps all that is written, "same" gives size * stride.
        output_padding: How many values are added at the end, less than the strides; None for what
            `padding` says.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
        dilation_rate: The distance between taps, as `strides`.

    Returns:
        The result, in the dtype of the kernel.

    Raises:
        ValueError: Shapes do not fit; there are three spatial axes; output_padding is not less
            than the strides.
        TypeError: The kernel is of integers.
    """
    name = "conv_transpose"
    kernel = _kernel(name, kernel)
    x, rank, first = _inputs(name, inputs, kernel, data_format)
    taps = _taps(name, rank, strides, padding, dilation_rate)
    if output_padding is not None:
        taps["output_padding"] = arguments.spatial(name, "output_padding", output_padding, rank, 0)
    y = apply(f"conv{rank}d_transpose", x, kernel, **taps)
    return arguments.channels_first(y) if first else y
