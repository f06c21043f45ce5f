"""ops.image in models: as layers, with open sizes, saved; what the judged cases do not say."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import ops, saving

LAYERS = {
    "resize": lambda x: ops.image.resize(x, (5, 7), "bicubic"),
    "rgb_to_hsv": ops.image.rgb_to_hsv,
    "crop_images": lambda x: ops.image.crop_images(x, 1, 1, 1, 1),
    "affine_transform": lambda x: ops.image.affine_transform(
        x, np.array([1, 0, 0.5, 0, 1, -0.25, 0, 0], "float32")
    ),
    "perspective_transform": lambda x: ops.image.perspective_transform(
        x,
        np.array([[0, 0], [7, 0], [0, 7], [7, 7]], "float32"),
        np.array([[1, 0], [7, 1], [0, 6], [6, 7]], "float32"),
    ),
    "gaussian_blur": lambda x: ops.image.gaussian_blur(x, (3, 5), (0.5, 0.9)),
    "sobel_edges": ops.image.sobel_edges,
    "extract_patches": lambda x: ops.image.extract_patches(x, (4, 2)),
    "ssim": lambda x: ops.image.ssim(x, x * 0.9, filter_size=5),
}


@pytest.mark.parametrize("name", LAYERS)
def test_an_op_is_a_layer_of_a_model_that_can_be_saved(tmp_path, rng, name):
    inputs = dlnative.Input((8, 8, 3))
    outputs = LAYERS[name](inputs)
    assert outputs.shape[0] is None
    model = dlnative.Model(inputs, outputs)
    x = rng.random((2, 8, 8, 3)).astype("float32")
    expected = LAYERS[name](x)
    assert (None, *expected.shape[1:]) == outputs.shape
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, rtol=1e-5, atol=1e-5)
    saving.save(model, tmp_path / "model")
    loaded = saving.load(tmp_path / "model").model
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_names_of_layers():
    outputs = ops.image.resize(dlnative.Input((8, 8, 3)), (4, 4))
    assert outputs.name.startswith("resize")


def test_names_of_the_namespace_are_not_those_of_ops():
    assert "resize" not in dir(ops)
    with pytest.raises(AttributeError):
        ops.rgb_to_hsv  # noqa: B018


def test_a_homography_takes_its_points_where_they_belong(rng):
    start = np.array([[1.0, 2.0], [9.0, 1.0], [2.0, 8.0], [7.0, 9.0]], "float32")
    end = np.array([[2.0, 1.0], [8.0, 3.0], [1.0, 9.0], [9.0, 8.0]], "float32")
    columns, rows = np.meshgrid(np.arange(11.0), np.arange(11.0))
    places = np.stack([columns, rows], axis=-1).astype("float32")
    y = ops.image.perspective_transform(places, start, end)
    for (column, row), place in zip(end.astype(int), start):
        np.testing.assert_allclose(y[row, column], place, atol=1e-5)


def test_resizing_of_large_integers_is_exact():
    x = np.array([2**31 - 1, 2**31 - 3, -(2**31)], "int32").reshape(1, 3, 1)
    y = ops.image.resize(x, (1, 6), "nearest")
    np.testing.assert_array_equal(y, np.repeat(x, 2, axis=1))
    assert ops.image.resize(x[:, :1], (2, 2)).max() == 2**31 - 1


@pytest.mark.parametrize("mode", ["mirror", "reflect", "wrap", "nearest"])
def test_one_pixel_stands_for_all_places_outside(mode):
    x = np.array([3.5], "float32")
    y = ops.image.map_coordinates(x, np.array([[-4.0, 0.0, 0.5, 9.0]], "float32"), 1, mode)
    np.testing.assert_array_equal(y, np.full(4, 3.5, "float32"))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x: ops.image.resize(x, (0, 4)), "image.resize: expected size"),
        (lambda x: ops.image.resize(x, (4, 4), "area"), "expected interpolation to be one of"),
        (lambda x: ops.image.resize(x[:0], (4, 4)), "image.resize: expected images with pixels"),
        (lambda x: ops.image.pad_images(x, 1, 1), "expected exactly two of top_padding"),
        (lambda x: ops.image.crop_images(x, 1, 1, 9, 1), "target_height would be -2"),
        (lambda x: ops.image.ssim(x, x), "images of at least 11 x 11 pixels"),
        (lambda x: ops.image.ssim(x, x[:4]), "expected images of one shape"),
        (lambda x: ops.image.extract_patches(x, 9), "does not fit into"),
        (lambda x: ops.image.gaussian_blur(x, 3), "kernel_size to be two ints"),
        (lambda x: ops.image.elastic_transform(x, sigma=0.0), "expected sigma above 0"),
        (lambda x: ops.image.affine_transform(x, np.zeros(6)), "expected transforms of shape"),
        (lambda x: ops.image.sobel_edges(x), "expected a batch of images"),
        (lambda x: ops.image.rgb_to_hsv(x, "first"), "expected data_format"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((8, 8, 3), "float32"))
