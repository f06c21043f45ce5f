"""keras.ops of the core: conversion, dtypes, shapes and gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import indexing
from ..graph.dtypes import INTEGERS, RANGES, standard_dtype
from ..graph.tensor import Tensor, apply, is_variable, traced_graph
from ..graph.types import DTypeLike, Shape, TensorLike
from ..utils import nest
from .public import as_tensor, op


@op
def cast(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """`x` as another dtype.

    Args:
        x: A tensor, array or number.
        dtype: "float32", "float64", "int32", "int64", "uint8" or "bool". Floats become integers
            towards zero and at the ends of the range where they lie beyond; NaN becomes 0;
            integers wrap; what is not zero is true.
    """
    return as_tensor(x, standard_dtype(dtype, "cast: dtype"))


@op
def saturate_cast(x: TensorLike, dtype: DTypeLike) -> Tensor:
    """`x` as another dtype, at the ends of its range where it lies beyond; those of bool are 0, 1.

    Differs from Keras: integers become the floats of their value. Keras 3.15 gives the lowest
    integer for all of them.
    """
    x, dtype = as_tensor(x), standard_dtype(dtype, "saturate_cast: dtype")
    if x.dtype in INTEGERS and dtype in INTEGERS:
        low, high = RANGES[dtype]
        own_low, own_high = RANGES[x.dtype]
        x = apply("minimum", apply("maximum", x, max(low, own_low)), min(high, own_high))
    elif x.dtype != "bool" and dtype == "bool":
        x = apply("maximum", x, 0)
    return apply("cast", x, dtype=dtype)


def convert_to_tensor(
    x: TensorLike,
    dtype: DTypeLike | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
) -> Any:
    """`x` as a tensor of a program, or as a NumPy array outside of one.

    Args:
        x: A tensor, Variable, array, number or nested list.
        dtype: A dtype to cast to, or None.
        sparse, ragged: Must be None or False: there are no such tensors here.
    """
    if sparse or ragged:
        raise ValueError("convert_to_tensor: there are no sparse or ragged tensors")
    return _convert(x, None if dtype is None else standard_dtype(dtype, "convert_to_tensor: dtype"))


@op
def _convert(x: TensorLike, dtype: str | None) -> Tensor:
    return as_tensor(x, dtype)


def convert_to_numpy(x: TensorLike) -> np.ndarray:
    """The values of a Variable, array or value tensor as a NumPy array."""
    if is_variable(x):
        return x.numpy()
    return np.array(x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor or a NumPy array."""
    return isinstance(x, (Tensor, np.ndarray))


def shape(x: TensorLike) -> Shape:
    """The shape as a tuple; None for axes that are open."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x: TensorLike) -> int:
    """The number of axes."""
    return len(shape(x))


def dtype(x: TensorLike) -> str:
    """The name of the dtype."""
    value = getattr(x, "dtype", None)
    return value if isinstance(value, str) else as_tensor(x).dtype


@op
def get_item(x: TensorLike, key: Any) -> Tensor:
    """x[key]: slices, integers, None, `...`, and arrays of integers.

    Args:
        x: A tensor or array.
        key: What stands in the brackets. So that configurations can hold it, {"items": [...]} is a
            tuple, a dict of start, stop and step a slice, and "..." is `...`.

    Raises:
        IndexError: An index is out of range.
        TypeError: A mask of booleans that are not known yet: the shape would depend on them.

    Differs from Keras: a list is no key, since it stands for a tuple in one of its paths and for an
    array in the other.
    """
    if isinstance(key, list):
        raise TypeError(f"get_item: expected a tuple or an array as key, received the list {key}")
    return indexing.get_item(as_tensor(x), indexing.decoded(key))


@op
def stop_gradient(variable: TensorLike) -> Tensor:
    """The same values, through which no gradient goes."""
    return apply("stop_gradient", as_tensor(variable))


def custom_gradient(f: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator of a function with a gradient of its own.

    `f(*args)` returns (outputs, grad); `grad(*upstream)` gets the cotangents of the outputs and
    returns the gradient of each argument, a single one as it is. In a program both are traced, and
    differentiating goes through `grad` instead of what `f` is made of.

    Example:
        >>> import numpy as np, dlnative
        >>> from dlnative import ops
        >>> @ops.custom_gradient
        ... def straight_through(x):
        ...     return ops.round(x), lambda upstream: upstream
        >>> y, pullback = dlnative.vjp(straight_through, np.array([0.4, 1.6]))
        >>> y, pullback(np.ones(2))[0][0]
        (array([0., 2.]), array([1., 1.]))
    """

    @functools.wraps(f)
    def function(*args: Any) -> Any:
        tensors = nest.flatten(args)
        if not any(isinstance(t, Tensor) for t in tensors) and traced_graph() is None:
            return f(*args)[0]
        args = nest.map_structure(as_tensor, args)
        tensors = nest.flatten(args)
        outputs, grad = f(*args)
        flat = nest.flatten(outputs)
        return nest.pack(outputs, _with_gradient(flat, tensors, grad))

    return function


