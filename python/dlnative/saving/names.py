"""Names of what a model owns that are the same when it is built anew from its configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from ..layers import tracking
from ..layers.core import is_input
from ..naming import lasting_name
from ..utils.overrides import overridden

__all__ = [
    "layer_names",
    "named_layers",
    "named_variables",
    "renamed",
    "unique",
    "variables_of_version_2",
]

_Path = tuple[str, ...]
_NUMBER = re.compile("[1-9][0-9]{0,8}|0")  # that makes a name unique


def named_layers(model: Any) -> Iterator[tuple[_Path, Any]]:
    """(the way to it, layer) of the model and all layers below it, each once.

    The way goes by names of layers where these are in the configuration of a model, and by
    attributes where a layer makes others itself, whose names have numbers of the process. In a
    model that a layer makes itself, or whose class has a `get_config` of its own, the numbers of
    names are places instead. An InputLayer has nothing to be named for, and may come and go.
    """
    seen = {id(model)}
    waiting: list[tuple[_Path, Any, bool]] = [((), model, True)]
    while waiting:
        path, layer, configured = waiting.pop()
        yield path, layer
        composed = layer.is_model and layer.is_composed
        if composed:
            found = [(s.name, s) for s in tracking.sublayers(layer) if not is_input(s)]
            configured = configured and not overridden(type(layer), ("get_config",))
            if not configured:
                ways = _without_numbers(f"{name}/" for name, _ in found)
                found = [(ways[f"{name}/"][0], sublayer) for name, sublayer in found]
        else:
            found = list(_made(layer))
        below = []
        for name, sublayer in found:
            if id(sublayer) not in seen:
                seen.add(id(sublayer))
                below.append(((*path, name), sublayer, configured and composed))
        waiting.extend(reversed(below))


def layer_names(model: Any) -> dict[str, Any]:
    """{name: layer} of the model and all layers below it: "encoder/dense", the model's is ""."""
    return unique(("/".join(path), layer) for path, layer in named_layers(model))


def unique(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """{name: object}; those of a name that others had before get a number."""
    found: dict[str, Any] = {}
    for given, value in named:
        name, number = given, 1
        while name in found:
            number += 1
            name = f"{given}/{number}"
        found[name] = value
    return found


def named_variables(model: Any) -> dict[str, Any]:
    """The variables of a model by the way to them: "encoder/dense/kernel".

    Raises:
        ValueError: Two variables have the same name.
    """
    named: dict[str, Any] = {}
    seen: set[int] = set()
    for path, layer in named_layers(model):
        own = [v for v in tracking.own_variables(layer) if id(v) not in seen]
        seen.update(map(id, own))
        for name, variable in unique((lasting_name(v), v) for v in own).items():
            _add(named, "/".join((*path, name)), variable)
    return named


def variables_of_version_2(model: Any) -> dict[str, Any]:
    """The names that they had: those of the layers that a layer makes itself are among them."""
    named: dict[str, Any] = {}
    seen: set[int] = set()

    def visit(layers: list[Any], prefix: str) -> None:
        for layer in layers:
            if hasattr(layer, "layers"):
                visit(layer.layers, f"{prefix}{layer.name}/")
            for variable in layer.variables:
                if id(variable) not in seen:
                    seen.add(id(variable))
                    name = variable.path.rpartition(f"{layer.name}/")[2]
                    _add(named, f"{prefix}{layer.name}/{name}", variable)

    visit(model.layers, "")
    return named


def renamed(variables: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Variables by the names that they had in a file of another process.

    The automatic names of layers have numbers by how many of the class there were before, so only
    their order counts. What has no counterpart keeps its name.
    """
    names = list(names)
    deepest = max((name.count("/") for name in variables), default=0)
    if len(names) != len(variables) or any(name.count("/") > deepest for name in names):
        return variables  # of another model
    former = {way: name for name, way in _without_numbers(names).items()}
    return {former.get(way, n): variables[n] for n, way in _without_numbers(variables).items()}


def _without_numbers(names: Iterable[str]) -> dict[str, _Path]:
    """{name: way}, where the number in "dense_12" is its place among those of the same layer."""
    ways = {name: tuple(name.split("/")) for name in names}
    longest = max(map(len, ways.values()), default=0)
    for depth in range(longest - 1):  # the last part is the variable's name
        parts: dict[tuple[_Path, str], set[int]] = {}
        for way in ways.values():
            if depth < len(way) - 1:
                base, number = _split_number(way[depth])
                parts.setdefault((way[:depth], base), set()).add(number)
        places = {
            key: {number: place for place, number in enumerate(sorted(numbers))}
            for key, numbers in parts.items()
        }
        for name, way in ways.items():
            if depth < len(way) - 1:
                base, number = _split_number(way[depth])
                place = places[way[:depth], base][number]
                ways[name] = (*way[:depth], f"{base}_{place}", *way[depth + 1 :])
    return ways


def _split_number(name: str) -> tuple[str, int]:
    """("dense", 12) of "dense_12"; -1 without a number."""
    base, _, digits = name.rpartition("_")
    return (base, int(digits)) if base and _NUMBER.fullmatch(digits) else (name, -1)


def _made(layer: Any) -> Iterator[tuple[str, Any]]:
    """(attribute that leads to it, layer) of those that a layer has made itself."""
    for attribute, value in layer._tracked.items():
        found = [member for member in tracking.walk(value) if tracking.is_layer(member)]
        for number, sublayer in enumerate(found):
            yield attribute if found == [value] else f"{attribute}/{number}", sublayer


def _add(named: dict[str, Any], name: str, variable: Any) -> None:
    if name in named:
        raise ValueError(f"two variables of the model are called '{name}'")
    named[name] = variable
