"""Recomputation: what one loop would write only for other loops is computed again in these.

So the intermediates of an activation are not kept for the backward pass where they follow from
arrays that it reads anyway, or that are no larger (Griewank and Walther, 2000, "Algorithm 799:
revolve"; decided loop by loop as in the partitioner of He and Yu, 2023, "Transcending
runtime-memory tradeoffs in checkpointing by being fusion aware", but greedily, in order).

The lines are the same functions of the same operands, so results have the same bits. Random
numbers and whatever else is no line of a loop are kept. A loop that computes a value again reads
variables that it was made from: the schedule knows that, and what overwrites them comes later.
"""

from __future__ import annotations

from ..graph.table import ITEMSIZE, nbytes
from ..graph.tensor import Node, Tensor
from .groups import MAX_INPUTS, MAX_LINES, Group, Groups

Readers = dict[int, list[Group]]  # id of a tensor -> groups that read it
Copies = tuple[Group, list[Node], list[Tensor]]  # a group, lines for it, what they read


def recompute(groups: Groups) -> None:
    """Has loops compute again what that costs less for than writing and reading it.

    In one unit: a line of one FLOP per element takes 0.05 to 0.1 ns for an element in the L1 cache,
    and so does a byte that is written by one loop and not in the cache when another one reads it.
    """
    readers: Readers = {}
    for group in groups.finished():
        for key in group.inputs:
            readers.setdefault(key, []).append(group)
    for node in groups.lines():
        y = node.outputs[0]
        if readers.get(id(y)) and not groups.needed_beside(y):
            copies = _copies(groups, node, readers)
            if copies is not None and _pays(groups, y, copies, readers):
                for group, lines, inputs in copies:
                    _put(group, y, lines, inputs)
                    for t in inputs:
                        readers.setdefault(id(t), []).append(group)
                del readers[id(y)]
    groups.drop_unneeded()


def _copies(groups: Groups, node: Node, readers: Readers) -> list[Copies] | None:
    """What each reader of a node's result needs to compute it itself.

    None where one of them cannot.
    """
    y, found = node.outputs[0], []
    for group in readers[id(y)]:
        home = groups.group_of[id(node)]
        if group.shape != home.shape or group.condition is not home.condition:
            return None
        lines, inputs = _needed(groups, group, node, readers)
        fits = len(group.nodes) + len(group.copies) + len(lines) <= MAX_LINES
        fits = fits and len(group.inputs) + len(inputs) - 1 <= MAX_INPUTS
        if not fits or group.cols_with(inputs) is None:
            return None
        found.append((group, lines, inputs))
    return found


def _needed(
    groups: Groups, group: Group, node: Node, readers: Readers
) -> tuple[list[Node], list[Tensor]]:
    """The lines that lead to a node from what a group has or may read, and what it must read."""

    def is_kept(t: Tensor) -> bool:
        return bool(readers.get(id(t))) or groups.needed_beside(t)

    y = node.outputs[0]
    known = {id(n.outputs[0]) for n in (*group.nodes, *group.copies)} | set(group.inputs)
    known.discard(id(y))
    lines, inputs, waiting = {}, {}, [node]
    while waiting:
        line = waiting.pop()
        lines[id(line)] = line
        for t in groups.sources[id(line)]:
            producer = groups.schedule.producer(t)
            if id(t) in known or id(producer) in lines:
                continue
            if groups.is_line(producer) and t.shape == y.shape and not is_kept(t):
                waiting.append(producer)
            else:
                inputs[id(t)] = t
    return sorted(lines.values(), key=groups.schedule.position), list(inputs.values())


def _pays(groups: Groups, y: Tensor, copies: list[Copies], readers: Readers) -> bool:
    """Whether time is saved, and no memory is taken: what is read instead may have to live on."""
    item = ITEMSIZE[y.dtype]
    work, saved, longer = 0.0, item * y.size, {}
    for group, lines, inputs in copies:
        work += sum(line.op.flops(line) for line in lines)
        saved += item * y.size - sum(nbytes(t) for t in inputs)
        start = groups.schedule.position(group.nodes[-1])
        longer.update(
            (id(t), nbytes(t))
            for t in inputs
            if t.source is None and _last_read(groups, t, readers) < start
        )
    return work < saved and sum(longer.values()) <= item * y.size


def _last_read(groups: Groups, tensor: Tensor, readers: Readers) -> float:
    """The position of the last node that reads a tensor; infinity for a result of the program."""
    position = groups.schedule.position
    users = groups.schedule.used_by(tensor)
    if None in users:
        return float("inf")
    ends = [position(group.nodes[-1]) for group in readers.get(id(tensor), ())]
    return max([*ends, *map(position, users)], default=-1)


def _put(group: Group, y: Tensor, lines: list[Node], inputs: list[Tensor]) -> None:
    """Adds the lines that compute `y` to a group that has read it."""
    del group.inputs[id(y)]
    group.read(inputs)
    group.copies += lines
