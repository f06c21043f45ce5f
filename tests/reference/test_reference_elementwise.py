"""Functions of arrays, comparisons and conversions on values worked out by hand or known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlnative import reference

INF, NAN = np.inf, np.nan
SMALLEST, LARGEST = -(2**31), 2**31 - 1


def ints(*values: int) -> Any:
    return np.array(values, np.int32)


# From tables of 16 digits (Abramowitz and Stegun; the last digits by mpmath).
@pytest.mark.parametrize(
    "name, x, y",
    [
        ("erf", 0.5, 0.5204998778130465),
        ("erfc", 10.0, 2.088487583762545e-45),
        ("erfinv", 0.5, 0.4769362762044699),
        ("erfinv", -0.9, -1.1630871536766743),
        ("erfinv", 1e-10, 8.862269254527581e-11),
        ("erfinv", 0.999999999999, 5.042031898572696),
        ("lgamma", 0.5, 0.5723649429247001),
        ("lgamma", -1.5, 0.8600470153764810),
        ("lgamma", 100.0, 359.1342053695754),
        ("digamma", 1.0, -0.5772156649015329),
        ("digamma", 0.5, -1.9635100260214235),
        ("digamma", -1.5, 0.7031566406452432),
        ("digamma", 1e-9, -1000000000.5772156),
        ("digamma", 1e6, 13.815510057964191),
        ("i0", 0.0, 1.0),
        ("i0", 1.0, 1.2660658777520084),
        ("i0", -5.0, 27.239871823604442),
        ("i0", 50.0, 2.932553783849335e20),
        ("cbrt", -27.0, -3.0),
        ("rsqrt", 4.0, 0.5),
        ("exp2", -3.0, 0.125),
        ("log2", 8.0, 3.0),
        ("log10", 1000.0, 3.0),
        ("expm1", 1e-10, 1.00000000005e-10),
        ("log1p", 1e-10, 9.9999999995e-11),
        ("arcsinh", 1.0, 0.881373587019543),
        ("arctan", 1.0, np.pi / 4),
    ],
)
def test_known_values(name: str, x: float, y: float) -> None:
    got = getattr(reference, name)(np.array(x))
    # Sums of a series and a recurrence round several times.
    rounds = {"erfinv": 16, "lgamma": 4, "digamma": 8, "i0": 8}.get(name, 1)
    np.testing.assert_allclose(got, y, rtol=4e-16 * rounds)
    single = getattr(reference, name)(np.array(x, np.float32))
    if name in ("erf", "erfc", "lgamma", "digamma", "i0"):  # rounded once, after float64
        exact = getattr(reference, name)(np.array(x, np.float32).astype(np.float64))
        assert single == exact.astype(np.float32)


def test_limits_of_special_functions() -> None:
    with np.errstate(all="ignore"):
        ends = np.array([INF, -INF, NAN])
        np.testing.assert_array_equal(reference.erf(ends), [1, -1, NAN])
        np.testing.assert_array_equal(reference.erfc(ends), [0, 2, NAN])
        edges = np.array([1.0, -1.0, 1.5, NAN, -0.0])
        np.testing.assert_array_equal(reference.erfinv(edges), [INF, -INF, NAN, NAN, -0.0])
        np.testing.assert_array_equal(reference.i0(ends), [INF, INF, NAN])
        poles = np.array([0.0, -1.0, -20.0, INF, -INF, NAN, 1e308])
        np.testing.assert_array_equal(reference.lgamma(poles), [INF, INF, INF, INF, INF, NAN, INF])
        poles = poles[:6]
        np.testing.assert_array_equal(reference.digamma(poles), [NAN, NAN, NAN, INF, NAN, NAN])


def test_rounding() -> None:
    x = np.array([-2.5, -1.5, -0.2, 0.5, 1.5, 2.7])
    np.testing.assert_array_equal(reference.floor(x), [-3, -2, -1, 0, 1, 2])
    np.testing.assert_array_equal(reference.ceil(x), [-2, -1, 0, 1, 2, 3])
    np.testing.assert_array_equal(reference.round(x), [-2, -2, 0, 0, 2, 3])
    np.testing.assert_array_equal(reference.trunc(x), [-2, -1, 0, 0, 1, 2])


def test_signs_and_questions() -> None:
    x = np.array([-3.0, -0.0, 0.0, 2.0, NAN, INF])
    np.testing.assert_array_equal(reference.sign(x), [-1, 0, 0, 1, NAN, 1])
    np.testing.assert_array_equal(reference.abs(x), [3, 0, 0, 2, NAN, INF])
    np.testing.assert_array_equal(reference.signbit(x[:4]), [True, True, False, False])
    np.testing.assert_array_equal(reference.isnan(x[3:]), [False, True, False])
    np.testing.assert_array_equal(reference.isinf(x[3:]), [False, False, True])
    np.testing.assert_array_equal(reference.isfinite(x[3:]), [True, False, False])


def test_integers_wrap() -> None:
    np.testing.assert_array_equal(reference.add(ints(LARGEST), ints(1)), [SMALLEST])
    np.testing.assert_array_equal(reference.negative(ints(SMALLEST, 5)), [SMALLEST, -5])
    np.testing.assert_array_equal(reference.abs(ints(SMALLEST, -5)), [SMALLEST, 5])
    np.testing.assert_array_equal(reference.square(ints(65536, -3)), [0, 9])
    np.testing.assert_array_equal(reference.negative(np.array([1], np.uint8)), [255])


def test_division_of_integers() -> None:
    a, b = ints(7, -7, 7, -7, 5, SMALLEST), ints(2, 2, -2, -2, 0, -1)
    np.testing.assert_array_equal(reference.floor_divide(a, b), [3, -4, -4, 3, 0, SMALLEST])
    np.testing.assert_array_equal(reference.mod(a, b), [1, 1, -1, -1, 0, 0])
    np.testing.assert_array_equal(reference.fmod(a, b), [1, -1, 1, -1, 0, 0])


def test_division_of_floats() -> None:
    a, b = np.array([7.0, -7.0, 7.0, -7.0, 1.0]), np.array([2.0, 2.0, -2.0, -2.0, 0.1])
    np.testing.assert_array_equal(reference.floor_divide(a, b), [3, -4, -4, 3, 9])
    np.testing.assert_allclose(reference.mod(a, b), [1, 1, -1, -1, 0.1])
    np.testing.assert_allclose(reference.fmod(a, b), [1, -1, 1, -1, 0.1])


def test_powers() -> None:
    a, b = ints(2, -1, -1, 1, 0, 3, 0, 2, -3), ints(-1, -3, -2, -9, -1, 0, 0, 5, 3)
    np.testing.assert_array_equal(reference.power(a, b), [0, -1, 1, 1, 0, 1, 1, 32, -27])
    unsigned = reference.power(np.array([255, 2], np.uint8), np.array([2, 9], np.uint8))
    np.testing.assert_array_equal(unsigned, [1, 0])
    np.testing.assert_allclose(reference.power(np.array([2.0]), np.array([0.5])), [2**0.5])


def test_bits() -> None:
    a, b = ints(12, -12, 1, -8, 8), ints(10, 4, 33, 40, -1)
    np.testing.assert_array_equal(reference.bitwise_and(a, b)[:1], [8])
    np.testing.assert_array_equal(reference.bitwise_or(a, b)[:1], [14])
    np.testing.assert_array_equal(reference.bitwise_xor(a, b)[:1], [6])
    np.testing.assert_array_equal(reference.bitwise_not(a)[:2], [-13, 11])
    np.testing.assert_array_equal(reference.left_shift(a, b), [12288, -192, 0, 0, 0])
    np.testing.assert_array_equal(reference.right_shift(a, b), [0, -1, 0, -1, 0])
    np.testing.assert_array_equal(reference.gcd(ints(12, -12, 0), ints(18, 18, -5)), [6, 6, 5])
    np.testing.assert_array_equal(reference.lcm(ints(4, -4, 0), ints(6, 6, 5)), [12, 12, 0])


def test_comparisons_and_logic() -> None:
    a, b = np.array([1.0, 2.0, NAN]), np.array([1.0, 3.0, NAN])
    np.testing.assert_array_equal(reference.equal(a, b), [True, False, False])
    np.testing.assert_array_equal(reference.not_equal(a, b), [False, True, True])
    np.testing.assert_array_equal(reference.less(a, b), [False, True, False])
    np.testing.assert_array_equal(reference.less_equal(a, b), [True, True, False])
    np.testing.assert_array_equal(reference.greater(a, b), [False, False, False])
    np.testing.assert_array_equal(reference.greater_equal(a, b), [True, False, False])
    p, q = np.array([False, False, True, True]), np.array([False, True, False, True])
    np.testing.assert_array_equal(reference.logical_and(p, q), [False, False, False, True])
    np.testing.assert_array_equal(reference.logical_or(p, q), [False, True, True, True])
    np.testing.assert_array_equal(reference.logical_xor(p, q), [False, True, True, False])
    np.testing.assert_array_equal(reference.logical_not(p), [True, True, False, False])
    np.testing.assert_array_equal(reference.add(p, q), [False, True, True, True])
    np.testing.assert_array_equal(reference.multiply(p, q), [False, False, False, True])
    np.testing.assert_array_equal(reference.where(p, ints(1, 2, 3, 4), ints(0)), [0, 0, 3, 4])


def test_cast() -> None:
    x = np.array([1.9, -1.9, NAN, INF, -INF, 3e9, 300.0])
    np.testing.assert_array_equal(
        reference.cast(x, "int32"), [1, -1, 0, LARGEST, SMALLEST, LARGEST, 300]
    )
    np.testing.assert_array_equal(reference.cast(x, "uint8"), [1, 0, 0, 255, 0, 255, 255])
    np.testing.assert_array_equal(reference.cast(x, "int64")[3:6], [2**63 - 1, -(2**63), 3e9])
    np.testing.assert_array_equal(reference.cast(np.array([0.0, -0.0, NAN, 0.1]), "bool")[2:], True)
    np.testing.assert_array_equal(reference.cast(ints(-1, 256, 7), "uint8"), [255, 0, 7])
    assert reference.cast(ints(1), "float32").dtype == np.float32
