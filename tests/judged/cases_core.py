"""Judged calls of keras.ops' core: conversion, dtypes and shapes."""

from __future__ import annotations

from dataclasses import replace
from math import inf, nan

from cases import A, Case, V
from cases_elementwise import DTYPES

WHOLE = ("int32", "int64", "uint8")

LOWEST = "integers become the floats of their value; Keras has the lowest integer for all of them"
KERAS_HAS_LOWEST = (("int32", "float32"), ("int64", "float32"), ("int64", "float64"))


def saturated(values, a, b):
    """saturate_cast of values of dtype a to b."""
    case = Case("saturate_cast", (V(values, a), b))
    if (a, b) not in KERAS_HAS_LOWEST:
        return case
    return replace(case, differs=LOWEST, differs_expect=V(values, b))


CASES = [
    *(Case("cast", (V([0, 1, 2, 100], a), b)) for a in DTYPES for b in DTYPES),
    *(saturated([0, 1, 2, 100], a, b) for a in DTYPES for b in DTYPES),
    *(Case("cast", (V([-2.7, -1.5, -0.5, 0.5, 2.7], a), "int32")) for a in ("float32", "float64")),
    *(Case("cast", (V([nan, inf, -inf, -0.0, 0.1], a), "bool")) for a in ("float32", "float64")),
    Case("cast", (V([2**31 - 1, -(2**31), 256, -1], "int32"), "uint8")),
    Case("cast", (V([2**31, -(2**31) - 1, 2**40 + 3, -1], "int64"), "int32")),
    Case("cast", (V([2**40 + 3, -1], "int64"), "uint8")),
    Case("cast", (V([2**24 + 1, -1], "int32"), "float32")),
    Case("cast", (V([2**53 + 1, -1], "int64"), "float64")),
    Case("cast", (V([1e300, 1 / 3], "float64"), "float32")),
    *(
        Case(op, (V([nan, inf, -inf, 3e20, -3e20], a), b))
        for op in ("cast", "saturate_cast")
        for a in ("float32", "float64")
        for b in WHOLE
    ),
    Case("cast", (A(3, 4), "float64"), grad=(0,)),
    Case("cast", (A(3, 4, dtype="float64"), "float32"), grad=(0,)),
    Case("cast", (A(0, 3), "int32")),
    *(Case("cast", (x, b)) for x in (2, 2.5, True) for b in ("float32", "int32", "uint8", "bool")),
    Case("cast", (A(3), "complex"), raises=ValueError),
    Case("cast", (A(3), "text"), raises=ValueError),
    *(saturated([-5, 5, 300, 2**31 - 1], "int32", b) for b in DTYPES),
    *(saturated([-(2**40), 2**40, 5], "int64", b) for b in DTYPES),
    Case("saturate_cast", (V([-5.5, 5.5, 300, 1e12]), "uint8")),
    Case("saturate_cast", (V([-5.5, 5.5, 300, 1e12]), "int32")),
    Case("saturate_cast", (A(3, 4), "float64"), grad=(0,)),
    *(Case("convert_to_tensor", (A(2, 3, dtype=dtype),)) for dtype in DTYPES),
    *(Case("convert_to_tensor", (x,)) for x in (1, 2.5, True, [1, 2], [1.0, 2], [[True], [False]])),
    *(Case("convert_to_tensor", (A(2, 3), dtype)) for dtype in DTYPES),
    *(Case("convert_to_tensor", ([1, 0, 3], dtype)) for dtype in DTYPES),
    Case("convert_to_tensor", ([A(3), A(3)],), grad=(0,)),
    Case("convert_to_tensor", (A(3),), {"sparse": False}),
    *(Case("convert_to_numpy", (A(2, 3, dtype=dtype),), static=(0,)) for dtype in DTYPES),
    *(Case("is_tensor", (x,)) for x in (A(3), A(), 1.0, [1, 2], "text", None)),
    *(Case("shape", (A(*shape),)) for shape in [(), (3,), (2, 0, 3)]),
    *(Case("ndim", (A(*shape),)) for shape in [(), (3,), (2, 0, 3)]),
    *(Case("dtype", (A(3, dtype=dtype),)) for dtype in DTYPES),
    Case("stop_gradient", (A(3, 4),), grad=(0,)),
    Case("stop_gradient", (A(3, dtype="int32"),)),
]
