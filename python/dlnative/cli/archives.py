"""Arrays of NPZ files, checked."""

from __future__ import annotations

import numpy as np

from .samples import Samples

__all__ = ["from_arrays", "inputs_of"]


def from_arrays(arrays: dict[str, np.ndarray], x_name: str, y_name: str, path: str) -> Samples:
    """Checks and returns two arrays of an archive, inputs and targets."""
    x = inputs_of(arrays, x_name, path)
    y = _array(arrays, y_name, path)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.shape != x.shape[:1] or y.dtype.kind not in "biufU":
        raise ValueError(
            f"{path}: expected {y_name!r} to hold numbers or strings, shape ({len(x)},) as "
            f"{x_name!r} has {len(x)} samples, received {y.dtype} of shape {y.shape}"
        )
    _check_finite(y, y_name, path)
    return Samples(x, y)


def inputs_of(arrays: dict[str, np.ndarray], name: str, path: str) -> np.ndarray:
    """Checks and returns one array of an archive, inputs without targets."""
    x = _array(arrays, name, path)
    if x.dtype.kind not in "biuf" or x.ndim < 2 or x.size == 0:
        raise ValueError(
            f"{path}: expected {name!r} to hold numbers, shape (samples, ...) and not empty, "
            f"received {x.dtype} of shape {x.shape}"
        )
    _check_finite(x, name, path)
    return x


def _array(arrays: dict[str, np.ndarray], name: str, path: str) -> np.ndarray:
    if name not in arrays:
        raise ValueError(
            f"{path}: expected an array {name!r}, received {', '.join(arrays) or 'none'}"
        )
    return arrays[name]


def _check_finite(array: np.ndarray, name: str, path: str) -> None:
    if array.dtype.kind != "f":
        return
    bad = ~np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    if bad.any():
        raise ValueError(f"{path}: {name!r} has NaN or infinity in sample {int(bad.argmax())}")
