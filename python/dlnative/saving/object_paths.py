"""What a model is made of, by the names that Keras's files have for it.

Keras walks through the attributes of a model in alphabetical order, private ones last, and takes
each object where it meets it first. Members of lists and dicts go by their class:
`blocks/dense_1/vars/0` is the kernel of the second `Dense` in the list `blocks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..layers import tracking
from ..naming import to_snake_case
from ..optimizers import Optimizer

__all__ = ["visit_objects"]

Visit = Callable[[str, Any], bool]  # takes path and object; whether all went well


def visit_objects(model: Any, visit: Visit, skipped: Iterable[Any] = ()) -> None:
    """Visits a model, and the layers and optimizers below it, each once.

    Args:
        model: The model.
        visit: Function of path ("" for the model itself) and object. Where it returns False, the
            object is visited again where it is found by another path, as Keras does.
        skipped: Objects that are passed over.
    """
    _Walk(visit, skipped).visit("", model)


class _Walk:
    def __init__(self, visit: Visit, skipped: Iterable[Any]) -> None:
        self._visit = visit
        self._done = {id(each) for each in skipped}
        self._open: set[int] = set()  # where the walk is; an object may refer to one above it

    def visit(self, path: str, value: Any) -> bool:
        if id(value) in self._done or id(value) in self._open:
            return True
        self._open.add(id(value))
        is_right = self._visit(path, value)
        for name, child in _children(value):
            below = f"{path}/{name}" if path else name
            is_right &= self._visit_attribute(below, child)
        self._open.remove(id(value))
        if is_right:
            self._done.add(id(value))
        return is_right

    def _visit_attribute(self, path: str, value: Any) -> bool:
        if _is_object(value):
            return self.visit(path, value)
        if not isinstance(value, (list, tuple, dict)) or id(value) in self._open:
            return True
        self._open.add(id(value))
        is_right, counts = True, dict[str, int]()
        for member in value.values() if isinstance(value, dict) else value:
            if not _is_object(member) and not isinstance(member, (list, tuple, dict)):
                continue
            kind = to_snake_case(type(member).__name__) if _is_object(member) else "container"
            count = counts[kind] = counts.get(kind, -1) + 1
            name = f"{kind}_{count}" if count else kind
            is_right &= self._visit_attribute(f"{path}/{name}", member)
        self._open.remove(id(value))
        return is_right


def _is_object(value: Any) -> bool:
    return tracking.is_layer(value) or isinstance(value, Optimizer)


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    """(name, value) of the attributes that may hold layers or optimizers."""
    if not tracking.is_layer(value):
        return
    names = {name for name in value._tracked if isinstance(name, str)}
    names |= {name for name, each in vars(value).items() if isinstance(each, Optimizer)}
    names |= set(_own_properties(type(value)))
    if hasattr(type(value), "layers"):  # of models, and of some layers that are made of others
        names.add("layers")
    if value.is_model and value.is_composed:  # before what a subclass has besides
        yield "layers", value.layers
    for name in sorted(names, key=lambda name: f"~{name}" if name.startswith("_") else name):
        try:
            yield name, getattr(value, name)
        except Exception:  # a property of the user's that cannot be asked at the moment
            continue


def _own_properties(cls: type) -> Iterator[str]:
    """The names of properties of a user's class, which may hold layers, too."""
    for each in cls.__mro__:
        if each.__module__.partition(".")[0] not in (__name__.partition(".")[0], "builtins"):
            yield from (name for name, member in vars(each).items() if isinstance(member, property))
