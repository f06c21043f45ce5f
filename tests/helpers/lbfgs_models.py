"""Small regressions that LBFGS trains."""

from __future__ import annotations

import numpy as np

import dlnative
from dlnative import Input, Sequential, layers
from dlnative.optimizers import LBFGS


def regression(rng, count=40, inputs=3, dtype="float64"):
    x = rng.normal(size=(count, inputs)).astype(dtype)
    return x, np.tanh(x @ rng.normal(size=(inputs, 2))).astype(dtype)


def small_model(*make, dtype="float64", optimizer=None, **options):
    """A model with the layers between its own two that functions of a dtype make."""
    dlnative.utils.set_random_seed(7)
    model = Sequential(
        [
            Input((3,), dtype=dtype),
            layers.Dense(5, activation="tanh", dtype=dtype),
            *(layer(dtype=dtype) for layer in make),
            layers.Dense(2, dtype=dtype),
        ]
    )
    model.compile(LBFGS() if optimizer is None else optimizer, "mse", metrics=["mae"], **options)
    return model


def state_of(model):
    return [v.numpy() for v in (*model.weights, *model.optimizer.variables)]
