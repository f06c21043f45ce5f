"""Matrices, data sets and initial weights, drawn alike in every worker from a seed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.models import Model, parameter_shapes

Array = NDArray[Any]


def factors(spec: dict[str, Any]) -> tuple[Array, Array]:
    """Draws the two factors of a product as they lie in memory.

    Args:
        spec: m, n, k, dtype, transpose_a, transpose_b, seed.

    Returns:
        a, shape (m, k), or (k, m) if transposed; b, shape (k, n), or (n, k) if transposed.
        Uniform in [-0.5, 0.5).
    """
    m, n, k = spec["m"], spec["n"], spec["k"]
    generator = np.random.default_rng(spec["seed"])

    def draw(rows: int, columns: int) -> Array:
        values = generator.random((rows, columns), dtype=spec["dtype"])
        values -= 0.5
        return values

    a = draw(k, m) if spec["transpose_a"] else draw(m, k)
    b = draw(n, k) if spec["transpose_b"] else draw(k, n)
    return a, b


def matmul_check(product: Array) -> float:
    """Returns the mean absolute value of a product, in float64."""
    return float(np.mean(np.abs(product), dtype=np.float64))


def dataset(spec: dict[str, Any]) -> tuple[Array, Array]:
    """Draws samples and labels for a training spec.

    Classes are random prototypes seen through much noise: the loss falls, so that a library that
    does not learn shows in the check, but does not vanish within a round. The one exception is the
    model with two inputs, which gets the four rows of XOR over and over.

    Returns:
        x, float32, shape (samples, *input); y, int32, shape (samples,) for class labels, or
        float32, shape (samples, 1) for a sigmoid.
    """
    model, samples = spec["model"], spec["samples"]
    generator = np.random.default_rng(spec["seed"])
    if model["input"] == [2]:
        x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
        y = np.array([[0], [1], [1], [0]], np.float32)
        return np.tile(x, (samples // 4, 1)), np.tile(y, (samples // 4, 1))
    classes = model["layers"][-1]["units"]
    prototypes = generator.random((classes, *model["input"]), dtype=np.float32)
    labels = generator.integers(0, classes, samples).astype(np.int32)
    x = 0.1 * prototypes[labels] + 0.9 * generator.random(
        (samples, *model["input"]), dtype=np.float32
    )
    if model["loss"] == "sigmoid_cross_entropy":
        return x, (labels % 2).astype(np.float32)[:, None]
    return x, labels


def initial_weights(model: Model) -> list[Array]:
    """Draws kernels and biases: Glorot uniform and zero, float32, kernels as (in, out)."""
    generator = np.random.default_rng(7)
    weights = []
    for shape in parameter_shapes(model):
        if len(shape) == 1:
            weights.append(np.zeros(shape, np.float32))
            continue
        limit = np.sqrt(6.0 / (shape[0] + shape[-1]))
        weights.append(generator.uniform(-limit, limit, shape).astype(np.float32))
    return weights
