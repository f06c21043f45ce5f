"""What layers of the user's keep besides variables, by a `save_own_variables` of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..utils.overrides import overridden
from . import messages

_METHODS = ("save_own_variables", "load_own_variables")


def keepers(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """{name: layer} of those whose class has methods of its own for what it saves."""
    return {name: layer for name, layer in named if overridden(type(layer), _METHODS)}


def give(layer: Any, kept: Mapping[str, Any]) -> None:
    """Gives back what `kept_by` returned, to a layer whose variables have their values already.

    Those that its class merges, as with LoRA, stay what they are.
    """
    merged = [(variable, variable.numpy()) for variable in layer._merged_variables()]
    layer.load_own_variables(kept)
    for variable, value in merged:
        variable.assign(value)


def kept_by(layer: Any) -> dict[str, np.ndarray]:
    """{name: array} of what `save_own_variables` gives, copies.

    Raises:
        ValueError: Something else than arrays of numbers.
    """
    store: dict[str, Any] = {}
    layer.save_own_variables(store)
    kept = {name: np.array(value) for name, value in store.items()}
    for name, array in kept.items():
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ValueError(
                f"{messages.describe(layer)}: expected save_own_variables to keep arrays of "
                f"numbers, received {array.dtype} as {name!r}"
            )
    return kept
