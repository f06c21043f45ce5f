"""Tensors and nodes, and `apply`, by which ops make more of them."""

from __future__ import annotations

import importlib
import math
import operator
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

from .dtypes import FLOATS, dtype_of, strong
from .operators import Operators
from .types import Attributes, DTypeLike, Size

if TYPE_CHECKING:
    from ..variables import Variable
    from .graph import Graph
    from .table import Op


class Tensor(Operators):
    """A value that a graph will compute: a shape, a dtype and where it comes from.

    A tensor belongs to a graph and is a leaf (a feed, a variable or a constant) or an output of a
    node. A tensor without a graph is symbolic: it stands for the value between two layers of a
    functional model, and `history` says which layer call made it.

    Attributes:
        shape: Tuple of sizes, None where one is still open.
        dtype: Name of the dtype, such as "float32".
        graph: The graph it belongs to, or None.
        node: The node that computes it, or None for a leaf.
        index: Which output of the node it is.
        source: For a leaf: a Variable, a NumPy array (a constant) or a `Feed`.
        history: For a symbolic tensor: (layer call, output index), None for an `Input`.
        name: For messages.
        mask: For the values of a loss: a tensor of booleans, which of them count; else None.
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "graph",
        "history",
        "index",
        "mask",
        "name",
        "node",
        "shape",
        "source",
    )

    def __init__(
        self,
        shape: Iterable[Size],
        dtype: str = "float32",
        graph: Graph | None = None,
        node: Node | None = None,
        index: int = 0,
        source: Any = None,
        history: Any = None,
        name: str | None = None,
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype
        self.graph: Any = graph
        self.node: Any = node
        self.index = index
        self.source = source
        self.history = history
        self.name = name
        self.mask: Tensor | None = None

    @property
    def is_symbolic(self) -> bool:
        """Whether it stands for the value between two layers of a functional model."""
        return self.graph is None

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> Size:
        """Number of elements; None where a size is open."""
        return None if None in self.shape else math.prod(self.shape)

    def __repr__(self) -> str:
        name = f" name={self.name}" if self.name else ""
        return f"<Tensor shape={self.shape} dtype={self.dtype}{name}>"

    def __format__(self, spec: str) -> str:
        if spec:
            raise TypeError(f"format {spec!r} of {self!r}: a symbolic tensor has no values yet")
        return repr(self)

    def __copy__(self) -> Tensor:
        return self  # it does not change

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self


class Valued:
    """What a tensor can do whose values are known: it converts to NumPy and to Python's numbers."""

    __slots__ = ()
    value: np.ndarray
    shape: tuple

    def numpy(self) -> np.ndarray:
        """The values as a NumPy array."""
        return self.value

    def __repr__(self) -> str:
        return f"<Tensor shape={self.shape} dtype={self.value.dtype.name}\n{self.value}>"

    def __format__(self, spec: str) -> str:
        return format(self.value.item() if spec and not self.shape else self.value, spec)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype) if copy is not False else self.value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __complex__(self) -> complex:
        return complex(self.value)

    def __index__(self) -> int:
        return operator.index(self.value.item())

    def __contains__(self, item: Any) -> bool:
        return item in self.value

    def item(self) -> bool | int | float:
        """The one value as a Python number."""
        return self.value.item()


