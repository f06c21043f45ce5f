"""What `custom_gradient`, `stop_gradient` and `numpy_function` compute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ._arrays import Array


def custom_gradient(y: Array, *xs: Array, rule: Callable[..., Any]) -> Array:
    """y; the gradient is the caller's."""
    return np.array(y)


def stop_gradient(x: Array) -> Array:
    """y = x"""
    return np.array(x)


def numpy_function(
    *xs: Array,
    function: Callable[..., Any],
    shapes: Sequence[Sequence[int]],
    dtypes: Sequence[str],
    backward: Callable[..., Any] | None = None,
) -> Array | tuple[Array, ...]:
    """What `function` makes of the arrays, in the shapes and dtypes that were announced."""
    results = function(*(np.array(x) for x in xs))
    results = tuple(results) if isinstance(results, (tuple, list)) else (results,)
    if len(results) != len(shapes):
        raise ValueError(f"numpy_function: expected {len(shapes)} results, received {len(results)}")
    arrays = [np.asarray(r, dtype=dtype) for r, dtype in zip(results, dtypes)]
    for array, shape in zip(arrays, shapes):
        if array.shape != tuple(shape):
            raise ValueError(
                f"numpy_function: expected a result of shape {tuple(shape)}, received {array.shape}"
            )
    return arrays[0] if len(arrays) == 1 else tuple(arrays)
