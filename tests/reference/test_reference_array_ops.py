"""Arithmetic, reductions and shape ops on small arrays worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dlnative import reference

INF, NAN = np.inf, np.nan
X = np.array([[1.0, -2.0, 3.0], [4.0, 5.0, -6.0]])


def test_arithmetic() -> None:
    a, b = np.array([1.0, -2.0, INF, NAN]), np.array([4.0, -3.0, 1.0, 1.0])
    np.testing.assert_array_equal(reference.add(a, b), [5, -5, INF, NAN])
    np.testing.assert_array_equal(reference.subtract(a, b), [-3, 1, INF, NAN])
    np.testing.assert_array_equal(reference.multiply(a, b), [4, 6, INF, NAN])
    np.testing.assert_array_equal(
        reference.divide(row := np.array([1.0, 3.0]), 2 * row), [0.5, 0.5]
    )
    np.testing.assert_array_equal(reference.maximum(a, b), [4, -2, INF, NAN])
    np.testing.assert_array_equal(reference.minimum(a, b), [1, -3, 1, NAN])
    np.testing.assert_array_equal(reference.rescale(a, scale=3.0, offset=0.5)[:3], [3.5, -5.5, INF])
    np.testing.assert_array_equal(reference.rescale(b), b)


def test_arithmetic_broadcasts() -> None:
    column, row = np.array([[1.0], [10.0]]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(reference.add(column, row), [[2, 3, 4], [11, 12, 13]])
    np.testing.assert_array_equal(reference.multiply(row, column), [[1, 2, 3], [10, 20, 30]])
    np.testing.assert_array_equal(reference.maximum(column, row), [[1, 2, 3], [10, 10, 10]])
    np.testing.assert_array_equal(reference.subtract(row, np.array(1.0)), [0, 1, 2])


def test_sum_and_mean() -> None:
    assert reference.sum(X) == 5.0
    np.testing.assert_array_equal(reference.sum(X, axis=0), [5, 3, -3])
    np.testing.assert_array_equal(reference.sum(X, axis=-1, keepdims=True), [[2], [3]])
    np.testing.assert_array_equal(reference.sum(X, axis=(0, 1), keepdims=True), [[5]])
    np.testing.assert_array_equal(reference.sum(X, axis=()), X)
    assert reference.mean(X) == 5.0 / 6.0
    np.testing.assert_array_equal(reference.mean(X, axis=0), [2.5, 1.5, -1.5])
    np.testing.assert_array_equal(reference.mean(X, axis=-1, keepdims=True), [[2 / 3], [1]])
    np.testing.assert_array_equal(reference.mean(X[np.newaxis], axis=(0, -1)), [2 / 3, 1])


def test_extrema() -> None:
    assert reference.max(X) == 5.0
    assert reference.min(X) == -6.0
    np.testing.assert_array_equal(reference.max(X, axis=0), [4, 5, 3])
    np.testing.assert_array_equal(reference.min(X, axis=1, keepdims=True), [[-2], [-6]])
    np.testing.assert_array_equal(
        reference.max(np.array([[1.0, NAN], [2.0, -INF]]), axis=1), [NAN, 2]
    )
    np.testing.assert_array_equal(reference.argmax(X), [2, 1])
    np.testing.assert_array_equal(reference.argmax(X, axis=0), [1, 1, 0])
    np.testing.assert_array_equal(
        reference.argmax(np.array([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]])), [1, 0]
    )


def test_reductions_of_nothing() -> None:
    nothing = np.zeros((0, 3))
    assert reference.sum(nothing) == 0.0
    np.testing.assert_array_equal(reference.sum(nothing, axis=0), [0, 0, 0])
    for function in (reference.max, reference.min, reference.argmax):
        with pytest.raises(ValueError, match="zero-size|empty"):
            function(nothing, axis=0)


def test_broadcast_to() -> None:
    column = np.array([[1.0], [2.0]])
    np.testing.assert_array_equal(reference.broadcast_to(column, shape=(2, 3)), [[1] * 3, [2] * 3])
    wide = reference.broadcast_to(np.array(4.0), shape=(2, 2))
    assert wide.flags.writeable
    assert wide.flags.c_contiguous
    np.testing.assert_array_equal(wide, [[4, 4], [4, 4]])


def test_broadcast_to_is_the_gradient_of_sum() -> None:
    dy = np.array([[0.5], [2.0]])
    dx = reference.broadcast_to(dy, shape=X.shape)
    # <dy, sum(x)> = <dx, x> for all x says that dx is the adjoint.
    assert np.sum(dy * reference.sum(X, axis=1, keepdims=True)) == np.sum(dx * X)


def test_shape_ops() -> None:
    np.testing.assert_array_equal(reference.reshape(X, shape=(3, 2)), [[1, -2], [3, 4], [5, -6]])
    np.testing.assert_array_equal(reference.reshape(X, shape=(6,)), [1, -2, 3, 4, 5, -6])
    np.testing.assert_array_equal(reference.slice(X, axis=1, start=1, stop=3), [[-2, 3], [5, -6]])
    np.testing.assert_array_equal(reference.slice(X, axis=-2, start=1, stop=2), [[4, 5, -6]])
    np.testing.assert_array_equal(reference.slice(X, axis=0, start=1, stop=1), np.zeros((0, 3)))
    np.testing.assert_array_equal(reference.transpose(X, axes=(1, 0)), [[1, 4], [-2, 5], [3, -6]])
    cube = np.arange(24.0).reshape(2, 3, 4)
    moved = reference.transpose(cube, axes=(2, 0, 1))
    assert moved.shape == (4, 2, 3)
    assert moved.flags.c_contiguous
    assert moved[3, 1, 2] == cube[1, 2, 3]


def test_concatenate_and_slice_are_inverse() -> None:
    a, b, c = X[:, :1], X[:, 1:1], X[:, 1:]
    joined = reference.concatenate(a, b, c)
    np.testing.assert_array_equal(joined, X)
    np.testing.assert_array_equal(reference.slice(joined, axis=-1, start=1, stop=3), c)
    np.testing.assert_array_equal(reference.concatenate(X, X, axis=0), [*X, *X])
    np.testing.assert_array_equal(reference.concatenate(X), X)
