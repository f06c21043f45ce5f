"""The oracle's random changes of images: draws by hand, and maps that NumPy also knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlnative import reference

Array = np.ndarray[Any, Any]


def words(
    kind: int, sample: int, seed: int = 0, op_id: int = 0, epoch: int = 0, block: int = 0
) -> list[int]:
    low = 2**32 - 1
    key = [(seed & low) ^ op_id, seed >> 32]
    counter = [sample & low, sample >> 32, epoch, 8 * kind + block]
    result: list[int] = reference.philox4x32(key, counter).tolist()
    return result


def ramp(height: int, width: int) -> Array:
    """An image whose two channels are the row and the column."""
    return np.moveaxis(np.indices((height, width)), 0, -1)[None].astype(np.float64)


def test_a_flip_is_word_0_below_half() -> None:
    x = np.arange(2000.0).reshape(1000, 1, 2, 1)
    seed, samples = 2**40 + 3, [*range(998), 2**33 + 1, 2**62]
    y = reference.random_flip(x, mode="horizontal", seed=seed, op_id=6, epoch=5, samples=samples)
    for i, sample in enumerate(samples):
        flipped = words(1, sample, seed, 6, 5)[0] < 2**31
        assert (y[i] == (x[i, :, ::-1] if flipped else x[i])).all()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("horizontal", [[3, 2, 1], [6, 5, 4]]),
        ("vertical", [[4, 5, 6], [1, 2, 3]]),
        ("horizontal_and_vertical", [[6, 5, 4], [3, 2, 1]]),
    ],
)
def test_flip_modes(mode: str, expected: list[list[int]]) -> None:
    sample = next(s for s in range(100) if words(1, s)[0] < 2**31)
    x = np.array([[1.0, 2, 3], [4, 5, 6]]).reshape(1, 2, 3, 1)
    y = reference.random_flip(x, mode=mode, samples=[sample])
    assert y[0, :, :, 0].tolist() == expected


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    x = ramp(4, 5).repeat(50, axis=0)
    options: dict[str, Any] = {"height": 4, "width": 3, "padding": (2, 1, 3, 0), "fill_value": -1.0}
    y = reference.random_crop(x, seed=2, epoch=1, **options)
    padded = np.pad(x, ((0, 0), (2, 1), (3, 0), (0, 0)), constant_values=-1.0)
    for i in range(50):
        first, second = words(2, i, 2, 0, 1)[:2]
        top, left = int(first / 2**32 * 4), int(second / 2**32 * 6)
        np.testing.assert_array_equal(y[i], padded[i, top : top + 4, left : left + 3])
    y = reference.random_crop(
        x[:1], height=7, width=8, padding=(2, 1, 3, 0), padding_mode="reflect"
    )
    assert y[0, :, 0, 0].tolist() == [2, 1, 0, 1, 2, 3, 2]
    assert y[0, 0, :, 1].tolist() == [3, 2, 1, 0, 1, 2, 3, 4]


def test_the_words_of_an_affine_map() -> None:
    x = ramp(9, 9)
    first, second = words(3, 4, 7, 1, 2), words(3, 4, 7, 1, 2, block=1)
    draws: dict[str, Any] = {"seed": 7, "op_id": 1, "epoch": 2, "samples": [4], "fill_mode": "wrap"}
    y = reference.random_affine(x, height_shift=(0.0, 0.3), width_shift=(0.0, 0.4), **draws)
    down, right = 0.3 * first[0] / 2**32 * 9, 0.4 * first[1] / 2**32 * 9
    np.testing.assert_allclose(y[0, 8, 8], [8 - down, 8 - right], atol=1e-8)
    y = reference.random_affine(x, rotation=(0.0, 0.1), **draws)
    angle = 0.1 * first[2] / 2**32 * 2 * np.pi
    np.testing.assert_allclose(
        y[0, 4, 6], [4 + 2 * np.sin(angle), 4 + 2 * np.cos(angle)], atol=1e-8
    )
    y = reference.random_affine(x, height_zoom=(0.5, 1.0), width_zoom=(0.2, 0.7), **draws)
    rows, columns = 0.5 + 0.5 * first[3] / 2**32, 0.2 + 0.5 * second[0] / 2**32
    np.testing.assert_allclose(y[0, 6, 7], [4 + 2 * rows, 4 + 3 * columns], atol=1e-8)
    y = reference.random_affine(x, height_zoom=(0.5, 1.0), **draws)
    np.testing.assert_allclose(y[0, 6, 7], [4 + 2 * rows, 4 + 3 * rows], atol=1e-8)


def test_zoom_comes_first_then_rotation_then_shift() -> None:
    """A point at (row 4, column 6) of a 9 x 9 image, 2 right of the middle: twice as large it is 4
    right of it, a quarter turn counter-clockwise 4 above it, and 2 rows down 2 above it."""
    x = np.zeros((1, 9, 9, 1))
    x[0, 4, 6] = 1.0
    y = reference.random_affine(
        x,
        height_zoom=(0.5, 0.5),
        rotation=(0.25, 0.25),
        height_shift=(2 / 9, 2 / 9),
        fill_mode="constant",
    )
    assert np.argwhere(y > 0.5).tolist() == [[0, 2, 4, 0]]
    assert y[0, 2, 4, 0] == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
@pytest.mark.parametrize(
    ("fill_mode", "numpy_mode"),
    [("constant", "constant"), ("nearest", "edge"), ("reflect", "symmetric"), ("wrap", "wrap")],
)
def test_what_lies_outside(fill_mode: str, numpy_mode: str, interpolation: str) -> None:
    x = np.random.default_rng(0).standard_normal((1, 4, 8, 2))
    options = {"constant_values": 1.5} if fill_mode == "constant" else {}
    padded = np.pad(x[0], ((9, 9), (20, 20), (0, 0)), mode=numpy_mode, **options)  # type: ignore[call-overload]
    for down, right in ((1, 2), (-3, 5), (7, -18)):
        y = reference.random_affine(
            x,
            height_shift=(down / 4, down / 4),
            width_shift=(right / 8, right / 8),
            fill_mode=fill_mode,
            fill_value=1.5,
            interpolation=interpolation,
        )
        np.testing.assert_array_equal(y[0], padded[9 - down : 13 - down, 20 - right : 28 - right])


def test_nearest_takes_halves_away_from_zero() -> None:
    x = np.arange(1.0, 5.0).reshape(1, 1, 4, 1)
    options: dict[str, Any] = {"fill_mode": "constant", "interpolation": "nearest"}
    y = reference.random_affine(x, width_shift=(0.125, 0.125), **options)  # columns -0.5 to 2.5
    assert y.flatten().tolist() == [0, 2, 3, 4]
    y = reference.random_affine(x, width_shift=(-0.125, -0.125), **options)  # columns 0.5 to 3.5
    assert y.flatten().tolist() == [2, 3, 4, 0]


def test_brightness_by_hand() -> None:
    x = np.array([0.0, 100.0, 200.0, 250.0]).reshape(1, 2, 2, 1)
    y = reference.random_brightness(x, factor=(0.1, 0.1))
    np.testing.assert_allclose(y.flatten(), [25.5, 125.5, 225.5, 255.0])
    y = reference.random_brightness(x, factor=(-0.5, -0.5), value_range=(100.0, 220.0))
    np.testing.assert_allclose(y.flatten(), [100.0, 100.0, 140.0, 190.0])
    y = reference.random_brightness(x, factor=(-0.2, 0.2), value_range=(-1e3, 1e3), seed=3)
    share = words(4, 0, 3)[0] / 2**32
    np.testing.assert_allclose(y - x, (-0.2 + 0.4 * share) * 2e3)


def test_contrast_by_hand() -> None:
    x = np.array([[0.0, 10.0], [100.0, 50.0], [200.0, 30.0], [100.0, 70.0]]).reshape(1, 2, 2, 2)
    y = reference.random_contrast(x, factor=(1.5, 1.5))
    expected = [[0.0, 0.0], [100.0, 55.0], [250.0, 25.0], [100.0, 85.0]]
    np.testing.assert_allclose(y.reshape(4, 2), expected)
    y = reference.random_contrast(x, factor=(0.0, 1.0), value_range=(-1e3, 1e3), seed=3)
    share = words(5, 0, 3)[0] / 2**32
    np.testing.assert_allclose(y[0, 0, 0], [100 - 100 * share, 40 - 30 * share])


def test_resized_windows_by_hand() -> None:
    x = np.arange(8.0).reshape(1, 2, 4, 1)
    y = reference.crop_resize2d(x, window=(0, 0, 2, 4), height=1, width=2)
    assert y.flatten().tolist() == [2.5, 4.5]  # means of 2 x 2 pixels
    y = reference.crop_resize2d(x, window=(0, 1, 1, 2), height=2, width=4)
    assert y[0, :, :, 0].tolist() == [[1.0, 1.25, 1.75, 2.0]] * 2
    y = reference.crop_resize2d(x, window=(1, 1, 1, 3), height=1, width=3)
    assert y.flatten().tolist() == [5, 6, 7]


OPS = [
    ("random_flip", {}),
    ("random_crop", {"height": 3, "width": 3}),
    ("random_affine", {"rotation": (-0.2, 0.2)}),
    ("random_brightness", {"factor": (-0.3, 0.3)}),
    ("random_contrast", {"factor": (0.5, 2.0)}),
]


@pytest.mark.parametrize(("name", "options"), OPS)
def test_draws_are_a_function_of_the_sample(name: str, options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).uniform(0, 255, (20, 4, 5, 2)).astype(np.float32)
    op = getattr(reference, name)
    y = op(x, seed=1, epoch=3, **options)
    order = np.random.default_rng(1).permutation(20)
    np.testing.assert_array_equal(op(x[order], seed=1, epoch=3, samples=order, **options), y[order])
    assert y.dtype == np.float32
    for other in ({"epoch": 4}, {"seed": 2}, {"op_id": 1}):
        assert not np.array_equal(op(x, **{"seed": 1, "epoch": 3, **options, **other}), y)
    kept = x.copy()
    op(x, seed=1, **options)
    np.testing.assert_array_equal(x, kept)
