"""Passes over a whole graph: differentiate, fuse, place in memory."""

from .differentiate import gradients
from .fuse import fuse, fused_rows
from .memory import plan_memory
from .plan import Plan, constant_inputs, make_plan

__all__ = ["Plan", "constant_inputs", "fuse", "fused_rows", "gradients", "make_plan", "plan_memory"]
