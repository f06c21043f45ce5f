"""Ops that write state. Where the program overwrites an input, the oracle returns its new value.

Every function returns a tuple with the new values of the inputs that the op writes, in their order.
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array, check_shape


def accumulate_mean(state: Array, values: Array, weight: Array | None = None) -> tuple[Array]:
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
    return (state + np.array([np.sum(values * weight), np.sum(weight)]),)


def increment(counter: Array) -> tuple[Array]:
    """Count one more: `counter += 1`. Shape (1,), int64."""
    return (counter + 1,)


def assign(variable: Array, value: Array) -> tuple[Array]:
    """Overwrite `variable` by `value`: the same shape, the dtype of `variable`.

    Raises:
        ValueError: `value` has another shape than `variable`.
    """
    check_shape("assign", "value", value, variable.shape)
    return (np.array(value, dtype=variable.dtype),)
