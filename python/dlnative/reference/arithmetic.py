"""Arithmetic on two arrays with NumPy's broadcasting, and on an array with two numbers.

Shapes: `a` and `b` broadcast to the shape of the result. Dtypes: `a` and `b` have the same,
and the result has it too: float32 or float64, int32, int64 or uint8 where no function of real
numbers is meant; `add`, `multiply`, `maximum` and `minimum` also take bool. Integers wrap, and what
is divided by the integer 0 gives 0.
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array


def add(a: Array, b: Array) -> Array:
    """Sum: `y = a + b`; of bool: whether one is true."""
    return as_array(a + b, a.dtype)


def subtract(a: Array, b: Array) -> Array:
    """Difference: `y = a - b`."""
    return as_array(a - b, a.dtype)


def multiply(a: Array, b: Array) -> Array:
    """Product, element by element: `y = a * b`; of bool: whether both are true."""
    return as_array(a * b, a.dtype)


def divide(a: Array, b: Array) -> Array:
    """Quotient, element by element: `y = a / b`."""
    return as_array(a / b, a.dtype)


def maximum(a: Array, b: Array) -> Array:
    """Larger of two: `y = max(a, b)`; 0 is above -0; NaN if either is NaN."""
    larger = np.maximum(a, b)
    if a.dtype.kind == "f":
        larger = np.where((a == 0) & (b == 0), np.where(np.signbit(a), b, a), larger)
    return as_array(larger, a.dtype)


def minimum(a: Array, b: Array) -> Array:
    """Smaller of two: `y = min(a, b)`; -0 is below 0; NaN if either is NaN."""
    smaller = np.minimum(a, b)
    if a.dtype.kind == "f":
        smaller = np.where((a == 0) & (b == 0), np.where(np.signbit(a), a, b), smaller)
    return as_array(smaller, a.dtype)


def power(a: Array, b: Array) -> Array:
    """Power: `y = a ** b`.

    An integer to a negative power is truncated: 0, except of 1 and -1; 0 to one is 0 as well.
    """
    if a.dtype.kind not in "iu":
        return as_array(np.power(a, b), a.dtype)
    a, b = np.broadcast_arrays(a, b)
    inverse = np.where(a == 1, 1, np.where((a != 0) & (a + 1 == 0), 1 - 2 * (b % 2), 0))
    return as_array(np.where(b < 0, inverse, np.power(a, np.maximum(b, 0))), a.dtype)


def floor_divide(a: Array, b: Array) -> Array:
    """Quotient, rounded down: `y = floor(a / b)`."""
    with np.errstate(divide="ignore", over="ignore"):
        return as_array(np.floor_divide(a, b), a.dtype)


def mod(a: Array, b: Array) -> Array:
    """Remainder of `floor_divide`, with the sign of `b`: `y = a - b * floor(a / b)`."""
    with np.errstate(divide="ignore", over="ignore"):
        return as_array(np.mod(a, b), a.dtype)


def fmod(a: Array, b: Array) -> Array:
    """Remainder of a truncated quotient, with the sign of `a`: `y = a - b * trunc(a / b)`."""
    with np.errstate(divide="ignore", over="ignore"):
        return as_array(np.fmod(a, b), a.dtype)


def arctan2(a: Array, b: Array) -> Array:
    """Angle of the point (`b`, `a`) in radians, in [-pi, pi]."""
    return as_array(np.arctan2(a, b), a.dtype)


def hypot(a: Array, b: Array) -> Array:
    """Length of the hypotenuse: `y = sqrt(a ** 2 + b ** 2)`."""
    return as_array(np.hypot(a, b), a.dtype)


def logaddexp(a: Array, b: Array) -> Array:
    """Logarithm of a sum of exponentials: `y = log(exp(a) + exp(b))`."""
    return as_array(np.logaddexp(a, b), a.dtype)


def rescale(x: Array, scale: float = 1.0, offset: float = 0.0) -> Array:
    """Linear map with two numbers: `y = x * scale + offset`, the shape of `x`."""
    return as_array(x * scale + offset, x.dtype)


def fma(a: Array, b: Array, c: Array) -> Array:
    """Product and sum: `y = a * b + c`."""
    return as_array(a * b + c, a.dtype)


def fnma(a: Array, b: Array, c: Array) -> Array:
    """Difference and product: `y = c - a * b`."""
    return as_array(c - a * b, a.dtype)


def lerp(a: Array, b: Array, t: Array) -> Array:
    """Linear interpolation: `y = a + t * (b - a)`."""
    return as_array(a + t * (b - a), a.dtype)


def maximum_gradient(dy: Array, a: Array, b: Array) -> Array:
    """Cotangent of `a` in `max(a, b)`: `dy` where a > b, half of it where a = b, else 0."""
    return as_array(np.where(a > b, dy, np.where(a == b, dy / 2, 0)), dy.dtype)


def minimum_gradient(dy: Array, a: Array, b: Array) -> Array:
    """Cotangent of `a` in `min(a, b)`: `dy` where a < b, half of it where a = b, else 0."""
    return as_array(np.where(a < b, dy, np.where(a == b, dy / 2, 0)), dy.dtype)
