"""Single operations on images, as plain data: what they read and write, and how much work they are.

Every operation has a `pass`: "forward", "backward" (of a pooling layer or a normalisation), or for
convolutions "backward_input" and "backward_kernel". Images are (batch, height, width, channels) in
float32; libraries that prefer channels first hold the same values in that order.
"""

from __future__ import annotations

import math
from typing import Any

FLOAT = 4  # bytes

Spec = dict[str, Any]


def convolution(
    which: str,
    *,
    batch: int,
    size: int,
    channels: int,
    filters: int,
    kernel: int = 3,
    strides: int = 1,
    groups: int = 1,
) -> Spec:
    """Describes one pass of a convolution of square images, padded by half the kernel's size.

    Args:
        which: "forward", "backward_input" or "backward_kernel".
        batch: Number of images.
        size: Height and width.
        channels: Input channels.
        filters: Output channels.
        kernel: Height and width of the kernel.
        strides: Steps of the window.
        groups: Groups of channels; as many as channels for a depthwise convolution.
    """
    pad = kernel // 2
    output = (size + 2 * pad - kernel) // strides + 1
    return {
        "op": "convolution",
        "pass": which,
        "x": [batch, size, size, channels],
        "y": [batch, output, output, filters],
        "kernel": [kernel, kernel, channels // groups, filters],
        "strides": strides,
        "pad": pad,
        "groups": groups,
        "seed": 1,
    }


def convolution_flops(spec: Spec) -> float:
    """Returns the floating-point operations; those on padding count, as everywhere."""
    per_pixel = math.prod(spec["kernel"][:3])
    return 2.0 * math.prod(spec["y"]) * per_pixel


def convolution_bytes(spec: Spec) -> int:
    """Returns the bytes read and written, each array once."""
    return FLOAT * sum(math.prod(spec[name]) for name in ("x", "y", "kernel"))


def pooling(kind: str, which: str, shape: list[int], *, size: int = 2, strides: int = 2) -> Spec:
    """Describes a pass of pooling without padding.

    Args:
        kind: "max", "max with positions" or "average". A library that stores the positions of the
            maxima in the forward pass may use them in the backward pass.
        which: "forward" or "backward".
        shape: Shape of the images.
        size: Height and width of the window.
        strides: Its steps.
    """
    batch, height, width, channels = shape
    y = [batch, (height - size) // strides + 1, (width - size) // strides + 1, channels]
    large, small = FLOAT * math.prod(shape), FLOAT * math.prod(y)
    positions = small // FLOAT if kind == "max with positions" else 0
    # Without positions the backward pass of max pooling looks for the maxima again.
    again = large if kind == "max" and which == "backward" else 0
    return {
        "op": "pooling",
        "kind": kind,
        "pass": which,
        "x": shape,
        "y": y,
        "size": size,
        "strides": strides,
        "bytes": large + small + positions + again,
        "moved": large + small + positions + again,
        "seed": 1,
    }


def elementwise(
    op: str, which: str, shape: list[int], *, relu: bool = False, residual: bool = False
) -> Spec:
    """Describes a pass of ReLU or of a normalisation.

    `bytes` counts each array once, as our table of operations does. `moved` is what must go through
    memory when no tensor fits in a cache: normalising over the batch reads its inputs twice, first
    for the statistics.

    Args:
        op: "relu", "batch_norm" (with given statistics), "batch_norm_training", "layer_norm" or
            "group_norm" (8 groups).
        which: "forward" or "backward".
        shape: Shape of the images.
        relu: Whether ReLU follows.
        residual: Whether something is added before ReLU.
    """
    tensor = FLOAT * math.prod(shape)
    twice = op in ("batch_norm_training", "group_norm")
    if which == "forward":
        # x and y; the residual is needed once.
        once, again = 2 + residual, 1 if twice else 0
    else:
        # dy, x (of ReLU its output) and dx; what ReLU let through; the gradient of the residual.
        inputs = 2 + (relu and op != "relu")
        once, again = inputs + 1 + residual, inputs if twice else 0
    return {
        "op": op,
        "pass": which,
        "x": shape,
        "y": shape,
        "relu": relu,
        "residual": residual,
        "groups": 8,
        "epsilon": 1e-3,
        "bytes": once * tensor,
        "moved": (once + again) * tensor,
        "seed": 1,
    }
