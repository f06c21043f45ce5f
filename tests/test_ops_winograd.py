"""Winograd's convolutions F(4x4, 3x3), F(2x2, 5x5) against the oracle, with a bound of their own.

The matrices are built here anew: row i of B' has the coefficients of the polynomial that vanishes
at all points but the i-th, G and A' have powers of the points, and G is divided by what the first
polynomial is at its point.
"""

from math import prod

import numpy as np
import pytest
from numpy.polynomial import polynomial

import dlnative
from dlnative import config, layers, reference
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")
POINTS = (0.0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)

# (batch, sizes, channels in and out, padding): parts of tiles and of vectors, images smaller than a
# tile, tiles of several images at a time, several blocks of columns, padding of all kinds.
CASES = [
    (1, (4, 4), 8, 8, "same"),
    (2, (7, 9), 5, 7, "same"),
    (3, (13, 6), 19, 33, "valid"),
    (2, (3, 3), 4, 3, "valid"),
    (1, (1, 1), 16, 17, "same"),
    (2, (2, 5), 3, 16, "same"),
    (37, (4, 4), 24, 8, "same"),
    (2, (33, 31), 16, 16, "same"),
    (3, (16, 16), 130, 70, "same"),
    (1, (8, 8), 33, 200, "valid"),
    (2, (5, 6), 16, 16, (3, 0, 4, 1)),
    (0, (5, 5), 3, 6, "same"),
]


def matrices(taps):
    """B', G and A' of Winograd's convolution, from the points."""
    n = len(POINTS) + 1
    tile = n + 1 - taps
    b, g, a = np.zeros((n, n)), np.zeros((n, taps)), np.zeros((tile, n))
    for i, point in enumerate(POINTS):
        others = [p for p in POINTS if p != point]
        b[i, : n - 1] = polynomial.polyfromroots(others)
        g[i] = np.power(point, np.arange(taps)) / prod(point - p for p in others)
        a[:, i] = np.power(point, np.arange(tile))
    b[-1] = polynomial.polyfromroots(POINTS)
    g[-1, -1] = a[-1, -1] = 1.0
    return b, g, a


def square(matrix, values):
    """M v M' for the axes 1 and 2 of `values`, in absolute values."""
    matrix = np.abs(matrix)
    return np.einsum("ir,trsc,js->tijc", matrix, np.abs(values), matrix, optimize=True)


def patches(x, tile, tiles, size, before=(0, 0)):
    """The squares of `size` pixels that begin `before` each tile, (tiles, size, size, channels)."""
    after = [tile * t + size - n for t, n in zip(tiles, x.shape[1:3], strict=True)]
    around = [(max(b, 0), a) for b, a in zip(before, after, strict=True)]
    shifted = np.pad(x, ((0, 0), *around, (0, 0)))
    shifted = shifted[:, max(-before[0], 0) :, max(-before[1], 0) :]
    return np.concatenate(
        [
            shifted[:, tile * i : tile * i + size, tile * j : tile * j + size]
            for i in range(tiles[0])
            for j in range(tiles[1])
        ]
    )


