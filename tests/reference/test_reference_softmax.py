"""Softmax: numbers worked out by hand, edges, and its properties."""

from __future__ import annotations

from typing import Any

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dlnative import reference

# exp(i) / (exp(1) + exp(2) + exp(3)) and its logarithm, in arbitrary precision.
SOFTMAX_123 = [0.090030573170380458, 0.24472847105479765, 0.66524095577482189]
LOG_SOFTMAX_123 = [-2.4076059644443803, -1.4076059644443803, -0.4076059644443803]

PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=100)


def logits(dtype: Any, limit: float) -> st.SearchStrategy[Any]:
    shapes = hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6)
    width = np.dtype(dtype).itemsize * 8
    return hnp.arrays(dtype, shapes, elements=st.floats(-limit, limit, width=width))


def test_values() -> None:
    x = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(reference.softmax(x), SOFTMAX_123, rtol=1e-15)
    np.testing.assert_allclose(reference.log_softmax(x), LOG_SOFTMAX_123, rtol=1e-15)
    np.testing.assert_allclose(reference.softmax(np.log([1.0, 3.0, 4.0])), [0.125, 0.375, 0.5])


def test_axis() -> None:
    x = np.log(np.array([[1.0, 1.0], [3.0, 1.0]]))
    np.testing.assert_allclose(reference.softmax(x, axis=0), [[0.25, 0.5], [0.75, 0.5]])
    np.testing.assert_allclose(reference.softmax(x, axis=1), [[0.5, 0.5], [0.75, 0.25]])
    np.testing.assert_allclose(np.exp(reference.log_softmax(x, axis=0)), [[0.25, 0.5], [0.75, 0.5]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_logits(dtype: str) -> None:
    x = np.array([[1e4, -1e4], [-1e4, -1e4], [1e4, 1e4]], dtype=dtype)
    np.testing.assert_array_equal(reference.softmax(x), [[1, 0], [0.5, 0.5], [0.5, 0.5]])
    log_half = -0.69314718055994531
    expected = [[0, -2e4], [log_half, log_half], [log_half, log_half]]
    np.testing.assert_allclose(reference.log_softmax(x), expected, rtol=1e-7)


def test_infinite_logits() -> None:
    masked = np.array([-np.inf, 0.0, 0.0])
    np.testing.assert_array_equal(reference.softmax(masked), [0, 0.5, 0.5])
    assert reference.log_softmax(masked)[0] == -np.inf
    with np.errstate(invalid="ignore"):
        for bad in ([np.inf, 0.0], [np.nan, 0.0], [-np.inf, -np.inf]):
            assert np.isnan(reference.softmax(np.array(bad))).all()


def test_gradients() -> None:
    y = np.array([0.25, 0.75])
    np.testing.assert_allclose(
        reference.softmax_backward(np.array([1.0, 0.0]), y), [0.1875, -0.1875]
    )
    np.testing.assert_allclose(
        reference.log_softmax_backward(np.array([1.0, 1.0]), np.log(y)), [0.5, -0.5]
    )


def test_one_class_and_no_class() -> None:
    np.testing.assert_array_equal(reference.softmax(np.array([[7.0], [-3.0]])), [[1.0], [1.0]])
    np.testing.assert_array_equal(reference.log_softmax(np.array([[7.0]])), [[0.0]])
    assert reference.softmax(np.zeros((3, 0))).shape == (3, 0)
    assert reference.log_softmax(np.zeros((3, 0))).shape == (3, 0)


@PROPERTY
@given(logits(np.float64, 1e4))
def test_rows_sum_to_one(x: Any) -> None:
    for axis in range(x.ndim):
        y = reference.softmax(x, axis=axis)
        assert np.all(y >= 0.0)
        # Each of n terms is rounded once, and so is each of n - 1 sums.
        bound = 2 * x.shape[axis] * np.finfo(np.float64).eps
        np.testing.assert_allclose(np.sum(y, axis=axis), 1.0, rtol=0, atol=bound)


@PROPERTY
@given(logits(np.float64, 100.0), st.integers(-1000, 1000))
def test_a_constant_added_to_the_logits_changes_nothing(x: Any, constant: int) -> None:
    # Multiples of 2^-20 of this size are added without rounding, so the results are the same bits.
    x = np.round(x * 2**20) / 2**20
    np.testing.assert_array_equal(reference.softmax(x + constant), reference.softmax(x))
    np.testing.assert_array_equal(reference.log_softmax(x + constant), reference.log_softmax(x))


@PROPERTY
@given(logits(np.float64, 1e4))
def test_log_softmax_is_the_logarithm_of_softmax(x: Any) -> None:
    np.testing.assert_allclose(np.exp(reference.log_softmax(x)), reference.softmax(x), rtol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_two_classes_are_a_sigmoid(dtype: Any) -> None:
    exponents = np.linspace(np.log10(1e-30), 4, 20001)
    z = np.concatenate([-(10.0**exponents), [0.0], 10.0**exponents]).astype(dtype)
    two = reference.softmax(np.stack([np.zeros_like(z), z], axis=-1))[:, 1]
    one = reference.sigmoid(z)
    assert np.all(np.abs(two - one) <= np.spacing(one))


@PROPERTY
@given(st.floats(-200, 200))
def test_sigmoid_is_symmetric(z: float) -> None:
    up, down = reference.sigmoid(np.array([z, -z]))
    assert abs(up - (1.0 - down)) <= np.spacing(1.0)
