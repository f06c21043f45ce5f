"""keras.ops: class numbers as vectors of 0 and 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config
from ..graph.dtypes import standard_dtype
from ..graph.tensor import Tensor, apply
from ..graph.types import DTypeLike, TensorLike
from . import arguments
from .public import as_tensor, op


def _one_hot(
    name: str, x: Tensor, num_classes: int, axis: int, dtype: DTypeLike | None, sparse: bool
) -> Tensor:
    if sparse:
        raise ValueError(f"{name}: there are no sparse tensors here")
    count = arguments.at_least(name, "num_classes", num_classes, 0)
    dtype = config.floatx() if dtype is None else standard_dtype(dtype, f"{name}: dtype")
    axis = arguments.axis(name, axis, x.ndim + 1)
    x = apply("reshape", x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))
    classes = np.arange(count, dtype="int32").reshape([-1] + [1] * (x.ndim - 1 - axis))
    return as_tensor(x == classes, dtype)


@op
def one_hot(
    x: TensorLike,
    num_classes: int,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
) -> Tensor:
    """y[.., k] = 1 where x = k, else 0; all 0 for class numbers out of range.

    Args:
        x: Class numbers.
        num_classes: The size of the new axis.
        axis: Where the new axis is in the result.
        dtype: `config.floatx()` by default.
        sparse: Must be False: there are no sparse tensors here.
    """
    return _one_hot("one_hot", as_tensor(x, name="one_hot"), num_classes, axis, dtype, sparse)


@op
def multi_hot(
    inputs: TensorLike,
    num_classes: int | None = None,
    axis: int = -1,
    dtype: DTypeLike | None = None,
    sparse: bool = False,
    **kwargs: Any,
) -> Tensor:
    """y[.., k] = 1 where k is one of the class numbers, else 0.

    Args:
        inputs: Class numbers of shape (n,), or (samples, n, ...); axis 1, or 0 of a vector, is that
            of the numbers of one sample. Those out of range do not count.
        num_classes: The number of classes; `num_tokens` is another name of it.
        axis: Where the axis of the classes is put before that of the numbers is left out.
        dtype: `config.floatx()` by default.
        sparse: Must be False: there are no sparse tensors here.
    """
    if num_classes is None:
        num_classes = kwargs.pop("num_tokens", None)
    if num_classes is None or kwargs:
        raise ValueError(f"multi_hot: expected num_classes, received {num_classes} and {kwargs}")
    x = as_tensor(as_tensor(inputs, name="multi_hot"), "int32")
    y = _one_hot("multi_hot", x, num_classes, axis, "bool", sparse)
    y = apply("any", y, axis=1 if x.ndim > 1 else 0)
    return as_tensor(
        y, config.floatx() if dtype is None else standard_dtype(dtype, "multi_hot: dtype")
    )
