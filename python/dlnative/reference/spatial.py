"""Padding, cropping and resizing of images.

Shapes: (batch, height, width, channels). Dtypes: float32 or float64, the same out as in.
"""

from __future__ import annotations

import math

import numpy as np

from ._arrays import Array, as_array, check_shape

Sides = tuple[int, int, int, int]


def zero_pad2d(x: Array, padding: Sides) -> Array:
    """Zeros around images; `padding` is (top, bottom, left, right). The adjoint of `crop2d`."""
    top, bottom, left, right = padding
    return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))


def crop2d(x: Array, cropping: Sides) -> Array:
    """Images without (top, bottom, left, right) rows and columns. The adjoint of `zero_pad2d`."""
    top, bottom, left, right = cropping
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right].copy()


def upsample2d(x: Array, size: tuple[int, int] = (2, 2), interpolation: str = "nearest") -> Array:
    """Larger images: `y = R(height) x R(width)^T` per channel, R the matrices of resizing.

    Output pixel o lies at `p = (o + 1/2) / size - 1/2` of the input (half-pixel centres).
    "nearest" repeats each pixel; the others weigh pixel i by `k(p - i)`, divided by the sum of
    the weights of the pixels that exist:

        bilinear   k(t) = max(1 - |t|, 0)
        bicubic    Keys's kernel with a = -1/2
        lanczos n  k(t) = sinc(t) sinc(t / n) for |t| <= n

    A pixel of weight 0 is not read: an infinity reaches the pixels near it, and no others.

    Args:
        x: Images.
        size: Factors of height and width.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".

    Example:
        >>> import numpy as np
        >>> upsample2d(np.array([0.0, 1.0]).reshape(1, 1, 2, 1), (1, 2), "bilinear").ravel()
        array([0.  , 0.25, 0.75, 1.  ])

    Reference: Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing"; Duchon
    1979, "Lanczos Filtering in One and Two Dimensions"; as in Keras and `jax.image.resize`.
    """
    rows = _resize_matrix(x.shape[1], size[0], interpolation)
    columns = _resize_matrix(x.shape[2], size[1], interpolation)
    return as_array(_apply(columns, _apply(rows, x, axis=1), axis=2), x.dtype)


def upsample2d_backward(
    dy: Array,
    input_shape: tuple[int, ...],
    size: tuple[int, int] = (2, 2),
    interpolation: str = "nearest",
) -> Array:
    """Gradient of `upsample2d`: `dx = R(height)^T dy R(width)` per channel."""
    batch, height, width, channels = input_shape
    expected = (batch, height * size[0], width * size[1], channels)
    check_shape("upsample2d_backward", "dy", dy, expected)
    rows = _resize_matrix(height, size[0], interpolation)
    columns = _resize_matrix(width, size[1], interpolation)
    return as_array(_apply(columns.T, _apply(rows.T, dy, axis=1), axis=2), dy.dtype)


def _apply(matrix: Array, x: Array, axis: int) -> Array:
    """`matrix` times `x` along an axis, in float64, without the products by 0."""
    lines = np.moveaxis(x, axis, 0)
    result = np.zeros((len(matrix), *lines.shape[1:]))
    for line, weights in zip(lines, matrix.T):
        for o in np.flatnonzero(weights):
            result[o] += weights[o] * line
    return np.moveaxis(result, 0, axis)


def _resize_matrix(n: int, factor: int, interpolation: str) -> Array:
    """(n * factor, n): what each output pixel takes of each input pixel; rows sum to 1."""
    if interpolation == "nearest":
        return np.repeat(np.eye(n), factor, axis=0)
    position = (np.arange(n * factor) + 0.5) / factor - 0.5
    distance = np.abs(position[:, None] - np.arange(n)[None, :])
    weights = _kernel(interpolation, distance)
    return weights / np.sum(weights, axis=1, keepdims=True)


def _kernel(interpolation: str, t: Array) -> Array:
    if interpolation == "bilinear":
        return np.maximum(1 - t, 0)
    if interpolation == "bicubic":
        near = ((1.5 * t - 2.5) * t) * t + 1
        far = ((-0.5 * t + 2.5) * t - 4) * t + 2
        return np.where(t < 1, near, np.where(t < 2, far, 0))
    radius = {"lanczos3": 3, "lanczos5": 5}[interpolation]
    window = np.where(t <= radius, np.sinc(t / radius), 0)
    return np.where(np.abs(np.sin(math.pi * t)) < 1e-12, t == 0, np.sinc(t) * window)
