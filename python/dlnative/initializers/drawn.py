"""Initial values that are drawn.

Random initializers are seeded when they are made: with `seed=None` from the global stream
(`dlnative.utils.set_random_seed`), and the same initializer gives the same values at each call.
Values are drawn in float64 and then rounded, so that a float32 and a float64 layer with the same
seed start from the same numbers, on every platform.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, random
from ..naming import unknown
from ..utils.numbers import finite_number
from .constant import Initializer, check_shape

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

# Standard deviation of a standard normal distribution that is cut off at -2 and 2.
TRUNCATED_STDDEV = 0.87962566103423978

_PIECE = 1 << 22  # values that are drawn in one call, which Ctrl-C has to wait for


class RandomInitializer(Initializer):
    """Base of those that draw: `draw(generator, shape)` returns float64 values.

    Args:
        seed: An integer, or None for one from the global stream.

    Raises:
        TypeError: `seed` is neither.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is not None and (isinstance(seed, bool) or not isinstance(seed, (int, np.integer))):
            raise TypeError(
                f"{type(self).__name__}: expected seed to be an integer or None, received {seed!r}"
            )
        self._given_seed = None if seed is None else int(seed)
        self.seed = random.next_seed() if seed is None else int(seed)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        generator = random.generator(self.seed % 2**64)
        return self.draw(generator, check_shape(self, shape)).astype(dtype or config.floatx())

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Values of `shape`, float64, from the numbers of `generator`."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        return {"seed": self._given_seed}


class RandomNormal(RandomInitializer):
    """w ~ Normal(mean, stddev^2)

    Args:
        mean: Mean.
        stddev: Standard deviation.
        seed: An integer, or None for one from the global stream.
    """

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(seed)
        self.mean = finite_number(type(self).__name__, "mean", mean)
        self.stddev = finite_number(type(self).__name__, "stddev", stddev)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _drawn(generator.standard_normal, shape, self.stddev, self.mean)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class RandomUniform(RandomInitializer):
    """w ~ Uniform[minval, maxval)

    Args:
        minval: Lower bound, included.
        maxval: Upper bound, excluded.
        seed: An integer, or None for one from the global stream.
    """

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        super().__init__(seed)
        self.minval = finite_number(type(self).__name__, "minval", minval)
        self.maxval = finite_number(type(self).__name__, "maxval", maxval)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _drawn(generator.random, shape, self.maxval - self.minval, self.minval)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class TruncatedNormal(RandomNormal):
    """w ~ Normal(mean, stddev^2), drawn again where it is more than 2 stddev from the mean.

    The standard deviation of the result is 0.8796 * stddev.

    Args:
        mean: Mean.
        stddev: Standard deviation before truncation.
        seed: An integer, or None for one from the global stream.
    """

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        return _truncated(generator, shape) * self.stddev + self.mean


