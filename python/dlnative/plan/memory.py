"""The memory plan: where in one arena every tensor of a schedule lives.

Tensors whose lifetimes do not overlap share memory. Placement is greedy by size: the largest first,
each at the lowest offset that is free for its whole lifetime (Pisarchyk and Lee, 2020, "Efficient
memory management for deep neural net inference", greedy by size). The parts of a flat tensor lie
side by side, but each lives from when it is first written: where the gradient of an early layer
will be, activations of late ones lie before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..graph.table import nbytes
from ..placement import ALIGNMENT
from .flatten import FlatTensor

if TYPE_CHECKING:
    from ..graph.tensor import Node, Tensor
    from .schedule import Schedule

# {id of a tensor: (storage, byte offset within it)}
Places: TypeAlias = "dict[int, tuple[Storage, int]]"


class Storage:
    """A piece of the arena that one or several tensors live in."""

    __slots__ = ("bytes", "end", "name", "offset", "pinned", "start", "tensors")

    def __init__(self, size: int, name: str) -> None:
        self.bytes = -(-size // ALIGNMENT) * ALIGNMENT
        # Index of the node that first writes it, -1 for a feed; None before it is known.
        self.start: Any = None
        self.end = -1  # index of the node that last reads it
        self.offset = 0
        self.name = name
        self.tensors: list[Tensor] = []
        self.pinned = False  # part of a flat tensor; nothing else may move in


class MemoryPlan:
    """Where everything is.

    Attributes:
        bytes: Size of the arena.
        storages: The pieces, the largest first, parts of a flat tensor side by side.
        places: {id of a tensor: (storage, byte offset within it)}.
        workspaces: {id of a node: the storage that is its workspace}.
    """

    def __init__(
        self, storages: list[Storage], places: Places, workspaces: dict[int, Storage]
    ) -> None:
        self.storages = storages
        self.places = places
        self.workspaces = workspaces
        self.bytes = max((s.offset + s.bytes for s in storages), default=0)

    def offset(self, tensor: Tensor) -> int:
        """Where a tensor lies, in bytes from the begin of the arena."""
        storage, within = self.places[id(tensor)]
        return storage.offset + within

    def workspace(self, node: Node) -> tuple[int, int]:
        """(offset, bytes) of a node's workspace; (0, 0) where it has none."""
        storage = self.workspaces.get(id(node))
        return (0, 0) if storage is None else (storage.offset, storage.bytes)

    def rows(self) -> list[tuple[str, int, int, int, int]]:
        """(name, bytes, offset, first node, last node) per piece."""
        return [(s.name, s.bytes, s.offset, s.start, s.end) for s in self.storages]


def plan_memory(
    schedule: Schedule,
    feeds: Sequence[Tensor],
    workspace_bytes: Callable[[Node, Places], int] | None = None,
) -> MemoryPlan:
    """Places the feeds, every tensor that the schedule computes, and what its nodes need besides.

    Args:
        schedule: A Schedule; leaves with a source (variables, constants) are not in the arena.
        feeds: The feed tensors.
        workspace_bytes: None, or a function (node, places) that says how much memory a node needs
            while it runs, when its tensors have their `places`.

    Returns:
        A MemoryPlan. Its `bytes` are what the program allocates.
    """
    places = {}
    workspaces = {}
    groups = []  # of storages that lie side by side
    parts_of = {}  # {id of a flat tensor: its group}

    def new_storage(tensor: Tensor, size: int, name: str) -> Storage:
        storage = Storage(size, name)
        places[id(tensor)] = (storage, 0)
        storage.tensors.append(tensor)
        return storage

    def new_group(flat: FlatTensor) -> None:
        item = nbytes(flat) // flat.size
        parts, offsets = zip(*sorted(flat.parts, key=lambda part: part[1]), strict=True)
        sizes = [(b - a) * item for a, b in zip(offsets, (*offsets[1:], flat.size), strict=True)]
        if len({*map(id, parts)}) < len(parts) or any(id(t) in places for t in parts):
            raise RuntimeError(f"plan: a part of the flat tensor {flat.name!r} has another place")
        group = [new_storage(t, n, str(flat.name)) for t, n in zip(parts, sizes, strict=True)]
        for storage in group:
            storage.pinned = True
        places[id(flat)] = (group[0], 0)
        parts_of[id(flat)] = group
        groups.append(group)

    last_use = _last_uses(schedule)
    for node in schedule.nodes:
        for t in node.inputs:
            if isinstance(t, FlatTensor):
                new_group(t)
    for feed in feeds:
        groups.append([new_storage(feed, nbytes(feed), feed.name or "feed")])
        groups[-1][0].start = -1
    for i, node in enumerate(schedule.nodes):
        for k, out in enumerate(node.outputs):
            if out.source is not None or id(out) in schedule.homes:
                continue
            source = _aliased(node, k, i, places, last_use, schedule)
            name = name_of(node)
            if id(out) in places:
                places[id(out)][0].name = name
            elif source is not None:
                places[id(out)] = places[id(source)]
                places[id(out)][0].tensors.append(out)
            else:
                groups.append([new_storage(out, nbytes(out), name)])
            storage = places[id(out)][0]
            storage.start = i if storage.start is None else min(storage.start, i)
            storage.end = max(storage.end, i, last_use.get(id(out), i))
        size = workspace_bytes(node, places) if workspace_bytes else 0
        if size:
            storage = workspaces[id(node)] = Storage(size, f"{name_of(node)} (workspace)")
            storage.start = storage.end = i
            groups.append([storage])
        for t in (*node.inputs, schedule.conditions.get(id(node))):
            if t is not None and id(t) in places:
                for storage in parts_of.get(id(t), [places[id(t)][0]]):
                    storage.end = max(storage.end, i)
    for t in schedule.outputs:
        if id(t) in places:
            places[id(t)][0].end = len(schedule.nodes)
    return MemoryPlan(_place(groups), places, workspaces)


