"""A TrainingState as it lies in a folder: arrays in one file, plain values in the configuration.

The weights are those of the model, and are not written twice. Layers and variables go by the names
that they have when the model is built anew, see `names`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..models.training_state import (
    OWN,
    WEIGHTS,
    TrainingState,
    apply_values,
    check_values,
    numbered_layers,
    optimizers_of,
    prepared,
    values_of,
    weights_by_name,
)
from ..placement import without_memory
from .names import layer_names, named_variables
from .own_values import by_way, name_of
from .weights import Weights

__all__ = ["apply_settings", "check_state", "joined_state", "settings_of", "split_state"]

_NOT_FINITE = "__float__"  # the key of the object that stands for a number that JSON does not have


def split_state(
    model: Any, state: TrainingState
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, Any]]:
    """What a state consists of.

    Args:
        model: The model that it is the state of.
        state: The state.

    Returns:
        ({name: what lies among the weights}, {name: other array}, values for JSON).

    Raises:
        ValueError: It is the state of another model.
    """
    names = _Names(model)
    arrays = state.weights_of(model)
    weights = {name: arrays[number] for name, number in names.variables.items()}
    rest = {}
    ways = {number: way for way, number in names.layers.items()}
    for name, array in state.arrays.items():
        if name.startswith(OWN):
            number, _, key = name.removeprefix(OWN).partition("/")
            weights[name_of(ways[number], key)] = array
        elif not name.startswith(WEIGHTS):
            rest[name] = array
    return weights, rest, _to_json(names.put_into(state.values))


def check_state(model: Any, file: Weights, values: dict[str, Any]) -> dict[str, Any]:
    """The values of a TrainingState, from those that `split_state` has made.

    A compiled model gets slots, sums of metrics and whatever else the state has values for, without
    memory: their shapes are compared with the file first.

    Args:
        model: The model.
        file: The arrays of the state.
        values: The values.

    Raises:
        ValueError: They are not a state of this model.
    """
    values = _Names(model).take_from(_from_json(values))
    check_values(model, values)
    if model.compiled:
        with without_memory():
            needed = prepared(model, values)
        file.check_fits({n: v for n, v in needed.items() if not n.startswith(WEIGHTS)})
    return values


def joined_state(
    model: Any,
    arrays: dict[str, np.ndarray],
    values: dict[str, Any],
    own: Mapping[str, np.ndarray],
) -> TrainingState:
    """The state of these arrays and values, with the weights that the model has.

    Args:
        model: The model.
        arrays: Those beside the weights.
        values: The values, as `check_state` returns them.
        own: What layers keep besides, by its names among the weights.
    """
    weights = {name: v.numpy() for name, v in weights_by_name(model).items()}
    numbers = _Names(model).layers
    kept = {
        f"{OWN}{numbers[way]}/{key}": array
        for way, store in by_way(own).items()
        for key, array in store.items()
    }
    return TrainingState({**weights, **arrays, **kept}, values)


def settings_of(model: Any) -> dict[str, Any] | None:
    """What a model and its optimizer have been set to beside their configurations, as JSON values.

    That are frozen weights, factors of learning rates, what weight decay leaves out, seeds, and
    the position of training. None where layers have no names to tell them by.
    """
    try:
        names = _Names(model)
    except (NotImplementedError, ValueError):
        return None
    state = model.__dict__.get("_trainer")
    values = {**names.put_into(values_of(model)), "objectives": None}
    return {"values": _to_json(values), "steps": 0 if state is None else int(state.steps.array)}


def apply_settings(model: Any, settings: Any) -> None:
    """Makes of a model what `settings_of` another says; what its compilation lacks is left out.

    Raises:
        ValueError: They are not those of such a model.
    """
    if not isinstance(settings, dict) or not isinstance(settings.get("values"), dict):
        raise ValueError(f"expected settings of a model, received {settings!r:.100}")
    values = _Names(model).take_from(_from_json(settings["values"]))
    check_values(model, values)
    count = len(optimizers_of(model))
    if not model.compiled:
        values = {**values, "training": None}
    if len(values["excluded"]) != count:
        values = {**values, "excluded": [None] * count}
    apply_values(model, values)
    steps = settings.get("steps")
    if type(steps) is not int or not 0 <= steps < 2**63:
        raise ValueError(f"expected a number of steps, received {steps!r:.100}")
    if model.compiled:
        model._trainer.steps.assign(steps)
        _prepare_optimizers(model, values["optimizers"])


def _prepare_optimizers(model: Any, built_on: Any) -> None:
    """Gives optimizers the slots of the saved ones, which may be of weights that are frozen now."""
    variables, optimizers = model.variables, optimizers_of(model)
    if len(built_on) == len(optimizers):
        for optimizer, numbers in zip(optimizers, built_on, strict=True):
            if numbers:
                optimizer.prepare_in_order([variables[i] for i in numbers])
    if model.built and not model.optimizer.built:
        model.optimizer.prepare(model.trainable_variables)


class _Names:
    """Names of layers and variables of a model for the numbers that a state has for them.

    Attributes:
        layers: {name: number}, the number a string.
        variables: {name: number}.
    """

    def __init__(self, model: Any) -> None:
        of_layer = {id(layer): number for number, layer in numbered_layers(model)}
        of_variable = {id(v): i for i, v in enumerate(model.variables)}
        self.layers = {name: of_layer[id(layer)] for name, layer in layer_names(model).items()}
        self.variables = {n: of_variable[id(v)] for n, v in named_variables(model).items()}

    def put_into(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with names in the place of numbers."""
        layers = {number: name for name, number in self.layers.items()}
        variables = {number: name for name, number in self.variables.items()}
        return _exchanged(values, layers, variables)

    def take_from(self, values: dict[str, Any]) -> dict[str, Any]:
        """The values with numbers in the place of names."""
        return _exchanged(values, self.layers, self.variables)


def _exchanged(
    values: dict[str, Any], layers: Mapping[str, str], variables: Mapping[Any, Any]
) -> dict[str, Any]:
    """The values of a state with other keys for layers and variables."""
    factors, frozen = values["factors"], values["frozen"]
    of_variables = {str(a): str(b) for a, b in variables.items()}
    return {
        **values,
        "layers": {layers[key]: own for key, own in values["layers"].items() if own},
        "optimizers": [[variables[key] for key in keys] for keys in values["optimizers"]],
        "frozen": {
            "layers": [layers[key] for key in frozen["layers"]],
            "variables": [variables[key] for key in frozen["variables"]],
        },
        "excluded": [[variables[key] for key in keys] for keys in values["excluded"]],
        "factors": {
            "layers": {layers[key]: factor for key, factor in factors["layers"].items()},
            "variables": {of_variables[k]: f for k, f in factors["variables"].items()},
        },
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
