"""Tensor, Node and Graph: what a model is made of before it becomes a program."""

from __future__ import annotations

import threading

import numpy as np

from .refusals import Refusals


class Tensor(Refusals):
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
    """

    __slots__ = (
        "__weakref__",
        "dtype",
        "graph",
        "history",
        "index",
        "name",
        "node",
        "shape",
        "source",
    )
    __array_priority__ = 1000.0  # array * tensor is the tensor's to answer

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

    def __pos__(self):
        return self

    def __add__(self, other):
        return apply("add", self, other)

    __radd__ = __add__

    def __sub__(self, other):
        return apply("subtract", self, other)

    def __rsub__(self, other):
        return apply("subtract", other, self)

    def __mul__(self, other):
        return apply("multiply", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other):
        return apply("divide", self, other)

    def __rtruediv__(self, other):
        return apply("divide", other, self)

    def __matmul__(self, other):
        return apply("matmul", self, other)

    def __rmatmul__(self, other):
        return apply("matmul", other, self)

    def __neg__(self):
        return apply("rescale", self, scale=-1.0)


class Feed:
    """A leaf whose values the caller gives: rows of a data set, or a whole array."""

    __slots__ = ("index", "name")

    def __init__(self, index, name):
        self.index = index
        self.name = name


class Node:
    """One op applied to tensors. `scope` names the layer it belongs to."""

    __slots__ = ("attributes", "inputs", "op", "outputs", "scope")

    def __init__(self, op, inputs, attributes, scope):
        self.op = op
        self.inputs = inputs  # tuple of Tensor or None (an absent optional input)
        self.attributes = attributes
        self.scope = scope
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
        self.scope = None
        self.next_random = 0  # numbers the random ops of the graph, for their keys

    def feed(self, shape, dtype, name=None):
        """A new feed tensor; feeds are numbered in the order of creation."""
        tensor = Tensor(shape, dtype, self, source=Feed(len(self.feeds), name), name=name)
        self.feeds.append(tensor)
        return tensor

    def variable(self, variable):
        """The tensor of a Variable or of a named state array (one per graph)."""
        tensor = self.leaves.get(id(variable))
        if tensor is None:
            tensor = Tensor(
                variable.shape, str(variable.dtype), self, source=variable, name=variable.name
            )
            self.leaves[id(variable)] = tensor
        return tensor

    def constant(self, value, dtype=None):
        value = np.array(value, dtype=dtype, order="C")
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
        node = Node(op, inputs, attributes, self.scope)
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


def apply(name, *inputs, **attributes):
    """Applies the op `name` to graph tensors, Variables, arrays and Python numbers.

    At least one input must be a tensor, or a Variable while a graph is traced; Variables and arrays
    become leaves of the graph. On symbolic tensors (between the layers of a functional model) the
    op becomes a layer of its own.
    """
    from .table import table

    op = table[name]
    graph = like = None
    for value in inputs:
        if isinstance(value, Tensor):
            like = value if like is None else like
            graph = value.graph if graph is None else graph
    if like is None:
        graph = traced_graph()
        like = next((v for v in inputs if is_variable(v)), None)
        if graph is None or like is None:
            raise TypeError(
                f"{name}: expected at least one tensor, received "
                f"{[type(v).__name__ for v in inputs]}"
            )
    if graph is None:
        return symbolic_apply(name, inputs, attributes)
    return graph.apply(op, tuple(_leaf(graph, value, like) for value in inputs), attributes)


def _leaf(graph, value, like):
    if value is None:
        return None
    if isinstance(value, Tensor):
        if value.graph is not graph:
            raise TypeError(
                f"{value!r} belongs to another call: a tensor cannot be kept for a later one, and "
                "a tensor of a functional model does not mix with those of a running call"
            )
        return value
    if is_variable(value):
        return graph.variable(value)
    # Numbers and floating-point arrays take the dtype of the tensor they meet, as in Keras.
    floating = isinstance(value, (int, float)) or np.asarray(value).dtype.kind == "f"
    return graph.constant(
        value, like.dtype if floating and like.dtype.startswith("float") else None
    )
