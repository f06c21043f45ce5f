"""State by single assignment: what is assigned to a variable is computed in its memory.

In the graph of a step a variable is read as it was before the step and assigned at its end. Where
nothing needs the old values any longer once the new ones are computed, no copy is made.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..graph.tensor import Node, Tensor
    from .schedule import Schedule


def assign_in_place(schedule: Schedule) -> None:
    """Drops assignments whose values can be computed where they belong.

    What only assignments with a condition need gets that condition: it is left out where they are.
    """
    conditions = needed_only_where(schedule)
    order = _Order(schedule, conditions)
    checked = _needed_by_checks(schedule, conditions)
    for node in schedule.each(lambda op: bool(op.writes)):
        leaf, value, condition = node.inputs
        producer = schedule.producer(value)
        if (
            producer is not None
            and id(producer) not in checked
            # It is left out as a whole, or not at all.
            and conditions.get(id(producer)) is condition
            and _may_write(schedule, producer, leaf, value)
        ):
            readers = [r for r in schedule.readers(leaf) if r is not producer and r is not node]
            if order.add(readers, producer):
                schedule.compute_in(leaf, value, node)
    for node in schedule.nodes:
        condition = conditions.get(id(node))
        if condition is not None and not node.op.writes:
            schedule.conditions[id(node)] = condition


def _needed_by_checks(schedule: Schedule, conditions: dict[int, Tensor]) -> set[int]:
    """Ids of the nodes that must have run before it is known that no node of the step raises.

    They write nothing: a step that raises leaves the state as it was.
    """
    waiting = [node for node in schedule.nodes if node.op.may_fail]
    needed = set()
    while waiting:
        node = waiting.pop()
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            inputs = (*node.inputs, conditions.get(id(node)))
            waiting += [schedule.producer(t) for t in inputs if t is not None]
    return needed


def needed_only_where(schedule: Schedule) -> dict[int, Tensor]:
    """{id of a node: the condition without which nothing needs its results}."""
    if not any(node.op.writes and node.inputs[2] is not None for node in schedule.nodes):
        return {}
    schedule.sort()  # users are looked at before what they use
    found = {}
    for node in reversed(schedule.nodes):
        if node.op.writes:
            found[id(node)] = node.inputs[2]
            continue
        users = [user for t in node.outputs for user in schedule.used_by(t)]
        wanted = {id(found.get(id(u))): found.get(id(u)) for u in users if u is not None}
        if len(wanted) == 1 and None not in users:
            (condition,) = wanted.values()
            if condition is not None and not any(t is condition for t in node.outputs):
                found[id(node)] = condition
    return found


def _may_write(schedule: Schedule, producer: Node, leaf: Tensor, value: Tensor) -> bool:
    """Whether a node may compute `value`, which it produces, in the memory of the variable."""
    op = producer.op
    if op.view or op.may_fail or id(value) in schedule.homes:
        return False
    if value.shape != leaf.shape or value.dtype != leaf.dtype or value.size == 0:
        return False
    (index,) = [i for i, t in enumerate(producer.outputs) if t is value]
    reads = [i for i, t in enumerate(producer.inputs) if t is leaf]
    return not reads or set(reads) <= set(op.overwrites(producer, index))


class _Order:
    """The order of nodes so far: by data and conditions, and readers of a variable before its
    writer.
    """

    def __init__(self, schedule: Schedule, conditions: dict[int, Tensor]) -> None:
        self.schedule = schedule
        self.writers = {}  # id of a reader -> nodes that must wait for it
        self.conditioned = {}  # id of a condition -> nodes that wait for it
        for node in schedule.nodes:
            if conditions.get(id(node)) is not None:
                self.conditioned.setdefault(id(conditions[id(node)]), []).append(node)

    def add(self, readers: Iterable[Node], writer: Node) -> bool:
        """Notes that `writer` waits for `readers`; False, and nothing, where one waits for it."""
        if not readers:
            return True
        wanted = {id(r) for r in readers}
        seen, waiting = set(), [writer]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if id(node) in wanted:
                return False
            for t in node.outputs:
                waiting += [user for user in self.schedule.used_by(t) if user is not None]
                waiting += [n for n in self.conditioned.get(id(t), ()) if self.schedule.holds(n)]
            waiting += self.writers.get(id(node), ())
        for reader in readers:
            self.writers.setdefault(id(reader), []).append(writer)
        return True
