"""Models in files: folders of safetensors and JSON, Keras 3's `.keras` files, and weights alone.

None of them holds code that is run.
"""

from ..utils.serialization import (
    CustomObjectScope,
    custom_object_scope,
    deserialize_keras_object,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialize_keras_object,
)
from .folder import SavedModel, Snapshot, load, save, snapshot
from .output import atomic_write, check_output
from .public import load_model, load_weights, save_model, save_weights

__all__ = [
    "CustomObjectScope",
    "SavedModel",
    "Snapshot",
    "atomic_write",
    "check_output",
    "custom_object_scope",
    "deserialize_keras_object",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "load",
    "load_model",
    "load_weights",
    "register_keras_serializable",
    "save",
    "save_model",
    "save_weights",
    "serialize_keras_object",
    "snapshot",
]
