"""keras.ops.image: images of other sizes.

Each axis is resampled by a matrix: y[j] = sum over i of w[i, j] x[i], where w[i, j] is a kernel of
the distance between pixel i and the place that pixel j comes from, and the sum of a column is 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ... import config
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, apply
from ...graph.types import Sizes, TensorLike
from .. import arguments
from ..public import as_tensor, named
from .layout import channels_first, contract, images_of, one_of, places, plane_axes


def _triangle(x: Tensor) -> Tensor:
    return apply("maximum", as_tensor(0, x.dtype), 1 - x)


def _cubic(x: Tensor) -> Tensor:
    """Keys 1981, "Cubic convolution interpolation for digital image processing", A = -1/2."""
    near = ((1.5 * x - 2.5) * x) * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    zero = as_tensor(0, x.dtype)
    return apply("where", x >= 2, zero, apply("where", x >= 1, far, near))


def _lanczos(radius: int) -> Callable[[Tensor], Tensor]:
    def kernel(x: Tensor) -> Tensor:
        zero, one = as_tensor(0, x.dtype), as_tensor(1, x.dtype)
        y = radius * apply("sin", math.pi * x) * apply("sin", math.pi / radius * x)
        squares = apply("where", x != 0, math.pi**2 * x * x, one)
        y = apply("where", x > 1e-3, y / squares, one)
        return apply("where", x > radius, zero, y)

    return kernel


_KERNELS = {
    **dict.fromkeys(("linear", "bilinear", "trilinear"), _triangle),
    **dict.fromkeys(("cubic", "bicubic", "tricubic"), _cubic),
    "lanczos3": _lanczos(3),
    "lanczos5": _lanczos(5),
}
_INTERPOLATIONS = ("bilinear", "nearest", "lanczos3", "lanczos5", "bicubic")
_SMALLEST_SUM = 1000 * float(np.finfo(np.float32).eps)  # of the weights of a pixel


def _weights(
    m: int, n: int, scale: Tensor, translation: Tensor, method: str, antialias: bool
) -> Tensor:
    """The matrix (m, n) from m pixels to n: pixel i goes to i scale + translation."""
    dtype = scale.dtype
    zero, one = as_tensor(0, dtype), as_tensor(1, dtype)
    inverse = 1 / scale
    source = (places(n, dtype) + 0.5) * inverse - translation * inverse - 0.5
    distance = apply("abs", source - places(m, dtype, m, 1))
    if antialias:
        distance = distance / apply("maximum", inverse, one)
    weights = _KERNELS[method](distance)
    total = apply("sum", weights, axis=0, keepdims=True)
    weights = weights / apply("where", total != 0, total, one)
    meets = apply("abs", total) > _SMALLEST_SUM
    inside = apply("logical_and", source >= -0.5, source <= m - 0.5)
    return apply("where", apply("logical_and", meets, inside), weights, zero)


def _as_float(images: Tensor) -> Tensor:
    """Floats that hold the values of images."""
    if images.dtype in FLOATS:
        return images
    wide = images.dtype in ("int32", "int64")
    return apply("cast", images, dtype="float64" if wide else config.floatx())


@named("image.resize")
def resize(
    images: TensorLike,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """y = the images resampled to another height and width.

    Args:
        images: An image or a batch. Integers are computed as floats and rounded.
        size: (height, width) of the result.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: Whether the kernel widens where images become smaller, so that all pixels count.
        crop_to_aspect_ratio: Whether first the largest part in the middle is cut out that has the
            ratio of height and width of `size`.
        pad_to_aspect_ratio: Whether first the images are padded to that ratio.
        fill_mode: "constant".
        fill_value: The value of the padding.
        data_format: "channels_last" by default, or "channels_first".

    Raises:
        ValueError: Both ratios are asked for, an unknown interpolation, a size below 1.
    """
    op = "image.resize"
    first = channels_first(op, data_format)
    images = images_of(op, images)
    one_of(op, "interpolation", interpolation, _INTERPOLATIONS)
    one_of(op, "fill_mode", fill_mode, ("constant",))
    size = arguments.integers(op, "size", size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(
            f"{op}: expected size to be (height, width) of at least 1, received {size}"
        )
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(f"{op}: expected one of crop_to_aspect_ratio and pad_to_aspect_ratio")
    axes = plane_axes(images, first)
    if 0 in (images.shape[axis] for axis in axes):
        raise ValueError(f"{op}: expected images with pixels, received shape {images.shape}")
    x = images if interpolation == "nearest" else _as_float(images)
    if crop_to_aspect_ratio:
        x = _cropped(x, axes, size)
    elif pad_to_aspect_ratio:
        x = _padded(x, axes, size, fill_value)
    for axis, n in zip(axes, size):
        m = x.shape[axis]
        if m == n:
            continue
        if interpolation == "nearest":
            rows = (2 * np.arange(n) + 1) * m // (2 * n)
            x = apply("take", x, rows.astype("int32"), axis=axis)
        else:
            scale, shift = as_tensor(n / m, "float64"), as_tensor(0.0, "float64")
            weights = _weights(m, n, scale, shift, interpolation, bool(antialias))
            x = contract(x, as_tensor(weights, x.dtype), axis)
    if x.dtype == images.dtype:
        return x
    return apply("cast", apply("round", x), dtype=images.dtype)


def _ratio(x: Tensor, axes: Sequence[int], size: Sequence[int]) -> tuple[int, int, int, int]:
    """Height and width, and those in the ratio of `size` that one of them has."""
    height, width = (x.shape[axis] for axis in axes)
    return height, width, int(width * size[0] / size[1]), int(height * size[1] / size[0])


def _cropped(x: Tensor, axes: Sequence[int], size: Sequence[int]) -> Tensor:
    """The largest part in the middle that has the ratio of `size`."""
    height, width, fitting_height, fitting_width = _ratio(x, axes, size)
    counts = max(min(height, fitting_height), 1), max(min(width, fitting_width), 1)
    for axis, count in zip(axes, counts):
        start = (x.shape[axis] - count) // 2
        x = apply("slice", x, axis=axis, start=start, stop=start + count)
    return x


def _padded(x: Tensor, axes: Sequence[int], size: Sequence[int], fill_value: float) -> Tensor:
    """Rows or columns of a value on both sides, for the ratio of `size`."""
    height, width, fitting_height, fitting_width = _ratio(x, axes, size)
    rows = (max(height, fitting_height) - height) // 2
    columns = 0 if rows else (max(width, fitting_width) - width) // 2
    pads = [0] * x.ndim
    pads[axes[0]], pads[axes[1]] = rows, columns
    value = fill_value if x.dtype in FLOATS else round(fill_value)
    return apply("pad", x, low=pads, high=pads, value=value)


@named("image.scale_and_translate")
def scale_and_translate(
    images: TensorLike,
    output_shape: Sizes,
    scale: TensorLike,
    translation: TensorLike,
    spatial_dims: Sizes,
    method: str,
    antialias: bool = True,
) -> Tensor:
    """y = the images in which what was at place p, along each axis, is at p scale + translation.

    A pixel i has its middle at i + 0.5. What comes from outside of the images is 0.

    Args:
        images: A tensor or array. Integers give floats.
        output_shape: The shape of the result, with all axes.
        scale, translation: A number for each of `spatial_dims`.
        spatial_dims: The axes that are resampled.
        method: "linear", "bilinear", "trilinear", "cubic", "bicubic", "tricubic", "lanczos3" or
            "lanczos5".
        antialias: Whether the kernel widens where images become smaller, so that all pixels count.
    """
    op = "image.scale_and_translate"
    one_of(op, "method", method, tuple(_KERNELS))
    x = as_tensor(images, name=op)
    x = x if x.dtype in FLOATS else apply("cast", x, dtype=config.floatx())
    shape = arguments.sizes(op, "output_shape", output_shape)
    axes = arguments.axes(op, spatial_dims, x.ndim, "spatial_dims")
    scale, translation = (_numbers(op, t, len(axes)) for t in (scale, translation))
    kept = [i for i in range(x.ndim) if i not in axes]
    if len(shape) != x.ndim or any(shape[i] != x.shape[i] for i in kept):
        raise ValueError(
            f"{op}: expected an output_shape that differs from {x.shape} only on axes {axes}, "
            f"received {shape}"
        )
    for i, axis in enumerate(axes):
        weights = _weights(
            x.shape[axis], shape[axis], scale[i], translation[i], method, bool(antialias)
        )
        x = contract(x, as_tensor(weights, x.dtype), axis)
    return x


def _numbers(op: str, values: TensorLike, count: int) -> Tensor:
    values = as_tensor(values, name=op)
    if values.shape != (count,):
        raise ValueError(
            f"{op}: expected scale and translation with a number for each of {count} "
            f"spatial_dims, received shape {values.shape}"
        )
    return values if values.dtype in FLOATS else apply("cast", values, dtype=config.floatx())
