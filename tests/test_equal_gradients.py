"""Weights whose gradients are one tensor, as in branches whose outputs are added."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import dlnative
from dlnative import layers

OPTIMIZERS = [name for name in dlnative.optimizers.CLASSES if name != "LBFGS"]


def dense(x):
    return layers.Dense(16)(x), layers.Dense(16)(x)


def convolutions(x):
    images = layers.Reshape((4, 4, 1))(x)
    branches = [layers.Conv2D(4, size, padding="same")(images) for size in (1, 3)]
    return [layers.Flatten()(branch) for branch in branches]


def normalizations(x):
    return layers.BatchNormalization()(x), layers.BatchNormalization()(x), x


def three_of_two(x):
    """Pairs of which a weight has its gradient from before, between others."""
    a, b, c = (layers.Dense(16, use_bias=False)(x) for _ in range(3))
    return a, layers.Dense(16)(b), layers.Dense(16)(b), c


def model_of(branches, optimizer, rng):
    x = dlnative.Input((16,))
    h = layers.Add()(list(branches(x)))
    model = dlnative.Model(x, layers.Dense(1)(layers.Dense(8, "tanh")(h)))
    model.set_weights([rng.normal(size=w.shape) * 0.5 for w in model.get_weights()])
    model.compile(optimizer, "mse")
    return model


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("branches", [dense, convolutions, normalizations, three_of_two])
def test_updates(rng, optimizer, branches):
    """The engines agree step by step; a copy goes on as the model does."""
    x = rng.normal(size=(12, 16)).astype("float32")
    y = x[:, :1] ** 2
    weights = []
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            own = dlnative.optimizers.get({"class_name": optimizer, "config": {}})
            own.learning_rate = 1e-3
            model = model_of(branches, own, np.random.default_rng(1))
            for _ in range(4):
                model.train_on_batch(x, y)
            weights.append(model.get_weights())
            if engine == "native":
                other = copy.deepcopy(model)
                other.train_on_batch(x, y)
                model.train_on_batch(x, y)
                for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
                    np.testing.assert_array_equal(a, b)
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5)
