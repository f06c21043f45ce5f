"""Arrays that are made once, kept on the disk, and mapped into memory from then on."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["RowWriter", "cache_folder", "cached_rows"]

_ROWS, _NOTES = "rows.npy", "notes.json"
_HEADER_BYTES = 128


def cache_folder(name: str) -> Path:
    """Returns the folder of what can be made again: ``~/.cache/dlnative/<name>``.

    ``$XDG_CACHE_HOME`` takes the place of ``~/.cache``.
    """
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "dlnative" / name


def cached_rows(
    folder: Path, key: Any, build: Callable[[RowWriter], Any]
) -> tuple[np.ndarray, Any]:
    """Returns an array from the cache, which is built first if it is not there.

    It is built in a folder with a name of its own, flushed to the disk, and takes its name in one
    step. So a reader finds all of it or nothing, an interruption leaves nothing, and of two
    processes that build the same at once, the second throws its work away.

    Args:
        folder: The folder of the cache; it is made if it does not exist.
        key: JSON values; equal keys mean equal arrays.
        build: Writes the rows in order and returns notes for whoever reads them, JSON values.

    Returns:
        The rows, a read-only memory map of uint8, and the notes.

    Raises:
        OSError: If the folder cannot be written.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    place = folder / digest
    found = _open(place)
    if found is not None:
        return found
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{digest}.{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        with open(temporary / _ROWS, "xb") as stream:
            writer = RowWriter(stream)
            notes = build(writer)
            writer.finish()
        (temporary / _NOTES).write_text(json.dumps(notes), encoding="utf-8")
        if _open(place) is None:
            shutil.rmtree(place, ignore_errors=True)  # there only if it is damaged
            try:
                temporary.rename(place)
            except OSError:
                if not place.is_dir():  # else another process has built the same meanwhile
                    raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    found = _open(place)
    if found is None:
        raise OSError(f"{place}: the array written there cannot be read back")
    return found


def _open(place: Path) -> tuple[np.ndarray, Any] | None:
    """Returns what is in a folder of the cache, or None if it is not there or not whole."""
    try:
        notes = json.loads((place / _NOTES).read_text(encoding="utf-8"))
        return np.load(place / _ROWS, mmap_mode="r", allow_pickle=False), notes
    except (OSError, ValueError, EOFError):
        return None


class RowWriter:
    """Writes a ``.npy`` file of uint8 row by row, when the number of rows is not known before.

    Args:
        stream: A new file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._count = 0
        self.row_shape: tuple[int, ...] | None = None
        stream.write(bytes(_HEADER_BYTES))  # the header's place, filled at the end

    def write(self, rows: Iterable[np.ndarray]) -> None:
        """Appends rows, which all have the same shape."""
        for row in rows:
            self.row_shape = self.row_shape or row.shape
            assert row.shape == self.row_shape and row.dtype == np.uint8
            self._stream.write(row.tobytes())
            self._count += 1

    def finish(self) -> None:
        """Writes the header and flushes everything to the disk."""
        shape = (self._count, *(self.row_shape or ()))
        text = repr({"descr": "|u1", "fortran_order": False, "shape": shape})
        # Version 1.0 of the format: magic, length of the text, text up to a multiple of 64.
        magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", _HEADER_BYTES - 10)
        self._stream.seek(0)
        self._stream.write(magic + text.ljust(_HEADER_BYTES - 11).encode() + b"\n")
        self._stream.flush()
        os.fsync(self._stream.fileno())
