"""Pooling: the largest or the mean value of windows that slide over images.

Shapes: `x` (batch, height, width, channels), `y` and `dy` (batch, out height, out width,
channels); the one-dimensional forms take (batch, length, channels). Dtypes: float32 or float64, the
same out as in. `pool_size` and `strides` (None: `pool_size`) are tuples; `padding` is
"valid", "same" or a flat tuple of pixels, smaller than the window.

Padding is never a value: it does not win a window, and it does not count in a mean.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ._arrays import Array, as_array, check_shape
from ._taps import Padding, Taps

Sizes = tuple[int, ...]


class _Windows(Taps):
    """The places of a window on images of one shape, tap by tap in scan order.

    Attributes:
        shape: Shape of the images.
        inside: For each tap, the places where it lies on the image and not on its padding.
        count: How many pixels of the image lie in each window.
    """

    def __init__(
        self, op: str, shape: Sizes, pool_size: Sizes, strides: Sizes | None, padding: Padding
    ) -> None:
        strides = pool_size if strides is None else strides
        super().__init__(op, shape[1:-1], pool_size, strides, padding, None)
        self.shape = shape
        image = self.pad(np.ones((1, *self.sizes, 1)))
        self.inside = [image[met] > 0 for _, met in self]
        self.count = np.sum(self.inside, axis=0)

    def collect(self, parts: Iterator[Array], dtype: object) -> Array:
        """Adds one array of the shape of y per tap to the pixels that the tap meets."""
        dpadded = self.pad(np.zeros(self.shape, dtype))  # type: ignore[call-overload]
        for (_, met), part in zip(self, parts, strict=True):
            dpadded[met] += part
        return self.crop(dpadded)


def max_pool2d(
    x: Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    indices: bool = False,
    activation: str | None = None,
) -> Array | tuple[Array, Array]:
    """Largest value of each window: `y[o] = max_t x[o * strides + t - before]`; NaN wins.

    Args:
        x: Images.
        pool_size: Sizes of the window.
        strides: Steps of the window.
        padding: "valid", "same" or (top, bottom, left, right).
        indices: Also return the position of the first maximum in its window, row by row, uint8.
        activation: None, or "relu", which is applied to the result.

    Returns:
        `y`, or `(y, positions)`.

    Raises:
        ValueError: The window is larger than the padded image.

    Example:
        >>> import numpy as np
        >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4, 1), (2, 2))[0, :, :, 0]
        array([[ 5.,  7.],
               [13., 15.]])

    Reference: Scherer et al. 2010, "Evaluation of Pooling Operations in Convolutional
    Architectures".
    """
    windows = _Windows("max_pool2d", x.shape, pool_size, strides, padding)
    y, position = _first_maximum(x, windows)
    if activation == "relu":
        y = as_array(np.where(y < 0, 0, y), x.dtype)
    return (y, position.astype(np.uint8)) if indices else y


def _first_maximum(x: Array, windows: _Windows) -> tuple[Array, Array]:
    """The largest value of each window and the number of the first tap that has it."""
    padded = windows.pad(x)
    best = np.full((x.shape[0], *windows.places, x.shape[-1]), -np.inf, x.dtype)
    position = np.full(best.shape, -1)
    for number, (_, met) in enumerate(windows):
        value = padded[met]
        better = (position < 0) | (value > best) | (np.isnan(value) & ~np.isnan(best))
        take = better & windows.inside[number]
        best = np.where(take, value, best)
        position = np.where(take, number, position)
    return best, position


def max_pool2d_backward(
    dy: Array, x: Array, pool_size: Sizes, strides: Sizes | None = None, padding: Padding = "valid"
) -> Array:
    """Gradient of `max_pool2d`: each `dy` goes to the first maximum of its window."""
    windows = _Windows("max_pool2d_backward", x.shape, pool_size, strides, padding)
    _, position = _first_maximum(x, windows)
    check_shape("max_pool2d_backward", "dy", dy, position.shape)
    return _scatter(dy, position, windows)


def _scatter(dy: Array, position: Array, windows: _Windows) -> Array:
    parts = (np.where(position == number, dy, 0) for number, _ in enumerate(windows))
    return windows.collect(parts, dy.dtype)


def max_pool2d_backward_indices(
    dy: Array,
    indices: Array,
    saved: Array | None = None,
    input_shape: Sizes = (),
    pool_size: Sizes = (),
    strides: Sizes | None = None,
    padding: Padding = "valid",
    activation: str | None = None,
) -> Array:
    """Gradient of `max_pool2d` from the positions that it returned.

    Args:
        dy: Gradient of the pooled values.
        indices: Positions of the maxima, uint8.
        saved: With `activation="relu"`, the pooled values after the activation: `dy` counts
            where they are above 0.
        input_shape: Shape of `x`.
        pool_size: Sizes of the window.
        strides: Steps of the window.
        padding: "valid", "same" or (top, bottom, left, right).
        activation: What `max_pool2d` applied: None or "relu".

    Raises:
        ValueError: `dy` does not have the shape of the pooled values.
    """
    op = "max_pool2d_backward_indices"
    windows = _Windows(op, input_shape, pool_size, strides, padding)
    check_shape(op, "dy", dy, (input_shape[0], *windows.places, input_shape[-1]))
    if activation == "relu" and saved is not None:
        dy = as_array(np.where(saved > 0, dy, 0), dy.dtype)
    return _scatter(dy, indices.astype(np.int64), windows)


def avg_pool2d(
    x: Array, pool_size: Sizes, strides: Sizes | None = None, padding: Padding = "valid"
) -> Array:
    """Mean of each window: the sum of its pixels of the image divided by their number.

    Example:
        >>> import numpy as np
        >>> avg_pool2d(np.arange(9.0).reshape(1, 3, 3, 1), (2, 2), padding="same")[0, :, :, 0]
        array([[2. , 3.5],
               [6.5, 8. ]])

    Reference: LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", section
    II.A (sub-sampling, here without its weights).
    """
    windows = _Windows("avg_pool2d", x.shape, pool_size, strides, padding)
    padded = windows.pad(x)
    total = np.zeros((x.shape[0], *windows.places, x.shape[-1]), x.dtype)
    for _, met in windows:
        total += padded[met]
    return as_array(total / windows.count, x.dtype)


def avg_pool2d_backward(
    dy: Array,
    input_shape: Sizes,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
) -> Array:
    """Gradient of `avg_pool2d`: each pixel of a window gets `dy` divided by their number."""
    windows = _Windows("avg_pool2d_backward", input_shape, pool_size, strides, padding)
    check_shape("avg_pool2d_backward", "dy", dy, (input_shape[0], *windows.places, input_shape[-1]))
    share = as_array(dy / windows.count, dy.dtype)
    return windows.collect((np.where(inside, share, 0) for inside in windows.inside), dy.dtype)


# --- one spatial axis: images of height 1 --------------------------------------------------------


def _flat(values: Sizes | None) -> Sizes | None:
    return None if values is None else (1, *values)


def _flat_padding(padding: Padding) -> Padding:
    return padding if isinstance(padding, str) else (0, 0, *padding)


def max_pool1d(
    x: Array,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
    indices: bool = False,
    activation: str | None = None,
) -> Array | tuple[Array, Array]:
    """`max_pool2d` over (batch, length, channels): sizes of one element, padding (left, right).

    Example:
        >>> import numpy as np
        >>> max_pool1d(np.arange(4.0).reshape(1, 4, 1), (2,), indices=True)[1].ravel()
        array([1, 1], dtype=uint8)
    """
    window = (1, *pool_size), _flat(strides), _flat_padding(padding)
    result = max_pool2d(x[:, None], *window, indices, activation)
    return (result[0][:, 0], result[1][:, 0]) if isinstance(result, tuple) else result[:, 0]


def max_pool1d_backward(
    dy: Array, x: Array, pool_size: Sizes, strides: Sizes | None = None, padding: Padding = "valid"
) -> Array:
    """Gradient of `max_pool1d`, as `max_pool2d_backward`."""
    window = (1, *pool_size), _flat(strides), _flat_padding(padding)
    return max_pool2d_backward(dy[:, None], x[:, None], *window)[:, 0]


def max_pool1d_backward_indices(
    dy: Array,
    indices: Array,
    saved: Array | None = None,
    input_shape: Sizes = (),
    pool_size: Sizes = (),
    strides: Sizes | None = None,
    padding: Padding = "valid",
    activation: str | None = None,
) -> Array:
    """Gradient of `max_pool1d` from its positions, as `max_pool2d_backward_indices`."""
    return max_pool2d_backward_indices(
        dy[:, None],
        indices[:, None],
        None if saved is None else saved[:, None],
        (input_shape[0], 1, *input_shape[1:]),
        (1, *pool_size),
        _flat(strides),
        _flat_padding(padding),
        activation,
    )[:, 0]


def avg_pool1d(
    x: Array, pool_size: Sizes, strides: Sizes | None = None, padding: Padding = "valid"
) -> Array:
    """`avg_pool2d` over (batch, length, channels)."""
    window = (1, *pool_size), _flat(strides), _flat_padding(padding)
    return avg_pool2d(x[:, None], *window)[:, 0]


def avg_pool1d_backward(
    dy: Array,
    input_shape: Sizes,
    pool_size: Sizes,
    strides: Sizes | None = None,
    padding: Padding = "valid",
) -> Array:
    """Gradient of `avg_pool1d`, as `avg_pool2d_backward`."""
    window = (1, *pool_size), _flat(strides), _flat_padding(padding)
    return avg_pool2d_backward(dy[:, None], (input_shape[0], 1, *input_shape[1:]), *window)[:, 0]
