"""Reductions, scans and orders of the C++ core against the oracle: dtypes, axes, threads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_checks import (
    ALL,
    FLOATS,
    NUMBERS,
    SHAPES,
    SIZES,
    axes_of,
    check,
    draw,
    native,
    rows_of,
    with_ties,
)

from dlnative import _core, reference
from dlnative.config import num_threads, set_num_threads

pytestmark = pytest.mark.native


@pytest.fixture(autouse=True, params=(1, 3))
def threads(request):
    before = num_threads()
    set_num_threads(request.param)
    yield request.param
    set_num_threads(before)


# --- reductions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("name", ["sum", "prod", "max", "min"])
def test_reductions_of_integers(name, dtype, shape):
    x = draw(shape, dtype, high=2**31 if dtype == "int32" else 2**62)
    for axis in axes_of(len(shape)):
        if name in ("max", "min") and any(shape[a] == 0 for a in axis):
            with pytest.raises(ValueError, match=f"{name}: an empty axis has no extremum"):
                _core.execute(name, [x], [np.empty(0, dtype)], {"axis": axis})
            continue
        with np.errstate(over="ignore"):
            check(name, [x], axis=axis)
    assert name != "prod" or check(name, [np.array([3, 5, 7], dtype)], axis=(-1,)) == 105


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["max", "min"])
def test_extrema_of_bytes(name, shape):
    x = draw(shape, "uint8", high=256)
    for axis in axes_of(len(shape)):
        if all(shape[a] > 0 for a in axis):
            check(name, [x], axis=axis)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["any", "all"])
@pytest.mark.parametrize("share", [0.0, 1e-3, 0.5, 1 - 1e-3, 1.0])
def test_any_and_all(name, share, shape):
    x = np.random.default_rng(1).random(shape) < share
    for axis in axes_of(len(shape)):
        check(name, [x], axis=axis)
    check(name, [x])


def test_any_and_all_take_every_byte_but_0_for_true():
    x = np.array([[2, 4, 0], [1, 254, 255]], np.uint8).view(bool)
    for axis in axes_of(2):
        for name in ("any", "all"):
            expected = getattr(np, name)(x.view(np.uint8) != 0, axis=axis)
            result = native(name, [x], np.asarray(expected), axis=axis)
            np.testing.assert_array_equal(result.view(np.uint8), expected)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_products(dtype, shape):
    rng = np.random.default_rng(2)
    x = np.exp(rng.normal(size=shape, scale=0.02)).astype(dtype) * rng.choice([-1, 1], shape)
    x = x.astype(dtype)
    for axis in axes_of(len(shape)):
        expected = reference.prod(x.astype(np.longdouble), axis=axis)
        result = native("prod", [x], expected.astype(dtype), axis=axis)
        factors = x.size / max(1, expected.size)
        eps = np.finfo(dtype).eps / 2 + factors * np.finfo(np.float64).eps
        assert (np.abs(result - expected) <= eps * np.abs(expected)).all()


def test_products_of_float32_do_not_overflow_on_the_way():
    like = np.zeros((), np.float32)
    large_then_small = np.repeat(np.array([1e30, 1e-30], np.float32), 10)
    np.testing.assert_allclose(native("prod", [large_then_small], like), 1, rtol=1e-5)
    assert np.isinf(native("prod", [np.full(9, 1e9, np.float32)], like))
    assert np.isnan(native("prod", [np.array([2, np.nan, 0], np.float32)], like))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", FLOATS)
def test_sums_of_float_are_as_accurate_as_before(dtype, shape):
    x = draw(shape, dtype, 3)
    for axis in axes_of(len(shape)):
        exact = reference.sum(x.astype(np.longdouble), axis=axis)
        result = native("sum", [x], exact.astype(dtype), axis=axis)
        scale = reference.sum(np.abs(x).astype(np.longdouble), axis=axis)
        assert (np.abs(result - exact) <= 40 * np.finfo(dtype).eps * scale).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape, axis", [((70001,), 0), ((40000, 3), 0), ((7, 33, 300), 1)])
def test_bits_do_not_depend_on_threads(shape, axis, dtype, threads):
    x = draw(shape, dtype, 4)
    x *= np.exp2(-np.arange(x.size) % 8).reshape(shape).astype(dtype)
    for name in ("sum", "prod", "cumsum", "cumprod"):
        scan = name.startswith("cum")
        like = x if scan else np.empty(np.delete(shape, axis), dtype)
        attributes = {"axis": axis if scan else (axis,)}
        here = native(name, [x], like, **attributes)
        set_num_threads(4 - threads)
        np.testing.assert_array_equal(native(name, [x], like, **attributes), here)
        set_num_threads(threads)


@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_places_of_extrema(name, dtype):
    for axis, shape in itertools.chain.from_iterable(map(rows_of, SHAPES)):
        if shape[axis] == 0:
            x, y = np.empty(shape, dtype), np.empty(np.delete(shape, axis), np.int32)
            with pytest.raises(ValueError, match=f"{name}: expected an axis that is not empty"):
                _core.execute(name, [x], [y], {"axis": axis})
            continue
        check(name, [draw(shape, dtype, 5)], axis=axis)


@pytest.mark.parametrize("n", SIZES[1:])
@pytest.mark.parametrize("dtype", ALL)
@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_the_first_of_equal_extrema_and_the_first_nan(name, dtype, n):
    with np.errstate(invalid="ignore"):
        for shape in ((n,), (n, 5), (2, n)):
            x = with_ties(shape, dtype, n)
            x[x == np.array(1e-40, "f").astype(dtype)] = 0  # flushed to zero, and NumPy's is not
            for axis in range(len(shape)):
                check(name, [x], axis=axis)
                check(name, [np.zeros_like(x)], axis=axis)
        if dtype in FLOATS:
            x = draw((n,), dtype)
            x[[n // 2, -1]] = np.nan
            assert check(name, [x], axis=0) == n // 2


# --- scans and orders ----------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("name", ["cumsum", "cumprod"])
def test_scans(name, dtype, reverse):
    for axis, shape in itertools.chain.from_iterable(map(rows_of, SHAPES)):
        x = draw(shape, dtype, 6)
        if name == "cumprod" and dtype in FLOATS:
            x = np.exp(0.02 * x).astype(dtype) * np.sign(x)
        with np.errstate(over="ignore"):
            y = check(name, [x], axis=axis, reverse=reverse)
        _core.execute(name, [x], [x], {"axis": axis, "reverse": reverse})  # in place
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", ALL)
def test_argsort(dtype, descending):
    for axis, shape in itertools.chain.from_iterable(map(rows_of, SHAPES)):
        for x in (draw(shape, dtype, 7), with_ties(shape, dtype, 7)):
            check("argsort", [x], axis=axis, descending=descending)


def test_argsort_descending_keeps_the_order_of_equals():
    x = np.array([2, np.nan, 3, 2, 3, np.nan, -0.0, 0.0], "f")
    np.testing.assert_array_equal(
        native("argsort", [x], np.zeros(8, np.int32), descending=True), [1, 5, 2, 4, 0, 3, 6, 7]
    )


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 64, 1000])
@pytest.mark.parametrize("dtype", ALL)
def test_searchsorted(dtype, n, side):
    for make in (draw, with_ties):
        places = np.sort(make((n,), dtype, 8))
        for shape in ((), (0,), (5,), (3, 7), (20000,)):
            check("searchsorted", [places, make(shape, dtype, 9)], side=side)


@pytest.mark.parametrize(
    "name, inputs, attributes, message",
    [
        ("sum", [np.zeros(3, "u1")], {}, "sum: expected float32, float64, int32 or int64"),
        ("max", [np.zeros(3, "?")], {}, "max: expected float32, float64, int32 or int64"),
        ("mean", [np.zeros(3, "i4")], {}, "mean: expected float32 or float64, received int32"),
        ("any", [np.zeros(3, "f")], {}, "any: expected bool, received float32"),
        ("cumsum", [np.zeros(3, "u1")], {}, "cumsum: expected float32, float64, int32 or int64"),
        ("cumsum", [np.zeros(3, "f")], {"axis": 1}, "cumsum: expected an axis"),
        ("argsort", [np.zeros((), "f")], {}, "argsort: expected an axis"),
        ("prod", [np.zeros((3, 2), "f")], {"axis": (0, -2)}, "prod: axis 0 is given twice"),
        ("any", [np.zeros((3, 2), "?")], {"axis": (2,)}, "any: expected axes in"),
        ("searchsorted", [np.zeros((2, 2)), np.zeros(2)], {}, "searchsorted: expected a sorted"),
        ("searchsorted", [np.zeros(2), np.zeros(2, "f")], {}, "searchsorted: expected values of"),
        ("searchsorted", [np.zeros(2)] * 2, {"side": "middle"}, "searchsorted: expected side"),
    ],
)
def test_reductions_that_are_refused(name, inputs, attributes, message):
    y = np.empty(inputs[-1].shape, np.int32 if name == "searchsorted" else inputs[0].dtype)
    with pytest.raises(ValueError, match=message):
        _core.execute(name, inputs, [y], attributes)


def test_results_of_another_size_or_dtype_are_refused():
    x = np.zeros((3, 2), np.float32)
    for name in ("sum", "prod", "max", "argmax", "cumsum", "argsort"):
        for y in (np.empty(4, x.dtype), np.empty(4, np.int32), np.empty(2), np.empty((3, 2), "i8")):
            with pytest.raises(ValueError, match=f"{name}: expected result of"):
                _core.execute(name, [x], [y], {"axis": 0})
