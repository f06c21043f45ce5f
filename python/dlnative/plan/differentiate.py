"""Reverse-mode differentiation: backward is graph, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..graph.dtypes import FLOATS
from ..graph.tensor import Tensor, apply

if TYPE_CHECKING:
    from ..graph.graph import Graph


def gradients(
    graph: Graph,
    output: Tensor | list[Tensor],
    tensors: Sequence[Tensor],
    cotangent: Tensor | Sequence[Tensor | None] | None = None,
    first: int = 0,
) -> list[Tensor | None]:
    """Emits the nodes that compute d output / d tensor for each of `tensors`.

    Every op's gradient rule emits ordinary nodes; where a tensor is used several times, the
    contributions are added in the order of the graph (reverse accumulation; Griewank and Walther,
    Evaluating Derivatives, chapter 3).

    Args:
        graph: The graph that holds all of them.
        output: A tensor; a scalar unless `cotangent` is given. A list where there are several.
        tensors: What to differentiate by: leaves or inner tensors of the graph.
        cotangent: Weight of each element of `output`, of its shape; 1 for a scalar. A list for a
            list.
        first: Number of the first node to differentiate through: what was computed before is
            constant.

    Returns:
        A list with one tensor, or None where `output` does not depend on it, per entry.

    Raises:
        ValueError: An op on the way has no gradient rule; the message names it and its layer.
    """
    outputs = output if isinstance(output, list) else [output]
    if cotangent is None or isinstance(cotangent, Tensor):
        cotangents: Sequence[Tensor | None] = [cotangent] * len(outputs)
    else:
        cotangents = cotangent
    needed = {id(t) for t in tensors}
    nodes = graph.nodes[first:]
    for node in nodes:
        if any(t is not None and id(t) in needed for t in node.inputs):
            needed.update(id(t) for t in node.outputs)

    grads: dict[int, Tensor] = {}  # id of a tensor -> sum of the contributions so far
    for tensor, weight in zip(outputs, cotangents):
        if weight is None:
            if tensor.shape != ():
                raise ValueError(f"gradients: expected a scalar, received shape {tensor.shape}")
            weight = graph.constant(1.0, tensor.dtype)
        if tensor.dtype in FLOATS:  # integers and booleans move in jumps: nothing depends on them
            _accumulate(grads, tensor, weight)

    scope = graph.scope
    for node in reversed(nodes):
        dys = [grads.get(id(t)) for t in node.outputs]
        needs = tuple(t is not None and id(t) in needed for t in node.inputs)
        if not any(needs) or all(dy is None for dy in dys):
            continue
        if not node.op.differentiable:
            where = f" of layer '{node.scope}'" if node.scope else ""
            raise ValueError(
                f"op '{node.op.name}'{where} has no gradient: it cannot be trained through"
            )
        graph.scope = node.scope
        count = len(graph.nodes)
        for tensor, need, dx in zip(node.inputs, needs, node.op.gradient(node, *dys, needs=needs)):
            if need and dx is not None:
                _accumulate(grads, tensor, dx)
        graph.gradient_of.update((id(emitted), node) for emitted in graph.nodes[count:])
    graph.scope = scope
    return [grads.get(id(t)) for t in tensors]


def _accumulate(grads: dict[int, Tensor], tensor: Tensor, contribution: Tensor) -> None:
    before = grads.get(id(tensor))
    grads[id(tensor)] = contribution if before is None else apply("add", before, contribution)
