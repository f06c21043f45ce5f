"""keras.ops.image: images that are stretched at random."""

from __future__ import annotations

import math
from typing import Any

from ... import random
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, apply
from ...graph.types import TensorLike
from ...random.seed_generator import Seed
from ..public import as_tensor, named
from .filters import gaussian_weights, separable
from .geometry import FILL_MODES, ORDERS, grid, sampled
from .layout import channels_first, images_of, one_of


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(
            f"image.elastic_transform: expected {name} as a number, received {value!r}"
        )
    return float(value)


@named("image.elastic_transform")
def elastic_transform(
    images: TensorLike,
    alpha: float = 20.0,
    sigma: float = 5.0,
    interpolation: str = "bilinear",
    fill_mode: str = "reflect",
    fill_value: float = 0.0,
    seed: Seed = None,
    data_format: str | None = None,
) -> Tensor:
    """y[p] = images[p + alpha d[p]], d random normal numbers blurred by a Gaussian.

    Args:
        images: An image or a batch; each image is stretched in its own way.
        alpha: How far pixels move.
        sigma: Standard deviation of the numbers and of the Gaussian.
        interpolation: "nearest" or "bilinear".
        fill_mode: What stands outside of images; see `map_coordinates`.
        fill_value: A number, for fill_mode "constant".
        seed: An integer for the same numbers in every call, a `random.SeedGenerator`, or None for
            the global stream.
        data_format: "channels_last" by default, or "channels_first".

    Differs from Keras: rows and columns move independently; Keras moves both by the same number.

    Reference: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks
    applied to visual document analysis".
    """
    op = "image.elastic_transform"
    first = channels_first(op, data_format)
    one_of(op, "interpolation", interpolation, tuple(ORDERS))
    one_of(op, "fill_mode", fill_mode, FILL_MODES)
    alpha, sigma = _number("alpha", alpha), _number("sigma", sigma)
    if sigma <= 0:
        raise ValueError(f"{op}: expected sigma above 0, received {sigma:g}")
    options = (interpolation, fill_mode, fill_value, seed, first)
    return stretched(images_of(op, images), alpha, as_tensor(sigma), sigma, *options)


def stretched(
    images: Tensor,
    alpha: Any,
    sigma: Tensor,
    largest: float,
    interpolation: str,
    fill_mode: str,
    fill_value: float,
    seed: Seed,
    first: bool,
) -> Tensor:
    """The same for a sigma that only a program knows.

    Args:
        images: An image or a batch.
        alpha, sigma: See `elastic_transform`, numbers or scalar tensors.
        largest: The largest sigma that may come: the Gaussian is cut off three of it away.
        interpolation, fill_mode, fill_value, seed: See `elastic_transform`.
        first: Whether the channels come before the rows.
    """
    op = "image.elastic_transform"
    dtype = images.dtype if images.dtype in FLOATS else "float32"
    sigma = as_tensor(sigma, dtype)
    row, column = grid(images, first, dtype)
    count = images.shape[0] if images.ndim == 4 else 1
    shape = (count, row.shape[1], column.shape[2], 2)
    moves = as_tensor(random.normal(shape, 0.0, 1.0, dtype, seed)) * sigma
    weights = gaussian_weights(int(6 * largest) | 1, sigma, dtype)
    moves = alpha * separable(moves, weights, weights, "same")
    down, right = (apply("reshape", moves[..., i], shape=shape[:3]) for i in (0, 1))
    return sampled(
        op, images, row + down, column + right, interpolation, fill_mode, fill_value, first
    )
