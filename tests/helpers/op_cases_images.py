"""Calls of the ops of images: convolution, pooling, resizing, augmentation; see op_cases."""

from __future__ import annotations

import numpy as np
from op_draw import builds, fused, fused_backward

from dlnative import reference
from dlnative.graph.ops.augmentation import FILL_MODES, FLIPS
from dlnative.reference._taps import Taps

# --- windows --------------------------------------------------------------------------------------


def images(d, rank, most=17):
    """The spatial sizes of a batch of images."""
    return tuple(d.size(a, n, most) for a, n in (("height", 5), ("width", 6)))[-rank:]


def window(d, rank):
    """The sizes of a window, and its geometry."""
    taps = tuple(d.size(a, n, 5) for a, n in (("kernel_height", 3), ("kernel_width", 2)))[-rank:]
    geometry = {
        "strides": d.one_of((1, 1), (2, 1), (3, 2))[-rank:],
        "padding": d.one_of("valid", "same", (1, 0, 2, 1)[-2 * rank :]),
        "dilation_rate": d.one_of((1, 1), (1, 1), (2, 1), (1, 2))[-rank:],
    }
    return taps, geometry


def places(sizes, taps, strides, padding, dilation_rate=None):
    """How often a window fits, or 1 where it does not: then the call is one that must raise."""
    try:
        return Taps("", sizes, taps, strides, padding, dilation_rate).places
    except (ValueError, ZeroDivisionError):
        return (1,) * len(sizes)


def convolution(d, name):
    """x, kernel and dy of a convolution, and its attributes."""
    rank = 1 if "1d" in name else 2
    sizes, groups = images(d, rank), d.one_of(1, 2)
    taps, geometry = window(d, rank)
    n, filters, channels = d.size("batch", 2), d.size("filters", 3), d.size("channels", 3)
    x = d.normal(n, *sizes, groups * channels)
    kernel = d.normal(*taps, channels, groups * filters)
    dy = d.normal(n, *places(sizes, taps, **geometry), groups * filters)
    return x, kernel, dy, {**geometry, "groups": groups}


@builds("conv1d", "conv2d")
def conv(d, name):
    x, kernel, dy, attributes = convolution(d, name)
    attributes.update(fused(d))
    if d.one_of(False, False, True):
        attributes["pre_activation"] = True
    return [x, kernel, d.maybe(d.normal(dy.shape[-1]))], attributes


@builds("conv1d_backward_input", "conv2d_backward_input")
def conv_backward_input(d, name):
    x, kernel, dy, attributes = convolution(d, name)
    saved, more = fused_backward(d, *x.shape)
    return [dy, kernel, saved], {"input_shape": x.shape, **attributes, **more}


@builds("conv1d_backward_kernel", "conv2d_backward_kernel")
def conv_backward_kernel(d, name):
    x, kernel, dy, attributes = convolution(d, name)
    attributes.update(kernel_size=kernel.shape[:-2], bias=d.one_of(False, True))
    return [x, dy], attributes


@builds("conv1d_transpose", "conv2d_transpose")
def conv_transpose(d, name):
    rank = 1 if "1d" in name else 2
    taps, attributes = window(d, rank)
    if attributes["strides"][-1] > 1:
        extra = tuple(min(1, s - 1) for s in attributes["strides"])
        attributes["output_padding"] = d.one_of(None, extra)
    channels, out = d.size("channels", 2), d.size("filters", 3)
    attributes.update(fused(d))
    x = d.normal(d.size("batch", 2), *images(d, rank, 9), channels)
    return [x, d.normal(*taps, out, channels), d.maybe(d.normal(out))], attributes


def depthwise(d):
    sizes, (taps, geometry) = images(d, 2), window(d, 2)
    n, channels, m = d.size("batch", 2), d.size("channels", 3), d.size("multiplier", 2, 4)
    kernel = d.normal(*taps, channels, m)
    dy = d.normal(n, *places(sizes, taps, **geometry), channels * m)
    return d.normal(n, *sizes, channels), kernel, dy, geometry


@builds("depthwise_conv2d")
def depthwise_conv2d(d, name):
    x, kernel, dy, attributes = depthwise(d)
    attributes.update(fused(d))
    return [x, kernel, d.maybe(d.normal(dy.shape[-1]))], attributes


@builds("depthwise_conv2d_backward_input")
def depthwise_backward_input(d, name):
    x, kernel, dy, attributes = depthwise(d)
    return [dy, kernel], {"input_shape": x.shape, **attributes}


@builds("depthwise_conv2d_backward_kernel")
def depthwise_backward_kernel(d, name):
    x, kernel, dy, attributes = depthwise(d)
    return [x, dy], {"kernel_size": kernel.shape[:2], "bias": d.one_of(False, True), **attributes}


