"""keras.ops of the core: conversion, dtypes, shapes and gradients."""

from __future__ import annotations

import numpy as np

from ..graph import indexing
from ..graph.dtypes import FLOATS, standard_dtype
from ..graph.tensor import Tensor, apply, is_variable
from .public import as_tensor, op


@op
def cast(x, dtype):
    """`x` as another dtype.

    Args:
        x: A tensor, array or number.
        dtype: "float32", "float64", "int32", "int64", "uint8" or "bool". Floats become integers
            towards zero and at the ends of the range where they lie beyond; NaN becomes 0;
            integers wrap; what is not zero is true.
    """
    return as_tensor(x, standard_dtype(dtype, "cast: dtype"))


_RANGES = {"uint8": (0, 255), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}


@op
def saturate_cast(x, dtype):
    """`x` as another dtype, at the ends of its range where it lies beyond."""
    x, dtype = as_tensor(x), standard_dtype(dtype, "saturate_cast: dtype")
    if dtype in _RANGES and x.dtype not in ("bool", *FLOATS):
        low, high = _RANGES[dtype]
        own_low, own_high = _RANGES[x.dtype]
        x = apply("minimum", apply("maximum", x, max(low, own_low)), min(high, own_high))
    return apply("cast", x, dtype=dtype)


def convert_to_tensor(x, dtype=None, sparse=None, ragged=None):
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
def _convert(x, dtype):
    return as_tensor(x, dtype)


def convert_to_numpy(x):
    """The values of a Variable, array or value tensor as a NumPy array."""
    if is_variable(x):
        return x.numpy()
    return np.array(x)


def is_tensor(x):
    """Whether `x` is a tensor or a NumPy array."""
    return isinstance(x, (Tensor, np.ndarray))


def shape(x):
    """The shape as a tuple; None for axes that are open."""
    return tuple(x.shape) if hasattr(x, "shape") else np.shape(x)


def ndim(x):
    """The number of axes."""
    return len(shape(x))


def dtype(x):
    """The name of the dtype."""
    value = getattr(x, "dtype", None)
    return value if isinstance(value, str) else as_tensor(x).dtype


@op
def get_item(x, key):
    """x[key]: slices, integers, None, `...`, and arrays of integers.

    Args:
        x: A tensor or array.
        key: What stands in the brackets. So that configurations can hold it, {"items": [...]} is a
            tuple, a dict of start, stop and step a slice, and "..." is `...`.

    Raises:
        IndexError: An index is out of range.
        TypeError: A mask of booleans that are not known yet: the shape would depend on them.
    """
    return indexing.get_item(as_tensor(x), indexing.decoded(key))


@op
def stop_gradient(variable):
    """The same values, through which no gradient goes."""
    return apply("stop_gradient", as_tensor(variable))
