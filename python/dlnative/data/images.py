"""Image files as arrays of pixels, through Pillow."""

from __future__ import annotations

import io
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["SUFFIXES", "ImageFormat", "read_image"]

SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png")

# Only these decoders are let near a file, whatever its name says: Pillow has others, and the one
# for PostScript runs a program.
_DECODERS = ("BMP", "JPEG", "PNG")
_MODES = {"rgb": "RGB", "grayscale": "L"}
_INTERPOLATIONS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")


@dataclass(frozen=True)
class ImageFormat:
    """What becomes of an image when it is read.

    Attributes:
        image_size: `(height, width)` to which it is resized, or None to leave its size.
        color_mode: `"rgb"` or `"grayscale"`.
        interpolation: `"nearest"`, `"box"`, `"bilinear"`, `"hamming"`, `"bicubic"` or
            `"lanczos"`.

    Raises:
        ValueError: If one of them is something else.
    """

    image_size: tuple[int, int] | None = None
    color_mode: str = "rgb"
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.image_size is not None:
            object.__setattr__(self, "image_size", _checked_size(self.image_size))
        for name, known in (("color_mode", tuple(_MODES)), ("interpolation", _INTERPOLATIONS)):
            value = getattr(self, name)
            if value not in known:
                raise ValueError(f"expected {name} to be one of {known}, received {value!r}")

    @property
    def channels(self) -> int:
        """Values per pixel: 3 or 1."""
        return 3 if self.color_mode == "rgb" else 1

    def get_config(self) -> dict[str, Any]:
        """Returns the attributes as a dictionary for JSON."""
        return asdict(self)


def read_image(
    path: str | os.PathLike[str],
    image_size: tuple[int, int] | None = None,
    color_mode: str = "rgb",
    interpolation: str = "bilinear",
) -> np.ndarray:
    """Returns the pixels of a JPEG, PNG or BMP file.

    Grey and indexed images become RGB, coloured ones grey (`0.299 R + 0.587 G + 0.114 B`), as
    `color_mode` says; 16 bits become 8; an alpha channel is dropped. A photograph that is stored
    lying down and marked as such is turned upright.

    Args:
        path: The file.
        image_size: `(height, width)` to which the image is resized; its proportions may change.
            None leaves its size.
        color_mode: `"rgb"` or `"grayscale"`.
        interpolation: `"nearest"`, `"box"`, `"bilinear"`, `"hamming"`, `"bicubic"` or
            `"lanczos"`. All but the first average over what becomes one pixel.

    Returns:
        uint8 of shape `(height, width, 3)`, or `(height, width, 1)` for grey.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is truncated, damaged, or none of these formats, has more pixels
            than `PIL.Image.MAX_IMAGE_PIXELS`, or an argument is none of the above.
        ImportError: If Pillow is not installed.

    Example:
        >>> read_image("cat.jpg", image_size=(32, 32)).shape  # doctest: +SKIP
        (32, 32, 3)

    Differs from Keras:
        `keras.utils.load_img` does not turn photographs upright, and its default interpolation is
        `"nearest"`.
    """
    path = Path(path)
    wanted = ImageFormat(image_size, color_mode, interpolation)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return decode(path, wanted)
    except UnreadableImage as error:
        raise ValueError(f"{path}: cannot read the image: {error}") from error


class UnreadableImage(Exception):
    """A file that is not an image, or not all of one."""


def require_pillow() -> Any:
    """Returns the module PIL.Image, with the usual decoders registered.

    Raises:
        ImportError: If Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "reading image files needs Pillow: pip install 'dlnative[images]'"
        ) from error
    Image.preinit()  # here, before several threads would do so at once
    return Image


def decode(path: Path, wanted: ImageFormat) -> np.ndarray:
    """Returns the pixels of a file as uint8 `(height, width, channels)`.

    Raises:
        UnreadableImage: If Pillow cannot decode it to the end.
    """
    pillow = require_pillow()
    from PIL import ImageOps, UnidentifiedImageError

    try:
        # From memory: read(n) of a file takes n bytes first, and n may be what a file claims.
        with pillow.open(io.BytesIO(path.read_bytes()), formats=_DECODERS) as image:
            _check_pixels(image.width * image.height, pillow.MAX_IMAGE_PIXELS)
            image.load()
            image = _eight_bits(ImageOps.exif_transpose(image), pillow)
            image = image.convert(_MODES[wanted.color_mode])
            if wanted.image_size is not None and image.size != wanted.image_size[::-1]:
                filter = pillow.Resampling[wanted.interpolation.upper()]
                image = image.resize(wanted.image_size[::-1], filter)
    except (MemoryError, UnreadableImage):
        raise
    except UnidentifiedImageError:
        reason = "empty file" if path.stat().st_size == 0 else "not a JPEG, PNG or BMP file"
        raise UnreadableImage(reason) from None
    except Exception as error:  # a damaged file makes the decoders raise almost anything
        raise UnreadableImage(str(error) or type(error).__name__) from error
    return np.asarray(image).reshape(image.height, image.width, wanted.channels)


def _check_pixels(count: int, most: int | None) -> None:
    """Refuses what Pillow takes for a decompression bomb, about which it only warns at first."""
    if most is not None and count > most:
        raise UnreadableImage(f"{count} pixels, more than PIL.Image.MAX_IMAGE_PIXELS = {most}")


def _eight_bits(image: Any, pillow: Any) -> Any:
    """Takes the upper byte of 16-bit grey, which `convert` would cut off at 255."""
    if image.mode != "I" and not image.mode.startswith("I;16"):
        return image
    return pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _checked_size(size: Any) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in size)
        if height > 0 and width > 0 and (height, width) == tuple(size):
            return height, width
    except (TypeError, ValueError):
        pass
    raise ValueError(f"expected image_size to be None or (height, width), received {size!r}")
