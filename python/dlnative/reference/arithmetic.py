"""Arithmetic on two arrays with NumPy's broadcasting, and on an array with two numbers.

Shapes: `a` and `b` broadcast to the shape of the result. Dtypes: `a` and `b` have the same,
float32 or float64, and the result has it too.
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array


def add(a: Array, b: Array) -> Array:
    """Sum: `y = a + b`."""
    return as_array(a + b, a.dtype)


def subtract(a: Array, b: Array) -> Array:
    """Difference: `y = a - b`."""
    return as_array(a - b, a.dtype)


def multiply(a: Array, b: Array) -> Array:
    """Product, element by element: `y = a * b`."""
    return as_array(a * b, a.dtype)


def divide(a: Array, b: Array) -> Array:
    """Quotient, element by element: `y = a / b`."""
    return as_array(a / b, a.dtype)


def maximum(a: Array, b: Array) -> Array:
    """Larger of two: `y = max(a, b)`; NaN if either is NaN."""
    return as_array(np.maximum(a, b), a.dtype)


def minimum(a: Array, b: Array) -> Array:
    """Smaller of two: `y = min(a, b)`; NaN if either is NaN."""
    return as_array(np.minimum(a, b), a.dtype)


def rescale(x: Array, scale: float = 1.0, offset: float = 0.0) -> Array:
    """Linear map with two numbers: `y = x * scale + offset`, the shape of `x`."""
    return as_array(x * scale + offset, x.dtype)
