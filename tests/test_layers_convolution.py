"""Convolution layers: values against loops, options, configurations, gradients."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers

EPS = {"float32": 2.0**-24, "float64": 2.0**-53}


def values(*shape, seed=0, dtype="float32"):
    return np.random.Generator(np.random.PCG64(seed)).standard_normal(shape).astype(dtype)


def axis_taps(n, window, stride, dilation, padding):
    """For each place of the output the (tap, pixel) pairs along one axis that are on the image."""
    span = (window - 1) * dilation + 1
    if padding == "same":
        places = -(-n // stride)
        before = max((places - 1) * stride + span - n, 0) // 2
    else:
        places = (n - span) // stride + 1
        before = 0
    if padding == "causal":
        before = span - 1
        places = (n - 1) // stride + 1
    positions = [
        [(t, o * stride + t * dilation - before) for t in range(window)] for o in range(places)
    ]
    return [[(t, i) for t, i in pairs if 0 <= i < n] for pairs in positions]


def convolve(x, kernel, strides, padding, dilation, groups=1):
    """Convolution of images by loops in float64, and the same of absolute values for bounds."""
    x, kernel = x.astype("float64"), kernel.astype("float64")
    out, inner = kernel.shape[-1], kernel.shape[-2]
    rows = axis_taps(x.shape[1], kernel.shape[0], strides[0], dilation[0], padding)
    columns = axis_taps(x.shape[2], kernel.shape[1], strides[1], dilation[1], padding)
    y = np.zeros((len(x), len(rows), len(columns), out))
    bound = np.zeros_like(y)
    for (p, row), (q, column) in itertools.product(enumerate(rows), enumerate(columns)):
        for (t, i), (u, j), o in itertools.product(row, column, range(out)):
            start = o // (out // groups) * inner
            pixels, weights = x[:, i, j, start : start + inner], kernel[t, u, :, o]
            y[:, p, q, o] += pixels @ weights
            bound[:, p, q, o] += abs(pixels) @ abs(weights)
    return y, bound


def check(result, expected, bound, terms, dtype="float32"):
    """|result - expected| within the rounding of a sum of `terms` products, a bias and a store."""
    assert result.shape == expected.shape
    assert result.dtype == dtype
    limit = (terms + 4) * EPS[dtype] * (bound + abs(expected)) + 1e-30
    assert np.all(abs(result - expected) <= limit), np.max(abs(result - expected) / limit)


OPTIONS = [  # image, options of Conv2D
    ((7, 6), {"kernel_size": 3}),
    ((7, 6), {"kernel_size": (1, 1)}),
    ((7, 6), {"kernel_size": (2, 3), "padding": "same"}),
    ((7, 6), {"kernel_size": 4, "padding": "SAME", "strides": (2, 3)}),
    ((8, 8), {"kernel_size": 3, "padding": "same", "strides": 2}),
    ((9, 7), {"kernel_size": (3, 2), "strides": 2}),
    ((9, 8), {"kernel_size": (3, 2), "dilation_rate": (2, 3)}),
    ((5, 5), {"kernel_size": 3, "dilation_rate": 3, "padding": "same"}),
    ((2, 2), {"kernel_size": 5, "padding": "same"}),
    ((7, 6), {"kernel_size": 3, "groups": 2}),
    ((7, 6), {"kernel_size": 3, "groups": 4, "strides": 2, "padding": "same"}),
    ((7, 6), {"kernel_size": 3, "use_bias": False}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("number", range(len(OPTIONS)))
def test_conv2d_is_the_formula(engine, number, dtype):
    sizes, options = OPTIONS[number]
    layer = layers.Conv2D(8, bias_initializer="random_normal", dtype=dtype, **options)
    x = values(2, *sizes, 4, dtype=dtype)
    y = layer(x)
    kernel = layer.kernel.numpy()
    expected, bound = convolve(
        x, kernel, layer.strides, layer.padding, layer.dilation_rate, layer.groups
    )
    if layer.use_bias:
        expected = expected + layer.bias.numpy()
    check(y, expected, bound, kernel[..., 0].size, dtype)
    assert layer.compute_output_shape((None, *x.shape[1:])) == (None, *y.shape[1:])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": 2, "padding": "same"},
        {"padding": "causal"},
        {"padding": "causal", "dilation_rate": 2},
        {"padding": "causal", "strides": 2},
        {"dilation_rate": 3, "groups": 2},
    ],
)
def test_conv1d_is_the_formula(engine, options):
    layer = layers.Conv1D(6, 3, bias_initializer="random_normal", **options)
    x = values(3, 11, 4)
    y = layer(x)
    kernel = layer.kernel.numpy()[None]
    sizes = (1, layer.strides[0]), (1, layer.dilation_rate[0])
    if layer.padding == "causal":  # height 1: a window of one row is the same for all paddings
        flat = np.concatenate([np.zeros((3, 2 * sizes[1][1], 4), "float32"), x], axis=1)
        expected, bound = convolve(flat[:, None], kernel, sizes[0], "valid", sizes[1])
    else:
        expected, bound = convolve(
            x[:, None], kernel, sizes[0], layer.padding, sizes[1], layer.groups
        )
    check(y, expected[:, 0] + layer.bias.numpy(), bound[:, 0], kernel[..., 0].size)


def test_causal_places_do_not_see_what_comes_later(engine):
    layer = layers.Conv1D(5, 3, padding="causal", dilation_rate=2)
    x = values(1, 12, 4)
    changed = x.copy()
    changed[:, 7:] += 1.0
    before, after = layer(x), layer(changed)
    np.testing.assert_array_equal(before[:, :7], after[:, :7])
    assert np.all(np.any(before[:, 7:] != after[:, 7:], axis=-1))


@pytest.mark.parametrize(
    "options",
    [
        {"depth_multiplier": 2},
        {"depth_multiplier": 1, "strides": 2, "padding": "same"},
        {"depth_multiplier": 3, "dilation_rate": (2, 1), "use_bias": False},
        {"strides": (2, 1), "padding": "valid"},
    ],
)
def test_depthwise_is_a_convolution_of_single_channels(engine, options):
    layer = layers.DepthwiseConv2D(3, bias_initializer="random_normal", **options)
    x = values(2, 9, 8, 5)
    y = layer(x)
    kernel, multiplier = layer.kernel.numpy(), layer.depth_multiplier
    as_groups = kernel.reshape(3, 3, 1, 5 * multiplier)
    expected, bound = convolve(x, as_groups, layer.strides, layer.padding, layer.dilation_rate, 5)
    if layer.use_bias:
        expected = expected + layer.bias.numpy()
    check(y, expected, bound, 9)


def test_separable_is_depthwise_and_pointwise(engine):
    layer = layers.SeparableConv2D(
        6, 3, strides=2, padding="same", depth_multiplier=2, bias_initializer="random_normal"
    )
    x = values(2, 9, 8, 5)
    y = layer(x)
    depthwise, pointwise, bias = layer.get_weights()
    taps = depthwise.reshape(3, 3, 1, 10)
    middle, inner = convolve(x, taps, (2, 2), "same", (1, 1), 5)
    expected = middle @ pointwise[0, 0].astype("float64") + bias
    check(y, expected, inner @ abs(pointwise[0, 0]), 9 + 10)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"strides": 2},
        {"strides": 3, "padding": "same"},
        {"strides": (2, 3), "output_padding": (1, 2)},
        {"strides": 2, "padding": "same", "output_padding": 1},
        {"dilation_rate": 2},
        {"dilation_rate": 2, "padding": "same", "use_bias": False},
    ],
)
def test_transposed_convolution_scatters_the_kernel(engine, options):
    layer = layers.Conv2DTranspose(3, (3, 2), bias_initializer="random_normal", **options)
    x = values(2, 4, 5, 6)
    y = layer(x)
    kernel = layer.kernel.numpy().astype("float64")
    assert kernel.shape == (3, 2, 3, 6)
    (s0, s1), (d0, d1) = layer.strides, layer.dilation_rate
    spans = (2 * d0 + 1, d1 + 1)
    full = np.zeros((2, 3 * s0 + spans[0] + 9, 4 * s1 + spans[1] + 9, 3))
    bound = np.zeros_like(full)
    for i, j, t, u in itertools.product(range(4), range(5), range(3), range(2)):
        full[:, i * s0 + t * d0, j * s1 + u * d1] += x[:, i, j] @ kernel[t, u].T
        bound[:, i * s0 + t * d0, j * s1 + u * d1] += abs(x[:, i, j]) @ abs(kernel[t, u].T)
    extra = layer.output_padding
    before = [0, 0]
    for a, (n, s, e) in enumerate(zip((4, 5), layer.strides, spans, strict=True)):
        if layer.padding == "same":
            o = None if extra is None else extra[a]
            size = n * s if o is None else (n - 1) * s + e % 2 + o
            before[a] = max((e - s) // 2 if o is None else e // 2 - (o + 1) // 2, 0)
        else:
            size = (n - 1) * s + (max(e, s) if extra is None else e + extra[a])
        assert y.shape[1 + a] == size
    window = (
        slice(None),
        slice(before[0], before[0] + y.shape[1]),
        slice(before[1], before[1] + y.shape[2]),
    )
    expected = full[window] + (layer.bias.numpy() if layer.use_bias else 0.0)
    check(y, expected, bound[window], 6 * 6)


def test_transposed_convolution_of_a_sequence(engine):
    one, two = layers.Conv1DTranspose(3, 4, strides=2), layers.Conv2DTranspose(3, (4, 1), (2, 1))
    x = values(2, 5, 6)
    y = one(x)
    two.build((None, 5, 1, 6))
    two.set_weights([one.kernel.numpy()[:, None], one.bias.numpy()])
    np.testing.assert_allclose(y, two(x[:, :, None])[:, :, 0], rtol=1e-5, atol=1e-6)


LAYERS = {
    "Conv1D": (lambda **k: layers.Conv1D(4, 3, padding="causal", **k), (6, 2)),
    "Conv2D": (
        lambda **k: layers.Conv2D(4, 3, strides=2, padding="same", groups=2, **k),
        (5, 4, 2),
    ),
    "DepthwiseConv2D": (lambda **k: layers.DepthwiseConv2D(2, depth_multiplier=2, **k), (4, 4, 2)),
    "SeparableConv2D": (lambda **k: layers.SeparableConv2D(3, 2, padding="same", **k), (4, 3, 2)),
    "Conv1DTranspose": (lambda **k: layers.Conv1DTranspose(3, 3, strides=2, **k), (4, 2)),
    "Conv2DTranspose": (
        lambda **k: layers.Conv2DTranspose(3, 3, strides=2, padding="same", **k),
        (3, 3, 2),
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_are_those_of_differences(engine, name):
    make, shape = LAYERS[name]
    layer = make(dtype="float64", activation="tanh", bias_initializer="random_normal")
    model = Sequential([Input(shape, dtype="float64"), layer])
    x = values(2, *shape, dtype="float64")
    y = values(2, *model.output_shape[1:], seed=1, dtype="float64")
    report = dlnative.gradcheck(model, x, y, "mse")
    assert report.max_error < 1e-6, report


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_of_the_input(engine, name):
    make, shape = LAYERS[name]
    layer = make(dtype="float64")
    x = values(2, *shape, dtype="float64")
    y, pullback = dlnative.vjp(layer, x)
    (dx,), _ = pullback(values(*y.shape, seed=1, dtype="float64"))
    v = values(*x.shape, seed=2, dtype="float64")
    tangent = (layer(x + v) - layer(x)).ravel()  # the layer is affine
    expected = values(*y.shape, seed=1, dtype="float64").ravel() @ tangent
    assert np.isclose(dx.ravel() @ v.ravel(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", LAYERS)
def test_configuration_makes_the_same_layer_again(name):
    make, shape = LAYERS[name]
    layer = make(activation="relu", use_bias=False, name="it")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert layers.deserialize(layers.serialize(layer)).get_config() == layer.get_config()
    again.build((None, *shape))
    assert all(w.name != "bias" for w in again.weights)


@pytest.mark.parametrize("name", LAYERS)
def test_weights_and_their_options(name):
    make, shape = LAYERS[name]
    parts = ("depthwise", "pointwise") if name.startswith("Sep") else ("kernel",)
    parts = ("depthwise",) if name.startswith("Depth") else parts
    options = {f"{part}_initializer": "ones" for part in parts}
    options |= {f"{part}_regularizer": "l2" for part in parts}
    layer = make(bias_initializer="ones", bias_regularizer="l1", trainable=False, **options)
    layer.build((None, *shape))
    assert [w.name for w in layer.weights][-1] == "bias"
    assert len(layer.weights) == len(parts) + 1
    assert all(np.all(w.numpy() == 1.0) for w in layer.weights)
    assert layer.trainable_variables == []
    layer.trainable = True
    assert len(layer.trainable_variables) == len(parts) + 1
    sizes = [w.numpy().size for w in layer.weights]
    expected = [0.01 * n for n in sizes]  # of ones: l1 and l2 alike, each with factor 0.01
    np.testing.assert_allclose(layer.losses, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("layer", "channels", "fan_in", "fan_out"),
    [
        (layers.Conv2D(32, (5, 4), kernel_initializer="glorot_uniform"), 16, 320, 640),
        (layers.Conv2D(32, (5, 4), groups=4), 16, 80, 640),
        (layers.Conv1D(64, 7), 16, 112, 448),
        (layers.Conv2DTranspose(16, (5, 4)), 32, 320, 640),  # as Keras, though it is (..., out, in)
        (layers.DepthwiseConv2D((5, 4), depth_multiplier=8), 64, 1280, 160),
    ],
)
def test_fans_of_convolution_kernels(layer, channels, fan_in, fan_out):
    layer.build((None, *(9,) * layer.rank, channels))
    kernel = layer.kernel.numpy()
    limit = np.sqrt(6 / (fan_in + fan_out))
    assert 0.98 * limit < abs(kernel).max() <= limit * (1 + 1e-6)


def test_names_of_keras():
    assert layers.Convolution1D is layers.Conv1D
    assert layers.Convolution2D is layers.Conv2D
    assert layers.Convolution1DTranspose is layers.Conv1DTranspose
    assert layers.Convolution2DTranspose is layers.Conv2DTranspose
    assert layers.SeparableConvolution2D is layers.SeparableConv2D


def test_activation_is_applied(engine):
    x = values(2, 5, 5, 3)
    linear = layers.Conv2D(4, 3)
    y = linear(x)
    for name in ("relu", "tanh", "sigmoid", "gelu", "softmax"):
        layer = layers.Conv2D(4, 3, activation=name)
        layer.build(x.shape)
        layer.set_weights(linear.get_weights())
        expected = dlnative.activations.get(name)(y)
        np.testing.assert_allclose(layer(x), expected, rtol=2e-5, atol=1e-6)


def test_layer_is_used_on_two_sizes(engine):
    layer = layers.Conv2D(4, 3)
    small, large = values(1, 5, 5, 2), values(2, 8, 9, 2)
    assert layer(small).shape == (1, 3, 3, 4)
    assert layer(large).shape == (2, 6, 7, 4)
    np.testing.assert_allclose(layer(large)[:, :3, :3], layer(large[:, :5, :5]), rtol=1e-5)


def test_saved_model_computes_the_same(engine, tmp_path):
    model = Sequential(
        [
            Input((8, 8, 2)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.SeparableConv2D(6, 3, padding="same"),
            layers.DepthwiseConv2D(3, strides=2),
            layers.Conv2DTranspose(2, 2, strides=2),
        ]
    )
    x = values(3, 8, 8, 2)
    dlnative.saving.save(model, tmp_path / "model")
    again = dlnative.saving.load(tmp_path / "model").model
    np.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


def test_a_filter_is_learned(engine):
    """A convolution that is fitted to the output of another becomes that other."""
    x = values(64, 8, 8, 1)
    truth = layers.Conv2D(2, 3, kernel_initializer="random_normal")
    y = truth(x)
    model = Sequential([Input((8, 8, 1)), layers.Conv2D(2, 3)])
    model.compile(optimizer=dlnative.optimizers.SGD(0.5), loss="mse")
    model.fit(x, y, batch_size=16, epochs=15, verbose=0)
    learned = model.layers[0].kernel.numpy()
    np.testing.assert_allclose(learned, truth.kernel.numpy(), atol=1e-3)
