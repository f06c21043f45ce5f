"""Files that are there in full or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["atomic_write", "replace_together"]


def atomic_write(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new one.

    The content goes to a temporary file in the same folder, is flushed to the disk, and takes
    the name in one step. Nothing is left behind if writing fails or is interrupted.

    Args:
        path: The file. Its folder must exist.
        content: Text, written in UTF-8, or bytes.

    Example:
        >>> path = getfixture("tmp_path") / "note.txt"
        >>> atomic_write(path, "kept")
        >>> path.read_text()
        'kept'
    """
    path = Path(path)
    replace_together(path.parent, {path.name: content})


def replace_together(folder: Path, contents: dict[str, str | bytes]) -> None:
    """Writes several files of one folder; none takes its name before all are on the disk.

    Args:
        folder: An existing folder.
        contents: Text or bytes by file name. They take their names in this order.
    """
    with contextlib.ExitStack() as stack:
        written = {
            name: stack.enter_context(_temporary_file(folder, name, content))
            for name, content in contents.items()
        }
        for name, temporary in written.items():
            os.replace(temporary, folder / name)
    _flush_folder(folder)


@contextlib.contextmanager
def _temporary_file(folder: Path, name: str, content: str | bytes) -> Iterator[Path]:
    """A flushed file of this content, removed at the end if it has not been renamed."""
    temporary = folder / f".{name}.{secrets.token_hex(4)}"
    try:
        with open(temporary, "xb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
            stream.flush()
            os.fsync(stream.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """Makes the new names last through a power failure, where folders can be flushed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
