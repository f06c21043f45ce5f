"""Bounds of elementwise functions, softmax and reductions."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import reference
from ...graph.ops.activations import ACTIVATIONS
from ...graph.types import Attributes
from .table import Arrays, absolute, bounded, filled

EXACT = {
    *("abs", "all", "any", "argmin", "argsort", "bitwise_and", "bitwise_not", "bitwise_or"),
    *("bitwise_xor", "cast", "ceil", "custom_gradient", "equal", "floor", "gcd", "greater"),
    *("greater_equal", "isfinite", "isinf", "isnan", "lcm", "left_shift", "less", "less_equal"),
    *("logical_and", "logical_not", "logical_or", "logical_xor", "negative", "not_equal"),
    *("numpy_function", "pad", "right_shift", "round", "searchsorted", "sign", "signbit"),
    *("stop_gradient", "strided_slice", "take", "take_along_axis", "trunc", "where"),
    *("argmax", "assign", "broadcast_to", "categorical_accuracy", "concatenate"),
    *("crop2d", "max", "max_pool1d", "max_pool2d", "maximum", "min", "minimum"),
    *("maximum_gradient", "minimum_gradient"),
    *("random_crop", "random_flip", "reshape", "slice", "sparse_categorical_accuracy"),
    *("check_finite", "random_binomial", "random_uniform", "transpose", "zero_pad2d"),
}


@bounded(*EXACT)
def no_error(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return [0.0 for _ in exact]


@bounded("add", "subtract", "multiply", "divide", "dropout", "weighted_sum_backward")
def rounded(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return 4 * eps * np.abs(exact[0])


@bounded("random_gamma")
def logarithms(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """Some logarithms in float64, and one rounding."""
    return 2 * eps * np.abs(exact[0]) + 1e-13 * (1 + np.abs(exact[0]))


@bounded("fma", "fnma")
def product_and_sum(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    a, b, c = absolute(inputs)
    return 2 * eps * (a * b + c)


@bounded("lerp")
def interpolated(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    a, b, t = absolute(inputs)
    return 4 * eps * (a + t * (a + b))


@bounded("checked_rate")
def unchanged(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return 0.0


FEW_ULP = {
    *("square", "sqrt", "rsqrt", "exp", "exp2", "log", "log2", "log10", "cbrt", "i0", "hypot"),
    *("expm1", "log1p", "sinh", "cosh", "tan", "arcsin", "arctan", "arcsinh", "arccosh", "erf"),
    *("arctanh", "erfinv", "erfc", "arctan2", "sin", "arccos"),
}


@bounded(*FEW_ULP)
def few_ulp(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return 8 * eps * np.abs(exact[0])


@bounded("cos", "lgamma", "digamma", "logaddexp")
def near_zeros(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """Where the function passes 0 its error is that of the argument's rounding."""
    return 8 * eps * (np.abs(exact[0]) + 1 + sum(np.abs(x) for x in inputs))


@bounded("power")
def power(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    a, b = inputs
    return 8 * eps * np.abs(exact[0]) * (1 + np.abs(b * np.log(np.abs(a))))


@bounded("floor_divide", "mod", "fmod")
def quotient(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """Near a whole quotient the remainder may be the divisor's on the other side."""
    a, b = inputs
    whole = np.abs(a / b - np.round(a / b)) < 4 * eps * (1 + np.abs(a / b))
    step = 1.0 if name == "floor_divide" else np.abs(b)
    return np.where(whole, step, 0.0) + 4 * eps * (np.abs(a) + np.abs(b))


@bounded("prod")
def prod(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return (inputs[0].size + 2) * eps * np.abs(exact[0])


@bounded("cumsum", "cumprod")
def scan(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    terms = getattr(reference, name)(np.abs(inputs[0]), **attributes)
    return (inputs[0].shape[attributes["axis"]] + 2) * eps * terms


@bounded("scatter", "scatter_along_axis")
def scatter(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    if attributes.get("mode") in ("set", "max", "min"):
        return 0.0
    x, indices, updates = inputs
    terms = getattr(reference, name)(np.abs(x), indices, np.abs(updates), **attributes)
    return (indices.size + 2) * eps * terms


@bounded("rescale")
def rescale(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    scaled = np.abs(inputs[0] * attributes.get("scale", 1.0))
    return 4 * eps * (scaled + abs(attributes.get("offset", 0.0)))


# --- activations: 8 ulp of the value, or of the terms that cancel in it ---------------------------


def of_activation(name: str, x: Any, y: Any, eps: float, attributes: Attributes) -> Any:
    terms = np.abs(y) + (1e-2 if name in ("gelu", "silu", "elu", "selu") else 0)
    if name in ("relu", "leaky_relu"):
        terms = terms + np.abs(x) + abs(attributes.get("threshold", 0.0))
    return 8 * eps * terms


@bounded(*ACTIVATIONS)
def activation(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return of_activation(name, inputs[0], exact[0], eps, attributes)


@bounded(*(f"{name}_backward" for name in ACTIVATIONS))
def activation_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, saved = filled(inputs, 2)
    error = slope_error(name.removesuffix("_backward"), dy, saved, eps)
    return error + 16 * eps * np.abs(exact[0])


def slope_error(name: str, dy: Any, saved: Any, eps: float) -> Any:
    """gelu' and silu' have terms that grow with x; the others are made of values up to 1."""
    x = np.abs(saved)
    terms = 1 + x + 0.2 * x**3 if name in ("gelu", "silu") else 1 + 2 * x
    return 16 * eps * np.abs(dy) * terms


def behind(name: str, z: Any, y: Any, error: Any, eps: float, attributes: Attributes) -> Any:
    """The bound of y = activation(z): no slope is above 1.13, gelu's, but where an option is."""
    options = {k: v for k, v in attributes.items() if k in ACTIVATIONS[name].defaults}
    steep = max(1.2, *(abs(options.get(k) or 0.0) for k in ("alpha", "negative_slope")))
    return steep * (error + of_activation(name, z, y, eps, options))


# --- softmax, reductions --------------------------------------------------------------------------


@bounded("softmax", "log_softmax")
def softmax(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    x, axis = inputs[0], attributes.get("axis", -1)
    if x.size == 0:
        return 0.0
    distance = np.max(x, axis=axis, keepdims=True) - x
    if name == "softmax":
        return (8 + x.shape[axis] + distance + np.max(distance)) * eps * exact[0]
    return (8 + x.shape[axis]) * eps * (1 + np.abs(exact[0]) + distance)


@bounded("softmax_backward", "log_softmax_backward")
def softmax_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, y = inputs
    axis = attributes.get("axis", -1)
    n = y.shape[axis]
    if name == "softmax_backward":
        along = np.sum(np.abs(dy * y), axis=axis, keepdims=True)
        return (8 + n) * eps * np.abs(y) * (np.abs(dy) + along)
    along = np.sum(np.abs(dy), axis=axis, keepdims=True)
    return (8 + n) * eps * (np.abs(dy) + np.exp(y) * (1 + np.abs(y)) * along)


@bounded("sum", "mean", "bias_backward")
def reduction(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    total = getattr(reference, name)(np.abs(inputs[0]), **attributes)
    return (inputs[0].size + 2) * eps * total
