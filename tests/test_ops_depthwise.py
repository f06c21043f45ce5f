"""Depthwise convolution against the oracle in float64, with the bound of a sum of K products."""

import numpy as np
import pytest

from dlnative import reference
from dlnative.graph import table
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")
ACTIVATIONS = (None, "relu", "tanh", "gelu", "leaky_relu")

# (batch, height, width, channels, multiplier, kernel, strides, padding, dilation rate): blocks of
# pixels and single ones, one vector of channels, two, and parts, taps in and out of the image.
CASES = [
    (1, 7, 7, 16, 1, (3, 3), (1, 1), "same", (1, 1)),
    (2, 9, 21, 33, 1, (3, 3), (1, 1), "valid", (1, 1)),
    (2, 14, 15, 8, 1, (3, 3), (2, 2), "same", (1, 1)),
    (1, 12, 20, 17, 1, (3, 3), (2, 2), "valid", (1, 1)),
    (2, 8, 19, 5, 1, (5, 5), (1, 1), "same", (1, 1)),
    (1, 9, 9, 64, 1, (7, 7), (2, 2), "same", (1, 1)),
    (1, 6, 13, 3, 1, (3, 3), (1, 2), "same", (1, 1)),
    (1, 10, 11, 7, 1, (2, 3), (3, 2), "same", (1, 1)),
    (2, 13, 12, 9, 1, (3, 3), (1, 1), "same", (2, 2)),
    (1, 11, 14, 4, 1, (3, 2), (2, 3), (2, 1, 0, 3), (3, 2)),
    (1, 12, 12, 6, 1, (3, 3), (2, 2), (2, 2, 2, 2), (2, 4)),
    (1, 2, 2, 1, 1, (5, 5), (1, 1), "same", (1, 1)),
    (1, 3, 3, 2, 1, (1, 1), (2, 2), "same", (1, 1)),
    (1, 4, 4, 2, 1, (1, 1), (3, 3), (4, 0, 0, 7), (1, 1)),
    (2, 7, 9, 5, 2, (3, 3), (1, 1), "same", (1, 1)),
    (1, 9, 8, 3, 4, (3, 3), (2, 2), "same", (1, 1)),
    (1, 8, 30, 16, 3, (2, 5), (1, 2), "valid", (2, 1)),
    (0, 5, 5, 3, 2, (3, 3), (1, 1), "same", (1, 1)),
]


