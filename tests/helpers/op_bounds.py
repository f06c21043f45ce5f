"""How far the result of every op may lie from the oracle's in float64.

`bounds(name, inputs, attributes, exact, eps)` has one array for each output: the rounding errors of
the op's formula, from the values that went in. A sum of K products in any order errs by at most
(K + 2) u times the sum of their absolute values (Higham 2002, 3.1), u = eps / 2.
"""

from __future__ import annotations

import math

import numpy as np

from dlnative import reference
from dlnative.graph.ops.activations import ACTIVATIONS
from dlnative.graph.ops.losses import LOSSES
from dlnative.reference.spatial import _resize_matrix

BOUNDS = {}  # name of an op -> function(inputs, attributes, exact, eps) -> bound or bounds

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


def bounds(name, inputs, attributes, exact, eps):
    """The bound of each output; what rounds to less than the smallest normal number may be 0."""
    with np.errstate(all="ignore"):
        limits = BOUNDS[name](inputs, attributes, exact, eps)
    limits = limits if isinstance(limits, (tuple, list)) else (limits,)
    tiny = np.finfo("float32" if eps > 1e-10 else "float64").tiny
    return [np.asarray(limit) + 64 * tiny for limit in limits]


def bounded(*names):
    def add(function):
        for name in names:
            assert name not in BOUNDS, name
            BOUNDS[name] = lambda *given, name=name: function(name, *given)
        return function

    return add


def absolute(arrays):
    return [None if a is None else np.abs(a) for a in arrays]


@bounded(*EXACT)
def no_error(name, inputs, attributes, exact, eps):
    return [0.0 for _ in exact]


@bounded("add", "subtract", "multiply", "divide", "dropout", "weighted_sum_backward")
def rounded(name, inputs, attributes, exact, eps):
    return 4 * eps * np.abs(exact[0])


@bounded("random_gamma")
def logarithms(name, inputs, attributes, exact, eps):
    """Some logarithms in float64, and one rounding."""
    return 2 * eps * np.abs(exact[0]) + 1e-13 * (1 + np.abs(exact[0]))


@bounded("fma", "fnma")
def product_and_sum(name, inputs, attributes, exact, eps):
    a, b, c = absolute(inputs)
    return 2 * eps * (a * b + c)


@bounded("lerp")
def interpolated(name, inputs, attributes, exact, eps):
    a, b, t = absolute(inputs)
    return 4 * eps * (a + t * (a + b))


@bounded("checked_rate")
def unchanged(name, inputs, attributes, exact, eps):
    return 0.0


FEW_ULP = {
    *("square", "sqrt", "rsqrt", "exp", "exp2", "log", "log2", "log10", "cbrt", "i0", "hypot"),
    *("expm1", "log1p", "sinh", "cosh", "tan", "arcsin", "arctan", "arcsinh", "arccosh", "erf"),
    *("arctanh", "erfinv", "erfc", "arctan2", "sin", "arccos"),
}


@bounded(*FEW_ULP)
def few_ulp(name, inputs, attributes, exact, eps):
    return 8 * eps * np.abs(exact[0])


@bounded("cos", "lgamma", "digamma", "logaddexp")
def near_zeros(name, inputs, attributes, exact, eps):
    """Where the function passes 0 its error is that of the argument's rounding."""
    return 8 * eps * (np.abs(exact[0]) + 1 + sum(np.abs(x) for x in inputs))


@bounded("power")
def power(name, inputs, attributes, exact, eps):
    a, b = inputs
    return 8 * eps * np.abs(exact[0]) * (1 + np.abs(b * np.log(np.abs(a))))


@bounded("floor_divide", "mod", "fmod")
def quotient(name, inputs, attributes, exact, eps):
    """Near a whole quotient the remainder may be the divisor's on the other side."""
    a, b = inputs
    whole = np.abs(a / b - np.round(a / b)) < 4 * eps * (1 + np.abs(a / b))
    step = 1.0 if name == "floor_divide" else np.abs(b)
    return np.where(whole, step, 0.0) + 4 * eps * (np.abs(a) + np.abs(b))


@bounded("prod")
def prod(name, inputs, attributes, exact, eps):
    return (inputs[0].size + 2) * eps * np.abs(exact[0])


@bounded("cumsum", "cumprod")
def scan(name, inputs, attributes, exact, eps):
    terms = getattr(reference, name)(np.abs(inputs[0]), **attributes)
    return (inputs[0].shape[attributes["axis"]] + 2) * eps * terms


