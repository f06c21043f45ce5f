"""Options of layers that concern their weights: how they are made, penalised and constrained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import constraints, initializers, regularizers
from ..changes import ABSENT
from ..graph.tensor import Tensor, apply
from ..hyperparameters import Option
from ..utils.numbers import is_integer
from ..variables import Variable
from . import messages

if TYPE_CHECKING:
    from ..graph.types import Shape


class Fixed(Option):
    """An option that weights or inner layers were made with, so that it stays.

    Args:
        check: See `Option`.
        from_start: Whether it stays as the constructor has set it; else once the layer is built.

    Raises:
        AttributeError: Another value is set later.
    """

    def __init__(self, check: Callable[[Any, str, Any], Any], from_start: bool = False) -> None:
        super().__init__(check)
        self.from_start = from_start

    def __set__(self, instance: Any, value: Any) -> None:
        value = self.check(instance, self.name, value)
        before = instance.__dict__.get(self.name, ABSENT)
        is_fixed = instance.built or (self.from_start and before is not ABSENT)
        if is_fixed and before is not value and before != value:
            when = "" if self.from_start else " once the layer is built"
            raise AttributeError(
                f"{messages.describe(instance)}: {self.name} is fixed{when}, "
                f"expected {before!r}, received {value!r}. Make a new layer."
            )
        instance.__dict__[self.name] = value


class OfWeight(Option):
    """An option that a weight has from its layer: of a built layer it is that of the weight."""

    def _weight(self, instance: Any) -> tuple[Any, str]:
        """The weight, None before it is made, and its attribute."""
        name, _, attribute = self.name.rpartition("_")
        return instance._weight_of.get(name), attribute

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        weight, attribute = self._weight(instance)
        return instance.__dict__[self.name] if weight is None else getattr(weight, attribute)

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        weight, attribute = self._weight(instance)
        if weight is not None:
            setattr(weight, attribute, instance.__dict__[self.name])


def resolved(get: Callable[[Any], Any]) -> Callable[[Any, str, Any], Any]:
    """A check for `Option`: what `get` makes of a name, a configuration or an object."""
    return lambda layer, name, value: get(value)


def flag(layer: Any, name: str, value: Any) -> bool:
    """A check for `Option`: whether a value is true."""
    return bool(value)


def integer(layer: Any, argument: str, value: Any) -> int:
    """A check for `Option`: an integer of Python or NumPy."""
    if not is_integer(value):
        raise TypeError(
            f"{messages.describe(layer)}: expected {argument} to be an integer, received {value!r}"
        )
    return int(value)


def positive_integer(layer: Any, argument: str, value: Any) -> int:
    """A check for `Option`: an integer of at least 1."""
    if integer(layer, argument, value) < 1:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} of at least 1, received {value}"
        )
    return int(value)


def axis_or_axes(layer: Any, argument: str, value: Any) -> int | list[int]:
    """A check for `Option`: an axis or a list of some."""
    if not isinstance(value, (list, tuple)):
        return integer(layer, argument, value)
    if not value:
        raise ValueError(f"{messages.describe(layer)}: expected at least one {argument}")
    return [integer(layer, f"every {argument}", axis) for axis in value]


def axis_of(layer: Any, axis: int, shape: Shape) -> int:
    """An axis of inputs of a shape, counted from the front; ValueError where there is none."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            f"{messages.describe(layer)}: axis {axis} is out of range for the input, received "
            f"{messages.format_shape(shape)}"
        )
    return axis % len(shape)


def axes_of(layer: Any, given: int | Sequence[int], shape: Shape) -> tuple[int, ...]:
    """One or several axes of inputs of a shape, counted from the front, in their order."""
    several = [given] if isinstance(given, int) else given
    axes = sorted(axis_of(layer, axis, shape) for axis in several)
    if len(set(axes)) < len(axes):
        raise ValueError(
            f"{messages.describe(layer)}: axis {given} names an axis twice for an input of shape "
            f"{messages.format_shape(shape)}"
        )
    return tuple(axes)


def weight_shape(given: int | Sequence[int], shape: Shape) -> Shape:
    """The sizes of axes in the order that Keras has for a weight: negative axes come first."""
    several = [given] if isinstance(given, int) else sorted(given)
    return tuple(shape[axis] for axis in several)


def in_order(weight: Variable | None, axes: Sequence[int], inputs: Tensor) -> Any:
    """A weight of `weight_shape` with the sizes of the axes in their order, as in Keras."""
    sizes = tuple(inputs.shape[axis] for axis in axes)
    if weight is None or weight.shape == sizes:
        return weight
    return apply("reshape", inputs.graph.variable(weight), shape=sizes)


_KINDS: dict[str, tuple[type[Option], Any, Callable[[Any], Any]]] = {
    "initializer": (Fixed, initializers.get, initializers.serialize),
    "regularizer": (OfWeight, regularizers.get, regularizers.serialize),
    "constraint": (OfWeight, constraints.get, constraints.serialize),
}


def add_weight_options(cls: type, weights: tuple[str, ...]) -> None:
    """Gives a class of layers the options "<weight>_initializer" and so on of these weights."""
    for weight in weights:
        for kind, (option_type, get, _) in _KINDS.items():
            option = option_type(resolved(get))
            option.__set_name__(cls, f"{weight}_{kind}")
            setattr(cls, option.name, option)


def weight_options(layer: Any, weight: str) -> dict[str, Any]:
    """The options of a weight of a layer by their kind: what `add_weight` takes."""
    return {kind: getattr(layer, f"{weight}_{kind}") for kind in _KINDS}


def weight_config(layer: Any, weights: tuple[str, ...]) -> dict[str, Any]:
    """The options of these weights as plain values."""
    return {
        f"{weight}_{kind}": serialize(getattr(layer, f"{weight}_{kind}"))
        for weight in weights
        for kind, (_, _, serialize) in _KINDS.items()
    }
