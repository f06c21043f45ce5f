"""Matrix product and dense layer on small arrays worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dlnative import reference

A = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
B = np.array([[1.0, 0.0], [0.0, 2.0], [-1.0, 1.0]])
PRODUCT = [[-2.0, 7.0], [-2.0, 16.0]]


def test_matmul() -> None:
    np.testing.assert_array_equal(reference.matmul(A, B), PRODUCT)
    np.testing.assert_array_equal(reference.matmul(A.T.copy(), B, transpose_a=True), PRODUCT)
    np.testing.assert_array_equal(reference.matmul(A, B.T.copy(), transpose_b=True), PRODUCT)
    np.testing.assert_array_equal(
        reference.matmul(A.T.copy(), B.T.copy(), transpose_a=True, transpose_b=True), PRODUCT
    )


def test_matmul_of_nothing() -> None:
    product = reference.matmul(np.zeros((2, 0)), np.zeros((0, 3)))
    np.testing.assert_array_equal(product, np.zeros((2, 3)))
    assert reference.matmul(np.zeros((0, 2)), np.zeros((2, 3))).shape == (0, 3)


def test_dense() -> None:
    bias = np.array([1.0, -10.0])
    np.testing.assert_array_equal(reference.dense(A, B), PRODUCT)
    np.testing.assert_array_equal(reference.dense(A, B, bias), [[-1, -3], [-1, 6]])
    np.testing.assert_array_equal(reference.dense(A, B, bias, activation="relu"), [[0, 0], [0, 6]])
    np.testing.assert_array_equal(
        reference.dense(A, B, bias, activation="relu", negative_slope=0.5, max_value=5.0),
        [[-0.5, -1.5], [-0.5, 5]],
    )
    deep = reference.dense(np.stack([A, A])[:, :, np.newaxis], B)
    np.testing.assert_array_equal(deep, np.reshape([PRODUCT, PRODUCT], (2, 2, 1, 2)))


def test_dense_equals_its_parts() -> None:
    x, kernel, bias = A / 5, B / 3, np.array([0.25, -0.5])
    z = reference.add(reference.matmul(x, kernel), bias)
    for name, attributes in (
        ("gelu", {"approximate": True}),
        ("elu", {"alpha": 0.5}),
        ("softmax", {}),
        ("log_softmax", {"axis": 0}),
        ("linear", {}),
    ):
        expected = getattr(reference, name)(z, **attributes)
        y = reference.dense(x, kernel, bias, activation=name, **attributes)
        np.testing.assert_array_equal(y, expected)
        both = reference.dense(x, kernel, bias, name, pre_activation=True, **attributes)
        np.testing.assert_array_equal(both[0], expected)
        np.testing.assert_array_equal(both[1], z)


def test_dense_gradients() -> None:
    dy = np.array([[1.0, 0.0], [2.0, -1.0]])
    np.testing.assert_array_equal(reference.dense_backward_input(dy, B), [[1, 0, -1], [2, -2, -3]])
    dkernel = [[9, -4], [12, -5], [15, -6]]
    np.testing.assert_array_equal(reference.dense_backward_kernel(A, dy), dkernel)
    np.testing.assert_array_equal(reference.bias_backward(dy), [3, -1])
    stacked = reference.dense_backward_kernel(A[:, np.newaxis], dy[:, np.newaxis])
    np.testing.assert_array_equal(stacked, dkernel)
    np.testing.assert_array_equal(reference.bias_backward(dy[np.newaxis]), [3, -1])
    masked = reference.dense_backward_input(dy, B, np.array([[1.0, 1, 0], [0, 3, 4]]), "relu")
    np.testing.assert_array_equal(masked, [[1, 0, 0], [0, -2, -3]])


def test_unknown_activation() -> None:
    with pytest.raises(ValueError, match=r"dense: expected 'activation'.*received 'swoosh'"):
        reference.dense(A, B, activation="swoosh")
    with pytest.raises(ValueError, match=r"dense_backward_input: .*received 'swoosh'"):
        reference.dense_backward_input(A[:, :2], B, A, "swoosh")
