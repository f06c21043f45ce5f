"""Convolution against the oracle in float64, with the bound of a sum of K products."""

import itertools

import numpy as np
import pytest

from dlnative import reference
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")

# (batch, sizes, channels in and out, kernel, strides, padding, dilation rate, groups): tile edges,
# images of 1 and 3 channels, strides larger than the kernel, pixels that no tap reads, 1x1 kernels,
# one place only, kernels larger than the image, vectors and parts of vectors of channels.
CASES = [
    (1, (7, 9), 1, 6, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, (11, 13), 3, 16, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, (9, 9), 3, 17, (5, 5), (1, 1), "valid", (1, 1), 1),
    (1, (15, 14), 3, 64, (7, 7), (2, 2), "same", (1, 1), 1),
    (2, (8, 8), 16, 16, (3, 3), (1, 1), "same", (1, 1), 1),
    (1, (7, 7), 17, 33, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, (6, 5), 33, 17, (3, 3), (2, 2), "same", (1, 1), 1),
    (1, (13, 11), 16, 33, (3, 3), (2, 2), "valid", (1, 1), 1),
    (3, (4, 4), 64, 64, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, (16, 16), 64, 33, (3, 3), (2, 2), "same", (1, 1), 1),
    (1, (10, 9), 6, 16, (5, 5), (1, 1), "same", (1, 1), 1),
    (1, (12, 10), 6, 17, (5, 5), (3, 2), "same", (1, 1), 1),
    (2, (9, 7), 17, 16, (1, 1), (1, 1), "valid", (1, 1), 1),
    (2, (9, 8), 16, 64, (1, 1), (2, 2), "same", (1, 1), 1),
    (1, (7, 10), 33, 1, (1, 1), (3, 3), "valid", (1, 1), 1),
    (1, (8, 9), 6, 3, (2, 2), (2, 2), "valid", (1, 1), 1),
    (1, (9, 9), 6, 16, (2, 2), (1, 1), "same", (1, 1), 1),
    (1, (11, 12), 16, 6, (2, 3), (3, 3), "same", (1, 1), 1),
    (2, (12, 13), 16, 17, (3, 3), (1, 1), "same", (2, 2), 1),
    (1, (14, 11), 6, 16, (3, 3), (1, 1), "valid", (3, 2), 1),
    (1, (12, 12), 3, 16, (3, 3), (2, 2), "same", (2, 2), 1),
    (1, (13, 12), 6, 6, (3, 2), (2, 3), (2, 1, 0, 3), (3, 2), 1),
    (1, (5, 6), 16, 16, (3, 3), (1, 1), (3, 0, 4, 1), (1, 1), 1),
    (2, (8, 7), 16, 32, (3, 3), (1, 1), "same", (1, 1), 2),
    (1, (9, 8), 12, 6, (3, 3), (2, 2), "same", (1, 1), 3),
    (1, (6, 6), 64, 64, (3, 3), (1, 1), "same", (1, 1), 4),
    (1, (8, 7), 6, 6, (3, 3), (1, 1), "same", (1, 1), 6),
    (2, (5, 5), 8, 16, (1, 1), (1, 1), "valid", (1, 1), 4),
    (1, (1, 1), 16, 17, (3, 3), (1, 1), "same", (1, 1), 1),
    (1, (2, 3), 6, 16, (7, 7), (1, 1), "same", (1, 1), 1),
    (1, (5, 5), 17, 16, (5, 5), (1, 1), "valid", (1, 1), 1),
    (1, (1, 40), 3, 33, (1, 3), (1, 1), "valid", (1, 1), 1),
    (0, (5, 5), 3, 6, (3, 3), (1, 1), "same", (1, 1), 1),
    (2, (17,), 3, 16, (3,), (1,), "same", (1,), 1),
    (1, (20,), 17, 33, (5,), (2,), "same", (1,), 1),
    (2, (19,), 16, 6, (3,), (1,), "valid", (4,), 2),
    (1, (9,), 6, 17, (2,), (3,), (2, 0), (1,), 1),
    # So many images that all phases of one are one task.
    (9, (8, 7), 16, 17, (3, 3), (2, 2), "same", (1, 1), 1),
    (8, (6, 7), 12, 8, (3, 3), (2, 2), "same", (1, 1), 2),
]

