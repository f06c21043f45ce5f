"""HDF5 files of nested groups and arrays, in the form that `hdf5_read` reads and h5py does, too."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .hdf5_read import FLOATS, NOWHERE, SIGNATURE, Kind

__all__ = ["hdf5_bytes"]

_LEAF, _INNER = 4, 16  # half of how many members, or children, a node of a group's tree has
_HEADER, _ENTRY = 16, 40  # bytes of an object header before its messages, of a symbol
_SUPERBLOCK = 96  # bytes
_BOOL = bytes.fromhex(
    "180200000100000010080000010000000000080046414c5345000000545255450000000000010000"
)
_FILL = bytes.fromhex("0202020100000000")  # none: space is taken when the values are written


def hdf5_bytes(tree: Mapping[str, Any]) -> bytearray:
    """The contents of an HDF5 file.

    Args:
        tree: Dict from names to arrays (of booleans, integers or floats) and to such dicts, which
            become groups. Names have no "/".

    Raises:
        TypeError: An array of another dtype.
    """
    writer = _Writer()
    header, places = writer.group(tree)
    entry = struct.pack("<QQIIQQ", 0, header, Kind.GROUP, 0, *places)
    head = struct.pack("<8sBBBxBBBxHHI", SIGNATURE, 0, 0, 0, 0, 8, 8, _LEAF, _INNER, 0)
    head += struct.pack("<4Q", 0, NOWHERE, len(writer.content), NOWHERE)
    writer.content[:_SUPERBLOCK] = head + entry
    return writer.content


class _Writer:
    """The file so far; parts are added at its end, and refer to those before them."""

    def __init__(self) -> None:
        self.content = bytearray(_SUPERBLOCK)

    def group(self, members: Mapping[str, Any]) -> tuple[int, tuple[int, int]]:
        """Adds a group; returns the address of its header, and those of its tree and its names."""
        names = bytearray(8)
        entries: list[tuple[int, bytes]] = []
        named = ((name.encode(), value) for name, value in members.items())
        for name, member in sorted(named, key=lambda pair: pair[0]):
            at = len(names)
            names += _padded(name + b"\0")
            if isinstance(member, Mapping):
                header, places = self.group(member)
                entry = struct.pack("<QQIIQQ", at, header, Kind.GROUP, 0, *places)
            else:
                entry = struct.pack("<QQII16x", at, self._array(np.asarray(member)), 0, 0)
            entries.append((at, entry))
        free = struct.pack("<QQ", 1, 16)  # the list of free pieces, which has itself only
        heap_at = len(self.content)
        head = struct.pack("<4sB3xQQQ", b"HEAP", 0, len(names) + 16, len(names), heap_at + 32)
        self._add(head + names + free)
        tree = self._tree(entries)
        table = _message(Kind.SYMBOL_TABLE, struct.pack("<QQ", tree, heap_at))
        return self._header([table]), (tree, heap_at)

    def _tree(self, entries: Sequence[tuple[int, bytes]]) -> int:
        """Adds the tree over the members of a group; returns the address of its root."""
        nodes = []  # (place of the last name, address)
        for part in _parts(entries, 2 * _LEAF):
            node = struct.pack("<4sBxH", b"SNOD", 1, len(part)) + b"".join(e for _, e in part)
            nodes.append((part[-1][0], self._add(node.ljust(8 + 2 * _LEAF * _ENTRY, b"\0"))))
        level = 0
        while level == 0 or len(nodes) > 1:
            parts = _parts(nodes, 2 * _INNER) or [[]]
            size = 24 + 16 * 2 * _INNER + 8
            addresses = [len(self.content) + i * size for i in range(len(parts))]
            beside = [NOWHERE, *addresses, NOWHERE]
            before = 0
            for number, part in enumerate(parts):
                node = struct.pack("<4sBBH", b"TREE", 0, level, len(part))
                node += struct.pack("<QQQ", beside[number], beside[number + 2], before)
                for last, address in part:
                    node += struct.pack("<QQ", address, last)
                    before = last
                self._add(node.ljust(size, b"\0"))
            nodes = [(part[-1][0] if part else 0, at) for part, at in zip(parts, addresses)]
            level += 1
        return nodes[0][1]

    def _array(self, array: np.ndarray) -> int:
        """Adds an array; returns the address of its header."""
        place = self._add(np.ascontiguousarray(array).data.cast("B")) if array.size else NOWHERE
        shape = struct.pack("<BBB5x", 1, array.ndim, 0) + struct.pack(
            f"<{array.ndim}Q", *array.shape
        )
        layout = struct.pack("<BBQQ6x", 3, 1, place, array.nbytes)
        return self._header(
            [
                _message(Kind.DATASPACE, shape),
                _message(Kind.DATATYPE, _dtype(array.dtype)),
                _message(Kind.FILL, _FILL),
                _message(Kind.LAYOUT, layout),
            ]
        )

    def _header(self, messages: Sequence[bytes]) -> int:
        content = b"".join(messages)
        return self._add(struct.pack("<BxHII4x", 1, len(messages), 1, len(content)) + content)

    def _add(self, part: bytes | memoryview) -> int:
        """Adds bytes, padded to 8; returns their address."""
        address = len(self.content)
        self.content += part
        self.content += bytes(-len(self.content) % 8)
        return address


def _message(kind: int, content: bytes) -> bytes:
    content = _padded(content)
    return struct.pack("<HHB3x", kind, len(content), 0) + content


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 8)


def _parts(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def _dtype(dtype: np.dtype) -> bytes:
    size = dtype.itemsize
    if dtype.kind == "b":
        return _BOOL
    if dtype.kind in "iu" and dtype.isnative:
        return struct.pack("<BBBBIHH", 0x10, 8 * (dtype.kind == "i"), 0, 0, size, 0, 8 * size)
    if dtype.kind == "f" and dtype.isnative and size in FLOATS:
        head = struct.pack("<BBBBI", 0x11, 0x20, 8 * size - 1, 0, size)
        return head + struct.pack("<HHBBBBI", *FLOATS[size])
    raise TypeError(f"HDF5: expected an array of booleans, integers or floats, received {dtype}")