def draw(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def check(result, exact, magnitude, count, dtype, extra=0.0):
    """|fl(sum of K products) - exact| <= (K + 2) u sum |a b| (Higham 2002, 3.1), times 2."""
    limit = 2 * (count + 2) * np.finfo(dtype).eps / 2 * magnitude + np.finfo(dtype).tiny
    assert result.dtype == dtype and result.shape == exact.shape
    assert (np.abs(result - exact) <= limit + extra).all()


def geometry(case):
    return {"strides": case[6], "padding": case[7], "dilation_rate": case[8]}


def wide(*arrays):
    return [a.astype("float64") for a in arrays]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_forward(isa, rng, case, dtype):
    batch, height, width, channels, multiplier, window = case[:6]
    x = draw(rng, (batch, height, width, channels), dtype)
    kernel = draw(rng, (*window, channels, multiplier), dtype)
    bias = draw(rng, (channels * multiplier,), dtype)
    x64, kernel64 = wide(x, kernel)
    magnitude = reference.depthwise_conv2d(np.abs(x64), np.abs(kernel64), **geometry(case))
    exact = reference.depthwise_conv2d(x64, kernel64, **geometry(case))
    taps = window[0] * window[1]
    check(ops.depthwise_conv2d(x, kernel, **geometry(case)), exact, magnitude, taps, dtype)
    z = ops.depthwise_conv2d(x, kernel, bias, **geometry(case))
    check(z, exact + bias, magnitude + np.abs(bias), taps + 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_backward(isa, rng, case, dtype):
    batch, height, width, channels, multiplier, window = case[:6]
    x = draw(rng, (batch, height, width, channels), dtype)
    kernel = draw(rng, (*window, channels, multiplier), dtype)
    y = reference.depthwise_conv2d(x, kernel, **geometry(case))
    dy = draw(rng, y.shape, dtype)
    x64, kernel64, dy64 = wide(x, kernel, dy)

    attributes = {"input_shape": x.shape, **geometry(case)}
    check(
        ops.depthwise_conv2d_backward_input(dy, kernel, **attributes),
        reference.depthwise_conv2d_backward_input(dy64, kernel64, **attributes),
        reference.depthwise_conv2d_backward_input(np.abs(dy64), np.abs(kernel64), **attributes),
        window[0] * window[1] * multiplier,
        dtype,
    )
    attributes = {"kernel_size": window, **geometry(case)}
    places = batch * dy.shape[1] * dy.shape[2]
    dkernel, dbias = ops.depthwise_conv2d_backward_kernel(x, dy, bias=True, **attributes)
    check(
        dkernel,
        reference.depthwise_conv2d_backward_kernel(x64, dy64, **attributes),
        reference.depthwise_conv2d_backward_kernel(np.abs(x64), np.abs(dy64), **attributes),
        places,
        dtype,
    )
    check(dbias, dy64.sum((0, 1, 2)), np.abs(dy64).sum((0, 1, 2)), places, dtype)
    assert (dkernel == ops.depthwise_conv2d_backward_kernel(x, dy, **attributes)).all()


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("channels", [12, 64])
def test_images_too_large_for_the_caches(isa, rng, channels, strides):
    """What is asked for beforehand and written past the caches gives the values of small batches.

    Sums of these integers are exact in any order.
    """
    shape = (5_000_000 // (30 * 31 * channels), 30, 31, channels)
    options = {"strides": (strides, strides), "padding": "same"}
    x = rng.integers(-3, 4, shape).astype("float32")
    kernel, bias = (
        rng.integers(-3, 4, s).astype("float32") for s in ((3, 3, channels, 1), channels)
    )
    y = ops.depthwise_conv2d(x, kernel, bias, activation="relu", **options)
    dy = rng.integers(-3, 4, y.shape).astype("float32")
    dx = ops.depthwise_conv2d_backward_input(dy, kernel, input_shape=shape, **options)
    dkernel = ops.depthwise_conv2d_backward_kernel(x, dy, kernel_size=(3, 3), **options)
    sums = np.zeros_like(kernel)
    for part, dpart, result, gradient in zip(*(np.array_split(a, 5) for a in (x, dy, y, dx))):
        expected = ops.depthwise_conv2d(part, kernel, bias, activation="relu", **options)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(
            gradient,
            ops.depthwise_conv2d_backward_input(dpart, kernel, input_shape=part.shape, **options),
        )
        sums += ops.depthwise_conv2d_backward_kernel(part, dpart, kernel_size=(3, 3), **options)
    np.testing.assert_array_equal(dkernel, sums)


@pytest.mark.parametrize("seed", range(60))
def test_random_geometries(seed):
    """Any attributes at once, explicit padding larger than the kernel included, in float64."""
    rng = np.random.default_rng(seed)
    window, strides, dilation = (
        tuple(int(v) for v in rng.integers(1, most, 2)) for most in (6, 4, 4)
    )
    padding = ("same", "valid", tuple(int(v) for v in rng.integers(0, 7, 4)))[rng.integers(3)]
    height, width = (int((w - 1) * d + 1 + rng.integers(0, 12)) for w, d in zip(window, dilation))
    batch, channels, multiplier = (
        int(rng.integers(1, 4)),
        int(rng.integers(1, 20)),
        int(rng.choice([1, 1, 2, 3])),
    )
    case = (batch, height, width, channels, multiplier, window, strides, padding, dilation)
    x = rng.standard_normal((batch, height, width, channels))
    kernel = rng.standard_normal((*window, channels, multiplier))
    attributes, close = geometry(case), {"rtol": 1e-11, "atol": 1e-11, "err_msg": str(case)}
    y = reference.depthwise_conv2d(x, kernel, **attributes)
    np.testing.assert_allclose(ops.depthwise_conv2d(x, kernel, **attributes), y, **close)
    dy = rng.standard_normal(y.shape)
    for name, inputs, more in (
        ("depthwise_conv2d_backward_input", (dy, kernel), {"input_shape": x.shape}),
        ("depthwise_conv2d_backward_kernel", (x, dy), {"kernel_size": window}),
    ):
        expected = getattr(reference, name)(*inputs, **more, **attributes)
        found = getattr(ops, name)(*inputs, **more, **attributes)
        np.testing.assert_allclose(found, expected, **close)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("multiplier", [1, 2])
def test_fused_equals_unfused(isa, rng, multiplier, dtype):
    x, kernel = draw(rng, (2, 6, 9, 10), dtype), draw(rng, (3, 3, 10, multiplier), dtype)
    bias = draw(rng, (10 * multiplier,), dtype)
    z = ops.depthwise_conv2d(x, kernel, bias, padding="same")
    for name in ACTIVATIONS[1:]:
        expected = getattr(ops, name)(z)
        y = ops.depthwise_conv2d(x, kernel, bias, padding="same", activation=name)
        assert (y == expected).all(), name
        y, before = ops.depthwise_conv2d(
            x, kernel, bias, padding="same", activation=name, pre_activation=True
        )
        assert (y == expected).all() and (before == z).all(), name
    y = ops.depthwise_conv2d(x, kernel, padding="same", activation="relu", max_value=0.5)
    assert y.max() == 0.5


def test_relu_keeps_nan(isa):
    x = np.array([np.nan, -1.0, 0.0, 2.0, 3.0, -4.0], "float32").reshape(1, 2, 3, 1)
    y = ops.depthwise_conv2d(x, np.ones((1, 1, 1, 1), "float32"), activation="relu")
    assert np.isnan(y[0, 0, 0, 0]) and (y.ravel()[1:] == [0, 0, 2, 3, 0]).all()


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2)])
def test_same_bits_for_any_number_of_threads(threads, rng, strides, multiplier):
    x, kernel = draw(rng, (5, 40, 41, 48), "float32"), draw(rng, (3, 3, 48, multiplier), "float32")
    attributes = {"strides": strides, "padding": "same"}
    results = []
    for n_threads in (1, 2, 3, 5):
        threads(n_threads)
        y = ops.depthwise_conv2d(x, kernel, activation="tanh", **attributes)
        dx = ops.depthwise_conv2d_backward_input(y, kernel, input_shape=x.shape, **attributes)
        dkernel, dbias = ops.depthwise_conv2d_backward_kernel(
            x, y, kernel_size=(3, 3), bias=True, **attributes
        )
        results.append(b"".join(v.tobytes() for v in (y, dx, dkernel, dbias)))
    assert len(set(results)) == 1


