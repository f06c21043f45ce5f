"""Configurations of losses, regularizers, constraints and activations, read by either library."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import dlnative

# namespace, class, options that are not the defaults
OBJECTS = [
    *(("losses", name, {"reduction": "sum", "name": "own"}) for name in dlnative.losses.CLASSES),
    ("losses", "BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1, "axis": 0}),
    ("losses", "BinaryFocalCrossentropy", {"apply_class_balancing": True, "gamma": 1.5}),
    ("losses", "CategoricalFocalCrossentropy", {"alpha": [0.25, 0.5], "label_smoothing": 0.5}),
    ("losses", "CategoricalGeneralizedCrossEntropy", {"q": 0.25}),
    ("losses", "CosineSimilarity", {"axis": 0}),
    ("losses", "Dice", {"axis": [0, 1]}),
    ("losses", "Huber", {"delta": 2.5}),
    ("losses", "SparseCategoricalCrossentropy", {"ignore_class": -1, "axis": 1}),
    ("losses", "Tversky", {"alpha": 0.25, "beta": 0.75, "axis": -1}),
    ("regularizers", "L1", {"l1": 0.5}),
    ("regularizers", "L2", {"l2": 0.25}),
    ("regularizers", "L1L2", {"l1": 0.5, "l2": 0.25}),
    ("regularizers", "OrthogonalRegularizer", {"factor": 0.5, "mode": "columns"}),
    ("constraints", "MaxNorm", {"max_value": 3, "axis": [0, 1]}),
    ("constraints", "MinMaxNorm", {"min_value": 0.5, "max_value": 2, "rate": 0.25, "axis": 1}),
    ("constraints", "NonNeg", {}),
    ("constraints", "UnitNorm", {"axis": [0, 1, 2]}),
]
# What Keras leaves out of its configurations, so that it cannot come back from there.
LOST = {
    "CosineSimilarity": ("axis",),
    "Huber": ("delta",),
    "SparseCategoricalCrossentropy": ("axis",),
}


@pytest.mark.parametrize(
    ("space", "name", "options"), OBJECTS, ids=[f"{s}.{n} {o}" for s, n, o in OBJECTS]
)
def test_objects(keras, space, name, options):
    our_module = importlib.import_module(f"dlnative.{space}")
    ours = getattr(our_module, name)(**options)
    theirs = getattr(getattr(keras, space), name)(**options)
    kept = {k: v for k, v in ours.get_config().items() if k not in LOST.get(name, ())}
    assert kept == theirs.get_config()
    read = keras.saving.deserialize_keras_object(our_module.serialize(ours))
    assert type(read) is type(theirs)
    assert read.get_config() == theirs.get_config()
    if space == "losses":  # also what Keras does not write
        assert read._fn_kwargs == ours._fn_kwargs
    back = our_module.deserialize(getattr(keras, space).serialize(theirs))
    assert type(back) is type(ours)
    assert {**ours.get_config(), **back.get_config()} == ours.get_config()
    same = our_module.get(our_module.serialize(ours))
    assert same.get_config() == ours.get_config()


@pytest.mark.parametrize("name", sorted(set(dlnative.losses.FUNCTIONS)))
def test_functions_of_losses(keras, name):
    ours, theirs = getattr(dlnative.losses, name), getattr(keras.losses, name)
    record = dlnative.losses.serialize(ours)
    assert record == keras.losses.serialize(theirs)
    assert dlnative.losses.get(record) is ours


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's Variables with NumPy 2
def test_a_compiled_model_of_all_of_them(keras, rng):
    """A model with penalties, constraints and a loss: read by Keras, and the same predictions."""
    model = dlnative.Sequential(
        [
            dlnative.Input((4,)),
            dlnative.layers.Dense(
                5,
                activation="hard_silu",
                kernel_regularizer=dlnative.regularizers.OrthogonalRegularizer(0.5),
                kernel_constraint=dlnative.constraints.MaxNorm(1.5),
            ),
            dlnative.layers.Dense(3, activation="softmax", bias_constraint="non_neg"),
        ]
    )
    loss = dlnative.losses.SparseCategoricalCrossentropy(ignore_class=255)
    model.compile("sgd", loss)
    x = rng.normal(size=(5, 4)).astype("float32")
    y = np.array([0, 255, 2, 1, 255])
    record = dlnative.utils.serialize_keras_object(model)
    theirs = keras.saving.deserialize_keras_object(record)
    theirs.set_weights(model.get_weights())
    assert theirs.loss.get_config() == loss.get_config()
    np.testing.assert_allclose(model.predict(x, verbose=0), theirs(x), rtol=2e-5, atol=1e-6)
    expected = theirs.evaluate(x, y, verbose=0)
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    record = keras.saving.serialize_keras_object(theirs)
    compiled = record.pop("compile_config")
    back = dlnative.utils.deserialize_keras_object(record)
    assert isinstance(back.layers[0].kernel_constraint, dlnative.constraints.MaxNorm)
    assert back.layers[0].kernel_regularizer.factor == 0.5
    assert dlnative.losses.get(compiled["loss"]).ignore_class == 255
