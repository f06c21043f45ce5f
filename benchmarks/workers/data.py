"""Matrices, data sets and initial weights, drawn alike in every worker from a seed."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.formulas import NARROW
from common.models import Model
from common.shapes import parameters

Array = NDArray[Any]

# What `keep` has drawn, by what was asked for.
kept: dict[str, Any] = {}


def keep(spec: dict[str, Any]) -> None:
    """Draws data and weights of a training run; from now on the functions here return these arrays.

    A process whose memory is measured has them before, because they are not the library's.
    """
    kept[key("data", spec)] = dataset(spec)
    kept[key("weights", spec["model"])] = initial_weights(spec["model"])


def key(what: str, description: dict[str, Any]) -> str:
    """Returns a name for something drawn."""
    return what + json.dumps(description, sort_keys=True)


def at_cache_line(shape: tuple[int, ...], dtype: str) -> Array:
    """Returns an uninitialized array that begins at a cache line.

    Libraries align their own arrays so, NumPy to 16 bytes only; then every second vector crosses
    a line, for whoever multiplies NumPy's arrays in place.
    """
    itemsize = np.dtype(dtype).itemsize
    size = math.prod(shape) * itemsize
    raw = np.empty(size + 64, np.uint8)
    begin = -raw.ctypes.data % 64
    return raw[begin : begin + size].view(dtype).reshape(shape)


def factors(spec: dict[str, Any]) -> tuple[Array, Array]:
    """Draws the two factors of a product as they lie in memory.

    Args:
        spec: m, n, k, dtype, transpose_a, transpose_b, seed.

    Returns:
        a, shape (m, k), or (k, m) if transposed; b, shape (k, n), or (n, k) if transposed.
        Uniform in [-0.5, 0.5), at a cache line.
    """
    m, n, k = spec["m"], spec["n"], spec["k"]
    generator = np.random.default_rng(spec["seed"])

    def draw(rows: int, columns: int) -> Array:
        values = at_cache_line((rows, columns), spec["dtype"])
        generator.random(dtype=spec["dtype"], out=values)
        values -= 0.5
        return values

    a = draw(k, m) if spec["transpose_a"] else draw(m, k)
    b = draw(n, k) if spec["transpose_b"] else draw(k, n)
    return a, b


def magnitude(result: Any) -> float:
    """Returns the mean absolute value of a result, in float64: what all libraries agree on."""
    return float(np.mean(np.abs(np.asarray(result)), dtype=np.float64))


def dataset(spec: dict[str, Any]) -> tuple[Array, Array]:
    """Draws samples and labels for a training spec.

    Classes are random prototypes seen through much noise: the loss falls, so that a library that
    does not learn shows in the check, but does not vanish within a round. The one exception is the
    model with two inputs, which gets the four rows of XOR over and over.

    Returns:
        x, float32, shape (samples, *input); y, int32, shape (samples,) for class labels, or
        float32, shape (samples, 1) for a sigmoid.
    """
    if key("data", spec) in kept:
        x, y = kept[key("data", spec)]
        return x, y
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


def initial_weights(model: Model, moving: str = "fresh") -> list[Array]:
    """Draws the parameters in the order of the model's description, float32, shaped as in Keras.

    Args:
        model: The model's description.
        moving: "fresh" for moving means of 0 and variances of 1, or "random" for such as training
            leaves, so that nobody may leave them out.

    Returns:
        Kernels Glorot uniform, biases and betas 0, gammas 1, and the moving statistics.
    """
    if moving == "fresh" and key("weights", model) in kept:
        return list(kept[key("weights", model)])
    generator = np.random.default_rng(7)
    weights = []
    for parameter in parameters(model):
        shape = parameter.shape
        if parameter.role == "kernel":
            field = math.prod(shape[:-2])
            limit = np.sqrt(6.0 / (field * (shape[-2] + shape[-1])))
            weights.append(generator.uniform(-limit, limit, shape).astype(np.float32))
        elif parameter.role.startswith("moving") and moving == "random":
            centre = float(parameter.role == "moving_variance")
            weights.append(generator.uniform(centre - 0.2, centre + 0.2, shape).astype(np.float32))
        else:
            ones = parameter.role in ("gamma", "moving_variance")
            weights.append(np.full(shape, float(ones), np.float32))
    return weights


def operation_arrays(spec: dict[str, Any]) -> dict[str, Array]:
    """Draws what an operation of `common/operations.py` needs, in float32.

    Returns:
        x, dy and, shaped like y, a residual; a kernel (height, width, in, out) for convolutions;
        gamma, beta, mean and variance of the channels, the last two those of x over the batch; all
        centred on 0 but gamma, and x, whose mean is 0.25.
    """
    generator = np.random.default_rng(spec["seed"])

    def draw(shape: list[int], centre: float = 0.0) -> Array:
        values = generator.random(shape, dtype=np.float32)
        values += np.float32(centre - 0.5)
        return values

    arrays = {"x": draw(spec["x"], 0.25), "dy": draw(spec["y"])}
    if "kernel" in spec:
        arrays["kernel"] = draw(spec["kernel"])
    elif spec["op"] != "pooling":
        channels = spec["x"][-1:]
        arrays["gamma"], arrays["beta"] = draw(channels, 1.0), draw(channels)
        axes = tuple(range(len(spec["x"]) - 1))
        arrays["mean"] = arrays["x"].mean(axes, dtype=np.float64).astype(np.float32)
        arrays["variance"] = arrays["x"].var(axes, dtype=np.float64).astype(np.float32)
        if spec["residual"]:
            arrays["residual"] = draw(spec["y"])
    return arrays


def primitive_arguments(spec: dict[str, Any]) -> list[Any]:
    """Draws what a primitive of `common/formulas.py` takes, at cache lines.

    Returns:
        Arrays in the order of its operands, in float32: uniform in [-4, 4), "positive" in
        [0.1, 2.1); bools for a "mask", row numbers in random order for "indices", and after a
        "row" the number of rows. A "narrow" matrix has as many elements in short rows.
    """
    rows, columns = spec["shape"]
    generator = np.random.default_rng(spec["seed"])
    arguments: list[Any] = []
    for operand in spec["operands"]:
        if operand == "mask":
            mask = at_cache_line((rows, columns), "bool")
            mask[...] = generator.random((rows, columns), dtype=np.float32) > 0.5
            arguments.append(mask)
        elif operand == "indices":
            arguments.append(generator.permutation(rows).astype(np.int32))
        elif operand == "narrow indices":
            arguments.append(generator.permutation(rows * columns // NARROW).astype(np.int32))
        elif operand == "narrow":
            shape = (rows * columns // NARROW, NARROW)
            arguments.append(uniform(generator, shape, -4.0, 4.0))
        elif operand == "column":
            arguments.append(uniform(generator, (rows, 1), -4.0, 4.0))
        elif operand == "row":
            arguments += [uniform(generator, (1, columns), -4.0, 4.0), rows]
        else:
            width = columns // 2 if operand.endswith("half") else columns
            low, high = (0.1, 2.1) if operand == "positive" else (-4.0, 4.0)
            arguments.append(uniform(generator, (rows, width), low, high))
    return arguments


def composition_arrays(spec: dict[str, Any]) -> tuple[Array, Array]:
    """Draws x and dy of an activation in [-3, 3), or targets and predictions in [0.05, 0.95)."""
    low, high = (0.05, 0.95) if spec["loss"] else (-3.0, 3.0)
    generator = np.random.default_rng(spec["seed"])
    shape = tuple(spec["shape"])
    return uniform(generator, shape, low, high), uniform(generator, shape, low, high)


def update_arrays(spec: dict[str, Any]) -> tuple[list[Array], list[Array]]:
    """Draws parameters in [-0.1, 0.1) and gradients in [-1, 1)."""
    generator = np.random.default_rng(spec["seed"])
    shapes = [tuple(shape) for shape in spec["shapes"]]
    weights = [uniform(generator, shape, -0.1, 0.1) for shape in shapes]
    return weights, [uniform(generator, shape, -1.0, 1.0) for shape in shapes]


def uniform(
    generator: np.random.Generator, shape: tuple[int, ...], low: float, high: float
) -> Array:
    """Draws float32 values in [low, high), at a cache line."""
    values = at_cache_line(shape, "float32")
    generator.random(dtype=np.float32, out=values)
    values *= np.float32(high - low)
    values += np.float32(low)
    return values


def change(after: list[Any], before: list[Array]) -> float:
    """Returns the mean size of the changes of parameters: what all libraries agree on."""
    return float(np.mean([magnitude(np.asarray(a) - b) for a, b in zip(after, before)]))
