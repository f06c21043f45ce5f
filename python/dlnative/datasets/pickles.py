"""Plain data from pickle files, without running anything that is in them.

A pickle is a program for a small machine with a stack and a memory of what it has made. Here is
such a machine, with the instructions that plain data is written in and no others. The only names
it knows are those by which NumPy arrays and byte strings are written; they stand for small
functions of this module. Every instruction takes time and memory in proportion to the bytes that
it stands in: what occurs several times is shared and never copied or walked through, keys of
dictionaries are strings, which remember their hash, and nothing is reserved by an announced size.
"""

from __future__ import annotations

import codecs
import io
import math
import os
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read"]

_LONGEST_REASON = 200
_LARGEST_RANK = 32


def read(path: str | os.PathLike[str]) -> Any:
    """Returns what a pickle file holds.

    Args:
        path: A file of any pickle protocol, made of dicts (with strings or bytes as keys), lists,
            tuples, numbers, strings, bytes and NumPy arrays of numbers. Strings of Python 2 become
            bytes.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or truncated, or names anything but the above; that is
            never imported or called. The message names the file.

    Example:
        >>> import pickle
        >>> path = getfixture("tmp_path") / "batch"
        >>> _ = path.write_bytes(pickle.dumps({"labels": [3, 8], "data": np.zeros((2, 4))}))
        >>> read(path)["data"].shape
        (2, 4)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        return _Machine(path.read_bytes()).run()
    except Exception as error:  # what a damaged stream raises can be almost anything
        reason = str(error) or type(error).__name__
        raise ValueError(
            f"{path}: damaged, or not plain data in a pickle: {reason[:_LONGEST_REASON]}"
        ) from error


class _Name:
    """A function of `_FUNCTIONS`, as a value."""

    def __init__(self, module: str, name: str) -> None:
        # NumPy 2 has renamed the module: numpy.core is numpy._core there.
        self.key = (module.replace("numpy._core", "numpy.core"), name)
        if self.key not in _FUNCTIONS:
            raise ValueError(f"it names {module}.{name}, which is not plain data")


class _Type:
    """Stands for `numpy.dtype`; numbers only."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        text = _text(code)
        self.dtype = np.dtype(text)
        if self.dtype.kind not in "biuf":
            raise ValueError(f"an array of dtype {text!r} is not one of numbers")

    def set_state(self, state: Any) -> None:
        order: Any = _text(state[1])
        self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for a `numpy.ndarray` until it gets its elements."""

    array: np.ndarray | None = None

    def set_state(self, state: Any) -> None:
        _, shape, kind, by_column, content = state
        self.array = _make_array(content, kind, shape, "F" if by_column else "C")


class _Machine:
    """Runs the instructions of one pickle.

    Args:
        content: The file.
    """

    def __init__(self, content: bytes) -> None:
        self._stream = io.BytesIO(content)
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._unencoded = len(content)  # characters that texts in the file may have, in all

    def run(self) -> Any:
        """Returns the value that is left at the end."""
        while code := self._stream.read(1).decode("latin1"):
            instruction = _INSTRUCTIONS.get(code)
            if instruction is None:
                raise ValueError(f"{code!r} is no instruction")
            if instruction.name == "STOP":
                return self._pop(1)[0]
            self._execute(instruction)
        raise ValueError("it ends early")

    def _execute(self, instruction: pickletools.OpcodeInfo) -> None:
        name = instruction.name
        if name == "STRING":  # whose reader in pickletools takes ASCII only
            self._stack.append(_read_quoted(self._stream))
            return
        argument: Any = instruction.arg.reader(self._stream) if instruction.arg else None
        if name in _VALUES:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _OPERATIONS:
            _OPERATIONS[name](self, argument)
        else:
            raise ValueError(f"the instruction {name} is not one of plain data")

    def _pop(self, count: int) -> list[Any]:
        """Takes `count` values from the stack."""
        items = self._stack[len(self._stack) - count :] if count else []
        if len(items) < count or any(item is _MARK for item in items):
            raise ValueError("an instruction lacks its operands")
        del self._stack[len(self._stack) - count :]
        return items

    def _pop_to_mark(self) -> list[Any]:
        count = 0
        while self._stack[-1 - count] is not _MARK:
            count += 1
        items = self._pop(count)
        self._stack.pop()
        return items

    def _top(self, kind: type) -> Any:
        if not isinstance(self._stack[-1], kind):
            raise ValueError(f"items for something that is no {kind.__name__}")
        return self._stack[-1]

    def push_mark(self, _: None) -> None:
        self._stack.append(_MARK)

    def push_bytes(self, text: str) -> None:
        self._stack.append(text.encode("latin1"))

    def pop(self, _: None) -> None:
        self._stack.pop()

    def ignore(self, _: Any) -> None:
        """The protocol's number, and the lengths of frames."""

    def make_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def make_small_tuple(self, length: int) -> None:
        self._stack.append(tuple(self._pop(length)))

    def make_list(self, _: None) -> None:
        self._stack.append(self._pop_to_mark())

    def make_dict(self, _: None) -> None:
        items = self._pop_to_mark()
        self._stack.append({})
        self._set(items)

    def append(self, _: None) -> None:
        items = self._pop(1)
        self._top(list).extend(items)

    def append_many(self, _: None) -> None:
        items = self._pop_to_mark()
        self._top(list).extend(items)

    def set_item(self, _: None) -> None:
        self._set(self._pop(2))

    def set_many(self, _: None) -> None:
        self._set(self._pop_to_mark())

    def _set(self, items: list[Any]) -> None:
        dictionary = self._top(dict)
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not isinstance(key, str | bytes):
                raise ValueError(f"expected a string as a key, received {type(key).__name__}")
            dictionary[key] = value

    def put(self, index: int | None) -> None:
        self._memo[len(self._memo) if index is None else index] = self._stack[-1]

    def get(self, index: int) -> None:
        value = self._memo[index]
        # What was kept when an array had no elements yet is that array by now.
        finished = isinstance(value, _Array) and value.array is not None
        self._stack.append(value.array if finished else value)

    def push_name(self, names: str) -> None:
        self._stack.append(_Name(*names.split(" ", 1)))

    def make_name(self, _: None) -> None:
        self._stack.append(_Name(*map(_text, self._pop(2))))

    def call(self, _: None) -> None:
        name, arguments = self._pop(2)
        if not isinstance(name, _Name) or not isinstance(arguments, tuple):
            raise ValueError("a call of something that is not plain data")
        if name.key == _ENCODE:
            self._unencoded -= len(arguments[0])
            if self._unencoded < 0:
                raise ValueError("the same text is encoded again and again")
        self._stack.append(_FUNCTIONS[name.key](*arguments))

    def set_state(self, _: None) -> None:
        target, state = self._pop(2)
        if not isinstance(target, _Array | _Type):
            raise ValueError(f"a state for something else than an array: {type(target).__name__}")
        target.set_state(state)
        self._stack.append(target.array if isinstance(target, _Array) else target)