def magnitude(x, kernel, before, sizes):
    """The convolution's value if nothing cancelled on its way: |A'| ((|G| |g| |G'|) . ...) |A|."""
    b, g, a = matrices(len(kernel))
    tile = len(a)
    tiles = [-(-n // tile) for n in sizes]
    inputs = square(b, patches(x, tile, tiles, 6, before))
    weights = square(g, kernel.reshape(1, *kernel.shape[:2], -1))
    weights = weights.reshape(6, 6, *kernel.shape[2:])
    products = np.einsum("tijc,ijck->tijk", inputs, weights, optimize=True)
    results = square(a, products).reshape(*tiles, len(x), tile, tile, -1)
    whole = results.transpose(2, 0, 3, 1, 4, 5)
    whole = whole.reshape(len(x), tile * tiles[0], tile * tiles[1], -1)
    return whole[:, : sizes[0], : sizes[1]]


def kernel_magnitude(x, dy, taps, before):
    """The same for the gradient of the kernel."""
    b, g, a = matrices(taps)
    tile = len(a)
    tiles = [-(-n // tile) for n in dy.shape[1:3]]
    inputs = square(b, patches(x, tile, tiles, 6, before))
    outputs = square(a.T, patches(dy, tile, tiles, tile))
    sums = np.einsum("tijc,tijk->ijck", inputs, outputs, optimize=True)
    result = square(g.T, sums.reshape(1, 6, 6, -1))
    return result.reshape(taps, taps, x.shape[-1], dy.shape[-1])


def check(result, exact, magnitude, count, dtype):
    """|error| <= (count + 45) u magnitude.

    `count` products are added, with a rounding each; three transforms of two passes have at most
    seven roundings per term and pass (those of at most two constants, one or two products, three
    sums), and parts of a sum are added, at most sixteen.
    """
    unit = np.finfo(dtype).eps / 2
    limit = 1.01 * (count + 3 * 2 * 7 + 3 + 16) * unit * magnitude + np.finfo(dtype).tiny
    assert result.dtype == dtype and result.shape == exact.shape
    assert (np.abs(result - exact) <= limit).all()


@pytest.fixture
def winograd():
    """Winograd's algorithm wherever it applies, for the length of a test."""
    config.set_conv_algorithm("winograd")
    yield
    config.set_conv_algorithm("auto")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("taps", [3, 5])
@pytest.mark.parametrize("case", CASES)
def test_against_the_oracle(isa, winograd, rng, case, taps, dtype):
    batch, sizes, channels, filters, padding = case
    if padding == "valid":
        sizes = tuple(n + taps - 3 for n in sizes)
    x = rng.standard_normal((batch, *sizes, channels)).astype(dtype)
    kernel = rng.standard_normal((taps, taps, channels, filters)).astype(dtype)
    bias = rng.standard_normal(filters).astype(dtype)
    x64, kernel64 = x.astype("float64"), kernel.astype("float64")
    exact = reference.conv2d(x64, kernel64, padding=padding)
    before = {"same": 2 * (taps // 2,), "valid": (0, 0)}.get(padding) or padding[::2]
    sums = magnitude(x64, kernel64, before, exact.shape[1:3]) if batch else exact
    check(ops.conv2d(x, kernel, padding=padding), exact, sums, channels, dtype)
    y = ops.conv2d(x, kernel, bias, padding=padding)
    check(y, exact + bias, sums + np.abs(bias), channels + 1, dtype)

    dy = rng.standard_normal(exact.shape).astype(dtype)
    dy64 = dy.astype("float64")
    dx = ops.conv2d_backward_input(dy, kernel, input_shape=x.shape, padding=padding)
    exact = reference.conv2d_backward_input(dy64, kernel64, input_shape=x.shape, padding=padding)
    turned = kernel64[::-1, ::-1].swapaxes(2, 3)
    sums = magnitude(dy64, turned, [taps - 1 - b for b in before], sizes) if batch else exact
    check(dx, exact, sums, filters, dtype)

    dkernel, dbias = ops.conv2d_backward_kernel(
        x, dy, kernel_size=(taps, taps), padding=padding, bias=True
    )
    exact = reference.conv2d_backward_kernel(x64, dy64, kernel_size=(taps, taps), padding=padding)
    sums = kernel_magnitude(x64, dy64, taps, before) if batch else exact
    tiles = batch * prod(-(-n // (7 - taps)) for n in dy.shape[1:3])
    check(dkernel, exact, sums, tiles, dtype)
    axes = (0, 1, 2)
    check(dbias, dy64.sum(axes), np.abs(dy64).sum(axes), dy[..., 0].size, dtype)
    alone = ops.conv2d_backward_kernel(x, dy, kernel_size=(taps, taps), padding=padding)
    np.testing.assert_array_equal(alone, dkernel)
    config.set_conv_algorithm(
        "direct"
    )  # it was another algorithm, whose sums are rounded otherwise
    again = [
        ops.conv2d(x, kernel, bias, padding=padding),
        ops.conv2d_backward_input(dy, kernel, input_shape=x.shape, padding=padding),
        ops.conv2d_backward_kernel(x, dy, kernel_size=(taps, taps), padding=padding),
    ]
    if batch:
        assert all((a != b).any() for a, b in zip(again, (y, dx, dkernel), strict=True))


@pytest.mark.parametrize("taps", [3, 5])
def test_errors_are_small_in_the_mean(isa, winograd, rng, taps):
    """Images behind a ReLU and He's weights, as in training: what `set_conv_algorithm` states."""
    for channels, limit in (16, 6e-7), (64, 1e-6), (256, 1.8e-6):
        x = np.maximum(rng.standard_normal((2, 16, 16, channels)), 0).astype("float32")
        kernel = rng.standard_normal((taps, taps, channels, 32))
        kernel = (kernel * np.sqrt(2 / (taps**2 * channels))).astype("float32")
        exact = reference.conv2d(x.astype("float64"), kernel.astype("float64"), padding="same")
        error = ops.conv2d(x, kernel, padding="same") - exact
        assert np.sqrt(np.mean(error**2) / np.mean(exact**2)) < limit


@pytest.mark.parametrize("taps", [3, 5])
def test_transposed_convolution_is_the_adjoint(isa, winograd, rng, taps):
    x = rng.standard_normal((2, 9, 6, 12)).astype("float32")
    kernel = rng.standard_normal((taps, taps, 20, 12)).astype("float32")
    bias = rng.standard_normal(20).astype("float32")
    y = ops.conv2d_transpose(x, kernel, padding="same")
    dx = ops.conv2d_backward_input(x, kernel, input_shape=y.shape, padding="same")
    np.testing.assert_array_equal(y, dx)
    z = ops.conv2d_transpose(x, kernel, bias, padding="same")
    np.testing.assert_allclose(z, y + bias, rtol=0, atol=1e-5)
    tanh = ops.conv2d_transpose(x, kernel, bias, padding="same", activation="tanh")
    np.testing.assert_array_equal(tanh, ops.tanh(z))


def test_what_an_infinite_pixel_reaches(winograd):
    x = np.ones((1, 16, 16, 8), "float32")
    x[0, 5, 5, 3] = np.inf
    y = ops.conv2d(x, np.ones((3, 3, 8, 8), "float32"), padding="same")
    assert not np.isfinite(y[0, 4:8, 4:8]).any()  # pixel (7, 7) too, whose window does not meet it
    far = np.ones((16, 16), bool)
    far[4:8, 4:8] = False
    assert np.isfinite(y[0][far]).all()


def convolution(size, channels, filters=None):
    return dlnative.Sequential(
        [
            dlnative.Input((size, size, channels)),
            layers.Conv2D(filters or channels, 3, padding="same"),
        ]
    )


def test_programs_follow_the_setting(rng):
    model = convolution(8, 16)
    x = rng.standard_normal((2, 8, 8, 16)).astype("float32")
    results = {}
    try:
        for name in ("direct", "winograd", "direct"):
            config.set_conv_algorithm(name)
            assert config.conv_algorithm() == name
            results.setdefault(name, []).append((model.predict(x, verbose=0), model(x)))
            (algorithm,) = [row[2] for row in model.profile(x).rows]  # "direct" may be "planar"
            assert (algorithm == "winograd") == (name == "winograd")
    finally:
        config.set_conv_algorithm("auto")
    (first, other), (again, once_more) = results["direct"]
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(other, once_more)
    for found, direct in zip(results["winograd"][0], (first, other), strict=True):
        assert (found != direct).any()
        np.testing.assert_allclose(found, direct, rtol=0, atol=1e-4)


def test_unknown_algorithm():
    with pytest.raises(ValueError, match="expected 'auto', 'direct' or 'winograd', received 'fft'"):
        config.set_conv_algorithm("fft")
    assert config.conv_algorithm() == "auto"
