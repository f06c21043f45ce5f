"""Image files for the command line: folders of classes, and single files."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..data import ImageFormat, Images, image_folder, read_image
from ..data.cache import CacheError
from ..data.image_folder import BrokenImages

__all__ = ["format_of", "read_files", "read_folder"]

_FILES_AT_ONCE = 256


def format_of(shape: tuple[int, ...]) -> ImageFormat | None:
    """Returns how image files become samples of a shape, or None if they cannot."""
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3)):
        height, width, *channels = shape
        return ImageFormat((height, width), "rgb" if channels == [3] else "grayscale")
    return None


def read_folder(
    path: Path, wanted: ImageFormat, options: argparse.Namespace, **split: Any
) -> Images | tuple[Images, Images]:
    """Reads a folder as `data.image_folder` does; a warning becomes one line on stderr."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            images = image_folder(
                path,
                **wanted.get_config(),
                **split,
                on_error="skip" if options.skip_broken else "raise",
                cache_dir=options.cache_dir,
                verbose=not getattr(options, "quiet", False),
            )
        except BrokenImages as error:
            raise ValueError(f"{error.summary}; --skip-broken leaves them out") from error
        except CacheError as error:
            raise OSError(f"{error.summary}; --cache-dir DIR names another folder") from error
    for warning in caught:
        print(f"dlnative: warning: {warning.message}", file=sys.stderr)
    return images


def read_files(paths: list[str], wanted: ImageFormat) -> Iterator[np.ndarray]:
    """Yields the pixels of image files, uint8 `(n, height, width, channels)`, some at a time."""
    for start in range(0, len(paths), _FILES_AT_ONCE):
        some = paths[start : start + _FILES_AT_ONCE]
        yield np.stack([read_image(path, **wanted.get_config()) for path in some])
