"""The nodes of a program in the order of computation; producers and consumers of each tensor."""

from __future__ import annotations

from ..graph.tensor import Node, is_variable


class Schedule:
    """Nodes that may be replaced by others. Tensors are shared with the graph.

    Every change keeps the account of producers and users, so that a fusion costs the same in a long
    program as in a short one. Which of the first nodes each node stands for is kept, too: so
    `check_state_order` can prove that state is still read and written in the order of the graph.
    """

    def __init__(self, nodes, outputs):
        self.outputs = list(outputs)
        self._slots = list(nodes)  # None where a node was dropped
        self._first = list(nodes)
        self._origins: dict[int, tuple[int, ...]] = {
            id(node): (i,) for i, node in enumerate(self._first)
        }
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

    def each(self, wanted):
        """The nodes whose rows are `wanted(op)`, skipping what a change on the way has dropped."""
        for node in self.nodes:
            if wanted(node.op) and id(node) in self._positions:
                yield node

    def that_take(self, word):
        """`each` of the ops with this word in their epilogue."""
        return self.each(lambda op: word in op.epilogue)

    def that_are(self, word):
        """`each` of the ops with this role in fusion."""
        return self.each(lambda op: op.fusion == word)

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
        replaced = {id(node) for node in (at, *dropped)}
        self._origins[id(merged)] = tuple(
            sorted(i for node in replaced for i in self._origins.pop(node))
        )
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
        """Puts `nodes` behind all others, in their order, and with them what must follow them.

        That is what uses their results, and what reads or writes the state that they write or
        writes what they read.
        """
        wanted = {id(node) for node in nodes}
        first, last = [], []
        results, read, written = set(), set(), set()  # of the nodes in `last`
        for node in self.nodes:
            reads, writes = state_access(node)
            if (
                id(node) in wanted
                or not results.isdisjoint(id(t) for t in node.inputs)
                or not written.isdisjoint(reads)
                or not read.isdisjoint(writes)
            ):
                last.append(node)
                results.update(id(t) for t in node.outputs)
                read |= reads
                written |= writes
            else:
                first.append(node)
        self._slots = first + last
        self._positions = {id(node): i for i, node in enumerate(self._slots)}

    def check_state_order(self):
        """Proves that every node reads and writes each variable in its version in the graph.

        A version of a variable is the number of writes to it so far. A fused node reads and writes
        what the nodes that it stands for did.

        Raises:
            RuntimeError: A pass has moved a read or a write past a write of the same variable.
        """
        accesses = {i: state_access(node) for i, node in enumerate(self._first)}
        written = frozenset().union(*(writes for _, writes in accesses.values()))
        accesses = {
            i: (reads & written, writes)
            for i, (reads, writes) in accesses.items()
            if not written.isdisjoint(reads)
        }
        order = [i for node in self.nodes for i in self._origins[id(node)] if i in accesses]
        versions, now = _versions(accesses, accesses), _versions(order, accesses)
        missing = [i for i, (_, writes) in accesses.items() if writes and i not in now]
        moved = [i for i in order if now[i] != versions[i]]
        if missing or moved:
            node = self._first[(missing or moved)[0]]
            raise RuntimeError(
                f"plan: {node!r} no longer reads and writes its variables in the order of the graph"
            )

    def _note_uses(self, node):
        for t in node.inputs:
            if t is not None:
                self._users.setdefault(id(t), []).append(node)


_NONE: frozenset[int] = frozenset()


def state_access(node):
    """(ids of the leaves of variables that a node reads, ids of those that it writes).

    What it writes it also reads.
    """
    reads = frozenset(
        [id(t) for t in node.inputs if t is not None and t.source is not None and _is_state(t)]
    )
    if not reads or not node.op.writes:
        return reads, _NONE
    written = [node.inputs[i] for i in node.op.writes if i < len(node.inputs)]
    return reads, frozenset([id(t) for t in written if t is not None and _is_state(t)])


def _is_state(tensor):
    return is_variable(tensor.source)


def _versions(order, accesses):
    """{number of a node: versions of the variables that it reads} in a given order."""
    counts: dict[int, int] = {}
    versions = {}
    for i in order:
        reads, writes = accesses[i]
        versions[i] = [counts.get(leaf, 0) for leaf in reads]
        for leaf in writes:
            counts[leaf] = counts.get(leaf, 0) + 1
    return versions


def same_tensors(a, b):
    """Whether two tuples hold the same tensors (or None), each at its place."""
    return len(a) == len(b) and all(t is u for t, u in zip(a, b))


def _share_state(a, b):
    """Whether one of two nodes writes what the other reads or writes."""
    (reads, writes), (others_reads, others_writes) = state_access(a), state_access(b)
    return not (writes.isdisjoint(others_reads) and others_writes.isdisjoint(reads))


def live_nodes(nodes, outputs):
    """The nodes whose results are needed: for `outputs`, or because they write state."""
    needed = {id(t) for t in outputs}
    live = []
    for node in reversed(nodes):
        if node.op.writes or any(id(t) in needed for t in node.outputs):
            live.append(node)
            needed.update(id(t) for t in node.inputs if t is not None)
    return live[::-1]


def merged_node(op, inputs, outputs, attributes, scope):
    """A node of the row `op` whose outputs are tensors that other nodes computed before."""
    node = Node(op, tuple(inputs), attributes, scope)
    node.outputs = tuple(outputs)
    return node
