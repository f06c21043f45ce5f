"""The batch of a step that is being made: inputs, labels and weights as they are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph.graph import Graph
from ..graph.tensor import Tensor, apply
from ..losses.base import Loss
from ..utils import nest
from .arrays import Rows
from .outputs import per_output


def label_dtype(objective: Any, pred: Tensor) -> str:
    """int32 for a loss or metric of class numbers, else the dtype in which it computes."""
    if isinstance(objective, Loss):
        return objective._label_dtype(pred.dtype)
    return "int32" if getattr(objective, "sparse_labels", False) else pred.dtype


def flat_arrays(rows: Rows) -> list[np.ndarray | None]:
    """All arrays of a data set in the order that `Step.sources` counts: inputs, labels, weights."""
    return [*rows.x, *rows.y, *rows.weights]


class Feeds:
    """Makes the feeds of a graph as they are needed and notes which array each one reads.

    Args:
        graph: The graph.
        batch: Number of rows.
        rows: The shapes of one row of everything.
        arrays: The arrays of this very batch, in the order of `flat_arrays`, for a graph that
            computes at once.
    """

    def __init__(
        self, graph: Any, batch: int, rows: Rows, arrays: Sequence[np.ndarray | None] | None = None
    ) -> None:
        self.graph = graph
        self.batch = batch
        self.rows = rows
        self.arrays = flat_arrays(rows) if arrays is None else arrays
        self.is_immediate = arrays is not None
        self.sources: list[int] = []
        self.made: dict[tuple[int, str], Tensor] = {}

    def feed(self, index: int, dtype: str, name: str | None) -> Tensor | None:
        """The feed that reads array `index` as `dtype`; None where there is no such array."""
        array = self.arrays[index]
        if array is None:
            return None
        tensor = self.made.get((index, dtype))
        if tensor is None:
            if self.is_immediate:
                tensor = self.graph.feed_array(array, dtype, name)
            else:
                tensor = self.graph.feed((self.batch, *array.shape[1:]), dtype, name)
            self.made[index, dtype] = tensor
            self.sources.append(index)
        return tensor

    def inputs(self, model: Any) -> Any:
        """Feeds of the model's inputs, nested as they are given."""
        rows = self.rows
        dtypes = iter(model._feed_dtypes((rows.structure,), {}))
        names = getattr(model, "input_names", None)
        if names is None or len(names) != len(rows.x):
            names = [None] * len(rows.x)
        tensors = [
            None if array is None else self.feed(i, next(dtypes), names[i])
            for i, array in enumerate(rows.x)
        ]
        return nest.pack(rows.structure, tensors)

    def labels(self, index: int, dtype: str) -> Tensor | None:
        """The labels of an output; None where there are none."""
        rows = self.rows
        return self.feed(len(rows.x) + index, dtype, "y" if len(rows.y) == 1 else f"y[{index}]")

    def weights(self, index: int, dtype: str) -> Tensor | None:
        """The weights of the samples of an output; None where there are none."""
        rows = self.rows
        return self.feed(len(rows.x) + len(rows.y) + index, dtype, "sample_weight")


class FedBatch:
    """A batch whose labels and weights are fed in the dtypes that they are wanted in.

    Attributes:
        preds: The outputs of the model, a flat list.
        size: Number of rows.
    """

    def __init__(self, feeds: Feeds, preds: list[Tensor]) -> None:
        self.feeds = feeds
        self.preds = preds
        self.size = feeds.batch

    def labels(self, index: int, dtype: str) -> Tensor | None:
        """The labels of an output."""
        return self.feeds.labels(index, dtype)

    def weights(self, index: int, dtype: str) -> Tensor | None:
        """The weights of the samples in the loss of an output."""
        return self.feeds.weights(index, dtype)


class GivenBatch:
    """A batch of tensors that code of a user's has at hand.

    Args:
        x: Inputs.
        y: Labels, nested as the outputs are.
        y_pred: Outputs.
        sample_weight: Weights, nested like the labels, or one for all outputs.
        names: Names of the outputs, or None.
    """

    def __init__(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any, names: list[str] | None
    ) -> None:
        self.preds = nest.flatten(y_pred)
        if isinstance(y_pred, dict):
            names = sorted(y_pred)
        count = len(self.preds)
        self.names = names if names is not None and len(names) == count else None
        self._labels = per_output(y, self.names, count, "y", single=_is_one)
        self._weights = per_output(
            sample_weight, self.names, count, "sample_weight", single=_is_one
        )
        first = next((t for t in (*nest.flatten(x), *self.preds) if isinstance(t, Tensor)), None)
        self.size = 1 if first is None or not first.shape else first.shape[0]

    def labels(self, index: int, dtype: str) -> Tensor | None:
        """The labels of an output; None where there are none."""
        return self._as(self._labels[index], dtype)

    def weights(self, index: int, dtype: str) -> Tensor | None:
        """The weights of the samples of an output; None where there are none."""
        return self._as(self._weights[index], dtype)

    def _as(self, value: Any, dtype: str) -> Tensor | None:
        if value is None:
            return None
        graph: Graph = self.preds[0].graph
        if not isinstance(value, Tensor) or value.graph is None:
            return graph.constant(np.asarray(value), dtype)
        return value if value.dtype == dtype else apply("cast", value, dtype=dtype)

    def resolve(self, objectives: Any) -> None:
        """Says to losses and metrics which outputs they belong to."""
        shapes = [tuple(t.shape) for t in self.preds]
        labels = [None if a is None else tuple(a.shape) for a in self._labels]
        objectives.resolve(self.names, shapes, labels)


def _is_one(value: Any) -> bool:
    return not isinstance(value, (list, tuple, dict))
