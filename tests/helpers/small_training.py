"""Small classifiers and their data for the tests of training."""

from __future__ import annotations

import numpy as np

import dlnative


def mlp(library=dlnative, outputs=3, activation="softmax", units=8, inputs=4, regularizer=None):
    return library.Sequential(
        [
            library.layers.Input((inputs,)),
            library.layers.Dense(units, activation="relu", kernel_regularizer=regularizer),
            library.layers.Dense(outputs, activation=activation),
        ]
    )


def classes(rng, count=37, inputs=4, number=3):
    x = rng.normal(size=(count, inputs)).astype("float32")
    return x, rng.integers(0, number, count)


def compiled(optimizer="sgd", loss="sparse_categorical_crossentropy", metrics=None, **options):
    model = mlp(**options)
    model.compile(optimizer, loss, metrics=metrics)
    return model


def trained(x, y, seed=3, **options):
    dlnative.utils.set_random_seed(seed)
    model = compiled("adam")
    model.fit(x, y, verbose=0, **options)
    return model.get_weights()


def assert_same(a, b, same=True):
    equal = all(np.array_equal(u, v) for u, v in zip(a, b, strict=True))
    assert equal == same


def weights_of(model):
    """Copies of the weights, of a model of ours or of Keras."""
    values = (getattr(v, "value", v) for v in model.weights)
    return [np.array(value, copy=True) for value in values]
