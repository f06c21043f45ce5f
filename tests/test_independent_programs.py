"""Programs depend on what they were built from, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, optimizers, regularizers
from dlnative.models import state as state_module

X = np.linspace(-1, 1, 24, dtype="float32").reshape(8, 3)
Y = np.sin(X[:, :1])


def net(**options):
    model = Sequential(
        [
            Input((3,)),
            layers.Dense(4, kernel_regularizer=regularizers.L2(0.01)),
            layers.BatchNormalization(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )
    model.compile(optimizers.SGD(0.1, momentum=0.5), losses.Huber(), metrics=["mae"], **options)
    return model


@pytest.fixture
def builds(monkeypatch):
    """A list that grows with each step that is built."""
    built = []

    def counted(*args, **kwargs):
        built.append(args[0].kind)
        return original(*args, **kwargs)

    original = state_module.build_step
    monkeypatch.setattr(state_module, "build_step", counted)
    return built


def changes_of(model):
    """What may change in a model, each a function that does it."""
    dense, norm, drop, last = model.layers
    return {
        "rate of a layer": lambda: setattr(drop, "rate", 0.0),
        "attribute of a layer": lambda: setattr(norm, "center", False),
        "attribute of the model": lambda: setattr(model, "note", 3),
        "activation": lambda: setattr(last, "activation", dlnative.activations.tanh),
        "penalty": lambda: setattr(dense, "kernel_regularizer", regularizers.L1(0.1)),
        "trainable": lambda: setattr(dense, "trainable", False),
        "optimizer": lambda: setattr(model.optimizer, "nesterov", True),
        "loss": lambda: setattr(model.loss, "reduction", "sum"),
        "variable": lambda: setattr(last.kernel, "constraint", dlnative.constraints.MaxNorm(0.1)),
        "compile": lambda: model.compile("adam", "mse"),
        "weights": lambda: model.set_weights(model.get_weights()),
    }


@pytest.mark.parametrize("what", changes_of(net()))
def test_a_change_in_another_model_builds_nothing(builds, what):
    model, other = net(), net()
    for each in (model, other):
        each.train_on_batch(X, Y)
        each.evaluate(X, Y, verbose=0)
        each.predict(X, verbose=0)
        each.fit(X, Y, batch_size=3, verbose=0)
    del builds[:]
    changes_of(other)[what]()
    model.train_on_batch(X, Y)
    model.evaluate(X, Y, verbose=0)
    model.predict(X, verbose=0)
    model.fit(X, Y, batch_size=3, verbose=0)
    model(X)
    assert builds == []


@pytest.mark.parametrize("what", [name for name in changes_of(net()) if name != "weights"])
def test_a_change_in_the_model_counts(builds, what):
    """Other numbers, or a program that was built anew, in training or prediction."""
    model, other = net(), net()
    other.set_weights(model.get_weights())
    for each in (model, other):
        each.train_on_batch(X, Y)
    other.set_weights(model.get_weights())
    del builds[:]
    changes_of(other)[what]()
    for each in (model, other):
        each.train_on_batch(X, Y)
        each.train_on_batch(X, Y)
    differs = any(not np.array_equal(a, b) for a, b in zip(model.weights, other.weights))
    assert differs or builds


def test_trainable_to_and_fro_finds_its_programs(builds):
    model = net()
    for _ in range(4):
        for trainable in (True, False):
            model.layers[0].trainable = trainable
            before = model.layers[0].kernel.numpy()
            model.train_on_batch(X, Y)
            moved = not np.array_equal(before, model.layers[0].kernel.numpy())
            assert moved == trainable
    assert builds == ["train", "train"]


def test_two_models_that_share_layers(builds):
    """As in a GAN: the part that one model trains is frozen in the other."""
    judge = Sequential([Input((3,)), layers.Dense(4, "relu"), layers.Dense(1, "sigmoid")])
    judge.compile("sgd", "binary_crossentropy")
    maker = Sequential([Input((2,)), layers.Dense(3)])
    z = Input((2,))
    both = Model(z, judge(maker(z)))
    judge.trainable = False
    both.compile("sgd", "binary_crossentropy")
    noise = np.ones((8, 2), "float32")
    for _ in range(3):
        judge.trainable = True
        frozen = maker.get_weights()
        judge.train_on_batch(X, np.ones((8, 1), "float32"))
        assert all(map(np.array_equal, frozen, maker.get_weights()))
        judge.trainable = False
        frozen = judge.get_weights()
        both.train_on_batch(noise, np.zeros((8, 1), "float32"))
        assert all(map(np.array_equal, frozen, judge.get_weights()))
    assert builds == ["train", "train"]


def test_an_object_that_two_models_share(builds):
    penalty = regularizers.L2(0.1)
    models = []
    for _ in range(2):
        model = Sequential([Input((3,)), layers.Dense(1, kernel_regularizer=penalty)])
        model.compile("sgd", "mse")
        model.evaluate(X, Y, verbose=0)
        models.append(model)
    penalty.l2 = 0.0
    for model in models:
        expected = np.mean((model(X) - Y) ** 2)
        assert model.evaluate(X, Y, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_another_loss_holds():
    class Twice(losses.Loss):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, y_true, y_pred):
            return 2.0 * self.inner(y_true, y_pred)

    inner = losses.Huber(delta=1.0)
    model = Sequential([Input((3,)), layers.Dense(1)])
    model.compile("sgd", Twice(inner))
    model.evaluate(X, 10 * Y, verbose=0)
    inner.delta = 0.1
    expected = 2 * losses.Huber(delta=0.1)(10 * Y, model(X))
    assert model.evaluate(X, 10 * Y, verbose=0) == pytest.approx(float(expected), rel=1e-5)


def test_a_layer_that_notes_something_at_each_call(builds):
    """What is set while a program is made is no change of the others."""

    class Notes(layers.Layer):
        def call(self, x):
            self.last_shape = list(x.shape)
            return x * 1.0

    model = Sequential([Input((3,)), Notes(), layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(3):
        model.fit(X, Y, batch_size=8, verbose=0, validation_data=(X[:4], Y[:4]))
        model.predict(X, verbose=0)
    assert sorted(builds) == ["predict", "test", "train"]
