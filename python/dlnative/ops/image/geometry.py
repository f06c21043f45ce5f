"""keras.ops.image: values between the pixels, and images that are moved, turned and tilted."""

from __future__ import annotations

import functools
import itertools
from typing import Any

from ... import config
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, apply
from ...graph.types import TensorLike
from ..public import as_tensor, named
from .layout import (
    batch_last,
    channels_first,
    images_of,
    like_given,
    one_of,
    places,
)

ORDERS = {"nearest": 0, "bilinear": 1}
FILL_MODES = ("constant", "nearest", "wrap", "mirror", "reflect")


def _clip(index: Tensor, n: int) -> Tensor:
    return apply("minimum", apply("maximum", index, 0), n - 1)


def _mirrored(index: Tensor, n: int) -> Tensor:
    """Of a place beyond the end the one as far before the middle of the last pixel."""
    if n == 1:
        return index * 0
    return apply("abs", (index + (n - 1)) % (2 * (n - 1)) - (n - 1))


def _within(index: Tensor, n: int, fill_mode: str) -> Tensor:
    """The pixel in [0, n) that stands for each place."""
    if fill_mode == "wrap":
        return index % n
    if fill_mode == "mirror":
        return _mirrored(index, n)
    if fill_mode == "reflect":  # at the edge of the last pixel
        return (_mirrored(2 * index + 1, 2 * n + 1) - 1) // 2
    return _clip(index, n)


def _round(x: Tensor) -> Tensor:
    """The nearest integer, halves away from zero."""
    whole = apply("trunc", x)
    return apply("where", apply("abs", x - whole) < 0.5, whole, whole + apply("sign", x))


def _neighbors(place: Tensor, n: int, order: int, fill_mode: str) -> list[tuple]:
    """(index, whether it is in the image, weight) of the pixels next to a place on an axis.

    None instead of a flag stands for all, and instead of a weight for 1.
    """
    if place.dtype not in FLOATS:
        near: list[tuple[Tensor, Tensor | None]] = [(place, None)]
    elif order == 0:
        near = [(_round(place), None)]
    else:
        lower = apply("floor", place)
        upper_weight = place - lower
        near = [(lower, 1 - upper_weight), (lower + 1, upper_weight)]
    found = []
    for at, weight in near:
        index = as_tensor(at, "int32")
        inside = None
        if fill_mode == "constant":
            inside = apply("logical_and", index >= 0, index < n)
        found.append((_within(index, n, fill_mode), inside, weight))
    return found


def interpolate(
    values: Tensor,
    start: Any,
    coordinates: list[Tensor],
    sizes: tuple[int, ...],
    order: int,
    fill_mode: str,
    fill_value: float,
) -> Tensor:
    """Values between pixels.

    Args:
        values: (all pixels,) or (all pixels, channels).
        start: The number of the image that is read, 0 or an integer tensor.
        coordinates: For each axis of an image a tensor of places, whose shapes broadcast.
        sizes: The sizes of an image.
        order: 0 for the nearest pixel, 1 for linear interpolation.
        fill_mode, fill_value: What stands outside of an image.
    """
    fill = as_tensor(fill_value, values.dtype)
    result: Any = None
    near = [_neighbors(c, n, order, fill_mode) for c, n in zip(coordinates, sizes)]
    for corner in itertools.product(*near):
        index = start
        for (i, _, _), n in zip(corner, sizes):
            index = index * n + i
        y = apply("take", values, index, axis=0)
        flags = [flag for _, flag, _ in corner if flag is not None]
        weights = [weight for _, _, weight in corner if weight is not None]
        if flags:
            inside = functools.reduce(lambda a, b: apply("logical_and", a, b), flags)
            y = apply("where", inside[..., None] if values.ndim > 1 else inside, y, fill)
        if weights:
            weight = functools.reduce(lambda a, b: a * b, weights)
            y = (weight[..., None] if values.ndim > 1 else weight) * y
        result = y if result is None else result + y
    if values.dtype not in FLOATS and result.dtype in FLOATS:
        result = _round(result)
    return as_tensor(result, values.dtype)