def test_long_sums(rng, isa):
    """The gradient of a kernel over 200 000 pixels is cut into parts and still within its bound."""
    x = draw(rng, (13, 125, 125, 9), "float32") + 1
    dy = draw(rng, x.shape, "float32") + 1
    attributes = {"kernel_size": (3, 3), "padding": "same"}
    x64, dy64 = wide(x, dy)
    exact = reference.depthwise_conv2d_backward_kernel(x64, dy64, **attributes)
    result = ops.depthwise_conv2d_backward_kernel(x, dy, **attributes)
    magnitude = reference.depthwise_conv2d_backward_kernel(np.abs(x64), np.abs(dy64), **attributes)
    # Parts of at most 1/20 of the pixels are summed in float32, then the parts.
    check(result, exact, magnitude, x.size / 9 / 20 + 64, "float32")


def test_margins_are_not_read(isa, rng):
    """NaN around the operands must not reach the result."""

    def framed(*shape):
        whole = np.full((shape[0] + 2, *shape[1:]), np.nan, "float32")
        whole[1:-1] = rng.standard_normal(shape)
        return whole[1:-1]

    for channels, multiplier, strides in [(3, 1, (1, 1)), (9, 1, (2, 2)), (5, 2, (1, 1))]:
        x, kernel = framed(1, 6, 7, channels), framed(3, 3, channels, multiplier)
        for padding in ("same", "valid"):
            attributes = {"strides": strides, "padding": padding}
            y = ops.depthwise_conv2d(x, kernel, **attributes)
            dy = framed(*y.shape)
            assert np.isfinite(y).all()
            dx = ops.depthwise_conv2d_backward_input(dy, kernel, input_shape=x.shape, **attributes)
            assert np.isfinite(dx).all()
            dkernel = ops.depthwise_conv2d_backward_kernel(x, dy, kernel_size=(3, 3), **attributes)
            assert np.isfinite(dkernel).all()


