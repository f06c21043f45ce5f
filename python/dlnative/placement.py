"""Where variables lie, and whose turn it is to read or write them."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from . import _core
    from .graph.types import DTypeLike
    from .variables import Variable

ALIGNMENT = 64  # bytes, of every variable in a flat buffer

_without_memory: ContextVar[bool] = ContextVar("without_memory", default=False)


@contextlib.contextmanager
def without_memory() -> Iterator[None]:
    """A `with` block in which layers make weights that have a shape and a dtype, and nothing else.

    No initial value is drawn and no memory taken: the values are to come from a file. Until then
    they read as zeros. Blocks of other threads are not concerned.
    """
    token = _without_memory.set(True)
    try:
        yield
    finally:
        _without_memory.reset(token)


def is_without_memory() -> bool:
    """Whether the thread is in a `without_memory` block."""
    return _without_memory.get()


class FlatBuffer:
    """Memory in which variables lie side by side.

    Attributes:
        array: The values of all of them, and the gaps between.
        version: When one of them changed last, as a `_core.Version`, which programs move on.
        lock: Who reads and who writes, a `_core.StateLock`; None before a program uses them.
    """

    __slots__ = ("array", "lock", "version")

    def __init__(self, array: np.ndarray) -> None:
        from . import _core

        self.array = array
        self.version = _core.Version()
        self.lock: _core.StateLock | None = None

    def changed(self) -> None:
        """Notes that a value has changed."""
        self.version.changed()


locks: weakref.WeakSet[_core.StateLock] = weakref.WeakSet()  # of all variables of programs
placing = threading.Lock()  # held while variables get places and locks


def place_for_programs(variables: Sequence[Variable]) -> None:
    """Moves variables to their final places, the trainable ones side by side, and gives them locks.

    What one program uses has one lock, except for what other programs have used before.
    """
    with placing:
        place([v for v in variables if getattr(v, "trainable", False)])
        place(variables)
        buffers = {id(b): b for v in variables if (b := v.buffer) is not None}.values()
        known = next((b.lock for b in buffers if b.lock is not None), None)
        for buffer in buffers:
            if buffer.lock is None:
                known = buffer.lock = _new_lock() if known is None else known


def _new_lock() -> _core.StateLock:
    from . import _core

    lock = _core.StateLock()
    locks.add(lock)
    return lock


def locks_of(variables: Iterable[Variable]) -> list[_core.StateLock]:
    """The locks of variables, each once, in the order in which they are taken."""
    found = {b.lock.number: b.lock for v in variables if (b := v.buffer) and b.lock is not None}
    return [found[number] for number in sorted(found)]


def exclusive(variables: Iterable[Variable]) -> Any:
    """A `with` block during which no program of another thread reads or writes the variables."""
    return _held(locks_of(variables))


def copies_of(
    variables: Mapping[str, Variable], memory: Mapping[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """{name: copy of the values}, all of one step, whatever programs other threads run.

    Args:
        variables: Variables by name.
        memory: Arrays by name that become the copies where they fit: fresh memory may cost ten
            times what the copy does.
    """

    def copy(name: str, variable: Variable) -> np.ndarray:
        there = None if memory is None else memory.get(name)
        if there is None or (there.shape, there.dtype.name) != (variable.shape, variable.dtype):
            return variable.numpy()
        np.copyto(there, variable.array)
        return there

    while True:
        found = locks_of(variables.values())
        with _held(found):
            copies = {name: copy(name, v) for name, v in variables.items()}
        if locks_of(variables.values()) == found:
            return copies  # else the first program has got its lock meanwhile, and may have run


def _held(found: list[_core.StateLock]) -> Any:
    if not found:
        return contextlib.nullcontext()
    from . import _core

    return _core.Exclusive(found)


def place(variables: Sequence[Variable]) -> None:
    """Moves variables that no program uses yet next to each other, in one flat buffer per dtype.

    An optimizer then updates the whole buffer in one pass. Variables that were placed before stay
    where they are; each new one starts on a 64-byte boundary, so a gap may follow it. In a
    `without_memory` block those that have none are left for later.

    Args:
        variables: Variables in the order in which they shall lie.
    """
    later = is_without_memory()
    fresh = [v for v in variables if not v._placed and (v._value.flags.writeable or not later)]
    for dtype in dict.fromkeys(v.dtype for v in fresh):
        group = [v for v in fresh if v.dtype == dtype]
        step = ALIGNMENT // np.dtype(dtype).itemsize
        offsets, end = [], 0
        for v in group:
            offsets.append(end)
            end += -(-v.size // step) * step
        buffer = FlatBuffer(aligned_zeros(end, dtype))
        for v, offset in zip(group, offsets):
            view = buffer.array[offset : offset + v.size].reshape(v.shape)
            view[...] = v._value
            v._value = view
            v._buffer = buffer
            v._placed = True  # last: an interrupt before it only has the variable moved again


def aligned_zeros(size: int, dtype: DTypeLike) -> np.ndarray:
    """A zeroed one-dimensional array that starts on a 64-byte boundary."""
    dtype = np.dtype(dtype)
    raw = np.zeros(size * dtype.itemsize + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size * dtype.itemsize].view(dtype)
