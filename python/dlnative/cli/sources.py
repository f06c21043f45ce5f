"""What ``--data`` names, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data import Columns, Table, read_csv, read_npz

__all__ = ["Samples", "Source", "read_inputs", "read_samples", "read_source"]

_BUILT_IN = {"digits": 16, "mnist": 255}  # and the largest value of a pixel


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs and targets of one set.

    Attributes:
        x: Inputs of shape ``(n, ...)``, n at least 1, numeric.
        y: Targets of shape ``(n,)``: integers, floats, or strings as they stand in the file.
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True, eq=False)
class Source:
    """What there is to train on.

    Attributes:
        train: The training set, with targets.
        test: The test set, where the source has one.
        columns: Which columns of a CSV file these are.
        pixel_range: The largest value of a pixel, for images in uint8.
    """

    train: Samples
    test: Samples | None = None
    columns: Columns | None = None
    pixel_range: int | None = None


def read_source(data: str, data_dir: str | None, target: str | None) -> Source:
    """Reads a training set and, where there is one, the test set that goes with it.

    Args:
        data: The argument of ``--data``.
        data_dir: The argument of ``--data-dir``.
        target: The argument of ``--target``.

    Raises:
        ValueError, FileNotFoundError: If the data cannot be read; the message names the file.
    """
    kind = _kind(data, data_dir, target)
    if kind == "csv":
        table = read_csv(data, target)
        return Source(_samples(table), columns=table.columns)
    if kind in _BUILT_IN:
        train, test = _load_built_in(kind, data_dir)
        return Source(train, test, pixel_range=_BUILT_IN[kind])
    arrays = read_npz(data)
    suffix = "_train" if "x_train" in arrays else ""
    train_set = _from_arrays(arrays, f"x{suffix}", f"y{suffix}", data)
    test_set = _from_arrays(arrays, "x_test", "y_test", data) if "x_test" in arrays else None
    pixel_range = 255 if train_set.x.dtype == np.uint8 else None
    return Source(train_set, test_set, pixel_range=pixel_range)


def read_samples(data: str, data_dir: str | None, columns: Columns | None) -> Samples:
    """Reads one set with targets, the test set where there are two.

    Args:
        data: The argument of ``--data``.
        data_dir: The argument of ``--data-dir``.
        columns: The columns of the CSV file the model was trained on.

    Raises:
        ValueError, FileNotFoundError: If the data cannot be read; the message names the file.
    """
    kind = _kind(data, data_dir, None)
    if kind == "csv":
        return _samples(read_csv(data, columns=_known(columns, data)))
    if kind in _BUILT_IN:
        return _load_built_in(kind, data_dir)[1]
    arrays = read_npz(data)
    suffix = "_test" if "x_test" in arrays else ""
    return _from_arrays(arrays, f"x{suffix}", f"y{suffix}", data)


def read_inputs(data: str, data_dir: str | None, columns: Columns | None) -> np.ndarray:
    """Reads the inputs of one set, which need not have targets; otherwise as `read_samples`."""
    kind = _kind(data, data_dir, None)
    if kind == "csv":
        return read_csv(data, columns=_known(columns, data), with_target=False).features
    if kind in _BUILT_IN:
        return _load_built_in(kind, data_dir)[1].x
    arrays = read_npz(data)
    return _inputs(arrays, "x_test" if "x_test" in arrays else "x", data)


def _kind(data: str, data_dir: str | None, target: str | None) -> str:
    suffix = Path(data).suffix.lower()
    if data in _BUILT_IN:
        kind = data
    elif suffix in (".csv", ".tsv", ".txt"):
        kind = "csv"
    elif suffix == ".npz":
        kind = "npz"
    else:
        raise ValueError(f"--data: expected digits, mnist, FILE.csv or FILE.npz, received {data!r}")
    if data_dir is not None and kind != "mnist":
        raise ValueError(f"--data-dir goes with --data mnist, not with --data {data}")
    if target is not None and kind != "csv":
        raise ValueError(f"--target goes with a CSV file, not with --data {data}")
    return kind


def _known(columns: Columns | None, data: str) -> Columns:
    if columns is None:
        raise ValueError(f"{data}: the model was trained on arrays, not on a table")
    return columns


def _samples(table: Table) -> Samples:
    assert table.targets is not None  # read_csv was asked for them
    return Samples(table.features, table.targets)


def _load_built_in(kind: str, data_dir: str | None) -> tuple[Samples, Samples]:
    from ..datasets import digits, mnist

    if kind == "digits":
        train, test = digits.load_data()
    else:
        train, test = mnist.load_data() if data_dir is None else mnist.load_data(data_dir)
    return Samples(*train), Samples(*test)


def _from_arrays(arrays: dict[str, np.ndarray], x_name: str, y_name: str, path: str) -> Samples:
    """Checks and returns two arrays of an archive."""
    x = _inputs(arrays, x_name, path)
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


def _inputs(arrays: dict[str, np.ndarray], name: str, path: str) -> np.ndarray:
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
