"""Comparisons, logic, operations on bits, choice, and conversion between dtypes.

Shapes: operands broadcast to the shape of the result. Dtypes: two operands have the same one.
Comparisons take any of float32, float64, int32, int64, uint8 and bool and return bool; the logical
functions take bool; those on bits take integers or bool and return the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from ._arrays import Array, as_array


def equal(a: Array, b: Array) -> Array:
    """Whether `a == b`; never for NaN."""
    return as_array(np.equal(a, b), np.bool_)


def not_equal(a: Array, b: Array) -> Array:
    """Whether `a != b`; always for NaN."""
    return as_array(np.not_equal(a, b), np.bool_)


def less(a: Array, b: Array) -> Array:
    """Whether `a < b`."""
    return as_array(np.less(a, b), np.bool_)


def less_equal(a: Array, b: Array) -> Array:
    """Whether `a <= b`."""
    return as_array(np.less_equal(a, b), np.bool_)


def greater(a: Array, b: Array) -> Array:
    """Whether `a > b`."""
    return as_array(np.greater(a, b), np.bool_)


def greater_equal(a: Array, b: Array) -> Array:
    """Whether `a >= b`."""
    return as_array(np.greater_equal(a, b), np.bool_)


def logical_not(x: Array) -> Array:
    """Whether `x` is false."""
    return as_array(np.logical_not(x), np.bool_)


def logical_and(a: Array, b: Array) -> Array:
    """Whether both are true."""
    return as_array(np.logical_and(a, b), np.bool_)


def logical_or(a: Array, b: Array) -> Array:
    """Whether one is true."""
    return as_array(np.logical_or(a, b), np.bool_)


def logical_xor(a: Array, b: Array) -> Array:
    """Whether exactly one is true."""
    return as_array(np.logical_xor(a, b), np.bool_)


def bitwise_not(x: Array) -> Array:
    """All bits the other way; of bool: `logical_not`."""
    return as_array(np.invert(x), x.dtype)


def bitwise_and(a: Array, b: Array) -> Array:
    """Bits that are set in both."""
    return as_array(np.bitwise_and(a, b), a.dtype)


def bitwise_or(a: Array, b: Array) -> Array:
    """Bits that are set in one of them."""
    return as_array(np.bitwise_or(a, b), a.dtype)


def bitwise_xor(a: Array, b: Array) -> Array:
    """Bits that are set in exactly one of them."""
    return as_array(np.bitwise_xor(a, b), a.dtype)


def left_shift(a: Array, b: Array) -> Array:
    """Bits of `a`, `b` places up; 0 where `b` is negative or the integer's width or more."""
    return as_array(np.left_shift(a, b), a.dtype)


def right_shift(a: Array, b: Array) -> Array:
    """Bits of `a`, `b` places down, filled with the sign, which remains of too many places."""
    return as_array(np.right_shift(a, b), a.dtype)


def gcd(a: Array, b: Array) -> Array:
    """Greatest common divisor of two integers, not negative; of 0 and `b` it is `|b|`."""
    return as_array(np.gcd(a, b), a.dtype)


def lcm(a: Array, b: Array) -> Array:
    """Least common multiple of two integers' magnitudes; 0 where one is 0."""
    return as_array(np.lcm(a, b), a.dtype)


def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where the condition, a bool, is true, else `b`."""
    return as_array(np.where(condition, a, b), a.dtype)


def cast(x: Array, dtype: DTypeLike) -> Array:
    """`x` as another dtype.

    Floats become integers by truncation, those that are too large or too small the nearest integer
    of the dtype, NaN 0. Integers that do not fit wrap. As a bool, all but 0 is true.
    """
    target = np.dtype(dtype)
    if x.dtype.kind != "f" or target.kind not in "iu":
        return np.array(x, dtype=target)
    info = np.iinfo(target)
    low, beyond = x.dtype.type(info.min), 2 * x.dtype.type(info.max // 2 + 1)
    inside = (x >= low) & (x < beyond)
    result = np.where(inside, x, 0).astype(target)
    result[x >= beyond] = info.max
    result[x < low] = info.min
    return result