class ValueTensor(Valued, Tensor):
    """A tensor whose values are known: what user code and compositions see of arrays.

    Its operators are those of all tensors, with the same ops and the same promotion of dtypes, and
    they compute at once.
    """

    __slots__ = ("value",)
    is_symbolic = False

    def __init__(self, value: Any, dtype: DTypeLike | None = None) -> None:
        self.value = np.asarray(value, dtype)
        super().__init__(self.value.shape, self.value.dtype.name)

    def _numpy_function(
        self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        values = (x.value if isinstance(x, ValueTensor) else x for x in inputs)
        return getattr(ufunc, method)(*values, **kwargs)


class StepScalar(Tensor):
    """A number of the step, such as the learning rate or what a schedule makes of the step counter.

    Among themselves and with Python's numbers and integer scalars such numbers are float64, or
    int64 as the step counter where no fraction can come up. Where they meet arrays or other tensors
    they take part as Python's numbers do: rounded once to the dtype of what they meet.
    """

    __slots__ = ()


STEP_DTYPES = ("float64", "int64")
_FLOATS = frozenset(FLOATS)


class Feed:
    """A leaf whose values the caller gives: rows of a data set, or a whole array."""

    __slots__ = ("index", "name")

    def __init__(self, index: int, name: str | None) -> None:
        self.index = index
        self.name = name


class Node:
    """One op applied to tensors.

    Attributes:
        scope: Name of the layer it belongs to, or None.
        composite: Name of the public op that it is a part of, or None.
    """

    __slots__ = ("attributes", "composite", "inputs", "op", "outputs", "scope")

    def __init__(
        self,
        op: Op,
        inputs: tuple[Any, ...],
        attributes: Attributes,
        scope: str | None,
        composite: str | None = None,
    ) -> None:
        self.op = op
        self.inputs = inputs  # tuple of Tensor or None (an absent optional input)
        self.attributes = attributes
        self.scope = scope
        self.composite = composite
        self.outputs: tuple[Tensor, ...] = ()

    def __repr__(self) -> str:
        return f"<Node {self.op.name} {self.scope or ''}>"


class _Traced(threading.local):
    """The graphs that are being made in a thread, outermost first; None where arrays are used."""

    def __init__(self) -> None:
        self.graphs: list[Graph | None] = [None]


_traced = _Traced()


class Tracing:
    """A `with` block in which user code makes `graph`: a Variable stands for its tensor there.

    With None in the place of a graph it is arrays that are computed with, as outside of all blocks.
    """

    __slots__ = ("graph",)

    def __init__(self, graph: Graph | None) -> None:
        self.graph = graph

    def __enter__(self) -> Graph | None:
        _traced.graphs.append(self.graph)
        return self.graph

    def __exit__(self, *exception: object) -> None:
        _traced.graphs.pop()


def traced_graph() -> Graph | None:
    """The graph that user code is making, or None."""
    return _traced.graphs[-1]


class Spec:
    """Shape and dtype: what a shape rule returns for one output."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: Iterable[Size], dtype: str) -> None:
        self.shape = tuple(shape)
        self.dtype = dtype


def symbolic_apply(name: str, inputs: tuple[Any, ...], attributes: Attributes) -> Any:
    """Applies an op to symbolic tensors. The layers, which make such tensors, put theirs here."""
    raise TypeError(f"{name}: a symbolic tensor that no layer has made")


def is_variable(value: Any) -> TypeGuard[Variable]:
    """True for Variables."""
    return getattr(value, "is_graph_variable", False)


def compute(op: Op, inputs: tuple[Any, ...], attributes: Attributes) -> Any:
    """Computes an op on arrays: value tensors. The engines, which can, put theirs here."""
    importlib.import_module("dlnative.engines.eager")
    return compute(op, inputs, attributes)


def apply(name: str, *inputs: Any, **attributes: Any) -> Tensor:
    """Applies the op `name` to tensors, Variables, arrays and Python numbers.

    Where an input is a tensor of a graph, or a Variable while a graph is traced, a node is added to
    that graph; Variables and arrays become leaves of it. On symbolic tensors (between the layers of
    a functional model) the op becomes a layer of its own. Otherwise it is computed at once.

    Returns:
        A tensor, or a tuple where the op has not exactly one output. Its type says tensor, as that
        of nearly all ops is; whoever applies one of several outputs unpacks the result.

    Raises:
        ValueError, TypeError: The op cannot be applied to these.
    """
    from .table import table

    op = table[name]
    graph: Any = None
    like: Any = None
    for value in inputs:
        if not isinstance(value, Tensor):
            continue
        if value.graph is None:
            if value.is_symbolic:
                return symbolic_apply(name, inputs, attributes)
        elif like is None:
            like, graph = value, value.graph
    if like is None:
        graph = traced_graph()
        like = next((v for v in inputs if is_variable(v)), None)
        if graph is None or like is None:
            return compute(op, inputs, attributes)
    if op.dtype_rule is None:
        leaves = [
            value
            if isinstance(value, Tensor) and value.graph is graph and i not in op.input_dtypes
            else _leaf(graph, value, like, op, i)
            for i, value in enumerate(inputs)
        ]
        return graph.apply(op, _floats(op, tuple(leaves)), attributes)
    given = [None if v is None else _dtype_in_graph(v, op.name) for v in inputs]
    if op.elementwise and _are_step_scalars(inputs, given):
        given = ["float64" if dtype == "float" else dtype for dtype in given]
        dtypes = ["float64" if d in FLOATS else d for d in op.operand_dtypes(given)]
        return graph.apply(op, _cast(graph, op, inputs, dtypes), attributes, StepScalar)
    return graph.apply(op, _cast(graph, op, inputs, op.operand_dtypes(given)), attributes)


def _floats(op: Op, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
    """Inputs of an op of floats: integers and booleans among them become floats, as in Keras."""
    if op.writes or _FLOATS.issuperset([t.dtype for t in tensors if t is not None]):
        return tensors
    floats = [t.dtype for t in tensors if t is not None and t.dtype in FLOATS]
    target = floats[0] if floats else strong("float")
    exempt = (*op.input_dtypes, *op.index_inputs)
    return tuple(
        t if t is None or t.dtype in FLOATS or i in exempt else apply("cast", t, dtype=target)
        for i, t in enumerate(tensors)
    )


def _are_step_scalars(inputs: tuple[Any, ...], given: list[str | None]) -> bool:
    """Whether a number of the step meets nothing but numbers."""
    if not any(is_step_scalar(value) for value in inputs):
        return False
    return all(
        dtype not in FLOATS and getattr(value, "shape", ()) == ()
        for value, dtype in zip(inputs, given)
    )


def is_step_scalar(value: Any) -> bool:
    """Whether it is a number of the step, or a Variable that stands for one."""
    return isinstance(value, StepScalar) or getattr(value, "is_step_scalar", False)


def _cast(
    graph: Graph, op: Op, inputs: tuple[Any, ...], dtypes: list[str | None]
) -> tuple[Tensor | None, ...]:
    """The inputs as tensors of these dtypes."""
    tensors: list[Tensor | None] = []
    for value, dtype in zip(inputs, dtypes):
        if value is None or dtype is None:
            tensors.append(None)
        elif isinstance(value, Tensor) and not isinstance(value, ValueTensor):
            tensor = _of_graph(graph, value)
            tensors.append(tensor if tensor.dtype == dtype else apply("cast", tensor, dtype=dtype))
        elif is_variable(value):
            tensor = graph.variable(value)
            tensors.append(tensor if tensor.dtype == dtype else apply("cast", tensor, dtype=dtype))
        else:
            op.check_constant(len(tensors), value, dtype)
            tensors.append(graph.constant(value, dtype))
    return tuple(tensors)


def _dtype_in_graph(value: Any, name: str) -> str:
    """As `dtype_of`, but NumPy's default of float64 does not decide in a float32 model."""
    dtype = dtype_of(value, name)
    if dtype == "float64" and is_step_scalar(value):
        return "float"
    is_constant = isinstance(value, ValueTensor) or not hasattr(value, "source")
    is_constant = is_constant and not is_variable(value)
    return "float" if dtype == "float64" and is_constant else dtype


def _of_graph(graph: Graph, tensor: Tensor) -> Tensor:
    if tensor.graph is not graph:
        raise TypeError(
            f"{tensor!r} belongs to another call: a tensor cannot be kept for a later one, and "
            "a tensor of a functional model does not mix with those of a running call"
        )
    return tensor


def _leaf(graph: Graph, value: Any, like: Any, op: Op, index: int) -> Tensor | None:
    """Input `index` of a row without a dtype rule as a tensor."""
    if value is None:
        return None
    fixed = op.input_dtypes.get(index)
    if isinstance(value, ValueTensor):
        value = value.value
    elif isinstance(value, Tensor) or is_variable(value):
        tensor = _of_graph(graph, value) if isinstance(value, Tensor) else graph.variable(value)
        is_number = fixed == "float64" and tensor.dtype in FLOATS
        return apply("cast", tensor, dtype=fixed) if is_number and tensor.dtype != fixed else tensor
    if fixed is not None:
        op.check_constant(index, value, fixed)
        return graph.constant(value, fixed)
    # Numbers and floating-point arrays take the dtype of the tensor they meet, as in Keras.
    floating = isinstance(value, (int, float)) or np.asarray(value).dtype.kind == "f"
    floating = floating and like.dtype in FLOATS and not is_step_scalar(like)
    return graph.constant(value, like.dtype if floating else None)
