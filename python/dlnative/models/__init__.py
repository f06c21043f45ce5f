"""Models: layers put together, and what is done with the whole."""

from __future__ import annotations

from typing import Any

from .cloning import clone_model, model_from_json
from .model import Functional, Model
from .sequential import Sequential

__all__ = [
    "Functional",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]

_FILES = ("load_model", "save_model")  # of `saving`, which is made of models


def __getattr__(name: str) -> Any:
    if name in _FILES:
        from ..saving import public

        return getattr(public, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
