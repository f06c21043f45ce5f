"""What layers of the user's keep besides their variables, by a `save_own_variables` of their own.

The arrays lie among the weights: `<the way to the layer>/own:<name that the layer gave>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..layers import messages
from ..utils.overrides import overridden
from .names import layer_names
from .weights import CODES

__all__ = ["give_own_values", "own_names", "own_values"]

_METHODS = ("save_own_variables", "load_own_variables")
_MARK = "/own:"


def own_values(model: Any) -> dict[str, np.ndarray]:
    """{name in the file: array}, copies.

    Raises:
        ValueError: A layer keeps something else than arrays of numbers.
    """
    found = {}
    for way, layer in _keepers(model).items():
        store: dict[str, Any] = {}
        layer.save_own_variables(store)
        for name, value in store.items():
            array = np.array(value)
            if array.dtype.name not in CODES:
                raise ValueError(
                    f"{messages.describe(layer)}: expected save_own_variables to keep arrays of "
                    f"numbers, received {array.dtype} as {name!r}"
                )
            found[f"{way}{_MARK}{name}"] = array
    return found


def own_names(model: Any, names: Iterable[str]) -> set[str]:
    """Those of the names of a file that are of layers which take values of their own."""
    keepers = _keepers(model)
    return {name for name in names if _MARK in name and name.partition(_MARK)[0] in keepers}


def give_own_values(model: Any, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives layers what they have kept, by `load_own_variables`."""
    for way, layer in _keepers(model).items():
        start = f"{way}{_MARK}"
        store = {n.removeprefix(start): a for n, a in arrays.items() if n.startswith(start)}
        layer.load_own_variables(store)


def _keepers(model: Any) -> dict[str, Any]:
    """{way: layer} of those whose class has methods of its own for what it saves."""
    named = layer_names(model).items()
    return {way: layer for way, layer in named if overridden(type(layer), _METHODS)}
