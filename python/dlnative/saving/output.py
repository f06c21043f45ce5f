"""A file that the user names, written in one step and otherwise left as it is.

What stands there decides: a regular file is replaced, with its mode and its owner; a link is
followed; a device, a pipe or a socket is written to.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import secrets
import socket
import stat
from pathlib import Path
from typing import BinaryIO

from .files import flush_folder, temporary_file

__all__ = ["atomic_write", "check_output"]

_DESCRIPTORS = "/dev/fd"
_LINKS = 40  # that Linux follows in one path


def atomic_write(path: str | os.PathLike[str], content: str | bytes | memoryview) -> None:
    """Writes a file so that a reader, or a crash, sees the old content or the new one.

    The content goes to a temporary file in the same folder, is flushed to the disk, and takes
    the name in one step. Nothing is left behind if writing fails or is interrupted. A file that
    was there keeps its mode, and its owner where the system allows it. A symbolic link stays, and
    what it leads to is written, whether that exists or not. A device, a named pipe or a socket is
    written to, and so is a descriptor of this process, such as `/dev/stdout`.

    Args:
        path: The file. Its folder must exist.
        content: Text, written in UTF-8, or bytes.

    Raises:
        OSError: As `check_output`, or if the content cannot be written.

    Example:
        >>> path = getfixture("tmp_path") / "note.txt"
        >>> atomic_write(path, "kept")
        >>> path.read_text()
        'kept'
    """
    name = os.fspath(path)
    data = content.encode() if isinstance(content, str) else content
    status = check_output(name)
    try:
        descriptor = _descriptor(name)
        if descriptor is not None:
            with open(descriptor, "wb", closefd=False) as stream:
                stream.write(data)
        elif status is None or stat.S_ISREG(status.st_mode):
            _replace(os.path.realpath(name), data, status)
        elif stat.S_ISSOCK(status.st_mode):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(name)
                connection.sendall(data)
        else:
            with open(name, "wb") as stream:
                stream.write(data)
    except OSError as error:
        if error.errno is not None:  # the user's name, not that of a temporary file
            error.filename, error.filename2 = name, None
        raise


def check_output(path: str | os.PathLike[str]) -> os.stat_result | None:
    """Raises what `atomic_write` would raise about a path, before there is anything to write.

    Args:
        path: The file.

    Returns:
        The status of what stands there, links followed, or None.

    Raises:
        IsADirectoryError: If that is a folder.
        FileNotFoundError: If there is no folder to put the file into.
        PermissionError: If the file, or the folder that it is replaced in, may not be written.
    """
    name = os.fspath(path)
    if _descriptor(name) is not None:
        return os.stat(name)
    try:
        status = os.stat(name)
    except FileNotFoundError:
        status = None
    target = os.path.realpath(name)
    folder = os.path.dirname(target)
    if os.path.isdir(target) or name.endswith(os.sep):
        raise IsADirectoryError(errno.EISDIR, "a folder; expected the name of a file", name)
    if not os.path.isdir(folder):
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {folder}", name)
    replaced = status is None or stat.S_ISREG(status.st_mode)
    if (status is not None and not os.access(name, os.W_OK)) or (
        replaced and not os.access(folder, os.W_OK | os.X_OK)
    ):
        raise PermissionError(errno.EACCES, "no permission to write there", name)
    return status


def _descriptor(name: str) -> int | None:
    """Returns the open descriptor that a path stands for: 1 for `/dev/stdout`.

    Opened by that path, a file would be emptied and written from its start on, whatever has been
    written to it before, and a socket could not be opened.
    """
    own = os.path.realpath(_DESCRIPTORS)
    for _ in range(_LINKS):
        folder, last = os.path.split(name)
        if last.isdecimal() and os.path.realpath(folder) == own:
            return int(last)
        if not os.path.islink(name):
            return None
        name = os.path.join(folder, os.readlink(name))
    return None


def _replace(target: str, data: bytes | memoryview, former: os.stat_result | None) -> None:
    """Replaces a regular file, or makes a new one."""
    folder = Path(target).parent
    # Short, unlike that of `names_beside`: the user's name may be as long as names can be.
    names = (folder / f".{secrets.token_hex(8)}.tmp" for _ in itertools.count())
    # What replaces a private file is never readable by others, not even for a moment.
    mode = 0o666 if former is None else 0o600
    with temporary_file(names, data, mode, lambda stream: _take_after(stream, former)) as temporary:
        os.replace(temporary, target)
    flush_folder(folder)


def _take_after(stream: BinaryIO, former: os.stat_result | None) -> None:
    """Gives a new file the owner and the mode of the one that it replaces."""
    if former is None or not hasattr(os, "fchown"):
        return
    file, mode = stream.fileno(), former.st_mode & 0o777
    with contextlib.suppress(PermissionError):  # without privileges, the group may go yet
        os.fchown(file, -1, former.st_gid)
        os.fchown(file, former.st_uid, -1)
    if os.fstat(file).st_gid != former.st_gid:
        mode &= ~0o070  # they were meant for another group
    os.fchmod(file, mode)
