"""Values of variables under the names "0", "1", ..., as Keras's files have them."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from .variables import Variable

_CASTS = {"f": "biuf", "i": "biu", "u": "biu", "b": "b"}  # kinds of numbers that become others


def save_values(variables: Sequence[Variable | None], store: MutableMapping[str, Any]) -> None:
    """Puts the values of variables into a dict; 0 for None, which Keras has in that place."""
    for number, variable in enumerate(variables):
        store[str(number)] = np.float32(0) if variable is None else variable.value


def load_values(variables: Sequence[Variable | None], store: Mapping[str, Any]) -> None:
    """Gives variables the values that `save_values` has put into a dict.

    Raises:
        KeyError: One is not there.
        ValueError: A shape is not that of the variable, or numbers would lose their meaning, as
            floats for integers.
    """
    for number, variable in enumerate(variables):
        if variable is None:
            continue
        value = np.asarray(store[str(number)])
        if value.dtype.kind not in _CASTS[np.dtype(variable.dtype).kind]:
            raise ValueError(
                f"Variable '{variable.path}': expected values of dtype {variable.dtype}, received "
                f"{value.dtype}"
            )
        variable.write(value)
