"""Activations, element by element, and their gradients.

Shapes: `x`, `y`, `dy` and `dx` of one op all have the same shape, of any rank, and the same
dtype, float32 or float64.

A gradient `<name>_backward(dy, saved)` takes either the output `y` or the input `x` of the
forward op as `saved`; the name of the parameter says which. NaN stays NaN in every forward op but
`step`.
"""

from __future__ import annotations

import math

import numpy as np

from ._arrays import Array, as_array

# Klambauer et al. 2017, "Self-Normalizing Neural Networks", equation 14.
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946

# Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)", section 2.
GELU_CUBIC = 0.044715

_erfc = np.frompyfunc(math.erfc, 1, 1)


def linear(x: Array) -> Array:
    """Identity: `y = x`."""
    return np.array(x)


def linear_backward(dy: Array, saved: Array | None = None) -> Array:
    """Gradient of `linear`: `dx = dy`; `saved` is not needed."""
    return np.array(dy)


def relu(
    x: Array, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> Array:
    """Rectified linear unit, with Keras' three options.

    `y = x` where `x > threshold`, else `negative_slope * (x - threshold)`.
    With `max_value` the first part becomes `min(max(x, 0), max_value)`.

    Reference: Nair and Hinton 2010, "Rectified Linear Units Improve Restricted Boltzmann Machines";
    options as in Keras 3.
    """
    y = np.where(x <= threshold, 0.0, x)
    if max_value is not None:
        y = np.clip(y, 0.0, max_value)
    if negative_slope != 0.0:
        y = y + negative_slope * np.minimum(x - threshold, 0.0)
    return as_array(y, x.dtype)


def relu_backward(
    dy: Array,
    saved: Array,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Gradient of `relu`: `dx = dy` where the op passes `x`, else `negative_slope * dy`.

    `saved` is the output `y` (or the input) where `max_value is None and threshold == 0`,
    otherwise the input `x`. The gradient at `x == threshold` is `negative_slope * dy`, so 0
    for the plain ReLU; where `max_value` cuts, and at the cut, it is 0.
    """
    passed = dy
    if max_value is not None:
        passed = np.where((saved > 0.0) & (saved < max_value), dy, 0.0)
    below = negative_slope * dy if negative_slope != 0.0 else 0.0
    return as_array(np.where(saved > threshold, passed, below), dy.dtype)


def leaky_relu(x: Array, negative_slope: float = 0.2) -> Array:
    """Leaky rectified linear unit: `y = x` where `x > 0`, else `negative_slope * x`.

    Reference: Maas et al. 2013, "Rectifier Nonlinearities Improve Neural Network Acoustic Models".
    """
    return as_array(np.where(x > 0.0, x, negative_slope * np.minimum(x, 0.0)), x.dtype)


def leaky_relu_backward(dy: Array, y: Array, negative_slope: float = 0.2) -> Array:
    """Gradient of `leaky_relu`: `dx = dy` where `y > 0`, else `negative_slope * dy`.

    For `negative_slope >= 0` the signs of `x` and `y` agree, so either may be given; for a
    negative slope pass `x`.
    """
    return as_array(np.where(y > 0.0, dy, negative_slope * dy), dy.dtype)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Exponential linear unit: `y = x` where `x > 0`, else `alpha * (exp(x) - 1)`.

    Reference: Clevert et al. 2016, "Fast and Accurate Deep Network Learning by Exponential Linear
    Units".
    """
    return as_array(np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0))), x.dtype)


def elu_backward(dy: Array, y: Array, alpha: float = 1.0) -> Array:
    """Gradient of `elu`: `dx = dy` where `y > 0`, else `dy * (y + alpha)`; alpha >= 0."""
    return as_array(np.where(y > 0.0, dy, dy * (y + alpha)), dy.dtype)


def selu(x: Array) -> Array:
    """Scaled exponential linear unit: `y = SELU_SCALE * elu(x, SELU_ALPHA)`.

    Reference: Klambauer et al. 2017, "Self-Normalizing Neural Networks".
    """
    return as_array(SELU_SCALE * elu(x, SELU_ALPHA), x.dtype)


def selu_backward(dy: Array, y: Array) -> Array:
    """Gradient of `selu`.

    `dx = SELU_SCALE * dy` where `y > 0`, else `dy * (y + SELU_SCALE * SELU_ALPHA)`.
    """
    below = dy * (y + SELU_SCALE * SELU_ALPHA)
    return as_array(np.where(y > 0.0, SELU_SCALE * dy, below), dy.dtype)


def _normal_cdf(x: Array) -> Array:
    """Phi(x) in float64; `erfc(-x)` keeps the digits that `1 + erf(x)` loses for x << 0."""
    return as_array(0.5 * as_array(_erfc(-x / math.sqrt(2.0)), np.float64), np.float64)


def _gelu_cubic(x: Array) -> Array:
    """The argument of tanh in the approximate GELU, `sqrt(2 / pi) * (x + 0.044715 x^3)`."""
    return as_array(math.sqrt(2.0 / math.pi) * (x + GELU_CUBIC * x**3), x.dtype)


