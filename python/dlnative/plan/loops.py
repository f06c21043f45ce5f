"""Fused loops: elementwise nodes and reductions of what they give, as one instruction."""

from __future__ import annotations

from ..graph.ops.loop import LOOP
from ..graph.tensor import Node, Tensor
from .assign import needed_only_where
from .groups import Group, Groups, may_be_line, unspread
from .recompute import recompute
from .schedule import Schedule, merged_node

_SUMMED = ("float32", "float64")


def fuse_loops(schedule: Schedule) -> None:
    """Joins what can run in one sweep."""
    conditions = needed_only_where(schedule)
    groups = Groups(schedule)
    for node in schedule.nodes:
        if may_be_line(node):
            groups.add(node, conditions.get(id(node)))
        elif node.op.reduction and node.inputs[0].size and node.inputs[0].dtype in _SUMMED:
            groups.add_reduction(node, conditions.get(id(node)))
        else:
            groups.pass_by(node)
    groups.unite_updates()
    groups.dissolve_large()
    recompute(groups)
    for group, stored in groups.stored():
        if len(group.copies) + len(group.nodes) + len(group.reductions) > 1:
            _merge(groups, group, stored)
    for node in reversed(schedule.nodes):
        if node.op.spreads and not schedule.used_by(node.outputs[0]):
            schedule.drop(node)


def has_loops(schedule: Schedule) -> bool:
    """Whether an elementwise node takes what another one gives."""
    given = {id(t) for node in schedule.nodes if may_be_line(node) for t in node.outputs}
    return any(
        id(t) in given or (t is not None and id(unspread(schedule, t)) in given)
        for node in schedule.nodes
        if may_be_line(node) or node.op.reduction
        for t in node.inputs
    )


def _merge(groups: Groups, group: Group, stored: list[Node]) -> None:
    """Puts one loop in the place of a group's nodes; `stored` are those whose results it gives."""
    body = [*group.copies, *group.nodes]
    lines = {id(node.outputs[0]): k for k, node in enumerate(body)}
    inputs = {key: i for i, key in enumerate(group.inputs)}
    reductions = [node for node, _ in group.reductions.values()]
    outputs = [node.outputs[0] for node in (*stored, *reductions)]
    given = [*(node.outputs[0] for node in stored), *(node.inputs[0] for node in reductions)]
    words = ["none"] * len(stored) + [word for _, word in group.reductions.values()]

    def operand(t: Tensor) -> int:
        return -(lines[id(t)] + 1) if id(t) in lines else inputs[id(t)]

    cols = group.size if group.cols is None else group.cols
    attributes = {
        "rows": group.size // cols,
        "cols": cols,
        "access": tuple(access for _, access in group.inputs.values()),
        "maps": " ".join(str(node.op.line(node.attributes)) for node in body),
        "dtypes": " ".join(node.inputs[-1].dtype for node in body),
        "results": " ".join(node.outputs[0].dtype for node in body),
        "operands": tuple(operand(t) for node in body for t in groups.sources[id(node)]),
        "stores": tuple(lines[id(t)] for t in given),
        "reductions": " ".join(words),
    }
    scopes = dict.fromkeys(node.scope for node in group.nodes if node.scope)
    arrays = [t for t, _ in group.inputs.values()]
    merged = merged_node(LOOP, arrays, outputs, attributes, next(iter(scopes), None))
    nodes = [*group.nodes, *reductions]
    groups.schedule.replace(merged, nodes[:-1], at=nodes[-1])
