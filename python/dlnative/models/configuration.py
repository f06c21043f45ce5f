"""Functional models as configurations and back: layers, and the calls that connect them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..graph import Tensor
from ..layers import calls, tracking
from ..layers.core import InputLayer
from ..layers.op_layer import OpLayer
from ..naming import check_layer_name, unknown
from ..placement import is_without_memory
from ..utils import nest
from ..utils.serialization import (
    deserialize_keras_object,
    is_reading_keras,
    serialize_keras_object,
)
from .keras_operations import from_keras, to_keras

if TYPE_CHECKING:
    from ..layers.layer import Layer
    from .call_graph import CallGraph
    from .model import Model


def functional_config(model: Model, graph: CallGraph) -> dict[str, Any]:
    """The configuration of a functional model, in the format of Keras."""
    included = {id(each) for each in graph.calls}
    included |= {id(calls.call_of(t)) for t in graph.inputs}
    numbers: dict[int, int] = {}  # id of a call -> its place among those of its layer here
    for layer in graph.operations:
        own = [each for each in layer._calls if id(each) in included]
        numbers.update((id(each), i) for i, each in enumerate(own))

    def place(tensor: Tensor, first: int = 0) -> list[Any]:
        each = calls.call_of(tensor)
        index = tensor.history[1] if tensor.history is not None else 0
        return [each.layer.name, numbers[id(each)] + first, index]

    def place_end(tensor: Tensor) -> list[Any]:
        # Keras counts the calls of a functional model from 1 here.
        return place(tensor, int(_counts_from_one(calls.call_of(tensor).layer)))

    def record(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return serialize_keras_object(leaf)
        config = {"shape": leaf.shape, "dtype": leaf.dtype, "keras_history": place(leaf)}
        return {"class_name": "__keras_tensor__", "config": config}

    layers = []
    for layer in graph.operations:
        entry = serialize_keras_object(layer)
        own = [each for each in layer._calls if id(each) in included]
        entry["name"] = layer.name
        entry["inbound_nodes"] = [
            {
                "args": list(nest.map_structure(record, each.args)),
                "kwargs": nest.map_structure(record, each.kwargs),
            }
            for each in own
            if not isinstance(layer, InputLayer)
        ]
        if isinstance(layer, OpLayer):
            to_keras(entry, entry["inbound_nodes"])
        layers.append(entry)
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": layers,
        "input_layers": nest.map_structure(place_end, graph.input),
        "output_layers": nest.map_structure(place_end, graph.output),
    }


def functional_from_config(cls: type, config: dict[str, Any]) -> Any:
    """The model of a configuration: makes the layers, then calls them as their inputs appear.

    Raises:
        ValueError: Two layers of one name, a layer that is not there, or calls that depend on each
            other.
    """
    layers: dict = {}
    waiting: list = []
    for record in config["layers"]:
        entry = from_keras(record)
        layer = layer_from_entry(without_build(entry))
        name = entry.get("name", getattr(layer, "name", None))
        is_new = name not in layers and not any(layer is other for other in layers.values())
        if not tracking.is_layer(layer) or not is_new:
            raise ValueError(f"Model configuration: {name!r} is not a layer of its own")
        layers[name] = layer
        waiting += [(name, i, node) for i, node in enumerate(entry.get("inbound_nodes", ()))]
    # A layer that another model has, too, may have calls already, which are not of this model.
    made = {
        name: list(layer._calls) for name, layer in layers.items() if isinstance(layer, InputLayer)
    }

    def find(name: str, number: int, index: int) -> Tensor | None:
        if name not in layers:
            raise unknown("layer in the model configuration", name, layers)
        found = made.get(name, ())
        return found[number].outputs[index] if number < len(found) else None

    while waiting:
        later = []
        for name, number, node in waiting:
            layer = layers[name]
            args, kwargs = _arguments(node, find)
            ready = len(made.get(name, ())) == number
            if not ready or any(_is_missing(leaf) for leaf in nest.flatten((args, kwargs))):
                later.append((name, number, node))
                continue
            if not calls.symbolic_tensors((args, kwargs)):
                raise ValueError(f"Model configuration: '{name}' is called without a tensor")
            if isinstance(layer, OpLayer) and is_without_memory():  # a stranger's file
                layer.check_counts(args, kwargs)
            layer(*args, **kwargs)
            made.setdefault(name, []).append(layer._calls[-1])
        if len(later) == len(waiting):
            names = sorted({name for name, _, _ in later})
            raise ValueError(f"Model configuration: the inputs of {names} are not connected")
        waiting = later

    def end(place: Sequence[Any]) -> Any:
        name, number, index = place
        return find(name, number - int(_counts_from_one(layers.get(name))), index)

    def ends(places: Any) -> Any:
        if isinstance(places, dict):
            return {key: ends(value) for key, value in places.items()}
        if len(places) == 3 and isinstance(places[0], str):
            return end(places)
        return [ends(value) for value in places]

    rest = {k: v for k, v in config.items() if k not in ("layers", "input_layers", "output_layers")}
    return cls(inputs=ends(config["input_layers"]), outputs=ends(config["output_layers"]), **rest)


_MISSING = object()


def _is_missing(leaf: Any) -> bool:
    return leaf is _MISSING


def _arguments(
    node: dict[str, Any], find: Callable[[str, int, int], Tensor | None]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments of a layer call; tensors that are not made yet are _MISSING."""

    def value(leaf: Any) -> Any:
        if isinstance(leaf, dict) and leaf.get("class_name") == "__keras_tensor__":
            tensor = find(*leaf["config"]["keras_history"])
            return _MISSING if tensor is None else tensor
        if isinstance(leaf, dict) and "class_name" not in leaf:
            return {key: value(item) for key, item in leaf.items()}
        if isinstance(leaf, (list, tuple)):
            return [value(item) for item in leaf]
        return deserialize_keras_object(leaf)

    dropped = ("training",) if is_reading_keras() else ()
    kwargs = {
        k: value(v)
        for k, v in node["kwargs"].items()
        if k not in dropped and not (k == "mask" and _is_nothing(v))
    }
    return tuple(value(leaf) for leaf in node["args"]), kwargs


