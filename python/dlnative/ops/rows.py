"""Every row of the op table as a function: the primitives and kernels below `dlnative.ops`.

`rows.relu(x)`, `rows.dense(x, kernel, bias)`, `rows.dense_backward_kernel(x, dy)` and so on: the
names of the op table, with the arguments of `dlnative.reference`. Arrays may have any strides;
float32 and float64 are computed in their own precision. They extend a tensor's graph, too.

With the engine set to "numpy" the oracle computes instead.

Example:
    >>> import numpy as np
    >>> from dlnative.ops import rows
    >>> rows.relu(np.array([-1.0, 2.0], dtype=np.float32))
    array([0., 2.], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engines.eager import compute
from ..graph import Tensor, apply, table
from ..graph.tensor import ValueTensor, is_variable, traced_graph


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in table:
        from ..naming import unknown

        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(str(unknown("op", name, table)))
    function = _function(name)
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return sorted(table)


def _function(name: str) -> Callable[..., Any]:
    op = table[name]

    def function(*inputs: Any, out: np.ndarray | None = None, **attributes: Any) -> Any:
        for value in inputs:
            if (isinstance(value, Tensor) and not isinstance(value, ValueTensor)) or (
                is_variable(value) and traced_graph() is not None
            ):
                if out is not None:
                    raise TypeError(f"{name}: out= is for arrays; a tensor is a new value")
                return apply(name, *inputs, **attributes)
        return compute(op, inputs, attributes, out)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = op.reference.__doc__
    return function
