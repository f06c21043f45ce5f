"""keras.random: numbers from distributions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import config
from ..graph.dtypes import FLOATS, INTEGERS, standard_dtype
from ..graph.tensor import Tensor, ValueTensor, apply, is_variable, traced_graph
from ..ops import arguments
from ..ops.public import as_tensor
from .draws import arrays_or_tensors, uniform_numbers
from .seed_generator import key_of
from .seeds import generator

_ROOT_2 = math.sqrt(2.0)


def float_dtype(name: str, dtype: Any) -> str:
    """The dtype of random numbers; ValueError unless it is one of floats."""
    dtype = config.floatx() if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    if dtype not in FLOATS:
        raise ValueError(f"{name}: expected a float dtype, received {dtype}")
    return dtype


def _shape(name: str, shape: Any) -> tuple[int | None, ...]:
    """The shape of a result; sizes may be open while the shapes of a model are being found."""
    if traced_graph() is not None and isinstance(shape, (list, tuple)):
        sizes = iter(arguments.sizes(name, "shape", [n for n in shape if n is not None]))
        return tuple(None if n is None else next(sizes) for n in shape)
    return arguments.sizes(name, "shape", shape)


def _parameter(name, value, what, shape, dtype):
    """A parameter of a distribution: it must broadcast to the shape of the result."""
    value = as_tensor(value, dtype, name)
    rank = len(shape)
    fits = value.ndim <= rank and all(
        m is None or n in (1, m) for n, m in zip(value.shape, shape[rank - value.ndim :])
    )
    if not fits:
        raise ValueError(
            f"{name}: expected {what} to broadcast to shape {shape}, received {value.shape}"
        )
    return value


@arrays_or_tensors
def uniform(shape, minval=0.0, maxval=1.0, dtype=None, seed=None):
    """Numbers of the uniform distribution on [minval, maxval).

    Args:
        shape: Shape of the result.
        minval, maxval: The bounds, numbers or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default. Keras's name for integers is
            `randint`.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.
    """
    dtype, shape = float_dtype("uniform", dtype), _shape("uniform", shape)
    low = _parameter("uniform", minval, "minval", shape, dtype)
    high = _parameter("uniform", maxval, "maxval", shape, dtype)
    y = uniform_numbers("uniform", shape, dtype, seed) * (high - low) + low
    if isinstance(high, ValueTensor) and isinstance(low, ValueTensor):  # rounding may reach maxval
        below = np.maximum(np.nextafter(high.value, low.value), low.value)
        y = apply("minimum", y, ValueTensor(np.where(high.value > low.value, below, np.inf), dtype))
    return y


def symmetric(name: str, shape: tuple[int | None, ...], dtype: str, seed: Any) -> Tensor:
    """Uniform numbers in (-1, 1), neither of which is drawn."""
    step = 2.0**-24 if dtype == "float32" else 2.0**-53
    return uniform_numbers(name, shape, dtype, seed) * 2 - 1 + step


@arrays_or_tensors
def normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Numbers of the normal distribution: mean + stddev 2^(1/2) erfinv(u), u uniform in (-1, 1).

    Args:
        shape: Shape of the result.
        mean, stddev: Numbers, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.
    """
    dtype, shape = float_dtype("normal", dtype), _shape("normal", shape)
    mean = _parameter("normal", mean, "mean", shape, dtype)
    stddev = _parameter("normal", stddev, "stddev", shape, dtype)
    sample = _ROOT_2 * apply("erfinv", symmetric("normal", shape, dtype, seed))
    return sample * stddev + mean


@arrays_or_tensors
def truncated_normal(shape, mean=0.0, stddev=1.0, dtype=None, seed=None):
    """Numbers of the normal distribution that lie within two standard deviations of the mean.

    Args:
        shape: Shape of the result.
        mean, stddev: Numbers, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.
    """
    name = "truncated_normal"
    dtype, shape = float_dtype(name, dtype), _shape(name, shape)
    mean = _parameter(name, mean, "mean", shape, dtype)
    stddev = _parameter(name, stddev, "stddev", shape, dtype)
    sample = _ROOT_2 * apply("erfinv", math.erf(_ROOT_2) * symmetric(name, shape, dtype, seed))
    limit = as_tensor(2.0, dtype)
    sample = apply("maximum", apply("minimum", sample, limit), -limit)
    return sample * stddev + mean