class VarianceScaling(RandomInitializer):
    """Variance scale / n, where n is a number of inputs or outputs of the layer.

    n = fan_in, fan_out or (fan_in + fan_out) / 2 by `mode`, and at least 1; then
    w ~ Uniform[-limit, limit) with limit = sqrt(3 scale / n), or
    w ~ Normal(0, scale / n), or the same truncated at two standard deviations and rescaled so that
    the variance is scale / n after truncation.

    For a kernel of shape (in, out), fan_in = in and fan_out = out; for a convolution's
    (kh, kw, in, out) both are multiplied by kh * kw.

    Args:
        scale: Positive number.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal", "untruncated_normal" or "uniform".
        seed: An integer, or None for one from the global stream.
        input_axes: Axes of the kernel that count as inputs; found from its shape by default.
        output_axes: Axes of the kernel that count as outputs; found from its shape by default.

    Raises:
        ValueError: `scale` is not positive, or an unknown mode or distribution.

    Reference:
        Glorot and Bengio 2010, "Understanding the difficulty of training deep feedforward neural
        networks"; He et al. 2015, "Delving deep into rectifiers".
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        scale = finite_number(type(self).__name__, "scale", scale)
        if not scale > 0.0:
            raise ValueError(f"{type(self).__name__}: expected scale > 0, received {scale}")
        if mode not in ("fan_in", "fan_out", "fan_avg"):
            raise unknown("mode of VarianceScaling", mode, ("fan_in", "fan_out", "fan_avg"))
        distribution = str(distribution).lower()
        distribution = "truncated_normal" if distribution == "normal" else distribution
        known = ("truncated_normal", "untruncated_normal", "uniform")
        if distribution not in known:
            raise unknown("distribution of VarianceScaling", distribution, known)
        super().__init__(seed)
        self.scale = scale
        self.mode = mode
        self.distribution = distribution
        self.input_axes = input_axes
        self.output_axes = output_axes

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3.0 * variance)
            return _drawn(generator.random, shape, 2.0 * limit, -limit)
        if self.distribution == "untruncated_normal":
            return _drawn(generator.standard_normal, shape, math.sqrt(variance))
        return _truncated(generator, shape) * (math.sqrt(variance) / TRUNCATED_STDDEV)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class FixedScaling(VarianceScaling):
    """VarianceScaling with everything but the seed fixed by the class."""

    _fixed = (1.0, "fan_in", "uniform")

    def __init__(
        self,
        seed: int | None = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ) -> None:
        super().__init__(*self._fixed, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {key: config[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(FixedScaling):
    """w ~ Uniform[-limit, limit), limit = sqrt(6 / (fan_in + fan_out)); the default of Dense.

    Example:
        >>> w = GlorotUniform(seed=1)((200, 100))
        >>> bool(abs(w).max() <= (6 / 300) ** 0.5)
        True
    """

    _fixed = (1.0, "fan_avg", "uniform")


class GlorotNormal(FixedScaling):
    """w ~ Normal(0, 2 / (fan_in + fan_out)), truncated at two standard deviations."""

    _fixed = (1.0, "fan_avg", "truncated_normal")


class HeUniform(FixedScaling):
    """w ~ Uniform[-limit, limit), limit = sqrt(6 / fan_in); for layers with ReLU."""

    _fixed = (2.0, "fan_in", "uniform")


class HeNormal(FixedScaling):
    """w ~ Normal(0, 2 / fan_in), truncated at two standard deviations; for layers with ReLU."""

    _fixed = (2.0, "fan_in", "truncated_normal")


class LecunUniform(FixedScaling):
    """w ~ Uniform[-limit, limit), limit = sqrt(3 / fan_in)."""

    _fixed = (1.0, "fan_in", "uniform")


class LecunNormal(FixedScaling):
    """w ~ Normal(0, 1 / fan_in), truncated at two standard deviations; for layers with SELU."""

    _fixed = (1.0, "fan_in", "truncated_normal")


class Orthogonal(RandomInitializer):
    """w with orthonormal rows or columns, whichever are fewer, times `gain`.

    A kernel of more than two dimensions counts as a matrix of all axes but the last by the last.

    Args:
        gain: Factor.
        seed: An integer, or None for one from the global stream.

    Reference:
        Saxe et al. 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear
        neural networks".
    """

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(seed)
        self.gain = finite_number(type(self).__name__, "gain", gain)

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected at least two dimensions, received {shape}")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        tall = _drawn(generator.standard_normal, (max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(tall)
        q = q * np.sign(np.diag(r))  # else the distribution would depend on the signs QR chooses
        return self.gain * (q.T if rows < columns else q).reshape(shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "gain": self.gain}


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Numbers of inputs and outputs of a kernel: (fan_in, fan_out)."""
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[i] for i in input_axes), math.prod(shape[i] for i in output_axes)
    if len(shape) < 2:
        return (shape[0],) * 2 if shape else (1, 1)
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def _pieces(values: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """Where the pieces of an array begin, and views of them."""
    flat = values.reshape(-1)
    return [(at, flat[at : at + _PIECE]) for at in range(0, flat.size, _PIECE)]


def _drawn(
    sample: Callable[..., Any], shape: tuple[int, ...], factor: float = 1.0, offset: float = 0.0
) -> np.ndarray:
    """factor * sample(shape) + offset, where `sample` also fills an array `out`."""
    values = np.empty(shape)
    for _, piece in _pieces(values):
        sample(out=piece)
        piece *= factor
        piece += offset
    return values


def _truncated(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal values, each drawn again until it lies in [-2, 2]."""
    flat = _drawn(generator.standard_normal, shape).reshape(-1)
    found = [at + np.flatnonzero(np.abs(piece) > 2.0) for at, piece in _pieces(flat)]
    outside = np.concatenate(found) if found else np.empty(0, int)
    while outside.size:
        flat[outside] = generator.standard_normal(outside.size)
        outside = outside[np.abs(flat[outside]) > 2.0]
    return flat.reshape(shape)
