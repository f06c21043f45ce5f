"""What layers of the user's keep besides their variables, among the weights of a folder.

The names of the arrays are `<the way to the layer>/own:<name that the layer gave>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..layers.own_values import give, keepers, kept_by
from .names import layer_names

__all__ = ["by_way", "give_own_values", "name_of", "own_names", "own_values"]

_MARK = "/own:"


def own_values(model: Any) -> dict[str, np.ndarray]:
    """{name in the file: array}, copies.

    Raises:
        ValueError: A layer keeps something else than arrays of numbers.
    """
    kept = {way: kept_by(layer) for way, layer in keepers(layer_names(model).items()).items()}
    return {name_of(way, key): a for way, own in kept.items() for key, a in own.items()}


def name_of(way: str, key: str) -> str:
    """The name in the file of what a layer keeps as `key`."""
    return f"{way}{_MARK}{key}"


def own_names(model: Any, names: Iterable[str]) -> set[str]:
    """Those of the names of a file that are of layers which take values of their own."""
    ways = keepers(layer_names(model).items())
    return {name for name in names if _MARK in name and name.partition(_MARK)[0] in ways}


def by_way(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """{way to a layer: {name that it gave: array}}."""
    found: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        way, mark, key = name.partition(_MARK)
        if mark:
            found.setdefault(way, {})[key] = array
    return found


def give_own_values(model: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives layers what they have kept, by `load_own_variables`."""
    found = by_way(arrays)
    for way, layer in keepers(layer_names(model).items()).items():
        give(layer, found.get(way, {}))
