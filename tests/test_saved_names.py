"""Files of models whose names have numbers of the process, or are not unique: they are loaded where
other layers have been made before, and go on with the same bits."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers

X = np.random.default_rng(0).normal(size=(24, 4)).astype("float32")
Y = X.sum(axis=1, keepdims=True)
register = dlnative.saving.register_keras_serializable("saved names")


@register
class Twins(layers.Layer):
    """Two weights of one name."""

    def build(self, shape):
        self.pair = [
            self.add_weight(shape=(shape[-1],), initializer="ones", name="w") for _ in range(2)
        ]

    def call(self, inputs):
        return inputs * self.pair[0] + inputs**2 * self.pair[1]


@register
class Unnamed(layers.Layer):
    """Variables that were given no names."""

    def build(self, shape):
        self.scale = dlnative.Variable(np.ones(4, "float32"))
        self.offset = dlnative.Variable(np.zeros(4, "float32"))

    def call(self, inputs):
        return inputs * self.scale + self.offset


@register
class Own(dlnative.Model):
    """A functional model with a configuration of its own."""

    def __init__(self, units=4, **kwargs):
        x = dlnative.Input((4,))
        h = layers.Dropout(0.2)(layers.Dense(units)(x))
        super().__init__(inputs=x, outputs=layers.Dense(1)(h), **kwargs)
        self.units = units

    def get_config(self):
        return {"units": self.units}


def twins():
    model = dlnative.Sequential([layers.Input((4,)), layers.Dense(4), Twins(), layers.Dense(1)])
    model.layers[0].kernel.trainable = False
    model.layers[1].pair[1].learning_rate_factor = 0.5
    return model


def unnamed():
    return dlnative.Sequential([layers.Input((4,)), Unnamed(), layers.Dense(1)])


def own():
    return Own(5)


def backbone():
    """Built on data, and then frozen."""
    inner = dlnative.Sequential([layers.Dense(4), layers.Dropout(0.2), layers.Dense(3)])
    inner(X)
    inner.trainable = False
    return dlnative.Sequential([layers.Input((4,)), inner, layers.Dense(1)])


def frozen():
    model = dlnative.Sequential([layers.Dense(4, "relu"), layers.Dense(1)])
    model(X)
    model.layers[0].trainable = False
    return model


MODELS = [twins, unnamed, own, backbone, frozen]


@pytest.mark.parametrize("form", ["model.keras", "folder"])
@pytest.mark.parametrize("make", MODELS)
def test_models(tmp_path, make, form):
    model = make()
    model.compile("adam", "mse")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    model.save(tmp_path / form)
    make()
    predictions = model.predict(X, verbose=0)
    bare = dlnative.saving.load_model(tmp_path / form, compile=False)
    np.testing.assert_array_equal(bare.predict(X, verbose=0), predictions)
    loaded = dlnative.saving.load_model(tmp_path / form)
    flags = [[v.trainable for v in each.weights] for each in (model, loaded)]
    assert flags[0] == flags[1]
    copy = pickle.loads(pickle.dumps(model))
    runs = [m.fit(X, Y, batch_size=8, epochs=2, verbose=0).history for m in (model, loaded, copy)]
    assert runs[0] == runs[1] == runs[2]
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
@pytest.mark.parametrize("make", MODELS)
def test_weights(tmp_path, make, suffix):
    model, other = make(), make()
    model.save_weights(tmp_path / f"w{suffix}")
    other.load_weights(tmp_path / f"w{suffix}")
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("make", MODELS)
def test_resume(tmp_path, make):
    """A run that goes on ends like one that was not interrupted."""
    ends = []
    for epochs in ((2, 4), (4,)):
        for count in epochs:
            dlnative.utils.set_random_seed(5)
            model = make()
            model.compile("adam", "mse")
            model.fit(X, Y, batch_size=8, epochs=count, verbose=0, resume=tmp_path / str(epochs))
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_array_equal(a, b)