def _with_gradient(outputs: list[Any], tensors: list[Any], grad: Callable[..., Any]) -> list[Any]:
    def rule(index: int) -> Callable[[Tensor], list[Any]]:
        def gradients(dy: Tensor) -> list[Any]:
            upstream = [dy if i == index else y * 0 for i, y in enumerate(outputs)]
            found = grad(*upstream)
            found = list(found) if isinstance(found, (tuple, list)) else [found]
            if len(found) != len(tensors):
                raise ValueError(
                    f"custom_gradient: expected a gradient for each of {len(tensors)} arguments, "
                    f"received {len(found)}"
                )
            return found

        return gradients

    return [
        apply("custom_gradient", y, *tensors, rule=rule(i))
        if isinstance(y, Tensor) and y.graph is not None
        else y
        for i, y in enumerate(outputs)
    ]


@op
def numpy_function(
    function: Callable[..., Any],
    *inputs: TensorLike,
    backward: Callable[..., Any] | None = None,
    shape: Any = None,
    dtype: DTypeLike | None = None,
) -> Tensor | list[Tensor]:
    """A function of NumPy arrays as an op: a program calls back into Python at each run.

    Slower than ops by the call itself, some 10 us; `model.profile` says what it takes.

    Args:
        function: `function(*arrays)` returns an array, or several where `shape` is a list. It gets
            copies, and must not keep state that the gradient depends on.
        *inputs: Tensors, arrays or numbers.
        backward: None, or `backward(*dys, *arrays)` that gets the cotangents of the results, then
            the inputs, and returns the gradient of each input.
        shape: Shape of the result, or a list of shapes; that of the first input by default.
        dtype: Dtype of the results; that of the first input by default.

    Raises:
        ValueError: A result has another shape; the step has changed nothing then. Also where it is
            differentiated and there is no `backward`.

    Example:
        >>> import numpy as np, dlnative
        >>> y, pullback = dlnative.vjp(
        ...     lambda x: dlnative.numpy_function(np.sin, x, backward=lambda dy, x: dy * np.cos(x)),
        ...     np.zeros(2),
        ... )
        >>> pullback(np.ones(2))[0][0]
        array([1., 1.])
    """
    tensors = [as_tensor(x) for x in inputs]
    if not tensors:
        raise ValueError("numpy_function: expected at least one input")
    several = isinstance(shape, list)
    shapes = shape if several else [tensors[0].shape if shape is None else shape]
    name = tensors[0].dtype if dtype is None else standard_dtype(dtype, "numpy_function: dtype")
    results: Any = apply(
        "numpy_function",
        *tensors,
        function=function,
        backward=backward,
        shapes=tuple(tuple(s) for s in shapes),
        dtypes=(name,) * len(shapes),
    )
    results = results if isinstance(results, tuple) else (results,)
    return list(results) if several else results[0]
