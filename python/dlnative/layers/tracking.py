"""What a layer owns: the variables and layers among its attributes, and undoing a failed build."""

from __future__ import annotations

import contextlib
from collections.abc import Hashable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import changes
from ..graph import Tensor
from ..random import seeds
from ..random.seed_generator import SeedGenerator
from ..variables import Variable

if TYPE_CHECKING:
    from .layer import Layer
    from .state import LayerState


def is_layer(value: Any) -> bool:
    """Whether it is a layer."""
    return getattr(type(value), "is_layer", False)


def is_member(value: Any) -> bool:
    """Whether it is what a layer holds: a variable or a layer."""
    return isinstance(value, Variable) or is_layer(value)


def walk(value: Any) -> Iterator[Any]:
    """The variables and layers in a value: itself, or those in nested lists, tuples and dicts."""
    if is_member(value):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from walk(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from walk(item)


def members(layer: LayerState) -> tuple[Any, ...]:
    """The variables and layers that `layer` holds itself, each once, in the order of creation."""
    kept = layer.__dict__.get("_members")
    if kept is not None:
        found, containers = kept
        for values, ids in containers:
            if list(map(id, values)) != ids:
                break
        else:
            return found
    members: dict[int, Any] = {}
    containers = []  # lists and dicts, which may change in place, with the ids of what they hold
    fixed = True
    for value in layer._tracked.values():
        if is_member(value):
            members.setdefault(id(value), value)
            continue
        values = value.values() if isinstance(value, dict) else value
        # What is no member may be a list, or go, and another object have its id.
        fixed = fixed and all(map(is_member, values))
        containers.append((values, list(map(id, values))))
        for member in walk(value):
            members.setdefault(id(member), member)
    found = tuple(members.values())
    if fixed:
        layer.__dict__["_members"] = found, containers
    return found


def own_variables(layer: LayerState, held: Sequence[Any] | None = None) -> list[Variable]:
    """Variables of the layer without those of its sublayers: created trainable first.

    Args:
        layer: The layer.
        held: Its `members`, where the caller has them.
    """
    held = members(layer) if held is None else held
    variables = [m for m in held if isinstance(m, Variable)]
    created = layer._created_trainable
    for v in variables:  # those that a list has got in place
        created.setdefault(v, v.trainable)
    return [v for v in variables if created[v]] + [v for v in variables if not created[v]]


def collect_variables(
    layer: LayerState, found: dict[int, Variable], factor: float | None = None
) -> None:
    """Puts the variables of a layer, then those of its sublayers, into a dict by their ids.

    They get the factor of their learning rate, which a layer that has none of its own has from
    the one it belongs to.
    """
    own = layer._learning_rate_factor
    factor = factor if own is None else own
    held = members(layer)
    for variable in own_variables(layer, held):
        found.setdefault(id(variable), variable)
        # Once for each factor that a layer is given: one set on the weight afterwards stays.
        if factor is not None and vars(variable).get("_factor_of_layer") != factor:
            vars(variable)["_factor_of_layer"] = factor
            variable.learning_rate_factor = factor
    for sublayer in held:
        if is_layer(sublayer):
            collect_variables(sublayer, found, factor)


def sublayers(layer: LayerState) -> list[Layer]:
    """The layers that `layer` holds itself."""
    return [m for m in members(layer) if is_layer(m)]


def seed_generators(layer: LayerState) -> Iterator[tuple[str, SeedGenerator]]:
    """(name, SeedGenerator) of those among its attributes, and in lists and dicts there."""
    for name, value in vars(layer).items():
        if name != "_tracked":
            yield from _generators(name, value)


def _generators(name: str, value: Any) -> Iterator[tuple[str, SeedGenerator]]:
    if isinstance(value, SeedGenerator):
        yield name, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _generators(f"{name}/{key}", item)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from _generators(f"{name}/{number}", item)


def all_layers(layer: LayerState) -> list[Layer]:
    """The layer and everything below it, each once."""
    found: list[Any] = []
    waiting: list[Any] = [layer]
    seen = set()
    while waiting:
        current = waiting.pop()
        if id(current) not in seen:
            seen.add(id(current))
            found.append(current)
            waiting.extend(reversed(sublayers(current)))
    return found


def track(layer: LayerState, name: Hashable, value: Any) -> None:
    """Takes note of an attribute that is about to be set.

    Lists and dicts are kept if they hold members or are still empty, so that appending to
    `self.blocks = []` works.

    Raises:
        RuntimeError: The layer is built, so its variables and layers are fixed; or a Variable would
            be replaced by values, as `layer.w += 1` does.
    """
    tracked = layer._tracked
    if isinstance(tracked.get(name), Variable) and isinstance(
        value, (np.ndarray, np.generic, Tensor)
    ):
        raise RuntimeError(
            f"{type(layer).__name__} '{layer.name}': {name} is a Variable, and values would take "
            f"its place. Write them with {name}.assign(...)."
        )
    found = list(walk(value))
    if not found and not (isinstance(value, (list, dict)) and not value):
        if name in tracked:
            untrack(layer, name)
        return
    if layer._locked and found:
        known = {id(m) for m in members(layer)}
        if any(id(m) not in known for m in found):
            raise RuntimeError(
                f"{type(layer).__name__} '{layer.name}' is built: its variables and layers are "
                "fixed. Create them in __init__ or build."
            )
    before = tracked.get(name)
    layer.__dict__.pop("_members", None)
    tracked[name] = value
    for member in found:
        if isinstance(member, Variable):
            layer._created_trainable.setdefault(member, member.trainable)
    if before is not value:
        _forget(layer, before)


def untrack(layer: LayerState, name: Hashable) -> None:
    """Forgets an attribute that goes away."""
    layer.__dict__.pop("_members", None)
    _forget(layer, layer._tracked.pop(name, None))


def _forget(layer: LayerState, value: Any) -> None:
    """Forgets the variables in a former value of an attribute, unless another one has them."""
    if isinstance(value, Variable):
        layer._tracked.pop(value, None)
    gone = [member for member in walk(value) if isinstance(member, Variable)]
    left = {id(member) for member in members(layer)} if gone else ()
    for variable in gone:
        if id(variable) not in left:
            layer._created_trainable.pop(variable, None)


class Rollback:
    """A `with` block that leaves unbuilt layers as they were if it fails; one thread at a time.

    Args:
        layer: Everything below it that is not built yet is restored.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    def __enter__(self) -> Rollback:
        with contextlib.ExitStack() as stack:
            if not self.layer.built:
                stack.enter_context(changes.tracing)
            unbuilt = [each for each in all_layers(self.layer) if not each.built]
            self.saved = [(each, snapshot(each)) for each in unbuilt]
            self.held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.held:
            if kind is not None:
                for each, state in self.saved:
                    restore(each, state)


_NUMBERS = (bool, int, float)


class Attributes:
    """What a model, its layers and the random state are, to be put back.

    Args:
        layer: The model.
    """

    def __init__(self, layer: LayerState) -> None:
        self.saved = [(each, snapshot(each)) for each in all_layers(layer)]
        self.seeds = seeds.get_state()
        self.generators = [
            (generator.state, generator.state.numpy())
            for each, _ in self.saved
            for _, generator in seed_generators(each)
        ]

    def changed_numbers(self) -> dict[tuple[Layer, str], bool | int | float]:
        """{(layer, attribute): number or flag} of those that are public and have been set since."""
        return {
            (each, name): value
            for each, state in self.saved
            for name, value in each.__dict__.items()
            if not name.startswith("_") and type(value) in _NUMBERS
            if type(state.get(name)) in _NUMBERS and state[name] != value
        }

    def restore(self) -> None:
        """Makes attributes, seeds and generators what they were."""
        for each, state in self.saved:
            restore(each, state)
        seeds.set_state(self.seeds)
        for variable, value in self.generators:
            variable.write(value)


def restore(layer: LayerState, state: dict[str, Any]) -> None:
    """Makes a layer what it was when `snapshot` returned `state`."""
    layer.__dict__.clear()
    layer.__dict__.update(state)


def snapshot(layer: LayerState) -> dict[str, Any]:
    """A copy of a layer's attributes that later changes in place do not reach."""
    state = dict(layer.__dict__)  # other threads keep their programs there
    copy = dict(state)
    copy.pop("_members", None)  # they are those of the containers that are copied
    for name, value in state.items():
        if name in state["_tracked"] or name in ("_tracked", "_created_trainable", "_calls"):
            copy[name] = _copy_containers(value)
    copy["_tracked"] = {key: copy.get(key, value) for key, value in state["_tracked"].items()}
    return copy


def _copy_containers(value: Any) -> Any:
    if isinstance(value, list):
        return [_copy_containers(item) for item in value]
    if isinstance(value, dict):
        return {key: _copy_containers(item) for key, item in value.items()}
    return value
