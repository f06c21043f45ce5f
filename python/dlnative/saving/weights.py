"""Weights in safetensors: the header first, the values once it is known that they fit.

The format: the length of the header, 8 bytes; the header, JSON, that has dtype, shape and place of
each tensor; and the values, little-endian, without gaps.

Reference: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import hashlib
import math
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .files import open_regular
from .strict_json import loads

__all__ = ["Weights"]

_LONGEST_HEADER = 100_000_000  # bytes, as in the library
_MOST_AXES = 64  # of a NumPy array
_DTYPES = {
    "BOOL": "bool",
    **{f"{kind}{bits}": f"{name}{bits}" for kind, name in (("I", "int"), ("U", "uint"))
       for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
}  # fmt: skip


class _Entry(NamedTuple):
    """What the header says of a tensor; `begin` and `end` are bytes from the first value."""

    shape: tuple[int, ...]
    dtype: str
    begin: int
    end: int


class Weights:
    """An open safetensors file, of which only the header has been read.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a safetensors file, or not a whole one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = open_regular(path)
        try:
            self._prefix, self.entries = self._read_header()
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()

    def check_fits(self, variables: dict[str, Any]) -> None:
        """Raises ValueError unless there is one tensor per variable, of its shape and dtype."""
        for missing in variables.keys() - self.entries.keys():
            raise ValueError(f"{self.path}: lacks the weights of '{missing}'")
        for extra in self.entries.keys() - variables.keys():
            raise ValueError(
                f"{self.path}: holds weights of '{extra}', which the model does not have"
            )
        for name, variable in variables.items():
            entry = self.entries[name]
            expected = (tuple(variable.shape), variable.dtype)
            if (entry.shape, entry.dtype) != expected:
                raise ValueError(
                    f"{self.path}: expected '{name}' of shape {expected[0]} and dtype "
                    f"{expected[1]}, received {entry.shape} and {entry.dtype}"
                )

    def read_into(self, variables: dict[str, Any]) -> str:
        """Gives variables that fit their values, and returns the SHA-256 of the file."""
        checksum = hashlib.sha256(self._prefix)
        for name in sorted(self.entries, key=lambda name: self.entries[name].begin):
            variable = variables[name]
            try:
                variable.allocate()
            except MemoryError as error:
                raise ValueError(f"{self.path}: too large for the memory: {error}") from error
            values = variable.array.reshape(-1).view(np.uint8)
            if self._stream.readinto(values) != values.size:  # type: ignore[attr-defined]
                raise self._malformed("it became shorter while it was read")
            checksum.update(values)
        return checksum.hexdigest()

    def _read_header(self) -> tuple[bytes, dict[str, _Entry]]:
        size = os.fstat(self._stream.fileno()).st_size
        start = self._stream.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(size - 8, _LONGEST_HEADER):
            raise self._malformed("its header is not whole")
        text = self._stream.read(length)
        try:
            header = loads(text)
        except ValueError as error:
            raise self._malformed(f"its header: {error}") from error
        if not isinstance(header, dict):
            raise self._malformed("its header is not an object")
        header.pop("__metadata__", None)
        entries = {name: self._entry(name, value) for name, value in header.items()}
        end = 0
        for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
            if entry.begin != end:
                raise self._malformed("its tensors leave gaps, or overlap")
            end = entry.end
        if 8 + length + end != size:
            raise ValueError(
                f"{self.path}: damaged: expected {8 + length + end} bytes, as its header says, "
                f"received {size}"
            )
        return start + text, entries

    def _entry(self, name: str, value: Any) -> _Entry:
        try:
            shape, offsets, code = value["shape"], value["data_offsets"], value["dtype"]
            numbers = [*shape, *offsets]
            dtype = _DTYPES[code]
            begin, end = offsets
        except (TypeError, KeyError, ValueError):
            raise self._malformed(
                f"its header has no tensor of a known dtype at {name!r}"
            ) from None
        is_size = len(shape) <= _MOST_AXES and all(type(n) is int and n >= 0 for n in numbers)
        if not is_size or end - begin != math.prod(shape) * np.dtype(dtype).itemsize:
            raise self._malformed(f"its header gives {name!r} no shape, or one of another size")
        return _Entry(tuple(shape), dtype, begin, end)

    def _malformed(self, reason: str) -> ValueError:
        return ValueError(f"{self.path}: not a safetensors file: {reason}")
