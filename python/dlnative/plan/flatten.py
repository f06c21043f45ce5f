"""Optimizer updates over flat buffers instead of one update per variable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ..graph.table import ITEMSIZE
from ..graph.tensor import Node, Tensor, is_variable
from ..placement import ALIGNMENT, place_for_programs
from ..variables import Variable
from .schedule import Schedule, same_tensors

if TYPE_CHECKING:
    import numpy as np

    from ..graph.graph import Graph


def place_variables(graph: Graph, outputs: Sequence[Tensor] = ()) -> list[Variable]:
    """Gives every variable of the graph its final place; returns them."""
    leaves = (*graph.leaves.values(), *outputs)
    variables = list({id(t): t.source for t in leaves if is_variable(t.source)}.values())
    place_for_programs(variables)
    return variables


class FlatTensor(Tensor):
    """A tensor that others are parts of: `parts` is a list of (tensor, offset in elements)."""

    __slots__ = ("parts",)
    parts: list


def flatten_updates(schedule: Schedule) -> None:
    """Merges runs of updates whose variables lie side by side into one update each.

    An update is an elementwise node that computes all its results in variables. What else a run
    reads, such as the gradients, becomes parts of one flat tensor, which the memory plan places as
    a whole.
    """
    updates = [node for node in schedule.each(lambda op: op.elementwise) if schedule.commits(node)]
    for run in _runs(schedule, [Update(schedule, node) for node in updates]):
        if len(run) == 1 or _depend(schedule, run):
            continue
        nodes = [update.node for update in run]
        merged = _merged(run)
        results = [t for node in nodes for t in node.outputs]
        schedule.replace(merged, nodes[:-1], at=nodes[-1], results=results)


class Update:
    """An elementwise node that computes all its results in variables, and what it is made of.

    Attributes:
        node: The node.
        fixed: {operand: the variable in whose memory it lies}; outputs are counted after inputs.
        movable: {operand: a tensor of its shape that lies in the arena}.
        common: The inputs that all updates of a run must share, such as the learning rate.
    """

    __slots__ = ("addresses", "common", "condition", "fixed", "movable", "node")

    def __init__(self, schedule: Schedule, node: Node) -> None:
        self.node = node
        self.fixed = {}
        self.movable = {}
        self.common = []
        self.condition = schedule.conditions.get(id(node))
        shape = node.outputs[0].shape if node.outputs else None
        for i, t in enumerate((*node.inputs, *node.outputs)):
            if t is None or t.shape != shape:
                self.common.append(t)
                continue
            leaf = schedule.homes.get(id(t), t)
            if is_variable(leaf.source):
                self.fixed[i] = leaf.source
            elif leaf.source is None:
                self.movable[i] = t
            else:
                self.common.append(t)

        # NumPy takes a microsecond for each.
        self.addresses = {id(v): _address(v) for v in self.fixed.values()}

    @property
    def address(self) -> int:
        """Of its first result."""
        return self.addresses[id(self.fixed[len(self.node.inputs)])]

    def is_flat(self, schedule: Schedule) -> bool:
        """Whether it may be a part of a run."""
        if any(t.shape == () for t in self.node.outputs):  # what is common cannot be told then
            return False
        if any(t is not None and t.shape != () for t in self.common):  # not one value for all
            return False
        count = len(self.node.inputs)
        if any(count + k not in self.fixed for k in range(len(self.node.outputs))):
            return False
        producers = [schedule.producer(t) for t in self.movable.values()]
        return all(p is not None and not p.op.view for p in producers)

    def continues(self, before: Update) -> bool:
        """Whether all its operands follow those of another update in memory."""
        a, b = before.node, self.node
        if a.op is not b.op or before.condition is not self.condition:
            return False
        attributes = a.op.flat_attributes(a)
        if attributes is None or attributes != b.op.flat_attributes(b):
            return False
        if not same_tensors(before.common, self.common):
            return False
        if before.fixed.keys() != self.fixed.keys() or before.movable.keys() != self.movable.keys():
            return False
        if any(t.dtype != before.movable[i].dtype for i, t in self.movable.items()):
            return False
        elements = _padded(a.outputs[0])
        # Tensors of the arena begin at multiples of ALIGNMENT: smaller elements may not fit there.
        if any(elements * ITEMSIZE[t.dtype] % ALIGNMENT for t in self.movable.values()):
            return False
        return all(
            u.dtype == v.dtype
            and u.buffer is v.buffer  # nothing of the user's lies between
            and self.addresses[id(v)] - before.addresses[id(u)] == elements * ITEMSIZE[u.dtype]
            for u, v in ((before.fixed[i], self.fixed[i]) for i in self.fixed)
        )


def _runs(schedule: Schedule, updates: Iterable[Update]) -> Iterator[list[Update]]:
    """Lists of updates that can be one: same op and settings, addresses one after the other.

    A tensor has one place: an update that reads what one before it reads, such as the gradient of
    two weights whose outputs are added, is alone.
    """
    run: list[Update] = []
    read: set[int] = set()
    flat = [update for update in updates if update.is_flat(schedule)]
    for update in sorted(flat, key=lambda u: u.address):
        parts = [id(t) for t in update.movable.values()]
        is_alone = len({*parts}) < len(parts) or not read.isdisjoint(parts)
        read.update(parts)
        if is_alone:
            yield [update]
        elif run and update.continues(run[-1]):
            run.append(update)
        else:
            if run:
                yield run
            run = [update]
    if run:
        yield run


def _depend(schedule: Schedule, run: Sequence[Update]) -> bool:
    """Whether an update of a run needs the results of another one."""
    members = {id(update.node) for update in run}
    waiting = [user for update in run for t in update.node.outputs for user in schedule.used_by(t)]
    seen = set()
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if id(node) in members:
            return True
        waiting += [user for t in node.outputs for user in schedule.used_by(t)]
    return False


def _merged(run: Sequence[Update]) -> Node:
    """One node for a run of updates."""
    first = run[0]
    offsets, size = [], 0
    for update in run:
        size = (update.address - first.address) // ITEMSIZE[first.node.outputs[0].dtype]
        offsets.append(size)
        size += update.node.outputs[0].size

    def flat(i: int, t: Any) -> Any:
        if i in first.fixed:
            return Tensor((size,), t.dtype, source=_span(first.fixed[i], size), name=t.name)
        if i in first.movable:
            whole = FlatTensor((size,), t.dtype, name="gradients")
            whole.parts = [(u.movable[i], offset) for u, offset in zip(run, offsets)]
            return whole
        return t

    node = first.node
    operands = [flat(i, t) for i, t in enumerate((*node.inputs, *node.outputs))]
    inputs, outputs = operands[: len(node.inputs)], operands[len(node.inputs) :]
    merged = Node(node.op, tuple(inputs), node.op.resized(node.attributes, size), "optimizer")
    merged.outputs = tuple(outputs)
    return merged


def _padded(tensor: Tensor) -> int:
    """Elements from the begin of one variable in a flat buffer to that of the next."""
    step = ALIGNMENT // ITEMSIZE[tensor.dtype]
    return -(-tensor.size // step) * step


def _address(variable: Variable) -> int:
    return variable.array.__array_interface__["data"][0]


def _span(variable: Variable, size: int) -> np.ndarray:
    """`size` values of its buffer, from the first of a variable on."""
    buffer: Any = variable.buffer
    values = buffer.array
    start = (_address(variable) - values.__array_interface__["data"][0]) // values.itemsize
    return values[start : start + size]
