"""Rewrites a graph's nodes into fewer, larger ones for the native engine.

Each pass takes and returns a `Schedule` and keeps the values: what it merges is computed by the same
formula without the intermediate going through memory.
"""

from __future__ import annotations

from ..graph.ops.activations import ACTIVATIONS
from ..graph.ops.losses import LOSSES
from ..graph.table import table
from ..graph.tensor import Node


class Schedule:
    """Nodes in the order of computation, and who uses what. Tensors are shared with the graph."""

    def __init__(self, nodes, outputs):
        self.nodes = list(nodes)
        self.outputs = list(outputs)
        self.refresh()

    def refresh(self):
        """Recounts the uses; a graph output counts as a use by None."""
        self.users = {}
        for node in self.nodes:
            for t in node.inputs:
                if t is not None:
                    self.users.setdefault(id(t), []).append(node)
        for t in self.outputs:
            self.users.setdefault(id(t), []).append(None)

    def used_by(self, tensor):
        return self.users.get(id(tensor), [])

    def only_user(self, tensor):
        """The one node that uses `tensor`, or None."""
        users = self.used_by(tensor)
        return users[0] if len(users) == 1 else None

    def replace(self, merged, dropped, at):
        """Puts node `merged` in the place of node `at` and removes the nodes `dropped`."""
        gone = {id(n) for n in dropped}
        nodes = []
        for node in self.nodes:
            if node is at:
                nodes.append(merged)
            elif id(node) not in gone:
                nodes.append(node)
        self.nodes = nodes
        self.refresh()


def fuse(graph, outputs):
    """All passes over the nodes of `graph` that matter for `outputs` or for state.

    Returns:
        A Schedule.
    """
    schedule = Schedule(live_nodes(graph.nodes, outputs), outputs)
    for fusion in (_loss_with_gradient, _dense_activation, _backward_activation, _backward_bias):
        fusion(schedule)
    return schedule


def live_nodes(nodes, outputs):
    """The nodes whose results are needed: for `outputs`, or because they write state."""
    needed = {id(t) for t in outputs}
    live = []
    for node in reversed(nodes):
        if node.op.writes or any(id(t) in needed for t in node.outputs):
            live.append(node)
            needed.update(id(t) for t in node.inputs if t is not None)
    return live[::-1]


def _node(name, inputs, outputs, attributes, scope):
    node = Node(table[name], tuple(inputs), attributes, scope)
    node.outputs = tuple(outputs)
    return node


def _is_one(tensor):
    source = tensor.source
    return (
        tensor.node is None
        and getattr(source, "shape", None) == ()
        and hasattr(source, "item")
        and source.item() == 1.0
    )


def _loss_with_gradient(schedule):
    """losses = L(pred, labels); total = weighted_sum(losses); dpred = L_backward(...): one pass."""
    for node in list(schedule.nodes):
        if node.op.name not in LOSSES:
            continue
        users = schedule.used_by(node.outputs[0])
        names = sorted(u.op.name if u is not None else "" for u in users)
        if names != ["weighted_sum", "weighted_sum_backward"]:
            continue
        total = next(u for u in users if u.op.name == "weighted_sum")
        seed = next(u for u in users if u.op.name == "weighted_sum_backward")
        backward = schedule.only_user(seed.outputs[0])
        if backward is None or backward.op.name != node.op.name + "_backward":
            continue
        if not _is_one(seed.inputs[0]) or seed.inputs[2:] != total.inputs[1:]:
            continue
        weight = total.inputs[1] if len(total.inputs) > 1 else None
        merged = _node(
            node.op.name + "_with_gradient",
            (*node.inputs, weight),
            (total.outputs[0], backward.outputs[0]),
            {**node.attributes, "scale": total.attributes.get("scale", 1.0)},
            node.scope,
        )
        # The total comes first in the schedule and its users may follow at once.
        schedule.replace(merged, (total, seed, backward), at=node)


def _dense_activation(schedule):
    """dense, then an activation that is the only user of its result: the activation in the epilogue."""
    for node in list(schedule.nodes):
        if node.op.name != "dense" or node.attributes.get("activation"):
            continue
        z = node.outputs[0]
        users = schedule.used_by(z)
        forward = [u for u in users if u is not None and u.op.name in ACTIVATIONS]
        if len(forward) != 1 or forward[0].op.name == "linear":
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
        merged = _node("dense", node.inputs, results, attributes, node.scope)
        schedule.replace(merged, (activation,), at=node)


def _backward_activation(schedule):
    """dx = dense_backward_input(dy, kernel), then f_backward(dx, saved): the product in the epilogue."""
    for node in list(schedule.nodes):
        if node.op.name != "dense_backward_input" or len(node.inputs) > 2:
            continue
        user = schedule.only_user(node.outputs[0])
        name = user.op.name.removesuffix("_backward") if user is not None else ""
        if name not in ACTIVATIONS or user.op.name == name or user.inputs[0] is not node.outputs[0]:
            continue
        merged = _node(
            "dense_backward_input",
            (*node.inputs, user.inputs[1]),
            user.outputs,
            {**user.attributes, "activation": name},
            node.scope,
        )
        schedule.replace(merged, (node,), at=user)


def _backward_bias(schedule):
    """dense_backward_kernel(x, dy) and bias_backward(dy): the sum over rows beside the product."""
    sums = {id(n.inputs[0]): n for n in schedule.nodes if n.op.name == "bias_backward"}
    for node in list(schedule.nodes):
        if node.op.name != "dense_backward_kernel" or node.attributes.get("bias"):
            continue
        dbias = sums.pop(id(node.inputs[1]), None)
        if (
            dbias is None
            or (node.inputs[0].ndim != 2
            and dbias.inputs[0].ndim != node.inputs[1].ndim)
        ):
            continue
        merged = _node(
            "dense_backward_kernel",
            node.inputs,
            (*node.outputs, *dbias.outputs),
            {"bias": True},
            node.scope,
        )
        first, second = sorted((node, dbias), key=schedule.nodes.index)
        schedule.replace(merged, (second,), at=first)