# (batch, sizes, channels in and out, kernel, strides, padding, output padding, dilation rate)
TRANSPOSED = [
    (2, (5, 6), 16, 17, (3, 3), (2, 2), "same", None, (1, 1)),
    (1, (4, 5), 33, 16, (3, 3), (2, 2), "valid", None, (1, 1)),
    (1, (7, 7), 6, 3, (5, 5), (1, 1), "same", None, (1, 1)),
    (2, (4, 4), 16, 6, (2, 2), (2, 2), "valid", None, (1, 1)),
    (1, (3, 4), 17, 16, (4, 4), (2, 2), "same", None, (1, 1)),
    (1, (3, 5), 6, 16, (2, 2), (3, 3), "same", None, (1, 1)),
    (1, (3, 5), 6, 16, (2, 3), (3, 2), "valid", (2, 1), (1, 1)),
    (1, (4, 3), 6, 5, (3, 4), (3, 2), "same", (1, 0), (1, 1)),
    (1, (6, 5), 16, 6, (3, 3), (1, 1), "same", None, (2, 2)),
    (1, (5, 4), 3, 16, (3, 3), (2, 2), (1, 1, 1, 0), (1, 0), (1, 1)),
    (2, (6, 6), 16, 16, (1, 1), (2, 2), "same", None, (1, 1)),
    (2, (9,), 6, 16, (3,), (2,), "same", None, (1,)),
    (1, (8,), 16, 3, (4,), (3,), "valid", (1,), (1,)),
    (0, (4, 4), 3, 2, (3, 3), (2, 2), "same", None, (1, 1)),
    (9, (5, 6), 17, 16, (4, 4), (2, 2), "same", None, (1, 1)),
    # Few channels out: several images a task, bands of rows, one line and many of them.
    (23, (7, 7), 16, 1, (4, 4), (2, 2), "same", None, (1, 1)),
    (1, (24, 130), 16, 3, (5, 5), (2, 2), "same", None, (1, 1)),
    (9, (15, 35), 17, 1, (3, 3), (1, 1), "same", None, (1, 1)),
    (2, (6, 9), 16, 2, (5, 4), (3, 3), "valid", None, (1, 1)),
    (2, (70,), 33, 1, (4,), (2,), "same", None, (1,)),
]


