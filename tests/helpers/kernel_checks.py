"""Calls of the C++ core's kernels beside the oracle, and the arrays for them."""

from __future__ import annotations

import itertools

import numpy as np

from dlnative import _core, reference

FLOATS = ("float32", "float64")
NUMBERS = (*FLOATS, "int32", "int64")
ALL = (*NUMBERS, "uint8", "bool")
# None, one, and sizes around those of vectors, panels of columns and chunks.
SIZES = (0, 1, 2, 7, 63, 64, 65, 255, 256, 257, 1000, 32767, 32769, 70001)
SHAPES = (
    (0,),
    (1,),
    (5,),
    (70001,),
    (3, 0, 2),
    (0, 3),
    (1, 1, 1),
    (4, 5, 6),
    (2, 1, 3, 1),
    (257, 130),
    (7, 33, 300),
    (40000, 3),
    (3, 40000),
    (70, 5000),
)


def draw(shape, dtype, seed=0, high=100):
    rng = np.random.default_rng(seed)
    if dtype in FLOATS:
        return rng.normal(size=shape).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    low = 0 if dtype == "uint8" else -high
    return rng.integers(low, high, shape).astype(dtype)


def draw_bits(shape, dtype, seed=0):
    """Elements of any value."""
    values = np.random.default_rng(seed).bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    if dtype == "bool":
        return np.frombuffer(values, np.uint8).reshape(shape) < 128
    return np.frombuffer(values, dtype).reshape(shape).copy()


def with_ties(shape, dtype, seed=0):
    """Few different values: many equals, and for floats both zeros, infinities and NaN."""
    rng = np.random.default_rng(seed)
    values = [0, 1, 2, 3]
    if dtype in FLOATS:
        values = [0.0, -0.0, 1.0, -1.0, 1e-40, np.inf, -np.inf, np.nan, -np.nan]
    elif dtype != "bool" and dtype != "uint8":
        values = [0, 1, -1, np.iinfo(dtype).min, np.iinfo(dtype).max]
    return rng.choice(np.array(values, dtype), shape)


def native(name, inputs, like, **attributes):
    """The result of a kernel, an array like the oracle's, of which no more is written."""
    block = np.full(like.size * like.itemsize + 128, 0xA5, np.uint8)
    y = block[64 : 64 + like.size * like.itemsize].view(like.dtype).reshape(like.shape)
    before = [np.array(x) for x in inputs]
    _core.execute(name, list(inputs), [y], attributes)
    assert (block[:64] == 0xA5).all() and (block[block.size - 64 :] == 0xA5).all()
    for x, old in zip(inputs, before):
        np.testing.assert_array_equal(x, old)
    return y


def check(name, inputs, **attributes):
    """The kernel gives the oracle's result, bit for bit but for the payload of NaN."""
    expected = getattr(reference, name)(*inputs, **attributes)
    result = native(name, inputs, expected, **attributes)
    np.testing.assert_array_equal(result, expected)
    if expected.dtype.kind == "f":
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(result[number]), np.signbit(expected[number]))
    return result


def axes_of(rank):
    return [c for k in range(rank + 1) for c in itertools.combinations(range(rank), k)]


def rows_of(shape):
    return [(axis, shape) for axis in range(-len(shape), len(shape))]
