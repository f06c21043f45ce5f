"""Judged calls of the elementwise ops."""

from cases import A, Case, V

CASES = [
    Case("add", (A(3, 4), A(4)), grad=(0, 1)),
    Case("add", (A(3, 4), A(5)), raises=ValueError),
    Case("add", (V([1, 2], "int64"), A(2)), grad=(1,)),
]
