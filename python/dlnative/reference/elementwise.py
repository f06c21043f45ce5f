"""Functions of one array, element by element.

Shapes: the result has the shape of `x`. Dtypes: `x` is float32 or float64, for `negative`,
`abs`, `sign` and `square` also int32, int64 or uint8, for `abs` also bool; the result has the
same dtype, or is bool where the function is a question. Integers wrap.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ._arrays import Array, as_array


def negative(x: Array) -> Array:
    """Opposite: `y = -x`."""
    return as_array(np.negative(x), x.dtype)


def abs(x: Array) -> Array:
    """Magnitude: `y = |x|`; the smallest integer is its own."""
    return as_array(np.abs(x), x.dtype)


def sign(x: Array) -> Array:
    """Sign: -1, 0 or 1; -0 for -0, NaN for NaN."""
    return as_array(np.where(x == 0, x, np.sign(x)), x.dtype)


def square(x: Array) -> Array:
    """Square: `y = x * x`."""
    return as_array(x * x, x.dtype)


def sqrt(x: Array) -> Array:
    """Square root; NaN below 0."""
    return as_array(np.sqrt(x), x.dtype)


def rsqrt(x: Array) -> Array:
    """Inverse of the square root: `y = 1 / sqrt(x)`."""
    return as_array(1 / np.sqrt(x), x.dtype)


def cbrt(x: Array) -> Array:
    """Cube root, with the sign of `x`."""
    return as_array(np.cbrt(x), x.dtype)


# --- exponentials and logarithms -----------------------------------------------------------------


def exp(x: Array) -> Array:
    """Exponential: `y = e ** x`."""
    return as_array(np.exp(x), x.dtype)


def expm1(x: Array) -> Array:
    """Exponential less one: `y = e ** x - 1`, exact for small `x`."""
    return as_array(np.expm1(x), x.dtype)


def exp2(x: Array) -> Array:
    """Power of two: `y = 2 ** x`."""
    return as_array(np.exp2(x), x.dtype)


def log(x: Array) -> Array:
    """Natural logarithm; minus infinity at 0, NaN below."""
    return as_array(np.log(x), x.dtype)


def log1p(x: Array) -> Array:
    """Logarithm of one more: `y = log(1 + x)`, exact for small `x`."""
    return as_array(np.log1p(x), x.dtype)


def log2(x: Array) -> Array:
    """Logarithm to base 2."""
    return as_array(np.log2(x), x.dtype)


def log10(x: Array) -> Array:
    """Logarithm to base 10."""
    return as_array(np.log10(x), x.dtype)


# --- trigonometric and hyperbolic functions ------------------------------------------------------


def sin(x: Array) -> Array:
    """Sine of an angle in radians."""
    return as_array(np.sin(x), x.dtype)


def cos(x: Array) -> Array:
    """Cosine of an angle in radians."""
    return as_array(np.cos(x), x.dtype)


def tan(x: Array) -> Array:
    """Tangent of an angle in radians."""
    return as_array(np.tan(x), x.dtype)


def arcsin(x: Array) -> Array:
    """Inverse of the sine, in [-pi / 2, pi / 2]; NaN outside of [-1, 1]."""
    return as_array(np.arcsin(x), x.dtype)


def arccos(x: Array) -> Array:
    """Inverse of the cosine, in [0, pi]; NaN outside of [-1, 1]."""
    return as_array(np.arccos(x), x.dtype)


def arctan(x: Array) -> Array:
    """Inverse of the tangent, in [-pi / 2, pi / 2]."""
    return as_array(np.arctan(x), x.dtype)


def sinh(x: Array) -> Array:
    """Hyperbolic sine: `y = (exp(x) - exp(-x)) / 2`."""
    return as_array(np.sinh(x), x.dtype)


def cosh(x: Array) -> Array:
    """Hyperbolic cosine: `y = (exp(x) + exp(-x)) / 2`."""
    return as_array(np.cosh(x), x.dtype)


def arcsinh(x: Array) -> Array:
    """Inverse of the hyperbolic sine."""
    return as_array(np.arcsinh(x), x.dtype)


def arccosh(x: Array) -> Array:
    """Inverse of the hyperbolic cosine; NaN below 1."""
    return as_array(np.arccosh(x), x.dtype)


def arctanh(x: Array) -> Array:
    """Inverse of the hyperbolic tangent; NaN outside of [-1, 1]."""
    return as_array(np.arctanh(x), x.dtype)


# --- rounding ------------------------------------------------------------------------------------


def floor(x: Array) -> Array:
    """Largest integer that is not above `x`."""
    return as_array(np.floor(x), x.dtype)


def ceil(x: Array) -> Array:
    """Smallest integer that is not below `x`."""
    return as_array(np.ceil(x), x.dtype)


def round(x: Array) -> Array:
    """Nearest integer, the even one of two."""
    return as_array(np.rint(x), x.dtype)


def trunc(x: Array) -> Array:
    """Nearest integer that is not farther from 0."""
    return as_array(np.trunc(x), x.dtype)


# --- questions -----------------------------------------------------------------------------------


def isnan(x: Array) -> Array:
    """Whether `x` is NaN."""
    return as_array(np.isnan(x), np.bool_)


def isinf(x: Array) -> Array:
    """Whether `x` is infinite."""
    return as_array(np.isinf(x), np.bool_)


def isfinite(x: Array) -> Array:
    """Whether `x` is neither infinite nor NaN."""
    return as_array(np.isfinite(x), np.bool_)


def signbit(x: Array) -> Array:
    """Whether the sign is negative, also that of zero and NaN."""
    return as_array(np.signbit(x), np.bool_)


# --- special functions, computed in float64 ------------------------------------------------------


def _each(function: Callable[[float], float], x: Array) -> Array:
    """The values of a function of Python's numbers."""
    return np.vectorize(function, otypes=[np.float64])(x)


