"""One call, or more, of every op of the oracle, for the promises that all ops make."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

ACTIVATIONS = {
    "linear": {},
    "relu": {"negative_slope": 0.1, "max_value": 1.5, "threshold": 0.2},
    "leaky_relu": {"negative_slope": 0.3},
    "elu": {"alpha": 0.7},
    "selu": {},
    "gelu": {"approximate": True},
    "silu": {},
    "sigmoid": {},
    "hard_sigmoid": {},
    "tanh": {},
    "softplus": {},
    "softsign": {},
    "exponential": {},
    "step": {},
}
UNARY = (
    *("negative", "abs", "sign", "square", "sqrt", "rsqrt", "cbrt", "exp", "expm1", "exp2"),
    *("log", "log1p", "log2", "log10", "sin", "cos", "tan", "arcsin", "arccos", "arctan"),
    *("sinh", "cosh", "arcsinh", "arctanh", "floor", "ceil", "round", "trunc"),
    *("erf", "erfc", "erfinv", "lgamma", "digamma", "i0"),
    *("isnan", "isinf", "isfinite", "signbit"),
)
BINARY = (
    *("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "floor_divide"),
    *("mod", "fmod", "arctan2", "hypot", "logaddexp"),
    *("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"),
)
OF_BITS = ("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm")
DENSE_LOSSES = {
    "softmax_cross_entropy": {"label_smoothing": 0.1},
    "categorical_cross_entropy": {"label_smoothing": 0.1},
    "binary_cross_entropy_with_logits": {"label_smoothing": 0.1},
    "binary_cross_entropy": {"label_smoothing": 0.1},
    "mean_squared_error": {},
    "mean_absolute_error": {},
}
SPARSE_LOSSES = {"sparse_softmax_cross_entropy": {}, "sparse_categorical_cross_entropy": {}}

Case = tuple[str, tuple[Any, ...], dict[str, Any]]


def cases(dtype: DTypeLike, batch: int = 4) -> list[Case]:
    """Calls as (name, inputs, attributes); `batch` may be 0."""
    rng = np.random.default_rng(11)
    result: list[Case] = []

    def array(*shape: int) -> Any:
        return rng.uniform(0.05, 0.95, shape).astype(dtype)

    def call(name: str, *inputs: Any, **attributes: Any) -> None:
        result.append((name, inputs, attributes))

    x, y, row = array(batch, 3), array(batch, 3), array(batch)
    for name, attributes in ACTIVATIONS.items():
        call(name, x, **attributes)
        call(f"{name}_backward", y, x, **attributes)
    call("gelu", x)
    call("gelu_backward", y, x)
    for name in ("softmax", "log_softmax"):
        for axis in (-1, 1):
            call(name, x, axis=axis)
            call(f"{name}_backward", y, x, axis=axis)
    for name in ("fma", "fnma", "lerp", "maximum_gradient", "minimum_gradient"):
        call(name, x, y, row[:, None])
    for name in BINARY:
        call(name, x, y)
        call(name, x, array(3))
    for name in UNARY:
        call(name, x)
    call("arccosh", x + 1)
    integers = (rng.integers(0, 9, (batch, 3), np.int32), np.array([1, 2, 4], np.int32))
    for name in OF_BITS:
        call(name, *integers)
    call("bitwise_not", integers[0])
    truths = (x > 0.4, np.array([True, False, True]))
    for name in ("logical_and", "logical_or", "logical_xor"):
        call(name, *truths)
    call("logical_not", truths[0])
    call("where", truths[0], x, y)
    call("cast", x, dtype="int64")
    call("rescale", x, scale=2.0, offset=-1.0)
    for name in ("sum", "mean", "max", "min"):
        call(name, x, axis=1)
        call(name, x, axis=(1,), keepdims=True)
        if batch or name == "sum":
            call(name, x)
    call("prod", x, axis=(1,), keepdims=True)
    call("prod", x)
    for name in ("any", "all"):
        call(name, x > 0.5, axis=(1,), keepdims=True)
        call(name, x > 0.5)
    call("argmax", x)
    call("argmin", x)
    for name in ("cumsum", "cumprod"):
        call(name, x)
        call(name, x, axis=0, reverse=True)
    call("argsort", x)
    call("argsort", x, axis=0, descending=True)
    call("searchsorted", np.sort(row), x)
    call("stop_gradient", x)
    call("custom_gradient", x, x, rule=None)
    announced = {"shapes": (x.shape,), "dtypes": (x.dtype.name,)}
    call("numpy_function", x, function=np.negative, **announced)
    call("searchsorted", np.sort(row), x, side="right")
    call("broadcast_to", array(batch, 1), shape=(2, batch, 3))
    call("reshape", x, shape=(3, batch))
    call("concatenate", x, y, axis=0)
    call("concatenate", x, y)
    call("slice", x, axis=1, start=1, stop=3)
    call("transpose", x, axes=(1, 0))
    call("strided_slice", x, starts=(0, 2), sizes=(batch, 2), steps=(1, -2))
    call("pad", x, low=(1, 0), high=(0, 2), interior=(1, 1), value=0.5)
    places = rng.integers(-3, 3, (batch, 2)).astype(np.int32)
    call("take", x, places, axis=1)
    call("take_along_axis", x, places, axis=1)
    call("scatter_along_axis", x, places, array(batch, 2), axis=1)
    call("scatter_along_axis", x, places, array(batch, 2), axis=1, mode="set")
    for mode in ("add", "set", "max", "min", "multiply"):
        call("scatter", array(3, 2), places[:, 0], array(batch, 2), mode=mode)

    kernel, bias, dy = array(3, 5), array(5), array(batch, 5)
    call("matmul", x, kernel)
    call("matmul", x, y, transpose_a=True)
    call("matmul", x, y, transpose_b=True)
    call("matmul", array(batch, 2, 3), kernel)
    call("matmul", array(batch, 1, 3, 2), array(4, 3, 5), transpose_a=True)
    call("matmul", x, array(3))
    call("dense", x, kernel)
    call("dense", x, kernel, bias, activation="leaky_relu", negative_slope=0.3)
    call("dense", x, kernel, bias, activation="gelu", pre_activation=True)
    call("dense", array(2, batch, 3), kernel, bias, activation="softmax")
    call("dense_backward_input", dy, kernel)
    call("dense_backward_input", dy, kernel, x, activation="sigmoid")
    call("dense_backward_kernel", x, dy)
    call("dense_backward_kernel", x, dy, bias=True)
    call("bias_backward", dy)
    call("dropout", x, rate=0.5, seed=1, op_id=2)
    call("random_uniform", shape=(3, 5), dtype=np.dtype(dtype).name, seed=1, op_id=2)
    draw = {"shape": (3, 5), "dtype": np.dtype(dtype).name, "seed": 1, "op_id": 2}
    call("random_gamma", np.array(0.5), **draw)
    call("random_binomial", np.array(40.0), np.full((3, 5), 0.3), **draw)

    image, filters, beta = array(batch, 5, 4, 2), array(3, 2, 2, 6), array(6)
    half = {"strides": (2, 1), "padding": "same"}
    call("conv2d", image, filters)
    call("conv2d", image, filters, beta, activation="gelu", pre_activation=True, **half)
    call("conv2d", image, array(2, 3, 1, 6), dilation_rate=(2, 1), groups=2)
    call("conv1d", image[:, 0], filters[0], beta, padding=(1, 0), activation="tanh")
    call("conv2d_transpose", image, array(3, 2, 5, 2), array(5), activation="relu", **half)
    call("conv1d_transpose", image[:, 0], array(3, 5, 2), strides=(3,), output_padding=(1,))
    places = array(batch, 3, 4, 6)
    call("conv2d_backward_input", places, filters, input_shape=image.shape, **half)
    call(
        "conv2d_backward_input",
        *(places, filters, image),
        **{"input_shape": image.shape, "activation": "sigmoid", **half},
    )
    call("conv2d_backward_kernel", image, places, kernel_size=(3, 2), bias=True, **half)
    call("conv1d_backward_input", places[:, 0], filters[0], input_shape=(batch, 5, 2))
    call("conv1d_backward_kernel", array(batch, 5, 2), places[:, 0], kernel_size=(2,))
    filters = array(3, 2, 2, 3)
    call("depthwise_conv2d", image, filters, beta, activation="elu", alpha=0.5, **half)
    call("depthwise_conv2d", image, filters, pre_activation=True)
    call("depthwise_conv2d_backward_input", places, filters, input_shape=image.shape, **half)
    call("depthwise_conv2d_backward_kernel", image, places, kernel_size=(3, 2), bias=True, **half)

    window = {"pool_size": (3, 2), "strides": (2, 1), "padding": "same"}
    line = {"pool_size": (2,), "padding": (0, 1)}
    places, first = array(batch, 3, 4, 2), np.zeros((batch, 3, 4, 2), np.uint8)
    call("max_pool2d", image, activation="relu", **window)
    call("max_pool2d_backward", places, image, **window)
    call("max_pool2d_backward_indices", places, first, input_shape=image.shape, **window)
    call("avg_pool2d", image, **window)
    call("avg_pool2d_backward", places, input_shape=image.shape, **window)
    call("max_pool1d", image[:, 0], **line)
    call("max_pool1d_backward", places[:, 0, :2], image[:, 0], **line)
    relu = {"input_shape": (batch, 4, 2), "activation": "relu", **line}
    ends = (places[:, 0, :2], first[:, 0, :2], places[:, 1, :2])
    call("max_pool1d_backward_indices", *ends, **relu)
    call("avg_pool1d", image[:, 0], **line)
    call("avg_pool1d_backward", places[:, 0, :2], input_shape=(batch, 4, 2), **line)
    call("zero_pad2d", image, padding=(1, 0, 0, 2))
    call("crop2d", image, cropping=(0, 0, 0, 0))
    call("crop2d", image, cropping=(1, 0, 0, 2))
    for kind in ("nearest", "bilinear", "lanczos3"):
        wider = {"size": (1, 2), "interpolation": kind}
        call("upsample2d", image, **wider)
        call("upsample2d_backward", image, input_shape=(batch, 5, 2, 2), **wider)

    call("random_flip", image, seed=1)
    call("random_crop", image, height=4, width=6, padding=(1, 0, 2, 1), padding_mode="reflect")
    call("random_affine", image, rotation=(-0.1, 0.3), height_zoom=(0.5, 2.0), fill_mode="wrap")
    call("random_affine", image, width_shift=(0.5, 1.0), interpolation="nearest", epoch=2)
    call("random_brightness", image, factor=(-0.5, 0.5), value_range=(0.0, 1.0))
    call("random_contrast", image, factor=(0.5, 2.0), value_range=(0.0, 1.0))
    call("crop_resize2d", image, window=(1, 0, 3, 2), height=4, width=5)

    pixels, other, scale = array(batch, 2, 4), array(batch, 2, 4), array(4)
    call("batch_norm", pixels, scale, scale, scale, scale, other, activation="relu")
    call("batch_norm_backward", other, pixels, scale, scale, scale)
    call("batch_norm_training", pixels, scale, scale, other, activation="relu")
    call("batch_norm_training", pixels, moments=array(2, 2, 4))
    masked = {"activation": "relu", "residual": True}
    call("batch_norm_training_backward", other, pixels, scale, scale, scale, other, **masked)
    call("layer_norm", pixels, array(2, 4), array(2, 4), axes=2)
    call("layer_norm_backward", other, pixels, scale)
    call("group_norm", pixels, scale, scale, groups=2)
    call("group_norm_backward", other, pixels, scale, groups=2)
    call("moving_average", scale, array(4), momentum=0.9)

    labels = rng.integers(0, 3, batch)
    losses = [(name, y, attributes) for name, attributes in DENSE_LOSSES.items()]
    losses += [(name, labels.astype(np.int32), {}) for name in SPARSE_LOSSES]
    losses += [(name, labels.astype(np.int64), {}) for name in SPARSE_LOSSES]
    for name, target, attributes in losses:
        call(name, x, target, **attributes)
        call(f"{name}_backward", row, x, target, **attributes)
        call(f"{name}_with_gradient", x, target, **attributes)
        call(f"{name}_with_gradient", x, target, row, scale=0.5, **attributes)
    for weight in (None, array(batch)):
        call("weighted_sum", row, weight, scale=0.5)
        call("weighted_sum_backward", array(), row, weight, scale=0.5)
    call("categorical_accuracy", x, y)
    call("sparse_categorical_accuracy", x, labels.astype(np.int32))
    call("binary_accuracy", x, np.round(y), threshold=0.4)

    state, rate, half = np.array([1.0, 2.0]), np.array(0.1), np.array(0.5)
    call("accumulate_mean", state, row)
    call("accumulate_mean", state, row, array(batch))
    call("assign", x, y)
    call("assign", x, y, np.array(False))
    call("check_finite", np.array(0), x, y)
    a, b, c = array(batch, 3), array(batch, 3), array(batch, 3)
    call("sgd", x, None, y, rate, None, half)
    call("sgd", x, a, y, rate, half, half, nesterov=True)
    numbers = (rate, half, half, np.array(1e-7), np.array(3))
    call("adam", x, a, b, None, y, *numbers, half)
    call("adam", x, a, b, c, y, *numbers)
    call("checked_rate", rate, what="the rate")
    call("global_norm", x, y)
    return result
