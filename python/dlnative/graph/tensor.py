"""Tensor, Node and Graph: what a model is made of before it becomes a program."""

from __future__ import annotations

import importlib
import operator
import threading
from typing import Any

import numpy as np

from .dtypes import FLOATS, dtype_of, strong
from .operators import Operators


class Tensor(Operators):
    """A value that a graph will compute: a shape, a dtype and where it comes from.

    A tensor belongs to a graph and is a leaf (a feed, a variable or a constant) or an output of a
    node. A tensor without a graph is symbolic: it stands for the value between two layers of a
    functional model, and `history` says which layer call made it.

    Attributes:
        shape: Tuple of sizes; the first may be None where the batch size is still open.
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
        self, shape, dtype, graph=None, node=None, index=0, source=None, history=None, name=None
    ):
        self.shape = tuple(shape)
        self.dtype = dtype
        self.graph = graph
        self.node = node
        self.index = index
        self.source = source
        self.history = history
        self.name = name
        self.mask = None

    @property
    def is_symbolic(self):
        """Whether it stands for the value between two layers of a functional model."""
        return self.graph is None

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        """Number of elements; None where the batch size is open."""
        size = 1
        for n in self.shape:
            if n is None:
                return None
            size *= n
        return size

    def __repr__(self):
        name = f" name={self.name}" if self.name else ""
        return f"<Tensor shape={self.shape} dtype={self.dtype}{name}>"

    def __format__(self, spec):
        if spec:
            raise TypeError(f"format {spec!r} of {self!r}: a symbolic tensor has no values yet")
        return repr(self)

    def __copy__(self):
        return self  # it does not change

    def __deepcopy__(self, memo):
        return self


class ValueTensor(Tensor):
    """A tensor whose values are known: what user code and compositions see of arrays.

    Its operators are those of all tensors, with the same ops and the same promotion of dtypes, and
    they compute at once. It converts to NumPy and to Python's numbers.
    """

    __slots__ = ("value",)
    is_symbolic = False

    def __init__(self, value, dtype=None):
        self.value = np.asarray(value, dtype)
        super().__init__(self.value.shape, self.value.dtype.name)

    def numpy(self):
        """The values as a NumPy array."""
        return self.value

    def __repr__(self):
        return f"<Tensor shape={self.shape} dtype={self.dtype}\n{self.value}>"

    def __format__(self, spec):
        return format(self.value.item() if spec and not self.shape else self.value, spec)

    def __array__(self, dtype=None, copy=None):
        return np.array(self.value, dtype=dtype) if copy is not False else self.value

    def _numpy_function(self, ufunc, method, inputs, kwargs):
        values = (x.value if isinstance(x, ValueTensor) else x for x in inputs)
        return getattr(ufunc, method)(*values, **kwargs)

    def __bool__(self):
        return bool(self.value)

    def __float__(self):
        return float(self.value)

    def __int__(self):
        return int(self.value)

    def __complex__(self):
        return complex(self.value)

    def __index__(self):
        return operator.index(self.value.item())

    def __contains__(self, item):
        return item in self.value

    def item(self):
        """The one value as a Python number."""
        return self.value.item()


class Feed:
    """A leaf whose values the caller gives: rows of a data set, or a whole array."""

    __slots__ = ("index", "name")

    def __init__(self, index, name):
        self.index = index
        self.name = name


class Node:
    """One op applied to tensors.

    Attributes:
        scope: Name of the layer it belongs to, or None.
        composite: Name of the public op that it is a part of, or None.
    """

    __slots__ = ("attributes", "composite", "inputs", "op", "outputs", "scope")

    def __init__(self, op, inputs, attributes, scope, composite=None):
        self.op = op
        self.inputs = inputs  # tuple of Tensor or None (an absent optional input)
        self.attributes = attributes
        self.scope = scope
        self.composite = composite
        self.outputs: tuple[Tensor, ...] = ()

    def __repr__(self):
        return f"<Node {self.op.name} {self.scope or ''}>"


class Graph:
    """A list of nodes in the order of computation.

    Args:
        training: What layers see as their `training` argument.
    """

    def __init__(self, training=False):
        self.training = training
        self.nodes = []
        self.feeds = []
        self.leaves = {}  # id of a Variable -> its tensor
        self.assigned = {}  # id of a Variable -> (the Variable, the tensor that it is now)
        self.scope = None
        self.composite = None  # name of the public op whose nodes are being added
        self.next_random = 0  # numbers the random ops of the graph, for their keys

    def feed(self, shape, dtype, name=None):
        """A new feed tensor; feeds are numbered in the order of creation."""
        tensor = Tensor(shape, dtype, self, source=Feed(len(self.feeds), name), name=name)
        self.feeds.append(tensor)
        return tensor

    def variable(self, variable):
        """The tensor that a Variable or a named state array is: its leaf, or what was assigned."""
        assigned = self.assigned.get(id(variable))
        return self.leaf(variable) if assigned is None else assigned[1]

    def assign(self, variable, tensor):
        """From here on `variable` is `tensor`; it is written when the step commits."""
        self.assigned[id(variable)] = variable, tensor

    def commit(self):
        """Emits the writes of all variables that were assigned to; they are done last."""
        scope, self.scope = self.scope, None
        for variable, tensor in self.assigned.values():
            leaf = self.leaf(variable)
            if tensor is not leaf:
                apply("assign", leaf, tensor)
        self.assigned.clear()
        self.scope = scope

    def leaf(self, variable):
        """The tensor that stands for the values at the beginning of the step (one per graph)."""
        tensor = self.leaves.get(id(variable))
        if tensor is None:
            tensor = Tensor(
                variable.shape, str(variable.dtype), self, source=variable, name=variable.name
            )
            self.leaves[id(variable)] = tensor
        return tensor

    def constant(self, value, dtype=None):
        # By way of an array a Python number wraps where it does not fit, as it does eagerly.
        value = np.array(np.asarray(value), dtype=dtype, order="C")
        return Tensor(value.shape, value.dtype.name, self, source=value)

    def result(self, value, what):
        """What user code has returned, as a tensor of this graph.

        Args:
            value: A tensor of this graph or a Variable.
            what: Who returned it, for the message.

        Raises:
            TypeError: It is something else, such as a number that was computed once and for all.
        """
        if is_variable(value):
            return self.variable(value)
        if isinstance(value, ValueTensor):
            return self.constant(value.value)
        if isinstance(value, Tensor) and value.graph is self:
            return value
        kind = "a tensor of another call" if isinstance(value, Tensor) else type(value).__name__
        raise TypeError(
            f"{what} must return tensors, it returned {kind}. Compute with operators and "
            "dlnative.ops from the tensors given."
        )

    def depends(self, tensor, on):
        """Whether `tensor` is computed from the tensor `on`, or is that."""
        reached = {id(on)}
        for node in self.nodes:
            if any(t is not None and id(t) in reached for t in node.inputs):
                reached.update(id(t) for t in node.outputs)
        return id(tensor) in reached

    def apply(self, op, inputs, attributes):
        """Appends a node; returns its output, or a tuple where the op has not exactly one."""
        specs, attributes = op.check_call(inputs, attributes)
        single = isinstance(specs, Spec)
        for i in op.writes:
            if i < len(inputs) and inputs[i] is not None and inputs[i].source is None:
                raise ValueError(
                    f"{op.name}: a variable that was assigned to in this step is written by "
                    "another part of it, too; leave one of them out"
                )
        node = Node(op, inputs, attributes, self.scope, self.composite)
        node.outputs = tuple(
            Tensor(spec.shape, spec.dtype, self, node, i)
            for i, spec in enumerate((specs,) if single else specs)
        )
        self.nodes.append(node)
        return node.outputs[0] if single else node.outputs


class _Traced(threading.local):
    """The graphs that are being made in a thread, outermost first; None where arrays are used."""

    def __init__(self):
        self.graphs = [None]


_traced = _Traced()


class Tracing:
    """A `with` block in which user code makes `graph`: a Variable stands for its tensor there.

    With None in the place of a graph it is arrays that are computed with, as outside of all blocks.
    """

    __slots__ = ("graph",)

    def __init__(self, graph):
        self.graph = graph

    def __enter__(self):
        _traced.graphs.append(self.graph)
        return self.graph

    def __exit__(self, *exception):
        _traced.graphs.pop()


def traced_graph():
    """The graph that user code is making, or None."""
    return _traced.graphs[-1]


class Spec:
    """Shape and dtype: what a shape rule returns for one output."""

    __slots__ = ("dtype", "shape")

    def __init__(self, shape, dtype):
        self.shape = tuple(shape)
        self.dtype = dtype


def symbolic_apply(name, inputs, attributes):
    """Applies an op to symbolic tensors. The layers, which make such tensors, put theirs here."""
    raise TypeError(f"{name}: a symbolic tensor that no layer has made")


def is_variable(value):
    """True for Variables."""
    return getattr(value, "is_graph_variable", False)


def compute(op, inputs, attributes):
    """Computes an op on arrays: value tensors. The engines, which can, put theirs here."""
    importlib.import_module("dlnative.engines.eager")
    return compute(op, inputs, attributes)


def apply(name, *inputs, **attributes):
    """Applies the op `name` to tensors, Variables, arrays and Python numbers.

    Where an input is a tensor of a graph, or a Variable while a graph is traced, a node is added to
    that graph; Variables and arrays become leaves of it. On symbolic tensors (between the layers of
    a functional model) the op becomes a layer of its own. Otherwise it is computed at once.

    Returns:
        A tensor, or a tuple where the op has not exactly one output.

    Raises:
        ValueError, TypeError: The op cannot be applied to these.
    """
    from .table import table

    op = table[name]
    graph: Any = None
    like: Any = None
    for value in inputs:
        if isinstance(value, Tensor) and not isinstance(value, ValueTensor):
            if value.is_symbolic:
                return symbolic_apply(name, inputs, attributes)
            like = value if like is None else like
            graph = value.graph if graph is None else graph
    if like is None:
        graph = traced_graph()
        like = next((v for v in inputs if is_variable(v)), None)
        if graph is None or like is None:
            return compute(op, inputs, attributes)
    if op.dtype_rule is None:
        tensors = _floats(op, tuple(_leaf(graph, value, like) for value in inputs))
    else:
        tensors = _promoted(graph, op, inputs)
    return graph.apply(op, tensors, attributes)


def _floats(op, tensors):
    """Inputs of an op of floats: integers and booleans among them become floats, as in Keras."""
    if op.writes or all(t is None or t.dtype in FLOATS for t in tensors):
        return tensors
    floats = [t.dtype for t in tensors if t is not None and t.dtype in FLOATS]
    target = floats[0] if floats else strong("float")
    exempt = (*op.input_dtypes, *op.index_inputs)
    return tuple(
        t if t is None or t.dtype in FLOATS or i in exempt else apply("cast", t, dtype=target)
        for i, t in enumerate(tensors)
    )


def _promoted(graph, op, inputs):
    """The inputs as tensors of the dtypes in which they meet."""
    given = [None if v is None else _dtype_in_graph(v, op.name) for v in inputs]
    tensors = []
    for value, dtype in zip(inputs, op.operand_dtypes(given)):
        if value is None:
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


def _dtype_in_graph(value, name):
    """As `dtype_of`, but NumPy's default of float64 does not decide in a float32 model."""
    dtype = dtype_of(value, name)
    is_constant = isinstance(value, ValueTensor) or not hasattr(value, "source")
    is_constant = is_constant and not is_variable(value)
    return "float" if dtype == "float64" and is_constant else dtype


def _of_graph(graph, tensor):
    if tensor.graph is not graph:
        raise TypeError(
            f"{tensor!r} belongs to another call: a tensor cannot be kept for a later one, and "
            "a tensor of a functional model does not mix with those of a running call"
        )
    return tensor


def _leaf(graph, value, like):
    if value is None:
        return None
    if isinstance(value, ValueTensor):
        value = value.value
    elif isinstance(value, Tensor):
        return _of_graph(graph, value)
    if is_variable(value):
        return graph.variable(value)
    # Numbers and floating-point arrays take the dtype of the tensor they meet, as in Keras.
    floating = isinstance(value, (int, float)) or np.asarray(value).dtype.kind == "f"
    return graph.constant(value, like.dtype if floating and like.dtype in FLOATS else None)