@bounded("scatter", "scatter_along_axis")
def scatter(name, inputs, attributes, exact, eps):
    if attributes.get("mode") in ("set", "max", "min"):
        return 0.0
    x, indices, updates = inputs
    terms = getattr(reference, name)(np.abs(x), indices, np.abs(updates), **attributes)
    return (indices.size + 2) * eps * terms


@bounded("rescale")
def rescale(name, inputs, attributes, exact, eps):
    scaled = np.abs(inputs[0] * attributes.get("scale", 1.0))
    return 4 * eps * (scaled + abs(attributes.get("offset", 0.0)))


# --- activations: 8 ulp of the value, or of the terms that cancel in it ---------------------------


def of_activation(name, x, y, eps, attributes):
    terms = np.abs(y) + (1e-2 if name in ("gelu", "silu", "elu", "selu") else 0)
    if name in ("relu", "leaky_relu"):
        terms = terms + np.abs(x) + abs(attributes.get("threshold", 0.0))
    return 8 * eps * terms


@bounded(*ACTIVATIONS)
def activation(name, inputs, attributes, exact, eps):
    return of_activation(name, inputs[0], exact[0], eps, attributes)


@bounded(*(f"{name}_backward" for name in ACTIVATIONS))
def activation_backward(name, inputs, attributes, exact, eps):
    return slope_error(name.removesuffix("_backward"), *inputs, eps) + 16 * eps * np.abs(exact[0])


def slope_error(name, dy, saved, eps):
    """gelu' and silu' have terms that grow with x; the others are made of values up to 1."""
    x = np.abs(saved)
    terms = 1 + x + 0.2 * x**3 if name in ("gelu", "silu") else 1 + 2 * x
    return 16 * eps * np.abs(dy) * terms


def behind(name, z, y, error, eps, attributes):
    """The bound of y = activation(z): no slope is above 1.13, gelu's, but where an option is."""
    options = {k: v for k, v in attributes.items() if k in ACTIVATIONS[name].defaults}
    steep = max(1.2, *(abs(options.get(k) or 0.0) for k in ("alpha", "negative_slope")))
    return steep * (error + of_activation(name, z, y, eps, options))


# --- softmax, reductions --------------------------------------------------------------------------


@bounded("softmax", "log_softmax")
def softmax(name, inputs, attributes, exact, eps):
    x, axis = inputs[0], attributes.get("axis", -1)
    if x.size == 0:
        return 0.0
    distance = np.max(x, axis=axis, keepdims=True) - x
    if name == "softmax":
        return (8 + x.shape[axis] + distance + np.max(distance)) * eps * exact[0]
    return (8 + x.shape[axis]) * eps * (1 + np.abs(exact[0]) + distance)


@bounded("softmax_backward", "log_softmax_backward")
def softmax_backward(name, inputs, attributes, exact, eps):
    dy, y = inputs
    axis = attributes.get("axis", -1)
    n = y.shape[axis]
    if name == "softmax_backward":
        along = np.sum(np.abs(dy * y), axis=axis, keepdims=True)
        return (8 + n) * eps * np.abs(y) * (np.abs(dy) + along)
    along = np.sum(np.abs(dy), axis=axis, keepdims=True)
    return (8 + n) * eps * (np.abs(dy) + np.exp(y) * (1 + np.abs(y)) * along)


@bounded("sum", "mean", "bias_backward")
def reduction(name, inputs, attributes, exact, eps):
    total = getattr(reference, name)(np.abs(inputs[0]), **attributes)
    return (inputs[0].size + 2) * eps * total


# --- products: the bound of a sum -----------------------------------------------------------------

PLAIN = {
    *("transpose_a", "transpose_b", "input_shape", "kernel_size", "strides", "padding"),
    *("output_padding", "dilation_rate", "groups", "pool_size"),
}


def linear(name, inputs, attributes):
    """What the op computes without an activation, and without further outputs."""
    plain = {k: v for k, v in attributes.items() if k in PLAIN}
    return getattr(reference, name)(*inputs, **plain)


def products(name, inputs, attributes, count, eps):
    """The bound of sums of `count` products."""
    return (count + 2) * eps * linear(name, absolute(inputs), attributes)


@bounded("matmul")
def matmul(name, inputs, attributes, exact, eps):
    k = inputs[0].shape[-2 if attributes.get("transpose_a") else -1]
    return products(name, inputs, attributes, k, eps)


