"""Passes over a whole graph: differentiate, fuse, place in memory."""

from .differentiate import gradients
from .fuse import fuse
from .memory import plan_memory

__all__ = ["fuse", "gradients", "plan_memory"]
