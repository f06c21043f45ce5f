"""Options of optimizers, layers, losses and their kin, checked whenever they are set."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .changes import note, used
from .graph.tensor import Tracing, traced_graph
from .scalar import Scalar
from .utils.numbers import as_float, is_integer


class Option:
    """An attribute that is checked whenever it is set.

    Args:
        check: Function (instance, name, value) that returns what is kept, or raises.
    """

    def __init__(self, check: Callable[[Any, str, Any], Any]) -> None:
        self.check = check

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        used(instance)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = self.check(instance, self.name, value)

    def rebuilds(self, before: Any, value: Any) -> bool:
        """Whether programs depend on the change from one value to another."""
        return True


class Number(Option):
    """An attribute that is a finite number in [low, high], kept as a float.

    Args:
        low: The smallest value.
        high: The largest value.
        below: Whether the value must be less than `high`.
        above: Whether the value must be greater than `low`.
        optional: Whether it may be None.

    Raises:
        TypeError: Something is set that is not a number.
        ValueError: A number that is not finite, or out of range.
    """

    def __init__(
        self,
        low: float = -math.inf,
        high: float = math.inf,
        below: bool = False,
        above: bool = False,
        optional: bool = False,
    ) -> None:
        super().__init__(self._checked)
        self.low = low
        self.high = high
        self.below = below
        self.above = above
        self.optional = optional

    def _checked(self, instance: Any, name: str, value: Any) -> float | None:
        if value is None and self.optional:
            return None
        owner = _describe(instance)
        number = as_float(owner, name, value)
        inside = self.low <= number <= self.high
        inside = inside and not (self.below and number == self.high)
        inside = inside and not (self.above and number == self.low)
        if not inside or not math.isfinite(number):
            raise ValueError(f"{owner}: expected {name} {self._range()}, received {value!r}")
        return number

    def _range(self) -> str:
        if not math.isfinite(self.high) and not self.above:
            return f"of at least {self.low:g}" if math.isfinite(self.low) else "to be finite"
        first = "(" if self.above or not math.isfinite(self.low) else "["
        last = ")" if self.below or not math.isfinite(self.high) else "]"
        return f"in {first}{self.low:g}, {self.high:g}{last}"


def _describe(instance: Any) -> str:
    """Who has the option, for messages: a class, and of a layer its name, too."""
    kind = type(instance).__name__
    return f"{kind} '{instance.name}'" if getattr(instance, "is_layer", False) else kind


def is_on(instance: Any, name: str) -> bool:
    """Whether an option is set to something else than None, False and 0.

    Of use where a program is being made, in which numbers are tensors.
    """
    return bool(instance.__dict__[name])


def of_step(instance: Any, name: str, value: float) -> Any:
    """A number of an object, or the tensor of the program that is being made, which reads it."""
    graph = traced_graph()
    if graph is None:
        return value
    used(instance)
    scalars = instance.__dict__.setdefault("_scalars", {})
    if name not in scalars:
        scalars.setdefault(name, Scalar(value, "float64", name))
    return graph.variable(scalars[name])


def set_of_step(instance: Any, name: str, value: float | None) -> None:
    """Programs read `value` from now on, if they read such a number of the object at all."""
    scalar = instance.__dict__.get("_scalars", {}).get(name)
    if value is not None and scalar is not None:
        with Tracing(None):  # it is set once and for all, not in a step
            scalar.assign(value)


class StepNumber(Number):
    """A number that programs read at each step, so that setting it rebuilds none.

    While a program is being made it is a scalar tensor of float64 (`graph.tensor.StepScalar`).
    Whether it is None, and with `switch` whether it is 0, is fixed in a program: such a change
    rebuilds it (see `is_on`). What programs read is made when the first one asks for it, and is
    left behind by copies.

    Args:
        switch: Whether 0 means that something is not done at all.
        **limits: See `Number`.
    """

    def __init__(
        self, low: float = -math.inf, high: float = math.inf, switch: bool = False, **limits: Any
    ) -> None:
        super().__init__(low, high, **limits)
        self.switch = switch

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        value = instance.__dict__[self.name]
        return value if value is None else of_step(instance, self.name, value)

    def __set__(self, instance: Any, value: Any) -> None:
        super().__set__(instance, value)
        set_of_step(instance, self.name, instance.__dict__[self.name])

    def rebuilds(self, before: Any, value: Any) -> bool:
        if (before is None) != (value is None):
            return True
        return self.switch and (before == 0) != (value == 0)


class LateNumber(StepNumber):
    """A number of a layer that is a constant of programs until it is set on a built layer.

    For what kernels take as a constant of theirs, at no cost where nobody changes it. The first
    change rebuilds programs, and from then on they read it at each step as any `StepNumber`.
    """

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None or self.name in instance.__dict__.get("_late", ()):
            return super().__get__(instance, owner)
        return instance.__dict__[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        before = instance.__dict__.get(self.name)
        super().__set__(instance, value)
        late = instance.__dict__.get("_late", ())
        if instance.built and before != instance.__dict__[self.name] and self.name not in late:
            instance.__dict__["_late"] = (*late, self.name)
            note(instance)


class Count(Option):
    """An attribute that is an integer of at least `least`, kept as an int.

    Args:
        least: The smallest value.
        optional: Whether it may be None.

    Raises:
        ValueError: Anything else is set.
    """

    def __init__(self, least: int, optional: bool = False) -> None:
        super().__init__(self._checked)
        self.least = least
        self.optional = optional

    def _checked(self, instance: Any, name: str, value: Any) -> int | None:
        if value is None and self.optional:
            return None
        if is_integer(value) and value >= self.least:
            return int(value)
        kind = "None or an integer" if self.optional else "an integer"
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be {kind} of at least {self.least}, "
            f"received {value!r}"
        )


class Flag(Option):
    """An attribute that is True or False.

    Raises:
        TypeError: Any other value is set.
    """

    def __init__(self) -> None:
        super().__init__(flag_of)


class Absent(Option):
    """An option of a base class that has no meaning for a subclass, or of Keras that there is not.

    Args:
        reason: Why, or what to do instead.
        only: The one value that it has; None stands for it.

    Raises:
        ValueError: Anything else is set.
    """

    def __init__(self, reason: str, only: Any = None) -> None:
        super().__init__(self._checked)
        self.reason = reason
        self.only = only

    def _checked(self, instance: Any, name: str, value: Any) -> Any:
        if value is not None and value != self.only:
            raise ValueError(
                f"{_describe(instance)}: expected {name} to be {self.only}, received {value!r}: "
                f"{self.reason}"
            )
        return self.only


def flag_of(instance: Any, name: str, value: Any) -> bool:
    """A check for `Option`: True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{_describe(instance)}: expected {name} True or False, received {value!r}")
    return bool(value)
