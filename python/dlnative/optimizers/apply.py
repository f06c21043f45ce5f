"""`Optimizer.apply`: an update of given arrays, compiled once per list of parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config
from ..graph.graph import Graph
from ..losses.base import FLOATS
from ..placement import FlatBuffer
from ..variables import Variable

if TYPE_CHECKING:
    from .._core import ArenaPool
    from .optimizer import Optimizer

KEPT = 8  # programs, one per list of parameters


def apply_update(
    optimizer: Optimizer, grads: Iterable[Any], parameters: Iterable[Any] | None
) -> None:
    """One update of `parameters` by `grads`; see `Optimizer.apply`."""
    grads = list(grads)
    if not grads:
        return
    variables = _variables(optimizer, grads, parameters)
    arrays, changed = [], []
    for i, (grad, variable) in enumerate(zip(grads, variables, strict=True)):
        if grad is None:
            continue
        grad = np.asarray(grad)
        if grad.shape != variable.shape or grad.dtype.kind not in "fiub":
            raise ValueError(
                f"{type(optimizer).__name__}.apply: expected gradient {i} of shape "
                f"{variable.shape} for '{variable.path}', received {grad.dtype} {grad.shape}"
            )
        arrays.append(grad)
        changed.append(variable)
    optimizer.prepare(variables)
    key = (config.current_engine(), *(id(v) for v in changed))
    if optimizer._programs is None:
        from ..engines import ProgramCache

        optimizer._programs = ProgramCache(KEPT)
    optimizer._programs.get(key, lambda arenas: _build(optimizer, changed, arenas))(*arrays)


def parameters_of(
    optimizer: Optimizer, grads: Sequence[Any], parameters: Iterable[Any] | None
) -> list[Variable]:
    """The parameters as Variables, of an optimizer that is built on them if it was not yet."""
    variables = _variables(optimizer, grads, parameters)
    optimizer.prepare(variables)
    return variables


def _variables(
    optimizer: Optimizer, grads: Sequence[Any], parameters: Iterable[Any] | None
) -> list[Variable]:
    """The parameters as Variables that the optimizer knows, or that it can be built on."""
    owner = f"{type(optimizer).__name__}.apply"
    if parameters is None:
        if not optimizer.built:
            raise ValueError(
                f"{owner}: give the variables in the first call, or call build(variables) before"
            )
        variables = optimizer._trainable_variables
    else:
        variables = [_as_variable(optimizer, owner, p) for p in parameters]
    if len(grads) != len(variables):
        raise ValueError(
            f"{owner}: expected {len(variables)} gradients, one per parameter, received "
            f"{len(grads)}"
        )
    if optimizer.built:
        for v in variables:
            if id(v) not in optimizer._indices:
                raise ValueError(
                    f"{owner}: unknown parameter '{v.path}' of shape {v.shape}. The optimizer "
                    "works on the parameters that it was built with; make a new optimizer for "
                    "others."
                )
    return variables


def _as_variable(optimizer: Optimizer, owner: str, parameter: Any) -> Variable:
    """A Variable as it is, or a bare array as a Variable that shares its memory."""
    if isinstance(parameter, Variable):
        return parameter
    if not isinstance(parameter, np.ndarray):
        raise TypeError(
            f"{owner}: expected Variables or NumPy arrays, received {type(parameter).__name__}"
        )
    known = optimizer._wrapped.get(id(parameter))
    if known is not None:
        return known[1]
    if (
        parameter.dtype.name not in FLOATS
        or not parameter.flags.c_contiguous
        or not parameter.flags.writeable
    ):
        raise TypeError(
            f"{owner}: expected a writable, contiguous float32 or float64 array, received "
            f"{parameter.dtype} {parameter.shape} (contiguous: {parameter.flags.c_contiguous}, "
            f"writable: {parameter.flags.writeable}). Pass a Variable itself, not its values."
        )
    variable = Variable(np.zeros((), parameter.dtype), name=f"array_{len(optimizer._wrapped)}")
    variable._value = parameter
    variable._placed = True
    variable._buffer = FlatBuffer(parameter)
    variable.shape = parameter.shape
    optimizer._wrapped[id(parameter)] = (parameter, variable)
    return variable


def _build(optimizer: Optimizer, variables: Sequence[Variable], arenas: ArenaPool) -> Any:
    """The program of one update: one feed per gradient, no outputs."""
    from .. import engines

    graph = Graph(training=True)
    feeds = [graph.feed(v.shape, v.dtype, f"gradient of {v.path}") for v in variables]
    optimizer.apply_nodes(graph, variables, feeds)
    return engines.build(graph, [], arenas=arenas)
