"""What a run of `fit` is of, as plain values, and in what two of them differ."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ..layers import tracking
from ..naming import to_snake_case
from ..random import seeds

_OF_LAYERS = {"trainable", "dtype"}  # what the configuration of a layer has beside a name
_ENDS = ("input_layers", "output_layers")
_SHOWN = 200  # characters of a value in a message


def describe_training(model: Any, state: Any) -> dict[str, Any]:
    """A compiled, built model: its layers, its weights, and the arguments of `compile`.

    Names of layers do not count, and where others refer to a layer, its place does: what the first
    of a class is called in one process may have a later number in another. Those of several outputs
    do count: logs go by them.
    """
    from ..utils.serialization import serialize_keras_object

    layers = tracking.all_layers(model)
    outputs = _output_places(model)
    config = _attempt(serialize_keras_object, model)
    if isinstance(config, dict):
        config.pop("compile_config", None)
    described = {
        "model": config,
        "layers": [type(layer).__name__ for layer in layers],
        "weights": [[list(v.shape), v.dtype, v.trainable] for v in model.variables],
        "learning_rate_factor": [v.learning_rate_factor for v in model.variables],
        "names of outputs": list(outputs) if len(outputs) > 1 else None,
        "compile": {
            name: _with_keys(_attempt(serialize_keras_object, value), outputs)
            for name, value in state.arguments.items()
        },
    }
    return _plain(_without_names(described, {}))


def describe_run(train: Any, tester: Any, options: Any) -> dict[str, Any]:
    """The data and the options of `fit` that the bits of a run depend on."""
    frequency = options.validation_freq
    described = {
        "data": train.describe(),
        "validation data": None if tester is None else tester.describe(),
        "shuffle": options.shuffle,
        "initial_epoch": options.initial_epoch,
        "on_nonfinite": options.on_nonfinite,
        "steps_per_epoch": options.steps_per_epoch,
        "validation_steps": options.validation_steps,
        "validation_freq": sorted(frequency) if isinstance(frequency, set) else frequency,
        "seed": seeds.given(),
    }
    return _plain(described)


def difference(expected: Any, received: Any, path: str = "") -> str | None:
    """The first place in which two descriptions differ, as text; None where they are equal."""
    if expected == received:
        return None
    if isinstance(expected, dict) and isinstance(received, dict):
        for key in {**expected, **received}:
            place = f"{path}.{key}" if path else str(key)
            found = difference(expected.get(key), received.get(key), place)
            if found is not None:
                return found
    if isinstance(expected, list) and isinstance(received, list) and len(expected) == len(received):
        for number, pair in enumerate(zip(expected, received, strict=True)):
            found = difference(*pair, f"{path}[{number}]")
            if found is not None:
                return found
    if path.endswith(".sample"):
        return f"{path.removesuffix('.sample')}: expected the same values, received others"
    return f"{path}: expected {_short(expected)}, received {_short(received)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _attempt(describe: Callable[[Any], Any], value: Any) -> Any:
    """A configuration, or the class of what has none."""
    try:
        return describe(value)
    except Exception:  # the user's `get_config` may raise anything
        return type(value).__name__


def _output_places(model: Any) -> dict[str, str]:
    """{name of the layer of an output: place}; none where the user has given outputs their keys."""
    graph = model._graph
    if graph is None or isinstance(graph.output, dict):
        return {}
    return {name: f"output {number}" for number, name in enumerate(graph.output_names)}


def _with_keys(value: Any, keys: Mapping[str, str]) -> Any:
    """An argument of `compile` that may have an entry for each output."""
    return {keys.get(k, k): v for k, v in value.items()} if isinstance(value, dict) else value


def _without_names(value: Any, places: Mapping[str, str]) -> Any:
    """A configuration without the names of layers, and with places where there are references.

    Args:
        value: The configuration, or a part of one.
        places: {name: place} of the layers of the model in whose calls the part is.
    """
    if isinstance(value, (list, tuple)):
        return [_without_names(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    config = value.get("config")
    if "class_name" in value and isinstance(config, dict):
        if value["class_name"] == "__keras_tensor__" and "keras_history" in config:
            return {**value, "config": {**config, "keras_history": _place(config, places)}}
        left = {k: v for k, v in config.items() if k != "name" or not _is_name(v, value)}
        value = {k: v for k, v in value.items() if k not in ("name", "registered_name")}
        value["config"] = left
    elif value.keys() >= {"name", *_OF_LAYERS}:  # that of a layer, without its class
        value = {key: item for key, item in value.items() if key != "name"}
    if _is_functional(value):
        return _functional_without_names(value)
    return {str(key): _without_names(item, places) for key, item in value.items()}


def _functional_without_names(config: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a functional model, see `configuration.functional_config`."""
    entries = config["layers"]
    places = {entry["name"]: f"layer {number}" for number, entry in enumerate(entries)}

    def ends(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(key): ends(item) for key, item in value.items()}
        if len(value) == 3 and isinstance(value[0], str):
            return [places.get(value[0], value[0]), *value[1:]]
        return [ends(item) for item in value]

    layers = []
    for entry in entries:
        nodes = entry["inbound_nodes"]
        rest = {key: item for key, item in entry.items() if key != "inbound_nodes"}
        layers.append({**_without_names(rest, {}), "inbound_nodes": _without_names(nodes, places)})
    rest = {k: v for k, v in config.items() if k not in ("layers", *_ENDS)}
    return {
        **_without_names(rest, {}),
        "layers": layers,
        **{key: ends(config[key]) for key in _ENDS},
    }


def _is_functional(config: dict[str, Any]) -> bool:
    """Whether it is what `functional_config` has made, as far as names are concerned."""
    entries = config.get("layers")
    return (
        isinstance(entries, list)
        and all(isinstance(entry, dict) for entry in entries)
        and all({"name", "inbound_nodes"} <= entry.keys() for entry in entries)
        and all(isinstance(config.get(key), (list, tuple, dict)) for key in _ENDS)
    )


def _place(config: dict[str, Any], places: Mapping[str, str]) -> list[Any]:
    name, *rest = config["keras_history"]
    return [places.get(name, name), *rest]


def _is_name(name: Any, record: dict[str, Any]) -> bool:
    """Whether the "name" in the configuration of a record is that of a layer, a metric or the like.

    In a class of the user's it may also be an argument that makes a difference.
    """
    if str(record.get("module")).startswith(("keras", "dlnative")):
        return record["class_name"] != "DTypePolicy"
    automatic = re.escape(to_snake_case(str(record["class_name"]))) + "(_[0-9]+)?"
    return (
        name == record.get("name")
        or record["config"].keys() >= _OF_LAYERS
        or re.fullmatch(automatic, str(name)) is not None
    )


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda other: type(other).__name__))
