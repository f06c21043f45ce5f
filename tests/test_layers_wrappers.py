"""Wrapper, SpectralNormalization and Pipeline."""

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

import dlnative
from dlnative import layers, saving

X = np.random.default_rng(0).standard_normal((8, 6)).astype("float32")
Y = np.random.default_rng(1).standard_normal((8, 3)).astype("float32")


class Doubled(layers.Wrapper):
    def __init__(self, layer, factor=2.0, **kwargs):
        super().__init__(layer, **kwargs)
        self.factor = factor

    def call(self, inputs, training=None):
        return self.factor * self.layer(inputs)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def test_wrapper_builds_saves_and_trains_what_is_inside(tmp_path):
    dlnative.utils.register_keras_serializable("test_layers_wrappers")(Doubled)
    inside = layers.Dense(3, name="inside")
    model = dlnative.Sequential([dlnative.Input((6,)), Doubled(inside, 3.0, name="outside")])
    assert inside.built
    assert [*model.variables_by_path()] == ["outside/inside/kernel", "outside/inside/bias"]
    model.compile("sgd", "mse")
    before = inside.get_weights()
    model.train_on_batch(X, Y)
    assert not np.array_equal(before[0], inside.get_weights()[0])
    saving.save(model, tmp_path / "model")
    expected = model.predict(X, verbose=0)
    np.testing.assert_allclose(expected, 3.0 * inside(X), rtol=1e-6)
    for again in (
        saving.load(tmp_path / "model").model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
        assert again.layers[0].layer is not inside
    model.layers[0].trainable = False
    assert not inside.trainable


def spectral(library, kind="dense"):
    inner = {
        "dense": lambda: library.layers.Dense(3),
        "convolution": lambda: library.layers.Conv1D(3, 2, padding="same"),
        "depthwise": lambda: library.layers.DepthwiseConv1D(2, depth_multiplier=2),
    }[kind]()
    shape = (6,) if kind == "dense" else (4, 6)
    layer = library.layers.SpectralNormalization(inner, power_iterations=2)
    model = library.Sequential([library.Input(shape), layer])
    rng = np.random.default_rng(4)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") for w in model.get_weights()])
    model.compile(library.optimizers.SGD(0.1), "mse")
    x = rng.standard_normal((5, *shape)).astype("float32")
    y = rng.standard_normal(model.predict(x, verbose=0).shape).astype("float32")
    losses = [float(model.train_on_batch(x, y)) for _ in range(3)]
    losses.append(float(model.evaluate(x, y, verbose=0)))
    return {
        "names": [w.name for w in model.weights],
        "losses": losses,
        "weights": [np.asarray(w).tolist() for w in model.get_weights()],
    }


KINDS = ("dense", "convolution", "depthwise")


@pytest.fixture(scope="module")
def with_torch():
    """What Keras does with PyTorch: with JAX it leaves the kernel as it is, see the docstring."""
    pytest.importorskip("keras")
    pytest.importorskip("torch")
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import keras\n"
        "from test_layers_wrappers import KINDS, spectral\n"
        "print(json.dumps({kind: spectral(keras, kind) for kind in KINDS}))"
    )
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, os.path.dirname(__file__)],
        env={**os.environ, "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", KINDS)
def test_spectral_normalization_trains_as_that_of_keras_with_pytorch(with_torch, engine, kind):
    ours, theirs = spectral(dlnative, kind), with_torch[kind]
    assert ours["names"] == theirs["names"]
    assert ours["losses"] == pytest.approx(theirs["losses"], rel=1e-4)
    for a, b in zip(ours["weights"], theirs["weights"], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_largest_singular_value_becomes_one(engine):
    layer = layers.SpectralNormalization(layers.Dense(4), power_iterations=30)
    layer.build((None, 6))
    layer.layer.kernel.assign(5.0 * layer.layer.kernel)
    kernel = layer.layer.kernel.numpy()
    result = layer(X, training=True)
    largest = np.linalg.svd(kernel)[1][0]
    np.testing.assert_allclose(layer.layer.kernel.numpy(), kernel / largest, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result, X @ kernel / largest, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(layer.vector_u), 1.0, rtol=1e-5)
    before = layer.get_weights()
    layer(X)
    for a, b in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_kernel_of_zeros_stays_and_can_be_trained(engine):
    layer = layers.SpectralNormalization(layers.Dense(3, kernel_initializer="zeros"))
    model = dlnative.Sequential([dlnative.Input((6,)), layer])
    u = layer.vector_u.numpy()
    model.compile(dlnative.optimizers.SGD(0.1), "mse")
    model.train_on_batch(X, Y)
    np.testing.assert_array_equal(layer.vector_u.numpy(), u)
    gradient = X.T @ (0 - Y) * 2 / Y.size
    np.testing.assert_allclose(layer.layer.kernel.numpy(), -0.1 * gradient, rtol=1e-4, atol=1e-6)


def test_spectral_normalization_of_an_embedding(engine):
    layer = layers.SpectralNormalization(layers.Embedding(5, 3))
    y = layer(np.array([[1, 2]]), training=True)
    assert y.shape == (1, 2, 3)
    assert layer.layer.embeddings is layer.kernel


def test_pipeline_is_in_training_unless_told_otherwise(engine):
    def make():
        return layers.Pipeline([layers.Rescaling(2.0), layers.GaussianNoise(0.5, seed=1)])

    expected = layers.GaussianNoise(0.5, seed=1)(2 * X, training=True)
    np.testing.assert_array_equal(make()(X), expected)
    np.testing.assert_array_equal(make()(X, training=True), expected)
    np.testing.assert_array_equal(make()(X, training=False), 2 * X)
    model = dlnative.Sequential([dlnative.Input((6,)), make()])
    np.testing.assert_array_equal(model.predict(X, verbose=0), 2 * X)
    assert [layer.kind for layer in model.layers[0].layers] == ["Rescaling", "GaussianNoise"]


def test_pipeline_trains_saves_and_copies(tmp_path):
    inside = layers.Dense(3)
    model = dlnative.Sequential([dlnative.Input((6,)), layers.Pipeline([inside, layers.ReLU()])])
    model.compile("sgd", "mse")
    before = inside.get_weights()[0]
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before, inside.get_weights()[0])
    saving.save(model, tmp_path / "model")
    expected = model.predict(X, verbose=0)
    for again in (
        saving.load(tmp_path / "model").model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(again.predict(X, verbose=0), expected)


def test_a_penalty_of_outputs_is_divided_by_the_batch(engine):
    layer = layers.ActivityRegularization(l1=0.5, l2=0.25)
    layer(X)
    expected = (0.5 * np.abs(X).sum() + 0.25 * (X**2).sum()) / len(X)
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)
    layer.l1 = 0.0
    layer(X)
    assert float(layer.losses[0]) == pytest.approx(0.25 * (X**2).sum() / len(X), rel=1e-5)
