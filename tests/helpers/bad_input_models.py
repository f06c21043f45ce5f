"""Small models and data for the tests of bad input."""

from __future__ import annotations

import numpy as np

import dlnative
from dlnative import layers

X = np.linspace(-1, 1, 40, dtype="float32").reshape(10, 4)
Y = np.arange(10) % 3
ONE_HOT = np.eye(3, dtype="float32")[Y]
SPARSE = "sparse_categorical_crossentropy"


def mlp(outputs=3, activation="softmax"):
    return dlnative.Sequential(
        [
            layers.Input((4,), name="features"),
            layers.Dense(5, name="hidden"),
            layers.Dense(outputs, activation, name="head"),
        ]
    )


def two_headed():
    x = dlnative.Input((4,), name="x")
    return dlnative.Model(x, [layers.Dense(1, name="left")(x), layers.Dense(3, name="right")(x)])


def with_value(value, row, dtype="float32"):
    x = X.astype(dtype)
    x[row, 1] = value
    return x


def labels_with(value, row, dtype="int64"):
    y = Y.astype(dtype)
    y[row] = value
    return y


def generator():
    yield X, Y
