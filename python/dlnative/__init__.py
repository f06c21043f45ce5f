"""dlnative: neural networks trained at the limit of the CPU, with Keras 3's interface."""

from __future__ import annotations

import importlib
from typing import Any

from ._version import __version__

# Names are imported when they are first used, so that `import dlnative` costs little more than
# importing NumPy and `dlnative --help` costs nothing of it.
_MODULES = (
    "activations",
    "applications",
    "callbacks",
    "config",
    "constraints",
    "data",
    "datasets",
    "dtype_policies",
    "engines",
    "graph",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "model_selection",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "random",
    "reference",
    "regularizers",
    "saving",
    "tree",
    "utils",
)
_NAMES = {
    "DTypePolicy": "dtype_policies",
    "FloatDTypePolicy": "dtype_policies",
    "Function": "models.function",
    "Initializer": "initializers",
    "Input": "layers",
    "InputSpec": "layers",
    "KerasTensor": "graph",
    "Layer": "layers",
    "Loss": "losses",
    "Metric": "metrics",
    "Model": "models",
    "Operation": "layers.operation",
    "Optimizer": "optimizers",
    "Regularizer": "regularizers",
    "Sequential": "models",
    "Variable": "variables",
    "engine": "config",
    "gradcheck": "gradient_check",
    "name_scope": "naming",
    "numpy_function": "ops",
    "replay": "saving.replay",
    "value_and_grad": "autodiff",
    "verify": "engines.verified",
    "version": "_version",
    "vjp": "autodiff",
}

__all__ = ["__version__", *_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name in _NAMES:
        value = getattr(importlib.import_module(f".{_NAMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'dlnative' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
