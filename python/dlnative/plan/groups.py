"""Groups of elementwise nodes, and of reductions of what they give, that can be one loop each.

A group grows along the order of the nodes. A node may join the group of one of its inputs where
nothing that it needs waits for that group, so that the group can run as a whole: of every group it
is known which other groups it waits for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from ..graph.ops.loop import ALL, COLUMN, FULL, LAST, LEADING, ROW, SCALAR
from ..graph.tensor import Node, Tensor
from .schedule import Schedule

MAX_LINES, MAX_INPUTS, MAX_OUTPUTS = 64, 32, 16


def may_be_line(node: Node) -> bool:
    """Whether a node is an elementwise function that loops have."""
    return node.op.line(node.attributes) is not None and node.outputs[0].size > 0


class Group:
    """Nodes that will be one loop.

    Attributes:
        shape: Of the domain.
        cols: Its last axes, as far as some input or reduction decides them; None before.
        nodes: The elementwise nodes, in order.
        copies: Nodes of other groups that this one computes again for itself, before its own.
        reductions: {id of a node: (node, "sum:all" ...)}.
        inputs: {id of a tensor: (tensor, access)}.
    """

    def __init__(self, number: int, shape: tuple[int, ...], condition: Tensor | None) -> None:
        self.number = number
        self.shape = shape
        self.condition = condition
        self.size = math.prod(shape)
        self.cols: int | None = None
        self.nodes: list[Node] = []
        self.copies: list[Node] = []
        self.reductions: dict[int, tuple[Node, str]] = {}
        self.inputs: dict[int, tuple[Tensor, int]] = {}
        self.waits = 0  # bits of the groups that it waits for

    def cols_with(self, tensors: Iterable[Tensor]) -> tuple[int | None, list[int]] | None:
        """What `cols` becomes when the group reads tensors, and the access of each; or None."""
        cols, accesses = self.cols, []
        for t in tensors:
            found = _access(t.shape, self.shape)
            if found is None:
                return None
            access, wanted = found
            if wanted is not None:
                if cols not in (None, wanted):
                    return None
                cols = wanted
            accesses.append(access)
        return cols, accesses

    def read(self, tensors: Sequence[Tensor]) -> None:
        """Adds inputs that `cols_with` has an answer for."""
        found = self.cols_with(tensors)
        if found is None:
            raise RuntimeError("plan: a loop cannot read what it needs")
        self.cols = found[0]
        self.inputs.update((id(t), (t, access)) for t, access in zip(tensors, found[1]))


def _access(shape: Sequence[int], domain: Sequence[int]) -> tuple[int, int | None] | None:
    """(access, number of columns that it asks for or None) of an input; None: there is none."""
    if len(shape) < len(domain) and math.prod(domain) == 1:
        return SCALAR, None  # also where the loop becomes a part of a larger one
    shape = (1,) * (len(domain) - len(shape)) + tuple(shape)
    kept = [n != 1 for n in shape]
    given = [i for i, n in enumerate(domain) if n != 1]
    there = [i for i in given if kept[i]]
    if len(there) == len(given):
        return FULL, None
    if not there:
        return SCALAR, None
    if there == given[-len(there) :]:
        return ROW, math.prod(domain[i] for i in there)
    if there == given[: len(there)]:
        return COLUMN, math.prod(domain) // math.prod(domain[i] for i in there)
    return None


class Groups:
    """The groups so far, and which of them each node waits for."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        # Number -> Group; several numbers after groups were joined.
        self.groups: dict[int, Group] = {}
        self.group_of: dict[int, Group] = {}  # id of a node -> its Group
        self.sources: dict[int, list[Tensor]] = {}  # id of a node in a group -> what it reads
        self.waits: dict[int, int] = {}  # id of a node outside of all groups -> bits

    def finished(self) -> list[Group]:
        """All groups, each once."""
        return list({id(g): g for g in self.groups.values()}.values())

    def unite_updates(self) -> None:
        """Joins groups that read the same arrays and only compute what variables become."""
        reading = {}  # id of a tensor -> groups of updates that read it whole
        for group in self.finished():
            if not self._is_update(group):
                continue
            arrays = [key for key, (_, access) in group.inputs.items() if access == FULL]
            for other in {id(g): g for key in arrays for g in reading.get(key, ())}.values():
                if other.shape == group.shape and other.condition is group.condition:
                    self._unite(other, group)
            home = self.groups[group.number]
            for key in arrays:
                reading.setdefault(key, []).append(home)

    def _is_update(self, group: Group) -> bool:
        members = {id(node) for node in group.nodes}
        return not group.reductions and all(
            user is not None and (id(user) in members or bool(user.op.writes))
            for node in group.nodes
            for user in self.schedule.used_by(node.outputs[0])
        )

    def lines(self) -> list[Node]:
        """The elementwise nodes of all groups, in order."""
        nodes = [node for group in self.finished() for node in group.nodes]
        return sorted(nodes, key=self.schedule.position)

    def is_line(self, node: Node | None) -> bool:
        """Whether a node (or None) is an elementwise one of a group."""
        group = self.group_of.get(id(node))
        return group is not None and id(node) not in group.reductions

    def needed_beside(self, tensor: Tensor) -> bool:
        """Whether anything but groups needs a tensor."""
        return any(user is None or id(user) not in self.group_of for user in self._users(tensor))

    def _users(self, tensor: Tensor) -> Iterator[Node | None]:
        """The users of a tensor, those of what it is spread to in the place of the spreading."""
        for user in self.schedule.used_by(tensor):
            if user is not None and user.op.spreads:
                yield from self._users(user.outputs[0])
            else:
                yield user

    def stored(self) -> list[tuple[Group, list[Node]]]:
        """[(group, its nodes whose results others need)] of all groups."""
        read = {key for group in self.finished() for key in group.inputs}
        return [
            (group, [node for node in group.nodes if self._is_stored(node.outputs[0], read)])
            for group in self.finished()
        ]

    def _is_stored(self, tensor: Tensor, read: set[int]) -> bool:
        return id(tensor) in read or self.needed_beside(tensor)

    def dissolve_large(self) -> None:
        """Gives up groups that have more results than a loop may."""
        for group, nodes in self.stored():
            if len(nodes) + len(group.reductions) > MAX_OUTPUTS:
                for key in (*map(id, group.nodes), *group.reductions):
                    del self.group_of[key]
        self.groups = {n: g for n, g in self.groups.items() if id(g.nodes[0]) in self.group_of}

    def drop_unneeded(self) -> None:
        """Drops lines whose results are needed no longer, with what groups read for them alone."""
        outside: set[int] = set()  # ids of tensors that some group reads, by the lines seen so far
        within: dict[int, set[int]] = {
            id(group): set() for group in self.finished()
        }  # what its lines need of its own
        for group, line, own in self._bodies_backwards():
            y, needed = line.outputs[0], within[id(group)]
            wanted = id(y) in needed
            if own and not wanted:
                reduced = any(node.inputs[0] is y for node, _ in group.reductions.values())
                wanted = reduced or id(y) in outside or self.needed_beside(y)
            if wanted:
                for t in self.sources[id(line)]:
                    (outside if id(t) in group.inputs else needed).add(id(t))
            elif own:
                group.nodes.remove(line)
                self.schedule.drop(line)
            else:
                group.copies.remove(line)
        self.groups = {number: group for number, group in self.groups.items() if group.nodes}
        for group in self.finished():
            used = {id(t) for line in (*group.copies, *group.nodes) for t in self.sources[id(line)]}
            group.inputs = {key: found for key, found in group.inputs.items() if key in used}

    def _bodies_backwards(self) -> list[tuple[Group, Node, bool]]:
        """(group, line, whether it is not a copy), every line behind those that may read it."""
        lines = [
            (group, line, own)
            for group in self.finished()
            for body, own in ((group.copies, False), (group.nodes, True))
            for line in body
        ]
        return sorted(lines, key=lambda entry: -self.schedule.position(entry[1]))

    def pass_by(self, node: Node) -> None:
        """Notes a node that is in no group."""
        bits = 0
        for t in node.inputs:
            if t is not None:
                bits |= self._bits(t)
        self.waits[id(node)] = bits

    def _bits(self, tensor: Tensor) -> int:
        """The groups that must have run before a tensor is there."""
        node = self.schedule.producer(tensor)
        if node is None:
            return 0
        group = self.group_of.get(id(node))
        return self.waits[id(node)] if group is None else 1 << group.number

    def _closure(self, bits: int) -> int:
        """These groups and all that they wait for; numbers of joined groups as the first."""
        found, new = 0, bits
        while new:
            number = new.bit_length() - 1
            new &= ~(1 << number)
            group = self.groups[number]
            if not found >> group.number & 1:
                found |= 1 << group.number
                new |= group.waits & ~found
        return found

    def add(self, node: Node, condition: Tensor | None) -> None:
        """Puts an elementwise node into a group that it may join or a new one, or passes it by."""
        shape = node.outputs[0].shape
        sources = [unspread(self.schedule, t) for t in node.inputs]
        candidates = []
        for t in sources:
            producer = self.schedule.producer(t)
            group = None if producer is None else self.group_of.get(id(producer))
            if (
                group is not None
                and group not in candidates
                and id(producer) not in group.reductions
                and group.shape == shape
                and group.condition is condition
            ):
                candidates.append(group)
        best = next((g for g in candidates if self._joins(g, node, sources)), None)
        for group in candidates:
            if best is not None and group is not best:
                self._unite(best, group, sources)
        if best is None:
            number = len(self.groups)
            best = Group(number, shape, condition)
            if best.cols_with(sources) is None:
                self.pass_by(node)
                return
            self.groups[number] = best
        self._put(best, node, sources)

    def _outside(self, group: Group, tensors: Iterable[Tensor]) -> list[Tensor]:
        return [t for t in tensors if self.group_of.get(id(self.schedule.producer(t))) is not group]

    def _joins(self, group: Group, node: Node, sources: Sequence[Tensor]) -> bool:
        outside = self._outside(group, sources)
        if len(group.nodes) >= MAX_LINES or group.cols_with(outside) is None:
            return False
        new = [t for t in outside if id(t) not in group.inputs]
        if len(group.inputs) + len({id(t) for t in new}) > MAX_INPUTS:
            return False
        if any(self._is_reduction_of(group, t) for t in sources):
            return False
        bits = 0
        for t in outside:
            bits |= self._bits(t)
        return not self._closure(bits) >> group.number & 1

    def _is_reduction_of(self, group: Group, tensor: Tensor) -> bool:
        return id(self.schedule.producer(tensor)) in group.reductions

    def _put(self, group: Group, node: Node, sources: list[Tensor]) -> None:
        outside = self._outside(group, sources)
        group.read(outside)
        for t in outside:
            group.waits |= self._bits(t)
        group.nodes.append(node)
        self.group_of[id(node)] = group
        self.sources[id(node)] = sources

    def _unite(self, group: Group, other: Group, sources: Sequence[Tensor] = ()) -> None:
        """Joins two groups, unless one waits for the other; a node with these sources is about to
        join the first of them.
        """
        if group is other or any(self._is_reduction_of(other, t) for t in sources):
            return
        found = group.cols_with(self._outside(group, sources))
        if found is None:
            return
        cols, _ = found
        if cols is not None and other.cols not in (None, cols):
            return
        inputs = {**group.inputs, **other.inputs}
        if len({*inputs, *map(id, sources)}) > MAX_INPUTS:
            return
        if len(group.nodes) + len(other.nodes) >= MAX_LINES:
            return
        of_group, of_other = self._closure(group.waits), self._closure(other.waits)
        if of_group >> other.number & 1 or of_other >> group.number & 1:
            return
        bits = 0
        for t in self._outside(other, self._outside(group, sources)):
            bits |= self._bits(t)
        if self._closure(bits) >> other.number & 1:
            return
        group.cols = other.cols if cols is None else cols
        group.inputs = inputs
        group.waits |= other.waits
        order = self.schedule.position
        group.nodes = sorted(group.nodes + other.nodes, key=order)
        group.reductions.update(other.reductions)
        for node in (*other.nodes, *(node for node, _ in other.reductions.values())):
            self.group_of[id(node)] = group
        for number, known in list(self.groups.items()):
            if known is other:
                self.groups[number] = group

    def add_reduction(self, node: Node, condition: Tensor | None) -> None:
        """Puts a reduction at the end of the group that computes its input, where it can stand."""
        producer = self.schedule.producer(node.inputs[0])
        group = None if producer is None else self.group_of.get(id(producer))
        if group is None or id(producer) in group.reductions or group.condition is not condition:
            self.pass_by(node)
            return
        found = _reduced(node, group.shape)
        if found is None or (found[1] is not None and group.cols not in (None, found[1])):
            self.pass_by(node)
            return
        word, cols = found
        group.cols = cols if group.cols is None else group.cols
        group.reductions[id(node)] = node, f"{node.op.name}:{word}"
        self.group_of[id(node)] = group


def _reduced(node: Node, shape: Sequence[int]) -> tuple[str, int | None] | None:
    """(which axes of the domain, the number of columns that it asks for), or None."""
    axis = node.attributes.get("axis")
    axes = (axis,) if isinstance(axis, int) else axis
    rank = len(shape)
    given = [i for i, n in enumerate(shape) if n != 1]
    gone = given if axes is None else [i for i in given if i in {a % rank for a in axes}]
    if len(gone) == len(given):
        return ALL, None
    if not gone:
        return None
    if gone == given[-len(gone) :]:
        return LAST, math.prod(shape[i] for i in gone)
    if gone == given[: len(gone)]:
        return LEADING, math.prod(shape) // math.prod(shape[i] for i in gone)
    return None


def unspread(schedule: Schedule, tensor: Tensor) -> Tensor:
    """What a tensor was spread from by `broadcast_to`; itself where it was not."""
    producer = schedule.producer(tensor)
    while producer is not None and producer.op.spreads:
        tensor = producer.inputs[0]
        producer = schedule.producer(tensor)
    return tensor
