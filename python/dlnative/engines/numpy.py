"""The NumPy engine: runs the same graphs, op by op, with the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph.tensor import is_variable
from ..placement import exclusive
from ..plan.flatten import place_variables
from ..plan.schedule import live_nodes
from .feeding import fed
from .stepping import Stepwise

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.tensor import Node, Tensor


class NumpyFunction(Stepwise):
    """A graph walked with `dlnative.reference`; same interface as NativeFunction."""

    def __init__(self, graph: Graph, outputs: Sequence[Tensor]) -> None:
        self.variables = place_variables(graph, outputs)
        self.feeds = graph.feeds
        self.outputs = list(outputs)
        self.nodes = live_nodes(graph.nodes, outputs)

    @property
    def rows(self) -> list[int]:
        """See `Stepwise.rows`."""
        return [feed.shape[0] for feed in self.feeds]

    def once(
        self, arrays: Sequence[np.ndarray], step: int, epoch: int, samples: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        """See `Stepwise.once`."""
        with exclusive(self.variables):  # steps take turns
            return self._compute(arrays, step, epoch, samples)

    def _compute(
        self, arrays: Sequence[np.ndarray], step: int, epoch: int, samples: np.ndarray | None
    ) -> tuple[np.ndarray, ...]:
        if len(arrays) != len(self.feeds):
            raise ValueError(f"expected {len(self.feeds)} arrays, received {len(arrays)}")
        if samples is None:
            samples = np.arange(self.feeds[0].shape[0] if self.feeds and self.feeds[0].shape else 0)
        values: dict[int, np.ndarray] = {}
        for feed, array in zip(self.feeds, arrays):
            if array.shape != feed.shape:
                raise ValueError(f"expected an array of shape {feed.shape}, received {array.shape}")
            values[id(feed)] = fed(feed, array)
        with np.errstate(all="ignore"):  # infinities and NaN are results, as in the native engine
            for node in self.nodes:
                self._run_node(node, values, step, epoch, samples)
        return tuple(np.array(self._value(t, values)) for t in self.outputs)

    def _run_node(
        self,
        node: Node,
        values: dict[int, np.ndarray],
        step: int,
        epoch: int,
        samples: np.ndarray | None,
    ) -> None:
        inputs: list[Any] = [None if t is None else self._value(t, values) for t in node.inputs]
        attributes = node.attributes
        if node.op.random or node.op.per_sample:
            given = {"step": step} if node.op.random else {"epoch": epoch, "samples": samples}
            attributes = {**given, **{k: v for k, v in attributes.items() if v is not None}}
        try:
            results = node.op.reference(*inputs, **attributes)
        except ValueError as error:
            if not node.scope or type(error) is not ValueError:
                raise
            raise ValueError(f"layer '{node.scope}': {error}") from error
        if node.op.writes:
            written = [i for i in node.op.writes if inputs[i] is not None]
            results = results if isinstance(results, tuple) else (results,)
            for i, result in zip(written, [r for r in results if r is not None]):
                inputs[i][...] = result
                if is_variable(node.inputs[i].source):
                    node.inputs[i].source.changed()
        elif len(node.outputs) == 1:
            values[id(node.outputs[0])] = results
        else:
            for t, result in zip(node.outputs, results):
                values[id(t)] = result

    @staticmethod
    def _value(tensor: Tensor, values: dict[int, np.ndarray]) -> np.ndarray:
        if tensor.source is None or id(tensor) in values:
            return values[id(tensor)]
        source = tensor.source
        return source if isinstance(source, np.ndarray) else source.array
