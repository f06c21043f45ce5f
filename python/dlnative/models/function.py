"""Function: the computation between symbolic tensors, to be applied to others."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers.operation import Operation
from ..utils import nest
from .call_graph import CallGraph, OfGraph


class Function(Operation):
    """What leads from symbolic tensors to others, as a function of arrays or other tensors.

    Args:
        inputs: A symbolic tensor, or a list or dict of them: of `Input` or `KerasTensor`.
        outputs: A symbolic tensor, or a list or dict of them.
        name: Its name.

    Raises:
        TypeError: Something among inputs or outputs is not a symbolic tensor.
        ValueError: An output depends on an input that is not given, or there are none.

    Example:
        >>> import numpy as np
        >>> from dlnative import KerasTensor, ops
        >>> x = KerasTensor((None, 2))
        >>> double = Function(x, ops.exp(x) * 2.0)
        >>> np.asarray(double(np.zeros((1, 2))))
        array([[2., 2.]], dtype=float32)
        >>> double.compute_output_shape((4, 2))
        (4, 2)

    Differs from Keras: variables of layers on the way are among its `variables`.
    """

    operations = OfGraph("All layers and ops from the inputs to the outputs.")
    inputs = OfGraph("The symbolic inputs, as a flat list.")
    outputs = OfGraph("The symbolic outputs, as a flat list.")
    _why_no_graph = ""

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None) -> None:
        super().__init__(name=name)
        self.__dict__["_graph"] = graph = CallGraph(self, inputs, outputs)
        self._operations = graph.operations  # tracked: programs depend on their weights
        self.__dict__["built"] = True

    def call(self, inputs: Any) -> Any:
        """The outputs, nested as those that it was made of."""
        return self._graph(self, inputs)  # type: ignore[attr-defined]

    def _feed_dtypes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
        given = nest.flatten((args, kwargs))
        if len(given) != len(self.inputs):  # `call` refuses them
            return super()._feed_dtypes(args, kwargs)
        pairs = zip(given, self.inputs, strict=True)
        return [t.dtype for a, t in pairs if isinstance(a, np.ndarray)]

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            "Function: it has no configuration; make a Model of inputs and outputs to write one"
        )
