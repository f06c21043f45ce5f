"""Pooling, padding, cropping and resizing: by hand, by definition, against Keras, and gradients."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from reference_gradcheck import assert_gradient

from dlnative import reference

# pool_size, strides, padding; images are 5 x 7
WINDOWS: list[tuple[Any, Any, Any]] = [
    ((2, 2), None, "valid"),
    ((2, 2), None, "same"),
    ((3, 3), (2, 2), "same"),
    ((3, 2), (1, 1), "same"),
    ((2, 3), (3, 4), "valid"),
    ((1, 2), (2, 3), "same"),
    ((5, 7), None, "valid"),
    ((3, 4), (2, 2), (1, 2, 3, 0)),
]
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


def distinct(*shape: int) -> Any:
    """Values that differ by much more than a step of a finite difference."""
    rng = np.random.default_rng(17)
    return rng.permutation(np.arange(float(np.prod(shape)))).reshape(shape) / 7 - 3


def cotangent(*shape: int) -> Any:
    return np.random.default_rng(5).normal(size=shape)


def windows(x: Any, pool_size: Any, strides: Any, padding: Any) -> Any:
    """{(p, q): the pixels of that window, as a list of (position, pixel)}, by the definition."""
    strides = strides or pool_size
    sizes, pads = [], []
    for axis, (n, w, s) in enumerate(zip(x.shape[1:3], pool_size, strides, strict=True)):
        if padding == "same":
            out = -(-n // s)
            total = max((out - 1) * s + w - n, 0)
            before = total // 2
        else:
            before, after = (0, 0) if padding == "valid" else padding[2 * axis : 2 * axis + 2]
            out = (n + before + after - w) // s + 1
        sizes.append(out)
        pads.append(before)
    found = {}
    for p, q in np.ndindex(*sizes):
        inside = []
        for i, j in np.ndindex(*pool_size):
            y, z = p * strides[0] + i - pads[0], q * strides[1] + j - pads[1]
            if 0 <= y < x.shape[1] and 0 <= z < x.shape[2]:
                inside.append((i * pool_size[1] + j, x[:, y, z]))
        found[p, q] = inside
    return sizes, found


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_is_its_definition(window: Any) -> None:
    x = distinct(2, 5, 7, 3)
    x[1] = np.round(x[1] / 8)  # ties
    sizes, found = windows(x, *window)
    y, indices = reference.max_pool2d(x, *window, indices=True)
    mean = reference.avg_pool2d(x, *window)
    assert y.shape == mean.shape == indices.shape == (2, *sizes, 3)
    for (p, q), inside in found.items():
        values = np.array([pixel for _, pixel in inside])
        positions = np.array([position for position, _ in inside])
        np.testing.assert_array_equal(y[:, p, q], values.max(0))
        np.testing.assert_array_equal(indices[:, p, q], positions[values.argmax(0)])
        np.testing.assert_allclose(mean[:, p, q], values.mean(0), rtol=1e-13, atol=1e-13)
    relu = reference.max_pool2d(x, *window, activation="relu")
    np.testing.assert_array_equal(relu, np.maximum(y, 0))


def test_padding_wins_nothing_and_nan_wins_all() -> None:
    x = np.full((1, 3, 3, 1), -np.inf)
    y, indices = reference.max_pool2d(x, (3, 3), (2, 2), "same", indices=True)
    assert (y == -np.inf).all()
    np.testing.assert_array_equal(indices[0, :, :, 0], [[4, 3], [1, 0]])  # the first on the image
    x[0, 1, 1], x[0, 1, 2], x[0, 0, 2] = np.nan, np.nan, np.inf
    y, indices = reference.max_pool2d(x, (3, 3), indices=True)
    assert np.isnan(y).all()
    assert indices.ravel() == [4]


@pytest.mark.parametrize("window", WINDOWS)
def test_pooling_gradients(window: Any) -> None:
    x = distinct(2, 5, 7, 2)
    y, indices = reference.max_pool2d(x, *window, indices=True)
    dy = cotangent(*y.shape)
    dx = reference.max_pool2d_backward(dy, x, *window)
    assert_gradient(dx, lambda v: reference.max_pool2d(v, *window), x, dy)
    again = reference.max_pool2d_backward_indices(dy, indices, None, x.shape, *window)
    np.testing.assert_array_equal(again, dx)
    saved = np.maximum(y, 0)
    masked = reference.max_pool2d_backward_indices(
        dy, indices, saved, x.shape, *window, activation="relu"
    )
    assert_gradient(masked, lambda v: reference.max_pool2d(v, *window, activation="relu"), x, dy)
    dx = reference.avg_pool2d_backward(dy, x.shape, *window)
    assert_gradient(dx, lambda v: reference.avg_pool2d(v, *window), x, dy)


@pytest.mark.parametrize(
    ("size", "strides", "padding"),
    [((2,), None, "valid"), ((3,), (2,), "same"), ((3,), (1,), (2, 0))],
)
def test_one_axis_is_an_image_of_height_1(size: Any, strides: Any, padding: Any) -> None:
    x = distinct(2, 7, 3)
    image = x[:, None]
    flat = (
        (1, *size),
        None if strides is None else (1, *strides),
        padding if isinstance(padding, str) else (0, 0, *padding),
    )
    window = (size, strides, padding)
    y, indices = reference.max_pool1d(x, *window, indices=True)
    y2, indices2 = reference.max_pool2d(image, *flat, indices=True)
    np.testing.assert_array_equal(y, y2[:, 0])
    np.testing.assert_array_equal(indices, indices2[:, 0])
    dy = cotangent(*y.shape)
    dx = reference.max_pool1d_backward(dy, x, *window)
    assert_gradient(dx, lambda v: reference.max_pool1d(v, *window), x, dy)
    again = reference.max_pool1d_backward_indices(dy, indices, None, x.shape, *window)
    np.testing.assert_array_equal(again, dx)
    dx = reference.avg_pool1d_backward(dy, x.shape, *window)
    assert_gradient(dx, lambda v: reference.avg_pool1d(v, *window), x, dy)


def test_shapes_that_do_not_fit() -> None:
    x = np.zeros((1, 4, 4, 1))
    with pytest.raises(ValueError, match="fits into the padded image"):
        reference.max_pool2d(x, (5, 2))
    with pytest.raises(ValueError, match="'dy'"):
        reference.avg_pool2d_backward(np.zeros((1, 3, 3, 1)), x.shape, (2, 2))


def test_padding_and_cropping_are_adjoint() -> None:
    x, sides = distinct(2, 3, 4, 2), (1, 2, 0, 3)
    y = reference.zero_pad2d(x, sides)
    assert y.shape == (2, 6, 7, 2)
    assert y.sum() == pytest.approx(x.sum())
    np.testing.assert_array_equal(reference.crop2d(y, sides), x)
    dy = cotangent(*y.shape)
    dx = reference.crop2d(dy, sides)
    assert_gradient(dx, lambda v: reference.zero_pad2d(v, sides), x, dy)


def test_nearest_repeats_pixels() -> None:
    x = distinct(2, 3, 2, 2)
    expected = np.repeat(np.repeat(x, 3, axis=1), 2, axis=2)
    np.testing.assert_array_equal(reference.upsample2d(x, (3, 2)), expected)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(2, 2), (1, 3), (3, 1), (5, 2)])
def test_upsampling(size: tuple[int, int], interpolation: str) -> None:
    x = distinct(2, 4, 3, 2)
    y = reference.upsample2d(x, size, interpolation)
    assert y.shape == (2, 4 * size[0], 3 * size[1], 2)
    flat = reference.upsample2d(np.ones((1, 4, 3, 1)), size, interpolation)
    np.testing.assert_allclose(flat, 1, rtol=1e-14)
    dy = cotangent(*y.shape)
    dx = reference.upsample2d_backward(dy, x.shape, size, interpolation)
    assert_gradient(dx, lambda v: reference.upsample2d(v, size, interpolation), x, dy)


@pytest.mark.filterwarnings("ignore")  # warnings of the peer
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(2, 2), (1, 3), (4, 3)])
def test_upsampling_as_in_keras(
    keras: ModuleType, size: tuple[int, int], interpolation: str
) -> None:
    x = distinct(2, 4, 5, 2)
    layer = keras.layers.UpSampling2D(size, interpolation=interpolation, dtype="float64")
    expected = np.asarray(layer(x))
    result = reference.upsample2d(x, size, interpolation)
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=1e-6 * np.abs(x).max())


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("window", [w for w in WINDOWS if isinstance(w[2], str)])
def test_pooling_as_in_keras(keras: ModuleType, window: Any) -> None:
    x = distinct(2, 5, 7, 3)
    for name, function in (
        ("MaxPooling2D", reference.max_pool2d),
        ("AveragePooling2D", reference.avg_pool2d),
    ):
        layer = getattr(keras.layers, name)(*window, dtype="float64")
        np.testing.assert_allclose(function(x, *window), np.asarray(layer(x)), rtol=1e-12)


# Window, stride and sizes, and what Keras 3 makes of them: "valid" floor((n - w) / s) + 1, "same"
# ceil(n / s) with the odd pixel of padding after the image.
@pytest.mark.parametrize(
    ("size", "window", "stride", "valid", "same", "before"),
    [
        (5, 2, 2, [1, 3], [1, 3, 4], 0),
        (5, 3, 2, [2, 4], [1, 3, 4], 1),
        (6, 3, 2, [2, 4], [2, 4, 5], 0),
        (4, 3, 1, [2, 3], [1, 2, 3, 3], 1),
        (7, 2, 3, [1, 4], [1, 4, 6], 0),
        (4, 4, 3, [3], [2, 3], 1),
    ],
)
def test_places_by_hand(
    size: int, window: int, stride: int, valid: list[int], same: list[int], before: int
) -> None:
    """Of rising numbers the largest of a window is its last pixel: that says where it lies."""
    x = np.arange(float(size)).reshape(1, size, 1)
    y = reference.max_pool1d(x, (window,), (stride,))
    np.testing.assert_array_equal(y.ravel(), valid)
    y, first = reference.max_pool1d(-x, (window,), (stride,), "same", indices=True)
    assert y.size == len(same) == -(-size // stride)
    assert first.ravel()[0] == before  # the first pixel of the image, behind the padding
    y = reference.max_pool1d(x, (window,), (stride,), "same")
    np.testing.assert_array_equal(y.ravel(), same)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("size", [(2, 2), (3, 1), (3, 3)])
def test_an_infinity_stays_where_its_weight_is(size: tuple[int, int], interpolation: str) -> None:
    """Its reach is that of a one in the place of it; the rest is what it was."""
    x, one = distinct(1, 9, 12, 2), np.zeros((1, 9, 12, 2))
    one[0, 4, 6, 0] = 1.0
    reach = reference.upsample2d(one, size, interpolation) != 0
    before = reference.upsample2d(x, size, interpolation)
    x[one != 0] = np.inf
    y = reference.upsample2d(x, size, interpolation)
    assert reach[..., 0].any() and not reach[..., 0].all() and not reach[..., 1].any()
    np.testing.assert_array_equal(~np.isfinite(y), reach)
    np.testing.assert_array_equal(y[~reach], before[~reach])
