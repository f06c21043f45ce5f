"""TrainingState: everything that training must remember, as arrays and plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..changes import note_flag
from ..layers import tracking
from ..layers.core import is_input
from ..layers.extra_losses import attribute_metrics
from ..layers.own_values import give, keepers, kept_by
from ..naming import lasting_name
from ..optimizers import Optimizer
from ..placement import copies_of
from ..random import seeds
from ..scalar import Scalar
from ..variables import Variable

VERSION = 1
MOST_STEPS = 2**62  # so that those to come can be counted, too
WEIGHTS = "weights/"  # with which the names of a model's own arrays begin
OWN = "own/"  # the same of what layers keep besides, "own/<number of the layer>/<its name>"


class TrainingState:
    """What a compiled model, its optimizers, layers, metrics and callbacks remember.

    A model of the same layers, compiled in the same way, that is given the state goes on as the
    first one would: with the same weights, slots, counters, seeds, order of rows and sums of
    metrics.

    Attributes:
        arrays: {name: array}: weights, slots and counters of optimizers, sums of metrics,
            multipliers, states of seed generators, what layers keep by `save_own_variables`.
        values: Plain values (numbers, strings, lists and dicts of them): seeds of layers, the order
            of rows, the position in the data, what callbacks remember, the global random stream.

    Example:
        >>> import numpy as np, dlnative
        >>> from dlnative.models.training_state import TrainingState
        >>> def compiled():
        ...     model = dlnative.Sequential([dlnative.Input((2,)), dlnative.layers.Dense(1)])
        ...     model.compile("adam", "mse")
        ...     return model
        >>> x, y = np.ones((8, 2)), np.zeros((8, 1))
        >>> first, second = compiled(), compiled()
        >>> _ = first.fit(x, y, verbose=0)
        >>> TrainingState.of(first).put_back(second)
        >>> first.fit(x, y, verbose=0).history == second.fit(x, y, verbose=0).history
        True
    """

    def __init__(self, arrays: dict[str, np.ndarray], values: dict[str, Any]) -> None:
        self.arrays = arrays
        self.values = values

    @classmethod
    def of(
        cls,
        model: Any,
        callbacks: Sequence[Any] = (),
        memory: Mapping[str, np.ndarray] | None = None,
    ) -> TrainingState:
        """The state of a built model as it stands; what is in it does not change later.

        Args:
            model: The model.
            callbacks: Callbacks whose `get_state` belongs to it.
            memory: Arrays of a former state, which is of no use any more, to be those of this one.
        """
        arrays = copies_of(variables_of(model), memory)
        for number, layer in keepers(numbered_layers(model)).items():
            arrays |= {f"{OWN}{number}/{name}": a for name, a in kept_by(layer).items()}
        return cls(arrays, values_of(model, callbacks))

    def put_back(self, model: Any, callbacks: Sequence[Any] = ()) -> None:
        """Makes the model what it was.

        Args:
            model: A built model of the same layers; compiled if the other was.
            callbacks: As given to `of`.

        Raises:
            ValueError: The model has other variables, or they have other shapes; nothing has been
                written.
        """
        if len(callbacks) != len(self.values["callbacks"]):
            raise ValueError(
                f"expected {len(self.values['callbacks'])} callbacks, as the state has, received "
                f"{len(callbacks)}"
            )
        self.put_into(model)
        seeds.set_state(self.values["random"])
        for callback, state in zip(callbacks, self.values["callbacks"], strict=True):
            _set_state(callback, state)

    def put_into(self, model: Any) -> None:
        """As `put_back`, but leaves callbacks and the global random stream as they are."""
        self.weights_of(model)
        variables = prepared(model, self.values)
        _check(model, self.arrays, variables)
        for name, variable in variables.items():
            variable.write(self.arrays[name])
        apply_values(model, self.values)
        for number, layer in keepers(numbered_layers(model)).items():
            start = f"{OWN}{number}/"
            own = {n.removeprefix(start): a for n, a in self.arrays.items() if n.startswith(start)}
            give(layer, own)

    def weights_of(self, model: Any) -> list[np.ndarray]:
        """The weights, in the order of `model.variables`.

        Raises:
            ValueError: The model has others.
        """
        weights = {name: a for name, a in self.arrays.items() if name.startswith(WEIGHTS)}
        variables = weights_by_name(model)
        _check(model, weights, variables)
        return [weights[name] for name in variables]


def values_of(model: Any, callbacks: Sequence[Any] = ()) -> dict[str, Any]:
    """The plain values of the state of a model; see `TrainingState`."""
    state = model.__dict__.get("_trainer")
    return {
        "version": VERSION,
        "layers": {
            name: {key: layer.__dict__[key] for key in _OF_LAYERS if key in layer.__dict__}
            for name, layer in numbered_layers(model)
        },
        "random": seeds.get_state(),
        "optimizers": [_built_on(model, optimizer) for optimizer in optimizers_of(model)],
        "excluded": [_excluded(model, optimizer) for optimizer in optimizers_of(model)],
        "frozen": {
            "layers": [name for name, layer in numbered_layers(model) if not layer._trainable],
            "variables": [i for i, v in enumerate(model.variables) if not v.trainable],
        },
        "factors": _factors(model),
        "objectives": None if state is None else _resolved(state.objectives),
        "training": None if state is None else state.position(),
        "callbacks": [callback.get_state() for callback in callbacks],
    }


def apply_values(model: Any, values: dict[str, Any]) -> None:
    """Makes of a model what the values of a state say, but for callbacks and global streams."""
    for name, layer in numbered_layers(model):
        layer.__dict__.update(values["layers"].get(name, {}))
    _freeze(model, **values["frozen"])
    _set_factors(model, values["factors"])
    for optimizer, excluded in zip(optimizers_of(model), values["excluded"], strict=True):
        _exclude(model, optimizer, excluded)
    if values["training"] is not None:
        model._trainer.go_to(values["training"])


_OF_LAYERS = ("_drawn_seed", "_eager_steps")  # seeds, and the number of calls on arrays so far


def check_values(model: Any, values: Any) -> None:
    """Raises ValueError where values of unknown origin cannot be those of a state of the model.

    What `put_back` hands to others, such as what callbacks remember, is for them to check.
    """
    layers = {name for name, _ in numbered_layers(model)}
    variables = range(len(model.variables))

    def are_numbers(value: Any) -> bool:
        return type(value) is list and all(type(n) is int and n in variables for n in value)

    checks: dict[str, Callable[[Any], bool]] = {
        "version": lambda value: value == VERSION and type(value) is int,
        "layers": lambda value: (
            value.keys() <= layers
            and all(
                own.keys() <= {*_OF_LAYERS} and all(_is_count(n) for n in own.values())
                for own in value.values()
            )
        ),
        "random": lambda value: (
            value.keys() == seeds.get_state().keys()
            and all(n is None or _is_count(n) for n in value.values())
        ),
        "optimizers": lambda value: all(
            are_numbers(built) and len(set(built)) == len(built) for built in value
        ),
        "excluded": lambda value: all(map(are_numbers, value)),
        "frozen": lambda value: (
            value.keys() == {"layers", "variables"}
            and type(value["layers"]) is list
            and {*value["layers"]} <= layers
            and are_numbers(value["variables"])
        ),
        "factors": lambda value: (
            value.keys() == {"layers", "variables"}
            and value["layers"].keys() <= layers
            and value["variables"].keys() <= {*map(str, variables)}
            and all(_is_factor(f) for each in value.values() for f in each.values())
        ),
        "objectives": lambda value: value is None or (value.keys() == {"metrics", "constraints"}),
        "training": lambda value: value is None or isinstance(value, dict),
        "callbacks": lambda value: isinstance(value, list),
    }
    for key, is_right in checks.items():
        try:
            right = is_right(values[key])
        except (KeyError, TypeError, AttributeError):
            right = False
        if not right:
            raise ValueError(
                f"the state is not one of model '{model.name}': {key!r} cannot be "
                f"{values.get(key, 'missing')!r:.200}"
            )


def _set_state(callback: Any, state: Any) -> None:
    """`set_state`, which may get as far as any line with what no `get_state` has returned."""
    try:
        callback.set_state(state)
    except (ValueError, OSError):
        raise
    except Exception as error:
        name = type(callback).__name__
        raise ValueError(f"it is no state of the callback {name}: {error!r:.300}") from error


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**64


def _is_factor(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


def numbered_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """(number, layer) of the model and all below it, in their order.

    Without InputLayers: these have no state, and data may have added them.
    """
    for number, layer in enumerate(tracking.all_layers(model)):
        if not is_input(layer):
            yield str(number), layer


def optimizers_of(model: Any) -> list[Optimizer]:
    """That of `compile`, and those among the attributes of the model."""
    state = model.__dict__.get("_trainer")
    found = (
        {} if state is None or state.optimizer is None else {id(state.optimizer): state.optimizer}
    )
    for value in vars(model).values():
        if isinstance(value, Optimizer):
            found.setdefault(id(value), value)
    return list(found.values())


def weights_by_name(model: Any) -> dict[str, Variable]:
    """The variables of a model by the names that a state has for them."""
    return {f"{WEIGHTS}{i}/{lasting_name(v)}": v for i, v in enumerate(model.variables)}


def prepared(model: Any, values: dict[str, Any]) -> dict[str, Variable]:
    """The variables that a state of these values has arrays for, which are made if need be."""
    _prepare(model, values)
    return variables_of(model)


def variables_of(model: Any) -> dict[str, Variable]:
    """{name: variable} of everything that a step changes."""
    found = weights_by_name(model)
    for number, optimizer in enumerate(optimizers_of(model)):
        for index, variable in enumerate(optimizer.variables):
            found[f"optimizer/{number}/{index}"] = variable
    state = model.__dict__.get("_trainer")
    metrics = attribute_metrics(model)
    if state is not None and state.objectives is not None:
        metrics = [*state.objectives.all_metrics, *metrics]
        for number, variable in enumerate(state.objectives.constraints.variables):
            found[f"constraints/{number}/{variable.name}"] = variable
        found["training/steps"] = state.steps
    for number, metric in enumerate({id(m): m for m in metrics}.values()):
        for index, variable in enumerate(metric.variables):
            found[f"metrics/{number}/{metric.name}/{index}"] = variable
    for name, layer in numbered_layers(model):
        for attribute, generator in tracking.seed_generators(layer):
            found[f"seeds/{name}/{attribute}"] = generator.state
    return found


def _built_on(model: Any, optimizer: Optimizer) -> list[int]:
    """Which variables of the model an optimizer has slots for."""
    numbers = {id(v): i for i, v in enumerate(model.variables)}
    return [numbers[id(v)] for v in optimizer._trainable_variables if id(v) in numbers]


def _excluded(model: Any, optimizer: Optimizer) -> list[int]:
    """The variables of the model that an optimizer leaves out of weight decay."""
    return [i for i, v in enumerate(model.variables) if not optimizer.decays(v)]


def _exclude(model: Any, optimizer: Optimizer, excluded: Sequence[int] | None) -> None:
    """Leaves these variables out of weight decay; None leaves it as it is."""
    if excluded is not None and _excluded(model, optimizer) != [*excluded]:
        variables = model.variables
        optimizer.exclude_from_weight_decay([variables[i] for i in excluded])


def _factors(model: Any) -> dict[str, dict[str, float]]:
    """The factors of the learning rate of layers and variables, by number, where one was set."""
    variables = enumerate(model.variables)  # which get those of their layers by this
    of_layers = {name: layer._learning_rate_factor for name, layer in numbered_layers(model)}
    return {
        "layers": {name: factor for name, factor in of_layers.items() if factor is not None},
        "variables": {
            str(i): v.learning_rate_factor for i, v in variables if v.learning_rate_factor != 1.0
        },
    }


def _freeze(model: Any, layers: Sequence[str], variables: Sequence[int]) -> None:
    """Makes these layers and variables not trainable, and all others trainable."""
    for name, layer in numbered_layers(model):
        if layer._trainable is (name in layers):
            layer.__dict__["_trainable"] = name not in layers  # variables have flags of their own
            note_flag()
    for number, variable in enumerate(model.variables):
        if variable.trainable is (number in variables):
            variable.trainable = number not in variables


def _set_factors(model: Any, factors: dict[str, dict[str, float]]) -> None:
    for name, layer in numbered_layers(model):
        layer.__dict__["_learning_rate_factor"] = factors["layers"].get(name)
    for number, variable in enumerate(model.variables):
        factor = factors["variables"].get(str(number), 1.0)
        if variable.learning_rate_factor != factor:
            variable.learning_rate_factor = factor


def _resolved(objectives: Any) -> Any:
    """Of what metrics and constraints have made their state; None before."""
    if objectives is None:
        return None
    return {"metrics": objectives.resolved, "constraints": objectives.constraints.made}


def _prepare(model: Any, values: dict[str, Any]) -> None:
    """Makes the slots, and the state of metrics, that the other model has made already."""
    variables = model.variables
    for optimizer, numbers in zip(optimizers_of(model), values["optimizers"], strict=False):
        if numbers and max(numbers) < len(variables):
            optimizer.prepare_in_order([variables[i] for i in numbers])
    objectives = getattr(model.__dict__.get("_trainer"), "objectives", None)
    if objectives is not None and values["objectives"] is not None:
        if values["objectives"]["constraints"] is not None:
            objectives.constraints.make(values["objectives"]["constraints"])
        if values["objectives"]["metrics"] is not None:
            names, *shapes = values["objectives"]["metrics"]
            objectives.resolve(names, *([s and tuple(s) for s in each] for each in shapes))


def _check(model: Any, arrays: dict[str, np.ndarray], variables: dict[str, Variable]) -> None:
    kept = tuple(f"{OWN}{number}/" for number in keepers(numbered_layers(model)))
    missing = sorted(set(variables) - set(arrays))
    extra = sorted(n for n in set(arrays) - set(variables) if not n.startswith(kept))
    if missing or extra:
        raise ValueError(
            f"the state is not one of model '{model.name}': "
            + "; ".join(
                f"{what} {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
                for what, names in (("the state lacks", missing), ("the model lacks", extra))
                if names
            )
        )
    for name, variable in variables.items():
        if arrays[name].shape != variable.shape:
            raise ValueError(
                f"the state is not one of model '{model.name}': expected {name} of shape "
                f"{variable.shape}, received {arrays[name].shape}"
            )
        if variable.dtype == "int64" and isinstance(variable, Scalar):
            count = int(arrays[name])
            if not 0 <= count < MOST_STEPS:
                raise ValueError(
                    f"the state is not one of model '{model.name}': expected {name} to be a number "
                    f"of steps, received {count}"
                )
