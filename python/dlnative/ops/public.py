"""What makes a function over tensors a public op: `@op`.

The body is written once, for tensors. Called with arrays, numbers and Variables it computes on
value tensors and gives back NumPy arrays; with tensors of a graph it adds its nodes to that graph;
with symbolic tensors it becomes one layer of the functional model. An op whose body is one
primitive and one that composes many are written alike.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

import numpy as np

from ..engines import eager as _eager  # noqa: F401  computes value tensors
from ..graph.dtypes import dtype_of, strong
from ..graph.tensor import Tensor, ValueTensor, apply, is_variable, traced_graph
from ..graph.types import Result, TensorLike

P = ParamSpec("P")

FUNCTIONS: dict[str, Callable[..., Any]] = {}  # the public ops by name


def op(function: Callable[P, object]) -> Callable[P, Result]:
    """Decorator: registers a function over tensors under its name, for all kinds of operands.

    The public op returns what its operands are: tensors, or arrays.
    """
    return named(function.__name__)(function)


def named(name: str) -> Callable[[Callable[P, object]], Callable[P, Result]]:
    """The same under another name, for what Python or this package names otherwise."""

    def decorate(function: Callable[P, object]) -> Callable[P, Result]:
        @functools.wraps(function)
        def public(*args: P.args, **kwargs: P.kwargs) -> Any:
            kind = _kind(args, kwargs)
            if kind is None:
                if traced_graph() is not None:  # constants and Variables of a program
                    return function(*args, **kwargs)
                return _plain(function(*args, **kwargs), args)
            if kind == "symbolic":
                return layer_of(name, args, kwargs)
            return _in_graph(function, name, kind, args, kwargs)

        public.__name__ = public.__qualname__ = name
        public.__module__ = "dlnative.ops"
        FUNCTIONS[name] = public
        return public

    return decorate


def layer_of(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A public op on symbolic tensors. The layers, which make such tensors, put theirs here."""
    raise TypeError(f"{name}: a symbolic tensor that no layer has made")


def _kind(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The graph of the first tensor among the arguments, "symbolic", "value", or None."""
    found = None
    waiting = [*args, *kwargs.values()]
    for value in waiting:
        if isinstance(value, Tensor):
            if isinstance(value, ValueTensor):
                found = found or "value"
            elif value.graph is None:
                return "symbolic"
            else:
                return value.graph
        elif type(value) in (list, tuple):
            waiting.extend(value)
        elif type(value) is dict:
            waiting.extend(value.values())
    return found


def _in_graph(
    function: Callable[..., Any],
    name: str,
    graph: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Runs a body on tensors; its nodes are marked with the name of the outermost op."""
    if graph == "value" or graph.composite is not None:
        return function(*args, **kwargs)
    graph.composite = name
    try:
        return function(*args, **kwargs)
    finally:
        graph.composite = None


def _plain(result: Any, args: tuple[Any, ...]) -> Any:
    """Value tensors as NumPy arrays, in lists and tuples too; no memory of arguments."""
    if isinstance(result, ValueTensor):
        value = result.value
        given = not value.flags.writeable or any(value is arg for arg in args)
        return np.array(value) if given else value
    if isinstance(result, (list, tuple)):
        values = [_plain(r, args) for r in result]
        return type(result)(*values) if hasattr(result, "_fields") else type(result)(values)
    return result


def as_tensor(x: TensorLike, dtype: str | None = None, name: str = "dlnative.ops") -> Tensor:
    """`x` as a tensor: itself, the tensor of a Variable, or a value tensor of arrays and numbers.

    Args:
        x: A tensor, Variable, array, number or nested list of numbers.
        dtype: The dtype to cast to; by default that of `x`, for Python's numbers int32 and
            `config.floatx()`.
        name: The op, for messages.
    """
    tensor: Tensor
    if is_variable(x):
        graph = traced_graph()
        tensor = ValueTensor(x.live) if graph is None else graph.variable(x)
    elif isinstance(x, Tensor):
        tensor = x
    elif isinstance(x, (list, tuple)) and any(isinstance(v, Tensor) or is_variable(v) for v in x):
        from .joining import stack

        tensor = stack(x)
    else:
        given = strong(dtype_of(x, name))
        values = np.asarray(x)
        if dtype == "float64" and values.dtype == np.float64:
            given = dtype  # Python's numbers have the digits of float64
        tensor = ValueTensor(values, given)
    return tensor if dtype is None or tensor.dtype == dtype else apply("cast", tensor, dtype=dtype)


def operand(x: Any) -> Any:
    """The same, but Python's numbers stay as they are: they take the dtype of what they meet."""
    return x if isinstance(x, (bool, int, float)) else as_tensor(x)
