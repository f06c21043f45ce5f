"""The fused loop: a straight-line program of elementwise functions that runs in one sweep.

Only the plan makes nodes of it, out of nodes of others (`plan.loops`): it is not in the table.
"""

from __future__ import annotations

from ..table import Op
from ..tensor import Node
from ..types import Attributes

FULL, SCALAR, ROW, COLUMN = range(4)  # how an input is read over a domain of rows and columns
ALL, LAST, LEADING = "all", "last", "leading"  # axes of the domain that are reduced


class Loop(Op):
    """The results of lines y_k = f_k(operands), for each element of a domain of rows x cols.

    Attributes of a node:
        rows, cols: The domain.
        access: For each input FULL (rows x cols elements), SCALAR, ROW (cols elements) or COLUMN
            (rows elements).
        maps: The function of each line: names of elementwise rows, separated by blanks.
        dtypes, results: The dtype of each line's operands and of its result.
        operands: The operands of all lines, one after another: input i, or -(k + 1) for line k.
        stores: For each output, the line whose result it gets.
        reductions: For each output "none", or "sum", "mean", "max", "min" with ":all", ":last" or
            ":leading" for the axes of the domain.
    """

    name = "loop"
    elementwise = True

    def overwrites(self, node: Node, output: int) -> tuple[int, ...]:
        if node.attributes["reductions"].split()[output] != "none":
            return ()
        y = node.outputs[output]
        return tuple(
            i
            for i, (x, access) in enumerate(zip(node.inputs, node.attributes["access"]))
            if access == FULL and x.size == y.size
        )

    def flat_attributes(self, node: Node) -> Attributes | None:
        attributes = node.attributes
        if set(attributes["access"]) - {FULL, SCALAR} or set(attributes["reductions"].split()) != {
            "none"
        }:
            return None
        shape = node.outputs[0].shape
        inputs = zip(node.inputs, attributes["access"], strict=True)
        if any((x.shape == shape) != (access == FULL) for x, access in inputs):
            return None
        return {**attributes, "rows": 1, "cols": 0}

    def resized(self, attributes: Attributes, size: int) -> Attributes:
        return {**attributes, "rows": 1, "cols": size}

    def flops(self, node: Node) -> int:
        size = node.attributes["rows"] * node.attributes["cols"]
        return size * len(node.attributes["maps"].split())


LOOP = Loop()
