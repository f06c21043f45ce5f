"""Rewrites a graph's nodes into fewer, larger ones for the native engine.

Each pass changes a `Schedule` and keeps the values: what it merges is computed by the same formula
without the intermediate going through memory.
"""

from __future__ import annotations

from ..graph.ops.activations import ACTIVATIONS
from ..graph.ops.losses import LOSSES
from ..graph.ops.optimizers import UPDATES
from .fuse_images import (
    convolution_moments,
    fold_batch_norm,
    max_pool_indices,
    normalize_add_relu,
    sum_of_gradients,
)
from .schedule import Schedule, live_nodes, merged_node, same_tensors

# Products that can apply an activation to their result, and those that can apply its gradient.
PRODUCTS = (
    "dense",
    "conv1d",
    "conv2d",
    "conv1d_transpose",
    "conv2d_transpose",
    "depthwise_conv2d",
)
BACKWARD_PRODUCTS = ("dense_backward_input", "conv1d_backward_input", "conv2d_backward_input")
KERNEL_GRADIENTS = ("dense_backward_kernel", "conv1d_backward_kernel", "conv2d_backward_kernel")


def fuse(graph, outputs):
    """All passes over the nodes of `graph` that matter for `outputs` or for state.

    Returns:
        A Schedule.
    """
    schedule = Schedule(live_nodes(graph.nodes, outputs), outputs)
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
    # What was merged may have come to stand before its inputs.
    schedule.sort()
    _commits_last(schedule)
    return schedule


def loss_with_gradient(schedule):
    """losses = L(pred, labels); total = weighted_sum(losses); dpred = L_backward(...): one pass."""
    for node in schedule.each(*LOSSES):
        users = schedule.used_by(node.outputs[0])
        names = sorted(u.op.name if u is not None else "" for u in users)
        if names != ["weighted_sum", "weighted_sum_backward"]:
            continue
        total = next(u for u in users if u.op.name == "weighted_sum")
        seed = next(u for u in users if u.op.name == "weighted_sum_backward")
        backward = schedule.only_user(seed.outputs[0])
        if backward is None or backward.op.name != node.op.name + "_backward":
            continue
        if not _is_one(seed.inputs[0]) or not same_tensors(seed.inputs[2:], total.inputs[1:]):
            continue
        weight = total.inputs[1] if len(total.inputs) > 1 else None
        merged = merged_node(
            node.op.name + "_with_gradient",
            (*node.inputs, weight),
            (total.outputs[0], backward.outputs[0]),
            {**node.attributes, "scale": total.attributes.get("scale", 1.0)},
            node.scope,
        )
        # The total comes first in the schedule and its users may follow at once.
        schedule.replace(merged, (total, seed, backward), at=node)


def product_activation(schedule):
    """A product, then an activation that alone uses its result: the activation in the epilogue."""
    for node in schedule.each(*PRODUCTS):
        if node.attributes.get("activation"):
            continue
        z = node.outputs[0]
        users = schedule.used_by(z)
        forward = [u for u in users if u is not None and u.op.name in ACTIVATIONS]
        if len(forward) != 1 or forward[0].op.name == "linear" or len(node.outputs) > 1:
            continue
        activation = forward[0]
        rest = [u for u in users if u is not activation]
        attributes = {**node.attributes, **activation.attributes, "activation": activation.op.name}
        results = [activation.outputs[0]]
        if rest:
            if [u.op.name if u is not None else "" for u in rest] != [
                activation.op.name + "_backward"
            ]:
                continue
            attributes["pre_activation"] = True
            results.append(z)
        merged = merged_node(node.op.name, node.inputs, results, attributes, node.scope)
        schedule.replace(merged, (activation,), at=node)


def backward_activation(schedule):
    """dx = backward_input(dy, kernel), then f_backward(dx, saved): in the product's epilogue."""
    for node in schedule.each(*BACKWARD_PRODUCTS):
        if len(node.inputs) > 2:
            continue
        user = schedule.only_user(node.outputs[0])
        name = user.op.name.removesuffix("_backward") if user is not None else ""
        if name not in ACTIVATIONS or user.op.name == name or user.inputs[0] is not node.outputs[0]:
            continue
        merged = merged_node(
            node.op.name,
            (*node.inputs, user.inputs[1]),
            user.outputs,
            {**node.attributes, **user.attributes, "activation": name},
            node.scope,
        )
        schedule.replace(merged, (node,), at=user)


def backward_bias(schedule):
    """backward_kernel(x, dy) and bias_backward(dy): the sum over rows within the product."""
    sums = {id(n.inputs[0]): n for n in schedule.each("bias_backward")}
    for node in schedule.each(*KERNEL_GRADIENTS):
        dbias = sums.pop(id(node.inputs[1]), None)
        if dbias is None or node.attributes.get("bias"):
            continue
        merged = merged_node(
            node.op.name,
            node.inputs,
            (*node.outputs, *dbias.outputs),
            {**node.attributes, "bias": True},
            node.scope,
        )
        first, second = sorted((node, dbias), key=schedule.position)
        schedule.replace(merged, (second,), at=first)


def _commits_last(schedule):
    """Moving statistics change together with the weights: a step is done whole or not at all."""
    statistics = [n for n in schedule.nodes if n.op.name == "moving_average"]
    if statistics:
        schedule.move_last(statistics + [n for n in schedule.nodes if n.op.name in UPDATES])


def _is_one(tensor):
    source = tensor.source
    return (
        tensor.node is None
        and getattr(source, "shape", None) == ()
        and hasattr(source, "item")
        and source.item() == 1.0
    )