@bounded("dense", "conv1d", "conv2d", "conv1d_transpose", "conv2d_transpose", "depthwise_conv2d")
def forward(name, inputs, attributes, exact, eps):
    error = products(name, inputs, attributes, inputs[1].size, eps)
    activation = attributes.get("activation")
    if activation is None:
        return [error for _ in exact]
    z = linear(name, inputs, attributes)
    return [behind(activation, z, exact[0], error, eps, attributes), error][: len(exact)]


@bounded(
    "dense_backward_input",
    "conv1d_backward_input",
    "conv2d_backward_input",
    "depthwise_conv2d_backward_input",
)
def backward_input(name, inputs, attributes, exact, eps):
    dy, kernel, *saved = inputs
    error = products(name, [dy, kernel], attributes, kernel.size, eps)
    activation = attributes.get("activation")
    if activation is None:
        return error
    dx = linear(name, [dy, kernel], attributes)
    steep = max(1.2, attributes.get("negative_slope", 0.0))
    if activation == "elu":
        steep = 1.2 + np.abs(saved[0]) + abs(attributes.get("alpha", 1.0))
    return steep * error + slope_error(activation, dx, saved[0], eps) + 16 * eps * np.abs(exact[0])


@bounded(
    "dense_backward_kernel",
    "conv1d_backward_kernel",
    "conv2d_backward_kernel",
    "depthwise_conv2d_backward_kernel",
)
def backward_kernel(name, inputs, attributes, exact, eps):
    dy = inputs[1]
    count = dy.size // max(1, dy.shape[-1])
    sums = (count + 2) * eps * reference.bias_backward(np.abs(dy))
    return [products(name, inputs, attributes, count, eps), sums][: len(exact)]


# --- pooling and images ---------------------------------------------------------------------------


@bounded("avg_pool1d", "avg_pool2d", "avg_pool1d_backward", "avg_pool2d_backward")
def avg_pool(name, inputs, attributes, exact, eps):
    return products(name, inputs, attributes, math.prod(attributes["pool_size"]), eps)


@bounded("max_pool1d_backward", "max_pool2d_backward")
def max_pool_backward(name, inputs, attributes, exact, eps):
    summed = getattr(reference, name)(np.abs(inputs[0]), inputs[1], **attributes)
    return (math.prod(attributes["pool_size"]) + 2) * eps * summed


@bounded("max_pool1d_backward_indices", "max_pool2d_backward_indices")
def max_pool_backward_indices(name, inputs, attributes, exact, eps):
    summed = getattr(reference, name)(np.abs(inputs[0]), *inputs[1:], **attributes)
    return (math.prod(attributes["pool_size"]) + 2) * eps * summed


@bounded("upsample2d", "upsample2d_backward")
def upsample(name, inputs, attributes, exact, eps):
    """Two passes of at most 11 products forward, and `size` times as many backward."""
    shape = attributes.get("input_shape", inputs[0].shape)
    kind = attributes.get("interpolation", "nearest")
    rows, columns = (
        np.abs(_resize_matrix(n, factor, kind))
        for n, factor in zip(shape[1:3], attributes.get("size", (2, 2)))
    )
    if name == "upsample2d_backward":
        rows, columns = rows.T, columns.T
    finite = np.where(np.isfinite(inputs[0]), np.abs(inputs[0]), 0.0)  # no bound where it is not
    total = np.einsum("oh,nhwc,pw->nopc", rows, finite, columns)
    return (2 * 12 * max(attributes.get("size", (2, 2))) + 4) * eps * total


@bounded("random_affine", "random_brightness", "random_contrast", "crop_resize2d")
def resampled(name, inputs, attributes, exact, eps):
    """A few roundings of values as large as the largest."""
    if attributes.get("interpolation") == "nearest":
        return 0.0
    largest = np.max(np.abs(inputs[0]), initial=0.0) + abs(attributes.get("fill_value", 0.0)) + 1
    if "factor" in attributes:
        low, high = attributes.get("value_range", (0.0, 255.0))
        largest = (largest + abs(low) + abs(high)) * (1 + np.max(np.abs(attributes["factor"])))
    return 16 * eps * largest


# --- normalisation --------------------------------------------------------------------------------


