"""keras.ops.image: weighted sums of the pixels around each pixel."""

from __future__ import annotations

from ... import config
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, apply
from ...graph.types import Sizes, TensorLike
from .. import arguments
from ..public import as_tensor, named
from .layout import (
    batch_last,
    channels_first,
    floats_of,
    images_of,
    like_given,
    places,
)


def gaussian_weights(n: int, sigma: Tensor, dtype: str) -> Tensor:
    """w[i] = exp(-(i - (n - 1) / 2)^2 / (2 sigma^2)) divided by their sum."""
    distance = (places(n, dtype) - (n - 1) / 2) / sigma
    weights = apply("exp", -0.5 * (distance * distance))
    return weights / apply("sum", weights)


def separable(x: Tensor, rows: Tensor, columns: Tensor, padding: str) -> Tensor:
    """Images (batch, height, width, channels) filtered along their columns and along their rows."""
    channels = x.shape[-1]
    for weights, shape in ((rows, (rows.size, 1, 1, 1)), (columns, (1, columns.size, 1, 1))):
        kernel = apply("reshape", weights, shape=shape)
        kernel = apply("broadcast_to", kernel, shape=(*shape[:2], channels, 1))
        x = apply("depthwise_conv2d", x, kernel, padding=padding)
    return x


@named("image.gaussian_blur")
def gaussian_blur(
    images: TensorLike,
    kernel_size: Sizes = (3, 3),
    sigma: TensorLike = (1.0, 1.0),
    data_format: str | None = None,
) -> Tensor:
    """y = the mean of the pixels around each pixel, weighted by a Gaussian of their distance.

    Args:
        images: Floats, an image or a batch. Around them are zeros.
        kernel_size: (columns, rows) of the pixels that count.
        sigma: Standard deviations of the Gaussian, (along the columns, along the rows).
        data_format: "channels_last" by default, or "channels_first".

    Differs from Keras: without data_format the channels come last; Keras takes the first axis after
    the batch for them.
    """
    op = "image.gaussian_blur"
    first = channels_first(op, data_format)
    images = floats_of(op, images)
    size = arguments.integers(op, "kernel_size", kernel_size)
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"{op}: expected kernel_size to be two ints above 0, received {size}")
    sigma = as_tensor(sigma, images.dtype, op)
    if sigma.shape != (2,):
        raise ValueError(f"{op}: expected two numbers for sigma, received shape {sigma.shape}")
    columns, rows = (gaussian_weights(size[i], sigma[i], images.dtype) for i in (0, 1))
    return like_given(separable(batch_last(images, first), rows, columns, "same"), images, first)


@named("image.sobel_edges")
def sobel_edges(images: TensorLike, data_format: str | None = None) -> Tensor:
    """y[.., 0] = the change of the pixels downwards, y[.., 1] to the right.

    Sums of the differences of both neighbours, in the line of a pixel twice and in those beside it
    once; around the images are zeros.

    Args:
        images: A batch of images.
        data_format: "channels_last" by default, or "channels_first".

    Returns:
        A tensor of the shape of images and 2.

    Reference: Sobel and Feldman 1968, "A 3x3 isotropic gradient operator for image processing".
    """
    op = "image.sobel_edges"
    first = channels_first(op, data_format)
    images = images_of(op, images)
    if images.ndim != 4:
        raise ValueError(f"{op}: expected a batch of images, received shape {images.shape}")
    axes = (2, 3) if first else (1, 2)
    pads = [int(axis in axes) for axis in range(4)]
    x = apply("pad", images, low=pads, high=pads, value=0)
    edges = [_change(_smooth(x, across), along) for along, across in (axes, reversed(axes))]
    edges = [apply("reshape", edge, shape=(*edge.shape, 1)) for edge in edges]
    return apply("concatenate", *edges, axis=4)


def _change(x: Tensor, axis: int) -> Tensor:
    """x[i + 1] - x[i - 1] along an axis, without its ends."""
    n = x.shape[axis]
    low, high = (apply("slice", x, axis=axis, start=i, stop=n - 2 + i) for i in (0, 2))
    return high - low


def _smooth(x: Tensor, axis: int) -> Tensor:
    """x[i - 1] + 2 x[i] + x[i + 1] along an axis, without its ends."""
    n = x.shape[axis]
    low, middle, high = (apply("slice", x, axis=axis, start=i, stop=n - 2 + i) for i in range(3))
    return low + middle * 2 + high


@named("image.ssim")
def ssim(
    image1: TensorLike,
    image2: TensorLike,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Tensor:
    """y = mean of (2 m1 m2 + c1) (2 s12 + c2) / ((m1^2 + m2^2 + c1) (s11 + s22 + c2))

    m, s are the means and covariances of the pixels around each pixel, weighted by a Gaussian;
    c1 = (k1 max_val)^2, c2 = (k2 max_val)^2. Of equal images it is 1.

    Args:
        image1, image2: Images or batches of one shape.
        max_val: The largest value that a pixel may have.
        filter_size: The number of rows and columns of the Gaussian.
        filter_sigma: Its standard deviation.
        k1, k2: See the equation.
        data_format: "channels_last" by default, or "channels_first".

    Returns:
        A number for each image, of the dtype of image1: make integers floats before.

    Raises:
        ValueError: The shapes differ, or the images are smaller than the Gaussian.

    Reference: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error
    visibility to structural similarity".
    """
    op = "image.ssim"
    first = channels_first(op, data_format)
    given, other = images_of(op, image1, "image1"), images_of(op, image2, "image2")
    if given.shape != other.shape:
        raise ValueError(
            f"{op}: expected images of one shape, received {given.shape} and {other.shape}"
        )
    dtype = given.dtype if given.dtype in FLOATS else config.floatx()
    a, b = (batch_last(as_tensor(x, dtype), first) for x in (given, other))
    size = arguments.at_least(op, "filter_size", filter_size, 1)
    if min(a.shape[1:3]) < size:
        raise ValueError(
            f"{op}: expected images of at least {size} x {size} pixels, the filter_size, received "
            f"shape {given.shape}"
        )
    weights = gaussian_weights(size, as_tensor(filter_sigma, dtype), dtype)
    m1, m2, s11, s22, s12 = (
        separable(x, weights, weights, "valid") for x in (a, b, a * a, b * b, a * b)
    )
    s11, s22, s12 = s11 - m1 * m1, s22 - m2 * m2, s12 - m1 * m2
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    above = (2 * (m1 * m2) + c1) * (2 * s12 + c2)
    below = (m1 * m1 + m2 * m2 + c1) * (s11 + s22 + c2)
    y = apply("mean", apply("mean", above / below, axis=(1, 2)), axis=-1)
    if given.ndim == 3:
        y = apply("reshape", y, shape=())
    return as_tensor(y, given.dtype)
