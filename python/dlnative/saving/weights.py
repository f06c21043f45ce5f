"""Arrays in safetensors: the header first, the values once it is known that they fit.

The format: the length of the header, 8 bytes; the header, JSON, that has dtype, shape and place of
each tensor; and the values, little-endian, without gaps.

Reference: https://github.com/huggingface/safetensors, section "Format".
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from .files import open_regular
from .strict_json import loads

__all__ = ["CODES", "Weights", "encode"]

_LONGEST_HEADER = 100_000_000  # bytes, as in the library
_MOST_AXES = 64  # of a NumPy array
_MOST_NAMES = 8  # in a message
_DTYPES = {
    "BOOL": "bool",
    **{f"{kind}{bits}": f"{name}{bits}" for kind, name in (("I", "int"), ("U", "uint"))
       for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"float{bits}" for bits in (16, 32, 64)},
}  # fmt: skip


_BLOCK = 4096  # bytes
_METADATA = "__metadata__"  # the name of the strings in the header
CODES = {name: code for code, name in _DTYPES.items()}


class Checksum(Protocol):
    """What hashlib's digests are."""

    def update(self, data: Any, /) -> None:
        """Takes the next bytes in."""

    def hexdigest(self) -> str:
        """The digest of all bytes so far."""


class BlockSums:
    """A digest at the speed of memory: SHA-256 of the sums of 64-bit words in blocks of 4 KB.

    It tells pages that were not written, were cut off or have changed bits, as a damaged disk has
    them, not what someone has made to look alike. Cuts of the bytes into updates count.
    """

    def __init__(self) -> None:
        self._sums = hashlib.sha256()

    def update(self, data: Any, /) -> None:
        content = np.frombuffer(data, np.uint8)
        whole = content.size - content.size % _BLOCK
        words = content[:whole].view(np.uint64).reshape(-1, _BLOCK // 8)
        self._sums.update(words.sum(axis=1, dtype=np.uint64).data)
        self._sums.update(content[whole:].tobytes())

    def hexdigest(self) -> str:
        return self._sums.hexdigest()


def encode(
    arrays: Mapping[str, np.ndarray],
    metadata: Mapping[str, str] | None = None,
    make_checksum: Callable[[], Checksum] = hashlib.sha256,
) -> tuple[list[Any], str]:
    """A safetensors file of arrays, without a copy of them.

    Args:
        arrays: {name: array}.
        metadata: Strings that go before them.
        make_checksum: Begins a digest.

    Returns:
        (buffers that the file consists of, the digest of all of them).
    """
    # Larger items first, so that each array is aligned, as the library does it.
    ordered = sorted(arrays.items(), key=lambda item: (-item[1].itemsize, item[0]))
    header: dict[str, Any] = {} if metadata is None else {_METADATA: dict(metadata)}
    end = 0
    for name, array in ordered:
        header[name] = {
            "dtype": CODES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    parts: list[Any] = [len(text).to_bytes(8, "little") + text]
    parts += [np.ascontiguousarray(a).reshape(-1).view(np.uint8).data for _, a in ordered if a.size]
    checksum = make_checksum()
    for part in parts:
        checksum.update(part)
    return parts, checksum.hexdigest()


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

    Attributes:
        metadata: The strings that go before the arrays, by name.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is not a safetensors file, or not a whole one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream = open_regular(path)
        self.metadata: dict[str, Any] = {}
        try:
            self._prefix, self.entries = self._read_header()
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> Weights:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._stream.close()

    def fits(self, name: str, variable: Any) -> bool:
        """Whether there is a tensor of a name, with the shape and the dtype of a variable."""
        entry = self.entries.get(name)
        expected = (tuple(variable.shape), str(variable.dtype))
        return entry is not None and (entry.shape, entry.dtype) == expected

    def check_fits(self, variables: Mapping[str, Any], beside: Set[str] = frozenset()) -> None:
        """Raises ValueError unless there is one tensor per variable, of its shape and dtype.

        Args:
            variables: Variables by name.
            beside: Names of tensors that may be there, too.
        """
        needed = {name: (tuple(v.shape), str(v.dtype)) for name, v in variables.items()}
        found = {name: (entry.shape, entry.dtype) for name, entry in self.entries.items()}
        others = [name for name in needed if name in found and found[name] != needed[name]]
        complaints = [
            *(f"lacks {_described(n, needed[n])}" for n in sorted(needed.keys() - found.keys())),
            *(
                f"holds {_described(n, found[n])}, which the model does not have"
                for n in sorted(found.keys() - needed.keys() - beside)
            ),
            *(
                f"expected {_described(n, needed[n])}, received {found[n][0]} and {found[n][1]}"
                for n in sorted(others)
            ),
        ]
        if complaints:
            shown, rest = complaints[:_MOST_NAMES], len(complaints) - _MOST_NAMES
            more = f"; and {rest} more" if rest > 0 else ""
            raise ValueError(f"{self.path}: not those of this model: {'; '.join(shown)}{more}")

    def read(
        self,
        make_checksum: Callable[[], Checksum] = hashlib.sha256,
        variables: Mapping[str, Any] = MappingProxyType({}),
    ) -> tuple[dict[str, np.ndarray], str]:
        """Returns the arrays, which together are as large as the file, and its digest.

        Args:
            make_checksum: What makes the digest.
            variables: Variables by name that fit: they get their values, which are not returned.
        """
        arrays = {}

        def memory_of(name: str) -> np.ndarray:
            if name in variables:
                variables[name].allocate()
                return variables[name].array
            entry = self.entries[name]
            arrays[name] = np.empty(entry.shape, entry.dtype)
            return arrays[name]

        digest = self._read(memory_of, make_checksum())
        return arrays, digest

    def _read(self, memory_of: Callable[[str], np.ndarray], checksum: Checksum) -> str:
        """Reads each tensor into the memory that there is for it; returns the file's digest."""
        checksum.update(self._prefix)
        for name in sorted(self.entries, key=lambda name: self.entries[name].begin):
            try:
                array = memory_of(name)
            except MemoryError as error:
                raise ValueError(f"{self.path}: too large for the memory: {error}") from error
            values = array.reshape(-1).view(np.uint8)
            if self._stream.readinto(values) != values.size:  # type: ignore[attr-defined]
                raise self._malformed("it became shorter while it was read")
            checksum.update(values.data)
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
        metadata = header.pop(_METADATA, {})
        self.metadata = metadata if isinstance(metadata, dict) else {}
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


def _described(name: str, facts: tuple[Any, str]) -> str:
    return f"'{name}' of shape {facts[0]} and dtype {facts[1]}"
