"""Single image files: formats, colours, sizes, and files that are broken."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from PIL import Image

from dlnative.data import image_folder, read_image


def picture(color, size=(6, 4)) -> Image.Image:
    """An image of one colour, `size` is (width, height)."""
    return Image.new("RGB", size, color)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".PNG"])
def test_lossless_formats_are_exact(tmp_path, rng, suffix):
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"image{suffix}"), pixels)


def test_jpeg_is_what_pillow_decodes(tmp_path, rng):
    smooth = np.kron(rng.integers(0, 256, (2, 3, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    Image.fromarray(smooth).save(tmp_path / "image.jpg", quality=95)
    read = read_image(tmp_path / "image.jpg")
    assert read.shape == (16, 24, 3)
    assert np.abs(read.astype(int) - smooth).mean() < 8


def test_colours_become_grey_and_grey_becomes_colours(tmp_path):
    picture((100, 50, 200)).save(tmp_path / "color.png")
    grey = read_image(tmp_path / "color.png", color_mode="grayscale")
    assert grey.shape == (4, 6, 1)
    assert abs(int(grey[0, 0, 0]) - (0.299 * 100 + 0.587 * 50 + 0.114 * 200)) <= 1
    Image.new("L", (6, 4), 77).save(tmp_path / "grey.png")
    assert (read_image(tmp_path / "grey.png") == 77).all()
    assert read_image(tmp_path / "grey.png").shape == (4, 6, 3)


@pytest.mark.parametrize("mode", ["1", "LA", "P", "RGBA", "CMYK"])
def test_other_modes(tmp_path, mode):
    suffix = ".jpg" if mode == "CMYK" else ".png"
    Image.new("RGB", (6, 4), (255, 255, 255)).convert(mode).save(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"image{suffix}"), 255)


def test_sixteen_bits_become_the_upper_eight(tmp_path):
    values = np.array([[0, 255, 256, 65535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "deep.png")
    read = read_image(tmp_path / "deep.png", color_mode="grayscale")
    assert read.ravel().tolist() == [0, 0, 1, 255]


def test_photographs_are_turned_upright(tmp_path):
    image = picture((0, 0, 0), size=(16, 8))
    image.paste((255, 255, 255), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise
    image.save(tmp_path / "lying.jpg", exif=exif)
    read = read_image(tmp_path / "lying.jpg")
    assert read.shape == (16, 8, 3)
    assert read[:6].mean() > 240 and read[10:].mean() < 15


@pytest.mark.parametrize("interpolation", ["nearest", "box", "bilinear", "bicubic", "lanczos"])
def test_resizing(tmp_path, interpolation):
    image = picture((0, 0, 0), size=(32, 16))
    image.paste((240, 240, 240), (16, 0, 32, 16))
    image.save(tmp_path / "halves.png")
    read = read_image(tmp_path / "halves.png", (8, 12), interpolation=interpolation)
    assert read.shape == (8, 12, 3)
    assert read.dtype == np.uint8
    assert read[:, :4].max() <= 3 and read[:, 8:].min() >= 237


def test_resizing_down_averages(tmp_path):
    """Half the pixels of a fine checkerboard are white: their mean is what must be left."""
    board = (np.indices((32, 32)).sum(axis=0) % 2 * 255).astype(np.uint8)
    Image.fromarray(board).save(tmp_path / "board.png")
    assert abs(read_image(tmp_path / "board.png", (4, 4)).mean() - 127.5) < 3
    nearest = read_image(tmp_path / "board.png", (4, 4), interpolation="nearest")
    assert set(nearest.ravel().tolist()) <= {0, 255}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"image_size": (0, 4)}, r"\(height, width\), received \(0, 4\)"),
        ({"image_size": 32}, r"\(height, width\), received 32"),
        ({"image_size": (32,)}, r"\(height, width\), received"),
        ({"image_size": (3.5, 4)}, r"\(height, width\), received"),
        ({"color_mode": "rgba"}, "color_mode to be one of .*received 'rgba'"),
        ({"interpolation": "linear"}, "interpolation to be one of .*received 'linear'"),
    ],
)
def test_options_are_checked_first(options, message):
    with pytest.raises(ValueError, match=message):
        read_image("nowhere.png", **options)
    with pytest.raises(ValueError, match=message):
        image_folder("nowhere", **options)


def broken_files() -> dict[str, bytes]:
    """Contents that are no image, by what is wrong with them."""
    pixels = np.random.Generator(np.random.PCG64(1)).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    contents = {}
    for suffix in ("jpg", "png", "bmp"):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, {"jpg": "JPEG"}.get(suffix, suffix))
        whole = buffer.getvalue()
        contents[f"empty.{suffix}"] = b""
        contents[f"text.{suffix}"] = b"<html>not found</html>"
        contents[f"head.{suffix}"] = whole[:20]
        contents[f"half.{suffix}"] = whole[: len(whole) // 2]
        contents[f"short.{suffix}"] = whole[:-40]
    contents["script.jpg"] = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    return contents


@pytest.mark.parametrize("name", broken_files())
def test_broken_images(tmp_path, name):
    (tmp_path / name).write_bytes(broken_files()[name])
    with pytest.raises(ValueError, match=rf"{name}: cannot read the image: \w"):
        read_image(tmp_path / name)


def test_missing_file_and_missing_pillow(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"none\.png: no such file"):
        read_image(tmp_path / "none.png")
    (tmp_path / "photos" / "cats").mkdir(parents=True)
    picture((1, 2, 3)).save(tmp_path / "photos" / "cats" / "one.png")
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"needs Pillow: pip install 'dlnative\[images\]'"):
        read_image(tmp_path / "photos" / "cats" / "one.png")
    with pytest.raises(ImportError, match="needs Pillow"):
        image_folder(tmp_path / "photos", cache_dir=tmp_path)
