"""Symbolic tensors and dtypes, for code that asks what it is given."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config
from ..graph.tensor import Tensor

_ALLOWED = frozenset(
    (
        "bool",
        "float16",
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "uint16",
        "uint32",
        "uint64",
        "bfloat16",
        "complex64",
        "complex128",
        "string",
    )
)


def is_keras_tensor(x: Any) -> bool:
    """Whether x is symbolic: it stands for a value between the layers of a functional model.

    Example:
        >>> from dlnative import Input
        >>> is_keras_tensor(Input((3,))), is_keras_tensor([1.0])
        (True, False)
    """
    return isinstance(x, Tensor) and x.is_symbolic


def get_source_inputs(tensor: Any) -> Any:
    """The symbolic inputs that a symbolic tensor depends on, as a list; of anything else, itself.

    Example:
        >>> from dlnative import Input, layers
        >>> x = Input((3,))
        >>> get_source_inputs(layers.Dense(2)(x)) == [x]
        True
    """
    if not is_keras_tensor(tensor):
        return tensor
    from ..layers import calls

    order, _ = calls.ancestors([tensor])
    return [each.outputs[0] for each in order if not each.inputs]


def standardize_dtype(dtype: Any) -> str:
    """The name of a dtype, `config.floatx()` for None.

    Args:
        dtype: A name, a NumPy dtype or its class, one of Python's `bool`, `int`, `float`, `str`,
            or a dtype of PyTorch or JAX.

    Raises:
        ValueError: There is no such dtype in Keras. (Not all of them can be computed with.)

    Example:
        >>> import numpy as np
        >>> standardize_dtype(np.int64), standardize_dtype(float), standardize_dtype(None)
        ('int64', 'float32', 'float32')
    """
    if dtype is None:
        return config.floatx()
    python: dict[Any, str] = {bool: "bool", int: "int32", float: "float32", str: "string"}
    python["int"] = "int32"
    name = python.get(dtype) if dtype.__hash__ is not None else None
    if name is None:
        name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if name is None and isinstance(dtype, type) and issubclass(dtype, np.generic):
        name = np.dtype(dtype).name
    if name is None:
        name = str(dtype).rpartition(".")[2]
    if name not in _ALLOWED:
        raise ValueError(f"expected a dtype, received {dtype!r}")
    return name
