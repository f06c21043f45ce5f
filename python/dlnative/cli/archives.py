"""Arrays of NPZ files, checked. Arrays that are not needed are not read."""

from __future__ import annotations

import numpy as np

from ..data import npz_names, read_npz
from .samples import Samples

__all__ = ["read_archive", "read_archive_inputs", "suffix_of"]


def suffix_of(path: str, part: str) -> str:
    """Returns `"_test"` for `"test"` where the archive has an array `x_test`, else `""`."""
    return f"_{part}" if f"x_{part}" in npz_names(path) else ""


def read_archive(path: str, suffix: str) -> Samples:
    """Reads and checks two arrays of an archive, `x` and `y` with a suffix."""
    x_name, y_name = f"x{suffix}", f"y{suffix}"
    arrays = read_npz(path, [x_name, y_name])
    x, y = _checked_inputs(arrays[x_name], x_name, path), arrays[y_name]
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != x.shape[:1] or y.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: expected {y_name!r} to hold numbers or strings, shape ({len(x)},) as "
            f"{x_name!r} has {len(x)} samples, received {y.dtype} of shape {y.shape}"
        )
    _check_finite(y, y_name, path)
    return Samples(x, y)


def read_archive_inputs(path: str, suffix: str) -> np.ndarray:
    """Reads and checks one array of an archive, inputs without targets."""
    name = f"x{suffix}"
    return _checked_inputs(read_npz(path, [name])[name], name, path)


def _checked_inputs(x: np.ndarray, name: str, path: str) -> np.ndarray:
    if x.dtype.kind not in "biuf" or x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"{path}: expected {name!r} to hold numbers, shape (samples, ...) and not empty, "
            f"received {x.dtype} of shape {x.shape}"
        )
    _check_finite(x, name, path)
    return x


def _check_finite(array: np.ndarray, name: str, path: str) -> None:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if bad.any():
        raise ValueError(f"{path}: {name!r} has NaN or infinity in sample {int(bad.argmax())}")
