"""Random changes of images that keep their labels, and the resized window of inference.

Images are `(batch, height, width, channels)`. What happens to an image is a function of the seed,
the epoch and the number of the sample in the data set; neither of the other images of the batch nor
of their order.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, as_array
from .random import philox4x32

_LOW_32 = 0xFFFFFFFF
_KINDS = {"flip": 1, "crop": 2, "affine": 3, "brightness": 4, "contrast": 5}
_PIXEL = 2**32  # coordinates are integers in units of 2^-32 pixels


def _sample_numbers(samples: ArrayLike | None, count: int) -> Array:
    """The sample of each of `count` images: 0, 1, ... where `samples` is None.

    Where each sample has become k images, these are numbered k * sample, k * sample + 1, ...
    """
    rows = np.arange(count)
    if samples is None or np.size(samples) == 0:
        return rows
    numbers = np.asarray(samples, dtype=np.int64)
    if count <= numbers.size:
        return numbers[rows]
    k = -(-count // numbers.size)
    return numbers[rows // k] * k + rows % k


def _draw(
    kind: str, count: int, seed: int, op_id: int, epoch: int, samples: ArrayLike | None
) -> Array:
    """Eight random 32-bit words for each image, as uint64 `(count, 8)`.

    Philox4x32-10 with the key `(low(seed) ^ op_id, high(seed))` and the counters
    `(low(sample), high(sample), low(epoch), 8 * kind + block)` for block 0 and 1.
    """
    numbers = _sample_numbers(samples, count).astype(np.uint64)
    counter = np.zeros((count, 2, 4), dtype=np.uint64)
    counter[:, :, 0] = (numbers & np.uint64(_LOW_32))[:, None]
    counter[:, :, 1] = (numbers >> np.uint64(32))[:, None]
    counter[:, :, 2] = int(epoch) & _LOW_32
    counter[:, :, 3] = 8 * _KINDS[kind] + np.arange(2)
    seed = int(seed) & (2**64 - 1)
    key = ((seed & _LOW_32) ^ (int(op_id) & _LOW_32), seed >> 32)
    return philox4x32(key, counter).reshape(count, 8).astype(np.uint64)


def _drawn(limits: tuple[float, float], word: int) -> float:
    """`lower + (upper - lower) * word / 2^32`."""
    lower, upper = (float(v) for v in limits)
    return lower + (upper - lower) * (int(word) / 2**32)


def random_flip(
    x: Array,
    *,
    mode: str = "horizontal_and_vertical",
    seed: int = 0,
    op_id: int = 0,
    epoch: int = 0,
    samples: ArrayLike | None = None,
) -> Array:
    """Each image is mirrored with probability 1/2: where its word 0 is below `2^31`.

    The gradient is this op on `dy` with the same attributes.

    Args:
        x: Images `(batch, height, width, channels)`, float32 or float64.
        mode: "horizontal" (left to right), "vertical" (top to bottom), or
            "horizontal_and_vertical": both at once, a half turn.
        seed: Seed of the generator, 64 bits.
        op_id: Number of the op in its graph, 32 bits.
        epoch: Number of the epoch.
        samples: Number of each image's sample in the data set; 0, 1, ... if None.

    Returns:
        An array of the shape and dtype of `x`.
    """
    axes = {"horizontal": (1,), "vertical": (0,), "horizontal_and_vertical": (0, 1)}[mode]
    words = _draw("flip", x.shape[0], seed, op_id, epoch, samples)
    y = x.copy()
    for i, image in enumerate(x):
        if words[i, 0] < 2**31:
            y[i] = np.flip(image, axes)
    return y


def random_crop(
    x: Array,
    *,
    height: int,
    width: int,
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    padding_mode: str = "constant",
    fill_value: float = 0.0,
    seed: int = 0,
    op_id: int = 0,
    epoch: int = 0,
    samples: ArrayLike | None = None,
) -> Array:
    """A window of `height x width` pixels at a random place of each image.

    With `rows + 1` places for its top the window begins at row
    `floor(word_0 * (rows + 1) / 2^32)`, and the same with word 1 for its left edge. With a
    padding of 4 and the height and width of `x`, this is the augmentation of He et al. for CIFAR.

    Args:
        x: Images `(batch, height_in, width_in, channels)`, float32 or float64.
        height: Rows of the window.
        width: Columns of the window.
        padding: Pixels added before: top, bottom, left, right.
        padding_mode: "constant" for `fill_value`, "reflect" for the image mirrored at its first
            and last pixel: c b | a b c | b a.
        fill_value: See `padding_mode`.
        seed, op_id, epoch, samples: See `random_flip`.

    Returns:
        An array `(batch, height, width, channels)`.

    Reference: He et al. 2016, "Deep Residual Learning for Image Recognition", section 4.2.
    """
    words = _draw("crop", x.shape[0], seed, op_id, epoch, samples)
    top, bottom, left, right = padding
    widths = ((0, 0), (top, bottom), (left, right), (0, 0))
    if padding_mode == "reflect":
        padded = np.pad(x, widths, mode="reflect")
    else:
        padded = np.pad(x, widths, constant_values=fill_value)
    rows, columns = padded.shape[1] - height, padded.shape[2] - width
    y = np.empty((x.shape[0], height, width, x.shape[3]), dtype=x.dtype)
    for i, image in enumerate(padded):
        first = int(words[i, 0]) * (rows + 1) >> 32
        left = int(words[i, 1]) * (columns + 1) >> 32
        y[i] = image[first : first + height, left : left + width]
    return y


def random_affine(
    x: Array,
    *,
    height_shift: tuple[float, float] = (0.0, 0.0),
    width_shift: tuple[float, float] = (0.0, 0.0),
    rotation: tuple[float, float] = (0.0, 0.0),
    height_zoom: tuple[float, float] = (1.0, 1.0),
    width_zoom: tuple[float, float] | None = None,
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    interpolation: str = "bilinear",
    seed: int = 0,
    op_id: int = 0,
    epoch: int = 0,
    samples: ArrayLike | None = None,
) -> Array:
    """Each image is zoomed and rotated about its middle, then shifted.

    The pixel of the result at column j and row i is read at

    `(u, v) = middle + Z R(angle) ((j, i) - shift - middle)`

    with `Z = diag(zoom_x, zoom_y)` and `R(t) (p, q) = (p cos t - q sin t, p sin t + q cos t)`.
    Words 0 to 4 give the shift in rows and in columns, the angle, and the zoom in rows and in
    columns. Coordinates are rounded to multiples of 2^-32 pixels.

    Args:
        x: Images `(batch, height, width, channels)`, float32 or float64.
        height_shift: Range of the shift downwards, in heights.
        width_shift: Range of the shift to the right, in widths.
        rotation: Range of the angle in turns; positive is counter-clockwise.
        height_zoom: Range of the zoom of rows; above 1 the image becomes smaller.
        width_zoom: Range of the zoom of columns; None for the zoom that the rows got.
        fill_mode: What lies outside of an image a b c: "constant" k k|a b c|k k with k =
            `fill_value`, "nearest" a a|a b c|c c, "reflect" b a|a b c|c b, "wrap" b c|a b c|a b.
        fill_value: See `fill_mode`.
        interpolation: "nearest" (halves away from zero), or "bilinear" between four pixels.
        seed, op_id, epoch, samples: See `random_flip`.

    Returns:
        An array of the shape and dtype of `x`.
    """
    words = _draw("affine", x.shape[0], seed, op_id, epoch, samples)
    height, width = x.shape[1:3]
    middle_x, middle_y = (width - 1) * 0.5, (height - 1) * 0.5
    y = np.empty_like(x)
    for i, image in enumerate(x):
        shift_y = _drawn(height_shift, words[i, 0]) * height
        shift_x = _drawn(width_shift, words[i, 1]) * width
        angle = _drawn(rotation, words[i, 2]) * 2.0 * math.pi
        zoom_y = _drawn(height_zoom, words[i, 3])
        zoom_x = zoom_y if width_zoom is None else _drawn(width_zoom, words[i, 4])
        a0, a1 = zoom_x * math.cos(angle), -zoom_x * math.sin(angle)
        b0, b1 = zoom_y * math.sin(angle), zoom_y * math.cos(angle)
        a2 = middle_x - a0 * (middle_x + shift_x) - a1 * (middle_y + shift_y)
        b2 = middle_y - b0 * (middle_x + shift_x) - b1 * (middle_y + shift_y)
        rows, columns = np.indices((height, width))
        u = _units(a0) * columns + _units(a1) * rows + _units(a2)
        v = _units(b0) * columns + _units(b1) * rows + _units(b2)
        y[i] = _read(image, v, u, interpolation, fill_mode, fill_value)
    return y


def _units(pixels: float) -> int:
    return math.floor(pixels * _PIXEL + 0.5)


def _read(
    image: Array, v: Array, u: Array, interpolation: str, fill_mode: str, fill_value: float
) -> Array:
    """The values of an image at rows `v` and columns `u`, in units of 2^-32 pixels."""
    if interpolation == "nearest":
        row = np.sign(v) * ((np.abs(v) + _PIXEL // 2) // _PIXEL)
        column = np.sign(u) * ((np.abs(u) + _PIXEL // 2) // _PIXEL)
        return _pixels(image, row, column, fill_mode, fill_value)
    row, column = v // _PIXEL, u // _PIXEL
    down = ((v % _PIXEL).astype(image.dtype) / as_array(_PIXEL, image.dtype))[..., None]
    across = ((u % _PIXEL).astype(image.dtype) / as_array(_PIXEL, image.dtype))[..., None]

    def pixels(i: int, j: int) -> Array:
        return _pixels(image, row + i, column + j, fill_mode, fill_value)

    top = _between(pixels(0, 0), pixels(0, 1), across)
    bottom = _between(pixels(1, 0), pixels(1, 1), across)
    return _between(top, bottom, down)


def _between(a: Array, b: Array, share: Array) -> Array:
    """`a + share * (b - a)`; an infinite `b` with a share of 0 changes nothing."""
    return np.where(share == 0, a, a + share * (b - a))


def _pixels(image: Array, row: Array, column: Array, fill_mode: str, fill_value: float) -> Array:
    """image[row, column], also outside of the image."""

    def inside(i: Array, n: int) -> Array:
        if fill_mode == "wrap":
            return i % n
        if fill_mode == "reflect":
            i = i % (2 * n)
            return np.where(i < n, i, 2 * n - 1 - i)
        return np.clip(i, 0, n - 1)

    height, width = image.shape[:2]
    values = image[inside(row, height), inside(column, width)]
    if fill_mode == "constant":
        outside = (row < 0) | (row >= height) | (column < 0) | (column >= width)
        values[outside] = fill_value
    return values


def random_brightness(
    x: Array,
    *,
    factor: tuple[float, float],
    value_range: tuple[float, float] = (0.0, 255.0),
    seed: int = 0,
    op_id: int = 0,
    epoch: int = 0,
    samples: ArrayLike | None = None,
) -> Array:
    """`y = clip(x + d * (high - low), low, high)`, with one d for each image.

    `d = lower + (upper - lower) * word_0 / 2^32` lies in `factor = (lower, upper)`.

    Args:
        x: Images `(batch, height, width, channels)`, float32 or float64.
        factor: Range of d, in widths of the range of values.
        value_range: (low, high): the range of values.
        seed, op_id, epoch, samples: See `random_flip`.

    Returns:
        An array of the shape and dtype of `x`.
    """
    words = _draw("brightness", x.shape[0], seed, op_id, epoch, samples)
    low, high = value_range
    y = np.empty_like(x)
    for i, image in enumerate(x):
        delta = _drawn(factor, words[i, 0]) * (float(high) - float(low))
        y[i] = np.clip(image + as_array(delta, x.dtype), low, high)
    return y


def random_contrast(
    x: Array,
    *,
    factor: tuple[float, float],
    value_range: tuple[float, float] = (0.0, 255.0),
    seed: int = 0,
    op_id: int = 0,
    epoch: int = 0,
    samples: ArrayLike | None = None,
) -> Array:
    """`y = clip((x - mean) * f + mean, low, high)`, with one f for each image.

    The mean is that of one channel of one image.
    `f = lower + (upper - lower) * word_0 / 2^32` lies in `factor = (lower, upper)`.

    Args:
        x: Images `(batch, height, width, channels)`, float32 or float64.
        factor: Range of f; 1 changes nothing.
        value_range: (low, high): the range of values.
        seed, op_id, epoch, samples: See `random_flip`.

    Returns:
        An array of the shape and dtype of `x`.
    """
    words = _draw("contrast", x.shape[0], seed, op_id, epoch, samples)
    y = np.empty_like(x)
    for i, image in enumerate(x):
        f = as_array(_drawn(factor, words[i, 0]), x.dtype)
        pixels = max(1, image.shape[0] * image.shape[1])
        mean = (image.sum(axis=(0, 1), dtype=np.float64) / pixels).astype(x.dtype)
        y[i] = np.clip((image - mean) * f + mean, *value_range)
    return y


def crop_resize2d(x: Array, *, window: tuple[int, int, int, int], height: int, width: int) -> Array:
    """The window `(top, left, rows, columns)` of each image as `height x width` pixels.

    Pixel i of the result is read at `(i + 0.5) * rows / height - 0.5` of the window, and linearly
    between its pixels; beyond the first and the last pixel at these.

    Args:
        x: Images `(batch, height_in, width_in, channels)`, float32 or float64.
        window: Top, left, height and width of the window, in pixels.
        height: Rows of the result.
        width: Columns of the result.

    Returns:
        An array `(batch, height, width, channels)`.
    """
    top, left, rows, columns = window
    i, j = np.indices((height, width))
    v = _units(rows / height) * i + _units(0.5 * (rows / height) - 0.5)
    u = _units(columns / width) * j + _units(0.5 * (columns / width) - 0.5)
    y = np.empty((x.shape[0], height, width, x.shape[3]), dtype=x.dtype)
    for n, image in enumerate(x[:, top : top + rows, left : left + columns]):
        y[n] = _read(image, v, u, "bilinear", "nearest", 0.0)
    return y
