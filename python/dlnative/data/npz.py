"""Arrays from NumPy's `.npz` archives, without running anything that is in them."""

from __future__ import annotations

import contextlib
import math
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from .expansion import check_expansion

__all__ = ["npz_names", "read_npz"]

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those of savez and savez_compressed
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_BYTES_AT_ONCE = 1 << 20


def npz_names(path: str | os.PathLike[str]) -> list[str]:
    """Returns the names of the arrays in an archive, none of which is read.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable archive.
    """
    with _opened(path) as archive:
        return [*_members(archive)]


def read_npz(
    path: str | os.PathLike[str], names: Sequence[str] | None = None
) -> dict[str, np.ndarray]:
    """Returns the arrays of an archive by name.

    Args:
        path: An `.npz` file as `numpy.savez` or `numpy.savez_compressed` writes it.
        names: The arrays that must be there; the others are not read. None reads all.

    Returns:
        A dictionary from name to array, in the order of `names`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not a readable archive, an array is missing, its size is not
            that which its header announces or more than the machine's memory, or it holds pickled
            Python objects, which are never loaded.

    Example:
        >>> np.savez("points.npz", x=np.zeros((4, 2)), y=np.arange(4))  # doctest: +SKIP
        >>> read_npz("points.npz", ["x", "y"])["x"].shape  # doctest: +SKIP
        (4, 2)
    """
    with _opened(path) as archive:
        members = _members(archive)
        missing = [name for name in names or () if name not in members]
        if missing:
            raise ValueError(
                f"expected an array {missing[0]!r}, received {', '.join(members) or 'none'}"
            )
        return {name: _read(archive, members[name]) for name in names or members}


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[zipfile.ZipFile]:
    """Opens an archive; whatever is wrong with it becomes a ValueError that names the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except Exception as error:  # zipfile, zlib and NumPy's own reader each raise their own kinds
        raise ValueError(f"{path}: cannot read it as an .npz archive: {error}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    return {info.filename.removesuffix(".npy"): info for info in infos}


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Reads one array. Nothing is expanded before the sizes agree, so no header is trusted."""
    name = member.filename
    if member.compress_type not in _METHODS:
        raise ValueError(f"{name} is compressed by method {member.compress_type}, expected DEFLATE")
    check_expansion(member.file_size, member.compress_size)
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{name} is in version {version} of NumPy's format")
        shape, by_column, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(
                f"{name} holds Python objects, which need allow_pickle and are refused"
            )
        size = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or dtype.itemsize == 0 or dtype.subdtype is not None:
            raise ValueError(f"{name} is no array: dtype {dtype} and shape {shape}")
        if stream.tell() + size != member.file_size:
            raise ValueError(
                f"{name}: {size} bytes for shape {shape} of {dtype}, and "
                f"{member.file_size - stream.tell()} are there"
            )
        content = np.empty(size, np.uint8)
        for start in range(0, size, _BYTES_AT_ONCE):
            piece = content[start : start + _BYTES_AT_ONCE]
            read = stream.read(len(piece))
            if len(read) != len(piece):
                raise ValueError(f"{name} is truncated")
            piece[:] = np.frombuffer(read, np.uint8)
        stream.read(1)  # zipfile compares the checksum at the end
    return content.view(dtype).reshape(shape, order="F" if by_column else "C")
