"""add_loss, activity_regularizer and `losses`, beside Keras."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers, ops


def adding(library):
    """A layer that adds two terms to the loss."""

    class Adds(library.layers.Layer):
        def call(self, x):
            self.add_loss(0.1 * library.ops.mean(library.ops.square(x)))
            self.add_loss([0.01 * library.ops.sum(library.ops.abs(x), axis=-1)])
            return x

    return Adds()


def net(library, with_layer=True, **dense):
    inner = library.Sequential(
        [library.Input((5,)), library.layers.Dense(4, activation="tanh", **dense)]
    )
    parts = [library.Input((5,)), inner, *([adding(library)] if with_layer else [])]
    return library.Sequential([*parts, library.layers.Dense(2, kernel_regularizer="l2")])


pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras with NumPy 2

CASES = {
    "add_loss": {},
    "activity": {"activity_regularizer": "l1"},
    "activity only": {"with_layer": False, "activity_regularizer": "l2"},
    "with penalties": {"activity_regularizer": "l1", "kernel_regularizer": "l2"},
}


@pytest.mark.parametrize("loss", ["mse", None])
@pytest.mark.parametrize("case", CASES)
def test_training_as_keras(keras, rng, case, loss):
    x = rng.normal(size=(40, 5)).astype("float32")
    y = rng.normal(size=(40, 2)).astype("float32")
    ours, theirs = net(dlnative, **CASES[case]), net(keras, **CASES[case])
    theirs.set_weights(ours.get_weights())
    results = []
    for model in (ours, theirs):
        model.compile("adam", loss)
        history = model.fit(
            x, y, batch_size=16, epochs=3, shuffle=False, verbose=0, validation_split=0.25
        ).history
        results.append((history, model.evaluate(x, y, verbose=0), model.get_weights()))
    (a, evaluated, weights), (b, expected, others) = results
    assert list(a) == list(b)
    for name in a:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(evaluated, expected, rtol=1e-4)
    for mine, other in zip(weights, others, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-5)


def test_losses_of_a_call_on_arrays(keras, rng):
    x = rng.normal(size=(6, 5)).astype("float32")
    ours, theirs = net(dlnative, activity_regularizer="l2"), net(keras, activity_regularizer="l2")
    theirs.set_weights(ours.get_weights())
    for inputs in (x, x[:2]):
        ours(inputs)
        theirs(inputs)
        mine, other = (sorted(float(np.sum(v)) for v in model.losses) for model in (ours, theirs))
        np.testing.assert_allclose(mine, other, rtol=1e-5)
    assert len(ours.losses) == 4


def test_a_shared_layer_adds_once_per_call(rng):
    x = rng.normal(size=(8, 5)).astype("float32")
    inputs = Input((5,))
    shared = adding(dlnative)
    model = dlnative.Model(inputs, layers.Add()([shared(inputs), shared(2.0 * inputs)]))
    model.compile("sgd")
    expected = sum(
        0.1 * (v**2).mean() + 0.01 * np.abs(v).sum() for v in (x.astype("float64"), 2.0 * x)
    )
    np.testing.assert_allclose(model.evaluate(x, verbose=0), expected, rtol=1e-5)


def test_a_step_counts_the_last_call_of_a_model(rng):
    """As in Keras: what an earlier call of the same model added is forgotten."""
    x = rng.normal(size=(8, 5)).astype("float32")

    class Twice(Sequential):
        def test_step(self, data):
            self(data)
            self(data * 2.0)
            return {"total": ops.sum(ops.stack(self.losses))}

    model = Twice([Input((5,)), adding(dlnative)])
    model.compile("sgd")
    expected = 0.1 * (4 * x.astype("float64") ** 2).mean() + 0.01 * np.abs(2.0 * x).sum()
    np.testing.assert_allclose(model.evaluate(x, verbose=0), expected, rtol=1e-5)


def test_configuration_of_an_activity_regularizer(keras):
    layer = layers.Dense(3, activity_regularizer="l1", name="d")
    record = layer.get_config()
    again = layers.Dense.from_config(record)
    assert again.activity_regularizer.l1 == layer.activity_regularizer.l1
    theirs = keras.layers.Dense.from_config({**record, "dtype": "float32"})
    assert float(theirs.activity_regularizer.l1) == pytest.approx(0.01)
    read = layers.Dense.from_config(theirs.get_config())
    assert read.activity_regularizer.l1 == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("term", "message"),
    [(3.0, "received float"), (np.ones(2), "received ndarray"), (lambda: 3, "received function")],
)
def test_terms_that_are_no_tensors(term, message):
    class Adds(layers.Layer):
        def call(self, x):
            self.add_loss(term)
            return x

    with pytest.raises(TypeError, match=f"add_loss takes tensors.*{message}"):
        Adds()(np.ones((2, 2)))


def test_a_symbolic_term():
    x = Input((3,))
    model = dlnative.Model(x, layers.Dense(1)(x))
    with pytest.raises(TypeError, match="add_loss .*symbolic tensor"):
        model.add_loss(ops.sum(x))
