"""What all ops promise: names, dtypes, new arrays, untouched inputs, sizes of zero."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from reference_cases import OF_BITS, Case, cases

from dlnative import reference

FLOATS = ("float32", "float64")
# Where dtypes are fixed by the op itself and not by its first input.
FIXED_DTYPES = {
    **dict.fromkeys(("any", "all"), np.bool_),
    **dict.fromkeys(("argmax", "argmin", "argsort", "searchsorted"), np.int32),
    "check_finite": np.bool_,
    "checked_rate": np.float64,
    "accumulate_mean": np.float64,
    "cast": np.int64,
    **dict.fromkeys((*OF_BITS, "bitwise_not"), np.int32),
    **dict.fromkeys(("equal", "not_equal", "less", "less_equal"), np.bool_),
    **dict.fromkeys(("greater", "greater_equal", "logical_not", "logical_and"), np.bool_),
    **dict.fromkeys(("logical_or", "logical_xor", "isnan", "isinf", "isfinite"), np.bool_),
    "signbit": np.bool_,
}


def name_of(case: Case) -> str:
    return case[0]


def as_results(result: Any) -> list[Any]:
    return [r for r in (result if isinstance(result, tuple) else (result,)) if r is not None]


def test_every_exported_function_is_tested_here() -> None:
    assert {name for name, _, _ in cases(np.float32)} | {"philox4x32"} == set(reference.__all__)


def test_exported_names_are_functions_of_that_name() -> None:
    for name in reference.__all__:
        function = getattr(reference, name)
        assert callable(function)
        assert function.__name__ == name
        assert function.__doc__


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtype_out_is_dtype_in(dtype: str) -> None:
    for name, inputs, attributes in cases(dtype):
        for result in as_results(getattr(reference, name)(*inputs, **attributes)):
            assert isinstance(result, np.ndarray), name
            assert result.dtype == FIXED_DTYPES.get(name, dtype), name


@pytest.mark.parametrize("case", cases(np.float64), ids=name_of)
def test_inputs_are_neither_modified_nor_shared(case: Case) -> None:
    name, inputs, attributes = case
    before = [None if i is None else i.copy() for i in inputs]
    results = as_results(getattr(reference, name)(*inputs, **attributes))
    for result in results:
        assert not any(np.shares_memory(result, i) for i in inputs if i is not None)
    for k, result in enumerate(results):
        assert not any(np.shares_memory(result, other) for other in results[:k])
        result[...] = 77
    for i, b in zip(inputs, before, strict=True):
        if b is not None:
            np.testing.assert_array_equal(i, b)


@pytest.mark.parametrize("case", cases(np.float64), ids=name_of)
def test_float32_agrees_with_float64(case: Case) -> None:
    name, inputs, attributes = case
    narrow = [
        i.astype(np.float32)
        if i is not None and i.dtype == np.float64 and i.shape not in ((1,), (2,))
        else i
        for i in inputs
    ]
    exact = [i.astype(np.float64) if i is not None and i.dtype == np.float32 else i for i in narrow]
    function = getattr(reference, name)
    for single, double in zip(
        as_results(function(*narrow, **attributes)),
        as_results(function(*exact, **attributes)),
        strict=True,
    ):
        np.testing.assert_allclose(single, double, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_empty_batch(dtype: str) -> None:
    for name, inputs, attributes in cases(dtype, batch=0):
        for result in as_results(getattr(reference, name)(*inputs, **attributes)):
            assert np.all(np.isfinite(result)), name


@pytest.mark.parametrize("name", ["relu", "gelu", "sigmoid", "softplus", "step", "linear"])
def test_scalars_stay_arrays(name: str) -> None:
    result = getattr(reference, name)(np.array(2.0, dtype=np.float32))
    assert isinstance(result, np.ndarray)
    assert result.shape == ()
    assert result.dtype == np.float32


def test_documented_example() -> None:
    assert doctest.testmod(reference).failed == 0