@bounded("batch_norm")
def batch_norm(name, inputs, attributes, exact, eps):
    x, mean, variance, gamma, beta, residual = absolute(inputs)
    deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
    terms = (x + mean) / deviation * (1 if gamma is None else gamma)
    return 8 * eps * (terms + (0 if beta is None else beta) + (0 if residual is None else residual))


@bounded("batch_norm_backward")
def batch_norm_backward(name, inputs, attributes, exact, eps):
    dy, x, mean, variance, _ = absolute(inputs)
    count = x.size // max(1, x.shape[-1])
    terms = dy * (x + mean) / np.sqrt(variance + attributes.get("epsilon", 1e-3))
    sums = [reference.bias_backward(terms), reference.bias_backward(dy)]
    return [8 * eps * np.abs(exact[0]), *((count + 8) * eps * total for total in sums)]


@bounded("batch_norm_training")
def batch_norm_training(name, inputs, attributes, exact, eps):
    x, gamma, beta, residual, moments = inputs
    _, mean, variance = exact
    axes, count = tuple(range(x.ndim - 1)), x.size // max(1, x.shape[-1])
    if moments is None:
        error = standard_error(x, axes, eps, attributes.get("epsilon", 1e-3))
        wrong = [(count + 16) * eps * reference.mean(np.abs(x), axis=axes), None]
        wrong[1] = (count + 16) * eps * (variance + np.abs(mean) * np.sqrt(variance) * 2)
        wrong[1] = wrong[1] + wrong[0] ** 2
    else:
        deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
        error = 32 * eps * (1 + (np.abs(x) + np.abs(mean)) / deviation)
        wrong = [8 * eps * np.abs(mean), 8 * eps * variance]
    error = error * (1 if gamma is None else np.abs(gamma))
    for added in (beta, residual):
        error = error + (0 if added is None else 8 * eps * np.abs(added))
    return [error, *wrong]


def standard_error(x, axes, eps, epsilon):
    """The error of xhat, its statistics being sums over `axes`.

    The mean is wrong by (n + 2) u mean|x|, and the variance by a share of (n + 16) u beside that.
    """
    n = max(1, math.prod(x.shape[a] for a in axes))
    xhat, deviation = reference.normalization._standardise(x, axes, epsilon)
    size = np.sum(np.abs(x), axis=axes, keepdims=True) / n
    return (n + 16) * eps * (1 + np.abs(xhat)) * (1 + (size + np.abs(x)) / deviation)


def norm_backward(dy, x, xhat, error, deviation, gamma, axes, eps):
    """The bound of dx = (g - mean(g) - xhat mean(g xhat)) / deviation, g = dy gamma."""
    n = max(1, math.prod(x.shape[a] for a in axes))
    g = np.abs(dy) * (1 if gamma is None else np.abs(gamma))

    def mean(values):
        return np.sum(values, axis=axes, keepdims=True) / n

    along = mean(g * np.abs(xhat))
    terms = g + mean(g) + np.abs(xhat) * along
    return ((n + 32) * eps * terms + error * (along + terms) + np.abs(xhat) * mean(g * error)) / (
        deviation
    )


@bounded("batch_norm_training_backward")
def batch_norm_training_backward(name, inputs, attributes, exact, eps):
    dy, x, mean, variance, gamma, _ = inputs
    axes, count = tuple(range(x.ndim - 1)), x.size // max(1, x.shape[-1])
    deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
    xhat = (x - mean) / deviation
    error = 8 * eps * (1 + (np.abs(x) + np.abs(mean)) / deviation)
    dx = norm_backward(dy, x, xhat, error, deviation, gamma, axes, eps)
    dgamma = np.sum((count + 8) * eps * np.abs(dy * xhat) + np.abs(dy) * error, axis=axes)
    dbeta = (count + 2) * eps * np.sum(np.abs(dy), axis=axes)
    return [dx, dgamma, dbeta, 0.0][: len(exact)]


def of_sample(name, x, attributes):
    """x with the axes of a sample's statistics, and what undoes the change of shape."""
    if name.startswith("layer"):
        return x, tuple(range(x.ndim - attributes.get("axes", 1), x.ndim))
    return reference.normalization._grouped(x, attributes.get("groups", 32))


@bounded("layer_norm", "group_norm")
def sample_norm(name, inputs, attributes, exact, eps):
    x, gamma, beta = inputs
    grouped, axes = of_sample(name, x, attributes)
    error = standard_error(grouped, axes, eps, attributes.get("epsilon", 1e-3)).reshape(x.shape)
    error = error * (1 if gamma is None else np.abs(gamma))
    return error + 4 * eps * (np.abs(exact[0]) + (0 if beta is None else np.abs(beta)))


