"""Models as folders: weights in safetensors, everything else in JSON, and no code in either."""

from .files import atomic_write
from .folder import SavedModel, load, save

__all__ = ["SavedModel", "atomic_write", "load", "save"]
