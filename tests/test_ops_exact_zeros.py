"""A convolution's exact zeros are exact by every algorithm.

Where a window is zero in all channels the output is the bias, where the windows of `dy` are zero
`dx` is zero, and a tap that meets no pair of nonzero pixels has a gradient of zero. A rounding
error in their place is small, but ReLU's gradient and Adam take its sign.
"""

import numpy as np
import pytest

import dlnative
from dlnative import config, layers, losses, models, optimizers, reference, utils
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native


def sparse(rng, shape, dtype, kind):
    """Images with exact zeros: everywhere but in a few pixels, in a border, or in blocks."""
    x = rng.standard_normal(shape).astype(dtype)
    batch, height, width, channels = shape
    keep = np.zeros(shape[:3], bool)
    if kind == "single pixels":
        for image in keep:
            image[rng.integers(height), rng.integers(width)] = True
    elif kind == "one channel":  # the last alone shows which pixels are not zero
        keep = rng.random(shape[:3]) < 0.1
        x[..., : channels - 1] = 0
    elif kind == "border":
        keep[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = True
    else:
        coarse = rng.random((batch, -(-height // 3), -(-width // 3))) < 0.4
        keep = coarse.repeat(3, 1).repeat(3, 2)[:, :height, :width]
    x = np.where(keep[..., None], x, 0).astype(dtype)
    x[rng.random(shape) < 0.1] *= -0.0  # zeros of both signs, some of them within nonzero pixels
    return x


def convolved(x, taps, padding):
    """The number of nonzero pixels in each window."""
    pixels = (x != 0).any(-1, keepdims=True).astype("float64")
    return reference.conv2d(pixels, np.ones((taps, taps, 1, 1)), padding=padding)


KINDS = ("single pixels", "one channel", "border", "blocks")
# (batch, height, width), channels and filters, padding.
CASES = [
    ((3, 8, 8), 1, 8, "same"),
    ((2, 13, 10), 3, 17, "valid"),
    ((5, 7, 9), 8, 3, "same"),
    ((2, 6, 14), 16, 16, (4, 3, 0, 5)),
    ((2, 11, 12), 17, 33, "same"),
    ((40, 5, 6), 64, 70, "same"),
    ((2, 1, 1), 16, 16, "same"),
    ((3, 1, 9), 16, 5, "same"),
    ((3, 2, 2), 5, 16, "same"),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("case", CASES)
def test_empty_windows(isa, conv_algorithm, rng, case, taps, dtype):
    size, channels, filters, padding = case
    if padding == "valid":
        size = (size[0], size[1] + taps - 3, size[2] + taps - 3)
    kernel = rng.standard_normal((taps, taps, channels, filters)).astype(dtype)
    bias = rng.standard_normal(filters).astype(dtype)
    for kind in KINDS:
        x = sparse(rng, (*size, channels), dtype, kind)
        counts = convolved(x, taps, padding)
        empty = np.broadcast_to(counts == 0, (*counts.shape[:3], filters))
        y = ops.conv2d(x, kernel, padding=padding)
        np.testing.assert_array_equal(y[empty], 0)
        assert not np.signbit(y[empty]).any()
        assert (y[~empty] != 0).all()  # nothing else becomes zero
        expected = np.broadcast_to(bias, y.shape)
        y = ops.conv2d(x, kernel, bias, padding=padding)
        np.testing.assert_array_equal(y[empty], expected[empty])
        relu = ops.conv2d(x, kernel, bias, padding=padding, activation="relu")
        np.testing.assert_array_equal(relu, ops.relu(y))
        tanh = ops.conv2d(x, kernel, bias, padding=padding, activation="tanh")
        np.testing.assert_array_equal(tanh, ops.tanh(y))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("case", CASES)
def test_gradients(isa, conv_algorithm, rng, case, taps, dtype):
    size, channels, filters, padding = case
    if padding == "valid":
        size = (size[0], size[1] + taps - 3, size[2] + taps - 3)
    kernel = rng.standard_normal((taps, taps, channels, filters)).astype(dtype)
    shape = (*size, channels)
    for kind in KINDS:
        x = sparse(rng, shape, dtype, kind)
        dy = sparse(rng, ops.conv2d(x, kernel, padding=padding).shape, dtype, kind)
        dx = ops.conv2d_backward_input(dy, kernel, input_shape=shape, padding=padding)
        pixels = (dy != 0).any(-1, keepdims=True).astype("float64")
        reached = reference.conv2d_backward_input(
            pixels, np.ones((taps, taps, 1, 1)), input_shape=(*size, 1), padding=padding
        )
        empty = np.broadcast_to(reached == 0, shape)
        np.testing.assert_array_equal(dx[empty], 0)
        assert (dx[~empty] != 0).all()
        found = {"kernel_size": (taps, taps), "padding": padding}
        dkernel = ops.conv2d_backward_kernel(x, dy, **found)
        met = reference.conv2d_backward_kernel(
            (x != 0).any(-1, keepdims=True).astype("float64"), pixels, **found
        )
        np.testing.assert_array_equal(dkernel[met[..., 0, 0] == 0], 0)
        exact = reference.conv2d_backward_kernel(x.astype("float64"), dy.astype("float64"), **found)
        limit = 3e3 * np.finfo(dtype).eps * np.abs(exact).max()
        np.testing.assert_allclose(dkernel, exact, rtol=0, atol=limit)


@pytest.mark.parametrize("taps", [3, 5])
def test_the_bits_do_not_depend_on_threads(isa, conv_algorithm, rng, threads, taps):
    x = sparse(rng, (37, 12, 11, 16), "float32", "blocks")
    dy = sparse(rng, (37, 12, 11, 70), "float32", "blocks")
    kernel = rng.standard_normal((taps, taps, 16, 70)).astype("float32")
    results = []
    for count in (1, 2, 3):
        threads(count)
        results.append(
            (
                ops.conv2d(x, kernel, padding="same"),
                ops.conv2d_backward_input(dy, kernel, input_shape=x.shape, padding="same"),
                ops.conv2d_backward_kernel(x, dy, kernel_size=(taps, taps), padding="same"),
            )
        )
    for other in results[1:]:
        assert all(map(np.array_equal, results[0], other))


def test_an_infinite_pixel_leaves_empty_windows_alone(isa, conv_algorithm):
    x = np.zeros((1, 8, 8, 16), "float32")
    x[0, 1, 1] = np.inf
    y = ops.conv2d(x, np.ones((3, 3, 16, 8), "float32"), padding="same")
    assert not np.isfinite(y[0, :3, :3]).any()
    np.testing.assert_array_equal(y[0, 3:], 0)
    np.testing.assert_array_equal(y[0, :, 3:], 0)


def relu_layers(normalized, residual):
    """Two convolutions of which the second sees exact zeros at the border, as with MNIST."""
    inputs = dlnative.Input((16, 16, 16))
    x = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    # Behind a normalisation the gradient of a bias is zero but for rounding: nothing to compare.
    y = layers.Conv2D(16, 3, padding="same", use_bias=not normalized)(x)
    if normalized:
        y = layers.BatchNormalization()(y)
    if residual:
        y = layers.Add()([x, y])
    y = layers.Conv2D(8, 5, padding="same", activation="relu")(layers.ReLU()(y))
    return models.Model(inputs, layers.Dense(4)(layers.Flatten()(y)))


@pytest.mark.parametrize("normalized", [False, True])
@pytest.mark.parametrize("residual", [False, True])
def test_gradients_of_a_model(rng, normalized, residual):
    """With zero biases, as a model begins: by Winograd as by the direct algorithm."""
    x = np.zeros((6, 16, 16, 16), "float32")
    x[:, 6:10, 5:11] = rng.standard_normal((6, 4, 6, 16))
    y = rng.standard_normal((6, 4)).astype("float32")
    utils.set_random_seed(5)
    model = relu_layers(normalized, residual)
    gradients = {}
    try:
        for name in ("direct", "winograd"):
            config.set_conv_algorithm(name)
            model.compile(optimizers.SGD(1.0), losses.MeanSquaredError())
            before = model.get_weights()
            model.train_on_batch(x, y)
            gradients[name] = [b - a for a, b in zip(model.get_weights(), before, strict=True)]
            model.set_weights(before)
    finally:
        config.set_conv_algorithm("auto")
    for found, exact in zip(gradients["winograd"], gradients["direct"], strict=True):
        # Rounding of 1e-6, and what the subtraction of weights of about 1 leaves of a gradient.
        limit = 1e-4 * np.abs(exact).max() + 4 * np.finfo("float32").eps
        np.testing.assert_allclose(found, exact, rtol=0, atol=limit)


def test_adam_leaves_taps_alone_that_see_nothing(rng):
    """On images of one pixel all taps but one read padding: Adam would move them by its rate."""
    config.set_conv_algorithm("winograd")
    try:
        model = dlnative.Sequential(
            [dlnative.Input((1, 1, 16)), layers.Conv2D(16, 5, padding="same"), layers.Flatten()]
        )
        model.compile("adam", "mse")
        before = model.layers[0].kernel.numpy().copy()
        x = rng.standard_normal((8, 1, 1, 16)).astype("float32")
        model.fit(x, rng.standard_normal((8, 16)), epochs=3, verbose=0)
    finally:
        config.set_conv_algorithm("auto")
    moved = (model.layers[0].kernel.numpy() != before).any((2, 3))
    np.testing.assert_array_equal(moved, np.arange(25).reshape(5, 5) == 12)