@named("image.map_coordinates")
def map_coordinates(
    inputs: TensorLike,
    coordinates: TensorLike,
    order: int,
    fill_mode: str = "constant",
    fill_value: float = 0,
) -> Tensor:
    """y = the values of inputs at places between its elements.

    Args:
        inputs: A tensor or array. Of integers the results are rounded.
        coordinates: Shape (axes of inputs, ..): a coordinate for each axis.
        order: 0 for the nearest element, 1 for linear interpolation.
        fill_mode: What stands outside of inputs. "constant": `fill_value`. "nearest": the last
            element. "wrap": inputs again. "mirror": inputs mirrored at the middle of the last
            element. "reflect": inputs mirrored behind it.
        fill_value: A number.

    Returns:
        A tensor of the dtype of inputs and the shape of a coordinate.
    """
    op = "image.map_coordinates"
    x, coordinates = as_tensor(inputs, name=op), as_tensor(coordinates, name=op)
    if coordinates.ndim < 2 or coordinates.shape[0] != x.ndim:
        raise ValueError(
            f"{op}: expected coordinates of shape ({x.ndim}, ..) for inputs of shape {x.shape}, "
            f"received {coordinates.shape}"
        )
    one_of(op, "fill_mode", fill_mode, FILL_MODES)
    one_of(op, "order", order, (0, 1))
    _check_pixels(op, x)
    flat = apply("reshape", x, shape=(x.size,))
    axes = [coordinates[i] for i in range(x.ndim)]
    return interpolate(flat, 0, axes, x.shape, order, fill_mode, fill_value)


def _check_pixels(op: str, x: Tensor) -> None:
    if x.size == 0:
        raise ValueError(f"{op}: expected values to interpolate, received shape {x.shape}")


def sampled(
    op: str,
    images: Tensor,
    y: Tensor,
    x: Tensor,
    interpolation: str,
    fill_mode: str,
    fill_value: float,
    first: bool,
) -> Tensor:
    """Images whose pixel (row, column) is read at row `y`, column `x` of the ones given.

    Args:
        op: The op, for messages.
        images: An image or a batch.
        y, x: Places, (batch or 1, height, width).
        interpolation: "nearest" or "bilinear".
        fill_mode, fill_value: What stands outside of an image.
        first: Whether the channels come before the rows.
    """
    _check_pixels(op, images)
    batch = batch_last(images, first)
    count, height, width, channels = batch.shape
    if y.shape[0] not in (1, count):
        raise ValueError(f"{op}: {y.shape[0]} transforms do not fit {count} images")
    flat = apply("reshape", batch, shape=(count * height * width, channels))
    start = places(count, "int32", count, 1, 1)
    sizes = (height, width)
    result = interpolate(flat, start, [y, x], sizes, ORDERS[interpolation], fill_mode, fill_value)
    return like_given(result, images, first)


def grid(images: Tensor, first: bool, dtype: str) -> tuple[Tensor, Tensor]:
    """The rows (1, height, 1) and the columns (1, 1, width) of images."""
    height, width = images.shape[-2:] if first else images.shape[-3:-1]
    return places(height, dtype, 1, height, 1), places(width, dtype, 1, 1, width)


