"""keras.ops: windows of images side by side and back, and blocks of pixels as channels."""

from __future__ import annotations

import numpy as np

from ..graph.tensor import Tensor, apply
from ..graph.types import Sizes, TensorLike
from . import arguments
from .public import as_tensor, op


class _Windows:
    """Where windows lie on images: along each axis, tap t of window o is at o s + t d.

    Attributes:
        taps, counts: Taps of a window, and windows, along each axis.
        places: Along each axis the padded place of [tap, window].
        padding: Pixels at each end of each axis.
        padded: The sizes with padding.
    """

    def __init__(
        self,
        name: str,
        sizes: tuple[int, ...],
        kernel_size: Sizes,
        dilation: Sizes,
        padding: Sizes,
        stride: Sizes,
    ) -> None:
        self.taps = arguments.spatial(name, "kernel_size", kernel_size, 2)
        self.padding = arguments.spatial(name, "padding", padding, 2, 0)
        dilation = arguments.spatial(name, "dilation", dilation, 2)
        strides = arguments.spatial(name, "stride", stride, 2)
        self.padded = tuple(n + 2 * p for n, p in zip(sizes, self.padding))
        room = [n - (k - 1) * d - 1 for n, k, d in zip(self.padded, self.taps, dilation)]
        if min(room) < 0:
            raise ValueError(
                f"{name}: kernel_size {self.taps} with dilation {dilation} is larger than the "
                f"padded images of {self.padded} pixels"
            )
        self.counts = tuple(r // s + 1 for r, s in zip(room, strides))
        self.places = [
            (np.arange(k)[:, None] * d + np.arange(o) * s).astype("int32")
            for k, d, o, s in zip(self.taps, dilation, self.counts, strides)
        ]


@op
def unfold(
    x: TensorLike, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0, stride: Sizes = 1
) -> Tensor:
    """y[b, (c, t), o] = x[b, c, o s + t d - padding]: all windows of images, as columns.

    Args:
        x: Images of shape (batch, channels, height, width).
        kernel_size: The size of the window: an int for both axes, or one for each.
        dilation: The distance between taps, in the same form.
        padding: How many zeros are put at each end, in the same form.
        stride: From window to window, in the same form.

    Returns:
        Shape (batch, channels * taps of a window, windows).
    """
    x = arguments.rank("unfold", as_tensor(x, name="unfold"), 4, 4)
    at = _Windows("unfold", x.shape[2:], kernel_size, dilation, padding, stride)
    if any(at.padding):
        ends = (0, 0, *at.padding)
        x = apply("pad", x, low=ends, high=ends, value=0.0)
    rows = apply("take", x, at.places[0], axis=2)  # (batch, channels, taps, windows, width)
    y = apply("take", rows, at.places[1], axis=4)
    y = apply("transpose", y, axes=(0, 1, 2, 4, 3, 5))
    batch, channels, *_ = x.shape
    taps, windows = at.taps[0] * at.taps[1], at.counts[0] * at.counts[1]
    return apply("reshape", y, shape=(batch, channels * taps, windows))


@op
def fold(
    x: TensorLike,
    output_size: Sizes,
    kernel_size: Sizes,
    dilation: Sizes = 1,
    padding: Sizes = 0,
    stride: Sizes = 1,
) -> Tensor:
    """y[b, c, p] = the sum of x[b, (c, t), o] over all o, t with o s + t d - padding = p.

    The adjoint of `unfold`: what windows have in common is added up.

    Args:
        x: Windows of shape (batch, channels * taps of a window, windows).
        output_size: Height and width of the images: an int for both, or one for each.
        kernel_size, dilation, padding, stride: As those of `unfold`.

    Returns:
        Images of shape (batch, channels, height, width).
    """
    x = arguments.rank("fold", as_tensor(x, name="fold"), 3, 3)
    sizes = arguments.spatial("fold", "output_size", output_size, 2)
    at = _Windows("fold", sizes, kernel_size, dilation, padding, stride)
    batch, columns, windows = x.shape
    taps = at.taps[0] * at.taps[1]
    if columns % taps or windows != at.counts[0] * at.counts[1]:
        raise ValueError(
            f"fold: expected x of shape (batch, a multiple of {taps}, "
            f"{at.counts[0] * at.counts[1]}), received {x.shape}"
        )
    channels = columns // taps
    y = apply("reshape", x, shape=(batch, channels, *at.taps, *at.counts))
    y = apply("transpose", y, axes=(2, 4, 3, 5, 0, 1))
    y = _added(y, at.places[0], at.padded[0])  # (height, taps, windows, batch, channels)
    y = apply("transpose", y, axes=(1, 2, 0, 3, 4))
    y = _added(y, at.places[1], at.padded[1])  # (width, height, batch, channels)
    y = apply("transpose", y, axes=(2, 3, 1, 0))
    for axis, (pad, n) in enumerate(zip(at.padding, sizes), 2):
        y = apply("slice", y, axis=axis, start=pad, stop=pad + n) if pad else y
    return y


def _added(x: Tensor, places: np.ndarray, size: int) -> Tensor:
    """y[places[t, o], ...] += x[t, o, ...] for y of `size` zeros."""
    rest = x.shape[2:]
    zeros = arguments.filled((x,), 0, (size, *rest), x.dtype)
    x = apply("reshape", x, shape=(places.size, *rest))
    return apply("scatter", zeros, places.reshape(-1), x, mode="add")


def _image(name: str, x: TensorLike, block_size: int, data_format: str) -> tuple[Tensor, int, bool]:
    x = arguments.rank(name, as_tensor(x, name=name), 4, 4)
    block = arguments.at_least(name, "block_size", block_size, 2)
    return x, block, arguments.is_channels_first(name, data_format)


@op
def depth_to_space(x: TensorLike, block_size: int, data_format: str = "channels_last") -> Tensor:
    """y[b, h s + i, w s + j, c] = x[b, h, w, (i, j, c)], s = block_size: channels become pixels.

    With channels first it is x[b, (c, i, j), h, w] that becomes y[b, c, h s + i, w s + j].

    Args:
        x: Images with a multiple of block_size^2 channels.
        block_size: An int of at least 2.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).

    Reference:
        Shi et al. 2016, "Real-time single image and video super-resolution using an efficient
        sub-pixel convolutional neural network".
    """
    x, block, first = _image("depth_to_space", x, block_size, data_format)
    channels = x.shape[1] if first else x.shape[3]
    if channels % block**2:
        raise ValueError(
            f"depth_to_space: expected channels that are a multiple of block_size^2 = {block**2}, "
            f"received {channels} in {x.shape}"
        )
    new = channels // block**2
    if first:
        batch, _, height, width = x.shape
        x = apply("reshape", x, shape=(batch, new, block, block, height, width))
        x = apply("transpose", x, axes=(0, 1, 4, 2, 5, 3))
        return apply("reshape", x, shape=(batch, new, height * block, width * block))
    batch, height, width, _ = x.shape
    x = apply("reshape", x, shape=(batch, height, width, block, block, new))
    x = apply("transpose", x, axes=(0, 1, 3, 2, 4, 5))
    return apply("reshape", x, shape=(batch, height * block, width * block, new))


@op
def space_to_depth(x: TensorLike, block_size: int, data_format: str = "channels_last") -> Tensor:
    """y[b, h, w, (i, j, c)] = x[b, h s + i, w s + j, c], s = block_size: pixels become channels.

    With channels first it is x[b, c, h s + i, w s + j] that becomes y[b, (c, i, j), h, w].

    Args:
        x: Images whose height and width are multiples of block_size.
        block_size: An int of at least 2.
        data_format: "channels_last", or "channels_first" for (batch, channels, height, width).
    """
    x, block, first = _image("space_to_depth", x, block_size, data_format)
    height, width = x.shape[2:] if first else x.shape[1:3]
    if height % block or width % block:
        raise ValueError(
            f"space_to_depth: expected height and width that are multiples of block_size {block}, "
            f"received {x.shape}"
        )
    batch, rows, columns = x.shape[0], height // block, width // block
    channels = x.shape[1] if first else x.shape[3]
    if first:
        x = apply("reshape", x, shape=(batch, channels, rows, block, columns, block))
        x = apply("transpose", x, axes=(0, 1, 3, 5, 2, 4))
        return apply("reshape", x, shape=(batch, channels * block**2, rows, columns))
    x = apply("reshape", x, shape=(batch, rows, block, columns, block, channels))
    x = apply("transpose", x, axes=(0, 1, 3, 2, 4, 5))
    return apply("reshape", x, shape=(batch, rows, columns, channels * block**2))
