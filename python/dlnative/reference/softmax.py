"""Softmax and its logarithm along one axis, and their gradients.

Shapes: `x`, `y`, `dy` and `dx` all have the same shape and dtype, float32 or float64.
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array


def _shift(x: Array, axis: int) -> Array:
    """`x - max(x)` along `axis`: the largest exponent becomes 0, so exp cannot overflow."""
    # `initial` makes the maximum of an empty axis well defined.
    return as_array(x - np.max(x, axis=axis, keepdims=True, initial=-np.inf), x.dtype)


def softmax(x: Array, axis: int = -1) -> Array:
    """Softmax: `y_i = exp(x_i - m) / sum_j exp(x_j - m)`, `m = max_j x_j`, along `axis`.

    Reference: Bridle 1990, "Probabilistic Interpretation of Feedforward Classification Network
    Outputs"; the shift: Goodfellow et al. 2016, "Deep Learning", section 4.1.
    """
    e = np.exp(_shift(x, axis))
    return as_array(e / np.sum(e, axis=axis, keepdims=True), x.dtype)


def softmax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `softmax`: `dx_i = y_i * (dy_i - sum_j dy_j y_j)`."""
    return as_array(y * (dy - np.sum(dy * y, axis=axis, keepdims=True)), dy.dtype)


def log_softmax(x: Array, axis: int = -1) -> Array:
    """Logarithm of softmax: `y_i = (x_i - m) - log(sum_j exp(x_j - m))`, `m = max_j x_j`."""
    shifted = _shift(x, axis)
    total = np.sum(np.exp(shifted), axis=axis, keepdims=True)
    # The sum is at least 1, unless the axis is empty.
    with np.errstate(divide="ignore"):
        return as_array(shifted - np.log(total), x.dtype)


def log_softmax_backward(dy: Array, y: Array, axis: int = -1) -> Array:
    """Gradient of `log_softmax`: `dx_i = dy_i - exp(y_i) * sum_j dy_j`."""
    return as_array(dy - np.exp(y) * np.sum(dy, axis=axis, keepdims=True), dy.dtype)
