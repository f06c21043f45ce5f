"""Tensors, nodes, graphs and the op table."""

from . import ops as _ops  # noqa: F401  fills the table
from .graph import Graph
from .table import Op, table
from .tensor import Node, Spec, Tensor, apply

KerasTensor = Tensor

__all__ = ["Graph", "KerasTensor", "Node", "Op", "Spec", "Tensor", "apply", "table"]
