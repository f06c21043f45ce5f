"""Helpers for user code: seeds, one-hot labels, names and the registry of serialisable objects."""

from ..config import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)
from ..naming import unknown as unknown_name_error
from ..random import set_random_seed
from .download import get_file
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

__all__ = [
    "get_file",
    "standardize_dtype",
    "is_keras_tensor",
    "get_source_inputs",
    "split_dataset",
    "pad_sequences",
    "normalize",
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
    "get_registered_name",
    "get_registered_object",
    "is_interactive_logging_enabled",
    "pack_x_y_sample_weight",
    "register_keras_serializable",
    "serialize_keras_object",
    "set_random_seed",
    "to_categorical",
    "unknown_name_error",
    "unpack_x_y_sample_weight",
]
