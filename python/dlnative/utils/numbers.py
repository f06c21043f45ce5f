"""Checks of numbers that users give as arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def is_integer(value: object) -> bool:
    """Whether it is an integer of Python or NumPy; True and False are none."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Whether it is a real number of Python or NumPy; True and False are none."""
    return is_integer(value) or isinstance(value, (float, np.floating))


def as_float(owner: str, argument: str, value: Any) -> float:
    """`value` as a float, an integer beyond the largest one as an infinity.

    Args:
        owner: Whose argument it is, for the message.
        argument: Its name.
        value: A number of Python or NumPy, or an array of one.

    Raises:
        TypeError: It is no number.
    """
    single = isinstance(value, np.ndarray) and value.size == 1
    number = value.item() if single else value
    if not is_number(number):
        raise TypeError(f"{owner}: expected {argument} to be a number, received {value!r}")
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def finite_number(owner: str, argument: str, value: Any) -> float:
    """`value` as a float.

    Args:
        owner: Whose argument it is, for the message.
        argument: Its name.
        value: A number of Python or NumPy, or an array of one.

    Raises:
        TypeError: It is no number.
        ValueError: It is NaN, infinite or too large for a float.
    """
    number = as_float(owner, argument, value)
    if not math.isfinite(number):
        raise ValueError(f"{owner}: expected {argument} to be finite, received {value!r}")
    return number


def whole_number(owner: str, argument: str, value: Any, low: int) -> int:
    """`value` as an int of at least `low`.

    Args:
        owner: Whose argument it is, for the message.
        argument: Its name.
        value: An integer of Python or NumPy.
        low: The least that it may be.

    Raises:
        TypeError: It is no integer.
        ValueError: It is too small.
    """
    if not is_integer(value):
        raise TypeError(f"{owner}: expected {argument} to be a whole number, received {value!r}")
    if value < low:
        raise ValueError(f"{owner}: expected {argument} to be {low} or more, received {value!r}")
    return int(value)
