"""Optimizer updates over flat buffers instead of one update per variable."""

from __future__ import annotations

from ..graph.table import ITEMSIZE
from ..graph.tensor import Node, Tensor, is_variable
from ..variables import ALIGNMENT, place
from .schedule import same_tensors


def place_variables(graph, outputs=()):
    """Gives every variable of the graph its final place, so that updates can run over flat buffers.

    Parameters that one optimizer updates lie next to each other, and so do their slots, in the same
    order and with the same gaps.
    """
    updates = _updates(graph.nodes)
    for i in range(max((n.op.grad_index for n in updates), default=0)):
        place(
            [n.inputs[i].source for n in updates if i < n.op.grad_index and n.inputs[i] is not None]
        )
    variables = [t.source for t in graph.leaves.values() if is_variable(t.source)]
    place([v for v in variables if getattr(v, "trainable", False)])
    place(variables + [t.source for t in outputs if is_variable(t.source)])


class FlatTensor(Tensor):
    """A tensor that others are parts of: `parts` is a list of (tensor, offset in elements)."""

    __slots__ = ("parts",)
    parts: list


def flatten_updates(schedule):
    """Merges runs of updates whose parameters and slots lie side by side into one update each.

    The gradients of a run become parts of one flat tensor, which the memory plan places as a whole.
    """
    updates = _updates(schedule.nodes)
    producers = {id(t): n for n in schedule.nodes for t in n.outputs}
    taken = set()
    for run in _runs(updates, producers):
        if len(run) == 1:
            continue
        first = run[0]
        grad_index = first.op.grad_index
        size, parts = 0, []
        for node in run:
            offset = (
                _distance(first.inputs[0].source, node.inputs[0].source)
                // ITEMSIZE[first.inputs[0].dtype]
            )
            parts.append((node.inputs[grad_index], offset))
            size = offset + node.inputs[0].size
        if any(id(t) in taken for t, _ in parts):
            continue
        taken.update(id(t) for t, _ in parts)
        grad = FlatTensor((size,), first.inputs[0].dtype, name="gradients")
        grad.parts = parts
        inputs = [
            None
            if t is None
            else Tensor((size,), t.dtype, source=_span(t.source, size), name=t.name)
            for t in first.inputs[:grad_index]
        ]
        merged = Node(
            first.op,
            (*inputs, grad, *first.inputs[grad_index + 1 :]),
            first.attributes,
            "optimizer",
        )
        schedule.replace(merged, run[:-1], at=run[-1])


def _updates(nodes):
    return [node for node in nodes if node.op.grad_index is not None]


def _runs(updates, producers):
    """Lists of updates that can be one: same op and settings, addresses one after the other."""
    run = []
    for node in sorted(updates, key=lambda n: _address(n.inputs[0].source)):
        grad = node.inputs[node.op.grad_index]
        producer = producers.get(id(grad))
        movable = producer is not None and not producer.op.view
        if run and movable and _continues(run[-1], node):
            run.append(node)
            continue
        if run:
            yield run
        run = [node] if movable else []
    if run:
        yield run


def _continues(before, node):
    if before.op is not node.op or before.attributes != node.attributes:
        return False
    grad_index = node.op.grad_index
    if not same_tensors(before.inputs[grad_index + 1 :], node.inputs[grad_index + 1 :]):
        return False
    step = _padded(before.inputs[0].source)
    for a, b in zip(before.inputs[:grad_index], node.inputs[:grad_index]):
        if (a is None) != (b is None):
            return False
        if a is not None and (
            a.dtype != node.inputs[0].dtype
            or a.source.buffer is not b.source.buffer  # nothing of the user's lies between
            or _distance(a.source, b.source) != step
        ):
            return False
    return True


def _padded(variable):
    return -(-variable.array.nbytes // ALIGNMENT) * ALIGNMENT


def _address(variable):
    return variable.array.__array_interface__["data"][0]


def _distance(a, b):
    return _address(b) - _address(a)


def _span(variable, size):
    """`size` values of its buffer, from the first of a variable on."""
    values = variable.buffer.array
    start = (_address(variable) - values.__array_interface__["data"][0]) // values.itemsize
    return values[start : start + size]
