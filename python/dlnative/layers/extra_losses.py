"""The part of a layer that adds terms to the loss and has metrics of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..graph import Tensor
from ..graph.graph import Graph
from ..graph.tensor import ValueTensor, apply, traced_graph
from ..metrics.base import Metric
from ..utils import nest
from . import messages, tracking
from .state import LayerState


class ExtraLosses(LayerState):
    """`add_loss`, `losses` and `activity_regularizer`."""

    def add_loss(self, loss: Any) -> None:
        """Adds terms to the loss that training minimises.

        In `call` they are tensors, made of the inputs or of weights; each counts in the step in
        which it was added.

        Args:
            loss: A tensor, or a list of tensors. One with several elements counts with its sum.

        Raises:
            TypeError: Something else, such as a function or a number, or a symbolic tensor of a
                functional model: put `add_loss` into the `call` of a layer.
        """
        for term in nest.flatten(loss):
            if isinstance(term, ValueTensor) or not isinstance(term, Tensor) or term.graph is None:
                kind = "a symbolic tensor" if isinstance(term, Tensor) else type(term).__name__
                raise TypeError(
                    f"{messages.describe(self)}: add_loss takes tensors that are computed in "
                    f"call(), received {kind}"
                )
            term.graph.losses.append((self, apply("sum", term) if term.shape else term))

    @property
    def losses(self) -> list:
        """The terms of the loss: those of `add_loss`, then the penalties of trainable weights.

        In a traced call they are tensors. Outside of one they are numbers: the terms that the last
        call of the layer on arrays added, and the penalties of the present weights.
        """
        layers = tracking.all_layers(self)
        graph = traced_graph()
        if graph is None:
            terms = [value for layer in layers for value in layer.__dict__.get("_added_losses", ())]
        else:
            terms = added_losses(self, graph)
        return [*terms, *penalties(self.trainable_variables)]

    def _regularize_activity(self, graph: Graph, outputs: Any) -> None:
        """Adds the penalty of the outputs, per row of the batch."""
        if self.activity_regularizer is None:
            return
        for tensor in nest.flatten(outputs):
            if not isinstance(tensor, Tensor):
                continue
            what = f"{messages.describe(self)}: its activity_regularizer"
            penalty = graph.result(self.activity_regularizer(tensor), what)
            self.add_loss(penalty / max(tensor.shape[0], 1) if tensor.shape else penalty)


def added_losses(layer: Any, graph: Graph) -> list:
    """The terms that a layer and those below it have added in a graph."""
    inside = {id(each) for each in tracking.all_layers(layer)} if graph.losses else ()
    return [term for owner, term in graph.losses if id(owner) in inside]


def forget_losses(layer: Any, graph: Graph) -> None:
    """What a layer added at an earlier call counts no more: it is called again."""
    if graph.losses:
        inside = {id(each) for each in tracking.all_layers(layer)}
        graph.losses = [entry for entry in graph.losses if id(entry[0]) not in inside]


def keep_losses(layer: Any, owners: list, values: Iterable[np.ndarray]) -> None:
    """Keeps the terms that a call on arrays has computed, for `losses`."""
    for each in tracking.all_layers(layer):
        each.__dict__.pop("_added_losses", None)
    for owner, value in zip(owners, values, strict=True):
        owner.__dict__.setdefault("_added_losses", []).append(value)


def penalties(variables: Iterable) -> list:
    """The penalties of weights that have a regularizer: tensors in a traced call, else numbers."""
    graph = traced_graph()
    terms: list[Any] = []
    for variable in variables:
        if variable.regularizer is None:
            continue
        if graph is None:
            terms.append(np.asarray(variable.regularizer(variable.value)))
            continue
        penalty = graph.result(
            variable.regularizer(graph.variable(variable)), f"the regularizer of '{variable.path}'"
        )
        terms.append(apply("sum", penalty) if penalty.shape else penalty)
    return terms


def own_metrics(layer: Any) -> Iterator[Metric]:
    """The Metrics among the attributes of a layer, also in lists, tuples and dicts."""
    for name, value in vars(layer).items():
        if not name.startswith("_"):
            yield from _metrics_in(value)


def _metrics_in(value: Any) -> Iterator[Metric]:
    if isinstance(value, Metric):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _metrics_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _metrics_in(item)


def attribute_metrics(layer: Any) -> list[Metric]:
    """The Metrics of a layer and of those below it, each once."""
    found: dict[int, Metric] = {}
    for each in tracking.all_layers(layer):
        for metric in own_metrics(each):
            found.setdefault(id(metric), metric)
    return list(found.values())
