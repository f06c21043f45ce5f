"""Files that are there in full or not at all, and what interrupted writers left of others.

A writer holds the lock of each file that it makes until the file has its final name and is needed.
The system gives the lock back when a process ends, however it ends, so a file that is neither
needed nor locked was abandoned.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "TEMPORARY",
    "Content",
    "flush_folder",
    "fresh_file",
    "held_lock",
    "made_folder",
    "names_beside",
    "open_regular",
    "remove_abandoned",
    "temporary_file",
]

# Text, written in UTF-8; bytes; or a sequence of buffers, written one after the other.
Content: TypeAlias = str | bytes | memoryview | Sequence[Any]

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.dlnative")  # what `names_beside` gives


def names_beside(path: Path) -> Iterator[Path]:
    """Names for temporary files that shall become `path`."""
    while True:
        yield path.with_name(f".{path.name}.{secrets.token_hex(4)}.dlnative")


@contextlib.contextmanager
def temporary_file(
    names: Iterable[Path],
    content: Content,
    mode: int = 0o666,
    prepare: Callable[[BinaryIO], None] | None = None,
) -> Iterator[Path]:
    """As `fresh_file`, but the file is removed at the end if it still has that name."""
    with fresh_file(names, content, mode, prepare) as temporary:
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def fresh_file(
    names: Iterable[Path],
    content: Content,
    mode: int = 0o666,
    prepare: Callable[[BinaryIO], None] | None = None,
) -> Iterator[Path]:
    """A new, flushed file of this content under the first free name; locked inside the block.

    Args:
        names: Names to try.
        content: What the file is to hold.
        mode: What it is made with, less the umask.
        prepare: Called with the empty file before anything is written to it.
    """
    for path in names:
        try:
            stream = open(  # noqa: SIM115
                path, "xb", opener=lambda file, flags: os.open(file, flags, mode)
            )
        except FileExistsError:
            continue
        with stream:
            if not _lock_fresh(stream, path):
                continue
            try:
                _fill(stream, path, content, prepare)
                yield path
                return
            finally:
                _unlock(stream)


def _fill(
    stream: BinaryIO,
    path: Path,
    content: Content,
    prepare: Callable[[BinaryIO], None] | None,
) -> None:
    """Writes a new file to the disk, or removes it."""
    try:
        if prepare is not None:
            prepare(stream)
        for part in _parts(content):
            stream.write(part)
        stream.flush()
        os.fsync(stream.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _parts(content: Content) -> Sequence[Any]:
    if isinstance(content, str):
        return [content.encode()]
    return [content] if isinstance(content, (bytes, memoryview)) else content


@contextlib.contextmanager
def held_lock(path: Path, patience: float = 2.0) -> Iterator[None]:
    """A `with` block in which this process, and no other, holds the lock of a file.

    The system gives it back however the process ends. Where there are no locks, nothing is held.

    Args:
        path: The file, which is made if it does not exist.
        patience: Seconds to wait for it: processes that one has forked share its lock, and may live
            a little longer.

    Raises:
        BlockingIOError: Another process, or another block of this one, holds it.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    end = time.monotonic() + patience
    try:
        while True:
            try:
                _lock(handle)
            except BlockingIOError:
                if time.monotonic() < end:
                    time.sleep(0.02)
                    continue
                raise BlockingIOError(
                    errno.EWOULDBLOCK, "another run writes to this folder", str(path.parent)
                ) from None
            except OSError:
                pass
            break
        yield
    finally:
        os.close(handle)


def remove_abandoned(path: Path, is_needed: Callable[[], bool], without_locks: bool) -> None:
    """Removes a file that nobody needs, unless its writer is at work.

    Args:
        path: The file. Anything else that has the name stays, and so does what cannot be removed.
        is_needed: Asked while the lock is held: no writer can make the file needed any more.
        without_locks: Whether to remove it where the file system has no locks.
    """
    flags = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with contextlib.suppress(OSError):
        handle = os.open(path, flags)
        try:
            try:
                _lock(handle)
            except BlockingIOError:
                return
            except OSError:
                if not without_locks:
                    return
            is_file = stat.S_ISREG(os.fstat(handle).st_mode)
            if is_file and _has_name(handle, path) and not is_needed():
                path.unlink()
        finally:
            os.close(handle)


def open_regular(path: Path) -> BinaryIO:
    """Opens a file to read it.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is a folder, a pipe, a socket, a device, or a link to itself.
    """
    try:
        is_file = stat.S_ISREG(os.stat(path).st_mode)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        is_file = False
    if not is_file:
        raise ValueError(f"{path}: expected a file, received something else of that name")
    return open(path, "rb")


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Makes a folder and those above it; those that were not there go again if the block fails."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in missing:
            with contextlib.suppress(OSError):  # not empty: somebody else's by now
                each.rmdir()
        raise


def flush_folder(folder: Path) -> None:
    """Makes the new names last through a power failure, where folders can be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lock_fresh(stream: BinaryIO, path: Path) -> bool:
    """Locks a file that was just made; False if it was taken for abandoned before."""
    try:
        _lock(stream.fileno())
    except BlockingIOError:
        return False
    except OSError:  # no locks here: `remove_abandoned` leaves it alone
        return True
    return _has_name(stream.fileno(), path)


def _lock(handle: int) -> None:
    """Takes the lock of an open file, or raises BlockingIOError; OSError if there are no locks."""
    if fcntl is None:
        raise OSError(errno.ENOTSUP, "no file locks")
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _unlock(stream: BinaryIO) -> None:
    """Gives the lock back, of which a child that was forked meanwhile has a share."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(stream.fileno(), fcntl.LOCK_UN)


def _has_name(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False
