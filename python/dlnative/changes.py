"""How often something that programs are built from has changed in this process.

A program is built from the values of many objects: rates of layers, hyperparameters of optimizers,
factors of regularizers. Whoever keeps a program keeps the count beside it, and builds it anew once
the count has moved on: a change is never ignored.
"""

from __future__ import annotations

from typing import Any

_count = [0]
ABSENT = object()


def count() -> int:
    """The number of changes so far."""
    return _count[0]


def note() -> None:
    """Something that a program may have been built from has changed."""
    _count[0] += 1


def is_same(before: Any, value: Any) -> bool:
    """Whether setting an attribute that was `before` to `value` changes nothing."""
    plain = (bool, int, float, str, type(None))
    return before is value or (type(before) is type(value) in plain and before == value)


def note_new(owner: Any, name: str, before: Any) -> None:
    """Attribute `name`, which was `before`, has been set: a change, unless programs read it."""
    value = owner.__dict__.get(name, ABSENT)
    rebuilds = getattr(getattr(type(owner), name, None), "rebuilds", None)
    if value is not ABSENT and is_same(before, value):
        return
    if rebuilds is None or rebuilds(before, value):
        note()


class Tracked:
    """Base of configurable objects that programs are built from: a new value is a change.

    The name is none, and attributes that begin with an underscore are the object's own business.
    """

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without what programs read."""
        return {name: value for name, value in self.__dict__.items() if name != "_scalars"}

    def __setattr__(self, name: str, value: Any) -> None:
        before = self.__dict__.get(name, ABSENT)
        object.__setattr__(self, name, value)
        if before is ABSENT or name == "name" or name.startswith("_"):
            return
        if not is_same(before, self.__dict__.get(name, ABSENT)):
            self._attribute_changed(name, before)

    def _attribute_changed(self, name: str, before: Any) -> None:
        """Called after attribute `name`, which was `before`, has been set to another value."""
        note_new(self, name, before)


class TrackedAttribute:
    """One attribute of an object whose others are no change."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        before = instance.__dict__.get(self.name, ABSENT)
        instance.__dict__[self.name] = value
        if before is not ABSENT and not is_same(before, value):
            note()
