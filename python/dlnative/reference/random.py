"""The counter-based random number generator and what draws from it.

A counter-based generator has no state: block `i` of the stream is a function of a key and of
`i`. So a mask depends on the seed, the op and the training step, and neither on the order in
which elements are computed nor on the number of threads.
"""

from __future__ import annotations

import math

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
