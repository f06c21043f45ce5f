"""How numbers are drawn: at once, or whenever a program runs."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from ..graph.table import table
from ..graph.tensor import Tensor, ValueTensor, apply, traced_graph
from ..graph.types import Result, Shape
from .seed_generator import Seed, key_of

P = ParamSpec("P")


def arrays_or_tensors(function: Callable[P, Tensor]) -> Callable[P, Result]:
    """Decorator: the tensor that a function returns as an array, unless a program is being made."""

    @functools.wraps(function)
    def public(*args: P.args, **kwargs: P.kwargs) -> Result:
        result = function(*args, **kwargs)
        if not isinstance(result, ValueTensor) or traced_graph() is not None:
            return result
        given = [*args, *kwargs.values()]
        return result if any(isinstance(v, ValueTensor) for v in given) else result.value

    public.__module__ = "dlnative.random"
    return public


def draw_options(name: str, seed: Seed) -> dict[str, int]:
    """The attributes of a random row for one draw with this seed."""
    key, fixed = key_of(name, seed)
    return {"seed": key, "step": 0} if fixed else {"seed": key}


def uniform_numbers(name: str, shape: Shape, dtype: str, seed: Seed) -> Tensor:
    """Uniform numbers of [0, 1): values, or in a program the node that draws them.

    Args:
        name: The function that draws, for messages.
        shape, dtype: Of the result.
        seed: An integer, a SeedGenerator or None.
    """
    return drawn("random_uniform", shape=shape, dtype=dtype, **draw_options(name, seed))


def drawn(row: str, *parameters: Tensor, **attributes: Any) -> Tensor:
    """What a random row draws: at once, or in a program at each step, also of known parameters."""
    graph = traced_graph()
    if graph is None:
        return apply(row, *parameters, **attributes)
    tensors = tuple(graph.result(parameter, row) for parameter in parameters)
    return graph.apply(table[row], tensors, attributes)
