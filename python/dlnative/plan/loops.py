"""Fused loops: connected elementwise nodes, and reductions of what they give, as one instruction.

A group grows along the order of the nodes. A node may join the group of one of its inputs where
nothing that it needs waits for that group, so that the group can run as a whole: of every group it
is known which other groups it waits for.
"""

from __future__ import annotations

import math

from ..graph.ops.loop import ALL, COLUMN, FULL, LAST, LEADING, LOOP, ROW, SCALAR
from .assign import needed_only_where
from .schedule import merged_node

MAX_LINES, MAX_INPUTS, MAX_OUTPUTS = 64, 32, 16


def fuse_loops(schedule):
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
    for group in groups.finished():
        _merge(schedule, group)


_SUMMED = ("float32", "float64")


def has_loops(schedule):
    """Whether an elementwise node takes what another one gives."""
    given = {id(t) for node in schedule.nodes if may_be_line(node) for t in node.outputs}
    return any(
        may_be_line(node) or node.op.reduction
        for node in schedule.nodes
        for t in node.inputs
        if id(t) in given or (t is not None and id(_unspread(schedule, t)) in given)
    )


def may_be_line(node):
    """Whether a node is an elementwise function that loops have."""
    return node.op.line(node.attributes) is not None and node.outputs[0].size > 0


class Group:
    """Nodes that will be one loop.

    Attributes:
        shape: Of the domain.
        cols: Its last axes, as far as some input or reduction decides them; None before.
        nodes: The elementwise nodes, in order.
        reductions: {id of a node: (node, "sum:all" ...)}.
        inputs: {id of a tensor: (tensor, access)}.
    """

    def __init__(self, number, shape, condition):
        self.number = number
        self.shape = shape
        self.condition = condition
        self.size = math.prod(shape)
        self.cols = None
        self.nodes = []
        self.reductions = {}
        self.inputs = {}
        self.waits = 0  # bits of the groups that it waits for

    def cols_with(self, tensors):
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


def _access(shape, domain):
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

    def __init__(self, schedule):
        self.schedule = schedule
        self.groups = {}  # number -> Group; several numbers after groups were joined
        self.group_of = {}  # id of a node -> its Group
        self.waits = {}  # id of a node outside of all groups -> bits

    def finished(self):
        return list({id(g): g for g in self.groups.values()}.values())

    def unite_updates(self):
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

    def _is_update(self, group):
        members = {id(node) for node in group.nodes}
        return not group.reductions and all(
            user is not None and (id(user) in members or bool(user.op.writes))
            for node in group.nodes
            for user in self.schedule.used_by(node.outputs[0])
        )

    def pass_by(self, node):
        """Notes a node that is in no group."""
        bits = 0
        for t in node.inputs:
            if t is not None:
                bits |= self._bits(t)
        self.waits[id(node)] = bits

    def _bits(self, tensor):
        """The groups that must have run before a tensor is there."""
        node = self.schedule.producer(tensor)
        if node is None:
            return 0
        group = self.group_of.get(id(node))
        return self.waits[id(node)] if group is None else 1 << group.number

    def _closure(self, bits):
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

    def _sources(self, node):
        """The inputs of a node, those that are only spread by what they were made from."""
        return [_unspread(self.schedule, t) for t in node.inputs]

    def add(self, node, condition):
        shape = node.outputs[0].shape
        sources = self._sources(node)
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

    def _outside(self, group, tensors):
        return [t for t in tensors if self.group_of.get(id(self.schedule.producer(t))) is not group]

    def _joins(self, group, node, sources):
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

    def _is_reduction_of(self, group, tensor):
        return id(self.schedule.producer(tensor)) in group.reductions

    def _put(self, group, node, sources):
        outside = self._outside(group, sources)
        group.cols, accesses = group.cols_with(outside)
        for t, access in zip(outside, accesses, strict=True):
            group.inputs[id(t)] = t, access
            group.waits |= self._bits(t)
        group.nodes.append(node)
        self.group_of[id(node)] = group

    def _unite(self, group, other, sources=()):
        """Joins two groups, unless one waits for the other; a node with these sources is about to
        join the first of them.
        """
        if group is other:
            return
        cols, _ = group.cols_with(self._outside(group, sources))
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

    def add_reduction(self, node, condition):
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


def _reduced(node, shape):
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


def _unspread(schedule, tensor):
    """What a tensor was spread from by `broadcast_to`; itself where it was not."""
    producer = schedule.producer(tensor)
    while producer is not None and producer.op.spreads:
        tensor = producer.inputs[0]
        producer = schedule.producer(tensor)
    return tensor


def _merge(schedule, group):
    """Puts one loop in the place of a group's nodes."""
    reductions = list(group.reductions.values())
    if len(group.nodes) + len(reductions) < 2:
        return
    lines = {id(node.outputs[0]): k for k, node in enumerate(group.nodes)}
    inputs = {key: i for i, key in enumerate(group.inputs)}

    def operand(t):
        t = _unspread(schedule, t)
        return -(lines[id(t)] + 1) if id(t) in lines else inputs[id(t)]

    members = {id(node) for node in group.nodes} | set(group.reductions)
    outputs, stores, words = [], [], []
    for k, node in enumerate(group.nodes):
        (y,) = node.outputs
        if any(user is None or id(user) not in members for user in _users(schedule, y)):
            outputs.append(y)
            stores.append(k)
            words.append("none")
    for node, word in reductions:
        outputs.append(node.outputs[0])
        stores.append(lines[id(node.inputs[0])])
        words.append(word)
    if len(outputs) > MAX_OUTPUTS:
        return
    cols = group.size if group.cols is None else group.cols
    attributes = {
        "rows": group.size // cols,
        "cols": cols,
        "access": tuple(access for _, access in group.inputs.values()),
        "maps": " ".join(node.op.line(node.attributes) for node in group.nodes),
        "dtypes": " ".join(node.inputs[-1].dtype for node in group.nodes),
        "results": " ".join(node.outputs[0].dtype for node in group.nodes),
        "operands": tuple(operand(t) for node in group.nodes for t in node.inputs),
        "stores": tuple(stores),
        "reductions": " ".join(words),
    }
    scopes = dict.fromkeys(node.scope for node in group.nodes if node.scope)
    merged = merged_node(
        LOOP,
        [t for t, _ in group.inputs.values()],
        outputs,
        attributes,
        next(iter(scopes), None),
    )
    nodes = [*group.nodes, *(node for node, _ in reductions)]
    spread = [schedule.producer(t) for node in nodes for t in node.inputs]
    schedule.replace(merged, nodes[:-1], at=nodes[-1])
    for node in {id(n): n for n in spread if n is not None and n.op.spreads}.values():
        _drop_unused(schedule, node)


def _users(schedule, tensor):
    """The users of a tensor, those of what it is spread to in the place of the spreading node."""
    for user in schedule.used_by(tensor):
        if user is not None and user.op.spreads:
            yield from _users(schedule, user.outputs[0])
            if None in schedule.used_by(user.outputs[0]):
                yield None
        else:
            yield user


def _drop_unused(schedule, node):
    if schedule.holds(node) and not schedule.used_by(node.outputs[0]):
        source = schedule.producer(node.inputs[0])
        schedule.drop(node)
        if source is not None and source.op.spreads:
            _drop_unused(schedule, source)
