"""What holds a step of training back: a loss, a gradient or a new weight that is not finite."""

from __future__ import annotations

from typing import Any

from ..graph.dtypes import FLOATS
from ..graph.graph import Graph
from ..graph.table import table
from ..graph.tensor import Tensor
from .training_state import optimizers_of

FEW = 2048  # gradients of so many elements in all are looked at in 0.2 us


def add_guard(graph: Graph, state: Any, model: Any) -> Tensor:
    """Adds the check of a step to its graph, after all else.

    By default it looks at the losses, at the smallest gradients, such as those of biases, where
    most of what is not finite arrives, and at small state of layers, such as moving statistics: it
    costs next to nothing. With `state.checks_all` it looks at all gradients and at all that the
    step would write into weights, state and slots.

    Args:
        graph: The graph of the step.
        state: The TrainerState, whose `armed` says whether the step is held back.
        model: The model.

    Returns:
        A bool scalar, which the program must compute: whether all is finite.
    """
    watched = watched_tensors(graph, model) if state.checks_all else _few(graph, model)
    armed = graph.constant(0, "int64") if graph.is_immediate else graph.leaf(state.armed)
    scope, graph.scope = graph.scope, None
    result = graph.apply(table["check_finite"], (armed, *watched), {})
    graph.scope = scope
    return result


def watched_tensors(graph: Graph, model: Any) -> list[Tensor]:
    """Losses, gradients, and the new values of weights, state of layers and slots, each once."""
    slots = [v for optimizer in optimizers_of(model) for v in optimizer.variables]
    return list(
        {id(t): t for t in (*_watched(graph), *_new(graph, model.variables, slots))}.values()
    )


def _watched(graph: Graph) -> list[Tensor]:
    return [t for t in graph.watched if t.dtype in FLOATS]


def _new(graph: Graph, *variables: Any) -> list[Tensor]:
    """What the step writes into variables of floats."""
    return [
        graph.variable(v)
        for each in variables
        for v in each
        if v.dtype in FLOATS and id(v) in graph.assigned
    ]


def _few(graph: Graph, model: Any) -> list[Tensor]:
    """The smallest of the losses, gradients and states of layers, in their order."""
    left, chosen = FEW, set()
    candidates = (*_watched(graph), *_new(graph, model.non_trainable_variables))
    floats = {id(t): t for t in candidates}
    for tensor in sorted(floats.values(), key=lambda t: t.size or 0):
        left -= tensor.size or 0
        if left < 0:
            break
        chosen.add(id(tensor))
    return [t for key, t in floats.items() if key in chosen]
