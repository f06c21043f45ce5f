"""Batch normalisation within nested models, frozen and not: what trains, and what moves."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
X = (np.random.default_rng(0).normal(size=(8, 3)) * 3 + 1).astype("float32")
Y = np.random.default_rng(1).normal(size=(8, 3)).astype("float32")


def normalization(library):
    return library.layers.BatchNormalization(momentum=0.5, name="bn")


def inner_model(library, kind):
    if kind == "layer":
        return normalization(library)
    if kind == "sequential":
        return library.Sequential([library.Input((3,)), normalization(library)], name="inner")
    x = library.Input((3,))
    return library.Model(x, normalization(library)(x), name="inner")


def outer_model(library, kind, inner, **training):
    last = library.layers.Dense(3, kernel_initializer="identity")
    if kind == "sequential":
        return library.Sequential([library.Input((3,)), inner, last])
    x = library.Input((3,))
    return library.Model(x, last(inner(x, **training)))


def bn_of(inner):
    return inner if inner.name == "bn" else inner.get_layer("bn")


def state(model, bn):
    """Loss of a step, what it has made of the layer, and what the model computes then."""
    loss = model.train_on_batch(X, Y)
    values = [np.asarray(v.numpy()) for v in bn.weights]
    calls = [np.asarray(model(X, **kw)) for kw in ({}, {"training": True}, {"training": False})]
    counts = [len(model.trainable_variables), len(model.non_trainable_variables)]
    return [float(loss), *values, np.asarray(model.predict(X, verbose=0)), *calls, *counts]


FREEZING = {
    "not": lambda inner: None,
    "model": lambda inner: setattr(inner, "trainable", False),
    "layer": lambda inner: setattr(bn_of(inner), "trainable", False),
    "model, and again not": lambda inner: [setattr(inner, "trainable", b) for b in (False, True)],
    "layer, and again not": lambda inner: [
        setattr(bn_of(inner), "trainable", b) for b in (False, True)
    ],
}


@pytest.mark.parametrize("freezing", FREEZING)
@pytest.mark.parametrize("outer", ["functional", "sequential"])
@pytest.mark.parametrize("inner", ["layer", "functional", "sequential"])
def test_as_keras(keras, inner, outer, freezing):
    results = []
    for library in (dlnative, keras):
        nested = inner_model(library, inner)
        model = outer_model(library, outer, nested)
        FREEZING[freezing](nested)
        model.compile(library.optimizers.SGD(0.1), "mse")
        results.append(state(model, bn_of(nested)))
    for number, (ours, theirs) in enumerate(zip(*results, strict=True)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5, err_msg=str(number))


@pytest.mark.parametrize("inner", ["layer", "functional", "sequential"])
def test_a_call_that_says_training_keeps_to_it(inner):
    """As fine-tuning wants it: unfrozen, it trains by its moving statistics, which stay.

    Keras's guide to transfer learning says so, but `fit` of Keras overrides the argument.
    """
    nested = inner_model(dlnative, inner)
    model = outer_model(dlnative, "functional", nested, training=False)
    bn = bn_of(nested)
    nested.trainable = False
    model.compile(dlnative.optimizers.SGD(0.1), "mse")
    model.train_on_batch(X, Y)
    nested.trainable = True
    _, gamma, beta, mean, variance, *_ = state(model, bn)
    assert mean.tolist() == [0, 0, 0] and variance.tolist() == [1, 1, 1]
    assert (gamma != 1).all() and (beta != 0).all()
    np.testing.assert_array_equal(model(X, training=True), model(X, training=False))


def test_subclassed_models_pass_training_on():
    """The layers of a `call` that says nothing see what the model was called with."""

    class Outer(dlnative.Model):
        def __init__(self, says):
            super().__init__()
            self.inner = inner_model(dlnative, "functional")
            self.last = dlnative.layers.Dense(3)
            self.says = says

        def call(self, x, training=None):
            return self.last(self.inner(x, **self.says))

    for says, moves in (({}, True), ({"training": None}, True), ({"training": False}, False)):
        model = Outer(says)
        model.compile("sgd", "mse")
        model.train_on_batch(X, Y)
        moved = bn_of(model.inner).moving_mean.numpy()
        np.testing.assert_allclose(moved, X.mean(0) / 2 if moves else 0, rtol=1e-4)
