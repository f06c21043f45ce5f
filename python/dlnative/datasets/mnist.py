"""MNIST: 70 000 handwritten digits of 28x28 pixels, from a folder or downloaded once."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..data import read_npz
from ..data.cache import cache_folder
from . import idx
from .download import data_folders, retrieve

__all__ = ["load_data"]

# SHA-256 of the four files as their authors published them.
_FILES = {
    "train-images-idx3-ubyte": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
_MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
_ARCHIVE_ARRAYS = ("x_train", "y_train", "x_test", "y_test")
_KERAS_DEFAULT = "mnist.npz"

_Split = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def load_data(path: str | os.PathLike[str] = _KERAS_DEFAULT) -> _Split:
    """Returns MNIST as `(x_train, y_train), (x_test, y_test)`.

    With a `path`, only that is read. Without one, the first of these that has the files:
    the folder `$DLNATIVE_DATA/mnist`, the folder `$DLNATIVE_DATA`, the cache of an earlier
    download. Failing those, the files are downloaded into the cache, checked by SHA-256.

    Args:
        path: A folder with the four IDX files (`train-images-idx3-ubyte` and so on, plain or
            `.gz`), or an `.npz` file with `x_train, y_train, x_test, y_test`.

    Returns:
        Images uint8 of shape `(60000, 28, 28)` and `(10000, 28, 28)`, values 0..255; labels
        uint8 of shape `(60000,)` and `(10000,)`, values 0..9.

    Raises:
        FileNotFoundError: If `path` does not exist, or a file is missing from the folder.
        ValueError: If a file is damaged, or a download has the wrong checksum. Nothing of a
            failed download is left behind.
        ImportError: If a download is needed and pooch is not installed.
        ConnectionError: If a download is needed and no mirror answers.

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data("mnist/")  # doctest: +SKIP
        >>> x_train.shape, y_train.shape  # doctest: +SKIP
        ((60000, 28, 28), (60000,))

    Differs from Keras:
        `path` may be a folder, and relative paths are those of the shell: Keras looks for them
        in its cache.

    Reference:
        Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-Based Learning Applied to
        Document Recognition", Proceedings of the IEEE, 1998.
    """
    path = Path(path)
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_archive(path)
    if str(path) != _KERAS_DEFAULT:
        raise FileNotFoundError(
            f"mnist.load_data: expected a folder with the four IDX files or an .npz file, "
            f"and there is none at {path}"
        )
    for folder in data_folders("mnist"):
        if any(_find(folder, name) for name in _FILES):
            return _read_folder(folder)
    folder = cache_folder("mnist")
    if not all(_find(folder, name) for name in _FILES):
        _download(folder)
    return _read_folder(folder)


def _find(folder: Path, name: str) -> Path | None:
    """Finds a file under its published name, its unpacked name, or the name with a dot."""
    dotted = name.replace("-idx", ".idx")
    for candidate in (f"{name}.gz", name, f"{dotted}.gz", dotted):
        if (folder / candidate).is_file():
            return folder / candidate
    return None


def _read_folder(folder: Path) -> _Split:
    found = {name: _find(folder, name) for name in _FILES}
    missing = [name for name, file in found.items() if file is None]
    if missing:
        raise FileNotFoundError(
            f"{folder}: missing {', '.join(missing)} (each may be plain or .gz)"
        )
    arrays = [
        idx.read(file, rank=3 if "images" in name else 1)
        for name, file in found.items()
        if file is not None
    ]
    return _checked(arrays, folder)


def _read_archive(path: Path) -> _Split:
    arrays = [*read_npz(path, _ARCHIVE_ARRAYS).values()]
    return _checked(arrays, path)


def _checked(arrays: list[np.ndarray], source: Path) -> _Split:
    x_train, y_train, x_test, y_test = arrays
    for part, x, y in (("training", x_train, y_train), ("test", x_test, y_test)):
        if (x.ndim, y.ndim) != (3, 1):
            raise ValueError(
                f"{source}: expected {part} images of shape (n, height, width) and labels of shape "
                f"(n,), received {x.shape} and {y.shape}"
            )
        if len(x) != len(y):
            raise ValueError(f"{source}: {len(x)} {part} images and {len(y)} {part} labels")
    return (x_train, y_train), (x_test, y_test)


def _download(folder: Path) -> None:
    for name, sha256 in _FILES.items():
        retrieve("mnist", f"{name}.gz", sha256, _MIRRORS, folder)
