"""Pooling, padding, cropping and resizing: the kernels against the oracle in float64."""

import itertools

import numpy as np
import pytest

from dlnative import _core, reference
from dlnative.graph import Graph, apply
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")
# Around the lanes of every instruction set; below them pixels share a vector.
CHANNELS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 33)
# image, pool_size, strides, padding
WINDOWS = [
    ((4, 6), (2, 2), None, "valid"),
    ((5, 7), (2, 2), None, "valid"),
    ((5, 7), (2, 2), None, "same"),
    ((1, 1), (2, 2), None, "same"),
    ((1, 1), (1, 1), None, "valid"),
    ((9, 2), (2, 2), (3, 3), "valid"),
    ((6, 11), (3, 2), (4, 3), "same"),
    ((7, 8), (3, 3), (2, 2), "same"),
    ((7, 6), (3, 3), (1, 1), "same"),
    ((6, 7), (2, 5), (1, 3), (1, 0, 4, 3)),
    ((5, 4), (5, 4), None, "valid"),
    ((8, 5), (2, 3), (2, 1), "valid"),
    ((3, 300), (2, 2), None, "valid"),
    ((2, 301), (2, 3), (1, 2), "same"),
    # Three columns by two: whole and cut windows at both ends, one to three rows of windows.
    ((9, 9), (3, 3), (2, 2), "valid"),
    ((8, 12), (3, 3), (2, 2), (1, 1, 1, 1)),
    ((6, 3), (3, 3), (3, 2), "valid"),
    ((5, 2), (3, 3), (2, 2), "same"),
    ((7, 10), (5, 3), (2, 2), (0, 0, 2, 0)),
    ((4, 5), (1, 3), (2, 2), (0, 0, 0, 2)),
]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def cases(channels=CHANNELS):
    for (sizes, pool_size, strides, padding), c in itertools.product(WINDOWS, channels):
        window = {"pool_size": pool_size, "strides": strides, "padding": padding}
        yield (2, *sizes, c), window


def with_ties(rng, shape, dtype, finite=False):
    """Small integers, so that windows have several largest values; some are NaN or infinite."""
    x = rng.integers(-2, 3, shape).astype(dtype)
    if finite:
        return np.where(x == 0, rng.choice([0.0, -0.0], shape), x).astype(dtype)
    special = rng.random(shape)
    x[special < 0.02] = np.nan
    x[(special >= 0.02) & (special < 0.1)] = -np.inf
    x[(special >= 0.1) & (special < 0.12)] = np.inf
    return x


def close(result, expected, dtype, magnitude, terms):
    """A sum of `terms` rounded products, of absolute values that sum to `magnitude`."""
    assert result.dtype == dtype
    limit = 2 * (terms + 2) * np.finfo(dtype).eps * magnitude + np.finfo(dtype).tiny
    assert (np.abs(result - expected) <= limit).all(), np.abs(result - expected).max()


