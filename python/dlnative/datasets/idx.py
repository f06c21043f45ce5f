"""The IDX file format, in which MNIST and its relatives are distributed.

A file is a big-endian header and the elements of one array, row-major::

    byte 0, 1   zero
    byte 2      element type: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
    byte 3      number of dimensions d
    4 + 4*i     size of dimension i, uint32, for i < d
    4 + 4*d     the elements

Files may be compressed with gzip; that is told by their content, not by their name.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ..data.expansion import check_expansion

__all__ = ["read"]

_ELEMENT_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST_RANK = 32


def read(path: str | os.PathLike[str], rank: int | None = None) -> np.ndarray:
    """Returns the array in an IDX file, plain or gzip-compressed.

    Args:
        path: The file.
        rank: The number of dimensions the array must have; None accepts any.

    Returns:
        A writable array in the machine's byte order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is not IDX, is truncated, goes on after its last element, has a
            damaged gzip stream or one that cannot be as long as the header says, or has another
            rank than `rank`. The message names the file.

    Example:
        >>> images = read("train-images-idx3-ubyte.gz", rank=3)  # doctest: +SKIP
        >>> images.shape  # doctest: +SKIP
        (60000, 28, 28)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with open(path, "rb") as plain:
        compressed = plain.read(2) == _GZIP_MAGIC
        plain.seek(0)
        if not compressed:
            return _read_stream(plain, path, rank, None)
        try:
            with gzip.open(plain, "rb") as stream:
                size = path.stat().st_size
                return _read_stream(cast("IO[bytes]", stream), path, rank, size)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: damaged or truncated gzip file ({error})") from error


def _read_stream(
    stream: IO[bytes], path: Path, rank: int | None, compressed: int | None
) -> np.ndarray:
    head = stream.read(4)
    if len(head) < 4:
        raise ValueError(f"{path}: expected an IDX header, received a file of {len(head)} bytes")
    dtype = _ELEMENT_TYPES.get(head[2])
    if head[:2] != b"\0\0" or dtype is None or not 0 < head[3] <= _LARGEST_RANK:
        raise ValueError(
            f"{path}: not an IDX file: expected it to begin with 00 00 <type> <rank>, "
            f"received {head.hex(' ')}"
        )
    if rank is not None and head[3] != rank:
        raise ValueError(f"{path}: expected an array of rank {rank}, received rank {head[3]}")
    sizes = stream.read(4 * head[3])
    if len(sizes) < 4 * head[3]:
        raise ValueError(f"{path}: truncated in its header, after {4 + len(sizes)} bytes")
    shape = tuple(int(size) for size in np.frombuffer(sizes, ">u4"))
    expected = math.prod(shape) * dtype.itemsize
    if compressed is not None:
        try:
            check_expansion(expected, compressed)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    # One byte more than announced tells a file that goes on from one that ends where it should.
    data = _read_at_most(stream, expected + 1)
    if len(data) != expected:
        received = "more" if len(data) > expected else f"{len(data)}"
        raise ValueError(
            f"{path}: expected {expected} bytes of data for shape {shape}, received {received}"
        )
    elements = np.frombuffer(data, dtype).astype(dtype.newbyteorder("="), copy=False)
    try:
        return elements.reshape(shape)
    except ValueError as error:  # none in all, and more along some axes than NumPy counts
        raise ValueError(f"{path}: no array has the shape {shape}: {error}") from error


def _read_at_most(stream: IO[bytes], limit: int) -> bytearray:
    """Reads in pieces, so that a damaged header that announces terabytes reserves none."""
    data = bytearray()
    while len(data) < limit:
        piece = stream.read(min(limit - len(data), 1 << 24))
        if not piece:
            break
        data += piece
    return data
