"""Models as folders: arrays in safetensors, everything else in JSON, and no code in either."""

from .folder import SavedModel, Snapshot, load, save, snapshot
from .output import atomic_write, check_output

__all__ = [
    "SavedModel",
    "Snapshot",
    "atomic_write",
    "check_output",
    "load",
    "save",
    "snapshot",
]
