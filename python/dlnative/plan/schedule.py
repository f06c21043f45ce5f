"""The nodes of a program in the order of computation, and who makes and uses what."""

from __future__ import annotations

from ..graph.table import table
from ..graph.tensor import Node, is_variable


class Schedule:
    """Nodes that may be replaced by others. Tensors are shared with the graph.

    Every change keeps the account of makers and users, so that a fusion costs the same in a long
    program as in a short one.
    """

    def __init__(self, nodes, outputs):
        self.outputs = list(outputs)
        self._slots = list(nodes)  # None where a node was dropped
        self._positions = {id(node): i for i, node in enumerate(self._slots)}
        self._producers = {id(t): node for node in self._slots for t in node.outputs}
        self._users = {}
        for node in self._slots:
            self._note_uses(node)
        for t in self.outputs:  # a result of the program counts as a use by None
            self._users.setdefault(id(t), []).append(None)

    @property
    def nodes(self):
        """The nodes as they are now."""
        return [node for node in self._slots if node is not None]

    def each(self, *names):
        """The nodes of ops with these names, skipping what a change on the way has dropped."""
        for node in self.nodes:
            if node.op.name in names and id(node) in self._positions:
                yield node

    def written_variables(self):
        """The variables that the nodes overwrite, each once."""
        sources = [
            node.inputs[i].source
            for node in self.nodes
            for i in node.op.writes
            if i < len(node.inputs) and node.inputs[i] is not None
        ]
        return list({id(s): s for s in sources if is_variable(s)}.values())

    def position(self, node):
        """A number that is larger for nodes that come later."""
        return self._positions[id(node)]

    def producer(self, tensor):
        """The node that computes `tensor`, or None."""
        return self._producers.get(id(tensor))

    def used_by(self, tensor):
        """The nodes that use `tensor`, once per use."""
        return self._users.get(id(tensor), [])

    def only_user(self, tensor):
        """The one node that uses `tensor`, or None."""
        users = self.used_by(tensor)
        return users[0] if len(users) == 1 else None

    def replace(self, merged, dropped, at):
        """Puts node `merged` in the place of node `at` and removes the nodes `dropped`."""
        index = self._positions[id(at)]
        for node in (at, *dropped):
            self._slots[self._positions.pop(id(node))] = None
            for t in node.inputs:
                if t is not None:
                    self._users[id(t)].remove(node)
            for t in node.outputs:
                self._producers.pop(id(t), None)
        self._slots[index] = merged
        self._positions[id(merged)] = index
        self._producers.update((id(t), merged) for t in merged.outputs)
        self._note_uses(merged)

    def sort(self):
        """Restores the order of computation: a node waits for its inputs, and no longer than that.

        What reads and what overwrites the same state keep their order.
        """
        missing = {id(t) for node in self.nodes for t in node.outputs}
        waiting, ordered = [], []

        def ready(node, before):
            if any(id(t) in missing for t in node.inputs if t is not None):
                return False
            return not any(_share_state(node, other) for other in before)

        def emit(node):
            ordered.append(node)
            missing.difference_update(id(t) for t in node.outputs)

        for node in self.nodes:
            if not ready(node, waiting):
                waiting.append(node)
                continue
            emit(node)
            i = 0
            while i < len(waiting):
                if ready(waiting[i], waiting[:i]):
                    emit(waiting.pop(i))
                    i = 0
                else:
                    i += 1
        self._slots = ordered + waiting
        self._positions = {id(node): i for i, node in enumerate(self._slots)}

    def move_last(self, nodes):
        """Puts `nodes`, whose results nothing else needs, behind all others in their order."""
        moved = {id(node) for node in nodes}
        rest = [node for node in self.nodes if id(node) not in moved]
        self._slots = rest + list(nodes)
        self._positions = {id(node): i for i, node in enumerate(self._slots)}

    def _note_uses(self, node):
        for t in node.inputs:
            if t is not None:
                self._users.setdefault(id(t), []).append(node)


def _share_state(a, b):
    """Whether one of two nodes overwrites what the other reads or overwrites."""
    return _overwrites(a, b) or _overwrites(b, a)


def _overwrites(a, b):
    written = [a.inputs[i] for i in a.op.writes if i < len(a.inputs) and a.inputs[i] is not None]
    return any(t is w for w in written if is_variable(w.source) for t in b.inputs)


def live_nodes(nodes, outputs):
    """The nodes whose results are needed: for `outputs`, or because they write state."""
    needed = {id(t) for t in outputs}
    live = []
    for node in reversed(nodes):
        if node.op.writes or any(id(t) in needed for t in node.outputs):
            live.append(node)
            needed.update(id(t) for t in node.inputs if t is not None)
    return live[::-1]


def merged_node(name, inputs, outputs, attributes, scope):
    """A node of op `name` whose outputs are tensors that other nodes computed before."""
    node = Node(table[name], tuple(inputs), attributes, scope)
    node.outputs = tuple(outputs)
    return node
