"""Logits given to losses of probabilities, and the other way round: one warning."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, metrics

X = np.linspace(-1, 1, 32).reshape(8, 4)
BINARY = np.array([0, 1] * 4)
ONE_HOT = np.eye(3)[np.arange(8) % 3]


def trained(last, loss, labels=BINARY, **options):
    """The warnings of two fits and an evaluation."""
    model = last if isinstance(last, Model) else Sequential([Input((4,)), *last])
    model.compile("sgd", loss, **options)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            model.fit(X, labels, verbose=0)
        model.evaluate(X, labels, verbose=0)
    return [str(warning.message) for warning in told]


class Own(Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return dlnative.ops.sigmoid(self.dense(x))


class OwnDense(layers.Dense):
    def call(self, x):
        return dlnative.ops.sigmoid(super().call(x))


LOGITS = "takes probabilities, and 'end', which has no activation, gives logits"
PROBABILITIES = "has from_logits=True, and 'end' gives probabilities"
WRONG = {
    "binary": ([layers.Dense(1, name="end")], "binary_crossentropy", BINARY, LOGITS),
    "sparse": ([layers.Dense(3, name="end")], "sparse_categorical_crossentropy", BINARY, LOGITS),
    "one-hot": (
        [layers.Dense(3, name="end")],
        losses.CategoricalCrossentropy(),
        ONE_HOT,
        LOGITS,
    ),
    "focal": ([layers.Dense(1, name="end")], losses.BinaryFocalCrossentropy(), BINARY, LOGITS),
    "nested": (
        [Sequential([layers.Dense(5), layers.Dense(3, name="end")])],
        "sparse_categorical_crossentropy",
        BINARY,
        LOGITS,
    ),
    "sigmoid": (
        [layers.Dense(1, "sigmoid", name="end")],
        losses.BinaryCrossentropy(from_logits=True),
        BINARY,
        PROBABILITIES,
    ),
    "activation layer": (
        [layers.Dense(3), layers.Activation("softmax", name="end")],
        losses.SparseCategoricalCrossentropy(from_logits=True),
        BINARY,
        PROBABILITIES,
    ),
    "softmax layer": (
        [layers.Dense(3), layers.Softmax(name="end")],
        losses.CategoricalCrossentropy(from_logits=True),
        ONE_HOT,
        PROBABILITIES,
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_warning(case):
    last, loss, labels, message = WRONG[case]
    (told,) = trained(last, loss, labels)
    assert message in told


def test_accuracy_of_logits():
    loss = losses.BinaryCrossentropy(from_logits=True)
    (told,) = trained([layers.Dense(1, name="end")], loss, metrics=["accuracy"])
    assert "'accuracy' counts predictions above 0.5" in told and "threshold=0" in told
    fine = metrics.BinaryAccuracy(threshold=0.0)
    assert trained([layers.Dense(1)], loss, metrics=[fine]) == []


RIGHT = {
    "sigmoid": ([layers.Dense(1, "sigmoid")], "binary_crossentropy", BINARY),
    "softmax": ([layers.Dense(3, "softmax")], "sparse_categorical_crossentropy", BINARY),
    "logits": ([layers.Dense(3)], losses.SparseCategoricalCrossentropy(from_logits=True), BINARY),
    "regression": ([layers.Dense(1)], "mse", BINARY),
    "hinge": ([layers.Dense(1)], "hinge", BINARY),
    "a loss of one's own": ([layers.Dense(1)], lambda y, p: (y - p) ** 2, BINARY),
    "a layer of one's own": ([OwnDense(1)], "binary_crossentropy", BINARY),
    "a model of one's own": (Own(), "binary_crossentropy", BINARY),
    "an op at the end": ([layers.Dense(1), layers.Rescaling(0.5)], "binary_crossentropy", BINARY),
    "clipped": ([layers.Dense(1, "relu")], "binary_crossentropy", BINARY),
}


@pytest.mark.parametrize("case", RIGHT)
def test_no_false_alarm(case):
    assert trained(*RIGHT[case], metrics=["accuracy"]) == []


def test_of_several_outputs_the_one_is_named():
    x = Input((4,))
    model = Model(x, [layers.Dense(1, name="one")(x), layers.Dense(1, "sigmoid", name="two")(x)])
    (told,) = trained(model, ["binary_crossentropy"] * 2, [BINARY, BINARY])
    assert "'one'" in told and "'two'" not in told
