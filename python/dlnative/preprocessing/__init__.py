"""What makes arrays of raw data, under the names of Keras."""

from . import sequence

__all__ = ["sequence"]