def _read_quoted(stream: io.BytesIO) -> bytes:
    """How Python 2 writes strings in protocol 0: quoted, with escapes, until the line ends."""
    quoted = stream.readline().rstrip(b"\n")
    if len(quoted) < 2 or quoted[:1] != quoted[-1:] or quoted[:1] not in (b"'", b'"'):
        raise ValueError("a string without its quotes")
    return codecs.escape_decode(quoted[1:-1])[0]  # type: ignore[attr-defined, no-any-return]


def _text(value: Any) -> str:
    if not isinstance(value, str | bytes) or len(value) > _LONGEST_REASON:
        raise ValueError(f"expected a name, received {type(value).__name__}")
    return value.decode("ascii") if isinstance(value, bytes) else value


def _reconstruct(subtype: Any, shape: Any, code: Any) -> _Array:
    """What `ndarray.__reduce__` names: an empty array, to which a state is given next."""
    return _Array()


def _frombuffer(content: Any, kind: Any, shape: Any, order: Any, axes: Any = None) -> np.ndarray:
    """What `ndarray.__reduce_ex__(5)` names."""
    return _make_array(content, kind, shape, order)


def _make_array(content: Any, kind: Any, shape: Any, order: Any) -> np.ndarray:
    """Returns an array over the bytes where they are: a copy of shared ones would add up."""
    if not isinstance(content, bytes | bytearray) or not isinstance(kind, _Type):
        raise ValueError("an array whose elements are not bytes")
    sizes = shape if isinstance(shape, tuple) and len(shape) <= _LARGEST_RANK else (None,)
    if not all(type(size) is int and 0 <= size < 2**31 for size in sizes):
        raise ValueError("an array whose shape is not a tuple of sizes")
    if len(content) != math.prod(shape) * kind.dtype.itemsize:
        raise ValueError(f"{len(content)} bytes for an array of shape {shape}")
    order = "F" if isinstance(order, str) and order == "F" else "C"
    return np.frombuffer(content, kind.dtype).reshape(shape, order=order)


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in protocol 2."""
    if encoding != "latin1":
        raise ValueError("bytes in another encoding than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How Python 3 writes empty bytes in protocol 2."""
    return b""


_INSTRUCTIONS = {instruction.code: instruction for instruction in pickletools.opcodes}
_MARK = object()  # where the items of a list, tuple or dictionary begin on the stack
_ENCODE = ("_codecs", "encode")

_FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Type,
    ("numpy", "ndarray"): _reconstruct,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    _ENCODE: _encode,
    ("__builtin__", "bytes"): _no_bytes,
}

# The instructions, by their names in pickletools: those that push their argument, ...
_VALUES = frozenset(
    ("INT", "LONG", "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "FLOAT", "BINFLOAT")
    + ("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8")
    + ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8")
)
# ... those that push a new value, ...
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
}
# ... and those that do something.
_OPERATIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "PROTO": _Machine.ignore,
    "FRAME": _Machine.ignore,
    "MARK": _Machine.push_mark,
    "POP": _Machine.pop,
    "BINSTRING": _Machine.push_bytes,
    "SHORT_BINSTRING": _Machine.push_bytes,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.make_small_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_small_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_small_tuple(3),
    "LIST": _Machine.make_list,
    "DICT": _Machine.make_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.append_many,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_many,
    "PUT": _Machine.put,
    "BINPUT": _Machine.put,
    "LONG_BINPUT": _Machine.put,
    "MEMOIZE": _Machine.put,
    "GET": _Machine.get,
    "BINGET": _Machine.get,
    "LONG_BINGET": _Machine.get,
    "GLOBAL": _Machine.push_name,
    "STACK_GLOBAL": _Machine.make_name,
    "REDUCE": _Machine.call,
    "BUILD": _Machine.set_state,
}
