"""Assignment, running means and the check of a step: the oracle returns what the state becomes."""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array, check_shape


def accumulate_mean(state: Array, values: Array, weight: Array | None = None) -> Array:
    """Add to a running weighted mean: `state += [sum(values * weight), sum(weight)]`.

    Without `weight` every value counts once. The mean so far is `state[0] / state[1]`.
    Shapes: `state` (2,), float64; `values` and `weight` the same shape, float32 or float64.
    The sums are float64.

    Raises:
        ValueError: `weight` has another shape than `values`.
    """
    if weight is None:
        weight = np.ones_like(values)
    check_shape("accumulate_mean", "weight", weight, values.shape)
    values, weight = as_array(values, np.float64), as_array(weight, np.float64)
    return state + np.array([np.sum(values * weight), np.sum(weight)])


def assign(variable: Array, value: Array, condition: Array | None = None) -> Array:
    """`value`, or `variable` as it was where there is a condition that is false.

    Raises:
        ValueError: `value` has another shape than `variable`.
    """
    check_shape("assign", "value", value, variable.shape)
    result = value if condition is None or condition else variable
    return np.array(result, dtype=variable.dtype)


class NotFinite(ValueError):
    """A step has values that are not finite: nothing of it is written."""


def check_finite(armed: Array, *values: Array) -> Array:
    """Whether all of `values` are finite.

    Shapes: `armed` (), int64; `values` any.

    Raises:
        NotFinite: They are not, and `armed` is not 0.
    """
    result = all(bool(np.isfinite(value).all()) for value in values)
    if armed and not result:
        raise NotFinite("check_finite: a value is not finite")
    return np.array(result)
