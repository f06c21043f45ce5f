"""Workspace: the memory in which a native instruction keeps what it computes in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ..graph.tensor import Node, Tensor


def workspace_bytes(
    node: Node,
    places: dict[int, tuple[Any, int]],
    source_of: Callable[[Tensor], Any],
    constants: list[int],
    known: dict[tuple[Any, ...], int],
) -> int:
    """What the instruction of a node needs, with the number of threads that is set.

    Args:
        node: A node of the schedule.
        places: {id of a tensor: (storage, byte offset within it)} of its tensors in the arena.
        source_of: Function from any other tensor to the variable or array in which it lies.
        constants: Indices of the inputs that the program does not write.
        known: What was asked before in this plan: many layers are alike.
    """
    from .. import _core

    numbers: dict[int, int] = {}

    def buffer(tensor: Tensor | None) -> tuple[int, str, Any] | None:
        if tensor is None:
            return None
        owner, within = places.get(id(tensor)) or (source_of(tensor), 0)
        # Where things will lie is not known yet; only what lies in the same place matters, such as
        # a result in the memory of an operand, which an optimizer's flat buffers are views of.
        is_view = isinstance(owner, np.ndarray)
        place = owner.__array_interface__["data"][0] if is_view else id(owner)
        number = numbers.setdefault(place, len(numbers) << 40)
        return number + within, tensor.dtype, tensor.shape

    inputs = tuple([buffer(t) for t in node.inputs])
    outputs = tuple([buffer(t) for t in node.outputs])
    attributes = node.op.native_attributes(node.inputs, node.attributes)
    key = node.op.name, inputs, outputs, repr(attributes), tuple(constants)
    if key not in known:
        known[key] = _core.workspace_bytes(node.op.name, inputs, outputs, attributes, constants)
    return known[key]
