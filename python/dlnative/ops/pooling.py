"""keras.ops: the largest or the mean value of windows, of fixed size or of fixed number."""

from __future__ import annotations

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
    name: str, mode: str, inputs: TensorLike, output_size: Sizes, data_format: str | None
) -> Tensor:
    """Along one axis after the other; the means and maxima of windows are those of their parts.

    Of equal largest values that takes the one in the first column, where one window over both axes
    takes the one in the first row.
    """
    x, rank, first = _inputs(name, inputs, data_format)
    counts = arguments.spatial(name, "output_size", output_size, rank)
    sizes = x.shape[1:-1]
    if mode == "avg" and all(n and n % m == 0 for n, m in zip(sizes, counts)):
        window = tuple(n // m for n, m in zip(sizes, counts))
        x = apply(f"{mode}_pool{rank}d", x, pool_size=window, strides=window)
    else:
        for axis, count in enumerate(counts, 1):
            x = _along(mode, x, axis, count)
    return arguments.channels_first(x) if first else x


def _along(mode: str, x: Tensor, axis: int, count: int) -> Tensor:
    """`count` windows along `axis`: number i from floor(i n / count) to ceil((i + 1) n / count)."""
    n, rank = x.shape[axis], x.ndim - 2
    if n == 0:
        raise ValueError(f"{mode}_pool: expected inputs without empty axes, received {x.shape}")
    if n == count:
        return x
    starts = np.arange(count) * n // count
    sizes = -(-(np.arange(count) + 1) * n // count) - starts
    # Windows overlap, and are of two sizes: each is laid out on its own, the largest value of the
    # shorter ones twice at the end.
    least, most = int(sizes.min()), int(sizes.max())
    size = most if mode == "max" else least
    places = starts[:, None] + np.minimum(np.arange(size), sizes[:, None] - 1)
    window = tuple(size if a == axis else 1 for a in range(1, rank + 1))
    apart = x
    if n % count:
        apart = apply("take", x, places.reshape(-1).astype("int32"), axis=axis)
    y = apply(f"{mode}_pool{rank}d", apart, pool_size=window, strides=window)
    if mode == "max" or least == most:
        return y
    last = apply("take", x, (starts + sizes - 1).astype("int32"), axis=axis)
    is_longer = (sizes > least).reshape(count, *(1,) * (x.ndim - axis - 1))
    return apply("where", is_longer, (y * float(least) + last) / float(most), y)


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
    return _adaptive(name, "avg", inputs, output_size, data_format)


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
    return _adaptive("adaptive_max_pool", "max", inputs, output_size, data_format)
