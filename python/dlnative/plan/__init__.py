"""Passes over a whole graph: differentiate, fuse, place in memory."""

from .differentiate import gradients
from .fuse import fuse
from .memory import plan_memory
from .plan import Plan, make_plan

__all__ = ["Plan", "fuse", "gradients", "make_plan", "plan_memory"]
