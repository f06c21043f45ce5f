"""The operations of `common/operations.py` in JAX, each a jit call on arrays that stay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from workers.base import Spec, Task
from workers.data import magnitude, operation_arrays

NHWC = ("NHWC", "HWIO", "NHWC")


def convolution(spec: Spec) -> Callable[[Any, Any], Any]:
    """Returns y(x, kernel)."""
    pads = [(spec["pad"], spec["pad"])] * 2
    return lambda x, kernel: lax.conv_general_dilated(
        x,
        kernel,
        (spec["strides"],) * 2,
        pads,
        dimension_numbers=NHWC,
        feature_group_count=spec["groups"],
    )


def pooling(spec: Spec) -> Callable[[Any], Any]:
    """Returns y(x)."""
    size, strides = spec["size"], spec["strides"]
    window, steps = (1, size, size, 1), (1, strides, strides, 1)
    if spec["kind"] == "average":
        return lambda x: lax.reduce_window(x, 0.0, lax.add, window, steps, "VALID") / size**2
    return lambda x: lax.reduce_window(x, -jnp.inf, lax.max, window, steps, "VALID")


def elementwise(spec: Spec) -> Callable[..., Any]:
    """Returns y(x, gamma, beta, residual), mean and variance as constants for "batch_norm"."""
    op, epsilon = spec["op"], spec["epsilon"]

    def moments(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        mean = x.mean(axes, keepdims=True)
        return mean, (x * x).mean(axes, keepdims=True) - mean * mean

    def normalise(x: Any, gamma: Any, beta: Any, given: Any) -> Any:
        if op == "batch_norm":
            mean, variance = given
        elif op == "batch_norm_training":
            mean, variance = moments(x, tuple(range(x.ndim - 1)))
        elif op == "layer_norm":
            mean, variance = moments(x, (x.ndim - 1,))
        else:
            batch, height, width, channels = x.shape
            groups = spec["groups"]
            x = x.reshape(batch, height, width, groups, channels // groups)
            mean, variance = moments(x, (1, 2, 4))
            x = ((x - mean) * lax.rsqrt(variance + epsilon)).reshape(batch, height, width, channels)
            return x * gamma + beta
        return (x - mean) * (gamma * lax.rsqrt(variance + epsilon)) + beta

    def y(x: Any, gamma: Any, beta: Any, residual: Any, given: Any) -> Any:
        if op == "relu":
            return jax.nn.relu(x)
        x = normalise(x, gamma, beta, given)
        if residual is not None:
            x = x + residual
        return jax.nn.relu(x) if spec["relu"] else x

    return y


def operation(spec: Spec) -> Task:
    """Prepares an operation; gradients by `jax.vjp`, of which XLA drops what they do not need."""
    given = {name: jnp.asarray(value) for name, value in operation_arrays(spec).items()}
    x, dy = given["x"], given["dy"]
    if spec["op"] == "convolution":
        y = convolution(spec)
        kernel = given["kernel"]
        if spec["pass"] == "forward":
            run, arguments = jax.jit(y), (x, kernel)
        elif spec["pass"] == "backward_input":
            run = jax.jit(lambda dy, k: jax.vjp(lambda x: y(x, k), jnp.zeros(x.shape))[1](dy)[0])
            arguments = (dy, kernel)
        else:
            shape = kernel.shape
            run = jax.jit(lambda dy, x: jax.vjp(lambda k: y(x, k), jnp.zeros(shape))[1](dy)[0])
            arguments = (dy, x)
    elif spec["op"] == "pooling":
        y = pooling(spec)
        if spec["pass"] == "forward":
            run, arguments = jax.jit(y), (x,)
        else:
            run, arguments = jax.jit(lambda dy, x: jax.vjp(y, x)[1](dy)[0]), (dy, x)
    else:
        y = elementwise(spec)
        constants = given["mean"], given["variance"]
        values = x, given["gamma"], given["beta"], given.get("residual")
        if spec["pass"] == "forward":
            run, arguments = jax.jit(y), (*values, constants)
        else:

            def gradients(dy: Any, *values: Any) -> Any:
                return jax.vjp(lambda *v: y(*v, constants), *values)[1](dy)

            run, arguments = jax.jit(gradients), (dy, *values)

    def repeat() -> Any:
        return jax.block_until_ready(run(*arguments))

    first = repeat()
    first = first[0] if isinstance(first, tuple) else first
    return Task(repeat, check=magnitude(np.asarray(first)))
