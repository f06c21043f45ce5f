"""The nodes of a program in the order of computation; producers and consumers of each tensor."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.tensor import Node, Tensor, is_variable

if TYPE_CHECKING:
    from ..graph.table import Op
    from ..graph.types import Attributes
    from ..variables import Variable


class Schedule:
    """Nodes that may be replaced by others. Tensors are shared with the graph.

    Every change keeps the account of producers and users, so that a fusion costs the same in a long
    program as in a short one, and of which variables each node reads and writes, so that
    `check_state` can prove that a step reads its state before it writes it.

    Attributes:
        outputs: The tensors that the program gives.
        homes: {id of a tensor: the leaf of the variable in whose memory it is computed}.
        conditions: {id of a node: the bool scalar without which it is left out}.
    """

    def __init__(self, nodes: Iterable[Node], outputs: Sequence[Tensor]) -> None:
        self.outputs = list(outputs)
        self.homes: dict[int, Tensor] = {}
        self.conditions: dict[int, Tensor] = {}
        self._slots: list[Node | None] = list(nodes)  # None where a node was dropped
        self._positions = {id(node): i for i, node in enumerate(self.nodes)}
        self._producers = {id(t): node for node in self.nodes for t in node.outputs}
        self._ops = {node.op for node in self.nodes}  # of the nodes that there are or were
        self._users: dict[int, list[Node | None]] = {}
        # Id of a node -> (leaves of variables that it reads, that it writes).
        self._access: dict[int, tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = {}
        for node in self.nodes:
            self._note_uses(node)
            self._access[id(node)] = _state_access(node)
        self._written = self._all_written()
        for t in self.outputs:  # a result of the program counts as a use by None
            self._users.setdefault(id(t), []).append(None)

    @property
    def nodes(self) -> list[Node]:
        """The nodes as they are now."""
        return [node for node in self._slots if node is not None]

    def each(self, wanted: Callable[[Op], bool]) -> Iterator[Node]:
        """The nodes whose rows are `wanted(op)`, skipping what a change on the way has dropped."""
        ops = {op for op in self._ops if wanted(op)}
        for node in self.nodes if ops else ():
            if node.op in ops and id(node) in self._positions:
                yield node

    def that_take(self, word: str) -> Iterator[Node]:
        """`each` of the ops with this word in their epilogue."""
        return self.each(lambda op: word in op.epilogue)

    def that_are(self, word: str) -> Iterator[Node]:
        """`each` of the ops with this role in fusion."""
        return self.each(lambda op: op.fusion == word)

    def written_variables(self) -> list[Variable]:
        """The variables that the nodes overwrite, each once."""
        return [leaf.source for leaf in self._all_written().values()]

    def _all_written(self) -> dict[int, Tensor]:
        return {id(t): t for _, writes in self._access.values() for t in writes}

    def commits(self, node: Node) -> bool:
        """Whether a node writes state: such nodes are done when the rest of the step is."""
        return bool(self._access[id(node)][1])

    def holds(self, node: Node) -> bool:
        """Whether a node is one of those there are now."""
        return id(node) in self._positions

    def position(self, node: Node) -> int:
        """A number that is larger for nodes that come later."""
        return self._positions[id(node)]

    def producer(self, tensor: Tensor | None) -> Any:
        """The node that computes `tensor`, or None."""
        return self._producers.get(id(tensor))

    def used_by(self, tensor: Tensor) -> list[Any]:
        """The nodes that use `tensor`, once per use."""
        return self._users.get(id(tensor), [])

    def only_user(self, tensor: Tensor) -> Any:
        """The one node that uses `tensor`, or None."""
        users = self.used_by(tensor)
        return users[0] if len(users) == 1 else None

    def replace(
        self, merged: Node, dropped: Iterable[Node], at: Node, results: Iterable[Tensor] = ()
    ) -> None:
        """Puts node `merged` in the place of node `at` and removes the nodes `dropped`.

        `results` are tensors that it computes as parts of its outputs.
        """
        index = self._positions[id(at)]
        reads, writes, conditions = {}, {}, {}
        for node in (at, *dropped):
            self._slots[self._positions.pop(id(node))] = None
            for t in node.inputs:
                if t is not None:
                    self._users[id(t)].remove(node)
            for t in node.outputs:
                self._producers.pop(id(t), None)
            for leaves, of_node in zip((reads, writes), self._access.pop(id(node)), strict=True):
                leaves.update((id(t), t) for t in of_node)
            condition = self.conditions.pop(id(node), None)
            conditions[id(condition)] = condition
        if len(conditions) > 1:
            raise RuntimeError("plan: nodes with different conditions cannot be merged")
        (condition,) = conditions.values()
        if condition is not None:
            self.conditions[id(merged)] = condition
        self._slots[index] = merged
        self._ops.add(merged.op)
        self._positions[id(merged)] = index
        self._producers.update((id(t), merged) for t in (*merged.outputs, *results))
        reads.update((id(t), t) for t in _state_access(merged)[0])
        self._access[id(merged)] = tuple(reads.values()), tuple(writes.values())
        self._note_uses(merged)

    def drop(self, node: Node) -> None:
        """Removes a node whose results nobody needs."""
        self._slots[self._positions.pop(id(node))] = None
        for t in node.inputs:
            if t is not None:
                self._users[id(t)].remove(node)
        for t in node.outputs:
            self._producers.pop(id(t), None)
        del self._access[id(node)]

    def compute_in(self, leaf: Tensor, tensor: Tensor, assign: Node) -> None:
        """Has `tensor` computed in the memory of the variable that it is assigned to by `assign`.

        From here on its producer is the node that writes the variable.
        """
        producer = self.producer(tensor)
        self.drop(assign)
        self.homes[id(tensor)] = leaf
        reads, writes = self._access[id(producer)]
        self._access[id(producer)] = (*reads, leaf), (*writes, leaf)

    def array_of(self, tensor: Tensor) -> np.ndarray:
        """The array in which a tensor lies that is not in the arena: of a variable or constant."""
        source = self.source_of(tensor)
        return source if isinstance(source, np.ndarray) else source.array

    def source_of(self, tensor: Tensor) -> Any:
        """The variable or the constant in which a tensor lies that is not in the arena."""
        return self.homes.get(id(tensor), tensor).source

    def readers(self, leaf: Tensor) -> list[Node]:
        """The nodes that read the variable of a leaf."""
        return [node for node in self.used_by(leaf) if node is not None]

    def sort(self) -> None:
        """Restores the order of computation: a node waits for its inputs, and no longer than that.

        What writes a variable waits for all that read it.

        Raises:
            RuntimeError: There is no such order.
        """
        nodes = self.nodes
        missing = {id(node): 0 for node in nodes}
        followers = {id(node): [] for node in nodes}

        def after(first: Node, second: Node) -> None:
            if first is not second:
                followers[id(first)].append(second)
                missing[id(second)] += 1

        readers = {}
        for node in nodes:
            for leaf in self._access[id(node)][0]:
                readers.setdefault(id(leaf), []).append(node)
        for node in nodes:
            for t in (*node.inputs, self.conditions.get(id(node))):
                if t is not None and id(t) in self._producers:
                    after(self._producers[id(t)], node)
            for leaf in self._access[id(node)][1]:
                for reader in readers.get(id(leaf), ()):
                    after(reader, node)
        position = {id(node): i for i, node in enumerate(nodes)}
        ready = [i for i, node in enumerate(nodes) if not missing[id(node)]]
        ordered = []
        while ready:
            node = nodes[heapq.heappop(ready)]
            ordered.append(node)
            for follower in followers[id(node)]:
                missing[id(follower)] -= 1
                if not missing[id(follower)]:
                    heapq.heappush(ready, position[id(follower)])
        if len(ordered) < len(nodes):
            raise RuntimeError("plan: nodes wait for each other")
        self._set_order(ordered)

    def _set_order(self, nodes: list[Node]) -> None:
        self._slots = [*nodes]
        self._positions = {id(node): i for i, node in enumerate(nodes)}

    def commits_last(self) -> None:
        """Puts the nodes that write state behind all others: a step is done whole or not at all.

        With them what uses their results, as inputs or as conditions.
        """
        first, last, late = [], [], set()
        for node in self.nodes:
            needed = (*node.inputs, self.conditions.get(id(node)))
            if self.commits(node) or any(id(self.producer(t)) in late for t in needed):
                last.append(node)
                late.add(id(node))
            else:
                first.append(node)
        self._set_order(first + last)

    def check_state(self) -> None:
        """Proves that every variable is read before it is written, and written once.

        And that conditions are known before what they leave out, and nothing is written before all
        that may fail.

        Raises:
            RuntimeError: A pass has lost a write or moved it before a read, or the like.
        """
        last_read, writers = {}, {}
        done, has_written = set(), False
        for i, node in enumerate(self.nodes):
            condition = self.conditions.get(id(node))
            if id(condition) in self._producers and id(condition) not in done:
                raise RuntimeError(f"plan: {node!r} comes before the condition that it has")
            if has_written and node.op.may_fail:
                raise RuntimeError(f"plan: {node!r} may fail, and comes after state was written")
            done.update(id(t) for t in node.outputs)
            reads, writes = self._access[id(node)]
            has_written = has_written or bool(writes)
            last_read.update((id(leaf), i) for leaf in reads)
            for leaf in writes:
                writers.setdefault(id(leaf), []).append(i)
        for leaf in self._written.values():
            at = writers.get(id(leaf), [])
            if len(at) != 1 or last_read.get(id(leaf), -1) > at[0]:
                raise RuntimeError(
                    f"plan: variable '{leaf.source.path}' is no longer read before it is written "
                    "once"
                )

    def _note_uses(self, node: Node) -> None:
        users = self._users
        for t in node.inputs:
            if t is not None:
                users.setdefault(id(t), []).append(node)


def _state_access(node: Node) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """(the leaves of variables that a node reads, those that it writes)."""
    found = [
        (i, t)
        for i, t in enumerate(node.inputs)
        if t is not None and t.source is not None and is_variable(t.source)
    ]
    written = node.op.writes
    reads = tuple([t for i, t in found if i not in written])
    return reads, tuple([t for i, t in found if i in written])


def same_tensors(a: Sequence[Tensor | None], b: Sequence[Tensor | None]) -> bool:
    """Whether two tuples hold the same tensors (or None), each at its place."""
    return len(a) == len(b) and all(t is u for t, u in zip(a, b))


def live_nodes(nodes: Sequence[Node], outputs: Sequence[Tensor]) -> list[Node]:
    """The nodes whose results are needed: for `outputs`, or because they write state."""
    needed = {id(t) for t in outputs}
    live = []
    for node in reversed(nodes):
        if node.op.writes or any(id(t) in needed for t in node.outputs):
            live.append(node)
            needed.update(id(t) for t in node.inputs if t is not None)
    return live[::-1]


def merged_node(
    op: Op,
    inputs: Iterable[Tensor | None],
    outputs: Iterable[Tensor],
    attributes: Attributes,
    scope: str | None,
) -> Node:
    """A node of the row `op` whose outputs are tensors that other nodes computed before."""
    node = Node(op, tuple(inputs), attributes, scope)
    node.outputs = tuple(outputs)
    return node
