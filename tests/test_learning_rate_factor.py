"""`layer.learning_rate_factor`: set before or after build, for nested layers, on both engines."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers, optimizers

X = np.random.default_rng(1).standard_normal((8, 3)).astype("float32")
Y = np.random.default_rng(2).standard_normal((8, 2)).astype("float32")


class Block(layers.Layer):
    """Two layers, the second made in `build` and kept in a list."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(4)
        self.rest = []

    def build(self, shape):
        self.rest.append(layers.Dense(2))
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        super().build(shape)

    def call(self, x):
        return self.scale * self.rest[0](self.first(x))


def before_build():
    block = Block(name="block")
    block.learning_rate_factor = 0.1
    return Sequential([Input((3,)), layers.Dense(3), block])


def after_build():
    model = Sequential([Input((3,)), layers.Dense(3), Block(name="block")])
    model.layers[1].learning_rate_factor = 0.1
    return model


def of_the_model():
    model = Sequential([layers.Dense(3), Block(name="block")])
    model.learning_rate_factor = 0.1
    model.layers[0].learning_rate_factor = 1
    model.build((None, 3))
    return model


def moved(model, optimizer, after_training=None):
    """How far each weight moves in one step."""
    weights = [
        np.random.default_rng(i).standard_normal(v.shape) for i, v in enumerate(model.weights)
    ]
    model.compile(optimizer, "mse")
    if after_training is not None:
        model.train_on_batch(X, Y)
        model.layers[1].learning_rate_factor = after_training
        model.optimizer.set_weights([np.zeros(v.shape) for v in model.optimizer.variables])
        model.optimizer.learning_rate = 0.125
    model.set_weights(weights)
    start = model.get_weights()
    model.train_on_batch(X, Y)
    return [b - a for a, b in zip(start, model.get_weights(), strict=True)]


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("make", [before_build, after_build, of_the_model])
@pytest.mark.parametrize("name", ["SGD", "Adam", "Lion"])
def test_a_tenth_of_the_rate(name, make, engine):
    with dlnative.engine(engine):
        make_optimizer = getattr(optimizers, name)
        full = moved(Sequential([Input((3,)), layers.Dense(3), Block()]), make_optimizer(0.125))
        some = moved(make(), make_optimizer(0.125, weight_decay=0.0))
        later = moved(make(), make_optimizer(0.125), after_training=0.5)
    for i, (a, b, c) in enumerate(zip(full, some, later, strict=True)):
        assert (a != 0).any()
        np.testing.assert_allclose(b, a * (1.0 if i < 2 else 0.1), rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(c, a * (1.0 if i < 2 else 0.5), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", sorted(optimizers.CLASSES))
def test_zero_freezes(name):
    """Also where an update of rate 0 is not none, and with decay."""
    make = getattr(optimizers, name)
    optimizer = make() if make.full_batch else make(weight_decay=0.5)
    model = after_build()
    model.layers[1].learning_rate_factor = 0
    start = model.get_weights()
    model.compile(optimizer, "mse")
    model.fit(X, Y, batch_size=8 if make.full_batch else 4, epochs=2, verbose=0)
    for i, (a, b) in enumerate(zip(start, model.get_weights(), strict=True)):
        assert (a == b).all() == (i >= 2)


def test_what_it_is():
    layer = layers.Dense(2)
    assert layer.learning_rate_factor == 1.0
    layer.learning_rate_factor = np.float32(0.5)
    assert layer.learning_rate_factor == 0.5
    assert "learning_rate_factor" not in layer.get_config()
    layer(X)
    assert layer.kernel.learning_rate_factor == 0.5
    for value, error in ((-0.1, ValueError), (np.nan, ValueError), ("1", TypeError)):
        with pytest.raises(error, match=f"learning_rate_factor .*received .*{value}"):
            layer.learning_rate_factor = value
    assert layer.learning_rate_factor == 0.5
