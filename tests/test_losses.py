"""Losses: hand-worked values, Keras as the judge, ranks, weights, reductions, names."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import losses
from dlnative.graph import Graph

PROBS = np.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]])
LOGITS = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
ONE_HOT = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
CLASSES = np.array([0, 1])


# --- values by hand -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "y_true", "y_pred", "expected"),
    [
        ("mean_squared_error", [[0.0, 1.0]], [[1.0, 3.0]], [2.5]),
        ("mean_absolute_error", [[0.0, 1.0]], [[1.0, 3.0]], [1.5]),
        ("binary_crossentropy", [[1.0, 0.0]], [[0.8, 0.4]], [(-np.log(0.8) - np.log(0.6)) / 2]),
        ("categorical_crossentropy", ONE_HOT, PROBS, [-np.log(0.7), -np.log(0.1)]),
        ("sparse_categorical_crossentropy", CLASSES, PROBS, [-np.log(0.7), -np.log(0.1)]),
    ],
)
def test_values(function, y_true, y_pred, expected):
    result = getattr(losses, function)(np.asarray(y_true), np.asarray(y_pred, dtype="float64"))
    np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_logits_do_not_overflow():
    far = np.array([[1000.0, -1000.0]])
    assert losses.binary_crossentropy([[1.0, 0.0]], far, from_logits=True)[0] == 0.0
    assert losses.binary_crossentropy([[0.0, 1.0]], far, from_logits=True)[0] == 1000.0
    assert losses.categorical_crossentropy([[0.0, 1.0]], far, from_logits=True)[0] == 2000.0


def test_probabilities_are_clipped():
    assert losses.binary_crossentropy([[1.0]], np.array([[0.0]]))[0] == pytest.approx(-np.log(1e-7))
    zero = losses.categorical_crossentropy([[0.0, 1.0]], np.array([[1.0, 0.0]]))
    assert zero[0] == pytest.approx(-np.log(1e-7))


# --- ranks, weights, reductions -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["mean_squared_error", "mean_absolute_error", "binary_crossentropy"]
)
def test_labels_without_the_last_axis(name, rng):
    pred = rng.uniform(0.1, 0.9, (5, 1))
    true = rng.integers(0, 2, (5, 1)).astype(float)
    loss = losses.as_loss(name)
    assert loss(true[:, 0], pred) == loss(true, pred)
    assert loss(true, pred[:, 0]) == loss(true, pred)


def test_class_numbers_may_have_a_last_axis():
    loss = losses.SparseCategoricalCrossentropy()
    assert loss(CLASSES[:, None], PROBS) == loss(CLASSES, PROBS)


def test_reductions():
    values = np.array([-np.log(0.7), -np.log(0.1)])

    def reduced(reduction, weight=None):
        return losses.CategoricalCrossentropy(reduction=reduction)(ONE_HOT, PROBS, weight)

    assert reduced("sum_over_batch_size") == pytest.approx(values.mean())
    assert reduced("mean") == pytest.approx(values.mean())
    assert reduced("sum") == pytest.approx(values.sum())
    np.testing.assert_allclose(reduced(None), values)
    np.testing.assert_allclose(reduced("none", [1.0, 3.0]), values * [1, 3])
    # Weights change the sum, not the number it is divided by.
    assert reduced("sum_over_batch_size", [1.0, 3.0]) == pytest.approx((values * [1, 3]).sum() / 2)


def test_weights_of_samples_with_positions(rng):
    true, pred = rng.normal(size=(2, 4, 3, 5))
    loss = losses.MeanSquaredError()
    weight = np.array([1.0, 0.0, 2.0, 0.5])
    values = losses.mean_squared_error(true, pred)
    expected = (values * weight[:, None]).sum() / values.size
    assert loss(true, pred, weight) == pytest.approx(expected)
    assert loss(true, pred, weight[:, None]) == pytest.approx(expected)
    assert loss(true, pred, np.repeat(weight[:, None], 3, 1)) == pytest.approx(expected)


def test_dtype_follows_the_predictions():
    loss = losses.MeanSquaredError()
    assert loss([[0.0]], np.array([[1.0]], "float32")).dtype == np.float32
    assert loss([[0.0]], np.array([[1.0]], "float64")).dtype == np.float64
    assert losses.MeanSquaredError(dtype="float32")([[0.0]], np.array([[1.0]])).dtype == np.float32
    assert loss([[0]], [[1]]).dtype == np.float32


# --- Keras ----------------------------------------------------------------------------------------

KERAS_CASES = [
    ("MeanSquaredError", {}, "regression"),
    ("MeanAbsoluteError", {}, "regression"),
    ("BinaryCrossentropy", {}, "probabilities"),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, "probabilities"),
    ("BinaryCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "regression"),
    ("CategoricalCrossentropy", {}, "one_hot"),
    ("CategoricalCrossentropy", {"label_smoothing": 0.3}, "one_hot"),
    ("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": 0.1}, "one_hot"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, "classes"),
]


def batch(kind, rng, lead=(6,)):
    """(labels, predictions) for one kind of loss."""
    pred = rng.uniform(0.05, 0.95, (*lead, 4)).astype("float32")
    if kind == "regression":
        return rng.uniform(0, 1, pred.shape).astype("float32"), (pred * 6 - 3).astype("float32")
    if kind == "probabilities":
        return rng.integers(0, 2, pred.shape).astype("float32"), pred
    classes = rng.integers(0, 4, lead)
    return (classes if kind == "classes" else np.eye(4, dtype="float32")[classes]), pred


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
@pytest.mark.parametrize("lead", [(6,), (6, 3)])
@pytest.mark.parametrize(("name", "options", "kind"), KERAS_CASES)
def test_as_keras(keras, rng, name, options, kind, lead, reduction):
    true, pred = batch(kind, rng, lead)
    ours = getattr(losses, name)(reduction=reduction, **options)
    theirs = getattr(keras.losses, name)(reduction=reduction, **options)
    np.testing.assert_allclose(
        ours(true, pred), np.asarray(theirs(true, pred)), rtol=3e-6, atol=1e-6
    )
    weight = rng.uniform(0, 2, lead).astype("float32")
    np.testing.assert_allclose(
        ours(true, pred, weight), np.asarray(theirs(true, pred, weight)), rtol=3e-6, atol=1e-6
    )


@pytest.mark.parametrize("name", sorted(losses.CLASSES))
def test_arguments_as_keras(keras, name):
    """The same parameters in the same order with the same defaults."""
    import inspect

    ours = inspect.signature(getattr(losses, name).__init__).parameters
    theirs = inspect.signature(getattr(keras.losses, name).__init__).parameters
    assert [(p.name, p.default) for p in ours.values()] == [
        (p.name, p.default) for p in theirs.values()
    ]


def test_names_as_keras(keras):
    # Keras's `get` has forgotten this one.
    unknown = {"CategoricalGeneralizedCrossEntropy", "categorical_generalized_cross_entropy"}
    for name in {*losses.FUNCTIONS, *losses.CLASSES, *losses.ALIASES} - unknown:
        ours, theirs = losses.get(name), keras.losses.get(name)
        assert getattr(ours, "name", None) == getattr(theirs, "name", None)
        assert getattr(ours, "__name__", None) == getattr(theirs, "__name__", None)


# --- names, configurations, losses of the user's --------------------------------------------------


def test_get():
    assert losses.get("mse") is losses.mean_squared_error
    assert losses.get(None) is None
    assert isinstance(losses.get("BinaryCrossentropy"), losses.BinaryCrossentropy)
    assert isinstance(losses.get(losses.MeanSquaredError), losses.MeanSquaredError)
    assert losses.as_loss("bce").name == "bce"
    assert losses.as_loss(None) is None


@pytest.mark.parametrize("name", sorted(losses.CLASSES))
def test_configuration(name):
    loss = getattr(losses, name)(reduction="sum", name="own")
    same = losses.deserialize(losses.serialize(loss))
    assert type(same) is type(loss)
    assert same.get_config() == loss.get_config()
    assert losses.get(losses.serialize(loss)).name == "own"


def test_own_loss():
    class Cubic(losses.Loss):
        def call(self, y_true, y_pred):
            error = dlnative.ops.relu(y_pred - y_true)
            return dlnative.ops.mean(error * error * error, axis=-1)

    assert Cubic()([[0.0], [0.0]], [[2.0], [-5.0]]) == pytest.approx(4.0)
    assert Cubic().name.startswith("cubic")


# --- in a graph -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "activation", "labels", "op"),
    [
        ("categorical_crossentropy", "softmax", (4, 3), "softmax_cross_entropy"),
        ("sparse_categorical_crossentropy", "softmax", (4,), "sparse_softmax_cross_entropy"),
        ("binary_crossentropy", "sigmoid", (4, 3), "binary_cross_entropy_with_logits"),
        ("binary_crossentropy", "tanh", (4, 3), "binary_cross_entropy"),
        ("categorical_crossentropy", "sigmoid", (4, 3), "categorical_cross_entropy"),
    ],
)
def test_logits_form_after_its_activation(name, activation, labels, op):
    graph = Graph(training=True)
    z = graph.feed((4, 3), "float32")
    y = graph.feed(labels, "int32" if name.startswith("sparse") else "float32")
    p = getattr(dlnative.ops, activation)(z)
    losses.as_loss(name)(y, p)
    node = next(n for n in graph.nodes if n.op.name == op)
    assert node.inputs[0] is (z if op.endswith(("softmax_cross_entropy", "logits")) else p)
