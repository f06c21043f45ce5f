"""HDF5 files as Keras writes them, read without a library of C.

The file of a stranger is not given to libhdf5, which has crashed on damaged ones. What Keras
writes, through h5py, is a small part of the format: groups with symbol tables, and arrays of
numbers in one piece. Everything else is refused.

Whatever is read is paid for from a budget of a few times the file's size, so a file whose parts
refer to each other, or many times to the same bytes, ends in an error and not in a long wait.

Reference: https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html (HDF5 File Format
Specification), sections II.A, III.A to III.D and IV.A.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import numpy as np

__all__ = ["FLOATS", "NOWHERE", "SIGNATURE", "Group", "HDF5File", "Kind"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"

NOWHERE = 2**64 - 1  # the undefined address
_MOST_AXES = 32  # of an HDF5 dataspace
_SPARE_BYTES = 1 << 16  # of the budget, for small files
_SYMBOL_TABLE_ENTRY = struct.Struct("<QQII16x")
FLOATS = {  # size -> bit offset, precision, exponent at and wide, mantissa at and wide, bias
    2: (0, 16, 10, 5, 0, 10, 15),
    4: (0, 32, 23, 8, 0, 23, 127),
    8: (0, 64, 52, 11, 0, 52, 1023),
}


class Kind:
    """Numbers of the format: of messages in object headers, and of what a symbol has cached."""

    DATASPACE, DATATYPE, FILL, EXTERNAL_FILES, LAYOUT = 0x01, 0x03, 0x05, 0x07, 0x08
    FILTERS, CONTINUATION, SYMBOL_TABLE = 0x0B, 0x10, 0x11
    GROUP, SOFT_LINK = 1, 2


class _Link(NamedTuple):
    """An entry of a symbol table."""

    address: int  # of the object's header
    is_soft: bool


class HDF5File:
    """An HDF5 file that is open for reading.

    Args:
        stream: The whole file, seekable. It stays open as long as groups are read.
        size: Its size in bytes.

    Raises:
        ValueError: It is not an HDF5 file, or one of a kind that Keras does not write.
    """

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self._size = size
        self._budget = 4 * size + _SPARE_BYTES
        self._messages: dict[int, list[tuple[int, bytes]]] = {}  # by address of an object's header
        self._groups: dict[int, Group] = {}  # by address of the header
        start = self.read(0, 96) if size >= 96 else b""
        if start[:8] != SIGNATURE:
            raise ValueError("not an HDF5 file")
        if start[8] != 0 or start[13:15] != b"\x08\x08":
            raise ValueError(
                f"version {start[8]} of HDF5's superblock; expected version 0, which h5py writes "
                "where nothing else is asked for"
            )
        base, _, end, driver = struct.unpack_from("<4Q", start, 24)
        if base or driver != NOWHERE or end > size:
            raise ValueError(f"damaged: expected {end} bytes, as its superblock says, not {size}")
        self.root = self.group_at(_SYMBOL_TABLE_ENTRY.unpack_from(start, 56)[1])

    def read(self, offset: int, size: int) -> bytes:
        """Bytes of the file.

        Raises:
            ValueError: They are not in it, or more has been read than a sound file has.
        """
        self._pay(offset, size)
        self._stream.seek(offset)
        content = self._stream.read(size)
        if len(content) != size:
            raise ValueError("damaged: it became shorter while it was read")
        return content

    def group_at(self, address: int) -> Group:
        """The group whose object header is at an address."""
        found = self._groups.get(address)
        if found is None:
            found = self._groups[address] = Group(self, address)
        return found

    def messages(self, address: int) -> list[tuple[int, bytes]]:
        """(type, content) of the messages in the header of an object."""
        found = self._messages.get(address)
        if found is None:
            found = self._messages[address] = list(self._read_messages(address))
        return found

    def _pay(self, offset: int, size: int) -> None:
        if offset + size > self._size:
            raise ValueError(f"damaged: it refers to byte {offset + size} of {self._size}")
        self._budget -= size
        if self._budget < 0:
            raise ValueError("damaged: its parts refer to the same bytes too often")

    def _read_messages(self, address: int) -> Iterator[tuple[int, bytes]]:
        version, _, count, _, length = struct.unpack("<BBHII4x", self.read(address, 16))
        if version != 1:
            raise ValueError(f"an object header of version {version}, expected 1")
        blocks = [(address + 16, length)]
        for place in blocks:  # it grows
            block, position = self.read(*place), 0
            while position + 8 <= len(block) and count:
                kind, length, flags = struct.unpack_from("<HHB3x", block, position)
                content = block[position + 8 : position + 8 + length]
                position += 8 + length
                count -= 1
                if len(content) != length or flags & 2:
                    raise ValueError("damaged: a message of an object header")
                if kind == Kind.CONTINUATION:
                    offset, size = unpack("<QQ", content)
                    blocks.append((offset, size))
                else:
                    yield kind, content


class Group:
    """A group of an HDF5 file: its members by name, of which nothing is read before it is needed.

    Args:
        file: The file.
        address: Of the group's object header.
    """

    def __init__(self, file: HDF5File, address: int) -> None:
        self._file = file
        tables = [content for kind, content in file.messages(address) if kind == Kind.SYMBOL_TABLE]
        if len(tables) != 1:
            raise ValueError("expected a group, or one of a kind that h5py writes by default")
        self._links = dict(self._read_links(*unpack("<QQ", tables[0])))

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def __len__(self) -> int:
        return len(self._links)

    def group(self, path: str) -> Group | None:
        """The group at the end of a path of names with "/" between them; None if there is none.

        Raises:
            ValueError: A name stands for a soft link or an array.
        """
        group = self
        for name in path.split("/"):
            if name not in group._links:
                return None
            group = self._file.group_at(group._follow(name))
        return group

    def spec(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """(shape, dtype) of the array of a name, which is not read."""
        shape, dtype, _ = self._describe(name)
        return shape, dtype

    def array(self, name: str) -> np.ndarray:
        """The array of a name.

        Raises:
            KeyError: There is nothing of that name.
            ValueError: It is not an array of numbers in one piece.
        """
        shape, dtype, content = self._describe(name)
        size = math.prod(shape) * dtype.itemsize
        if isinstance(content, int):
            content = self._file.read(content, size) if size else b""
        if len(content) < size:
            raise ValueError(f"damaged: '{name}' has {len(content)} bytes, expected {size}")
        return np.frombuffer(content[:size], dtype).reshape(shape)

    def _follow(self, name: str) -> int:
        link = self._links[name]
        if link.is_soft:
            raise ValueError(f"'{name}' is a soft link, which is not followed")
        return link.address

    def _describe(self, name: str) -> tuple[tuple[int, ...], np.dtype, int | bytes]:
        """(shape, dtype, address of the values or the values themselves)."""
        found: dict[int, bytes] = {}
        for kind, content in self._file.messages(self._follow(name)):
            if kind in (Kind.EXTERNAL_FILES, Kind.FILTERS):
                raise ValueError(
                    f"'{name}' is compressed, or in another file; expected an array as Keras "
                    "writes it"
                )
            if kind in found and kind in (Kind.DATASPACE, Kind.DATATYPE, Kind.LAYOUT):
                raise ValueError(f"damaged: '{name}' is described twice")
            found[kind] = content
        if not {Kind.DATASPACE, Kind.DATATYPE, Kind.LAYOUT} <= found.keys():
            raise ValueError(f"expected an array '{name}', received something else of that name")
        shape, dtype = _shape(found[Kind.DATASPACE]), _dtype(found[Kind.DATATYPE])
        return shape, dtype, _place(found[Kind.LAYOUT], math.prod(shape) * dtype.itemsize)

    def _read_links(self, tree: int, heap: int) -> Iterator[tuple[str, _Link]]:
        head = self._file.read(heap, 32)
        if head[:5] != b"HEAP\0":
            raise ValueError("damaged: a group has no names")
        size, _, address = unpack("<QQQ", head[8:])
        names = self._file.read(address, size)
        seen: set[str] = set()
        for table in self._read_tree(tree, None):
            head = self._file.read(table, 8)
            (count,) = struct.unpack_from("<H", head, 6)
            if head[:5] != b"SNOD\1":
                raise ValueError("damaged: a node of a group")
            entries = self._file.read(table + 8, count * _SYMBOL_TABLE_ENTRY.size)
            for at, target, cached, _ in _SYMBOL_TABLE_ENTRY.iter_unpack(entries):
                end = names.find(b"\0", at)
                if end < 0:
                    raise ValueError("damaged: a name of a group")
                name = self._file_name(names[at:end])
                if name in seen:
                    raise ValueError(f"damaged: two members of a group are called {name!r}")
                seen.add(name)
                yield name, _Link(target, cached == Kind.SOFT_LINK)

    def _file_name(self, name: bytes) -> str:
        self._file._pay(0, len(name))
        return name.decode(errors="surrogateescape")

    def _read_tree(self, address: int, level: int | None) -> Iterator[int]:
        """Addresses of the symbol nodes below a node of a B-tree."""
        head = self._file.read(address, 24)
        kind, own, count = struct.unpack_from("<BBH", head, 4)
        if head[:4] != b"TREE" or kind != 0 or (level is not None and own != level):
            raise ValueError("damaged: the tree of a group")
        keys_and_children = self._file.read(address + 24, 16 * count + 8)
        for _, child in struct.iter_unpack("<QQ", keys_and_children[:-8]):
            if own:
                yield from self._read_tree(child, own - 1)
            else:
                yield child


def unpack(form: str, content: bytes) -> tuple[int, ...]:
    """`struct.unpack_from`, which says what is wrong with a file."""
    if len(content) < struct.calcsize(form):
        raise ValueError("damaged: something is shorter than it must be")
    return struct.unpack_from(form, content)


def _shape(message: bytes) -> tuple[int, ...]:
    version, rank, _, kind = unpack("<BBBB", message)
    at = {1: 8, 2: 4}.get(version)
    is_null = version == 2 and kind == 2
    if at is None or is_null or rank > _MOST_AXES:
        raise ValueError(f"an array of a shape that is not supported (version {version})")
    return unpack(f"<{rank}Q", message[at:])


def _dtype(message: bytes) -> np.dtype:
    first, bits, _, _, size = unpack("<BBBBI", message)
    version, kind = first >> 4, first & 15
    order = ">" if bits & 1 else "<"
    properties = message[8:]
    if version in (1, 2, 3):
        if kind == 0 and size in (1, 2, 4, 8) and unpack("<HH", properties) == (0, 8 * size):
            return np.dtype(f"{order}{'i' if bits & 8 else 'u'}{size}")
        if kind == 1 and unpack("<HHBBBBI", properties) == FLOATS.get(size):
            return np.dtype(f"{order}f{size}")
        if kind == 8 and size == 1:  # h5py's booleans: names for 0 and 1
            return np.dtype(bool) if b"FALSE\0" in properties else np.dtype("u1")
    raise ValueError(
        f"an array of a type that is not supported: expected numbers, received class {kind} of "
        f"{size} bytes"
    )


def _place(message: bytes, size: int) -> int | bytes:
    """Where the values of an array are, or the values themselves."""
    version, kind = unpack("<BB", message)
    if version == 3 and kind == 0:
        (length,) = unpack("<H", message[2:])
        return message[4 : 4 + length]
    if version == 3 and kind == 1:
        address, length = unpack("<QQ", message[2:])
        if size and address == NOWHERE:
            raise ValueError("an array whose values were never written")
        if length < size:
            raise ValueError(f"damaged: an array has {length} bytes, expected {size}")
        return address
    raise ValueError(
        "an array that is not in one piece (it is in chunks, or made of others); expected one as "
        "Keras writes it"
    )
