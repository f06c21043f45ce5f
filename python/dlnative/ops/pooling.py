"""keras.ops: the largest or the mean value of windows, of fixed size or of fixed number."""

from __future__ import annotations

import math

import numpy as np

from ..graph.dtypes import FLOATS, float_type
from ..graph.tensor import Tensor, apply
from ..graph.types import Sizes, TensorLike
from . import arguments
from .public import as_tensor, op


def _inputs(name: str, inputs: TensorLike, data_format: str | None) -> tuple[Tensor, int, bool]:
    """(The inputs with channels last, how many spatial axes, whether channels came first)."""
    x = as_tensor(inputs, name=name)
    if x.dtype not in FLOATS and name == "adaptive_average_pool":
        x = as_tensor(x, float_type(x.dtype))
    if x.dtype not in FLOATS:
        raise TypeError(f"{name}: expected inputs of floats, received {x.dtype}; cast them first")
    rank = arguments.spatial_rank(name, x)
    first = arguments.is_channels_first(name, data_format)
    return arguments.channels_last(x) if first else x, rank, first


def _pool(
    name: str,
    row: str,
    inputs: TensorLike,
    pool_size: Sizes,
    strides: Sizes | None,
    padding: str,
    data_format: str | None,
) -> Tensor:
    x, rank, first = _inputs(name, inputs, data_format)
    size = arguments.spatial(name, "pool_size", pool_size, rank)
    y = apply(
        f"{row}{rank}d",
        x,
        pool_size=size,
        strides=size if strides is None else arguments.spatial(name, "strides", strides, rank),
        padding=arguments.choice(name, "padding", padding, ("valid", "same")),
    )
    return arguments.channels_first(y) if first else y


@op
def max_pool(
    inputs: TensorLike,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """y = the largest value of each window; padding does not count.

    Args:
        inputs: Floats of shape (batch, length, channels) or (batch, height, width, channels).
        pool_size: The size of the window: an int for all axes, or one for each.
        strides: From window to window, in the same form; None for `pool_size`.
        padding: "valid" for windows within the inputs, "same" for ceil(size / stride) windows.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).

    Raises:
        ValueError: The window is larger than the inputs; they have three spatial axes.
    """
    return _pool("max_pool", "max_pool", inputs, pool_size, strides, padding, data_format)


@op
def average_pool(
    inputs: TensorLike,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """y = the mean value of each window; padding does not count.

    Args:
        inputs: Floats of shape (batch, length, channels) or (batch, height, width, channels).
        pool_size: The size of the window: an int for all axes, or one for each.
        strides: From window to window, in the same form; None for `pool_size`.
        padding: "valid" for windows within the inputs, "same" for ceil(size / stride) windows.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).

    Raises:
        ValueError: The window is larger than the inputs; they have three spatial axes.
    """
    return _pool("average_pool", "avg_pool", inputs, pool_size, strides, padding, data_format)


def _adaptive(
    name: str, row: str, inputs: TensorLike, output_size: Sizes, data_format: str | None
) -> Tensor:
    """Along one axis after the other; the means and maxima of windows are those of their parts."""
    x, rank, first = _inputs(name, inputs, data_format)
    counts = arguments.spatial(name, "output_size", output_size, rank)
    for axis, count in enumerate(counts, 1):
        x = _along(f"{row}{rank}d", x, axis, count)
    return arguments.channels_first(x) if first else x


def _along(row: str, x: Tensor, axis: int, count: int) -> Tensor:
    """`count` windows along `axis`: number i from floor(i n / count) to ceil((i + 1) n / count)."""

    def windows(size: int, stride: int) -> Tensor:
        rank = x.ndim - 2
        pool_size = tuple(size if a == axis else 1 for a in range(1, rank + 1))
        strides = tuple(stride if a == axis else 1 for a in range(1, rank + 1))
        return apply(row, x, pool_size=pool_size, strides=strides)

    n = x.shape[axis]
    if n == 0:
        raise ValueError(f"{row}: expected inputs without empty axes, received shape {x.shape}")
    if n % count == 0:
        return x if n == count else windows(n // count, n // count)
    # Windows are of two sizes: of each all places are computed, and the right ones taken.
    small = math.ceil(n / count)
    starts = np.arange(count) * n // count
    is_large = -(-(np.arange(count) + 1) * n // count) - starts > small
    places = windows(small, 1)
    if is_large.any():
        places = apply("concatenate", places, windows(small + 1, 1), axis=axis)
    index = np.where(is_large, starts + n - small + 1, starts).astype("int32")
    return apply("take", places, index, axis=axis)


@op
def adaptive_average_pool(
    inputs: TensorLike, output_size: Sizes, data_format: str | None = None
) -> Tensor:
    """y = the mean values of windows that are laid so that there are `output_size` of them.

    Along an axis of size n window i of m goes from floor(i n / m) to ceil((i + 1) n / m).

    Args:
        inputs: Floats of shape (batch, length, channels) or (batch, height, width, channels).
        output_size: The number of windows: an int for all axes, or one for each.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
    """
    name = "adaptive_average_pool"
    return _adaptive(name, "avg_pool", inputs, output_size, data_format)


@op
def adaptive_max_pool(
    inputs: TensorLike, output_size: Sizes, data_format: str | None = None
) -> Tensor:
    """y = the largest values of windows that are laid so that there are `output_size` of them.

    Along an axis of size n window i of m goes from floor(i n / m) to ceil((i + 1) n / m).

    Args:
        inputs: Floats of shape (batch, length, channels) or (batch, height, width, channels).
        output_size: The number of windows: an int for all axes, or one for each.
        data_format: "channels_last", or "channels_first" for inputs (batch, channels, ...).
    """
    return _adaptive("adaptive_max_pool", "max_pool", inputs, output_size, data_format)
