"""What the package does with nested structures beside `dlnative.tree`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..tree import flatten, map_structure

__all__ = ["flatten", "map_given", "map_structure", "pack", "skeleton"]


def map_given(function: Callable[[Any], Any], structure: Any) -> Any:
    """The same structure with `function(leaf)` in the place of each leaf that is not None."""
    return map_structure(function, structure, none_is_leaf=False)


def skeleton(structure: Any) -> Any:
    """How a structure is nested: with None in the place of each leaf."""
    return map_structure(lambda leaf: None, structure)


def pack(structure: Any, leaves: Iterable[Any]) -> Any:
    """The same structure with `leaves`, in the order of `flatten`, in the place of its leaves."""
    remaining = iter(leaves)
    return map_structure(lambda _: next(remaining), structure)
