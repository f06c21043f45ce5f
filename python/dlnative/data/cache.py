"""Arrays that are made once, kept on the disk, and mapped into memory from then on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import secrets
import shutil
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

__all__ = ["CacheError", "RowWriter", "cache_folder", "cached_rows"]

_ROWS, _NOTES = "rows.npy", "notes.json"
_ATTEMPTS, _PAUSE = 200, 0.01  # seconds
_HEADER_BYTES = 128


class CacheError(OSError):
    """A folder of the cache that cannot be written.

    Attributes:
        summary: Which, and why.
    """

    def __init__(self, summary: str, remedy: str) -> None:
        super().__init__(f"{summary}; {remedy}")
        self.summary = summary


def cache_folder(name: str) -> Path:
    """Returns the folder of what can be made again: `~/.cache/dlnative/<name>`.

    `$XDG_CACHE_HOME` takes the place of `~/.cache`.

    Raises:
        OSError: If the user has no home folder.
    """
    root = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(root) if root else Path.home() / ".cache") / "dlnative" / name
    except RuntimeError as error:
        raise CacheError(
            f"no folder for the cache '{name}': {error}", "XDG_CACHE_HOME names one"
        ) from error


def cached_rows(
    folder: Path, key: Any, build: Callable[[RowWriter], Any]
) -> tuple[np.ndarray, Any]:
    """Returns an array from the cache, which is built first if it is not there.

    It is built in a folder with a name of its own, flushed to the disk, and takes its name in one
    step. So a reader finds all of it or nothing, an interruption leaves nothing, and of two
    processes that build the same at once, the second throws its work away. An entry whose files
    are not those that were written is built anew.

    Args:
        folder: The folder of the cache; it is made if it does not exist.
        key: JSON values; equal keys mean equal arrays.
        build: Writes the rows in order and returns notes for whoever reads them, JSON values.

    Returns:
        The rows, a read-only memory map of uint8, and the notes.

    Raises:
        CacheError: If the folder cannot be written.
    """
    digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    place = folder / digest
    try:
        found = _open(place) or _build(place, build)
    except OSError as error:
        raise CacheError(
            f"{folder}: the cache cannot be written there: {error.strerror or error}",
            "cache_dir names another folder",
        ) from error
    return found


def _build(place: Path, build: Callable[[RowWriter], Any]) -> tuple[np.ndarray, Any]:
    place.parent.mkdir(parents=True, exist_ok=True)
    temporary = place.parent / f".{place.name}.{secrets.token_hex(4)}"
    temporary.mkdir()
    try:
        with open(temporary / _ROWS, "xb") as stream:
            writer = RowWriter(stream)
            notes = build(writer)
            writer.finish()
        _write_notes(temporary, writer, notes)
        found = _install(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if found is None:
        raise OSError(f"what was written to {place} cannot be read back")
    return found


def _install(temporary: Path, place: Path) -> tuple[np.ndarray, Any] | None:
    """Returns what is in `place`, where `temporary` goes unless something whole is there already.

    Another process may do the same at any moment: it may find the place empty or damaged, move what
    is there aside, and put its own there.
    """
    for _ in range(_ATTEMPTS):
        found = _open(place)
        if found is not None:
            return found
        aside = temporary.with_name(f"{temporary.name}.{secrets.token_hex(4)}")
        with contextlib.suppress(OSError):  # there only if it is damaged, or about to be replaced
            place.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            temporary.rename(place)
        except OSError:
            if not place.is_dir() and temporary.is_dir():
                raise
            time.sleep(_PAUSE)
    return _open(place)


def _write_notes(folder: Path, writer: RowWriter, notes: Any) -> None:
    """Writes down what the rows are, and a digest of that."""
    about = {
        "shape": writer.shape,
        "modified": (folder / _ROWS).stat().st_mtime_ns,
        "sha256": writer.digest,
        "notes": notes,
    }
    text = json.dumps({"about": about, "sha256": _digest_of(about)})
    (folder / _NOTES).write_text(text, encoding="utf-8")


def _open(place: Path) -> tuple[np.ndarray, Any] | None:
    """Returns what is in a folder of the cache, or None unless it is what was written there."""
    rows = place / _ROWS
    try:
        content = json.loads((place / _NOTES).read_text(encoding="utf-8"))
        about = content["about"]
        if content["sha256"] != _digest_of(about):
            return None
        header, status = _header(about["shape"]), rows.stat()
        if status.st_size != len(header) + math.prod(about["shape"]):
            return None
        with open(rows, "rb") as stream:
            if stream.read(len(header)) != header:
                return None
            # The rows may be more than the memory. They are read only if somebody touched them.
            if status.st_mtime_ns != about["modified"] and not _is_content(stream, about["sha256"]):
                return None
        return np.load(rows, mmap_mode="r", allow_pickle=False), about["notes"]
    except (OSError, ValueError, EOFError, KeyError, TypeError, RecursionError):
        return None


def _digest_of(about: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _is_content(stream: BinaryIO, expected: str) -> bool:
    digest = hashlib.sha256()
    while piece := stream.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest() == expected


def _header(shape: Sequence[int]) -> bytes:
    """Returns the header of a `.npy` file of uint8, always as long."""
    text = repr({"descr": "|u1", "fortran_order": False, "shape": tuple(shape)})
    # Version 1.0 of the format: magic, length of the text, text up to a multiple of 64.
    magic = b"\x93NUMPY\x01\x00" + struct.pack("<H", _HEADER_BYTES - 10)
    return magic + text.ljust(_HEADER_BYTES - 11).encode() + b"\n"


class RowWriter:
    """Writes a `.npy` file of uint8 row by row, when the number of rows is not known before.

    Args:
        stream: A new file.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._count = 0
        self._digest = hashlib.sha256()
        self.row_shape: tuple[int, ...] | None = None
        stream.write(bytes(_HEADER_BYTES))  # the header's place, filled at the end

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows so far."""
        return (self._count, *(self.row_shape or ()))

    @property
    def digest(self) -> str:
        """SHA-256 of the rows so far."""
        return self._digest.hexdigest()

    def write(self, rows: Iterable[np.ndarray]) -> None:
        """Appends rows, which all have the same shape."""
        for row in rows:
            self.row_shape = self.row_shape or row.shape
            assert row.shape == self.row_shape and row.dtype == np.uint8
            content = row.tobytes()
            self._stream.write(content)
            self._digest.update(content)
            self._count += 1

    def finish(self) -> None:
        """Writes the header and flushes everything to the disk."""
        self._stream.seek(0)
        self._stream.write(_header(self.shape))
        self._stream.flush()
        os.fsync(self._stream.fileno())
