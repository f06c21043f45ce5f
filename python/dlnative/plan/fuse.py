"""Rewrites a graph's nodes into fewer, larger ones for the native engine.

Each pass changes a `Schedule` and keeps the values: what it merges is computed by the same formula
without the intermediate going through memory. What can be merged stands in the rows of the op table
(`fusion`, `epilogue` and the traits beside them in `graph.table.Op`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .assign import assign_in_place
from .flatten import flatten_updates
from .fuse_images import (
    convolution_moments,
    fold_batch_norm,
    max_pool_indices,
    normalize_add_relu,
    sum_of_gradients,
)
from .loops import fuse_loops, has_loops
from .multiply_add import multiply_add
from .schedule import Schedule, live_nodes, merged_node, same_tensors
from .subexpressions import merge_common_subexpressions

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.tensor import Tensor


def fuse(graph: Graph, outputs: Sequence[Tensor], loops: bool = True) -> Schedule:
    """All passes over the nodes of `graph` that matter for `outputs` or for state.

    Args:
        graph: A Graph with concrete shapes.
        outputs: Its tensors that are wanted.
        loops: Whether elementwise nodes are joined to loops; the results are the same.

    Returns:
        A Schedule.
    """
    schedule = fused_rows(graph, outputs)
    if loops and has_loops(schedule):
        schedule.sort()  # what was merged may have come to stand before its inputs
        fuse_loops(schedule)
    assign_in_place(schedule)
    flatten_updates(schedule)
    schedule.sort()
    schedule.commits_last()
    return schedule


def fused_rows(graph: Graph, outputs: Sequence[Tensor]) -> Schedule:
    """The passes after which every node still is a row of the table on tensors of its own."""
    nodes, outputs = merge_common_subexpressions(live_nodes(graph.nodes, outputs), outputs)
    schedule = Schedule(live_nodes(nodes, outputs), outputs)
    for fusion in (
        loss_with_gradient,
        max_pool_indices,
        normalize_add_relu,
        convolution_moments,
        fold_batch_norm,
        product_activation,
        backward_activation,
        sum_of_gradients,
        backward_bias,
    ):
        fusion(schedule)
    multiply_add(schedule)
    return schedule


def loss_with_gradient(schedule: Schedule) -> None:
    """losses = L(pred, labels); total = weighted_sum(losses); dpred = L_backward(...): one pass."""
    for node in schedule.that_take("loss_sum"):
        users = schedule.used_by(node.outputs[0])
        if len(users) != 2 or None in users:
            continue
        total, seed = users if users[0].op.fusion == "loss_sum" else users[::-1]
        if total.op.fusion != "loss_sum" or seed.op is not total.op.backward:
            continue
        backward = schedule.only_user(seed.outputs[0])
        if backward is None or backward.op is not node.op.backward:
            continue
        if not _is_one(seed.inputs[0]) or not same_tensors(seed.inputs[2:], total.inputs[1:]):
            continue
        weight = total.inputs[1] if len(total.inputs) > 1 else None
        merged = merged_node(
            node.op.fused,
            (*node.inputs, weight),
            (total.outputs[0], backward.outputs[0]),
            {**node.attributes, "scale": total.attributes.get("scale", 1.0)},
            node.scope,
        )
        # The total comes first in the schedule and its users may follow at once.
        schedule.replace(merged, (total, seed, backward), at=node)


def product_activation(schedule: Schedule) -> None:
    """A product, then an activation that alone uses its result: the activation in the epilogue."""
    for node in schedule.that_take("activation"):
        if node.attributes.get("activation"):
            continue
        z = node.outputs[0]
        users = schedule.used_by(z)
        forward = [u for u in users if u is not None and u.op.fusion == "activation"]
        if len(forward) != 1 or len(node.outputs) > 1:
            continue
        activation = forward[0]
        rest = [u for u in users if u is not activation]
        attributes = {**node.attributes, **activation.attributes, "activation": activation.op.name}
        results = [activation.outputs[0]]
        if rest:
            if len(rest) > 1 or rest[0] is None or rest[0].op is not activation.op.backward:
                continue
            attributes["pre_activation"] = True
            results.append(z)
        merged = merged_node(node.op, node.inputs, results, attributes, node.scope)
        schedule.replace(merged, (activation,), at=node)


def backward_activation(schedule: Schedule) -> None:
    """dx = backward_input(dy, kernel), then f_backward(dx, saved): in the product's epilogue."""
    for node in schedule.that_take("activation_gradient"):
        if len(node.inputs) > 2:
            continue
        user = schedule.only_user(node.outputs[0])
        if user is None or user.op.fusion != "activation_gradient":
            continue
        if user.inputs[0] is not node.outputs[0]:
            continue
        merged = merged_node(
            node.op,
            (*node.inputs, user.inputs[1]),
            user.outputs,
            {**node.attributes, **user.attributes, "activation": user.op.forward.name},
            node.scope,
        )
        schedule.replace(merged, (node,), at=user)


def backward_bias(schedule: Schedule) -> None:
    """backward_kernel(x, dy) and bias_backward(dy): the sum over rows within the product."""
    sums = {id(n.inputs[0]): n for n in schedule.that_are("bias_gradient")}
    for node in schedule.that_take("bias_gradient"):
        dbias = sums.pop(id(node.inputs[1]), None)
        if dbias is None or node.attributes.get("bias"):
            continue
        merged = merged_node(
            node.op,
            node.inputs,
            (*node.outputs, *dbias.outputs),
            {**node.attributes, "bias": True},
            node.scope,
        )
        first, second = sorted((node, dbias), key=schedule.position)
        schedule.replace(merged, (second,), at=first)


def _is_one(tensor: Tensor) -> bool:
    source = tensor.source
    return (
        tensor.node is None
        and getattr(source, "shape", None) == ()
        and hasattr(source, "item")
        and source.item() == 1.0
    )
