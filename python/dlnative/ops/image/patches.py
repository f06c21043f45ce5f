"""keras.ops.image: patches of images, and images of patches."""

from __future__ import annotations

import numpy as np

from ...graph.tensor import Tensor, apply
from ...graph.types import Shape, Sizes, TensorLike
from ...graph.window import pads_of, span
from .. import arguments
from ..public import as_tensor, named
from .layout import channels_first, one_of


def _patch_size(op: str, size: Sizes) -> tuple[int, ...]:
    """One number per axis: two, or three for volumes."""
    if isinstance(size, (list, tuple)):
        if len(size) not in (2, 3):
            raise ValueError(f"{op}: expected size to be an int or 2 or 3 ints, received {size!r}")
        return tuple(arguments.at_least(op, "size", n, 1) for n in size)
    return (arguments.at_least(op, "size", size, 1),) * 2


def _per_axis(op: str, name: str, value: Sizes, rank: int) -> tuple[int, ...]:
    values = arguments.integers(op, name, value)
    values = values * rank if len(values) == 1 else values
    if len(values) != rank or min(values) < 1:
        raise ValueError(
            f"{op}: expected {name} to be one or {rank} ints of at least 1, received {value!r}"
        )
    return values


def _batch_last(op: str, x: TensorLike, rank: int, first: bool) -> tuple[Tensor, bool]:
    """(batch, *sizes, channels) of what is given in any layout, and whether it was no batch."""
    x = as_tensor(x, name=op)
    if x.ndim not in (rank + 1, rank + 2):
        raise ValueError(
            f"{op}: expected rank {rank + 1} or, for a batch, {rank + 2} with a size of {rank} "
            f"numbers, received shape {x.shape}"
        )
    single = x.ndim == rank + 1
    if single:
        x = apply("reshape", x, shape=(1, *x.shape))
    if first:
        x = apply("transpose", x, axes=(0, *range(2, rank + 2), 1))
    return x, single


def _given_layout(y: Tensor, first: bool, single: bool) -> Tensor:
    if first:
        y = apply("transpose", y, axes=(0, y.ndim - 1, *range(1, y.ndim - 1)))
    return apply("reshape", y, shape=y.shape[1:]) if single else y


@named("image.extract_patches")
def extract_patches(
    images: TensorLike,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """y[b, o, p] = the patch o as a vector: its pixels by row, column and channel.

    Args:
        images: An image or a batch, or with a size of three numbers a volume or a batch of them.
        size: An int, (height, width) or (depth, height, width) of a patch.
        strides: Distances between patches, one number or one per axis; by default the size.
        dilation_rate: Distances between the pixels of a patch, one number or one per axis.
        padding: "valid", or "same" for zeros around the images.
        data_format: "channels_last" by default, or "channels_first".

    Returns:
        A tensor (batch, rows, columns, height width channels), or in the layout of the images.
    """
    op = "image.extract_patches"
    first = channels_first(op, data_format)
    size = _patch_size(op, size)
    rank = len(size)
    strides = _per_axis(op, "strides", size if strides is None else strides, rank)
    dilation = _per_axis(op, "dilation_rate", dilation_rate, rank)
    one_of(op, "padding", padding, ("valid", "same"))
    x, single = _batch_last(op, images, rank, first)
    pads = pads_of(x.shape[1:-1], size, strides, padding, dilation)
    if any(map(any, pads)):
        low, high = zip((0, 0), *pads, (0, 0))
        x = apply("pad", x, low=low, high=high, value=0)
    padded = x.shape
    for axis, (w, s, d) in enumerate(zip(size, strides, dilation)):
        room = x.shape[1 + 2 * axis] - span(w, d)
        if room < 0:
            raise ValueError(
                f"{op}: a patch of size {size} with dilation_rate {dilation} does not fit into "
                f"images of padded shape {padded}"
            )
        taps = np.arange(0, room + 1, s)[:, None] + np.arange(w) * d
        x = apply("take", x, taps.astype("int32"), axis=1 + 2 * axis)
    grid, within = range(1, 2 * rank, 2), range(2, 2 * rank + 1, 2)
    x = apply("transpose", x, axes=(0, *grid, *within, 2 * rank + 1))
    flat = (*x.shape[: rank + 1], int(np.prod(x.shape[rank + 1 :])))
    return _given_layout(apply("reshape", x, shape=flat), first, single)


@named("image.reconstruct_patches")
def reconstruct_patches(
    patches: TensorLike,
    size: Sizes,
    output_size: Sizes | None = None,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """y = the images of which `extract_patches` makes these patches, which do not overlap.

    Args:
        patches: A tensor as `extract_patches` returns it.
        size: An int, (height, width) or (depth, height, width) of a patch.
        output_size: The sizes of the images; with padding "valid" that of all patches by default.
        strides: The size of a patch, one number or one per axis.
        padding: "valid" or "same", as for `extract_patches`.
        data_format: "channels_last" by default, or "channels_first".

    Raises:
        NotImplementedError: `strides` is not the size of a patch.
    """
    op = "image.reconstruct_patches"
    first = channels_first(op, data_format)
    size = _patch_size(op, size)
    rank = len(size)
    if strides is not None and _per_axis(op, "strides", strides, rank) != size:
        raise NotImplementedError(
            f"{op}: expected strides {size}, the size of a patch, received {strides}"
        )
    one_of(op, "padding", padding, ("valid", "same"))
    x, single = _batch_last(op, patches, rank, first)
    if x.shape[-1] % np.prod(size):
        raise ValueError(
            f"{op}: expected patches of a multiple of {np.prod(size)} values for size {size}, "
            f"received shape {x.shape}"
        )
    grid, channels = x.shape[1:-1], x.shape[-1] // int(np.prod(size))
    covered = tuple(n * w for n, w in zip(grid, size))
    output_size = _output_size(op, output_size, covered, size, padding)
    x = apply("reshape", x, shape=(x.shape[0], *grid, *size, channels))
    pairs = [axis for i in range(rank) for axis in (1 + i, 1 + rank + i)]
    x = apply("transpose", x, axes=(0, *pairs, 2 * rank + 1))
    x = apply("reshape", x, shape=(x.shape[0], *covered, channels))
    for axis, (n, total) in enumerate(zip(output_size, covered)):
        start = (total - n) // 2
        x = apply("slice", x, axis=1 + axis, start=start, stop=start + n)
    return _given_layout(x, first, single)


def _output_size(
    op: str, output_size: Sizes | None, covered: Shape, size: Shape, padding: str
) -> tuple[int, ...]:
    """The sizes of the images; ValueError unless patches of this size cover them in this way."""
    if output_size is None:
        if padding == "same":
            raise ValueError(f"{op}: padding 'same' needs output_size, the sizes of the images")
        return covered
    sizes = arguments.sizes(op, "output_size", output_size)
    low = (0 if padding == "valid" else w - 1 for w in size)
    if len(sizes) != len(size) or not all(c - e <= n <= c for n, c, e in zip(sizes, covered, low)):
        raise ValueError(
            f"{op}: patches of size {size} that cover {covered} with padding {padding!r} are not "
            f"those of images of size {output_size}"
        )
    return sizes
