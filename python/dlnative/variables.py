"""Variables: the named arrays that a model owns and a program reads and writes."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import config
from .changes import TrackedAttribute
from .graph.dtypes import dtype_of, standard_dtype, strong
from .graph.operators import Operators
from .graph.refusals import ValueNeeded
from .graph.table import table
from .graph.tensor import StepScalar, Tensor, ValueTensor, apply, traced_graph
from .naming import auto_name, path_of
from .placement import FlatBuffer, exclusive

if TYPE_CHECKING:
    from .graph.graph import Graph
    from .graph.types import DTypeLike, TensorLike

_AGGREGATIONS = (None, "none", "mean", "sum", "only_first_replica")
_SYNCHRONIZATIONS = (None, "none", "on_read", "on_write", "auto")


def _initial(what: str, given: Any, shape: Any, dtype: DTypeLike | None) -> np.ndarray:
    """The initial values, in memory of their own."""
    if dtype is not None:
        dtype = standard_dtype(dtype, f"{what}: dtype")
    if isinstance(given, str):
        from . import initializers

        given = initializers.get(given)
    if callable(given) and not hasattr(given, "__array__"):
        if shape is None:
            raise ValueError(f"{what}: an initializer needs a shape")
        given = given(tuple(shape), dtype=dtype or config.floatx())
    elif shape is not None and tuple(shape) != np.shape(given):
        raise ValueError(f"{what}: expected values of shape {shape}, received {np.shape(given)}")
    value = np.array(given, dtype=dtype or strong(dtype_of(given, what)), order="C", ndmin=0)
    standard_dtype(value.dtype, f"{what}: dtype")
    return value


class Variable:
    """A named parameter or state, backed by one NumPy array.

    The array never moves once a program uses it, and `assign` changes it; `value` and `numpy()` are
    copies, as are parts such as `variable[:2]`: what was read stays as it was. In expressions a
    Variable answers as its array does. While a layer, loss or metric is being made part of a
    program it stands for the tensor that the program will read, so that nothing of its present
    values is fixed there.

    Args:
        initializer: Initial values; or the name of an initializer, or a function of (shape, dtype)
            that returns them.
        shape: Shape, with an initializer.
        dtype: Name of the dtype; that of the values by default, which for Python's numbers is
            `config.floatx()`, int32 or bool.
        trainable: Whether training may change it.
        autocast, aggregation, synchronization: As in Keras; without effect, as there are neither
            mixed policies nor several devices.
        name: Name within its layer; "variable" with a number by default.
        path: Name within the model, such as "dense/kernel".
        regularizer: A penalty that training adds to the loss, or None.
        constraint: A function of the weight that training applies after each update, or None.

    Raises:
        ValueError: An initializer without a shape, a shape that is not that of the values, or an
            unknown dtype.

    Example:
        >>> v = Variable([1.0, 2.0], name="bias")
        >>> _ = v.assign([3.0, 4.0])
        >>> v.numpy()
        array([3., 4.], dtype=float32)
    """

    if TYPE_CHECKING:  # what the loops below make; it answers with arrays, or tensors when traced
        __add__: Callable[[Any, Any], Any]
        __radd__: Callable[[Any, Any], Any]
        __sub__: Callable[[Any, Any], Any]
        __rsub__: Callable[[Any, Any], Any]
        __mul__: Callable[[Any, Any], Any]
        __rmul__: Callable[[Any, Any], Any]
        __truediv__: Callable[[Any, Any], Any]
        __rtruediv__: Callable[[Any, Any], Any]
        __floordiv__: Callable[[Any, Any], Any]
        __rfloordiv__: Callable[[Any, Any], Any]
        __mod__: Callable[[Any, Any], Any]
        __rmod__: Callable[[Any, Any], Any]
        __pow__: Callable[[Any, Any], Any]
        __rpow__: Callable[[Any, Any], Any]
        __matmul__: Callable[[Any, Any], Any]
        __rmatmul__: Callable[[Any, Any], Any]
        __and__: Callable[[Any, Any], Any]
        __rand__: Callable[[Any, Any], Any]
        __or__: Callable[[Any, Any], Any]
        __ror__: Callable[[Any, Any], Any]
        __xor__: Callable[[Any, Any], Any]
        __rxor__: Callable[[Any, Any], Any]
        __lshift__: Callable[[Any, Any], Any]
        __rlshift__: Callable[[Any, Any], Any]
        __rshift__: Callable[[Any, Any], Any]
        __rrshift__: Callable[[Any, Any], Any]
        __lt__: Callable[[Any, Any], Any]
        __le__: Callable[[Any, Any], Any]
        __gt__: Callable[[Any, Any], Any]
        __ge__: Callable[[Any, Any], Any]
        __divmod__: Callable[[Any, Any], Any]
        __rdivmod__: Callable[[Any, Any], Any]
        __getitem__: Callable[[Any, Any], Any]
        __neg__: Callable[[Any], Any]
        __abs__: Callable[[Any], Any]
        __invert__: Callable[[Any], Any]
        __pos__: Callable[[Any], Any]
        __iter__: Callable[[Any], Any]
        __len__: Callable[[Any], int]
        __round__: Callable[..., Any]

    is_graph_variable = True
    is_step_scalar = False  # see `graph.tensor.StepScalar`

    # What programs are built from, beside the shape.
    trainable = TrackedAttribute(is_flag=True)
    regularizer = TrackedAttribute()
    constraint = TrackedAttribute()
    learning_rate_factor = TrackedAttribute()

    def __init__(
        self,
        initializer: Any,
        shape: Sequence[int] | None = None,
        dtype: DTypeLike | None = None,
        trainable: bool = True,
        autocast: bool = True,
        aggregation: str | None = "none",
        synchronization: str | None = "auto",
        name: str | None = None,
        *,
        path: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
    ) -> None:
        name = name or auto_name(type(self).__name__)
        if not isinstance(name, str) or "/" in name:
            raise ValueError(f"Variable: expected a name without '/', received {name!r}")
        if aggregation not in _AGGREGATIONS or synchronization not in _SYNCHRONIZATIONS:
            raise ValueError(
                f"Variable '{name}': expected aggregation and synchronization of Keras, received "
                f"{aggregation!r} and {synchronization!r}"
            )
        self._value = value = _initial(f"Variable '{name}'", initializer, shape, dtype)
        self._placed = False
        self._buffer: FlatBuffer | None = None  # that it is a part of
        self.shape = value.shape
        self.dtype = value.dtype.name
        self.name = name
        self.path = path or path_of(name)
        self.trainable = trainable
        self.regularizer = regularizer
        self.constraint = constraint
        self.learning_rate_factor = 1.0  # by which an optimizer's learning rate is multiplied

    @classmethod
    def empty(cls, shape: Sequence[int], dtype: DTypeLike, **kwargs: Any) -> Variable:
        """A variable without memory: `allocate`, `assign` and the first program give it some."""
        variable = cls(0, dtype=dtype, **kwargs)
        variable._value = np.broadcast_to(variable._value, shape)
        variable.shape = variable._value.shape
        return variable

    def allocate(self) -> None:
        """Gives a variable that has none yet memory, whose contents are whatever lies there."""
        if not self._value.flags.writeable:
            self._value = np.empty(self.shape, self.dtype)

    @property
    def value(self) -> Any:
        """A read-only copy of the values (`assign` writes them); in a traced call the tensor."""
        graph = traced_graph()
        return _read_only(self._value.copy()) if graph is None else graph.variable(self)

    @property
    def live(self) -> Any:
        """`value` without a copy, for those who read it at once: later it shows later values, as
        does `np.array(variable, copy=False)`.
        """
        graph = traced_graph()
        return _read_only(self._value.view()) if graph is None else graph.variable(self)

    def _present(self, wanted: str) -> np.ndarray:
        """The present values; raises where a program is being made, for which they are not the
        right ones.
        """
        graph: Any = traced_graph()
        if graph is None:
            return self._value
        if graph.is_immediate:
            return graph.variable(self).value
        raise ValueNeeded(
            f"{wanted} of Variable '{self.path}' in a call that becomes part of a program: "
            "the program reads and writes it later and many times. Use the Variable itself in "
            "operators and dlnative.ops"
        )

    @property
    def array(self) -> np.ndarray:
        """The memory itself, for programs: who writes there calls `changed` afterwards.

        Its address is fixed once a program has been built.
        """
        return self._value

    @property
    def buffer(self) -> FlatBuffer | None:
        """The FlatBuffer in which the values lie; None before a program uses them."""
        return self._buffer

    def changed(self) -> None:
        """What was made of the values, such as packed weights, is made anew when it is needed."""
        if self._buffer is not None:
            self._buffer.changed()

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def numpy(self) -> np.ndarray:
        """A copy of the values."""
        return self._present("numpy()").copy()

    def assign(self, value: TensorLike) -> Any:
        """Overwrites the values in place.

        While a program is being made nothing is written: from there on the variable *is* the new
        tensor, and its values are written once, when the step commits.

        Args:
            value: A tensor, array or number of the variable's shape; it is cast to its dtype.

        Returns:
            The new values: an array, or a tensor of the program.

        Raises:
            ValueError: The shape is not that of the variable; nothing has been written.
        """
        tensor = self.write(value)
        return self.value if tensor is None else tensor

    def write(self, value: TensorLike) -> Tensor | None:
        """`assign` that copies no new values where nobody asks for them.

        Args:
            value: See `assign`.

        Returns:
            The tensor of the program that is being made, if one is.
        """
        graph = traced_graph()
        if graph is None and isinstance(value, Tensor) and not isinstance(value, ValueTensor):
            graph = value.graph
        if graph is not None:
            return self._assign_in(graph, value)
        if isinstance(value, Variable):
            value = value.live
        elif isinstance(value, ValueTensor):
            value = value.value
        value = np.asarray(value).astype(self.dtype, copy=False)
        self._check_shape(value)
        self.allocate()
        with exclusive([self]):
            self._value[...] = value
            self.changed()
        return None

    def assign_add(self, value: TensorLike) -> Any:
        """variable = variable + value; see `assign`."""
        return self.assign(self + value)

    def assign_sub(self, value: TensorLike) -> Any:
        """variable = variable - value; see `assign`."""
        return self.assign(self - value)

    def _assign_in(self, graph: Graph, value: TensorLike) -> Tensor:
        if isinstance(value, Variable):
            tensor: Any = graph.variable(value)
        elif not isinstance(value, Tensor) or isinstance(value, ValueTensor):
            tensor = graph.constant(np.asarray(value), graph.leaf(self).dtype)
        elif value.is_symbolic or value.graph is not graph:
            raise TypeError(f"Variable '{self.path}': {value!r} belongs to another call")
        else:
            tensor = value
        self._check_shape(tensor)
        dtype = graph.leaf(self).dtype  # fed in another one it has that
        if self.is_step_scalar and not isinstance(tensor, StepScalar):
            tensor = graph.apply(table["cast"], (tensor,), {"dtype": dtype}, StepScalar)
        graph.assign(self, tensor if tensor.dtype == dtype else apply("cast", tensor, dtype=dtype))
        return graph.variable(self)

    def _check_shape(self, value: Any) -> None:
        if tuple(value.shape) != self.shape:
            raise ValueError(
                f"Variable '{self.path}': expected values of shape {self.shape}, "
                f"received {tuple(value.shape)}"
            )

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: with values of its own, in no buffer."""
        return {**self.__dict__, "_value": self._value.copy(), "_placed": False, "_buffer": None}

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        value = self._present("The array")
        if copy is False and (dtype is None or dtype == value.dtype):
            return _read_only(value.view())
        return np.array(value, dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if any(isinstance(x, Tensor) for x in inputs):
            return NotImplemented
        result = Operators.__array_ufunc__(self, ufunc, method, *inputs, **kwargs)  # type: ignore
        return result.value[()] if isinstance(result, ValueTensor) else result

    def _numpy_function(
        self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        self._present(f"np.{ufunc.__name__}")
        values = (x.live if isinstance(x, Variable) else x for x in inputs)
        return getattr(ufunc, method)(*values, **kwargs)

    def __repr__(self) -> str:
        return f"<Variable path={self.path} shape={self.shape} dtype={self.dtype}>"

    def __format__(self, spec: str) -> str:
        value = self._present("The format")
        return format(repr(self) if self.shape else value.item(), spec)

    def __float__(self) -> float:
        return self._as_number(float)

    def __int__(self) -> int:
        return self._as_number(int)

    def __complex__(self) -> complex:
        return self._as_number(complex)

    def __index__(self) -> int:
        return self._as_number(operator.index)

    def _as_number(self, convert: Callable[[Any], Any]) -> Any:
        if self.shape:
            raise TypeError(f"expected a Variable of shape () for a number, received {self.shape}")
        return convert(self.live)

    def __bool__(self) -> bool:
        raise TypeError(
            f"Variable '{self.path}' has no truth value. Compare it by `is` or `is not None`, or "
            "use its values: variable.numpy()"
        )

    def __hash__(self) -> int:
        return id(self)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _answer(function: Callable[..., Any]) -> Callable[..., Any]:
    """A special method that answers as the values do, or as the tensor in a traced call."""

    def method(self: Variable, *args: Any) -> Any:
        return function(self.live, *(a.live if isinstance(a, Variable) else a for a in args))

    return method


def _operator(method: Callable[..., Any]) -> Callable[..., Any]:
    """An operator of tensors, with the same ops and promotion of dtypes: an array, or a tensor."""

    def operate(self: Variable, *operands: Any) -> Any:
        if any(isinstance(other, Tensor) for other in operands):
            return NotImplemented  # the tensor's to answer
        result = method(self, *operands)
        return result.value[()] if isinstance(result, ValueTensor) else result

    return operate


def _item(values: Any, index: Any) -> Any:
    """A part of the values, in memory of its own."""
    part = values[index]
    if isinstance(part, np.ndarray) and not part.flags.writeable:
        return _read_only(part.copy())
    return part


def _iterator(values: Any) -> Any:
    return iter(_read_only(values.copy()) if isinstance(values, np.ndarray) else values)


def _round(value: Any, digits: int | None = None) -> Any:
    return np.round(value, digits or 0) if isinstance(value, np.ndarray) else round(value)


_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul")
_BINARY = (*_ARITHMETIC, "and", "or", "xor", "lshift", "rshift")
for _name in (*_BINARY, *(f"r{name}" for name in _BINARY), "neg", "abs", "invert"):
    setattr(Variable, f"__{_name}__", _operator(getattr(Operators, f"__{_name}__")))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Variable, f"__{_name}__", _operator(getattr(Operators, f"__{_name}__")))
for _name, _function in {
    "divmod": _answer(divmod),
    "rdivmod": _answer(lambda value, other: divmod(other, value)),
    "pos": _answer(operator.pos),
    "round": _answer(_round),
    "getitem": _answer(_item),
    "contains": _answer(operator.contains),
    "len": _answer(len),
    "iter": _answer(_iterator),
}.items():
    setattr(Variable, f"__{_name}__", _function)