def test_against_torch(rng):
    torch = pytest.importorskip("torch")
    for case in CASES[:9] + CASES[14:16]:
        batch, height, width, channels, multiplier, window, strides, padding, dilation = case
        if padding == "same":  # what torch can say: symmetric padding, here of the kernel's half
            half = [(k - 1) * d // 2 for k, d in zip(window, dilation)]
            padding = (half[0], half[0], half[1], half[1])
        pads = (0, 0) if padding == "valid" else (padding[0], padding[2])
        attributes = {"strides": strides, "padding": padding, "dilation_rate": dilation}
        x = torch.randn(batch, channels, height, width, requires_grad=True)
        kernel = torch.randn(channels * multiplier, 1, *window, requires_grad=True)
        y = torch.nn.functional.conv2d(x, kernel, None, strides, pads, dilation, groups=channels)
        dy = torch.randn_like(y)
        y.backward(dy)
        x_ours = np.ascontiguousarray(x.detach().permute(0, 2, 3, 1).numpy())
        kernel_ours = kernel.detach().permute(2, 3, 0, 1).reshape(*window, channels, multiplier)
        kernel_ours = np.ascontiguousarray(kernel_ours.numpy())
        dy_ours = dy.permute(0, 2, 3, 1).numpy()
        ours = ops.depthwise_conv2d(x_ours, kernel_ours, **attributes)
        np.testing.assert_allclose(
            ours, y.detach().permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-4
        )
        dx = ops.depthwise_conv2d_backward_input(
            dy_ours, kernel_ours, input_shape=x_ours.shape, **attributes
        )
        np.testing.assert_allclose(dx, x.grad.permute(0, 2, 3, 1).numpy(), rtol=1e-4, atol=1e-4)
        dkernel = ops.depthwise_conv2d_backward_kernel(
            x_ours, dy_ours, kernel_size=window, **attributes
        )
        expected = kernel.grad.permute(2, 3, 0, 1).reshape(dkernel.shape).numpy()
        np.testing.assert_allclose(dkernel, expected, rtol=1e-3, atol=1e-3)


def test_against_keras(rng, keras):
    pytest.importorskip("jax")
    for stride, padding, multiplier in [(1, "same", 1), (2, "same", 1), (2, "valid", 2)]:
        x = draw(rng, (2, 11, 12, 9), "float32")
        kernel = draw(rng, (3, 4, 9, multiplier), "float32")
        strides = (stride, stride)
        expected = keras.ops.depthwise_conv(x, kernel, strides, padding, "channels_last")
        y = ops.depthwise_conv2d(x, kernel, strides=strides, padding=padding)
        np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: ops.depthwise_conv2d(x, np.zeros((5, 5, 3, 1))), "larger than the padded input"),
        (lambda x: ops.depthwise_conv2d(x, np.zeros((3, 3, 2, 1))), "input with 2 channels"),
        (lambda x: ops.depthwise_conv2d(x, np.zeros((3, 3, 3))), "expected a kernel of shape"),
        (lambda x: ops.depthwise_conv2d(x[0], np.zeros((3, 3, 3, 1))), "expected 'x' of shape"),
        (lambda x: ops.depthwise_conv2d(x, np.zeros((1, 1, 3, 2)), np.zeros(3)), "expected a bias"),
        (
            lambda x: ops.depthwise_conv2d(x, np.zeros((1, 1, 3, 1)), padding="full"),
            "expected padding 'valid', 'same'",
        ),
        (
            lambda x: ops.depthwise_conv2d(x, np.zeros((1, 1, 3, 1)), strides=(0, 1)),
            "expected 'strides'",
        ),
        (
            lambda x: ops.depthwise_conv2d(x, np.zeros((1, 1, 3, 1)), activation="swoosh"),
            "unknown activation 'swoosh'",
        ),
        (
            lambda x: ops.depthwise_conv2d_backward_input(
                x, np.zeros((1, 1, 3, 1)), input_shape=(1, 5, 4, 3)
            ),
            "expected dy of shape",
        ),
        (
            lambda x: ops.depthwise_conv2d_backward_kernel(x, x[..., :2], kernel_size=(1, 1)),
            "multiple of 3 channels",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((1, 4, 4, 3)))


def test_flops():
    from dlnative.graph import Graph, apply

    graph = Graph()
    x, kernel = graph.feed((2, 8, 8, 3), "float32"), graph.feed((3, 3, 3, 2), "float32")
    y = apply("depthwise_conv2d", x, kernel, padding="same")
    assert table["depthwise_conv2d"].flops(y.node) == 2 * y.size * 9
