"""Models as folders: weights in safetensors, everything else in JSON, and no code in either."""

from .folder import SavedModel, load, save
from .output import atomic_write, check_output

__all__ = ["SavedModel", "atomic_write", "check_output", "load", "save"]