def pooling(d, name):
    rank = 1 if "1d" in name else 2
    sizes, c = images(d, rank), d.size("channels", 3)
    size = tuple(d.size(a, n, 4) for a, n in (("pool_height", 2), ("pool_width", 3)))[-rank:]
    strides = d.one_of(None, (1, 1), (2, 3))
    strides = None if strides is None else strides[-rank:]
    padding = d.one_of("valid", "same", tuple(min(1, max(0, s - 1)) for s in size for _ in (0, 1)))
    n = d.size("batch", 2)
    x = d.normal(n, *sizes, c)
    y = d.normal(n, *places(sizes, size, size if strides is None else strides, padding), c)
    return x, y, {"pool_size": size, "strides": strides, "padding": padding}


@builds("max_pool1d", "max_pool2d")
def max_pool(d, name):
    x, _, attributes = pooling(d, name)
    attributes.update(indices=d.one_of(False, True), activation=d.one_of(None, "relu"))
    return [x], attributes


@builds("max_pool1d_backward", "max_pool2d_backward")
def max_pool_backward(d, name):
    x, dy, attributes = pooling(d, name)
    return [dy, x], attributes


@builds("max_pool1d_backward_indices", "max_pool2d_backward_indices")
def max_pool_backward_indices(d, name):
    x, dy, attributes = pooling(d, name)
    forward = getattr(reference, name.removesuffix("_backward_indices"))
    relu = d.one_of(None, "relu")
    try:
        y, indices = forward(x, **attributes, indices=True, activation=relu)
    except (ValueError, ZeroDivisionError):  # a call that must raise
        y, indices = dy, np.zeros(dy.shape, "uint8")
    attributes.update(input_shape=x.shape, activation=relu)
    return [dy, indices, y if relu else None], attributes


@builds("avg_pool1d", "avg_pool2d")
def avg_pool(d, name):
    x, _, attributes = pooling(d, name)
    return [x], attributes


@builds("avg_pool1d_backward", "avg_pool2d_backward")
def avg_pool_backward(d, name):
    x, dy, attributes = pooling(d, name)
    return [dy], {"input_shape": x.shape, **attributes}


# --- images ---------------------------------------------------------------------------------------


def pixels(d):
    return d.normal(d.size("batch", 2), *images(d, 2), d.size("channels", 3))


@builds("zero_pad2d")
def zero_pad2d(d, name):
    return [pixels(d)], {"padding": d.one_of((1, 0, 2, 1), (0, 0, 0, 0))}


@builds("crop2d")
def crop2d(d, name):
    return [pixels(d)], {"cropping": d.one_of((1, 0, 2, 1), (0, 0, 0, 0))}


def upsampling(d):
    kinds = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
    return {"size": d.one_of((2, 3), (1, 2), (3, 1)), "interpolation": d.one_of(*kinds)}


@builds("upsample2d")
def upsample2d(d, name):
    return [pixels(d)], upsampling(d)


@builds("upsample2d_backward")
def upsample2d_backward(d, name):
    x, attributes = pixels(d), upsampling(d)
    (n, h, w, c), (rows, columns) = x.shape, attributes["size"]
    return [d.normal(n, h * rows, w * columns, c)], {"input_shape": x.shape, **attributes}


def per_sample(d):
    return {"seed": 5, "op_id": 2, "epoch": d.one_of(3, 0)}


@builds("random_flip")
def random_flip(d, name):
    return [pixels(d)], {"mode": d.one_of(*FLIPS), **per_sample(d)}


@builds("random_crop")
def random_crop(d, name):
    x = pixels(d)
    height, width = d.size("height_out", 4, 9), d.size("width_out", 5, 9)
    more = {"padding": d.one_of((1, 2, 0, 1), (0, 0, 0, 0))}
    more.update(padding_mode=d.one_of("constant", "reflect"), fill_value=d.one_of(0.5, 0.0))
    return [x], {"height": height, "width": width, **more, **per_sample(d)}


@builds("random_affine")
def random_affine(d, name):
    more = d.one_of(
        {"rotation": (-0.25, 0.25), "height_shift": (-0.5, 0.5), "width_shift": (0.0, 1.0)},
        {"height_zoom": (0.5, 2.0)},
        {},
        {"height_zoom": (1.5, 1.5), "width_zoom": (0.25, 1.0)},
    )
    kinds = {"fill_mode": d.one_of(*FILL_MODES), "interpolation": d.one_of("bilinear", "nearest")}
    return [pixels(d)], {**more, **kinds, "fill_value": 0.5, **per_sample(d)}


@builds("random_brightness", "random_contrast")
def random_values(d, name):
    ranges = {"factor": d.one_of((0.5, 1.5), (0.0, 0.0)), "value_range": (-1.0, 1.5)}
    return [pixels(d)], {**ranges, **per_sample(d)}


@builds("crop_resize2d")
def crop_resize2d(d, name):
    x = pixels(d)
    top, left = d.one_of((0, 0), (1, 2))
    box = (top, left, x.shape[1] - top, x.shape[2] - left)
    return [x], {"window": box, "height": d.size("height_out", 4), "width": d.size("width_out", 9)}
