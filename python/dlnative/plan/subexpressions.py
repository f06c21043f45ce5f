"""Common subexpressions: what two nodes would compute alike is computed once.

So is what is there already: transposes that undo each other, as between layers whose channels come
first, are left out.

Users write it, as two forward passes of one model in a step, and rules of gradients do. Nodes are
numbered by value (Cocke and Schwartz, 1970; Muchnick, 1997, "Advanced compiler design and
implementation", 12.4): a tensor is one value, also of a variable, which is another tensor once it
is assigned to, and draws of random numbers differ in the attributes that are their keys.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.table import nbytes
from ..graph.tensor import Node, Tensor
from .schedule import merged_node

SMALL = 1 << 16  # bytes of the constants that are compared


def merge_common_subexpressions(
    nodes: Sequence[Node], outputs: Sequence[Tensor]
) -> tuple[list[Node], list[Tensor]]:
    """The nodes without those whose results an earlier one has, and the outputs that they have.

    Args:
        nodes: Nodes in the order of computation; they are not changed.
        outputs: Tensors that they compute.

    Returns:
        (nodes, outputs); where an input of a node has become another tensor it is a new node.
    """
    same: dict[int, Tensor] = {}  # id of a tensor -> the one that has its values
    wanted = {id(t) for t in outputs}
    constants: dict[tuple[Any, ...], Tensor] = {}
    known: dict[tuple[Any, ...], list[Node]] = {}  # (op, ids of inputs) -> nodes
    permuted: dict[int, Node] = {}  # id of a tensor -> the node that has permuted its axes
    kept = []
    for node in nodes:
        for t in node.inputs:
            # Equal numbers of a graph are one tensor.
            if t is None or t.node is not None or not t.shape:
                continue
            if isinstance(t.source, np.ndarray) and nbytes(t) <= SMALL:
                key = (t.dtype, t.shape, t.source.tobytes())
                same[id(t)] = constants.setdefault(key, t)
        inputs = tuple(None if t is None else same.get(id(t), t) for t in node.inputs)
        if node.op.permutes and id(node.outputs[0]) not in wanted:
            original = _undone(node, permuted.get(id(inputs[0])))
            if original is not None:
                same[id(node.outputs[0])] = original
                continue
        if _is_value(node):
            alike = known.setdefault((node.op, *map(id, inputs)), [])
            earlier = next((n for n in alike if _same(n.attributes, node.attributes)), None)
            if earlier is not None:
                same.update((id(t), u) for t, u in zip(node.outputs, earlier.outputs, strict=True))
                continue
            alike.append(node)
        if any(t is not u for t, u in zip(inputs, node.inputs)):
            node = merged_node(node.op, inputs, node.outputs, node.attributes, node.scope)
        if node.op.permutes:
            permuted[id(node.outputs[0])] = node
        kept.append(node)
    return kept, [same.get(id(t), t) for t in outputs]


def _undone(node: Node, before: Node | None) -> Tensor | None:
    """What `before` has permuted, if `node` puts its axes back."""
    if before is None:
        return None
    first, second = (each.attributes["axes"] for each in (before, node))
    axes = [first[a] % len(first) for a in second]
    return before.inputs[0] if axes == list(range(len(axes))) else None


def _is_value(node: Node) -> bool:
    """Whether running a node once has the effect of running it twice, and pays.

    A loss that nothing but its sum and its gradient use becomes one pass with these, which a metric
    that is the same function must not hinder.
    """
    op = node.op
    return not (op.writes or op.calls_python or "loss_sum" in op.epilogue)


def _same(a: Any, b: Any) -> bool:
    """Whether attributes, or their values, are equal to the bit and of one type."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, float):
        return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)
    return a is b or (isinstance(a, (bool, int, str)) and a == b)
