"""The table of bounds, and how it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from ...graph.types import Attributes

Arrays: TypeAlias = Sequence[Any]  # arrays, or None for an input that is absent
Rule: TypeAlias = Callable[[Arrays, Attributes, Arrays, float], Any]

BOUNDS: dict[str, Rule] = {}  # name of an op -> function that gives its bound or bounds


def bounds(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> list[np.ndarray]:
    """The bound of each output; what rounds to less than the smallest normal number may be 0.

    Args:
        name: Of a row of the op table.
        inputs: In float64.
        attributes: As the oracle takes them.
        exact: What the oracle makes of them.
        eps: Machine epsilon of the dtype in which the op computes.
    """
    with np.errstate(all="ignore"):
        limits = BOUNDS[name](inputs, attributes, exact, eps)
    limits = limits if isinstance(limits, (tuple, list)) else (limits,)
    tiny = np.finfo("float32" if eps > 1e-10 else "float64").tiny
    return [np.asarray(limit) + 64 * tiny for limit in limits]


def bounded(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: a function of (name, inputs, attributes, exact, eps) bounds these ops."""

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            if name in BOUNDS:
                raise ValueError(f"op {name} has a bound already")
            BOUNDS[name] = lambda *given, name=name: function(name, *given)
        return function

    return add


def filled(arrays: Arrays, count: int) -> list[Any]:
    """`count` arrays: those that a plan has left out at the end are absent."""
    return [*arrays, *[None] * (count - len(arrays))]


def absolute(arrays: Arrays) -> list[Any]:
    """The absolute values of arrays."""
    return [None if a is None else np.abs(a) for a in arrays]
