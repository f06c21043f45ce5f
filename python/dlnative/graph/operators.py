"""Python's operators on tensors: each applies the op of the table that it stands for.

What Python would answer by itself about a tensor without values raises instead: see `refusals`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from .refusals import Refusals

if TYPE_CHECKING:
    import numpy as np

    from .tensor import Tensor

Binary: TypeAlias = "Callable[[Any, Any], Tensor]"  # of self and the other operand
Unary: TypeAlias = "Callable[[Any], Tensor]"


class Operators(Refusals):
    """The special methods of Python's operators, for classes that `apply` takes as operands."""

    __slots__ = ()

    if TYPE_CHECKING:  # those that loops over tables make
        __array__: Any
        __add__: Binary
        __radd__: Binary
        __sub__: Binary
        __rsub__: Binary
        __mul__: Binary
        __rmul__: Binary
        __truediv__: Binary
        __rtruediv__: Binary
        __floordiv__: Binary
        __rfloordiv__: Binary
        __mod__: Binary
        __rmod__: Binary
        __matmul__: Binary
        __rmatmul__: Binary
        __and__: Binary
        __rand__: Binary
        __or__: Binary
        __ror__: Binary
        __xor__: Binary
        __rxor__: Binary
        __lshift__: Binary
        __rlshift__: Binary
        __rshift__: Binary
        __rrshift__: Binary
        __rpow__: Binary
        __lt__: Binary
        __le__: Binary
        __gt__: Binary
        __ge__: Binary
        __neg__: Unary
        __abs__: Unary
        __invert__: Unary

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """NumPy arrays and scalars on the left of an operator; other functions of NumPy raise."""
        op = _UFUNCS.get(ufunc.__name__)
        if op is None or method != "__call__" or kwargs:
            return self._numpy_function(ufunc, method, inputs, kwargs)
        return _apply(op, *inputs)

    def _numpy_function(
        self, ufunc: np.ufunc, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return self.__array__()

    def __pos__(self) -> Any:
        return self

    def __pow__(self, other: Any) -> Tensor:
        return _apply("square", self) if _is_two(other) else _apply("power", self, other)

    def __getitem__(self: Any, key: Any) -> Tensor:
        from .indexing import get_item

        return get_item(self, key)

    def __len__(self) -> int:
        return _first_size(self)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(_first_size(self)))

    def __reversed__(self) -> Iterator[Tensor]:
        return (self[i] for i in reversed(range(_first_size(self))))

    def __eq__(self, other: Any) -> Any:
        return NotImplemented if _is_no_number(other) else _apply("equal", self, other)

    def __ne__(self, other: Any) -> Any:
        return NotImplemented if _is_no_number(other) else _apply("not_equal", self, other)

    def __hash__(self) -> int:
        return id(self)


def _apply(name: str, *operands: Any) -> Tensor:
    from .tensor import apply

    return apply(name, *operands)


def _is_two(other: Any) -> bool:
    return type(other) in (int, float) and other == 2


def _is_no_number(other: Any) -> bool:
    """Whether equality with it is a question about objects, which Python answers: False."""
    return other is None or isinstance(other, (str, bytes, type))


def _first_size(tensor: Any) -> int:
    if not tensor.shape:
        raise TypeError(f"{tensor!r} has no axes to count or to go along")
    if tensor.shape[0] is None:
        raise TypeError(f"the first axis of {tensor!r} has no size yet")
    return tensor.shape[0]


_BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "mod",
    "matmul": "matmul",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
    "lshift": "left_shift",
    "rshift": "right_shift",
}


# What NumPy calls when an array stands on the left.
_UFUNCS = {
    **{op: op for op in _BINARY.values()},
    **{op: op for op in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")},
    "remainder": "mod",
    "power": "power",
}


def _operator(op: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: _apply(op, self, other)


def _reflected(op: str) -> Callable[[Any, Any], Any]:
    return lambda self, other: _apply(op, other, self)


for _name, _op in _BINARY.items():
    setattr(Operators, f"__{_name}__", _operator(_op))
    setattr(Operators, f"__r{_name}__", _reflected(_op))
for _name, _op in {
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}.items():
    setattr(Operators, f"__{_name}__", _operator(_op))
Operators.__rpow__ = _reflected("power")
for _name, _op in {"neg": "negative", "abs": "abs", "invert": "bitwise_not"}.items():
    setattr(Operators, f"__{_name}__", (lambda op: lambda self: _apply(op, self))(_op))
