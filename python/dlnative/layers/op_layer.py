"""Ops that are used directly on symbolic tensors, between the layers of a functional model."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..graph import Tensor, apply, indexing, table
from ..graph import tensor as graph_tensor
from ..graph.tensor import ValueTensor
from ..naming import auto_name, unknown
from ..ops import public
from ..ops.public import FUNCTIONS
from ..utils import nest
from ..variables import Variable
from . import messages
from .layer import Layer

if TYPE_CHECKING:
    from ..graph.graph import Graph

_COUNTS = {"num", "num_classes"}  # arguments that say how many elements an array has
_LARGEST_COUNT = 1_000_000  # of them, in a file


class OpLayer(Layer):
    """An op as a layer: `x + 1.0`, `ops.matmul(x, y)`, `ops.mean(x, axis=1)`.

    It is called with the op's arguments, symbolic tensors among them, and also arrays, numbers and
    Variables.

    Args:
        op: Name of a public op of `dlnative.ops`, or with `attributes` of a row of the op table.
        attributes: None, or the attributes of the row.
        name: Name in the model; by default that of the op, with a number if taken.

    Raises:
        ValueError: There is no op of that name.
    """

    _public_module = "dlnative.layers"
    is_listed = False
    infers_by_sizes = True

    def __init__(
        self,
        op: str,
        attributes: dict[str, Any] | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if attributes is None:
            ops._load()
        known = FUNCTIONS if attributes is None else table
        if op not in known:
            raise unknown("op", op, known)
        super().__init__(name=auto_name(op.rpartition(".")[2]) if name is None else name, **kwargs)
        self.op = op
        self.attributes = attributes
        if attributes is not None:
            self.attributes = {key: _plain(value) for key, value in attributes.items()}

    @property
    def kind(self) -> str:
        """The name of the op."""
        return self.op

    def call(self, *args: Any, **kwargs: Any) -> Any:
        if self.attributes is None:
            return FUNCTIONS[self.op](*args, **kwargs)
        return apply(self.op, *args, **self.attributes)

    def check_counts(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Raises ValueError where a call would make an array that is larger than any in use.

        `one_hot`, `linspace` and their like compute one of as many elements as a number says.
        """
        if self.attributes is None:
            given = inspect.signature(FUNCTIONS[self.op]).bind(*args, **kwargs).arguments
            for name in _COUNTS & given.keys():
                if isinstance(given[name], int) and given[name] > _LARGEST_COUNT:
                    raise ValueError(
                        f"{messages.describe(self)}: expected {name} of at most {_LARGEST_COUNT}, "
                        f"received {given[name]}"
                    )

    def _as_tensor(self, value: Any, graph: Graph, dtype: str | None) -> Any:
        return graph.variable(value) if isinstance(value, Variable) else value

    def _check_inputs(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        pass  # the op's shape rule says what fits

    def get_config(self) -> dict[str, Any]:
        config = {"name": self.name, "op": self.op}
        return config if self.attributes is None else {**config, "attributes": self.attributes}


def apply_symbolic(name: str, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Any:
    """Applies a row of the op table to symbolic tensors by making an OpLayer of it.

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


def layer_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Applies a public op to symbolic tensors by making an OpLayer of it."""
    layer = OpLayer(name)
    return layer(*nest.map_structure(_argument, args), **nest.map_structure(_argument, kwargs))


def _argument(value: Any) -> Any:
    return value.value if isinstance(value, ValueTensor) else _plain(value)


def _checked(layer: Any, value: Any) -> Any:
    if isinstance(value, ValueTensor):
        return value.value
    if value is None or isinstance(value, (Tensor, Variable, bool, int, float)):
        return value
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{messages.describe(layer)}: expected a tensor, an array or a number, "
            f"received {value!r}"
        )
    return array


def _plain(value: Any) -> Any:
    """An attribute out of JSON or NumPy: lists become tuples, NumPy scalars Python numbers."""
    if isinstance(value, (list, tuple)):
        return tuple(_plain(item) for item in value)
    return value.item() if isinstance(value, np.generic) else value


def _get_item(x: Tensor, key: Any) -> Any:
    return layer_of("get_item", (x, key), {})


graph_tensor.symbolic_apply = apply_symbolic
indexing.symbolic_get_item = _get_item
public.layer_of = layer_of
