"""What a run of `fit` is of, as plain values, and in what two of them differ."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ..layers import tracking
from ..random import seeds

_SHOWN = 200  # characters of a value in a message


def describe_training(model: Any, state: Any) -> dict[str, Any]:
    """A compiled, built model: its layers, its weights, and the arguments of `compile`.

    Names that are made up, such as `dense_3`, do not count: what the first layer of its class has
    in one process may be a later number in another.
    """
    from ..utils.serialization import serialize_keras_object

    layers = tracking.all_layers(model)
    names = {layer.name: f"layer {number}" for number, layer in enumerate(layers)}
    config = _attempt(serialize_keras_object, model)
    if isinstance(config, dict):
        config.pop("compile_config", None)
    described = {
        "model": config,
        "layers": [type(layer).__name__ for layer in layers],
        "weights": [[list(v.shape), v.dtype, v.trainable] for v in model.variables],
        "learning_rate_factor": [v.learning_rate_factor for v in model.variables],
        "compile": {
            name: _attempt(serialize_keras_object, value) for name, value in state.arguments.items()
        },
    }
    return _plain(_without_names(described, names))


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


def _without_names(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            str(key): _without_names(item, names)
            for key, item in value.items()
            if key not in ("name", "registered_name")
        }
    if isinstance(value, (list, tuple)):
        return [_without_names(item, names) for item in value]
    return names.get(value, value) if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=lambda other: type(other).__name__))