def gelu(x: Array, approximate: bool = False) -> Array:
    """Gaussian error linear unit, evaluated in float64 and rounded to the dtype of `x`.

    `y = x * Phi(x)` with the normal distribution function `Phi(x) = (1 + erf(x / sqrt 2)) / 2`;
    approximate: `y = x / 2 * (1 + tanh(u))`, `u = sqrt(2 / pi) * (x + 0.044715 x^3)`.

    Reference: Hendrycks and Gimpel 2016, "Gaussian Error Linear Units (GELUs)".
    """
    z = as_array(x, np.float64)
    # (1 + tanh u) / 2 = sigmoid(2 u), without the cancellation at u << 0.
    cdf = sigmoid(2.0 * _gelu_cubic(z)) if approximate else _normal_cdf(z)
    return as_array(z * cdf, x.dtype)


def gelu_backward(dy: Array, x: Array, approximate: bool = False) -> Array:
    """Gradient of `gelu`: `dx = dy * (cdf + x * d cdf / dx)`.

    Exact: `cdf = Phi(x)`, `d cdf / dx = exp(-x^2 / 2) / sqrt(2 pi)`. Approximate, with `u` of
    `gelu`: `cdf = sigmoid(2 u)`, `d cdf / dx = cdf * (1 - cdf) * 2 du/dx`.
    """
    z = as_array(x, np.float64)
    if approximate:
        cdf = sigmoid(2.0 * _gelu_cubic(z))
        du = math.sqrt(2.0 / math.pi) * (1.0 + 3.0 * GELU_CUBIC * z**2)
        density = cdf * (1.0 - cdf) * 2.0 * du
    else:
        cdf = _normal_cdf(z)
        density = np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    return as_array(dy * (cdf + z * density), dy.dtype)


def sigmoid(x: Array) -> Array:
    """Logistic function `y = 1 / (1 + exp(-x))`, written so that exp never overflows."""
    e = np.exp(-np.abs(x))
    return as_array(np.where(x >= 0.0, 1.0, e) / (1.0 + e), x.dtype)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient of `sigmoid`: `dx = dy * y * (1 - y)`."""
    return as_array(dy * y * (1.0 - y), dy.dtype)


def silu(x: Array) -> Array:
    """Sigmoid linear unit (swish): `y = x * sigmoid(x)`.

    Reference: Elfwing et al. 2018, "Sigmoid-Weighted Linear Units for Neural Network Function
    Approximation in Reinforcement Learning".
    """
    return as_array(x * sigmoid(x), x.dtype)


def silu_backward(dy: Array, x: Array) -> Array:
    """Gradient of `silu`: `dx = dy * s * (1 + x * (1 - s))` with `s = sigmoid(x)`."""
    s = sigmoid(x)
    return as_array(dy * s * (1.0 + x * (1.0 - s)), dy.dtype)


def hard_sigmoid(x: Array) -> Array:
    """Piecewise linear sigmoid of Keras 3: `y = min(max(x + 3, 0), 6) / 6`.

    Reference: Howard et al. 2019, "Searching for MobileNetV3", section 5.2.
    """
    return as_array(np.clip(x + 3.0, 0.0, 6.0) / 6.0, x.dtype)


def hard_sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient of `hard_sigmoid`: `dx = dy / 6` where `0 < y < 1`, else 0."""
    return as_array(np.where((y > 0.0) & (y < 1.0), dy / 6.0, 0.0), dy.dtype)


def tanh(x: Array) -> Array:
    """Hyperbolic tangent: `y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))`."""
    return as_array(np.tanh(x), x.dtype)


def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient of `tanh`: `dx = dy * (1 - y^2)`."""
    return as_array(dy * (1.0 - y * y), dy.dtype)


def softplus(x: Array) -> Array:
    """Smooth rectifier `y = log(1 + exp(x)) = max(x, 0) + log1p(exp(-|x|))`.

    Reference: Dugas et al. 2001, "Incorporating Second-Order Functional Knowledge for Better Option
    Pricing".
    """
    return as_array(np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x))), x.dtype)


def softplus_backward(dy: Array, y: Array) -> Array:
    """Gradient of `softplus`: `dx = dy * sigmoid(x) = dy * (1 - exp(-y))`."""
    return as_array(dy * -np.expm1(-y), dy.dtype)


def softsign(x: Array) -> Array:
    """Softsign: `y = x / (1 + |x|)`.

    Reference: Bergstra et al. 2009, "Quadratic Polynomials Learn Better Image Features".
    """
    return as_array(x / (1.0 + np.abs(x)), x.dtype)


def softsign_backward(dy: Array, y: Array) -> Array:
    """Gradient of `softsign`: `dx = dy / (1 + |x|)^2 = dy * (1 - |y|)^2`."""
    return as_array(dy * (1.0 - np.abs(y)) ** 2, dy.dtype)


def exponential(x: Array) -> Array:
    """Exponential: `y = exp(x)`."""
    return as_array(np.exp(x), x.dtype)


def exponential_backward(dy: Array, y: Array) -> Array:
    """Gradient of `exponential`: `dx = dy * y`."""
    return as_array(dy * y, dy.dtype)


def step(x: Array) -> Array:
    """Threshold unit of the perceptron: `y = 1` where `x > 0`, else 0 (also for NaN).

    Reference: Rosenblatt 1958, "The Perceptron".
    """
    return as_array(x > 0.0, x.dtype)


def step_backward(dy: Array, x: Array) -> Array:
    """Gradient of `step`: 0 everywhere; nothing is learned through this op."""
    return np.zeros_like(dy)
