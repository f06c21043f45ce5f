"""Models without weights to train: steps update metrics and the state of layers, as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative

X = np.array([[1, 2], [3, 4]], "float32")
Y = np.zeros((2, 2), "float32")


def statistics(lib):
    return lib.Sequential(
        [lib.Input((2,)), lib.layers.BatchNormalization(center=False, scale=False, momentum=0.5)]
    )


def frozen(lib):
    model = lib.Sequential([lib.Input((2,)), lib.layers.Dense(2, kernel_initializer="ones")])
    model.trainable = False
    return model


def without(lib):
    return lib.Sequential([lib.Input((2,)), lib.layers.Rescaling(2.0)])


@pytest.mark.parametrize("eager", [False, True])
@pytest.mark.parametrize("make", [statistics, frozen, without])
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning", "ignore:.*no weights to train")
def test_against_keras(keras, make, eager):
    found = []
    for lib in (dlnative, keras):
        model = make(lib)
        model.compile("adam", "mse", metrics=["mae"], run_eagerly=eager)
        history = model.fit(X, Y, epochs=2, verbose=0).history
        one = model.train_on_batch(X, Y)
        found.append([*history["loss"], *history["mae"], *one, *model.get_weights()])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5)


def test_a_warning_says_so():
    model = frozen(dlnative)
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match="no weights to train: all are frozen, or there are none"):
        model.fit(X, Y, verbose=0)


@pytest.mark.filterwarnings("ignore:.*no weights to train")
def test_masks_differ_from_step_to_step():
    """They follow from the number of the step, which goes on."""
    layers = dlnative.layers
    model = dlnative.Sequential([dlnative.Input((50,)), layers.Dropout(0.5, seed=1)])
    model.compile("sgd", "mse")
    x = np.random.default_rng(0).normal(size=(4, 50)).astype("float32")
    losses = model.fit(x, np.zeros_like(x), epochs=3, verbose=0).history["loss"]
    assert len({*losses}) == 3
