"""keras.ops: functions over arrays, Variables and tensors.

`ops.exp(x)` and the others compute at once on NumPy arrays, extend the program that is being made
on tensors, and become a layer on the symbolic tensors of a functional model, with the names,
arguments, promotion of dtypes and results of `keras.ops`. Python's operators on tensors are the
same ops. `dlnative.ops.rows` has the primitives and kernels that they are made of; those whose name
Keras does not have are here, too (`ops.dense`, `ops.conv2d`, `ops.dense_backward_kernel`, ...).

Example:
    >>> import numpy as np
    >>> import dlnative
    >>> dlnative.ops.relu(np.array([-1.0, 2.0], dtype=np.float32))
    array([0., 2.], dtype=float32)

Differs from Keras: 64-bit inputs stay 64-bit; there are six dtypes, and no complex numbers.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from typing import Any

from ..graph.table import table

# The modules of public ops; each function is found in the first that has it.
_MODULES = (
    "activations",
    "contraction",
    "convolution",
    "core",
    "counting",
    "creation",
    "crossentropy",
    "einops",
    "elementwise",
    "encoding",
    "indexing",
    "joining",
    "matrices",
    "nan_reductions",
    "normalization",
    "padding",
    "patches",
    "pooling",
    "products",
    "quantiles",
    "reductions",
    "searching",
    "segments",
    "shapes",
    "sorting",
    "windows",
)
_NAMESPACES = ("image", "linalg", "nn", "numpy", "rows")
_SUPPORT = ("arguments", "namespaces", "public")


def _load() -> dict[str, Callable[..., Any]]:
    """Imports all modules of ops; returns the functions by name."""
    from .public import FUNCTIONS

    found = {}
    importlib.import_module(".image", __name__)  # whose ops have names of their own
    for module in _MODULES:
        namespace = importlib.import_module(f".{module}", __name__)
        for name, value in vars(namespace).items():
            public = callable(value) and not name.startswith("_")
            if public and getattr(value, "__module__", "").startswith("dlnative.ops"):
                found.setdefault(name, value)
    for helper in ("alias", "as_tensor", "named", "op", "operand"):
        found.pop(helper, None)
    return {**found, **{k: v for k, v in FUNCTIONS.items() if k in found}}


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    if name in _NAMESPACES or name in _SUPPORT:
        return importlib.import_module(f".{name}", __name__)
    functions = _load()
    globals().update(functions)
    if name in functions:
        return functions[name]
    if name in table:
        from . import rows

        return getattr(rows, name)
    own = [row for row in table if "_backward" not in row and "_with_gradient" not in row]
    close = difflib.get_close_matches(name, {**functions, **dict.fromkeys(own)}, n=3)
    hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
    raise AttributeError(f"dlnative.ops has no op {name!r}.{hint}")


def __dir__() -> list[str]:
    return sorted({*_load(), *_NAMESPACES, *table})
