"""A TrainingState as it lies in a folder: arrays in one file, plain values in the configuration.

The weights are those of the model, and are not written twice. Layers and variables go by the names
that they have when the model is built anew, see `names`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..layers import tracking
from ..models.training_state import WEIGHTS, TrainingState, prepared, weights_by_name
from ..variables import without_memory
from .names import layer_names, named_variables
from .weights import Weights

__all__ = ["read_state", "split_state"]

_NOT_FINITE = "__float__"  # the key of the object that stands for a number that JSON does not have


def split_state(
    model: Any, state: TrainingState
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """What a state consists of.

    Args:
        model: The model that it is the state of.
        state: The state.

    Returns:
        ({name: weights of the model}, {name: other array}, values for JSON).

    Raises:
        ValueError: It is the state of another model.
    """
    numbers = {id(v): i for i, v in enumerate(model.variables)}
    weights = state.weights_of(model)
    named = {name: weights[numbers[id(v)]] for name, v in named_variables(model).items()}
    rest = {name: a for name, a in state.arrays.items() if not name.startswith(WEIGHTS)}
    of_number = {numbers[id(v)]: name for name, v in named_variables(model).items()}
    of_layer = {id(layer): name for name, layer in layer_names(model).items()}
    layers = {
        of_layer[id(layer)]: values
        for number, layer in enumerate(tracking.all_layers(model))
        if (values := state.values["layers"].get(str(number)))
    }
    optimizers = [[of_number[i] for i in built] for built in state.values["optimizers"]]
    values = {**state.values, "layers": layers, "optimizers": optimizers}
    return named, rest, _to_json(values)


def read_state(model: Any, file: Weights, values: dict[str, Any]) -> tuple[TrainingState, str]:
    """The state that `split_state` took apart, and the SHA-256 of its file.

    A compiled model gets slots, sums of metrics and whatever else the state has values for; their
    shapes are compared with the file before memory is taken.

    Args:
        model: The model, with its weights.
        file: The other arrays.
        values: The values.

    Raises:
        ValueError: They are not a state of this model.
    """
    values = _with_numbers(model, _from_json(values))
    if model.compiled:
        with without_memory():
            needed = prepared(model, values)
        file.check_fits({n: v for n, v in needed.items() if not n.startswith(WEIGHTS)})
    arrays, digest = file.read()
    weights = {name: v.numpy() for name, v in weights_by_name(model).items()}
    return TrainingState({**weights, **arrays}, values), digest


def _with_numbers(model: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values with numbers of layers and variables in the place of their names."""
    layers = layer_names(model)
    numbers = {id(layer): str(i) for i, layer in enumerate(tracking.all_layers(model))}
    places = {id(v): i for i, v in enumerate(model.variables)}
    variables = {name: places[id(v)] for name, v in named_variables(model).items()}
    return {
        **values,
        "layers": {numbers[id(layers[name])]: own for name, own in values["layers"].items()},
        "optimizers": [[variables[name] for name in built] for built in values["optimizers"]],
    }


def _to_json(value: Any) -> Any:
    """Values of which numbers that are not finite are objects."""
    if isinstance(value, dict):
        return {key: _to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_NOT_FINITE: repr(value)}
    return value


def _from_json(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_NOT_FINITE}:
            return float(value[_NOT_FINITE])
        return {key: _from_json(item) for key, item in value.items()}
    return [_from_json(item) for item in value] if isinstance(value, list) else value