@arrays_or_tensors
def randint(shape, minval, maxval, dtype="int32", seed=None):
    """Integers of [minval, maxval), all equally likely.

    Args:
        shape: Shape of the result.
        minval, maxval: The bounds, integers or what broadcasts to the shape.
        dtype: "int32", "int64" or "uint8".
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        ValueError: There is no integer in a range, it has 2^53 or more, or the dtype does not hold
            it.
    """
    dtype = "int32" if dtype is None else standard_dtype(dtype, "randint: dtype")
    if dtype not in INTEGERS:
        raise ValueError(f"randint: expected an integer dtype, received {dtype}")
    shape = _shape("randint", shape)
    low, high = (
        _parameter("randint", _whole(value, what), what, shape, "int64")
        for value, what in ((minval, "minval"), (maxval, "maxval"))
    )
    if isinstance(low, ValueTensor) and isinstance(high, ValueTensor):
        _check_range(low.value, high.value, dtype)
    count = apply("cast", high - low, dtype="float64")
    steps = apply("floor", uniform_numbers("randint", shape, "float64", seed) * count)
    return apply("cast", apply("cast", steps, dtype="int64") + low, dtype=dtype)


def _whole(value, what):
    """A bound of integers; floats that are whole numbers are such, too."""
    value = as_tensor(value, name="randint")
    if value.dtype in INTEGERS:
        return value
    if isinstance(value, ValueTensor) and (value.value == np.floor(value.value)).all():
        return value
    raise TypeError(f"randint: expected {what} of integers, received {value.dtype}")


def _check_range(low, high, dtype):
    info = np.iinfo(dtype)
    low, high = np.broadcast_arrays(low.astype(object), high.astype(object))
    for a, b in zip(low.flat, high.flat):
        if not a < b or b - a >= 2**53 or a < info.min or b - 1 > info.max:
            raise ValueError(
                f"randint: expected minval < maxval, fewer than 2^53 integers, and all of them "
                f"within {dtype}, received [{a}, {b})"
            )


def _known(name, value, what):
    """The values of a parameter of a distribution that is drawn by NumPy."""
    if is_variable(value) and traced_graph() is None:
        value = value.value
    value = as_tensor(value, name=name)
    if traced_graph() is not None or not isinstance(value, ValueTensor):
        raise TypeError(
            f"{name}: it is drawn at once and cannot be a part of a program that draws anew at "
            f"each step. Draw before, and pass the array; or use normal, truncated_normal, uniform "
            "or categorical"
        )
    return np.asarray(value.value, "float64")


def _check(name, what, value, fits, expected):
    if not fits.all():
        bad = value[~fits].flat[0]
        raise ValueError(f"{name}: expected {what} {expected}, received {bad:g}")


def _by_numpy(name, shape, dtype, seed, parameters, draw):
    shape = _shape(name, shape)
    for what, value in parameters.items():
        _parameter(name, value, what, shape, "float64")
    key, _ = key_of(name, seed)
    return ValueTensor(draw(generator(key), *parameters.values(), size=shape), dtype)


@arrays_or_tensors
def gamma(shape, alpha, dtype=None, seed=None):
    """Numbers of the gamma distribution: density x^(alpha - 1) exp(-x) / Gamma(alpha).

    Args:
        shape: Shape of the result.
        alpha: A number above 0, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        TypeError: In a call that becomes part of a program.

    Reference: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
    """
    dtype = float_dtype("gamma", dtype)
    alpha = _known("gamma", alpha, "alpha")
    _check("gamma", "alpha", alpha, alpha > 0, "above 0")
    draw = np.random.Generator.standard_gamma
    return _by_numpy("gamma", shape, dtype, seed, {"alpha": alpha}, draw)


@arrays_or_tensors
def beta(shape, alpha, beta, dtype=None, seed=None):
    """Numbers of the beta distribution: density proportional to x^(alpha - 1) (1 - x)^(beta - 1).

    Args:
        shape: Shape of the result.
        alpha, beta: Numbers above 0, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        TypeError: In a call that becomes part of a program.
    """
    dtype = float_dtype("beta", dtype)
    parameters = {"alpha": _known("beta", alpha, "alpha"), "beta": _known("beta", beta, "beta")}
    for what, value in parameters.items():
        _check("beta", what, value, value > 0, "above 0")
    return _by_numpy("beta", shape, dtype, seed, parameters, np.random.Generator.beta)


@arrays_or_tensors
def binomial(shape, counts, probabilities, dtype=None, seed=None):
    """How many of `counts` trials succeed, each with a probability.

    Args:
        shape: Shape of the result.
        counts: Whole numbers of at least 0, or what broadcasts to the shape.
        probabilities: Numbers in [0, 1], or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        TypeError: In a call that becomes part of a program.
    """
    dtype = float_dtype("binomial", dtype)
    counts = _known("binomial", counts, "counts")
    chance = _known("binomial", probabilities, "probabilities")
    whole = (counts >= 0) & (counts == np.floor(counts)) & (counts < 2.0**63)
    _check("binomial", "counts", counts, whole, "to be whole numbers of at least 0")
    _check("binomial", "probabilities", chance, (chance >= 0) & (chance <= 1), "in [0, 1]")
    parameters = {"counts": counts.astype("int64"), "probabilities": chance}
    return _by_numpy("binomial", shape, dtype, seed, parameters, np.random.Generator.binomial)
