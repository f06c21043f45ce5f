"""Numbers and flags of optimizers and regularizers, checked whenever they are set."""

from __future__ import annotations

import math

import numpy as np


class Number:
    """An attribute that is a finite number in [low, high], kept as a float.

    Args:
        low: The smallest value.
        high: The largest value.
        below: Whether the value must be less than `high`.
        optional: Whether it may be None.
    """

    def __init__(self, low=-math.inf, high=math.inf, below=False, optional=False):
        self.low = low
        self.high = high
        self.below = below
        self.optional = optional

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance, value):
        instance.__dict__[self.name] = self.checked(type(instance).__name__, value)

    def checked(self, owner, value):
        """`value` as a float, or None where that is allowed.

        Raises:
            TypeError: It is not a number.
            ValueError: It is not finite, or out of range.
        """
        if value is None and self.optional:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
            raise TypeError(
                f"{owner}: expected a number for {self.name}, received {value!r} of type "
                f"{type(value).__name__}"
            )
        try:
            number = float(value)
        except OverflowError:  # an integer beyond the largest float
            number = math.inf
        inside = self.low <= number <= self.high and not (self.below and number == self.high)
        if not inside or not math.isfinite(number):
            raise ValueError(
                f"{owner}: expected {self.name} in {self._range()}, received {value!r}"
            )
        return number

    def _range(self):
        if not math.isfinite(self.high):
            return f"{self.low:g} or greater"
        return f"[{self.low:g}, {self.high:g}" + (")" if self.below else "]")


class Flag:
    """An attribute that is True or False.

    Raises:
        TypeError: Any other value is set.
    """

    def __set_name__(self, owner, name):
        self.name = name

    def __get__(self, instance, owner=None):
        return self if instance is None else instance.__dict__[self.name]

    def __set__(self, instance, value):
        if not isinstance(value, (bool, np.bool_)):
            raise TypeError(
                f"{type(instance).__name__}: expected {self.name} True or False, received {value!r}"
            )
        instance.__dict__[self.name] = bool(value)
