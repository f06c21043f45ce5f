"""One op on arrays, at once: what `dlnative.ops` does with NumPy arrays, numbers and Variables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from .. import config
from ..graph import Spec, Tensor
from ..graph import tensor as graph_tensor
from ..graph.dtypes import FLOATS, dtype_of
from ..graph.table import Op
from ..graph.tensor import ValueTensor, is_variable
from ..graph.types import Attributes


@cache
def _name(dtype: np.dtype) -> str:
    """dtype.name, which NumPy works out anew in five microseconds each time."""
    return dtype.name


@cache
def native() -> Callable[..., None]:
    """What the native engine computes an op with; imported when the first one is computed."""
    from .. import _core

    return _core.execute


def compute(
    op: Op, inputs: Sequence[Any], attributes: Attributes, out: np.ndarray | None = None
) -> Any:
    """Runs one op on arrays.

    Args:
        op: A row of the op table.
        inputs: Arrays, numbers, Variables, value tensors, or None for an absent optional input.
        attributes: The op's attributes.
        out: None, or a contiguous array of the result's shape and dtype that receives the result.

    Returns:
        The output, a tuple where the op has several, or None where the op only writes state: then
        the arrays given for the state are overwritten.
    """
    arrays = _arrays(op, inputs)
    found, attributes = op.check_call(
        [None if a is None else Tensor(a.shape, _name(a.dtype)) for a in arrays], attributes
    )
    for name in ("input_shape", "shape"):
        if None in attributes.get(name, ()):
            raise ValueError(
                f"{op.name}: expected {name!r} without open sizes, received {attributes[name]}"
            )
    single = isinstance(found, Spec)
    specs = (found,) if isinstance(found, Spec) else found
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
    if op.calls_python or (config.current_engine() == "numpy" and not op.writes):
        with np.errstate(all="ignore"):  # infinities and NaN are results, as in the native engine
            results = op.reference(*arrays, **attributes)
        if out is not None:
            out[...] = results
            return out
        return results
    execute = native()
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


def compute_tensors(op: Op, inputs: Sequence[Any], attributes: Attributes) -> Any:
    """The same with value tensors as results."""
    results = compute(op, inputs, attributes)
    if isinstance(results, tuple):
        return tuple(ValueTensor(r) for r in results)
    return None if results is None else ValueTensor(results)


graph_tensor.compute = compute_tensors


def _arrays(op: Op, inputs: Sequence[Any]) -> list[Any]:
    """The inputs as C-contiguous arrays of the dtypes that the op takes."""
    if op.dtype_rule is not None:
        targets = op.operand_dtypes([None if v is None else dtype_of(v, op.name) for v in inputs])
        for i, (value, dtype) in enumerate(zip(inputs, targets)):
            if dtype is not None and isinstance(value, (int, float)):
                op.check_constant(i, value, dtype)
        return [
            None if v is None else _plain(_array(v), dtype) for v, dtype in zip(inputs, targets)
        ]
    arrays = []
    for i, value in enumerate(inputs):
        if is_variable(value):
            value = value.array if i in op.writes else value.live
        elif isinstance(value, ValueTensor):
            value = value.value
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
    for i, dtype in op.input_dtypes.items():
        if i < len(inputs) and isinstance(inputs[i], (int, float)):
            op.check_constant(i, inputs[i], dtype)
    given = [
        (_name(a.dtype), a.ndim)
        for i, a in enumerate(arrays)
        if a is not None and i not in op.input_dtypes
    ]
    floats = {name for name, rank in given if name in FLOATS and rank}
    floats = floats or {name for name, _ in given if name in FLOATS}
    dtype = "float64" if "float64" in floats else "float32" if floats else config.floatx()
    return [None if a is None else _converted(op, i, a, dtype) for i, a in enumerate(arrays)]


def _array(value: Any) -> np.ndarray:
    if is_variable(value):
        return np.asarray(value.live)
    return np.asarray(value.value if isinstance(value, ValueTensor) else value)


def _converted(op: Op, i: int, array: np.ndarray, dtype: str) -> np.ndarray:
    if i in op.index_inputs and array.dtype.kind in "iu":
        dtype = "int32"
    dtype = op.input_dtypes.get(i, dtype)
    return _plain(array, dtype)


def _is_plain(array: np.ndarray) -> bool:
    """Whether the kernels can read it as it is: in the order of its axes and bytes, and aligned."""
    return array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative


def _plain(array: np.ndarray, dtype: str | None) -> np.ndarray:
    if _name(array.dtype) == dtype and _is_plain(array):
        return array
    return np.array(array, dtype=dtype, order="C")


def _check_indices(op: Op, arrays: Sequence[Any]) -> None:
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
