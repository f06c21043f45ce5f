"""The counter-based random number generator and what draws from it.

A counter-based generator has no state: block `i` of the stream is a function of a key and of
`i`. So a mask depends on the seed, the op and the training step, and neither on the order in
which elements are computed nor on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ._arrays import Array, as_array

# Salmon et al. 2011, section 3.3 and the Random123 library: the multipliers, and the Weyl constants
# that the key grows by from round to round.
PHILOX_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
PHILOX_WEYL = (0x9E3779B9, 0xBB67AE85)

_LOW_32 = 0xFFFFFFFF


def _split(value: int) -> tuple[int, int]:
    """The low and the high 32 bits of a 64-bit number, two's complement if negative."""
    return value & _LOW_32, (value >> 32) & _LOW_32


def _multiply_high_low(multiplier: int, word: Array) -> tuple[Array, Array]:
    """The high and the low 32 bits of the 64-bit product of two 32-bit words."""
    product = np.uint64(multiplier) * word
    return product >> np.uint64(32), product & np.uint64(_LOW_32)


def philox4x32(key: ArrayLike, counter: ArrayLike, rounds: int = 10) -> Array:
    """Philox4x32: four random 32-bit words per counter.

    One round maps the words `(c0, c1, c2, c3)` under the key `(k0, k1)` to
    `(high(M1 c2) ^ c1 ^ k0, low(M1 c2), high(M0 c0) ^ c3 ^ k1, low(M0 c0))`.

    Shapes: `key` (..., 2) and `counter` (..., 4) broadcast over the leading axes; the result is
    (..., 4). Dtype: uint32.

    Reference: Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2, 3".
    """
    # 32-bit words travel in uint64, which holds the products.
    k0, k1 = np.moveaxis(np.asarray(key, dtype=np.uint64), -1, 0)
    c0, c1, c2, c3 = np.moveaxis(np.asarray(counter, dtype=np.uint64), -1, 0)
    for _ in range(rounds):
        high_0, low_0 = _multiply_high_low(PHILOX_MULTIPLIERS[0], c0)
        high_1, low_1 = _multiply_high_low(PHILOX_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high_1 ^ c1 ^ k0, low_1, high_0 ^ c3 ^ k1, low_0
        k0 = (k0 + np.uint64(PHILOX_WEYL[0])) & np.uint64(_LOW_32)
        k1 = (k1 + np.uint64(PHILOX_WEYL[1])) & np.uint64(_LOW_32)
    return np.stack(np.broadcast_arrays(c0, c1, c2, c3), axis=-1).astype(np.uint32)


def _random_words(size: int, seed: int, op_id: int, step: int) -> Array:
    """`size` words of the stream of (seed, op, step): word `i % 4` of block `i // 4`."""
    seed_low, seed_high = _split(int(seed))
    step_low, step_high = _split(int(step))
    blocks = np.arange((size + 3) // 4, dtype=np.uint64)
    counter = np.empty((blocks.size, 4), dtype=np.uint64)
    counter[:, 0] = blocks & np.uint64(_LOW_32)
    counter[:, 1] = blocks >> np.uint64(32)
    counter[:, 2] = step_low
    counter[:, 3] = step_high
    key = (seed_low ^ (int(op_id) & _LOW_32), seed_high)
    return philox4x32(key, counter).reshape(4 * blocks.size)[:size]


def dropout(
    x: Array, rate: float | Array, *, seed: int = 0, op_id: int = 0, step: int = 0
) -> Array:
    """Inverted dropout: each element is 0 with probability `rate`, else `x / (1 - rate)`.

    Element `i` in C order is kept where `word_i >= round(rate * 2^32)`. The words come from
    Philox4x32-10 with the key `(low(seed) ^ op_id, high(seed))` and the counter
    `(low(i // 4), high(i // 4), low(step), high(step))`; `word_i` is word `i % 4` of it.
    The gradient is this op on `dy` with the same attributes.

    Args:
        x: Any shape, float32 or float64.
        rate: Share of elements to drop, a number or a float64 scalar; below 0 it counts as 0, above
            1 as 1, and NaN gives NaN.
        seed: Seed of the generator, 64 bits.
        op_id: Number of the op in its graph, 32 bits; two dropouts of one net differ by it.
        step: Number of the training step, 64 bits.

    Returns:
        An array of the shape and dtype of `x`.

    Reference: Srivastava et al. 2014, "Dropout: A Simple Way to Prevent Neural Networks from
    Overfitting".
    """
    rate = float(rate)
    if math.isnan(rate):
        return np.full(x.shape, np.nan, x.dtype)
    rate = min(max(rate, 0.0), 1.0)
    threshold = round(rate * 2**32)
    words = _random_words(x.size, seed, op_id, step).astype(np.uint64).reshape(x.shape)
    kept = words >= np.uint64(threshold)
    y = np.zeros(x.shape, dtype=x.dtype)
    y[kept] = as_array(x, x.dtype)[kept] / as_array(1.0 - rate, x.dtype)
    return y


def random_uniform(
    *, shape: tuple[int, ...], dtype: str = "float32", seed: int = 0, op_id: int = 0, step: int = 0
) -> Array:
    """Uniform numbers of [0, 1): `k / 2^24` in float32, `k / 2^53` in float64.

    The words are those of `dropout`. In float32 k is the upper 24 bits of `word_i`; in float64 it
    is `(word_2i >> 5) 2^26 + (word_(2i + 1) >> 6)`.

    Args:
        shape: Shape of the result.
        dtype: "float32" or "float64".
        seed: Seed of the generator, 64 bits.
        op_id: Number of the op in its graph, 32 bits.
        step: Number of the training step, 64 bits.

    Returns:
        An array of this shape and dtype.
    """
    size = math.prod(shape)
    if dtype == "float32":
        words = _random_words(size, seed, op_id, step) >> np.uint32(8)
        return as_array(words * 2.0**-24, dtype).reshape(shape)
    words = _random_words(2 * size, seed, op_id, step).astype(np.uint64).reshape(size, 2)
    bits = ((words[:, 0] >> np.uint64(5)) << np.uint64(26)) + (words[:, 1] >> np.uint64(6))
    return as_array(bits * 2.0**-53, dtype).reshape(shape)


# --- by rejection ---------------------------------------------------------------------------------
# Attempt a for element i takes the four words of the block i + a 2^48, so what one element needs
# does not move the others.

ATTEMPTS = 65535  # none is ever reached; the last number is that of a block which is no attempt


def _words_of_attempt(elements: Array, attempt: int, key: tuple[int, int], step: int) -> Array:
    """The four words of each of these elements, as float64: they hold 32 bits exactly."""
    counter = np.zeros((elements.size, 4), dtype=np.uint64)
    blocks = elements.astype(np.uint64) + np.uint64(attempt << 48)
    counter[:, 0] = blocks & np.uint64(_LOW_32)
    counter[:, 1] = blocks >> np.uint64(32)
    counter[:, 2:] = _split(int(step))
    return philox4x32(key, counter).astype(np.float64)


def _unit(high: Array, low: Array) -> Array:
    """Multiples of 2^-53 in [0, 1) from two words."""
    return (np.floor(high / 32) * 2.0**26 + np.floor(low / 64)) * 2.0**-53


def _by_rejection(result: Array, attempt_for: Callable[..., tuple[Array, Array]]) -> None:
    """Fills the elements of `result` that are NaN by attempts until none is left.

    Args:
        result: One axis.
        attempt_for: Function (elements, number of the attempt) that returns values and which of
            them are accepted.
    """
    waiting = np.flatnonzero(np.isnan(result))
    for attempt in range(ATTEMPTS):
        if not waiting.size:
            return
        values, accepted = attempt_for(waiting, attempt)
        result[waiting[accepted]] = values[accepted]
        waiting = waiting[~accepted]


def _spread(parameter: Array, shape: tuple[int, ...]) -> Array:
    """A parameter for each element, as one axis."""
    return np.broadcast_to(np.asarray(parameter, np.float64), shape).reshape(math.prod(shape))


def random_gamma(
    alpha: Array,
    *,
    shape: tuple[int, ...],
    dtype: str = "float32",
    log: bool = False,
    seed: int = 0,
    op_id: int = 0,
    step: int = 0,
) -> Array:
    """Numbers of the gamma distribution with the shapes `alpha` and scale 1, or their logarithms.

    For alpha >= 1, with d = alpha - 1/3 and c = (9 d)^(-1/2): x is normal, v = (1 + c x)^3, and
    d v is accepted where v > 0 and log(u) < x^2 / 2 + d (1 - v + log(v)). The normal number is
    (-2 log u1)^(1/2) cos(2 pi u2). For alpha < 1 a number of alpha + 1 is multiplied by
    u^(1 / alpha).

    Args:
        alpha: A scalar or of this shape, float64.
        shape: Shape of the result.
        dtype: "float32" or "float64".
        log: Whether to return the logarithms.
        seed: Seed of the generator, 64 bits.
        op_id: Number of the op in its graph, 32 bits.
        step: Number of the training step, 64 bits.

    Returns:
        An array of this shape; NaN where alpha is not above 0.

    Reference: Marsaglia and Tsang 2000, "A simple method for generating gamma variables".
    """
    low, high = _split(int(seed))
    key = (low ^ (int(op_id) & _LOW_32), high)
    shapes = _spread(alpha, shape)
    small = shapes < 1.0
    d = np.where(small, shapes + 1.0, shapes) - 1.0 / 3.0
    result = np.where(np.isinf(d) & (d > 0), np.inf, np.nan)
    drawn = np.flatnonzero((shapes > 0) & np.isfinite(shapes))

    def attempt_for(elements: Array, attempt: int) -> tuple[Array, Array]:
        w = _words_of_attempt(drawn[elements], attempt, key, step)
        de = d[drawn[elements]]
        radius = np.sqrt(-2.0 * np.log(_unit(w[:, 0], w[:, 1]) + 2.0**-54))
        x = radius * np.cos(2.0 * np.pi * ((w[:, 2] + 0.5) * 2.0**-32))
        root = 1.0 + 1.0 / np.sqrt(9.0 * de) * x
        log_v = 3.0 * np.log(np.where(root > 0, root, 1.0))
        bound = 0.5 * x * x + de * (1.0 - root**3 + log_v)
        accepted = (root > 0) & (np.log((w[:, 3] + 0.5) * 2.0**-32) < bound)
        return np.log(de) + log_v, accepted

    logs = np.full(drawn.size, np.nan)
    _by_rejection(logs, attempt_for)
    result[drawn] = logs
    boosted = drawn[small[drawn]]
    w = _words_of_attempt(boosted, ATTEMPTS, key, step)
    result[boosted] += np.log(_unit(w[:, 0], w[:, 1]) + 2.0**-54) / shapes[boosted]
    return as_array(result if log else np.exp(result), dtype).reshape(shape)


def _log_factorial_tail(k: Array) -> Array:
    """log(k!) - (k + 1/2) log(k + 1) + (k + 1) - log(2 pi) / 2"""
    exact = np.array([math.lgamma(j + 1.0) for j in range(10)])
    j = np.arange(10.0)
    exact += (j + 1.0) - (j + 0.5) * np.log(j + 1.0) - 0.5 * math.log(2.0 * math.pi)
    z = 1.0 / (k + 1.0)
    series = z / 12.0 - z**3 / 360.0 + z**5 / 1260.0
    return np.where(k < 10, exact[np.minimum(k, 9).astype(int)], series)


def _inverted(counts: Array, chances: Array, u: Array) -> tuple[Array, Array]:
    """Adds probabilities until they reach u; those that do not within 128 steps are refused."""
    odds = chances / (1.0 - chances)
    probability = np.exp(counts * np.log1p(-chances))
    u = u.copy()
    values, found = np.zeros_like(u), np.zeros(u.shape, bool)
    for k in range(129):
        now = ~found & (u <= probability) & (k <= counts)
        values[now] = k
        found |= now
        u -= np.where(found, 0.0, probability)
        probability = probability * ((counts - k) / (k + 1.0) * odds)
    return values, found


def _rejected(n: Array, p: Array, u: Array, v: Array) -> tuple[Array, Array]:
    """One attempt of BTRS: values, and which are accepted."""
    spread = np.sqrt(n * p * (1.0 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * spread
    m = np.floor((n + 1.0) * p)
    edge = 0.5 - np.abs(u)
    k = np.floor((2.0 * a / edge + b) * u + (n * p + 0.5))
    inner = (edge >= 0.07) & (v <= 0.92 - 4.2 / b)
    inside = (k >= 0) & (k <= n)
    j = np.where(inside, k, m)
    slope = np.log((m + 1.0) / (p / (1.0 - p) * (n - m + 1.0)))
    bend = np.log1p((m - j) / (j + 1.0)) + np.log1p((m - j) / (n - m + 1.0))
    log_ratio = (m - j) * slope + (j + 0.5) * bend
    log_ratio += (n + 1.0) * np.log1p((j - m) / (n - j + 1.0))
    log_ratio += _log_factorial_tail(m) + _log_factorial_tail(n - m)
    log_ratio -= _log_factorial_tail(j) + _log_factorial_tail(n - j)
    height = np.log(v * alpha / (a / (edge * edge) + b))
    return k, inner | (inside & (height <= log_ratio))


def random_binomial(
    counts: Array,
    probabilities: Array,
    *,
    shape: tuple[int, ...],
    dtype: str = "float32",
    seed: int = 0,
    op_id: int = 0,
    step: int = 0,
) -> Array:
    """How many of `counts` trials succeed, each with one of `probabilities`.

    With q = min(p, 1 - p): where fewer than 10 are expected by inversion of one uniform number,
    else by transformed rejection (BTRS) from two.

    Args:
        counts: Whole numbers of [0, 2^53], a scalar or of this shape, float64.
        probabilities: Likewise.
        shape: Shape of the result.
        dtype: "float32" or "float64".
        seed: Seed of the generator, 64 bits.
        op_id: Number of the op in its graph, 32 bits.
        step: Number of the training step, 64 bits.

    Returns:
        An array of this shape; NaN where the parameters are none of these.

    Reference: Hormann 1993, "The generation of binomial random variates".
    """
    low, high = _split(int(seed))
    key = (low ^ (int(op_id) & _LOW_32), high)
    n, p = _spread(counts, shape), _spread(probabilities, shape)
    fits = (n >= 0) & (n <= 2.0**53) & (n == np.floor(n)) & (p >= 0) & (p <= 1)
    q = np.minimum(p, 1.0 - p)
    result = np.full(n.shape, np.nan)
    few = n * q < 10.0
    for group, is_few in ((few, True), (~few, False)):
        drawn = np.flatnonzero(fits & group)

        def attempt_for(
            elements: Array, attempt: int, drawn: Array = drawn, is_few: bool = is_few
        ) -> tuple[Array, Array]:
            here = drawn[elements]
            w = _words_of_attempt(here, attempt, key, step)
            u = _unit(w[:, 0], w[:, 1])
            if is_few:
                return _inverted(n[here], q[here], u + 2.0**-54)
            v = _unit(w[:, 2], w[:, 3]) + 2.0**-54
            return _rejected(n[here], q[here], u - 0.5, v)

        values = np.full(drawn.size, np.nan)
        with np.errstate(all="ignore"):
            _by_rejection(values, attempt_for)
        result[drawn] = values
    result = np.where(q < p, n - result, result)
    return as_array(result, dtype).reshape(shape)
