"""The graph of layer calls between the inputs and the outputs of a functional model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Tensor
from ..layers import calls, messages
from ..layers.core import Input, InputLayer
from ..utils import nest

if TYPE_CHECKING:
    from ..layers.calls import LayerCall
    from ..layers.layer import Layer


def sort_calls(
    model: Layer, inputs: Sequence[Tensor], outputs: Sequence[Tensor]
) -> tuple[list[LayerCall], list[Layer]]:
    """Layer calls in the order of computation, and layers in Keras's order.

    A layer's depth is the longest way from it to an output; layers come by decreasing depth, and
    those of one depth in the order in which a search from the outputs meets them.

    Raises:
        ValueError: The graph does not connect inputs and outputs, or a name is used twice.
    """
    order, visited = calls.ancestors(outputs)
    given = {id(calls.call_of(t)) for t in inputs}
    used = {id(each) for each in order}
    for each in order:
        if isinstance(each.layer, InputLayer) and id(each) not in given:
            known = [t.name for t in inputs]
            raise ValueError(
                f"{messages.describe(model)}: the outputs also depend on the Input "
                f"'{each.layer.name}', which is not among the inputs {known}. Add it to them."
            )
    for t in inputs:  # those that lead to no output are fed, too
        if id(calls.call_of(t)) not in used:
            order.insert(0, calls.call_of(t))
            visited[id(calls.call_of(t).layer)] = -1  # before the last layers, as in Keras
    call_depth: dict[int, int] = {}
    layer_depth: dict[int, int] = {}
    for each in reversed(order):
        depth = max(call_depth.get(id(each), 0), layer_depth.get(id(each.layer), 0))
        call_depth[id(each)] = layer_depth[id(each.layer)] = depth
        for t in each.inputs:
            before = id(calls.call_of(t))
            call_depth[before] = max(depth + 1, call_depth.get(before, 0))
    layers = list({id(each.layer): each.layer for each in order}.values())
    layers.sort(key=lambda layer: (-layer_depth[id(layer)], visited[id(layer)]))
    names = [layer.name for layer in layers]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(
            f"{messages.describe(model)}: the name '{twice[0]}' belongs to "
            f"{names.count(twice[0])} layers. Give each its own with name=."
        )
    return [each for each in order if not isinstance(each.layer, InputLayer)], layers


def start_at(
    flat_inputs: Sequence[Tensor], inputs: Any, flat_outputs: Sequence[Tensor], outputs: Any
) -> tuple[Any, Any]:
    """The part of a graph from tensors between layers on, with new Inputs in their place."""
    values = {}
    for t in flat_inputs:
        name = None if t.history is None else f"{t.name}_input"
        new = t if t.history is None else Input(batch_shape=t.shape, dtype=t.dtype, name=name)
        values[id(t)] = new
    order, _ = calls.ancestors(flat_outputs, stop=flat_inputs)

    def value(leaf: Any) -> Any:
        return values.get(id(leaf), leaf) if isinstance(leaf, Tensor) else leaf

    for each in order:
        if isinstance(each.layer, InputLayer):
            continue
        kwargs = {key: nest.map_structure(value, v) for key, v in each.kwargs.items()}
        results = each.layer(*nest.map_structure(value, each.args), **kwargs)
        for old, new in zip(each.outputs, nest.flatten(results), strict=True):
            values.setdefault(id(old), new)
    return nest.map_structure(value, inputs), nest.map_structure(value, outputs)
