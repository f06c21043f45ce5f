"""Bounds of products, convolutions, pooling and resampling: those of sums of products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import reference
from ...graph.types import Attributes
from ...reference.spatial import _resize_matrix
from .elementwise import behind, slope_error
from .table import Arrays, absolute, bounded

# --- products: the bound of a sum -----------------------------------------------------------------

PLAIN = {
    *("transpose_a", "transpose_b", "input_shape", "kernel_size", "strides", "padding"),
    *("output_padding", "dilation_rate", "groups", "pool_size"),
}


def linear(name: str, inputs: Arrays, attributes: Attributes) -> Any:
    """What the op computes without an activation, and without further outputs."""
    plain = {k: v for k, v in attributes.items() if k in PLAIN}
    return getattr(reference, name)(*inputs, **plain)


def products(name: str, inputs: Arrays, attributes: Attributes, count: int, eps: float) -> Any:
    """The bound of sums of `count` products."""
    return (count + 2) * eps * linear(name, absolute(inputs), attributes)


@bounded("matmul")
def matmul(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    k = inputs[0].shape[-2 if attributes.get("transpose_a") else -1]
    return products(name, inputs, attributes, k, eps)


@bounded("dense", "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose", "depthwise_conv2d")
def forward(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    error = products(name, inputs, attributes, inputs[1].size, eps)
    activation = attributes.get("activation")
    if activation is None:
        return [error for _ in exact]
    z = linear(name, inputs, attributes)
    return [behind(activation, z, exact[0], error, eps, attributes), error][: len(exact)]


@bounded(
    "dense_backward_input",
    "conv1d_backward_input",
    "conv2d_backward_input",
    "depthwise_conv2d_backward_input",
)
def backward_input(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, kernel, *saved = inputs
    error = products(name, [dy, kernel], attributes, kernel.size, eps)
    activation = attributes.get("activation")
    if activation is None:
        return error
    dx = linear(name, [dy, kernel], attributes)
    steep = max(1.2, attributes.get("negative_slope", 0.0))
    if activation == "elu":
        steep = 1.2 + np.abs(saved[0]) + abs(attributes.get("alpha", 1.0))
    return steep * error + slope_error(activation, dx, saved[0], eps) + 16 * eps * np.abs(exact[0])


@bounded(
    "dense_backward_kernel",
    "conv1d_backward_kernel",
    "conv2d_backward_kernel",
    "depthwise_conv2d_backward_kernel",
)
def backward_kernel(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy = inputs[1]
    count = dy.size // max(1, dy.shape[-1])
    sums = (count + 2) * eps * reference.bias_backward(np.abs(dy))
    return [products(name, inputs, attributes, count, eps), sums][: len(exact)]


# --- pooling and images ---------------------------------------------------------------------------


@bounded("avg_pool1d", "avg_pool2d", "avg_pool1d_backward", "avg_pool2d_backward")
def avg_pool(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return products(name, inputs, attributes, math.prod(attributes["pool_size"]), eps)


@bounded("max_pool1d_backward", "max_pool2d_backward")
def max_pool_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    summed = getattr(reference, name)(np.abs(inputs[0]), inputs[1], **attributes)
    return (math.prod(attributes["pool_size"]) + 2) * eps * summed


@bounded("max_pool1d_backward_indices", "max_pool2d_backward_indices")
def max_pool_backward_indices(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    summed = getattr(reference, name)(np.abs(inputs[0]), *inputs[1:], **attributes)
    return (math.prod(attributes["pool_size"]) + 2) * eps * summed


@bounded("upsample2d", "upsample2d_backward")
def upsample(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """Two passes of at most 11 products forward, and `size` times as many backward."""
    shape = attributes.get("input_shape", inputs[0].shape)
    kind = attributes.get("interpolation", "nearest")
    rows, columns = (
        np.abs(_resize_matrix(n, factor, kind))
        for n, factor in zip(shape[1:3], attributes.get("size", (2, 2)))
    )
    if name == "upsample2d_backward":
        rows, columns = rows.T, columns.T
    finite = np.where(np.isfinite(inputs[0]), np.abs(inputs[0]), 0.0)  # no bound where it is not
    total = np.einsum("oh,nhwc,pw->nopc", rows, finite, columns)
    return (2 * 12 * max(attributes.get("size", (2, 2))) + 4) * eps * total


@bounded("random_affine", "random_brightness", "random_contrast", "crop_resize2d")
def resampled(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """A few roundings of values as large as the largest."""
    if attributes.get("interpolation") == "nearest":
        return 0.0
    largest = np.max(np.abs(inputs[0]), initial=0.0) + abs(attributes.get("fill_value", 0.0)) + 1
    if "factor" in attributes:
        low, high = attributes.get("value_range", (0.0, 255.0))
        largest = (largest + abs(low) + abs(high)) * (1 + np.max(np.abs(attributes["factor"])))
    return 16 * eps * largest