@pytest.mark.parametrize("finite", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool(isa, rng, dtype, finite):
    for shape, window in cases():
        x = with_ties(rng, shape, dtype, finite)
        y, indices = reference.max_pool2d(x, **window, indices=True)
        result, positions = ops.max_pool2d(x, **window, indices=True)
        np.testing.assert_array_equal(result, y)
        np.testing.assert_array_equal(positions, indices)
        assert result.dtype == dtype and positions.dtype == np.uint8
        np.testing.assert_array_equal(ops.max_pool2d(x, **window), y)
        relu = ops.max_pool2d(x, **window, activation="relu")
        np.testing.assert_array_equal(relu, np.where(y < 0, 0, y))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, "largest", "-largest"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_of_one_special_value_among_others(isa, rng, dtype, value):
    if isinstance(value, str):  # the sum of a window is infinite, its values are not
        value = np.finfo(dtype).max * (-1 if value.startswith("-") else 1)
    for size, place in itertools.product((2, 3), range(9)):
        x = with_ties(rng, (1, 7, 7, 37), dtype, finite=True)
        x[0, 2 + place // 3, 2 + place % 3, rng.integers(37)] = value
        x[0, 3, 4, rng.integers(37)] = value
        window = {"pool_size": (size, size), "strides": (2, 2)}
        y, indices = reference.max_pool2d(x, **window, indices=True)
        result, positions = ops.max_pool2d(x, **window, indices=True)
        np.testing.assert_array_equal(result, y)
        np.testing.assert_array_equal(positions, indices)
        np.testing.assert_array_equal(ops.max_pool2d(x, **window), y)


@pytest.mark.parametrize("finite", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pool_backward(isa, rng, dtype, finite):
    for shape, window in cases():
        x = with_ties(rng, shape, dtype, finite)
        y, indices = reference.max_pool2d(x, **window, indices=True)
        dy = rng.standard_normal(y.shape).astype(dtype)
        exact = reference.max_pool2d_backward(dy.astype("float64"), x, **window)
        magnitude = reference.max_pool2d_backward(np.abs(dy.astype("float64")), x, **window)
        terms = np.prod(window["pool_size"])
        dx = ops.max_pool2d_backward(dy, x, **window)
        close(dx, exact, dtype, magnitude, terms)
        # The two ways add in the same order.
        fast = ops.max_pool2d_backward_indices(dy, indices, input_shape=shape, **window)
        np.testing.assert_array_equal(fast, dx)
        saved = np.where(np.isnan(y), 1, np.maximum(y, 0)).astype(dtype)
        masked = ops.max_pool2d_backward_indices(
            dy, indices, saved, input_shape=shape, activation="relu", **window
        )
        kept = np.where(saved > 0, dy, 0).astype(dtype)
        same = ops.max_pool2d_backward_indices(kept, indices, input_shape=shape, **window)
        np.testing.assert_array_equal(masked, same)


@pytest.mark.parametrize("dtype", DTYPES)
def test_avg_pool(isa, rng, dtype):
    for shape, window in cases():
        x = rng.standard_normal(shape).astype(dtype)
        terms = np.prod(window["pool_size"])
        exact = x.astype("float64")
        y = ops.avg_pool2d(x, **window)
        expected = reference.avg_pool2d(exact, **window)
        close(y, expected, dtype, reference.avg_pool2d(np.abs(exact), **window), terms)
        dy = rng.standard_normal(y.shape).astype(dtype)
        exact = dy.astype("float64")
        dx = ops.avg_pool2d_backward(dy, input_shape=shape, **window)
        expected = reference.avg_pool2d_backward(exact, shape, **window)
        magnitude = reference.avg_pool2d_backward(np.abs(exact), shape, **window)
        close(dx, expected, dtype, magnitude, terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [((2,), None, "valid"), ((3,), (2,), "same"), ((4,), (1,), (3, 0)), ((2,), (3,), "valid")],
)
def test_one_axis(isa, rng, size, strides, padding, dtype):
    for channels in (1, 3, 8, 19):
        x = with_ties(rng, (3, 13, channels), dtype)
        window = {"pool_size": size, "strides": strides, "padding": padding}
        y, indices = ops.max_pool1d(x, **window, indices=True)
        expected, positions = reference.max_pool1d(x, **window, indices=True)
        np.testing.assert_array_equal(y, expected)
        np.testing.assert_array_equal(indices, positions)
        dy = rng.integers(-4, 5, y.shape).astype(dtype)  # sums of these are exact
        dx = ops.max_pool1d_backward(dy, x, **window)
        np.testing.assert_array_equal(dx, reference.max_pool1d_backward(dy, x, **window))
        fast = ops.max_pool1d_backward_indices(dy, indices, input_shape=x.shape, **window)
        np.testing.assert_array_equal(fast, dx)
        finite = rng.standard_normal(x.shape).astype(dtype)
        mean = reference.avg_pool1d(finite.astype("float64"), **window)
        close(ops.avg_pool1d(finite, **window), mean, dtype, np.abs(finite).max(), size[0])
        dx = ops.avg_pool1d_backward(dy, input_shape=x.shape, **window)
        expected = reference.avg_pool1d_backward(dy.astype("float64"), x.shape, **window)
        close(dx, expected, dtype, 4 * size[0], size[0])


@pytest.mark.parametrize("channels", [1, 6, 32])
def test_windows_without_one_byte_indices(isa, rng, channels):
    """Whole images, and overlapping windows of more positions than a byte counts."""
    x = rng.integers(-9, 9, (2, 20, 21, channels)).astype("float32")
    for window in ({"pool_size": (20, 21)}, {"pool_size": (17, 18), "strides": (2, 1)}):
        y = ops.max_pool2d(x, **window)
        np.testing.assert_array_equal(y, reference.max_pool2d(x, **window))
        dy = rng.integers(-9, 9, y.shape).astype("float32")
        dx = ops.max_pool2d_backward(dy, x, **window)
        np.testing.assert_array_equal(dx, reference.max_pool2d_backward(dy, x, **window))
        with pytest.raises(ValueError, match="at most 255 positions"):
            ops.max_pool2d(x, **window, indices=True)


def test_strides_beyond_the_scratch_of_a_row(isa, rng):
    """stride x channels above what is gathered at a time."""
    x = rng.integers(-9, 9, (1, 3, 9, 1030)).astype("float32")
    window = {"pool_size": (2, 3), "strides": (1, 2)}
    y, indices = ops.max_pool2d(x, **window, indices=True)
    dy = rng.integers(-9, 9, y.shape).astype("float32")
    expected = reference.max_pool2d_backward(dy, x, **window)
    fast = ops.max_pool2d_backward_indices(dy, indices, input_shape=x.shape, **window)
    np.testing.assert_array_equal(fast, expected)
    np.testing.assert_array_equal(ops.max_pool2d_backward(dy, x, **window), expected)


def test_positions_found_again_image_by_image(isa, rng):
    """More positions than are kept at a time, so that several groups of images take turns."""
    x = rng.integers(-9, 9, (19, 33, 31, 96)).astype("float32")
    window = {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"}
    y, indices = ops.max_pool2d(x, **window, indices=True)
    dy = rng.integers(-9, 9, y.shape).astype("float32")
    expected = ops.max_pool2d_backward_indices(dy, indices, input_shape=x.shape, **window)
    np.testing.assert_array_equal(ops.max_pool2d_backward(dy, x, **window), expected)
    assert ops.max_pool2d_backward(dy[:0], x[:0], **window).shape == (0, 33, 31, 96)


@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize("channels", [12, 64])
def test_gradients_too_large_for_the_caches(isa, rng, channels, size):
    """What is written past the caches has the values of small batches, which are not."""
    window = {"pool_size": (size, size), "strides": (2, 2), "padding": "same"}
    shape = (5_000_000 // (60 * 62 * channels), 60, 62, channels)
    dy = rng.standard_normal((shape[0], 30, 31, channels)).astype("float32")
    indices = rng.integers(0, size * size, dy.shape).astype("uint8")
    all_images, one = {"input_shape": shape, **window}, {"input_shape": (1, *shape[1:]), **window}
    dx = ops.max_pool2d_backward_indices(dy, indices, **all_images)
    average = ops.avg_pool2d_backward(dy, **all_images)
    for i in (0, shape[0] - 1):
        some = slice(i, i + 1)
        expected = ops.max_pool2d_backward_indices(dy[some], indices[some], **one)
        np.testing.assert_array_equal(dx[some], expected)
        np.testing.assert_array_equal(average[some], ops.avg_pool2d_backward(dy[some], **one))


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("channels", [12, 64, 72])
def test_windows_too_large_for_the_caches(isa, rng, channels, size):
    """What is written past the caches has the values of small batches, which are not."""
    window = {"pool_size": (size, size), "strides": (2, 2), "padding": "same"}
    x = rng.standard_normal((9_000_000 // (60 * 62 * channels), 60, 62, channels), "float32")
    x[-1, 7, 9] = np.nan
    y, indices = ops.max_pool2d(x, **window, indices=True)
    largest, average = ops.max_pool2d(x, **window), ops.avg_pool2d(x, **window)
    for i in (0, len(x) - 1):
        some = x[i : i + 1]
        expected, positions = ops.max_pool2d(some, **window, indices=True)
        np.testing.assert_array_equal(y[i : i + 1], expected)
        np.testing.assert_array_equal(indices[i : i + 1], positions)
        np.testing.assert_array_equal(largest[i : i + 1], expected)
        np.testing.assert_array_equal(average[i : i + 1], ops.avg_pool2d(some, **window))


def test_wrong_indices_stay_in_bounds(isa, rng):
    """A position that no window has gives nothing."""
    dy = np.ones((2, 3, 3, 5), "float32")
    indices = np.full(dy.shape, 200, "uint8")
    for strides in (None, (1, 1)):
        shape = (2, 6, 6, 5) if strides is None else (2, 4, 4, 5)
        dx = ops.max_pool2d_backward_indices(
            dy, indices, input_shape=shape, pool_size=(2, 2), strides=strides
        )
        assert not dx.any()


@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_and_cropping(isa, rng, dtype):
    for channels in (1, 3, 8):
        x = with_ties(rng, (3, 5, 4, channels), dtype)
        for sides in ((0, 0, 0, 0), (1, 0, 0, 2), (3, 2, 1, 1)):
            y = ops.zero_pad2d(x, padding=sides)
            np.testing.assert_array_equal(y, reference.zero_pad2d(x, sides))
            np.testing.assert_array_equal(ops.crop2d(y, cropping=sides), x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_upsampling(isa, rng, interpolation, dtype):
    for channels, size in itertools.product((1, 3, 8, 19), [(2, 2), (1, 3), (4, 1), (3, 5)]):
        x = rng.standard_normal((2, 4, 5, channels)).astype(dtype)
        attributes = {"size": size, "interpolation": interpolation}
        y = ops.upsample2d(x, **attributes)
        exact = x.astype("float64")
        # The weights of a pixel sum to 1, their absolute values to less than 2 per axis.
        close(y, reference.upsample2d(exact, **attributes), dtype, 4 * np.abs(x).max(), 22)
        if interpolation == "nearest":
            np.testing.assert_array_equal(y, reference.upsample2d(x, **attributes))
        dy = rng.standard_normal(y.shape).astype(dtype)
        dx = ops.upsample2d_backward(dy, input_shape=x.shape, **attributes)
        expected = reference.upsample2d_backward(dy.astype("float64"), x.shape, **attributes)
        magnitude = 4 * np.prod(size) * np.abs(dy).max()
        close(dx, expected, dtype, magnitude, 22 * np.prod(size))


@pytest.mark.parametrize("channels", [1, 3, 64])
def test_same_bits_for_any_number_of_threads(threads, rng, channels):
    x = rng.standard_normal((64, 33, 31, channels)).astype("float32")
    results = []
    for count in (1, 2, 3, 5):
        threads(count)
        run = []
        for window in (
            {"pool_size": (2, 2)},
            {"pool_size": (3, 3), "strides": (2, 2), "padding": "same"},
            {"pool_size": (3, 2), "strides": (1, 1), "padding": "same"},
        ):
            y, indices = ops.max_pool2d(x, **window, indices=True)
            run += [y, indices, ops.max_pool2d_backward(y, x, **window)]
            run += [
                ops.max_pool2d_backward_indices(y, indices, input_shape=x.shape, **window),
                ops.avg_pool2d(x, **window),
                ops.avg_pool2d_backward(y, input_shape=x.shape, **window),
            ]
        run += [ops.zero_pad2d(x, padding=(1, 2, 3, 4)), ops.crop2d(x, cropping=(1, 2, 3, 4))]
        small = x[:8]
        for interpolation in ("nearest", "bicubic"):
            attributes = {"size": (2, 3), "interpolation": interpolation}
            large = ops.upsample2d(small, **attributes)
            run += [
                large,
                ops.upsample2d_backward(large, input_shape=small.shape, **attributes),
            ]
        results.append([a.tobytes() for a in run])
    assert all(r == results[0] for r in results)


def test_margins_are_neither_read_nor_written(isa, rng):
    """NaN around the arrays must not reach the result, and must stay."""

    def framed(array):
        memory = np.full(array.size + 64, np.nan if array.dtype.kind == "f" else 77, array.dtype)
        inner = memory[32 : 32 + array.size].reshape(array.shape)
        inner[...] = array
        return memory, inner

    def run(op, inputs, shapes, **attributes):
        outputs = [framed(np.zeros(s, d)) for s, d in shapes]
        arrays = [None if i is None else framed(i)[1] for i in inputs]
        _core.execute(op, arrays, [inner for _, inner in outputs], attributes, 0)
        for memory, inner in outputs:
            edge = np.concatenate([memory[:32], memory[32 + inner.size :]])
            assert (np.isnan(edge) if edge.dtype.kind == "f" else edge == 77).all(), op
            assert inner.dtype.kind != "f" or np.isfinite(inner).all(), op
        return [inner for _, inner in outputs]

    for shape, window in cases((1, 3, 7, 9, 17)):
        x = rng.standard_normal(shape).astype("float32")
        attributes = {k: v for k, v in window.items() if v is not None}
        y, indices = reference.max_pool2d(x, **window, indices=True)
        pooled, image = (y.shape, "float32"), (shape, "float32")
        run("max_pool2d", [x], [pooled], **attributes)
        run("max_pool2d", [x], [pooled, (y.shape, "uint8")], indices=True, **attributes)
        run("max_pool2d_backward", [y, x], [image], **attributes)
        attributes["input_shape"] = list(shape)
        run("max_pool2d_backward_indices", [y, indices, None], [image], **attributes)
        run("avg_pool2d_backward", [y], [image], **attributes)
        del attributes["input_shape"]
        run("avg_pool2d", [x], [pooled], **attributes)
        large = (shape[0], 2 * shape[1], 2 * shape[2], shape[3])
        if shape[2] < 20:
            run("upsample2d", [x], [(large, "float32")], interpolation="bilinear")


def test_empty_batch(isa):
    x = np.zeros((0, 4, 4, 3), "float32")
    y, indices = ops.max_pool2d(x, pool_size=(2, 2), indices=True)
    assert y.shape == indices.shape == (0, 2, 2, 3)
    assert ops.max_pool2d_backward(y, x, pool_size=(2, 2)).shape == x.shape
    assert ops.avg_pool2d(x, pool_size=(2, 2)).shape == y.shape
    assert ops.upsample2d(x).shape == (0, 8, 8, 3)
    assert ops.zero_pad2d(x, padding=(1, 1, 1, 1)).shape == (0, 6, 6, 3)


def test_any_strides_of_arrays(rng):
    x = rng.standard_normal((3, 6, 8, 2))[:, ::-1, :, ::-1].transpose(0, 2, 1, 3)
    np.testing.assert_array_equal(
        ops.max_pool2d(x, pool_size=(2, 2)), reference.max_pool2d(x, (2, 2))
    )


def test_open_batch():
    graph = Graph()
    x = graph.feed((None, 7, 9, 3), "float32")
    y, indices = apply("max_pool2d", x, pool_size=(2, 2), padding="same", indices=True)
    assert y.shape == indices.shape == (None, 4, 5, 3)
    assert indices.dtype == "uint8"
    assert apply("avg_pool2d", x, pool_size=(3, 3)).shape == (None, 2, 3, 3)
    assert apply("upsample2d", x, size=(2, 1)).shape == (None, 14, 9, 3)
    assert apply("zero_pad2d", x, padding=(1, 0, 2, 0)).shape == (None, 8, 11, 3)


X = np.zeros((2, 4, 4, 3), "float32")
Y = np.zeros((2, 2, 2, 3), "float32")
INDICES = np.zeros((2, 2, 2, 3), "uint8")


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: ops.max_pool2d(X[0], pool_size=(2, 2)), r"\(batch, height, width, channels\)"),
        (lambda: ops.max_pool1d(X, pool_size=(2,)), r"\(batch, length, channels\)"),
        (lambda: ops.max_pool2d(X, pool_size=(5, 2)), "larger than the padded input"),
        (lambda: ops.max_pool2d(X, pool_size=(2,)), "pool_size"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 2), strides=(0, 1)), "strides"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 2), padding="full"), "padding"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 2), padding=(2, 0, 0, 0)), "less padding"),
        (lambda: ops.max_pool2d(X, pool_size=(2, 2), activation="tanh"), "activation 'relu'"),
        (lambda: ops.max_pool2d_backward(X, X, pool_size=(2, 2)), "expected dy of shape"),
        (
            lambda: ops.avg_pool2d_backward(X, input_shape=X.shape, pool_size=(2, 2)),
            "expected dy of shape",
        ),
        (
            lambda: ops.max_pool2d_backward_indices(
                Y, INDICES[:1], input_shape=X.shape, pool_size=(2, 2)
            ),
            "expected indices of shape",
        ),
        (
            lambda: ops.max_pool2d_backward_indices(
                Y, INDICES, Y, input_shape=X.shape, pool_size=(2, 2)
            ),
            "'saved'",
        ),
        (lambda: ops.zero_pad2d(X, padding=(1, 1)), "padding"),
        (lambda: ops.zero_pad2d(X, padding=(1, 1, 1, -1)), "padding"),
        (lambda: ops.crop2d(X, cropping=(2, 2, 0, 0)), "leaves nothing"),
        (lambda: ops.crop2d(X[0], cropping=(0, 0, 0, 0)), "expected images"),
        (lambda: ops.upsample2d(X, size=(2, 0)), "size"),
        (lambda: ops.upsample2d(X, interpolation="cubic"), "bicubic"),
        (lambda: ops.upsample2d_backward(X, input_shape=X.shape), "expected dy of shape"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
