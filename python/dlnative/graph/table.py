"""The op table: every op of dlnative is one row, read by all who need to know about ops."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from . import dtypes
from .attributes import checked
from .dtypes import ITEMSIZE
from .open_shapes import infer_open
from .tensor import Node, Spec, Tensor
from .types import Attributes, Axes, Gradients, Specs

AnyOp = TypeVar("AnyOp", bound="Op")

table: dict[str, Op] = {}


class Op:
    """One row of the op table.

    A subclass gives `name`, the shape rule `infer`, and where they apply the gradient rule, the
    cost and the aliasing. The native kernel is registered in C++ under the same name, and the
    oracle is `dlnative.reference.<name>`.

    Attributes:
        name: The word for this op at every level.
        inplace: {output index: input index}: that output may overwrite that input if it is dead.
            See `overwrites`.
        writes: Indices of the inputs that the op overwrites. Only `assign` does: such nodes are
            never dropped, and come last.
        saves: For activations, "output" or "input": what the gradient rule needs.
        view: True where the output is the input's memory under another shape.
        random: True where the result depends on the number of the training step.
        input_dtypes: {input index: dtype} of inputs that are not of the op's floating dtype.
        per_sample: True where it depends on the epoch and on the numbers of the samples.
        dtype_rule: How operands of several dtypes meet: a function of `graph.dtypes` that gives the
            dtype which all of them are cast to, or None for each its own. Without a rule an op
            takes floats of one dtype.
        keeps_dtype: Indices of the inputs that the rule is not about, such as indices.
        open_shapes: True where `infer` computes with axes of size None by itself.

    Traits, by which passes, engines and checks find what concerns them:
        forward, backward: A link between two rows: `backward` computes all of the gradient of
            `forward`. None where there is no such row.
        fused: The row that stands for this one together with what its epilogue took in, where that
            is another row.
        fusion: What it is to others that may take it in, one word or None: "activation",
            "activation_gradient", "add", "bias_gradient", "difference", "loss_sum",
            "normalization", "product", "rescale", "square".
        epilogue: What its own kernel does in the same pass where asked to: a set of the words of
            `fusion`, or "relu" (that activation only), "relu_gradient" (of its dy, beforehand),
            "indices" (positions of maxima, one byte each), "moments" (those of blocks of its
            result).
        residual: Index of the input that the plan may give it, which is added to the result before
            the activation; or None.
        moments: Index of the input where it takes the moments of blocks of rows of its first one,
            instead of reading that; or None.
        map: The elementwise function of the fused loops that it is, or None. See `line`.
        reduction: True where it is sum, mean, max or min over axes, which a loop may end with.
        spreads: True where the result is the input, broadcast.
        permutes: True where the result is the input with its axes in the order `axes`.
        elementwise: True where an element of a result depends on the same elements of the inputs
            that have its shape, and on scalars.
        index_inputs: {input index: (input index, axis)}: integers that are positions along that
            axis of that other input, so they must be in range.
        calls_python: True where a run calls back into Python.
        may_fail: True where a run may raise for the values that it is given.
        holds_back: True where it only fails while its first input is not 0, and a step then ends
            before anything is written.
        reduces: True where the attribute `axis` may name several axes.
    """

    name = ""
    inplace: dict[int, int] = {}
    writes: tuple[int, ...] = ()
    saves: str | None = None
    view = False
    random = False
    per_sample = False
    input_dtypes: dict[int, str] = {}
    dtype_rule: Any = None  # a DTypeRule, which mypy would take for a method
    keeps_dtype: tuple[int, ...] = ()
    open_shapes = False

    def operand_dtypes(self, given: Sequence[str | None]) -> list[str | None]:
        """The dtype that each operand is cast to, from those given (None: an absent operand).

        Raises:
            TypeError: The op takes no operands of these dtypes.
        """
        rule = type(self).dtype_rule or self.__dict__["dtype_rule"]
        free = [
            dtype
            for i, dtype in enumerate(given)
            if dtype and i not in self.input_dtypes and i not in self.keeps_dtype
        ]
        target = rule(self.name, free) if free else None
        return [
            None
            if dtype is None
            else dtypes.strong(dtype)
            if target is None or i in self.keeps_dtype
            else self.input_dtypes.get(i, target)
            for i, dtype in enumerate(given)
        ]

    forward: Any = None
    backward: Any = None
    fused: Any = None
    fusion: str | None = None
    epilogue: frozenset[str] = frozenset()
    residual: int | None = None
    moments: int | None = None
    map: str | None = None
    reduction = False
    spreads = False
    permutes = False
    elementwise = False
    index_inputs: dict[int, tuple[int, int]] = {}
    calls_python = False
    may_fail = False
    holds_back = False
    reduces = False

    @functools.cached_property
    def has_workspace(self) -> bool:
        """Whether its native instruction may need memory beside its inputs and outputs."""
        from .. import _core

        return self.name in _core.op_names_with_workspace()

    def native_attributes(self, inputs: Sequence[Any], attributes: Attributes) -> Attributes:
        """Attributes as the kernels take them: axes non-negative, and a list for reductions."""
        axis = attributes.get("axis")
        if axis is None:
            return attributes
        ndim = len(inputs[0].shape)
        if self.reduces:
            return {**attributes, "axis": list(normalize_axes(self.name, axis, ndim))}
        return {**attributes, "axis": axis % ndim}

    def overwrites(self, node: Node, output: int) -> tuple[int, ...]:
        """The inputs whose memory an output of a node may take over, the first choice first."""
        return (self.inplace[output],) if output in self.inplace else ()

    def line(self, attributes: Attributes) -> str | None:
        """The elementwise function of fused loops that it is with these attributes, or None."""
        return self.map

    def flat_attributes(self, node: Node) -> Attributes | None:
        """What updates of neighbours in memory must have in common to become one update over both;
        None where this one must stay alone.
        """
        return node.attributes

    def resized(self, attributes: Attributes, size: int) -> Attributes:
        """The attributes of an elementwise node for arrays of another size."""
        return attributes

    def rectifies(self, attributes: Attributes) -> bool:
        """Whether it is y = max(x, 0) with these attributes, or the gradient of that."""
        return False

    def check_constant(self, index: int, value: Any, dtype: str) -> None:
        """Raises where a number or array that is given as input `index` makes no sense there.

        Python's integers take the dtype of what they meet, which may not hold them: NumPy and Keras
        would wrap.
        """
        low, high = dtypes.RANGES.get(dtype, (value, value))
        if isinstance(value, int) and not low <= value <= high:
            raise ValueError(
                f"{self.name}: {value} does not fit {dtype}, the dtype of what it meets; cast that "
                "first"
            )

    def infer(self, *inputs: Any, **attributes: Any) -> Specs:
        """Shape rule: the Spec of the output, or a tuple of Specs. Raises ValueError."""
        raise NotImplementedError

    def check_call(
        self, inputs: Sequence[Tensor | None], attributes: Attributes
    ) -> tuple[Specs, Attributes]:
        """What `infer` says of inputs and attributes of any kind, before anything is allocated.

        Returns:
            (the Spec of the output or a tuple of Specs, the attributes in their one form).

        Raises:
            ValueError, TypeError: The op cannot be applied to these.
        """
        if attributes:
            attributes = checked(self.name, attributes)
        if not self.open_shapes and None in [n for x in inputs if x is not None for n in x.shape]:
            specs = infer_open(self, inputs, attributes)
        else:
            specs = self.infer(*inputs, **attributes)
        for spec in (specs,) if isinstance(specs, Spec) else specs:
            # Sizes of 0 do not count: addresses are computed from the others all the same.
            sizes = math.prod(filter(None, spec.shape))
            if sizes * ITEMSIZE[spec.dtype] > MAX_BYTES:
                raise ValueError(f"{self.name}: a result of shape {spec.shape} is too large")
        return specs, attributes

    def gradient(self, node: Node, *dys: Tensor | None, needs: Sequence[bool]) -> Gradients:
        """Gradient rule: emits nodes; returns one tensor or None per input.

        Args:
            node: The forward node.
            *dys: The cotangent of each output, None where the output does not matter.
            needs: One flag per input: whether its gradient is wanted.
        """
        raise NotImplementedError(f"{self.name} has no gradient")

    def flops(self, node: Node) -> int:
        """Floating-point operations of one run."""
        return sum(output.size for output in node.outputs)

    def bytes(self, node: Node) -> int:
        """Bytes read and written by one run, each array once."""
        return sum(nbytes(t) for t in (*node.inputs, *node.outputs) if t is not None)

    @property
    def differentiable(self) -> bool:
        return type(self).gradient is not Op.gradient

    @property
    def reference(self) -> Callable[..., Any]:
        """The oracle's function."""
        from .. import reference

        return getattr(reference, self.name)


