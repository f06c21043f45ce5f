"""Options of optimizers, layers, losses and their kin, checked whenever they are set."""

from __future__ import annotations

import math

import numpy as np

from .utils.numbers import as_float


class Option:
    """An attribute that is checked whenever it is set.

    Args:
        check: Function (instance, name, value) that returns what is kept, or raises.
    """

    def __init__(self, check):
        self.check = check

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance, value):
        instance.__dict__[self.name] = self.check(instance, self.name, value)


class Number(Option):
    """An attribute that is a finite number in [low, high], kept as a float.

    Args:
        low: The smallest value.
        high: The largest value.
        below: Whether the value must be less than `high`.
        optional: Whether it may be None.

    Raises:
        TypeError: Something is set that is not a number.
        ValueError: A number that is not finite, or out of range.
    """

    def __init__(self, low=-math.inf, high=math.inf, below=False, optional=False):
        super().__init__(self._checked)
        self.low = low
        self.high = high
        self.below = below
        self.optional = optional

    def _checked(self, instance, name, value):
        if value is None and self.optional:
            return None
        owner = type(instance).__name__
        number = as_float(owner, name, value)
        inside = self.low <= number <= self.high and not (self.below and number == self.high)
        if not inside or not math.isfinite(number):
            raise ValueError(f"{owner}: expected {name} in {self._range()}, received {value!r}")
        return number

    def _range(self):
        if not math.isfinite(self.high):
            return f"{self.low:g} or greater"
        return f"[{self.low:g}, {self.high:g}" + (")" if self.below else "]")


class Flag(Option):
    """An attribute that is True or False.

    Raises:
        TypeError: Any other value is set.
    """

    def __init__(self):
        super().__init__(_flag)


def _flag(instance, name, value):
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(
            f"{type(instance).__name__}: expected {name} True or False, received {value!r}"
        )
    return bool(value)
