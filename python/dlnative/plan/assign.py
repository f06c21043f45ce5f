"""State by single assignment: what is assigned to a variable is computed in its memory.

In the graph of a step a variable is read as it was before the step and assigned at its end. Where
nothing needs the old values any longer once the new ones are computed, no copy is made.
"""

from __future__ import annotations


def assign_in_place(schedule):
    """Drops assignments whose values can be computed where they belong.

    Conditions reach what only such values need: it is left out where they are.
    """
    if any(node.op.writes and node.inputs[2] is not None for node in schedule.nodes):
        schedule.sort()  # what needs a condition is found from the end
    order = _Order(schedule)
    checked = _needed_by_checks(schedule)
    for node in schedule.each(lambda op: bool(op.writes)):
        leaf, value, condition = node.inputs
        producer = schedule.producer(value)
        if (
            producer is None
            or id(producer) in checked
            or not _may_write(schedule, producer, leaf, value, condition)
        ):
            if condition is not None:
                _condition_inputs(schedule, node, condition)
            continue
        readers = [r for r in schedule.readers(leaf) if r is not producer and r is not node]
        if order.add(readers, producer):
            schedule.compute_in(leaf, value, node)
            if condition is not None:
                schedule.conditions[id(producer)] = condition
                _condition_inputs(schedule, producer, condition)
        elif condition is not None:
            _condition_inputs(schedule, node, condition)


def _needed_by_checks(schedule):
    """Ids of the nodes that must have run before it is known that no node of the step raises.

    They write nothing: a step that raises leaves the state as it was.
    """
    waiting = [node for node in schedule.nodes if node.op.may_fail]
    if waiting:  # which of them will have a condition is not known yet
        conditions = [node.inputs[2] for node in schedule.nodes if node.op.writes]
        waiting += [schedule.producer(t) for t in conditions if t is not None]
    needed = set()
    while waiting:
        node = waiting.pop()
        if node is not None and id(node) not in needed:
            needed.add(id(node))
            waiting += [schedule.producer(t) for t in node.inputs if t is not None]
    return needed


def needed_only_where(schedule):
    """{id of a node: the condition without which nothing needs its results}."""
    if not any(node.op.writes and node.inputs[2] is not None for node in schedule.nodes):
        return {}
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


def _may_write(schedule, producer, leaf, value, condition):
    """Whether a node may compute `value`, which it produces, in the memory of the variable."""
    op = producer.op
    if op.view or op.may_fail or id(value) in schedule.homes:
        return False
    if value.shape != leaf.shape or value.dtype != leaf.dtype or value.size == 0:
        return False
    # A node with a condition is left out as a whole.
    if schedule.conditions.get(id(producer)) is not condition and (
        id(producer) in schedule.conditions or not _only_for(schedule, producer, condition)
    ):
        return False
    (index,) = [i for i, t in enumerate(producer.outputs) if t is value]
    allowed = op.overwrites(producer, index)
    return all(t is not leaf or i in allowed for i, t in enumerate(producer.inputs))


def _only_for(schedule, node, condition):
    """Whether only assignments with this condition, or nodes that have it, use a node's results."""
    if any(id(t) in schedule.homes for t in node.outputs):
        return False
    return all(
        user is not None
        and (
            schedule.conditions.get(id(user)) is condition
            or (user.op.writes and user.inputs[2] is condition)
        )
        for t in node.outputs
        for user in schedule.used_by(t)
    )


def _condition_inputs(schedule, node, condition):
    """Gives the condition to all nodes that are computed for nodes with this condition only."""
    waiting = [t for i, t in enumerate(node.inputs) if t is not None and t is not condition]
    while waiting:
        producer = schedule.producer(waiting.pop())
        if producer is None or id(producer) in schedule.conditions or producer.op.writes:
            continue
        if any(t is condition for t in producer.outputs):
            continue
        if not _only_for(schedule, producer, condition):
            continue
        schedule.conditions[id(producer)] = condition
        waiting += [t for t in producer.inputs if t is not None]


class _Order:
    """The order of nodes so far: by data and conditions, and readers of a variable before its
    writer.
    """

    def __init__(self, schedule):
        self.schedule = schedule
        self.writers = {}  # id of a reader -> nodes that must wait for it
        self.conditioned = {}  # id of a condition -> nodes that may wait for it
        conditions = needed_only_where(schedule)
        for node in schedule.nodes:
            if conditions.get(id(node)) is not None:
                self.conditioned.setdefault(id(conditions[id(node)]), []).append(node)

    def add(self, readers, writer):
        """Notes that `writer` waits for `readers`; False, and nothing, where one waits for it."""
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