def erf(x: Array) -> Array:
    """Error function: `y = 2 / sqrt(pi) * integral of exp(-t ** 2) from 0 to x`."""
    return as_array(_each(math.erf, x), x.dtype)


def erfc(x: Array) -> Array:
    """Complement of the error function: `y = 1 - erf(x)`, exact for large `x`."""
    return as_array(_each(math.erfc, x), x.dtype)


def _inverse_erf(x: float) -> float:
    """Halley's method on erf, or on erfc near 1, from S. Winitzki's approximation."""
    if math.fabs(x) == 1.0:
        return math.copysign(math.inf, x)
    if not math.fabs(x) < 1.0:
        return math.nan
    a = math.fabs(x)
    half = 2 / (math.pi * 0.147) + math.log1p(-a * a) / 2
    y = math.sqrt(math.sqrt(half * half - math.log1p(-a * a) / 0.147) - half)
    for _ in range(4):
        error = math.erf(y) - a if a < 0.5 else (1 - a) - math.erfc(y)
        step = error / (2 / math.sqrt(math.pi) * math.exp(-y * y))
        y -= step / (1 + y * step)
    return math.copysign(y, x)


def erfinv(x: Array) -> Array:
    """Inverse of the error function; infinite at -1 and 1, NaN outside of [-1, 1]."""
    return as_array(_each(_inverse_erf, x), x.dtype)


def _log_gamma(x: float) -> float:
    if x <= 0 and (x == -math.inf or x == math.floor(x)):
        return math.inf
    try:
        return math.lgamma(x)
    except OverflowError:
        return math.inf


def lgamma(x: Array) -> Array:
    """Logarithm of the gamma function's magnitude: `y = log |gamma(x)|`."""
    return as_array(_each(_log_gamma, x), x.dtype)


def _digamma(x: float) -> float:
    """The recurrence up to 20, then the asymptotic series; by reflection for negative `x`."""
    if x == -math.inf or (x <= 0 and x == math.floor(x)):
        return math.nan
    if x < 0:
        return _digamma(1 - x) - math.pi / math.tan(math.pi * math.remainder(x, 1.0))
    y = 0.0
    while x < 20:
        y -= 1 / x
        x += 1
    z = 1 / (x * x)
    series = z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z * (1 / 240 - z / 132))))
    return y + math.log(x) - 1 / (2 * x) - series


def digamma(x: Array) -> Array:
    """Derivative of `lgamma`; NaN at its poles."""
    return as_array(_each(_digamma, x), x.dtype)


def i0(x: Array) -> Array:
    """Modified Bessel function of order 0: the mean of `exp(x * cos(t))` over a circle."""
    a = np.abs(x.astype(np.float64))[..., np.newaxis]
    finite = np.where(np.isinf(a), 0.0, a)
    cosines = np.cos(np.arange(512) * (2 * np.pi / 512))
    scaled = np.exp(finite * (cosines - 1)).mean(axis=-1)
    root = np.exp(finite[..., 0] / 2)  # exp(a) itself may overflow
    return as_array(np.where(np.isinf(a[..., 0]), np.inf, root * scaled * root), x.dtype)