@named("image.affine_transform")
def affine_transform(
    images: TensorLike,
    transform: TensorLike,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """y[row, column] = images[b0 column + b1 row + b2, a0 column + a1 row + a2]

    Args:
        images: An image or a batch.
        transform: (a0, a1, a2, b0, b1, b2, 0, 0), one vector or one for each image: where a pixel
            of the result comes from.
        interpolation: "nearest" or "bilinear".
        fill_mode: What stands outside of images; see `map_coordinates`.
        fill_value: A number, for fill_mode "constant".
        data_format: "channels_last" by default, or "channels_first".

    Differs from Keras: the last two numbers of a transform count as 0, as Keras's documentation has
    it; with JAX Keras adds their products with the number of the channel.
    """
    op = "image.affine_transform"
    first = channels_first(op, data_format)
    one_of(op, "interpolation", interpolation, tuple(ORDERS))
    one_of(op, "fill_mode", fill_mode, FILL_MODES)
    images, transform = images_of(op, images), as_tensor(transform, name=op)
    if transform.ndim not in (1, 2) or transform.shape[-1] != 8:
        raise ValueError(
            f"{op}: expected transforms of shape (8,) or (batch, 8), received {transform.shape}"
        )
    if transform.dtype not in FLOATS:
        transform = apply("cast", transform, dtype=config.floatx())
    numbers = [
        apply("reshape", transform[..., i], shape=(transform.size // 8, 1, 1)) for i in range(6)
    ]
    a0, a1, a2, b0, b1, b2 = numbers
    row, column = grid(images, first, transform.dtype)
    y = row * b1 + column * b0 + b2
    x = row * a1 + column * a0 + a2
    return sampled(op, images, y, x, interpolation, fill_mode, fill_value, first)


@named("image.perspective_transform")
def perspective_transform(
    images: TensorLike,
    start_points: TensorLike,
    end_points: TensorLike,
    interpolation: str = "bilinear",
    fill_value: float = 0,
    data_format: str | None = None,
) -> Tensor:
    """y = the images tilted so that four points come to lie on four others.

    Args:
        images: An image or a batch.
        start_points: (column, row) of four points of the images, no three of them on one line:
            shape (4, 2), or (batch, 4, 2).
        end_points: Where these points lie in the result.
        interpolation: "nearest" or "bilinear".
        fill_value: What stands outside of the images.
        data_format: "channels_last" by default, or "channels_first".

    Reference: Heckbert 1989, "Fundamentals of texture mapping and image warping", section 2.2.3.
    """
    op = "image.perspective_transform"
    first = channels_first(op, data_format)
    one_of(op, "interpolation", interpolation, tuple(ORDERS))
    images = images_of(op, images)
    start_points, end_points = as_tensor(start_points, name=op), as_tensor(end_points, name=op)
    for name, points in (("start_points", start_points), ("end_points", end_points)):
        if points.ndim not in (2, 3) or points.shape[-2:] != (4, 2):
            raise ValueError(
                f"{op}: expected {name} of shape (4, 2) or (batch, 4, 2), received {points.shape}"
            )
    if start_points.shape != end_points.shape:
        raise ValueError(
            f"{op}: expected start_points and end_points of one shape, received "
            f"{start_points.shape} and {end_points.shape}"
        )
    matrix = _product(_from_square(start_points), _adjugate(_from_square(end_points)))
    dtype = images.dtype if images.dtype in FLOATS else config.floatx()
    h = [as_tensor(value / matrix[8], dtype) for value in matrix[:8]]
    row, column = grid(images, first, dtype)
    depth = h[6] * column + h[7] * row + 1
    x = (h[0] * column + h[1] * row + h[2]) / depth
    y = (h[3] * column + h[4] * row + h[5]) / depth
    return sampled(op, images, y, x, interpolation, "constant", fill_value, first)


def _from_square(points: Tensor) -> list[Tensor]:
    """The homography from the corners of the unit square to four points, by rows, up to a factor.

    In float64: differences of products of coordinates lose digits. Each entry is (batch, 1, 1).
    """
    points = apply("reshape", as_tensor(points, "float64"), shape=(points.size // 8, 4, 2))
    x, y = (
        [apply("reshape", points[:, i, k], shape=(points.shape[0], 1, 1)) for i in (0, 1, 3, 2)]
        for k in (0, 1)
    )
    dx1, dx2, sx = x[1] - x[2], x[3] - x[2], x[0] - x[1] + x[2] - x[3]
    dy1, dy2, sy = y[1] - y[2], y[3] - y[2], y[0] - y[1] + y[2] - y[3]
    g, h, i = sx * dy2 - dx2 * sy, dx1 * sy - sx * dy1, dx1 * dy2 - dx2 * dy1
    top = [(x[1] - x[0]) * i + g * x[1], (x[3] - x[0]) * i + h * x[3], x[0] * i]
    middle = [(y[1] - y[0]) * i + g * y[1], (y[3] - y[0]) * i + h * y[3], y[0] * i]
    return [*top, *middle, g, h, i]


def _adjugate(m: list[Tensor]) -> list[Tensor]:
    """The inverse of a matrix of 3 rows, up to a factor."""
    a, b, c, d, e, f, g, h, i = m
    return [
        *(e * i - f * h, c * h - b * i, b * f - c * e),
        *(f * g - d * i, a * i - c * g, c * d - a * f),
        *(d * h - e * g, b * g - a * h, a * e - b * d),
    ]


def _product(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
    """The product of two matrices of 3 rows."""
    return [
        a[3 * i] * b[j] + a[3 * i + 1] * b[3 + j] + a[3 * i + 2] * b[6 + j]
        for i in range(3)
        for j in range(3)
    ]
