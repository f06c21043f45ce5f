"""Workspace: the memory in which a native instruction keeps what it computes in between."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..graph.table import Op


@functools.cache
def _ops() -> frozenset[str]:
    from .. import _core

    return frozenset(_core.op_names_with_workspace())


def needs_workspace(op: Op) -> bool:
    """Whether the native instruction of a row may need memory beside its inputs and outputs."""
    return op.name in _ops()


def workspace_bytes(node, places, array_of, constants):
    """What the instruction of a node needs, with the number of threads that is set.

    Args:
        node: A node of the schedule.
        places: {id of a tensor: (storage, byte offset within it)} of its tensors in the arena.
        array_of: Function from any other tensor to the array in which it lies.
        constants: Indices of the inputs that the program does not write.
    """
    from .. import _core

    numbers: dict[int, int] = {}

    def buffer(tensor):
        if tensor is None:
            return None
        if id(tensor) not in places:
            return array_of(tensor)
        storage, within = places[id(tensor)]
        # Where a piece will lie is not known yet; only which tensors share one matters.
        number = numbers.setdefault(id(storage), len(numbers) << 40)
        return number + within, tensor.dtype, tensor.shape

    return _core.workspace_bytes(
        node.op.name,
        [buffer(t) for t in node.inputs],
        [buffer(t) for t in node.outputs],
        node.op.native_attributes(node.inputs, node.attributes),
        constants,
    )
