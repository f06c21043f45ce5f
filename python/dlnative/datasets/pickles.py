"""Plain data from pickle files, without running anything that is in them.

A pickle is a program: loading one the usual way calls whatever functions it names. Here the only
names it may use are those by which NumPy arrays and byte strings are written, and they stand for
small functions of this module that accept arrays of numbers and nothing else.
"""

from __future__ import annotations

import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read"]


def read(path: str | os.PathLike[str]) -> Any:
    """Returns what a pickle file holds.

    Args:
        path: A file of any pickle protocol, made of dicts, lists, tuples, numbers, strings, bytes
            and NumPy arrays of numbers. Strings of Python 2 become bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or truncated, or names anything but the above; that is
            never imported or called. The message names the file.

    Example:
        >>> path = getfixture("tmp_path") / "batch"
        >>> _ = path.write_bytes(pickle.dumps({"labels": [3, 8], "data": np.zeros((2, 4))}))
        >>> read(path)["data"].shape
        (2, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, "rb") as stream:
        try:
            return _finished(_Unpickler(stream, encoding="bytes").load())
        except Exception as error:  # what a damaged stream raises can be almost anything
            raise ValueError(f"{path}: damaged, or not plain data in a pickle: {error}") from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        # NumPy 2 has renamed the module: numpy.core is numpy._core there.
        try:
            return _NAMES[module.replace("numpy._core", "numpy.core"), name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it names {module}.{name}, which is not plain data"
            ) from None


class _Type:
    """Stands for ``numpy.dtype`` while the stream is read; numbers only."""

    def __init__(self, code: str | bytes, align: bool = False, copy: bool = True) -> None:
        text = code.decode("ascii") if isinstance(code, bytes) else code
        self.dtype = np.dtype(text)
        if self.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"an array of dtype {text!r} is not one of numbers")

    def __setstate__(self, state: tuple) -> None:
        order: Any = state[1].decode("ascii") if isinstance(state[1], bytes) else state[1]
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for ``numpy.ndarray`` while the stream is read."""

    array: np.ndarray | None = None

    def __setstate__(self, state: tuple) -> None:
        _, shape, kind, by_column, content = state
        self.array = _make_array(content, kind, shape, "F" if by_column else "C")


def _reconstruct(subtype: Any, shape: Any, code: Any) -> _Array:
    """What ``ndarray.__reduce__`` names: an empty array, to which a state is given next."""
    return _Array()


def _frombuffer(content: Any, kind: _Type, shape: tuple, order: str, axes: Any = None) -> Any:
    """What ``ndarray.__reduce_ex__(5)`` names."""
    return _make_array(content, kind, shape, order)


def _make_array(content: Any, kind: _Type, shape: tuple[int, ...], order: Any) -> np.ndarray:
    if len(content) != math.prod(shape) * kind.dtype.itemsize:
        raise pickle.UnpicklingError(f"{len(content)} bytes for an array of shape {shape}")
    array = np.frombuffer(bytes(content), kind.dtype)
    return array.reshape(shape, order="F" if order == "F" else "C")


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in protocol 2."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"bytes encoded as {encoding!r}")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How Python 3 writes empty bytes in protocol 2."""
    return b""


_NAMES: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
}


def _finished(value: Any) -> Any:
    """Replaces what stands for an array by the array."""
    if isinstance(value, _Array):
        if value.array is None:
            raise pickle.UnpicklingError("an array without elements")
        return value.array
    if isinstance(value, dict):
        return {key: _finished(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_finished, value))
    return value