def register(cls: type[AnyOp]) -> type[AnyOp]:
    """Class decorator: adds an instance to the table under its name."""
    add(cls())
    return cls


def add(op: AnyOp) -> AnyOp:
    """Adds a row to the table, and returns it."""
    if op.name in table:
        raise ValueError(f"op {op.name} is in the table already")
    table[op.name] = op
    return op


def link(forward: Op, backward: Op) -> None:
    """Notes that row `backward` computes the gradient of row `forward`."""
    forward.backward, backward.forward = backward, forward


MAX_BYTES = 2**62  # of one array, so that no sum of two such numbers overflows


def nbytes(tensor: Tensor) -> int:
    """The bytes of a tensor's values."""
    return math.prod(tensor.shape) * ITEMSIZE[tensor.dtype]


def same(x: Tensor) -> Spec:
    """The Spec of an output that is like `x`."""
    return Spec(x.shape, x.dtype)


def check_same_dtype(name: str, *tensors: Tensor | None) -> None:
    """ValueError where the tensors that are given differ in dtype."""
    dtypes = {t.dtype for t in tensors if t is not None}
    if len(dtypes) > 1:
        raise ValueError(f"{name}: expected inputs of one dtype, received {sorted(dtypes)}")


def check_scalar(name: str, what: str, tensor: Tensor) -> None:
    """ValueError unless an input that is a number of the step is a scalar."""
    if tensor.shape != ():
        raise ValueError(f"{name}: expected {what} to be a scalar, received shape {tensor.shape}")


def normalize_axis(name: str, axis: int, ndim: int) -> int:
    """`axis` as a non-negative integer; ValueError where it is out of range."""
    if not isinstance(axis, int) or not -ndim <= axis < ndim:
        raise ValueError(f"{name}: axis {axis} is out of range for {ndim} dimensions")
    return axis % ndim


def normalize_axes(name: str, axis: Axes, ndim: int) -> tuple[int, ...]:
    """`axis` (None, an integer or several) as a sorted tuple of non-negative integers."""
    if axis is None:
        return tuple(range(ndim))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    axes = tuple(sorted(normalize_axis(name, a, ndim) for a in axes))
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}: axis {axis} names a dimension twice")
    return axes
