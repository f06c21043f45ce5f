"""An ImmediateGraph computes each node when it is added: user code sees values as it goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..graph.graph import Graph
from ..graph.table import Op
from ..graph.tensor import Feed, Node, StepScalar, Tensor, Tracing, Valued, ValueTensor
from ..graph.types import Attributes, Size
from ..variables import Variable
from .eager import compute
from .feeding import fed


class ImmediateTensor(Valued, Tensor):
    """A tensor of an ImmediateGraph: it has values, and gradients go through it as through any."""

    __slots__ = ("value",)

    value: np.ndarray

    def __init__(
        self, shape: Iterable[Size], dtype: str, graph: Graph, *args: Any, **kwargs: Any
    ) -> None:
        super().__init__(shape, dtype, graph, *args, **kwargs)
        source = self.source
        if isinstance(source, np.ndarray):
            self.value = source
        elif source is not None and not isinstance(source, Feed):
            self.value = source.array.copy()  # who keeps the tensor keeps the values of this step

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.graph.differentiated and self.node is not None:
            raise TypeError(
                f"NumPy of {self.shape} {self.dtype} in a function that is differentiated: its "
                "gradient would end there without a word. Use dlnative.ops; tensor.numpy() gives "
                "the values alone"
            )
        return super().__array__(dtype, copy)

    def _numpy_function(
        self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        values = (x.value if isinstance(x, (ImmediateTensor, ValueTensor)) else x for x in inputs)
        result = getattr(ufunc, method)(*values, **kwargs)
        if getattr(result, "dtype", np.dtype(float)).kind == "f":
            raise TypeError(
                f"np.{ufunc.__name__} of a tensor: no gradient would go through its result. Use "
                "dlnative.ops, or tensor.numpy() for the values alone"
            )
        return result


class ImmediateScalar(ImmediateTensor, StepScalar):
    """A number of the step with its value."""

    __slots__ = ()


class ImmediateGraph(Graph):
    """A graph whose nodes are computed one by one as they are added.

    Everything that makes a program can make this instead, with the same ops, dtypes and random
    numbers, and may look at values on the way. What is assigned to Variables is seen by whoever
    comes later in the same graph, and written at `commit`.

    Args:
        training: What layers see as their `training` argument.
        step: Number of the step, for random masks.
        epoch: Number of the epoch, for augmentation.
        samples: Numbers of the rows, for augmentation.
    """

    is_immediate = True
    tensor_class = ImmediateTensor
    scalar_class = ImmediateScalar

    def __init__(
        self,
        training: bool | None = False,
        step: int = 0,
        epoch: int = 0,
        samples: np.ndarray | None = None,
    ) -> None:
        super().__init__(training=training)
        self._step = step
        self._epoch = epoch
        self._samples = samples

    def feed_array(self, array: np.ndarray, dtype: str, name: str | None = None) -> Tensor:
        """A feed with its values.

        Raises:
            FeedError: Values that the dtype does not have.
        """
        tensor: Any = self.feed(array.shape, dtype, name)
        tensor.value = fed(tensor, array)
        return tensor

    def apply(
        self,
        op: Op,
        inputs: tuple[Any, ...],
        attributes: Attributes,
        kind: type[Tensor] = Tensor,
    ) -> Any:
        """Appends a node and computes it; see `Graph.apply`."""
        count = len(self.nodes)
        results = super().apply(op, inputs, attributes, kind)
        if len(self.nodes) == count:  # a number that is there already
            return results
        node: Any = self.nodes[-1]
        given: list[Any] = [None if t is None else t.value for t in inputs]  # type: ignore
        options = self._attributes(op, node)
        values = compute(op, given, options)
        values = values if isinstance(values, tuple) else (values,)
        self.computed(node, given, options, values)
        for tensor, value in zip(node.outputs, values, strict=True):
            tensor.value = np.asarray(value)
        return results

    def computed(
        self, node: Node, inputs: list[Any], attributes: Attributes, results: tuple[Any, ...]
    ) -> None:
        """Called with what each node was computed from, and its results; does nothing by itself."""

    def _attributes(self, op: Op, node: Node) -> Attributes:
        """The attributes of a node, and what the step says where they do not."""
        given: Attributes = {"step": self._step} if op.random else {}
        if op.per_sample:
            rows = node.inputs[0].shape[0]
            samples = np.arange(rows) if self._samples is None else self._samples
            given = {"epoch": self._epoch, "samples": samples}
        return {**given, **{k: v for k, v in node.attributes.items() if v is not None}}

    def commit(self) -> None:
        """Writes the Variables that were assigned to."""
        assigned: list[tuple[Any, Any, Any]] = list(self.assigned.values())
        written = [
            (variable, tensor.value)
            for variable, tensor, condition in assigned
            if not isinstance(self.leaf(variable).source, Feed)
            and (condition is None or bool(condition.value))
        ]
        self.assigned.clear()
        with Tracing(None):
            for variable, value in written:
                if isinstance(variable, Variable):
                    variable.allocate()
                variable.array[...] = value
                if isinstance(variable, Variable):
                    variable.changed()
