"""The dtypes of tensors, and what operands of several dtypes become where they meet.

Promotion is that of Keras and JAX among six dtypes, which are a chain: the result has the latest of

    bool < int < uint8 < int32 < int64 < float < float32 < float64

where "int" and "float" are Python numbers. These are weak: they take the dtype of what they meet,
and alone they become int32 (int64 where the number does not fit) and `config.floatx()`.

Reference: Type promotion semantics, documentation of JAX.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config

CHAIN = ("bool", "int", "uint8", "int32", "int64", "float", "float32", "float64")
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
FLOATS = ("float32", "float64")
INTEGERS = ("uint8", "int32", "int64")
WEAK = ("int", "float")
RANGES = {"uint8": (0, 255), "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
ITEMSIZE = {"float32": 4, "float64": 8, "int32": 4, "int64": 8, "uint8": 1, "bool": 1}

_RANK = {name: i for i, name in enumerate(CHAIN)}
# Dtypes of NumPy that become one of ours without loss.
_WIDENED = {
    "int8": "int32",
    "int16": "int32",
    "uint16": "int32",
    "uint32": "int64",
    "float16": "float32",
}


def is_float(dtype: str) -> bool:
    """Whether values of the dtype, or Python's numbers of that name, have fractions."""
    return _RANK[dtype] >= _RANK["float"]


def is_integer(dtype: str) -> bool:
    """Whether values of the dtype are whole numbers; bool is not one of them."""
    return _RANK["int"] <= _RANK[dtype] < _RANK["float"]


def strong(dtype: str) -> str:
    """The dtype of a weak one that meets no other."""
    return {"int": "int32", "float": config.floatx()}.get(dtype, dtype)


def promote(*dtypes: str) -> str:
    """The dtype in which operands of these dtypes meet; weak where all of them are."""
    return CHAIN[max(_RANK[dtype] for dtype in dtypes)]


def result_type(*dtypes: str) -> str:
    """The same, with a dtype for weak results.

    Example:
        >>> result_type("int64", "float32"), result_type("int32", "float"), result_type("bool")
        ('float32', 'float32', 'bool')
    """
    return strong(promote(*dtypes))


def float_type(*dtypes: str) -> str:
    """The float dtype in which operands of these dtypes meet: `config.floatx()` for integers."""
    return result_type(*dtypes, "float")


def standard_dtype(dtype: Any, what: str = "dtype") -> str:
    """The name of one of the six dtypes, from a name, a NumPy dtype or Python's bool, int, float.

    Raises:
        ValueError: There is no such dtype here.
    """
    if any(dtype is number for number in (bool, int, float)):
        return strong(dtype.__name__)
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if name is None and isinstance(dtype, type) and issubclass(dtype, np.generic):
        name = np.dtype(dtype).name
    if name in WEAK:
        return strong(name)
    if name not in DTYPES:
        raise ValueError(f"{what}: expected one of {', '.join(DTYPES)}, received {dtype!r}")
    return name


def dtype_of(value: Any, name: str) -> str:
    """The dtype with which a value takes part in the op `name`: Python's numbers are weak.

    NumPy's float64 scalars, which are Python floats, are weak, too; other scalars and all arrays
    keep their dtype, where there is one that holds their values.

    Raises:
        TypeError: It is no number and no array of numbers.
    """
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, str):  # of a tensor or Variable
        return dtype
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, float):
        return "float"
    if isinstance(value, int):
        return "int" if -(2**31) <= value < 2**31 else "int64"
    if dtype is None:
        value = np.asarray(value)
        dtype = value.dtype
        if dtype == np.float64:  # a list of Python's numbers
            return "float" if not value.size or value.ndim == 0 else config.floatx()
        if dtype == np.int64 and fits_int32(value):
            return "int32"
    found = _name(dtype)
    found = _WIDENED.get(found, found)
    if found == "uint64" and (not np.size(value) or np.max(value) < 2**63):
        return "int64"
    if found not in ITEMSIZE:
        raise TypeError(f"{name}: expected numbers, received dtype {dtype}")
    return found


def fits_int32(array: np.ndarray) -> bool:
    """Whether all values of an array of integers lie in [-2^31, 2^31)."""
    return not array.size or (array.min() >= -(2**31) and array.max() < 2**31)


_NAMES: dict[np.dtype, str] = {}


def _name(dtype: np.dtype) -> str:
    """dtype.name, which NumPy works out anew in five microseconds each time."""
    name = _NAMES.get(dtype)
    if name is None:
        name = _NAMES[dtype] = dtype.name
    return name


# --- Dtype rules of rows: the dtypes that operands are cast to before the op sees them ------------


def own(name: str, dtypes: list[str]) -> str | None:
    """Each operand keeps its dtype."""
    return None


def common(name: str, dtypes: list[str]) -> str:
    """One dtype for all, any."""
    return result_type(*dtypes)


def floating(name: str, dtypes: list[str]) -> str:
    """One float dtype for all: integers and booleans become floats."""
    return float_type(*dtypes)


def numeric(name: str, dtypes: list[str]) -> str:
    """One dtype for all, not bool."""
    dtype = result_type(*dtypes)
    if dtype == "bool":
        raise TypeError(f"{name}: expected numbers, received booleans; cast them first")
    return dtype


def counting(name: str, dtypes: list[str]) -> str:
    """One dtype for all; booleans alone are int32."""
    dtype = result_type(*dtypes)
    return "int32" if dtype == "bool" else dtype


def integral(name: str, dtypes: list[str]) -> str:
    """One integer dtype for all; booleans alone are int32."""
    dtype = counting(name, dtypes)
    if dtype not in INTEGERS:
        raise TypeError(f"{name}: expected integers, received {', '.join(map(strong, dtypes))}")
    return dtype


def whole(name: str, dtypes: list[str]) -> str:
    """One integer dtype for all, not bool."""
    dtype = integral(name, dtypes)
    if promote(*dtypes) == "bool":
        raise TypeError(f"{name}: expected integers, received booleans; cast them first")
    return dtype


def bitwise(name: str, dtypes: list[str]) -> str:
    """One integer dtype or bool for all."""
    dtype = result_type(*dtypes)
    if dtype in FLOATS:
        raise TypeError(
            f"{name}: expected integers or booleans, received {', '.join(map(strong, dtypes))}"
        )
    return dtype


def boolean(name: str, dtypes: list[str]) -> str:
    """bool for all: what is not zero is true."""
    return "bool"
