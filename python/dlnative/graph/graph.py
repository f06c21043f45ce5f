"""Graph: the nodes of a step, in the order in which they are computed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..changes import used
from .table import table
from .tensor import (
    STEP_DTYPES,
    Feed,
    Node,
    Spec,
    StepScalar,
    Tensor,
    ValueTensor,
    apply,
    is_step_scalar,
    is_variable,
)
from .types import Attributes, Size

if TYPE_CHECKING:
    from .table import Op


class Graph:
    """A list of nodes in the order of computation.

    Args:
        training: What layers see as their `training` argument.
    """

    tensor_class: type[Tensor] = Tensor
    scalar_class: type[Tensor] = StepScalar
    differentiated = 0  # how many functions that are differentiated are running
    is_immediate = False  # whether tensors have values as soon as they are made

    def __init__(self, training: bool | None = False) -> None:
        self.training = training
        self.losses: list[tuple[Any, Tensor]] = []  # (layer, scalar) of `add_loss`
        self.nodes: list[Node] = []
        self.feeds: list[Tensor] = []
        self.leaves: dict[int, Tensor] = {}  # id of a Variable -> its tensor
        # id of a Variable -> (it, the tensor that it is now, its condition)
        self.assigned: dict[int, tuple[Any, Tensor, Tensor | None]] = {}
        self.watched: list[Tensor] = []  # losses, and the gradients that optimizers are given
        self.gradient_of: dict[int, Node] = {}  # id of a node of a gradient -> whose gradient it is
        self.floatx: str | None = None  # of all floats, where it is not each layer's own
        # A bool scalar: what is assigned now counts where it is true.
        self.condition: Tensor | None = None
        self.scope: str | None = None
        self.composite: str | None = None  # name of the public op whose nodes are being added
        # (op, inputs, attributes) -> result of scalars
        self._scalars: dict[tuple[Any, ...], Any] = {}
        self._numbers: dict[tuple[bytes, np.dtype], Tensor] = {}  # (bytes, dtype) -> a constant
        self._uses: dict[int, list] = {}  # id of a seed generator -> [it, its uses]
        self.next_random = 0  # numbers the random ops of the graph, for their keys

    def feed(self, shape: Iterable[Size], dtype: str, name: str | None = None) -> Tensor:
        """A new feed tensor; feeds are numbered in the order of creation."""
        source = Feed(len(self.feeds), name)
        tensor = self.tensor_class(shape, dtype, self, source=source, name=name)
        self.feeds.append(tensor)
        return tensor

    def variable(self, variable: Any) -> Tensor:
        """The tensor that a Variable or a named state array is: its leaf, or what was assigned."""
        if id(variable) in self.assigned:
            _, tensor, condition = self.assigned[id(variable)]
            if condition is not None and condition is not self.condition:
                tensor = apply("where", condition, tensor, self.leaf(variable))
        else:
            tensor = self.leaf(variable)
        return tensor

    def assign(self, variable: Any, tensor: Tensor) -> None:
        """From here on `variable` is `tensor`; it is written when the step commits.

        In an `only_where` block that counts in the steps in which the condition is true.
        """
        condition = self.condition
        if is_variable(tensor.source) and tensor.source is not variable:
            # The variable is not the other one, whose gradient does not go through it.
            tensor = self._another(tensor)
        before = self.assigned.get(id(variable))
        if before is not None and condition is not None and before[2] is not condition:
            tensor = apply("where", condition, tensor, self.variable(variable))
            condition = None
        self.assigned[id(variable)] = variable, tensor, condition

    def _another(self, tensor: Tensor) -> Tensor:
        """Another tensor of the same values; a number of the step stays one."""
        kind = StepScalar if isinstance(tensor, StepScalar) else Tensor
        return self.apply(table["reshape"], (tensor,), {"shape": tensor.shape}, kind)

    def begin_function(self, variables: Iterable[Any]) -> tuple[int, list[Tensor]]:
        """Prepares for a function that is to be differentiated by `variables`.

        Each of them becomes a tensor of its own, and no number is shared with what was computed
        before, which is constant to the function.

        Returns:
            The number of its first node, and the tensors that the variables are.
        """
        self._scalars.clear()
        tensors = []
        for variable in variables:
            tensor = self.variable(variable)
            if id(variable) in self.assigned:
                tensor = self._another(tensor)
                self.assigned[id(variable)] = variable, tensor, None
            tensors.append(tensor)
        return len(self.nodes), tensors

    @contextlib.contextmanager
    def differentiating(self) -> Iterator[None]:
        """A `with` block in which a function runs that is differentiated."""
        self.differentiated += 1
        try:
            yield
        finally:
            self.differentiated -= 1

    @contextlib.contextmanager
    def only_where(self, condition: Tensor) -> Iterator[None]:
        """A `with` block whose assignments count in the steps in which a bool scalar is true."""
        before, self.condition = self.condition, condition
        try:
            yield
        finally:
            self.condition = before

    def commit(self) -> None:
        """Emits the writes of all variables that were assigned to; they are done last.

        Variables whose values are fed stay as they are.
        """
        scope, self.scope = self.scope, None
        for variable, tensor, condition in self.assigned.values():
            leaf = self.leaf(variable)
            if tensor is not leaf and not isinstance(leaf.source, Feed):
                self.apply(table["assign"], (leaf, tensor, condition), {})
        self.assigned.clear()
        self.scope = scope

    def leaf(self, variable: Any) -> Tensor:
        """The tensor that stands for the values at the beginning of the step (one per graph)."""
        tensor = self.leaves.get(id(variable))
        if tensor is None:
            used(variable)
            kind = self.scalar_class if is_step_scalar(variable) else self.tensor_class
            tensor = kind(
                variable.shape, str(variable.dtype), self, source=variable, name=variable.name
            )
            self.leaves[id(variable)] = tensor
        return tensor

    def substitute(self, variable: Any, other: Any) -> None:
        """The program reads another Variable, like it, in the place of `variable`."""
        self.leaf(variable).source = other

    def constant(self, value: Any, dtype: str | None = None) -> Tensor:
        """A tensor of known values, of their own dtype by default; equal numbers are one tensor."""
        # By way of an array a Python number wraps where it does not fit, as it does eagerly.
        value = np.array(np.asarray(value), dtype=dtype, order="C")
        if value.ndim:
            return self.tensor_class(value.shape, value.dtype.name, self, source=value)
        key = value.tobytes(), value.dtype
        if key not in self._numbers:
            self._numbers[key] = self.tensor_class((), value.dtype.name, self, source=value)
        return self._numbers[key]

    def result(self, value: Any, what: str) -> Tensor:
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

    def next_use(self, generator: Any) -> int:
        """How often a seed generator has been asked in this graph, this time included."""
        uses = self._uses.setdefault(id(generator), [generator, 0])
        uses[1] += 1
        return uses[1]

    def depends(self, tensor: Tensor, on: Tensor) -> bool:
        """Whether `tensor` is computed from the tensor `on`, or is that."""
        reached = {id(on)}
        for node in self.nodes:
            if any(t is not None and id(t) in reached for t in node.inputs):
                reached.update(id(t) for t in node.outputs)
        return id(tensor) in reached

    def apply(
        self,
        op: Op,
        inputs: tuple[Tensor | None, ...],
        attributes: Attributes,
        kind: type[Tensor] = Tensor,
    ) -> Any:
        """Appends a node; returns its output, or a tuple where the op has not exactly one.

        Args:
            op: A row of the table.
            inputs: Tensors of this graph, or None.
            attributes: The op's attributes.
            kind: Class of the results of dtype float64 or int64.
        """
        key = None
        if op.elementwise and all(t is None or t.shape == () for t in inputs):
            # Equal scalars are computed once, and are one tensor to whoever compares them.
            key = op.name, kind, tuple(map(id, inputs)), *sorted(attributes.items())
            if key in self._scalars:
                return self._scalars[key]
        specs, attributes = op.check_call(inputs, attributes)
        node = Node(op, inputs, attributes, self.scope, self.composite)
        plain = self.tensor_class
        numbers = self.scalar_class if kind is StepScalar else plain
        node.outputs = tuple(
            (numbers if spec.dtype in STEP_DTYPES else plain)(spec.shape, spec.dtype, self, node, i)
            for i, spec in enumerate((specs,) if isinstance(specs, Spec) else specs)
        )
        self.nodes.append(node)
        results = node.outputs[0] if isinstance(specs, Spec) else node.outputs
        if key is not None:
            self._scalars[key] = results
        return results