def draw(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def check(result, exact, magnitude, count, dtype, extra=0.0):
    """|fl(sum of K products) - exact| <= (K + 2) u sum |a b| (Higham 2002, 3.1), times 2."""
    limit = 2 * (count + 2) * np.finfo(dtype).eps / 2 * magnitude + np.finfo(dtype).tiny
    assert result.dtype == dtype and result.shape == exact.shape
    assert (np.abs(result - exact) <= limit + extra).all()


def wide(*arrays):
    return [a.astype("float64") for a in arrays]


def unpack(case):
    """The op's name, shapes of x and of the kernel, and the attributes."""
    batch, sizes, channels_in, channels_out, window, strides, padding, dilation, groups = case
    attributes = {
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilation,
        "groups": groups,
    }
    kernel = (*window, channels_in // groups, channels_out)
    return f"conv{len(sizes)}d", (batch, *sizes, channels_in), kernel, attributes


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_forward(isa, rng, case, dtype):
    op, image, weights, attributes = unpack(case)
    x, kernel = draw(rng, image, dtype), draw(rng, weights, dtype)
    bias = draw(rng, weights[-1:], dtype)
    x64, kernel64 = wide(x, kernel)
    oracle, native = getattr(reference, op), getattr(ops, op)
    exact = oracle(x64, kernel64, **attributes)
    magnitude = oracle(np.abs(x64), np.abs(kernel64), **attributes)
    count = np.prod(weights[:-1])
    check(native(x, kernel, **attributes), exact, magnitude, count, dtype)
    z = native(x, kernel, bias, **attributes)
    check(z, exact + bias, magnitude + np.abs(bias), count + 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", CASES)
def test_backward(isa, rng, case, dtype):
    op, image, weights, attributes = unpack(case)
    x, kernel = draw(rng, image, dtype), draw(rng, weights, dtype)
    dy = draw(rng, getattr(reference, op)(x, kernel, **attributes).shape, dtype)
    x64, kernel64, dy64 = wide(x, kernel, dy)
    attributes["input_shape"] = image
    backward = getattr(reference, f"{op}_backward_input")
    dx = getattr(ops, f"{op}_backward_input")(dy, kernel, **attributes)
    exact = backward(dy64, kernel64, **attributes)
    magnitude = backward(np.abs(dy64), np.abs(kernel64), **attributes)
    check(dx, exact, magnitude, np.prod(weights[:-2]) * weights[-1], dtype)
    del attributes["input_shape"]
    attributes["kernel_size"] = weights[:-2]
    backward = getattr(reference, f"{op}_backward_kernel")
    native = getattr(ops, f"{op}_backward_kernel")
    dkernel, dbias = native(x, dy, bias=True, **attributes)
    exact = backward(x64, dy64, **attributes)
    magnitude = backward(np.abs(x64), np.abs(dy64), **attributes)
    places = np.prod(dy.shape[:-1])
    check(dkernel, exact, magnitude, places, dtype)
    summed = tuple(range(dy.ndim - 1))
    check(dbias, dy64.sum(summed), np.abs(dy64).sum(summed), places, dtype)
    assert (dkernel == native(x, dy, **attributes)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", TRANSPOSED)
def test_transposed(isa, rng, case, dtype):
    batch, sizes, channels_in, channels_out, window, strides, padding, extra, dilation = case
    op = f"conv{len(sizes)}d_transpose"
    attributes = {
        "strides": strides,
        "padding": padding,
        "output_padding": extra,
        "dilation_rate": dilation,
    }
    x = draw(rng, (batch, *sizes, channels_in), dtype)
    kernel = draw(rng, (*window, channels_out, channels_in), dtype)
    bias = draw(rng, (channels_out,), dtype)
    x64, kernel64 = wide(x, kernel)
    oracle, native = getattr(reference, op), getattr(ops, op)
    exact = oracle(x64, kernel64, **attributes)
    magnitude = oracle(np.abs(x64), np.abs(kernel64), **attributes)
    count = np.prod(window) * channels_in
    check(native(x, kernel, **attributes), exact, magnitude, count, dtype)
    z = native(x, kernel, bias, **attributes)
    check(z, exact + bias, magnitude + np.abs(bias), count + 1, dtype)
    for name in ("relu", "tanh"):
        y = native(x, kernel, bias, activation=name, **attributes)
        assert (y == getattr(ops, name)(z)).all()
    y, before = native(x, kernel, bias, activation="gelu", pre_activation=True, **attributes)
    assert (y == ops.gelu(z)).all() and (before == z).all()


@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5, 7])
@pytest.mark.parametrize("channels_in, channels_out", [(1, 3), (3, 64), (6, 33), (17, 16), (64, 1)])
def test_many_geometries(rng, kernel_size, channels_in, channels_out):
    """All strides and dilations with a kernel and channels, forward and backward, in float32."""
    kernel = draw(rng, (kernel_size, kernel_size, channels_in, channels_out), "float32")
    for stride, dilation, padding, size in itertools.product(
        (1, 2, 3), (1, 2), ("same", "valid"), (6, 13, 15)
    ):
        if padding == "valid" and (kernel_size - 1) * dilation >= size:
            continue
        attributes = {
            "strides": (stride, stride),
            "padding": padding,
            "dilation_rate": (dilation, dilation),
        }
        x = draw(rng, (1, size, size - 1 if padding == "same" else size, channels_in), "float32")
        y = ops.conv2d(x, kernel, **attributes)
        x64, kernel64 = wide(x, kernel)
        magnitude = reference.conv2d(np.abs(x64), np.abs(kernel64), **attributes)
        exact = reference.conv2d(x64, kernel64, **attributes)
        check(y, exact, magnitude, kernel_size**2 * channels_in, "float32")
        dy = draw(rng, y.shape, "float32")
        dx = ops.conv2d_backward_input(dy, kernel, input_shape=x.shape, **attributes)
        dkernel = ops.conv2d_backward_kernel(
            x, dy, kernel_size=(kernel_size, kernel_size), **attributes
        )
        # The adjoints: <dy, conv(x)> = <dx, x> = <dkernel, kernel>, up to rounding.
        product = np.vdot(dy.astype("float64"), exact)
        unit = 1e-5 * np.vdot(np.abs(dy), magnitude)
        assert abs(np.vdot(dx.astype("float64"), x64) - product) <= unit
        assert abs(np.vdot(dkernel.astype("float64"), kernel64) - product) <= unit


@pytest.mark.parametrize("seed", range(60))
def test_random_geometries(seed):
    """Any attributes at once, explicit padding larger than the kernel included, in float64."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(1, 3))
    window, strides, dilation, groups = (
        tuple(int(v) for v in rng.integers(1, 5, rank)),
        tuple(int(v) for v in rng.integers(1, 4, rank)),
        tuple(int(v) for v in rng.integers(1, 4, rank)),
        int(rng.choice([1, 1, 2, 3])),
    )
    padding = tuple(int(v) for v in rng.integers(0, 7, 2 * rank))
    padding = ("same", "valid", padding)[rng.integers(3)]
    spans = [(w - 1) * d + 1 for w, d in zip(window, dilation)]
    sizes = tuple(int(s + rng.integers(0, 9)) for s in spans)
    channels_in, channels_out = (groups * int(v) for v in rng.integers(1, 20, 2))
    batch = int(rng.integers(1, 4))
    case = (batch, sizes, channels_in, channels_out, window, strides, padding, dilation, groups)
    op, image, weights, attributes = unpack(case)
    x, kernel = rng.standard_normal(image), rng.standard_normal(weights)
    close = {"rtol": 1e-11, "atol": 1e-11, "err_msg": str(case)}
    y = getattr(reference, op)(x, kernel, **attributes)
    np.testing.assert_allclose(getattr(ops, op)(x, kernel, **attributes), y, **close)
    dy = rng.standard_normal(y.shape)
    for name, inputs, more in (
        ("_backward_input", (dy, kernel), {"input_shape": image}),
        ("_backward_kernel", (x, dy), {"kernel_size": window}),
    ):
        expected = getattr(reference, op + name)(*inputs, **more, **attributes)
        found = getattr(ops, op + name)(*inputs, **more, **attributes)
        np.testing.assert_allclose(found, expected, **close)


FUSED = [CASES[i] for i in (1, 4, 9, 12, 13, 23, 33, -2, -1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("case", FUSED)
def test_fused_equals_unfused(isa, conv_algorithm, rng, case, dtype):
    """The epilogue's activations have the bits of the ops."""
    op, image, weights, attributes = unpack(case)
    x, kernel = draw(rng, image, dtype), draw(rng, weights, dtype)
    bias, native = draw(rng, weights[-1:], dtype), getattr(ops, op)
    z = native(x, kernel, bias, **attributes)
    for name in ("relu", "tanh", "gelu", "leaky_relu"):
        expected = getattr(ops, name)(z)
        assert (native(x, kernel, bias, activation=name, **attributes) == expected).all(), name
        y, before = native(x, kernel, bias, activation=name, pre_activation=True, **attributes)
        assert (y == expected).all() and (before == z).all(), name
    dy, saved = draw(rng, z.shape, dtype), draw(rng, image, dtype)
    backward = getattr(ops, f"{op}_backward_input")
    attributes["input_shape"] = image
    dx = backward(dy, kernel, **attributes)
    for name in ("relu", "tanh", "gelu"):
        fused = backward(dy, kernel, saved, activation=name, **attributes)
        assert (fused == getattr(ops, name + "_backward")(dx, saved)).all(), name


@pytest.mark.parametrize(
    "case",
    [
        (4, (33, 31), 3, 32, (3, 3), (1, 1), "same", (1, 1), 1),
        (3, (28, 27), 16, 33, (3, 3), (1, 1), "same", (1, 1), 1),
        (2, (30, 30), 32, 64, (3, 3), (2, 2), "same", (1, 1), 1),
        (5, (14, 15), 64, 48, (1, 1), (1, 1), "valid", (1, 1), 1),
        (5, (28, 28), 32, 32, (1, 1), (2, 2), "same", (1, 1), 1),
        (3, (20, 20), 32, 32, (3, 3), (1, 1), "same", (1, 1), 4),
        (3, (24, 24), 16, 16, (5, 5), (1, 1), "same", (2, 2), 1),
        (2, (4, 4), 256, 256, (3, 3), (1, 1), "same", (1, 1), 1),
        (4, (300,), 16, 32, (5,), (1,), "same", (1,), 1),
        (41, (14, 14), 1, 32, (4, 4), (2, 2), "same", (1, 1), 1),
        (1, (60, 260), 3, 64, (4, 4), (2, 2), "same", (1, 1), 1),
    ],
)
def test_same_bits_for_any_number_of_threads(threads, conv_algorithm, rng, case):
    op, image, weights, attributes = unpack(case)
    x, kernel = draw(rng, image, "float32"), draw(rng, weights, "float32")
    bias = draw(rng, weights[-1:], "float32")
    results = []
    for n_threads in (1, 2, 3):
        threads(n_threads)
        y = getattr(ops, op)(x, kernel, bias, activation="relu", **attributes)
        dx = getattr(ops, f"{op}_backward_input")(y, kernel, input_shape=image, **attributes)
        dkernel, dbias = getattr(ops, f"{op}_backward_kernel")(
            x, y, kernel_size=weights[:-2], bias=True, **attributes
        )
        results.append(b"".join(v.tobytes() for v in (y, dx, dkernel, dbias)))
    assert len(set(results)) == 1


def test_margins_are_not_read(isa, conv_algorithm, rng):
    """NaN around the operands must not reach the result."""

    def framed(*shape):
        whole = np.full((shape[0] + 2, *shape[1:]), np.nan, "float32")
        whole[1:-1] = rng.standard_normal(shape)
        return whole[1:-1]

    for case in CASES[:32:3]:
        op, image, weights, attributes = unpack(case)
        x, kernel = framed(*image), framed(*weights)
        y = getattr(ops, op)(x, kernel, **attributes)
        dy = framed(*y.shape)
        assert np.isfinite(y).all()
        backward = getattr(ops, f"{op}_backward_input")
        assert np.isfinite(backward(dy, kernel, input_shape=image, **attributes)).all()
        backward = getattr(ops, f"{op}_backward_kernel")
        assert np.isfinite(backward(x, dy, kernel_size=weights[:-2], **attributes)).all()


def nchw(array):
    return array.permute(0, 2, 3, 1).detach().numpy()


def test_against_torch(rng):
    torch = pytest.importorskip("torch")
    for channels_in, channels_out, window, stride, pad, dilation, groups in [
        (3, 16, 3, 1, 1, 1, 1),
        (16, 33, 3, 2, 1, 1, 1),
        (6, 17, 5, 1, 2, 1, 1),
        (16, 32, 1, 2, 0, 1, 1),
        (16, 32, 3, 1, 2, 2, 4),
        (3, 64, 7, 2, 3, 1, 1),
    ]:
        torch.manual_seed(int(rng.integers(1 << 30)))
        x = torch.randn(2, channels_in, 13, 12, requires_grad=True)
        kernel = torch.randn(
            channels_out, channels_in // groups, window, window, requires_grad=True
        )
        y = torch.nn.functional.conv2d(x, kernel, None, stride, pad, dilation, groups)
        dy = torch.randn_like(y)
        y.backward(dy)
        attributes = {
            "strides": (stride, stride),
            "padding": (pad,) * 4,
            "dilation_rate": (dilation, dilation),
            "groups": groups,
        }
        weights = kernel.detach().permute(2, 3, 1, 0).numpy()
        close = {"rtol": 1e-4, "atol": 1e-3}
        np.testing.assert_allclose(ops.conv2d(nchw(x), weights, **attributes), nchw(y), **close)
        dx = ops.conv2d_backward_input(nchw(dy), weights, input_shape=nchw(x).shape, **attributes)
        np.testing.assert_allclose(dx, nchw(x.grad), **close)
        dkernel = ops.conv2d_backward_kernel(
            nchw(x), nchw(dy), kernel_size=(window, window), **attributes
        )
        np.testing.assert_allclose(dkernel, kernel.grad.permute(2, 3, 1, 0).numpy(), **close)
    for window, stride, pad, extra, dilation in [(3, 2, 1, 1, 1), (4, 2, 1, 0, 1), (3, 1, 2, 0, 2)]:
        x, kernel = torch.randn(2, 6, 7, 5), torch.randn(6, 9, window, window)
        y = torch.nn.functional.conv_transpose2d(
            x, kernel, None, stride, pad, extra, dilation=dilation
        )
        ours = ops.conv2d_transpose(
            nchw(x),
            kernel.permute(2, 3, 1, 0).numpy(),
            strides=(stride, stride),
            padding=(pad,) * 4,
            output_padding=(extra, extra),
            dilation_rate=(dilation, dilation),
        )
        np.testing.assert_allclose(ours, nchw(y), rtol=1e-4, atol=1e-3)


def test_against_keras(rng, keras):
    pytest.importorskip("jax")
    for case in CASES[:32] + CASES[33:36]:
        op, image, weights, attributes = unpack(case)
        if image[0] == 0 or not isinstance(attributes["padding"], str):
            continue
        if max(attributes["strides"]) > 1 and max(attributes["dilation_rate"]) > 1:
            continue  # Keras refuses both
        x, kernel = draw(rng, image, "float32"), draw(rng, weights, "float32")
        expected = keras.ops.conv(
            x,
            kernel,
            attributes["strides"],
            attributes["padding"],
            "channels_last",
            attributes["dilation_rate"],
        )
        y = getattr(ops, op)(x, kernel, **attributes)
        np.testing.assert_allclose(y, np.asarray(expected), rtol=1e-4, atol=1e-3, err_msg=str(case))
    for window, stride, padding, extra, size in itertools.product(
        (2, 3), (1, 2, 3), ("same", "valid"), (None, 0, 1, 2), (4,)
    ):
        if extra is not None and extra >= stride:
            continue
        x, kernel = (
            draw(rng, (2, size, size + 1, 6), "float32"),
            draw(rng, (window, window, 5, 6), "float32"),
        )
        extras = None if extra is None else (extra, extra)
        expected = keras.ops.conv_transpose(
            x, kernel, (stride, stride), padding, extras, "channels_last"
        )
        y = ops.conv2d_transpose(
            x, kernel, strides=(stride, stride), padding=padding, output_padding=extras
        )
        np.testing.assert_allclose(
            y,
            np.asarray(expected),
            rtol=1e-4,
            atol=1e-4,
            err_msg=str((window, stride, padding, extra)),
        )
