"""Checks of numbers that users give as arguments."""

from __future__ import annotations

import math

import numpy as np


def finite_number(owner, argument, value):
    """`value` as a float.

    Args:
        owner: Whose argument it is, for the message.
        argument: Its name.
        value: A number of Python or NumPy, or an array of one.

    Raises:
        TypeError: It is no number.
        ValueError: It is NaN, infinite or too large for a float.
    """
    number = value.item() if isinstance(value, np.ndarray) and value.size == 1 else value
    if isinstance(number, bool) or not isinstance(number, (int, float, np.integer, np.floating)):
        raise TypeError(f"{owner}: expected {argument} to be a number, received {value!r}")
    try:
        result = float(number)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise ValueError(f"{owner}: expected {argument} to be finite, received {value!r}")
    return result