def name_of(node: Node) -> str:
    """What the pieces of a node are called in tables."""
    return f"{node.scope or ''}:{node.op.name}"


def _last_uses(schedule: Schedule) -> dict[int, int]:
    last = {}
    for i, node in enumerate(schedule.nodes):
        for t in (*node.inputs, schedule.conditions.get(id(node))):
            if t is not None:
                last[id(t)] = i
    for t in schedule.outputs:
        last[id(t)] = len(schedule.nodes)
    return last


def _aliased(
    node: Node, k: int, i: int, places: Places, last_use: dict[int, int], schedule: Schedule
) -> Tensor | None:
    """The input whose memory output k takes over, or None."""
    if node.op.view:
        source = node.inputs[0]
        return source if id(source) in places else None
    return next(
        (
            node.inputs[index]
            for index in node.op.overwrites(node, k)
            if _may_take_over(node, k, index, i, places, last_use)
        ),
        None,
    )


def _may_take_over(
    node: Node, k: int, index: int, i: int, places: Places, last_use: dict[int, int]
) -> bool:
    """Whether output k of node i may lie where its input `index` lies."""
    source = node.inputs[index] if index < len(node.inputs) else None
    if source is None or id(source) not in places:
        return False
    storage, within = places[id(source)]
    output = node.outputs[k]
    # Element by element: (4, 1) of int32 has the bytes of (4, 4) of bool, but not its elements.
    alike = source.size == output.size and nbytes(source) == nbytes(output)
    if storage.pinned or within != 0 or not alike:
        return False
    # Everything that lives in that storage must be dead after this node, and be read here once.
    if any(last_use.get(id(t), -1) > i for t in storage.tensors):
        return False
    if any(t is other for t in storage.tensors for other in node.outputs):
        return False
    others = [t for j, t in enumerate(node.inputs) if j != index and t is not None]
    return not any(id(t) in places and places[id(t)][0] is storage for t in others)


def _place(groups: list[list[Storage]]) -> list[Storage]:
    """Gives every piece its offset, the largest group first; returns the pieces in this order."""
    groups.sort(key=lambda group: -sum(s.bytes for s in group))
    storages = [s for group in groups for s in group]
    for s in storages:
        if s.start is None:  # nothing in it is computed
            s.start = s.end
    starts, ends, sizes = (
        np.array([getattr(s, name) for s in storages], np.int64)
        for name in ("start", "end", "bytes")
    )
    offsets = np.zeros_like(sizes)
    placed = 0
    for group in groups:
        first, last = min(s.start for s in group), max(s.end for s in group)
        size = sum(s.bytes for s in group)
        # Pieces that live at the same time, by offset, and how far those up to each one reach.
        alive = ((starts[:placed] <= last) & (ends[:placed] >= first)).nonzero()[0]
        at = 0
        if alive.size:
            begins = offsets[alive]
            order = begins.argsort(kind="stable")
            reach = np.maximum.accumulate((begins + sizes[alive])[order])
            free = begins[order]
            free[1:] -= reach[:-1]
            gap = (free >= size).argmax()
            if free[gap] < size:
                at = reach[-1]
            elif gap:
                at = reach[gap - 1]
        for s in group:
            offsets[placed] = at
            at += s.bytes
            placed += 1
    for s, offset in zip(storages, offsets, strict=True):
        s.offset = int(offset)
    return storages
