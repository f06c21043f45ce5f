"""What programs were built from, and whether it has changed since.

A program is built from the values of many objects: options of layers, losses, optimizers and
penalties, and which weights are trained. While a program is being made, each object that takes part
is noted in a `Basis`. Whoever keeps the program keeps the Basis beside it and asks it before each
use: a change is never ignored, and a change of something else costs a look.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

_clock = [0]  # the number of changes so far in this process
ABSENT = object()
tracing = threading.RLock()  # held by the thread that builds layers or makes programs of their code


class _Open(threading.local):
    """The Bases that are being collected in a thread."""

    def __init__(self) -> None:
        self.bases: list[Basis] = []


_open = _Open()


class Basis:
    """The objects that something was made from; a `with` block that collects them.

    An object that changes is newer than what was made from it. A flag, such as whether a weight is
    trained, is compared instead: where it has its old value again, so has what was made.

    Example:
        >>> class Option(Tracked):
        ...     def __call__(self):
        ...         return self.value
        >>> option = Option()
        >>> option.value = 1
        >>> with Basis() as basis:
        ...     made = option()
        >>> basis.is_current()
        True
        >>> option.value = 2
        >>> basis.is_current()
        False
    """

    __slots__ = ("_flagged", "_flags", "_made", "_objects", "_seen", "_states")

    def __init__(self) -> None:
        self._objects: dict[int, Any] = {}

    def __enter__(self) -> Basis:
        # What other threads change meanwhile may have been read before: it is newer.
        self._made = _clock[0]
        _open.bases.append(self)
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _open.bases.remove(self)
        self._states = [vars(o) for o in self._objects.values()]
        self._flagged = [state for state in self._states if "_trainable" in state]
        self._flags = self._present_flags()
        self._seen = self._made

    def add(self, owner: Any) -> None:
        """Notes that `owner` takes part."""
        self._objects[id(owner)] = owner

    def clear(self) -> None:
        """Notes that nothing takes part."""
        self._objects.clear()

    def _present_flags(self) -> list[bool]:
        return [state["_trainable"] for state in self._flagged]

    def is_outdated(self) -> bool:
        """Whether an object has changed, for good."""
        if self._seen == _clock[0]:
            return False
        made = self._made
        return any(state["_changed"] > made for state in self._states if "_changed" in state)

    def is_current(self) -> bool:
        """Whether what was made is what would be made now."""
        clock = _clock[0]
        if self._seen == clock:
            return True
        if self.is_outdated() or self._present_flags() != self._flags:
            return False
        self._seen = clock
        return True


def count() -> int:
    """The number of changes so far."""
    return _clock[0]


def note(owner: Any) -> None:
    """`owner` has changed: what was made from it is outdated."""
    _clock[0] += 1
    vars(owner)["_changed"] = _clock[0]


def note_flag() -> None:
    """A flag has another value: each Basis compares it."""
    _clock[0] += 1


def used(owner: Any) -> None:
    """`owner` takes part in what is being made in this thread."""
    if _open.bases:
        vars(owner)["_used"] = True
    for basis in _open.bases:
        basis.add(owner)


def read_anew() -> None:
    """What is being made in this thread reads all values when it runs: no change outdates it."""
    if _open.bases:
        _open.bases[-1].clear()


def is_same(before: Any, value: Any) -> bool:
    """Whether setting an attribute that was `before` to `value` changes nothing."""
    plain = (bool, int, float, str, type(None))
    return before is value or (type(before) is type(value) in plain and before == value)


def note_new(owner: Any, name: str, before: Any) -> None:
    """Attribute `name`, which was `before`, has been set: a change, unless programs read it.

    What the code of a layer sets while a program is made of it is no change.
    """
    value = vars(owner).get(name, ABSENT)
    rebuilds = getattr(getattr(type(owner), name, None), "rebuilds", None)
    if value is not ABSENT and is_same(before, value):
        return
    if not _open.bases and (rebuilds is None or rebuilds(before, value)):
        note(owner)


class Tracked:
    """Base of configurable objects that programs are built from: a new value is a change.

    So is an attribute that is new to an object in use: its class may have had another value of it,
    or its code may ask whether it is there. The name is none, and attributes that begin with an
    underscore are the object's own business. It takes part in what is being made when it is called.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in ("__call__", "call", "update_state", "result"):
            if name in cls.__dict__:
                setattr(cls, name, _noting(cls.__dict__[name]))

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what programs read."""
        return {name: value for name, value in self.__dict__.items() if name != "_scalars"}

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name, ABSENT)
        object.__setattr__(self, name, value)
        if before is ABSENT and (not self._is_used() or _is_option(self, name)):
            return
        value = self.__dict__.get(name, ABSENT)  # absent where a property keeps it elsewhere
        if not _is_own(name) and (value is ABSENT or not is_same(before, value)):
            self._attribute_changed(name, before)

    def __delattr__(self, name: str) -> None:
        before = self.__dict__.get(name, ABSENT)
        object.__delattr__(self, name)
        if self._is_used() and not _is_own(name):
            self._attribute_changed(name, before)

    def _is_used(self) -> bool:
        """Whether something was made of it."""
        return "_used" in self.__dict__

    def _attribute_changed(self, name: str, before: Any) -> None:
        """Called after attribute `name`, which was `before`, has been set to another value."""
        note_new(self, name, before)


def _is_own(name: str) -> bool:
    """Whether an attribute is no business of programs."""
    return name == "name" or name.startswith("_")


def _is_option(owner: Any, name: str) -> bool:
    """Whether an attribute is an option that is kept elsewhere and notes its changes itself."""
    return hasattr(getattr(type(owner), name, None), "rebuilds")


def _noting(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method that notes that its object takes part."""

    @functools.wraps(method)
    def noting(self: Any, *args: Any, **kwargs: Any) -> Any:
        used(self)
        return method(self, *args, **kwargs)

    return noting


class TrackedAttribute:
    """One attribute of an object whose others are no change.

    Args:
        is_flag: Whether what was made with its present value is kept while it has another.
    """

    def __init__(self, is_flag: bool = False) -> None:
        self.is_flag = is_flag

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = f"_{name}" if self.is_flag else name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self.key]

    def __set__(self, instance: Any, value: Any) -> None:
        before = instance.__dict__.get(self.key, ABSENT)
        instance.__dict__[self.key] = value
        if before is not ABSENT and not is_same(before, value):
            if self.is_flag:
                note_flag()
            else:
                note(instance)
