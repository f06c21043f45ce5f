"""Every op of the table as a function: it computes on NumPy arrays, and extends a tensor's graph.

`dlnative.ops.relu(x)`, `dlnative.ops.dense(x, kernel, bias)`,
`dlnative.ops.dense_backward_kernel(x, dy)` and so on: the names of the op table, with the arguments
of `dlnative.reference`. Arrays may have any strides; float32 and float64 are computed in their own
precision, mixed inputs in float64, integers as `config.floatx()`. Class numbers of the sparse
losses and accuracies are taken as int32.

With the engine set to "numpy" the oracle computes instead.

Example:
    >>> import numpy as np
    >>> import dlnative
    >>> dlnative.ops.relu(np.array([-1.0, 2.0], dtype=np.float32))
    array([0., 2.], dtype=float32)
"""

from __future__ import annotations

from functools import cache

import numpy as np

from . import config
from .graph import Spec, Tensor, apply, table
from .graph.tensor import is_variable, traced_graph

_FLOATS = ("float32", "float64")


@cache
def _name(dtype):
    """dtype.name, which NumPy works out anew in five microseconds each time."""
    return dtype.name


@cache
def _native():
    """What the native engine computes an op with; imported when the first one is computed."""
    from . import _core

    return _core.execute


def __getattr__(name):
    if name not in table:
        from .utils import unknown_name_error

        if name.startswith("__"):
            raise AttributeError(name)
        raise AttributeError(str(unknown_name_error("op", name, table)))
    function = _function(name)
    globals()[name] = function
    return function


def __dir__():
    return sorted(table)


def _function(name):
    op = table[name]

    def function(*inputs, out=None, **attributes):
        for value in inputs:
            if isinstance(value, Tensor) or (is_variable(value) and traced_graph() is not None):
                if out is not None:
                    raise TypeError(f"{name}: out= is for arrays; a tensor is a new value")
                return apply(name, *inputs, **attributes)
        return compute(op, inputs, attributes, out)

    function.__name__ = function.__qualname__ = name
    function.__module__ = __name__
    function.__doc__ = op.reference.__doc__
    return function


def compute(op, inputs, attributes, out=None):
    """Runs one op on arrays.

    Args:
        op: A row of the op table.
        inputs: Arrays, numbers, Variables, or None for an absent optional input.
        attributes: The op's attributes.
        out: None, or a contiguous array of the result's shape and dtype that receives the result.

    Returns:
        The output, a tuple where the op has several, or None where the op only writes state: then
        the arrays given for the state are overwritten.
    """
    arrays = _arrays(op, inputs)
    specs, attributes = op.check_call(
        [None if a is None else Tensor(a.shape, _name(a.dtype)) for a in arrays], attributes
    )
    if None in attributes.get("input_shape", ()):
        raise ValueError(
            f"{op.name}: expected 'input_shape' without open sizes, received "
            f"{attributes['input_shape']}"
        )
    single = isinstance(specs, Spec)
    specs = (specs,) if single else specs
    if out is not None and (
        not single
        or out.shape != specs[0].shape
        or out.dtype != specs[0].dtype
        or not (_is_plain(out) and out.flags.writeable)
    ):
        raise ValueError(
            f"{op.name}: expected out of shape {specs[0].shape} and dtype {specs[0].dtype}, "
            "contiguous, aligned and writable"
        )
    if op.index_inputs:
        _check_indices(op, arrays)
    if config.current_engine() == "numpy" and not op.writes:
        results = op.reference(*arrays, **attributes)
        if out is not None:
            out[...] = results
            return out
        return results
    execute = _native()
    outputs = [np.empty(s.shape, s.dtype) for s in specs] if out is None else [out]
    execute(
        op.name,
        arrays,
        outputs,
        op.native_attributes(arrays, attributes),
        attributes.get("step", 0) % 2**64,
        bool(op.writes),
    )
    for i in op.writes:
        if is_variable(inputs[i]):
            inputs[i].changed()
    if not outputs:
        return None
    return outputs[0] if single else tuple(outputs)


def _arrays(op, inputs):
    """The inputs as C-contiguous arrays of one floating dtype, class numbers as int32."""
    arrays = []
    for i, value in enumerate(inputs):
        if is_variable(value):
            value = value.array if i in op.writes else value.value
        if value is not None and not (i in op.writes and isinstance(value, np.ndarray)):
            value = np.asarray(value)
            if value.dtype.kind not in "biuf":
                raise TypeError(f"{op.name}: expected numeric arrays, received dtype {value.dtype}")
        arrays.append(value)
    if op.writes:
        for i in op.writes:
            if arrays[i] is not None and not (_is_plain(arrays[i]) and arrays[i].flags.writeable):
                raise ValueError(
                    f"{op.name}: expected a contiguous, aligned and writable array in this "
                    f"machine's byte order as input {i}"
                )
        return [
            a if a is None or i in op.writes else _plain(a, _name(a.dtype))
            for i, a in enumerate(arrays)
        ]
    given = [(_name(a.dtype), a.ndim) for a in arrays if a is not None]
    floats = {name for name, rank in given if name in _FLOATS and rank}
    floats = floats or {name for name, _ in given if name in _FLOATS}
    dtype = "float64" if "float64" in floats else "float32" if floats else config.floatx()
    return [None if a is None else _converted(op, i, a, dtype) for i, a in enumerate(arrays)]


def _converted(op, i, array, dtype):
    if i in op.index_inputs and array.dtype.kind in "iu":
        dtype = "int32"
    dtype = op.input_dtypes.get(i, dtype)
    return _plain(array, dtype)


def _is_plain(array):
    """Whether the kernels can read it as it is: in the order of its axes and bytes, and aligned."""
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


def _plain(array, dtype):
    if _name(array.dtype) == dtype and _is_plain(array):
        return array
    return np.array(array, dtype=dtype, order="C")


def _check_indices(op, arrays):
    """What indexes memory, such as class numbers, must be in range."""
    for i, (other, axis) in op.index_inputs.items():
        if not arrays[i].size:
            continue
        size = arrays[other].shape[axis]
        low, high = arrays[i].min(), arrays[i].max()
        if low < 0 or high >= size:
            raise ValueError(
                f"{op.name}: expected labels in [0, {size}), received {low if low < 0 else high}"
            )
