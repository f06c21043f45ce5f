"""Tensors, nodes, graphs and the op table."""

from . import ops as _ops  # noqa: F401  fills the table
from .graph import Graph
from .table import Op, table
from .tensor import Node, Spec, Tensor, apply

__all__ = ["Graph", "Node", "Op", "Spec", "Tensor", "apply", "table"]
