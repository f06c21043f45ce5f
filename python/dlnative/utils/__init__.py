"""Helpers for user code: seeds, one-hot labels, names and the registry of serialisable objects."""

from typing import Any

from ..config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from ..naming import unknown as unknown_name_error
from ..random import set_random_seed
from .numerical import normalize, to_categorical
from .packing import pack_x_y_sample_weight, unpack_x_y_sample_weight
from .progbar import Progbar
from .py_dataset import PyDataset, Sequence
from .sequences import pad_sequences
from .serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from .session import clear_session
from .splitting import split_dataset
from .tensors import get_source_inputs, is_keras_tensor, standardize_dtype

# Imported when they are used: `models` use what is above, and the rest imports much of its own.
_LATER = {
    "get_file": "dlnative.utils.download",
    "model_to_dot": "dlnative.models.diagram",
    "plot_model": "dlnative.models.diagram",
}

__all__ = [
    "CustomObjectScope",
    "Progbar",
    "PyDataset",
    "Sequence",
    "clear_session",
    "custom_object_scope",
    "deserialize_keras_object",
    "disable_interactive_logging",
    "enable_interactive_logging",
    "get_custom_objects",
    "get_file",
    "get_registered_name",
    "get_registered_object",
    "get_source_inputs",
    "is_interactive_logging_enabled",
    "is_keras_tensor",
    "model_to_dot",
    "normalize",
    "pack_x_y_sample_weight",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "split_dataset",
    "standardize_dtype",
    "to_categorical",
    "unknown_name_error",
    "unpack_x_y_sample_weight",
]


def __getattr__(name: str) -> Any:
    if name in _LATER:
        import importlib

        return getattr(importlib.import_module(_LATER[name]), name)
    raise AttributeError(f"module 'dlnative.utils' has no attribute {name!r}")
