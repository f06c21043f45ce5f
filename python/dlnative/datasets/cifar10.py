"""CIFAR-10: 60 000 photographs of 32x32 pixels in ten classes, from a folder or downloaded once.

The set comes in two layouts, and a folder may hold either. The binary one, `data_batch_1.bin`
to `data_batch_5.bin` and `test_batch.bin`, is a sequence of records::

    byte 0           label, 0 to 9
    byte 1 to 1024   red, 32 rows of 32 pixels
    1025 to 2048     green
    2049 to 3072     blue

The Python one, the same names without `.bin`, is pickled dictionaries of `data`, uint8 of
shape `(n, 3072)` in the order above, and `labels`, a list. They are read as plain data: see
`datasets.pickles`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..data.cache import cache_folder
from . import pickles
from .download import data_folders, retrieve

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)

_ARCHIVE = "cifar-10-binary.tar.gz"
_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
_MIRRORS = ("https://www.cs.toronto.edu/~kriz/",)
_BINARY, _PYTHON = "cifar-10-batches-bin", "cifar-10-batches-py"  # as the archives name them
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
_PIXELS = 3 * 32 * 32

_Set = tuple[np.ndarray, np.ndarray]


def load_data(path: str | os.PathLike[str] | None = None) -> tuple[_Set, _Set]:
    """Returns CIFAR-10 as `(x_train, y_train), (x_test, y_test)`.

    With a `path`, only that is read. Without one, the first of these that has the files: the
    folder `$DLNATIVE_DATA/cifar10`, the folder `$DLNATIVE_DATA`, the cache of an earlier
    download. Failing those, the binary archive (170 MB) is downloaded, checked by SHA-256, and
    unpacked into the cache.

    Args:
        path: A folder with the files of one of the two layouts, or with the folder
            `cifar-10-batches-bin` or `cifar-10-batches-py` that has them.

    Returns:
        Images uint8 of shape `(50000, 32, 32, 3)` and `(10000, 32, 32, 3)`, red, green and
        blue from 0 to 255; labels uint8 of shape `(50000,)` and `(10000,)`, positions in
        `CLASS_NAMES`.

    Raises:
        FileNotFoundError: If `path` does not exist, or a file is missing from the folder.
        ValueError: If a file is truncated or damaged or has a label above 9, or a download has
            the wrong checksum. Nothing of a failed download is left behind.
        ImportError: If a download is needed and pooch is not installed.
        ConnectionError: If a download is needed and the server does not answer.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data("cifar10/")  # doctest: +SKIP
        >>> x_train.shape, y_train.shape  # doctest: +SKIP
        ((50000, 32, 32, 3), (50000,))
        >>> CLASS_NAMES[6]
        'frog'

    Differs from Keras:
        Labels have the shape `(n,)`, not `(n, 1)`; Keras has no `path`.

    Reference:
        A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
    """
    if path is not None:
        folder = _find(Path(path))
        if folder is None:
            raise FileNotFoundError(
                f"cifar10.load_data: expected a folder with data_batch_1.bin (the binary version) "
                f"or data_batch_1 (the Python version), or with {_BINARY} or {_PYTHON}, "
                f"and there is none at {path}"
            )
        return _read_folder(folder)
    for candidate in data_folders("cifar10"):
        folder = _find(candidate)
        if folder is not None:
            return _read_folder(folder)
    cache = cache_folder("cifar10")
    return _read_folder(_find(cache) or _download(cache))


def _find(folder: Path) -> Path | None:
    """Returns the folder with the files: the given one, or the one the archive made in it."""
    for candidate in (folder, folder / _BINARY, folder / _PYTHON):
        if any((candidate / f"{name}{end}").is_file() for name in _BATCHES for end in (".bin", "")):
            return candidate
    return None


def _read_folder(folder: Path) -> tuple[_Set, _Set]:
    binary = any((folder / f"{name}.bin").is_file() for name in _BATCHES)
    files = [folder / (f"{name}.bin" if binary else name) for name in _BATCHES]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise FileNotFoundError(f"{folder}: missing {', '.join(missing)}")
    read: Callable[[Path], _Set] = _read_binary if binary else _read_pickled
    *train, test = (_checked(*read(file), file) for file in files)
    images, labels = zip(*train)
    return (np.concatenate(images), np.concatenate(labels)), test


def _read_binary(path: Path) -> _Set:
    size = path.stat().st_size
    if size == 0 or size % (1 + _PIXELS):
        raise ValueError(
            f"{path}: truncated or not CIFAR-10: expected images of {1 + _PIXELS} bytes, one "
            f"after the other, received {size} bytes, which is {size / (1 + _PIXELS):.2f} images"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, 1 + _PIXELS)
    return records[:, 1:], records[:, 0].copy()


def _read_pickled(path: Path) -> _Set:
    batch = pickles.read(path)
    if not isinstance(batch, dict):
        raise ValueError(f"{path}: expected a dictionary, received {type(batch).__name__}")
    batch = {k.decode("latin1") if isinstance(k, bytes) else k: v for k, v in batch.items()}
    data, labels = batch.get("data"), batch.get("labels")
    if labels is None and "fine_labels" in batch:
        raise ValueError(f"{path}: this is CIFAR-100; expected CIFAR-10, which has 'labels'")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape[1:] != (_PIXELS,):
        raise ValueError(f"{path}: expected 'data' of uint8 and shape (n, {_PIXELS})")
    # Integers beyond 64 bits would make an array of objects.
    if not isinstance(labels, list) or not all(
        type(label) is int and abs(label) < 2**31 for label in labels
    ):
        raise ValueError(f"{path}: expected 'labels' to be a list of integers")
    if len(labels) != len(data) or not labels:
        raise ValueError(f"{path}: {len(data)} images and {len(labels)} labels")
    return data, np.array(labels)


def _checked(data: np.ndarray, labels: np.ndarray, path: Path) -> _Set:
    """Returns planes of colour as images with colours last, and labels that are all in range."""
    wrong = (labels < 0) | (labels >= len(CLASS_NAMES))
    if wrong.any():
        image = int(wrong.argmax())
        raise ValueError(
            f"{path}: expected labels from 0 to 9, received {labels[image]} for image {image}; "
            "the file is damaged or not CIFAR-10"
        )
    images = data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.uint8)


def _download(folder: Path) -> Path:
    """Downloads and unpacks the binary archive; the unpacked folder appears in one step."""
    archive = retrieve("cifar10", _ARCHIVE, _SHA256, _MIRRORS, folder)
    unpacked = folder / _BINARY
    temporary = folder / f".{_BINARY}.{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        with tarfile.open(archive) as contents:
            for name in _BATCHES:
                member = contents.extractfile(f"{_BINARY}/{name}.bin")
                assert member is not None  # the checksum says what is in it
                with member, open(temporary / f"{name}.bin", "xb") as stream:
                    shutil.copyfileobj(member, stream)
        if _find(unpacked) is None:  # another process may have been faster
            temporary.rename(unpacked)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    archive.unlink(missing_ok=True)
    return unpacked
