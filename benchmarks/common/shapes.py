"""What follows from a model's description: shapes of outputs and parameters, multiply-adds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """A parameter or moving statistic of a layer.

    Attributes:
        role: "kernel", "bias", "gamma", "beta", "moving_mean" or "moving_variance".
        shape: As Keras keeps it: (in, out) of a dense layer, (height, width, in, out) of a
            convolution.
        macs: Multiply-adds of the layer for one sample; 0 but for kernels.
    """

    role: str
    shape: tuple[int, ...]
    macs: int = 0

    @property
    def trainable(self) -> bool:
        """Whether the optimizer changes it."""
        return not self.role.startswith("moving")


def window_output(size: int, kernel: int, stride: int, padding: str) -> int:
    """Returns the length of an axis after a window has moved over it; "same" as Keras has it."""
    if padding == "same":
        return -(-size // stride)
    return (size - kernel) // stride + 1


def images(layer: dict[str, Any], shape: tuple[int, ...], kernel: int) -> tuple[int, int]:
    """Returns height and width after a layer with a square window."""
    strides, padding = layer["strides"], layer["padding"]
    height, width = (window_output(n, kernel, strides, padding) for n in shape[:2])
    return height, width


def parameters(model: dict[str, Any]) -> list[Parameter]:
    """Returns the parameters of all layers in the order of the description.

    Within a residual block those of the body come before those of the shortcut.
    """
    found: list[Parameter] = []
    follow(model["layers"], tuple(model["input"]), found)
    return found


def follow(
    layers: Sequence[dict[str, Any]], shape: tuple[int, ...], found: list[Parameter]
) -> tuple[int, ...]:
    """Adds the parameters of layers to `found` and returns the shape of the last output.

    Raises:
        ValueError: A kind of layer is unknown, or the branches of a residual block do not fit.
    """
    for layer in layers:
        kind = layer["kind"]
        if kind == "dense":
            width, units = math.prod(shape), layer["units"]
            found.append(Parameter("kernel", (width, units), width * units))
            found.append(Parameter("bias", (units,)))
            shape = (units,)
        elif kind == "conv":
            size, filters = layer["kernel"], layer["filters"]
            kernel = (size, size, shape[-1], filters)
            shape = (*images(layer, shape, size), filters)
            found.append(Parameter("kernel", kernel, math.prod(kernel) * shape[0] * shape[1]))
            if layer["bias"]:
                found.append(Parameter("bias", (filters,)))
        elif kind == "batch_norm":
            roles = ("gamma", "beta", "moving_mean", "moving_variance")
            found += [Parameter(role, (shape[-1],)) for role in roles]
        elif kind in ("max_pool", "average_pool"):
            shape = (*images(layer, shape, layer["size"]), shape[-1])
        elif kind == "global_average":
            shape = (shape[-1],)
        elif kind == "flatten":
            shape = (math.prod(shape),)
        elif kind == "enlarge":
            height, width = (-(-n // layer["strides"]) for n in shape[:2])
            shape = (height, width, layer["filters"])
        elif kind == "residual":
            body = follow(layer["body"], shape, found)
            shortcut = follow(layer["shortcut"], shape, found)
            if body != shortcut:
                raise ValueError(f"the body ends with {body}, the shortcut with {shortcut}.")
            shape = body
        elif kind != "activation":
            raise ValueError(f"unknown kind of layer: {kind!r}.")
    return shape