@bounded("layer_norm_backward", "group_norm_backward")
def sample_norm_backward(name, inputs, attributes, exact, eps):
    dy, x, gamma = inputs
    grouped, axes = of_sample(name, x, attributes)
    error = standard_error(grouped, axes, eps, attributes.get("epsilon", 1e-3))
    xhat, deviation = reference.normalization._standardise(
        grouped, axes, attributes.get("epsilon", 1e-3)
    )
    g = dy if gamma is None else dy * gamma
    dx = norm_backward(
        g.reshape(grouped.shape), grouped, xhat, error, deviation, None, axes, eps
    ).reshape(x.shape)
    samples = tuple(range(x.ndim - exact[1].ndim))
    count = max(1, math.prod(x.shape[a] for a in samples))
    xhat, error = xhat.reshape(x.shape), error.reshape(x.shape)
    dgamma = np.sum((count + 8) * eps * np.abs(dy * xhat) + np.abs(dy) * error, axis=samples)
    return [dx, dgamma, (count + 2) * eps * np.sum(np.abs(dy), axis=samples)]


# --- losses, metrics, state -----------------------------------------------------------------------


def loss_error(pred, exact, eps):
    """8 ulp of each of the terms, which are at most |pred| and the logarithm of 1e-7, and a sum."""
    classes = pred.shape[-1]
    largest = np.max(np.abs(pred), axis=-1, initial=0.0)
    return (8 + 2 * classes) * eps * (1 + classes) * (largest + 20 + np.abs(exact))


@bounded(*LOSSES)
def loss(name, inputs, attributes, exact, eps):
    return loss_error(inputs[0], exact[0], eps)


def gradient_error(pred, dloss, dpred, eps):
    """Of dloss times values of up to 1, or of terms as large as the largest of the gradient."""
    spread = np.max(np.abs(dpred), axis=-1, keepdims=True, initial=0.0) + np.abs(dloss)[..., None]
    return (16 + 2 * pred.shape[-1]) * eps * 2 * spread


@bounded(*(f"{name}_backward" for name in LOSSES))
def loss_backward(name, inputs, attributes, exact, eps):
    return gradient_error(inputs[1], inputs[0], exact[0], eps)


@bounded(*(f"{name}_with_gradient" for name in LOSSES))
def loss_with_gradient(name, inputs, attributes, exact, eps):
    pred, labels, weight = inputs
    scale = abs(attributes.get("scale", 1.0))
    options = {k: v for k, v in attributes.items() if k == "label_smoothing"}
    losses = getattr(reference, name.removesuffix("_with_gradient"))(pred, labels, **options)
    weight = np.ones(losses.shape) if weight is None else np.abs(weight)
    terms = loss_error(pred, losses, eps) + (losses.size + 4) * eps * np.abs(losses)
    return [scale * np.sum(weight * terms), gradient_error(pred, scale * weight, exact[1], eps)]


@bounded("weighted_sum")
def weighted_sum(name, inputs, attributes, exact, eps):
    total = reference.weighted_sum(*absolute(inputs), abs(attributes.get("scale", 1.0)))
    return (inputs[0].size + 4) * eps * total


@bounded("binary_accuracy")
def binary_accuracy(name, inputs, attributes, exact, eps):
    return 2 * eps


@bounded("accumulate_mean")
def accumulate_mean(name, inputs, attributes, exact, eps):
    return (inputs[1].size + 4) * eps * reference.accumulate_mean(*absolute(inputs))


@bounded("moving_average")
def moving_average(name, inputs, attributes, exact, eps):
    return 4 * eps * (np.abs(inputs[0]) + np.abs(inputs[1]))


@bounded("sgd", "adam")
def update(name, inputs, attributes, exact, eps):
    """Some roundings of terms that are as large as the inputs; a step divides by 0.1 at least.

    The slots are at least 1/2, and half of them at least is kept.
    """
    size = 1 + sum(np.abs(a) + np.abs(a) ** 2 for a in inputs if a is not None and a.ndim)
    return [64 * eps * size for _ in exact]


@bounded("global_norm")
def clipped(name, inputs, attributes, exact, eps):
    return 16 * eps * np.abs(exact[0])
