"""Nested structures: lists, tuples and dicts of tensors, and what is done to every leaf.

Everything that is not a list, a tuple or a dict is a leaf, None included. A dict is visited in the
order of its sorted keys, as in Keras.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


def flatten(structure: Any) -> list[Any]:
    """The leaves in order.

    Example:
        >>> flatten([1, {"b": 2, "a": (3, None)}])
        [1, 3, None, 2]
    """
    leaves: list[Any] = []
    _flatten(structure, leaves)
    return leaves


def _flatten(structure: Any, leaves: list[Any]) -> None:
    if isinstance(structure, (list, tuple)):
        for value in structure:
            _flatten(value, leaves)
    elif isinstance(structure, dict):
        for key in sorted(structure):
            _flatten(structure[key], leaves)
    else:
        leaves.append(structure)


def map_structure(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with `function(leaf)` in the place of each leaf.

    Example:
        >>> map_structure(str, {"a": [1, 2]})
        {'a': ['1', '2']}
    """
    if isinstance(structure, list):
        return [map_structure(function, value) for value in structure]
    if isinstance(structure, tuple):
        values = [map_structure(function, value) for value in structure]
        return type(structure)(*values) if hasattr(structure, "_fields") else tuple(values)
    if isinstance(structure, dict):
        mapped = {key: map_structure(function, structure[key]) for key in sorted(structure)}
        return {key: mapped[key] for key in structure}
    return function(structure)


def map_given(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same for the leaves that are not None."""
    return map_structure(lambda leaf: None if leaf is None else function(leaf), structure)


def skeleton(structure: Any) -> Any:
    """How a structure is nested: with None in the place of each leaf."""
    return map_structure(lambda leaf: None, structure)


def pack(structure: Any, leaves: Iterable[Any]) -> Any:
    """The same structure with `leaves`, in the order of `flatten`, in the place of its leaves."""
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)