def _is_nothing(mask: Any) -> bool:
    return all(leaf is None for leaf in nest.flatten(mask))


def _counts_from_one(layer: Any) -> bool:
    """Keras counts the calls of a functional model from 1 where it names a model's ends."""
    return getattr(layer, "is_functional", False)


def entry_of_layer(layer: Layer) -> dict[str, Any]:
    """The record of a layer in a model; that of a user's class, whose configuration may lack the
    name or whose constructor may not take it, has it beside them, as in functional models of Keras.
    """
    record: dict[str, Any] = serialize_keras_object(layer)
    if not type(layer).__module__.startswith("dlnative."):
        record["name"] = layer.name
    return record


def layer_from_entry(entry: dict[str, Any]) -> Any:
    """What `entry_of_layer` has described, by the name that it has there.

    Keras leaves a layer with the name that its constructor makes up. One that is the same in every
    process is what weights, seeds and settings are found by.
    """
    layer = deserialize_keras_object(entry)
    if tracking.is_layer(layer) and "name" in entry:
        give_name(layer, entry["name"])
    return layer


def give_name(layer: Any, name: str) -> None:
    """Gives a new layer a name, which the paths of the variables that it has follow.

    Raises:
        TypeError: The name is no string.
        ValueError: It is empty or has a "/".
    """
    before = layer.name
    if name == before:
        return
    check_layer_name(type(layer).__name__, name)
    layer.__dict__["name"] = name
    if layer.path == before:
        layer.__dict__["_path"] = name
    for variable in layer.variables:
        if variable.path.startswith(f"{before}/"):
            variable.path = name + variable.path.removeprefix(before)


def without_build(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a layer that its model is going to build, under the model's name."""
    return {key: value for key, value in record.items() if key != "build_config"}
