"""Losses and metrics: numbers worked out by hand, edges, and how the losses relate."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from reference_cases import DENSE_LOSSES, SPARSE_LOSSES

from dlnative import reference

# -log_softmax([1, 2, 3]), in arbitrary precision.
NEGATIVE_LOG = [2.4076059644443803, 1.4076059644443803, 0.4076059644443803]
LOG_2, LOG_4, LOG_5 = 0.69314718055994531, 1.3862943611198906, 1.6094379124341004
MINUS_LOG_EPSILON = 16.11809565095832  # -log(1e-7)
MINUS_LOG_1_MINUS_EPSILON = 1.0000000500000033e-7  # -log(1 - 1e-7)
LOGITS = np.array([[1.0, 2.0, 3.0], [1e4, -1e4, 0.0]])
PROPERTY = settings(derandomize=True, database=None, deadline=None, max_examples=60)


def test_softmax_cross_entropy() -> None:
    labels = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]])
    losses = reference.softmax_cross_entropy(LOGITS, labels)
    np.testing.assert_allclose(losses, [NEGATIVE_LOG[2], 2e4], rtol=1e-15)
    soft = reference.softmax_cross_entropy(LOGITS[:1], np.array([[0.5, 0.25, 0.25]]))
    np.testing.assert_allclose(soft, [1.6576059644443803], rtol=1e-15)
    # 0.7 * one-hot + 0.3 / 3: the labels become 0.1, 0.1, 0.8.
    smooth = reference.softmax_cross_entropy(LOGITS[:1], labels[:1], label_smoothing=0.3)
    np.testing.assert_allclose(smooth, [0.7076059644443803], rtol=1e-14)


def test_softmax_cross_entropy_gradient() -> None:
    logits = np.log(np.array([[1.0, 3.0, 4.0]]))  # softmax: 0.125, 0.375, 0.5
    labels, dloss = np.array([[0.0, 1.0, 0.0]]), np.array([2.0])
    dlogits = reference.softmax_cross_entropy_backward(dloss, logits, labels)
    np.testing.assert_allclose(dlogits, [[0.25, -1.25, 1.0]], rtol=1e-14)
    smooth = reference.softmax_cross_entropy_backward(dloss, logits, labels, label_smoothing=0.3)
    np.testing.assert_allclose(smooth, [[0.05, -0.85, 0.8]], rtol=1e-14)
    sparse = reference.sparse_softmax_cross_entropy_backward(dloss, logits, np.array([1]))
    np.testing.assert_array_equal(sparse, dlogits)


def test_sparse_softmax_cross_entropy() -> None:
    labels = np.array([0, 1], dtype=np.int32)
    losses = reference.sparse_softmax_cross_entropy(LOGITS, labels)
    np.testing.assert_allclose(losses, [NEGATIVE_LOG[0], 2e4], rtol=1e-15)
    # A class that is ruled out by -inf does not disturb the others.
    masked = np.array([[-np.inf, 0.0, 0.0]])
    loss = reference.sparse_softmax_cross_entropy(masked, np.array([1]))
    np.testing.assert_allclose(loss, [LOG_2])


def test_binary_cross_entropy_with_logits() -> None:
    logits, labels = np.array([[0.5, -2.0]]), np.array([[1.0, 0.0]])
    loss = reference.binary_cross_entropy_with_logits
    np.testing.assert_allclose(loss(logits, labels), [0.30050249761153959], rtol=1e-15)
    smooth = loss(logits, labels, label_smoothing=0.2)
    np.testing.assert_allclose(smooth, [0.42550249761153959], rtol=1e-15)
    large = np.array([[1e4], [-1e4], [1e4], [-1e4]])
    np.testing.assert_array_equal(loss(large, np.array([[1], [0], [0], [1]])), [0, 0, 1e4, 1e4])
    dlogits = reference.binary_cross_entropy_with_logits_backward(
        np.ones(2), np.array([[0.0, 1e4], [-1e4, 0.0]]), np.array([[1.0, 0.0], [1.0, 0.25]])
    )
    np.testing.assert_array_equal(dlogits, [[-0.25, 0.5], [-0.5, 0.125]])


def test_categorical_cross_entropy() -> None:
    # Rows are divided by their sums: 0.2 0.8, 0.25 0.75, and two that the clip bounds.
    probs = np.array([[0.2, 0.8], [1.0, 3.0], [0.0, 1.0], [0.0, 1.0]])
    labels = np.array([0, 0, 0, 1])
    expected = [LOG_5, LOG_4, MINUS_LOG_EPSILON, MINUS_LOG_1_MINUS_EPSILON]
    sparse = reference.sparse_categorical_cross_entropy(probs, labels)
    np.testing.assert_allclose(sparse, expected, rtol=1e-9)
    dense = reference.categorical_cross_entropy(probs, np.eye(2)[labels])
    np.testing.assert_allclose(dense, expected, rtol=1e-9)
    # Labels 0.75, 0.25.
    smooth = reference.categorical_cross_entropy(
        np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([[1, 0], [1, 0]]), label_smoothing=0.5
    )
    np.testing.assert_allclose(smooth, [LOG_2, 0.75 * LOG_4 + 0.25 * 0.28768207245178093])


def test_categorical_cross_entropy_gradient() -> None:
    probs = np.array([[0.5, 0.25, 0.25], [2.0, 1.0, 1.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
    labels = np.array([0, 0, 1, 0])
    expected = [[-1.0, 1.0, 1.0], [-0.25, 0.25, 0.25], [1.0, -1.0, 1.0], [0.0, 0.0, 0.0]]
    sparse = reference.sparse_categorical_cross_entropy_backward(np.ones(4), probs, labels)
    np.testing.assert_allclose(sparse, expected)
    dense = reference.categorical_cross_entropy_backward(np.ones(4), probs, np.eye(3)[labels])
    np.testing.assert_array_equal(dense, sparse)


def test_binary_cross_entropy() -> None:
    probs = np.array([[0.5, 0.25], [0.0, 1.0], [0.0, 1.0]])
    labels = np.array([[1, 1], [1, 0], [0, 1]])
    losses = reference.binary_cross_entropy(probs, labels)
    expected = [(LOG_2 + LOG_4) / 2, MINUS_LOG_EPSILON, MINUS_LOG_1_MINUS_EPSILON]
    np.testing.assert_allclose(losses, expected, rtol=1e-8)
    smooth = reference.binary_cross_entropy(probs[:1], labels[:1], label_smoothing=0.5)
    np.testing.assert_allclose(smooth, [(LOG_2 + 0.75 * LOG_4 + 0.25 * 0.28768207245178093) / 2])
    dprobs = reference.binary_cross_entropy_backward(np.ones(3), probs, labels)
    np.testing.assert_allclose(dprobs, [[-1.0, -2.0], [0.0, 0.0], [0.0, 0.0]])


def test_clipped_float32_probabilities_give_finite_losses() -> None:
    probs = np.array([[0.0, 1.0], [1.0, 0.0]], dtype=np.float32)
    for loss in (reference.binary_cross_entropy, reference.categorical_cross_entropy):
        losses = loss(probs, 1.0 - probs)
        np.testing.assert_allclose(losses, 15.94, atol=0.2)
        assert np.all(np.isfinite(losses))


def test_nan_is_seen_in_loss_and_gradient() -> None:
    probs, labels = np.array([[np.nan, 0.5]]), np.array([[1.0, 0.0]])
    for name in DENSE_LOSSES:
        if name != "mean_absolute_error":
            assert np.isnan(getattr(reference, name)(probs, labels)).all()
        assert np.isnan(getattr(reference, f"{name}_backward")(np.ones(1), probs, labels)).any()


def test_regression_losses() -> None:
    pred, target = np.array([[1.0, 2.0], [0.0, -3.0]]), np.array([[1.0, 4.0], [1.0, 1.0]])
    dloss = np.array([1.0, 3.0])
    np.testing.assert_array_equal(reference.mean_squared_error(pred, target), [2.0, 8.5])
    np.testing.assert_array_equal(
        reference.mean_squared_error_backward(dloss, pred, target), [[0, -2], [-3, -12]]
    )
    np.testing.assert_array_equal(reference.mean_absolute_error(pred, target), [1.0, 2.5])
    np.testing.assert_array_equal(
        reference.mean_absolute_error_backward(dloss, pred, target), [[0, -0.5], [-1.5, -1.5]]
    )


def test_weighted_sum() -> None:
    losses, weight = np.array([1.0, 2.0, 4.0]), np.array([1.0, 0.0, 0.5])
    assert reference.weighted_sum(losses) == 7.0
    assert reference.weighted_sum(losses, weight) == 3.0
    assert reference.weighted_sum(losses, weight, scale=0.25) == 0.75
    dtotal = np.array(2.0)
    np.testing.assert_array_equal(reference.weighted_sum_backward(dtotal, losses), [2, 2, 2])
    np.testing.assert_array_equal(
        reference.weighted_sum_backward(dtotal, losses, weight, scale=0.25), [0.5, 0.0, 0.25]
    )


def test_mean_over_the_batch_with_gradient() -> None:
    logits = np.log(np.array([[1.0, 3.0], [1.0, 1.0]]))
    total, dlogits = reference.sparse_softmax_cross_entropy_with_gradient(
        logits, np.array([0, 1]), scale=0.5
    )
    np.testing.assert_allclose(total, (LOG_4 + LOG_2) / 2)
    np.testing.assert_allclose(dlogits, [[-0.375, 0.375], [0.25, -0.25]])


@PROPERTY
@given(st.integers(1, 9), st.integers(1, 6), st.integers(0, 10**6), st.floats(0.01, 1e3))
def test_sparse_labels_equal_one_hot_labels(
    batch: int, classes: int, seed: int, size: float
) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=size, size=(batch, classes))
    labels, dloss = rng.integers(0, classes, batch), rng.normal(size=batch)
    one_hot = np.eye(classes)[labels]
    for kind, pred in (("softmax", logits), ("categorical", reference.softmax(logits))):
        for suffix, first in (("", ()), ("_backward", (dloss,))):
            dense = getattr(reference, f"{kind}_cross_entropy{suffix}")
            sparse = getattr(reference, f"sparse_{kind}_cross_entropy{suffix}")
            np.testing.assert_array_equal(
                sparse(*first, pred, labels), dense(*first, pred, one_hot)
            )


@PROPERTY
@given(st.integers(1, 7), st.integers(0, 10**6), st.floats(0.0, 1.0))
def test_losses_of_logits_equal_losses_of_probabilities(
    batch: int, seed: int, smoothing: float
) -> None:
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(scale=3.0, size=(batch, 4)), rng.dirichlet(np.ones(4), batch)
    np.testing.assert_allclose(
        reference.softmax_cross_entropy(logits, labels, smoothing),
        reference.categorical_cross_entropy(reference.softmax(logits), labels, smoothing),
        rtol=1e-10,
    )
    np.testing.assert_allclose(
        reference.binary_cross_entropy_with_logits(logits, labels, smoothing),
        reference.binary_cross_entropy(reference.sigmoid(logits), labels, smoothing),
        rtol=1e-10,
    )


@PROPERTY
@given(st.floats(-1e4, 1e4), st.sampled_from([0, 1]))
def test_two_classes_with_one_logit_fixed_are_logistic_regression(z: float, label: int) -> None:
    two = reference.sparse_softmax_cross_entropy(np.array([[0.0, z]]), np.array([label]))
    one = reference.binary_cross_entropy_with_logits(np.array([[z]]), np.array([[label]]))
    np.testing.assert_allclose(two, one, rtol=1e-14, atol=1e-300 if abs(z) > 700 else 1e-16)


def test_accuracies() -> None:
    pred = np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0], [0.3, 0.3, 0.4]])
    np.testing.assert_array_equal(
        reference.categorical_accuracy(pred, np.eye(3)[[1, 1, 2]]), [1, 0, 1]
    )
    np.testing.assert_array_equal(
        reference.sparse_categorical_accuracy(pred, np.array([1, 0, 0], np.int32)), [1, 1, 0]
    )
    stacked = reference.sparse_categorical_accuracy(pred[np.newaxis], np.array([[1, 0, 0]]))
    np.testing.assert_array_equal(stacked, [[1, 1, 0]])
    answers = np.array([[1, 1, 0], [0, 0, 0], [0, 0, 0]])
    np.testing.assert_allclose(reference.binary_accuracy(pred, answers), [2 / 3, 1, 1])
    np.testing.assert_allclose(
        reference.binary_accuracy(pred, answers, threshold=0.25), [2 / 3, 1 / 3, 0]
    )


@pytest.mark.parametrize("name", [*DENSE_LOSSES, "categorical_accuracy", "binary_accuracy"])
def test_shapes_that_would_broadcast_are_refused(name: str) -> None:
    pred, labels = np.full((4, 1), 0.5), np.full(4, 0.5)
    with pytest.raises(
        ValueError, match=rf"{name}: expected '\w+' of shape \(4, 1\), received \(4,"
    ):
        getattr(reference, name)(pred, labels)
    if name in DENSE_LOSSES:
        with pytest.raises(ValueError, match=rf"{name}_backward: expected '\w+' of shape \(4, 1\)"):
            getattr(reference, f"{name}_backward")(np.ones(4), pred, labels)


@pytest.mark.parametrize("name", [*SPARSE_LOSSES, "sparse_categorical_accuracy"])
def test_wrong_shapes_of_sparse_labels_are_refused(name: str) -> None:
    pred: Any = np.full((4, 3), 0.5)
    with pytest.raises(ValueError, match=rf"{name}: expected 'labels' of shape \(4,\), received"):
        getattr(reference, name)(pred, np.zeros((4, 1), np.int32))


@pytest.mark.parametrize("labels", [[0, 3], [-1, 0]])
@pytest.mark.parametrize("name", SPARSE_LOSSES)
def test_labels_out_of_range_are_refused(name: str, labels: list[int]) -> None:
    pred = np.full((2, 3), 0.5)
    with pytest.raises(ValueError, match=rf"{name}: expected labels in \[0, 3\), received values"):
        getattr(reference, name)(pred, np.array(labels))
    with pytest.raises(ValueError, match=rf"{name}_backward: expected labels in \[0, 3\)"):
        getattr(reference, f"{name}_backward")(np.ones(2), pred, np.array(labels))


def test_weights_of_another_shape_are_refused() -> None:
    losses, weight = np.ones(3), np.ones((3, 1))
    with pytest.raises(ValueError, match=r"weighted_sum: expected 'weight' of shape \(3,\)"):
        reference.weighted_sum(losses, weight)
    with pytest.raises(ValueError, match=r"weighted_sum_backward: expected 'weight' of shape"):
        reference.weighted_sum_backward(np.array(1.0), losses, weight)
