"""keras.random: numbers from distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import config
from ..graph.dtypes import FLOATS, INTEGERS, standard_dtype
from ..graph.tensor import Tensor, ValueTensor, apply, traced_graph
from ..graph.types import DTypeLike, Shape, Sizes, TensorLike
from ..ops import arguments
from ..ops.public import as_tensor
from .draws import arrays_or_tensors, draw_options, drawn, uniform_numbers
from .seed_generator import Seed

_ROOT_2 = math.sqrt(2.0)


def float_dtype(name: str, dtype: DTypeLike | None) -> str:
    """The dtype of random numbers; ValueError unless it is one of floats."""
    dtype = config.floatx() if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    if dtype not in FLOATS:
        raise ValueError(f"{name}: expected a float dtype, received {dtype}")
    return dtype


def _shape(name: str, shape: Sizes) -> Shape:
    """The shape of a result; sizes may be open while the shapes of a model are being found."""
    if traced_graph() is not None and isinstance(shape, (list, tuple)):
        sizes = iter(arguments.sizes(name, "shape", [n for n in shape if n is not None]))
        return tuple(None if n is None else next(sizes) for n in shape)
    return arguments.sizes(name, "shape", shape)


def _parameter(name: str, value: TensorLike, what: str, shape: Shape, dtype: str) -> Tensor:
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
def uniform(
    shape: Sizes,
    minval: TensorLike = 0.0,
    maxval: TensorLike = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Tensor:
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


def symmetric(u: Tensor) -> Tensor:
    """Uniform numbers in (-1, 1), neither of which is drawn, of those in [0, 1)."""
    return u * 2 - 1 + (2.0**-24 if u.dtype == "float32" else 2.0**-53)


def standard_normal(u: Tensor) -> Tensor:
    """Numbers of the normal distribution with mean 0 and deviation 1, of uniform ones in [0, 1)."""
    return _ROOT_2 * apply("erfinv", symmetric(u))


@arrays_or_tensors
def normal(
    shape: Sizes,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Tensor:
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
    return standard_normal(uniform_numbers("normal", shape, dtype, seed)) * stddev + mean


@arrays_or_tensors
def truncated_normal(
    shape: Sizes,
    mean: TensorLike = 0.0,
    stddev: TensorLike = 1.0,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Tensor:
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
    u = symmetric(uniform_numbers(name, shape, dtype, seed))
    sample = _ROOT_2 * apply("erfinv", math.erf(_ROOT_2) * u)
    limit = as_tensor(2.0, dtype)
    sample = apply("maximum", apply("minimum", sample, limit), -limit)
    return sample * stddev + mean


@arrays_or_tensors
def randint(
    shape: Sizes,
    minval: TensorLike,
    maxval: TensorLike,
    dtype: DTypeLike | None = "int32",
    seed: Seed = None,
) -> Tensor:
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


def _whole(value: TensorLike, what: str) -> Tensor:
    """A bound of integers; floats that are whole numbers are such, too."""
    value = as_tensor(value, name="randint")
    if value.dtype in INTEGERS:
        return value
    if isinstance(value, ValueTensor) and (value.value == np.floor(value.value)).all():
        return value
    raise TypeError(f"randint: expected {what} of integers, received {value.dtype}")


def _check_range(low: np.ndarray, high: np.ndarray, dtype: str) -> None:
    info = np.iinfo(dtype)
    low, high = np.broadcast_arrays(low.astype(object), high.astype(object))
    for a, b in zip(low.flat, high.flat):
        if not a < b or b - a >= 2**53 or a < info.min or b - 1 > info.max:
            raise ValueError(
                f"randint: expected minval < maxval, fewer than 2^53 integers, and all of them "
                f"within {dtype}, received [{a}, {b})"
            )


def _checked(
    name: str, what: str, value: TensorLike, fits: Callable[[np.ndarray], Any], expected: str
) -> Tensor:
    """A parameter whose values, where they are known, all fit; elsewhere the result is NaN.

    Args:
        name: The function that draws.
        what: The parameter.
        value: It.
        fits: Function from an array to an array of booleans.
        expected: What it must be, for the message.
    """
    value = as_tensor(value, "float64", name)
    if isinstance(value, ValueTensor) and not fits(value.value).all():
        bad = value.value[~fits(value.value)].flat[0]
        raise ValueError(f"{name}: expected {what} {expected}, received {bad:g}")
    return value


def _spread(name: str, value: Tensor, what: str, shape: Shape) -> Tensor:
    """A parameter as a scalar, or as an array of the shape of the result."""
    value = _parameter(name, value, what, shape, "float64")
    sizes = tuple(n for n in shape if n is not None)
    only_shapes = len(sizes) < len(shape)  # are being found
    return value if only_shapes or not value.shape else arguments.broadcast(name, value, sizes)


def _positive(name: str, what: str, value: TensorLike) -> Tensor:
    return _checked(name, what, value, lambda v: v > 0, "above 0")


_FINITE = (lambda v: (v > 0) & (v < math.inf)), "above 0 and finite"


@arrays_or_tensors
def gamma(
    shape: Sizes, alpha: TensorLike, dtype: DTypeLike | None = None, seed: Seed = None
) -> Tensor:
    """Numbers of the gamma distribution: density x^(alpha - 1) exp(-x) / Gamma(alpha).

    Args:
        shape: Shape of the result.
        alpha: A number above 0, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        ValueError: `alpha` is not above 0. Where only a program knows it the result is NaN there.

    Differs from Keras: there is no gradient of the numbers with respect to `alpha`.

    Reference: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
    """
    dtype, shape = float_dtype("gamma", dtype), _shape("gamma", shape)
    alpha = _spread("gamma", _positive("gamma", "alpha", alpha), "alpha", shape)
    return drawn("random_gamma", alpha, shape=shape, dtype=dtype, **draw_options("gamma", seed))


@arrays_or_tensors
def beta(
    shape: Sizes,
    alpha: TensorLike,
    beta: TensorLike,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Tensor:
    """Numbers of the beta distribution: density proportional to x^(alpha - 1) (1 - x)^(beta - 1).

    a / (a + b) of numbers a and b of gamma distributions, computed from their logarithms.

    Args:
        shape: Shape of the result.
        alpha, beta: Numbers above 0, or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        ValueError: A parameter is not above 0. Where only a program knows it the result is NaN
            there.

    Differs from Keras: there is no gradient of the numbers with respect to `alpha` and `beta`.
    """
    dtype, shape = float_dtype("beta", dtype), _shape("beta", shape)
    options = {"shape": shape, "dtype": "float64", "log": True, **draw_options("beta", seed)}
    a, b = (
        drawn(
            "random_gamma",
            _spread("beta", _checked("beta", what, value, *_FINITE), what, shape),
            op_id=i,
            **options,
        )
        for i, (what, value) in enumerate((("alpha", alpha), ("beta", beta)))
    )
    return as_tensor(apply("sigmoid", a - b), dtype)


@arrays_or_tensors
def binomial(
    shape: Sizes,
    counts: TensorLike,
    probabilities: TensorLike,
    dtype: DTypeLike | None = None,
    seed: Seed = None,
) -> Tensor:
    """How many of `counts` trials succeed, each with a probability.

    Args:
        shape: Shape of the result.
        counts: Whole numbers of [0, 2^53], or what broadcasts to the shape.
        probabilities: Numbers in [0, 1], or what broadcasts to the shape.
        dtype: "float32" or "float64"; `config.floatx()` by default.
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Raises:
        ValueError: A parameter is none of these. Where only a program knows it the result is NaN
            there.

    Differs from Keras: there is no gradient of the numbers with respect to the parameters.

    Reference: Hormann 1993, "The generation of binomial random variates".
    """
    name = "binomial"
    dtype, shape = float_dtype(name, dtype), _shape(name, shape)
    counts = _checked(name, "counts", counts, _is_count, "to be whole numbers of [0, 2^53]")
    chances = _checked(
        name, "probabilities", probabilities, lambda v: (v >= 0) & (v <= 1), "in [0, 1]"
    )
    counts = _spread(name, counts, "counts", shape)
    chances = _spread(name, chances, "probabilities", shape)
    options = {"shape": shape, "dtype": dtype, **draw_options(name, seed)}
    return drawn("random_binomial", counts, chances, **options)


def _is_count(value: np.ndarray) -> Any:
    return (value >= 0) & (value == np.floor(value)) & (value <= 2.0**53)
