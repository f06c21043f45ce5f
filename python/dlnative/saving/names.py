"""Names of what a model owns that are the same when it is built anew from its configuration."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..layers import tracking

__all__ = ["layer_names", "named_layers", "named_variables", "unique", "variables_of_version_2"]

_Path = tuple[str, ...]


def named_layers(model: Any) -> Iterator[tuple[_Path, Any]]:
    """(the way to it, layer) of the model and all layers below it, each once.

    The way goes by names of layers where these are in the configuration of a model, and by
    attributes where a layer makes others itself, whose names have numbers of the process.
    """
    seen = {id(model)}
    waiting: list[tuple[_Path, Any]] = [((), model)]
    while waiting:
        path, layer = waiting.pop()
        yield path, layer
        below = []
        for name, sublayer in _sublayers(layer):
            if id(sublayer) not in seen:
                seen.add(id(sublayer))
                below.append(((*path, name), sublayer))
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
    """The variables of a model by the way to them: "encoder/dense/kernel"."""
    named: dict[str, Any] = {}
    seen: set[int] = set()
    for path, layer in named_layers(model):
        for variable in tracking.own_variables(layer):
            if id(variable) not in seen:
                seen.add(id(variable))
                _add(named, "/".join((*path, variable.path.rpartition("/")[2])), variable)
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


def _sublayers(layer: Any) -> Iterator[tuple[str, Any]]:
    if layer.is_model and layer.is_composed:
        for sublayer in tracking.sublayers(layer):
            yield sublayer.name, sublayer
        return
    for attribute, value in layer._tracked.items():
        found = [member for member in tracking.walk(value) if tracking.is_layer(member)]
        for number, sublayer in enumerate(found):
            yield attribute if found == [value] else f"{attribute}/{number}", sublayer


def _add(named: dict[str, Any], name: str, variable: Any) -> None:
    if name in named:
        raise ValueError(f"two variables of the model are called '{name}'")
    named[name] = variable
