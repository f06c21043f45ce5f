"""Models of `common/models.py` as JAX functions, written by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from common.models import Model
from workers.base import Unsupported

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "relu": jax.nn.relu,
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
}
NHWC = ("NHWC", "HWIO", "NHWC")


class Pass:
    """One walk through a model.

    Args:
        parameters: The trainable parameters in the order of the description.
        moving: The moving statistics in that order.
        training: Whether batch normalisation uses the batch's statistics.

    Attributes:
        moved: The moving statistics after this batch.
    """

    def __init__(self, parameters: Sequence[Any], moving: Sequence[Any], training: bool) -> None:
        self.parameters: Iterator[Any] = iter(parameters)
        self.moving: Iterator[Any] = iter(moving)
        self.training = training
        self.moved: list[Any] = []

    def sequence(self, layers: Sequence[dict[str, Any]], x: Any) -> Any:
        """Returns the output of layers in turn."""
        for layer in layers:
            x = self.layer(layer, x)
            x = ACTIVATIONS[layer.get("activation", "linear")](x)
        return x

    def layer(self, layer: dict[str, Any], x: Any) -> Any:
        """Returns the output of one layer before its activation."""
        kind = layer["kind"]
        if kind == "dense":
            return x @ next(self.parameters) + next(self.parameters)
        if kind == "conv":
            kernel, strides = next(self.parameters), (layer["strides"],) * 2
            padding = layer["padding"].upper()
            x = lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=NHWC)
            return x + next(self.parameters) if layer["bias"] else x
        if kind == "batch_norm":
            return self.batch_norm(layer, x)
        if kind in ("max_pool", "average_pool"):
            size, strides = layer["size"], layer["strides"]
            window, steps = (1, size, size, 1), (1, strides, strides, 1)
            padding = layer["padding"].upper()
            if kind == "max_pool":
                return lax.reduce_window(x, -jnp.inf, lax.max, window, steps, padding)
            if padding == "SAME":
                raise Unsupported("average pooling with padding")
            return lax.reduce_window(x, 0.0, lax.add, window, steps, padding) / size**2
        if kind == "global_average":
            return x.mean((1, 2))
        if kind == "flatten":
            return x.reshape(x.shape[0], -1)
        if kind == "enlarge":
            pixels = x[:, :: layer["strides"], :: layer["strides"]]
            zeros = layer["filters"] - x.shape[-1]
            return jnp.pad(pixels, ((0, 0), (0, 0), (0, 0), (0, zeros)))
        if kind == "residual":
            return self.sequence(layer["body"], x) + self.sequence(layer["shortcut"], x)
        if kind == "activation":
            return x
        raise Unsupported(f"layer {kind}")

    def batch_norm(self, layer: dict[str, Any], x: Any) -> Any:
        """Normalises; the variance as the mean of squares less the square of the mean is faster."""
        gamma, beta = next(self.parameters), next(self.parameters)
        moving_mean, moving_variance = next(self.moving), next(self.moving)
        mean, variance = moving_mean, moving_variance
        if self.training:
            mean = x.mean((0, 1, 2))
            variance = (x * x).mean((0, 1, 2)) - mean * mean
            m = layer["momentum"]
            self.moved.append(m * moving_mean + (1 - m) * mean)
            self.moved.append(m * moving_variance + (1 - m) * variance)
        return (x - mean) * (gamma * lax.rsqrt(variance + layer["epsilon"])) + beta


def make_logits(model: Model) -> Callable[[Any, Any, Any], Any]:
    """Returns logits(parameters, moving, x) for inference."""
    return lambda parameters, moving, x: Pass(parameters, moving, False).sequence(
        model["layers"], x
    )


def make_loss(model: Model) -> Callable[[Any, Any, Any, Any], tuple[Any, Any]]:
    """Returns loss(parameters, moving, x, y) with the new moving statistics beside it."""

    def loss(parameters: Any, moving: Any, x: Any, y: Any) -> tuple[Any, Any]:
        walk = Pass(parameters, moving, True)
        z = walk.sequence(model["layers"], x)
        if model["loss"] == "sparse_softmax_cross_entropy":
            chosen = jnp.take_along_axis(jax.nn.log_softmax(z), y[:, None], axis=-1)
            return -chosen.mean(), walk.moved
        value = jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
        return value, walk.moved

    return loss
