"""Ops that are used directly on symbolic tensors, between the layers of a functional model."""

from __future__ import annotations

import numpy as np

from ..graph import Tensor, apply, table
from ..graph import tensor as graph_tensor
from ..naming import auto_name, unknown
from ..variables import Variable
from . import messages
from .layer import Layer


class OpLayer(Layer):
    """One op of the op table as a layer: `x + 1.0`, `ops.matmul(x, y)`, `ops.relu(x)`.

    It is called with the op's inputs, symbolic tensors among them, and also arrays, numbers and
    Variables. Numbers and arrays take the dtype of the tensors.

    Args:
        op: Name of the op.
        attributes: The op's attributes.
        name: Name in the model; by default that of the op, with a number if taken.

    Raises:
        ValueError: There is no op of that name.
    """

    _public_module = "dlnative.layers"

    def __init__(self, op, attributes=None, name=None, **kwargs):
        if op not in table:
            raise unknown("op", op, table)
        super().__init__(name=auto_name(op) if name is None else name, **kwargs)
        self.op = op
        self.attributes = {key: _plain(value) for key, value in (attributes or {}).items()}

    @property
    def kind(self):
        return self.op

    def call(self, *inputs):
        return apply(self.op, *inputs, **self.attributes)

    def _as_tensor(self, value, graph, dtype):
        if isinstance(value, (bool, int, float)):
            return graph.constant(value, dtype)
        return super()._as_tensor(value, graph, dtype)

    def _check_inputs(self, args, kwargs):
        pass  # the op's shape rule says what fits

    def get_config(self):
        return {"name": self.name, "op": self.op, "attributes": dict(self.attributes)}


def apply_symbolic(name, inputs, attributes):
    """Applies an op to symbolic tensors by making an OpLayer of it.

    Args:
        name: Name of the op.
        inputs: Symbolic tensors, arrays, numbers, Variables or None.
        attributes: The op's attributes.

    Returns:
        A symbolic tensor, or several.

    Raises:
        TypeError: An input is none of these.
    """
    layer = OpLayer(name, attributes)
    return layer(*(_checked(layer, value) for value in inputs))


def _checked(layer, value):
    if value is None or isinstance(value, (Tensor, Variable, bool, int, float)):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{messages.describe(layer)}: expected a tensor, an array or a number, "
            f"received {value!r}"
        )
    return array


def _plain(value):
    """An attribute out of JSON or NumPy: lists become tuples, NumPy scalars Python numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


graph_tensor.symbolic_apply = apply_symbolic
