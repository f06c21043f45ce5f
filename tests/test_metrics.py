"""Metrics: running means over batches, Keras as the judge, names, state in a graph."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import engines, metrics
from dlnative.graph import Graph


def test_mean():
    mean = metrics.Mean()
    assert mean.result() == 0.0
    mean.update_state([1.0, 3.0])
    mean.update_state(8.0)
    assert mean.result() == 4.0
    assert (mean.total, mean.count) == (12.0, 3.0)
    mean.reset_state()
    assert mean([1.0, 5.0], sample_weight=[3.0, 1.0]) == 2.0
    mean.reset_state()
    assert mean(5.0, sample_weight=7) == 5.0
    assert mean.count == 7.0


def test_mean_of_positions_with_weights_of_samples():
    mean = metrics.Mean()
    values = np.array([[1.0, 3.0], [10.0, 20.0]])
    assert mean(values, sample_weight=[1.0, 3.0]) == pytest.approx((2 + 3 * 15) / 4)


def test_totals_are_float64():
    mean = metrics.Mean()
    for _ in range(3):
        mean.update_state(np.full(1 << 20, 0.1, "float32"))
    assert mean.result() == pytest.approx(float(np.float32(0.1)), rel=1e-12)


@pytest.mark.parametrize(
    ("metric", "y_true", "y_pred", "expected"),
    [
        (metrics.Accuracy(), [[1], [2], [3], [4]], [[0], [2], [3], [4]], 0.75),
        (metrics.BinaryAccuracy(), [[1], [1], [0], [0]], [[0.98], [1], [0], [0.6]], 0.75),
        (metrics.BinaryAccuracy(threshold=0.7), [[1, 0]], [[0.98, 0.6]], 1.0),
        (metrics.BinaryAccuracy(), [1, 1, 0, 0], [0.98, 1, 0, 0.6], 0.75),
        (
            metrics.CategoricalAccuracy(),
            [[0, 0, 1], [0, 1, 0]],
            [[0.1, 0.9, 0.8], [0.05, 0.95, 0]],
            0.5,
        ),
        (metrics.SparseCategoricalAccuracy(), [2, 1], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], 0.5),
        (metrics.SparseCategoricalAccuracy(), [[2], [1]], [[0.1, 0.6, 0.3], [0.05, 0.95, 0]], 0.5),
        (metrics.MeanSquaredError(), [[0, 1], [0, 0]], [[1, 1], [0, 0]], 0.25),
        (metrics.MeanAbsoluteError(), [[0, 1], [0, 0]], [[1, 1], [0, 0]], 0.25),
    ],
)
def test_values(metric, y_true, y_pred, expected):
    metric.reset_state()
    assert metric(y_true, y_pred) == pytest.approx(expected)


KERAS_CASES = [
    ("BinaryAccuracy", {}, "binary"),
    ("BinaryAccuracy", {"threshold": 0.3}, "binary"),
    ("CategoricalAccuracy", {}, "one_hot"),
    ("SparseCategoricalAccuracy", {}, "classes"),
    ("MeanSquaredError", {}, "binary"),
    ("MeanAbsoluteError", {}, "binary"),
    ("BinaryCrossentropy", {"label_smoothing": 0.1}, "binary"),
    ("CategoricalCrossentropy", {"from_logits": True}, "one_hot"),
    ("SparseCategoricalCrossentropy", {}, "classes"),
]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lead", [(7,), (5, 3)])
@pytest.mark.parametrize(("name", "options", "kind"), KERAS_CASES)
def test_as_keras(keras, rng, name, options, kind, lead, weighted):
    ours = getattr(metrics, name)(**options)
    theirs = getattr(keras.metrics, name)(**options)
    assert ours.name == theirs.name
    for _ in range(3):
        pred = rng.uniform(0.05, 0.95, (*lead, 4)).astype("float32")
        classes = rng.integers(0, 4, lead)
        true = {
            "binary": rng.integers(0, 2, pred.shape).astype("float32"),
            "classes": classes,
            "one_hot": np.eye(4, dtype="float32")[classes],
        }[kind]
        weight = rng.uniform(0, 2, lead[:1]).astype("float32") if weighted else None
        ours.update_state(true, pred, weight)
        theirs.update_state(true, pred, weight)
    assert ours.result() == pytest.approx(float(theirs.result()), rel=2e-6)


def test_names_as_keras(keras):
    for name in set(metrics.KNOWN) - {"MeanMetricWrapper", "mean_metric_wrapper"}:
        assert metrics.get(name).name == keras.metrics.get(name).name
        assert metrics.get(name)._direction == getattr(keras.metrics.get(name), "_direction", None)


def test_state_in_a_graph(rng):
    """The same metric on arrays and inside a program gives the same state."""
    eager, compiled = metrics.SparseCategoricalAccuracy(), metrics.SparseCategoricalAccuracy()
    graph = Graph()
    labels, pred, weight = (
        graph.feed((6,), "int32"),
        graph.feed((6, 3), "float32"),
        graph.feed((6,), "float32"),
    )
    compiled.update_state(labels, pred, weight)
    run = engines.build(graph, [])
    for _ in range(3):
        data = (
            rng.integers(0, 3, 6),
            rng.normal(size=(6, 3)).astype("float32"),
            rng.uniform(0, 1, 6),
        )
        run(*data)
        eager.update_state(*data)
    np.testing.assert_allclose(compiled.state.value, eager.state.value, rtol=1e-6)
    compiled.reset_state()
    assert compiled.result() == 0.0


def test_accuracy_in_a_graph():
    metric = metrics.Accuracy()
    graph = Graph()
    metric.update_state(graph.feed((4,), "float32"), graph.feed((4,), "float32"))
    engines.build(graph, [])(np.array([1, 2, 3, 4]), np.array([0, 2, 3, 5]))
    assert metric.result() == 0.5


def test_function_as_metric():
    def worst(y_true, y_pred):
        return dlnative.ops.max(y_pred - y_true, axis=-1)

    metric = metrics.MeanMetricWrapper(worst)
    assert metric.name == "worst"
    assert metric(np.zeros((2, 2)), np.array([[1.0, 3.0], [0.0, 5.0]])) == 4.0


@pytest.mark.parametrize("name", sorted(metrics.CLASSES))
def test_configuration(name):
    function = {"fn": metrics.binary_accuracy} if name == "MeanMetricWrapper" else {}
    metric = getattr(metrics, name)(name="own", **function)
    same = metrics.deserialize(metrics.serialize(metric))
    assert type(same) is type(metric)
    assert same.get_config() == metric.get_config()
