"""What `fit` says where the loss is no number any more: when, and which layer is the first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engines.immediate import ImmediateGraph
from ..utils.warn import warn_user
from .arrays import Rows
from .batch import Feeds
from .loop import Feed


class Watch:
    """Looks at the mean loss whenever a run of steps returns, and warns once.

    Args:
        model: The model that is trained.
        state: Its TrainerState.
        feed: The Feed that it is trained on.
    """

    def __init__(self, model: Any, state: Any, feed: Feed) -> None:
        self._model = model
        self._feed = feed
        self._sums = state.objectives.loss_tracker.state.array  # of the loss, and of the rows
        self._epoch = 0
        self._before = 0  # steps of this epoch after which the loss was finite
        self._has_warned = False

    def begin_epoch(self, epoch: int) -> None:
        """Notes the number of an epoch that begins, from 0."""
        self._epoch, self._before = epoch, 0

    def look(self) -> None:
        """Looks at the sum of the losses of this epoch."""
        if math.isfinite(self._sums[0]):
            self._before = self._feed.steps
        elif not self._has_warned:
            self._warn(float(self._sums[0]))

    def look_at(self, loss: Any) -> None:
        """Looks at the loss in the logs of an epoch, which a step of a model's own may have."""
        if isinstance(loss, float) and not math.isfinite(loss) and not self._has_warned:
            self._warn(loss)

    def _warn(self, loss: float) -> None:
        self._has_warned = True
        first, last = self._before + 1, self._feed.steps
        batches = f"batch {last}" if first >= last else f"one of the batches {first} to {last}"
        warn_user(
            f"fit: the loss is {loss} since {batches} of epoch {self._epoch + 1} (counted from 1); "
            f"{_first_layer(self._model, self._feed)}. A lower learning rate, clipped gradients "
            "(clipnorm of the optimizer) or data on a smaller scale may help; "
            "callbacks.TerminateOnNaN ends training there",
            RuntimeWarning,
        )


def _first_layer(model: Any, feed: Feed) -> str:
    """Where the forward pass of the last batch, with the weights as they are, first goes wrong."""
    last = feed.last()
    found = None if last is None or not model.has_call else _forward(model, *last)
    if found is not None:
        return found
    for variable in model.variables:
        if not _is_finite(variable.value):
            return f"weight '{variable.path}' is the first that is not finite"
    return "all weights are finite"


def _forward(model: Any, rows: Rows, arrays: Sequence[np.ndarray | None]) -> str | None:
    count = next(len(a) for a in arrays if a is not None)
    graph: Any = ImmediateGraph(training=True)
    feeds = Feeds(graph, count, rows, arrays)
    try:
        with np.errstate(all="ignore"):
            model(feeds.inputs(model))
    except Exception:  # such as data of a step of the model's own, which calls it in another way
        return None
    for tensor in graph.feeds:
        if not _is_finite(tensor.value):
            return "the inputs of that batch are not finite"
    for node in graph.nodes:
        if not all(_is_finite(tensor.value) for tensor in node.outputs):
            name = node.scope or model.name
            return (
                f"for the last of them layer '{name}' is the first whose output is not finite, and "
                f"its weights are {_weights_of(model, name)}"
            )
    return "the outputs of all layers are finite for the last of them"


def _weights_of(model: Any, name: str) -> str:
    wrong = [
        v.path for v in model.variables if name in v.path.split("/") and not _is_finite(v.value)
    ]
    return f"not finite: {', '.join(wrong)}" if wrong else "finite"


def _is_finite(value: Any) -> bool:
    array = np.asarray(value)
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
