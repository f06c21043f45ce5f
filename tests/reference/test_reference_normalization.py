"""The oracle's normalisations: hand-worked numbers, and gradients by finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference_gradcheck import assert_gradient

from dlnative import reference

RNG = np.random.default_rng(12)
X = RNG.normal(2.0, 1.5, (4, 3, 6))
DY = RNG.normal(size=X.shape)
GAMMA, BETA = RNG.normal(size=(2, 6))
MEAN, VARIANCE = RNG.normal(size=6), RNG.uniform(0.5, 2.0, 6)
RESIDUAL = RNG.normal(size=X.shape)


def test_batch_norm_by_hand() -> None:
    x = np.array([[1.0, 10.0], [3.0, 30.0]])
    y, mean, variance = reference.batch_norm_training(
        x, np.array([2.0, 1.0]), np.array([0.0, 5.0]), epsilon=0.0
    )
    np.testing.assert_array_equal(mean, [2.0, 20.0])
    np.testing.assert_array_equal(variance, [1.0, 100.0])
    np.testing.assert_array_equal(y, [[-2.0, 4.0], [2.0, 6.0]])
    again = reference.batch_norm(
        x, mean, variance, None, None, np.ones((2, 2)), epsilon=0.0, activation="relu"
    )
    np.testing.assert_array_equal(again, [[0.0, 0.0], [2.0, 2.0]])


def test_batch_norm_backward_by_hand() -> None:
    """Two rows: the part along xhat and the mean are all there is, so dx is 0."""
    x, dy = np.array([[1.0], [3.0]]), np.array([[5.0], [7.0]])
    dx, dgamma, dbeta = reference.batch_norm_training_backward(
        dy, x, np.array([2.0]), np.array([1.0]), epsilon=0.0
    )
    np.testing.assert_array_equal(dx, [[0.0], [0.0]])
    np.testing.assert_array_equal([dgamma[0], dbeta[0]], [2.0, 12.0])
    dx, _, _ = reference.batch_norm_backward(
        dy, x, np.array([2.0]), np.array([4.0]), np.array([3.0]), epsilon=0.0
    )
    np.testing.assert_array_equal(dx, [[7.5], [10.5]])


def test_layer_and_group_norm_by_hand() -> None:
    x = np.array([[1.0, 3.0, 20.0, 60.0]])
    np.testing.assert_array_equal(
        reference.group_norm(x, groups=2, epsilon=0.0), [[-1.0, 1.0, -1.0, 1.0]]
    )
    np.testing.assert_array_equal(
        reference.layer_norm(x.reshape(2, 2), np.array([1.0, 2.0]), epsilon=0.0), [[-1, 2], [-1, 2]]
    )
    np.testing.assert_array_equal(
        reference.layer_norm(x.reshape(1, 2, 2), axes=2, epsilon=0.0).reshape(-1),
        reference.group_norm(x, groups=1, epsilon=0.0).reshape(-1),
    )


def test_moving_average_by_hand() -> None:
    state = reference.moving_average(np.array([4.0, 0.0]), np.array([0.0, 8.0]), momentum=0.75)
    np.testing.assert_array_equal(state, [3.0, 2.0])
    with pytest.raises(ValueError, match="value"):
        reference.moving_average(np.zeros(2), np.zeros(1), 0.9)


def test_an_unknown_activation() -> None:
    with pytest.raises(ValueError, match="'tanh'"):
        reference.batch_norm(X, MEAN, VARIANCE, activation="tanh")


@pytest.mark.parametrize("blocks", [1, 3, 12])
def test_moments_of_blocks_are_merged(blocks: int) -> None:
    rows = X.reshape(blocks, -1, 6)
    means = rows.mean(axis=1)
    moments = np.stack([means, np.square(rows - means[:, None]).sum(axis=1)], axis=1)
    merged = reference.batch_norm_training(X, GAMMA, BETA, None, moments)
    for a, b in zip(merged, reference.batch_norm_training(X, GAMMA, BETA), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


def test_float32_with_a_large_mean() -> None:
    """100,000 rows with mean 1e4 and variance 1, in float32."""
    x = RNG.normal(1e4, 1.0, (100_000, 2)).astype(np.float32)
    y, mean, variance = reference.batch_norm_training(x, epsilon=0.0)
    np.testing.assert_allclose(mean, x.astype(np.float64).mean(axis=0), rtol=1e-7)
    np.testing.assert_allclose(variance, x.astype(np.float64).var(axis=0), rtol=1e-6)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.astype(np.float64).std(axis=0), 1.0, rtol=1e-5)


@pytest.mark.parametrize("gamma", [None, GAMMA])
def test_gradient_with_given_statistics(gamma: Any) -> None:
    dx, dgamma, dbeta = reference.batch_norm_backward(DY, X, MEAN, VARIANCE, gamma)

    def forward(x: Any, g: Any = gamma, b: Any = BETA) -> Any:
        return reference.batch_norm(x, MEAN, VARIANCE, g, b)

    assert_gradient(dx, forward, X, DY)
    assert_gradient(dgamma, lambda g: forward(X, g), GAMMA, DY)
    assert_gradient(dbeta, lambda b: forward(X, gamma, b), BETA, DY)


@pytest.mark.parametrize("gamma", [None, GAMMA])
@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("with_residual", [False, True])
def test_gradient_with_the_batch_statistics(
    gamma: Any, activation: str | None, with_residual: bool
) -> None:
    residual = RESIDUAL if with_residual else None

    def forward(x: Any, g: Any = gamma, b: Any = BETA, r: Any = residual) -> Any:
        return reference.batch_norm_training(x, g, b, r, activation=activation)[0]

    y, mean, variance = reference.batch_norm_training(
        X, gamma, BETA, residual, activation=activation
    )
    saved = y if activation else None
    grads = reference.batch_norm_training_backward(
        DY, X, mean, variance, gamma, saved, activation=activation, residual=with_residual
    )
    assert_gradient(grads[0], forward, X, DY)
    assert_gradient(grads[1], lambda g: forward(X, g), np.ones(6) if gamma is None else gamma, DY)
    assert_gradient(grads[2], lambda b: forward(X, gamma, b), BETA, DY)
    assert len(grads) == 3 + with_residual
    if with_residual:
        assert_gradient(grads[3], lambda r: forward(X, gamma, BETA, r), RESIDUAL, DY)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("axes", [1, 2])
def test_gradient_of_layer_norm(axes: int, scaled: bool) -> None:
    shape = X.shape[-axes:]
    gamma, beta = RNG.normal(size=(2, *shape))
    given = gamma if scaled else None
    dx, dgamma, dbeta = reference.layer_norm_backward(DY, X, given, axes)
    assert_gradient(dx, lambda x: reference.layer_norm(x, given, beta, axes), X, DY)
    at = gamma if scaled else np.ones(shape)
    assert_gradient(dgamma, lambda g: reference.layer_norm(X, g, beta, axes), at, DY)
    assert_gradient(dbeta, lambda b: reference.layer_norm(X, given, b, axes), beta, DY)


@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 6])
def test_gradient_of_group_norm(groups: int, scaled: bool) -> None:
    given = GAMMA if scaled else None
    dx, dgamma, dbeta = reference.group_norm_backward(DY, X, given, groups)
    assert_gradient(dx, lambda x: reference.group_norm(x, given, BETA, groups), X, DY)
    at = GAMMA if scaled else np.ones(6)
    assert_gradient(dgamma, lambda g: reference.group_norm(X, g, BETA, groups), at, DY)
    assert_gradient(dbeta, lambda b: reference.group_norm(X, given, b, groups), BETA, DY)


@pytest.mark.filterwarnings("ignore")  # those of the peer are its own
def test_keras_normalizes_alike(keras: Any) -> None:
    """The same values and moving statistics, up to float32: Keras on JAX takes statistics in it."""
    layer = keras.layers.BatchNormalization(momentum=0.8, dtype="float64")
    y = np.asarray(layer(X, training=True))
    expected, mean, variance = reference.batch_norm_training(X)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=2e-6)
    moving = reference.moving_average(np.ones(6), variance, momentum=0.8)
    np.testing.assert_allclose(layer.moving_variance.numpy(), moving, rtol=1e-6)
    np.testing.assert_allclose(
        np.asarray(layer(X, training=False)),
        reference.batch_norm(X, 0.2 * mean, moving),
        rtol=1e-4,
        atol=2e-6,
    )
    layer = keras.layers.LayerNormalization(axis=[-2, -1], dtype="float64")
    np.testing.assert_allclose(
        np.asarray(layer(X)), reference.layer_norm(X, axes=2), rtol=1e-4, atol=2e-6
    )
    layer = keras.layers.GroupNormalization(groups=2, dtype="float64")
    np.testing.assert_allclose(
        np.asarray(layer(X)), reference.group_norm(X, groups=2), rtol=1e-4, atol=2e-6
    )
