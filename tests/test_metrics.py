"""Metrics: running means over batches, Keras as the judge, names, state in a graph."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import engines, metrics, ops
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


def test_a_sample_counts_once_however_many_values_it_has():
    mean = metrics.Mean()
    mean.update_state([[1.0, 3.0], [5.0, 7.0]])
    mean.update_state([10.0])
    assert (mean.total, mean.count, mean.result()) == (18.0, 3.0, 6.0)
    mean.update_state([[1.0, 3.0]], sample_weight=[[1.0, 3.0]])
    assert (mean.total, mean.count) == (18.0 + 5.0, 3.0 + 2.0)


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


def test_configuration_of_a_function():
    metric = metrics.MeanMetricWrapper(metrics.binary_accuracy, name="own", threshold=0.3)
    same = metrics.deserialize(json.loads(json.dumps(metrics.serialize(metric))))
    assert same.get_config() == metric.get_config()
    assert same([[1.0]], [[0.4]]) == 1.0


def test_what_was_written_by_oneself_gives_the_same():
    """Twins of an AUC and of a mean, as Keras documents them, on arrays and in a program."""

    class Area(metrics.Metric):
        def __init__(self, name="area", dtype=None):
            super().__init__(name=name, dtype=dtype)
            self.thresholds = np.linspace(0, 1, 50)[:, None].astype("float32")
            self.positive = self.add_weight(shape=(50,), initializer="zeros", name="positive")
            self.negative = self.add_weight(shape=(50,), initializer="zeros", name="negative")

        def update_state(self, y_true, y_pred, sample_weight=None):
            y_true, y_pred = ops.reshape(y_true, (1, -1)), ops.reshape(y_pred, (1, -1))
            above = ops.cast(y_pred > self.thresholds, "float32")
            weight = 1.0 if sample_weight is None else ops.reshape(sample_weight, (1, -1))
            self.positive.assign_add(ops.sum(above * y_true * weight, axis=1))
            self.negative.assign_add(ops.sum(above * (1 - y_true) * weight, axis=1))

        def result(self):
            x, y = (v.numpy() / max(v.numpy()[0], 1e-9) for v in (self.negative, self.positive))
            return float(np.sum((x[:-1] - x[1:]) * (y[:-1] + y[1:]) / 2))

    def squares(y_true, y_pred):
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 4)).astype("float32"), rng.integers(0, 2, (50, 1))
    model = dlnative.Sequential(
        [dlnative.Input((4,)), dlnative.layers.Dense(1, activation="sigmoid")]
    )
    pairs = {
        "area": (Area(), metrics.AUC(num_thresholds=50)),
        "squares": (metrics.MeanMetricWrapper(squares), metrics.MeanSquaredError()),
    }
    weight = rng.uniform(0, 2, 50)
    given = [metric for pair in pairs.values() for metric in pair]
    model.compile("sgd", "mse", weighted_metrics=given)
    logs = model.evaluate(x, y, sample_weight=weight, batch_size=8, verbose=0, return_dict=True)
    for own, built_in in pairs.values():
        assert logs[own.name] == pytest.approx(logs[built_in.name], rel=1e-5)
        for metric in (own, built_in):
            metric.reset_state()
            metric.update_state(y, model.predict(x, verbose=0), weight)
            assert metric.result() == pytest.approx(logs[own.name], rel=1e-5)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_state_whose_shape_depends_on_the_data(engine):
    """Made by the first batch, by a metric of one's own too; its result is a dict of arrays."""

    class Sums(metrics.Metric):
        built = False

        def update_state(self, y_true, y_pred, sample_weight=None):
            if not self.built:
                self.sums = self.add_weight(shape=y_pred.shape[1:], name="sums")
                self.built = True
            self.sums.assign_add(ops.sum(y_pred, axis=0))

        def result(self):
            sums = self.sums.numpy()
            return {"first": sums[0], "all": sums}

    x, y = np.random.default_rng(0).random((2, 11, 3)).astype("float32")
    with dlnative.engine(engine):
        model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Identity()])
        model.compile("sgd", "mse", metrics=[Sums(), metrics.F1Score(), metrics.R2Score()])
        logs = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    np.testing.assert_allclose(logs["all"], x.sum(axis=0), rtol=1e-6)
    assert logs["first"] == pytest.approx(x[:, 0].sum(), rel=1e-6)
    assert list(logs) == ["f1_score", "loss", "r2_score", "all", "first"]
    assert logs["f1_score"].shape == (3,)


def test_counts_stay_exact():
    """Beyond 2^24, where float32 has no odd numbers."""
    metric = metrics.TruePositives()
    metric._histograms.assign([0.0, 0.0, 0.0, 2.0**24])
    metric.update_state([1], [0.9])
    assert metric.result() == 2**24 + 1


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        (metrics.AUC(), 0.75),
        (metrics.AUC(thresholds=[0.1, 0.2, 0.7, 0.75, 0.8]), 1 / 3),
        (metrics.Precision(), 1.0),
        (metrics.FalseNegatives([0.1, 0.2, 0.3, 0.4, 0.9]), [1, 1, 1, 2, 3]),
        (metrics.BinaryAccuracy(), 0.6),
        (metrics.BinaryIoU(), (1 / 3 + 1 / 2) / 2),
        (metrics.MeanSquaredError(), np.nan),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_predictions_that_are_nan(metric, expected):
    """The numbers are Keras's."""
    y_true, y_pred = [1, 0, 1, 0, 1], np.array([0.9, np.nan, np.nan, 0.2, 0.4], "float32")
    np.testing.assert_allclose(metric(y_true, y_pred), expected, rtol=1e-6)


WIDE, CLASSES = np.ones((3, 4), "float32"), np.zeros(3, "int64")


@pytest.mark.parametrize(
    ("make", "batch", "message"),
    [
        (lambda: metrics.Precision(1.5), (), r"Precision: .*in \[0, 1\], received \[1.5\]"),
        (lambda: metrics.TruePositives("a"), (), "thresholds to be a number"),
        (lambda: metrics.Precision(top_k=0), (), "top_k"),
        (lambda: metrics.Recall(class_id=-1), (), "class_id"),
        (lambda: metrics.AUC(1), (), "num_thresholds.*at least 2, received 1"),
        (lambda: metrics.AUC(curve="roc-pr"), (), "curve.*'ROC', 'PR'"),
        (lambda: metrics.AUC(summation_method="x"), (), "summation_method"),
        (lambda: metrics.AUC(num_labels=3), (), "num_labels"),
        (lambda: metrics.AUC(label_weights=[-1.0]), (), "label_weights"),
        (lambda: metrics.PrecisionAtRecall(1.1), (), r"recall in \[0, 1\]"),
        (lambda: metrics.SensitivityAtSpecificity(0.5, 0), (), "num_thresholds"),
        (lambda: metrics.FBetaScore(beta=1), (), "beta.*received 1"),
        (lambda: metrics.F1Score("mean"), (), "average"),
        (lambda: metrics.F1Score(threshold=0.0), (), "threshold"),
        (lambda: metrics.IoU(2, [2]), (), r"target_class_ids.*\[0, 2\)"),
        (lambda: metrics.MeanIoU(0), (), "num_classes"),
        (lambda: metrics.R2Score("sum"), (), "class_aggregation"),
        (lambda: metrics.R2Score(num_regressors=-1), (), "num_regressors"),
        (lambda: metrics.TopKCategoricalAccuracy(k=0), (), "k to be an integer"),
        (lambda: metrics.get("aucc"), (), "Unknown metric 'aucc'. Did you mean 'auc'"),
        (lambda: metrics.Precision(name="p"), (CLASSES, WIDE), "p: expected labels of shape"),
        (lambda: metrics.Precision(top_k=5), (WIDE, WIDE), "at least top_k=5"),
        (lambda: metrics.Precision(class_id=4), (WIDE, WIDE), "with a class 4"),
        (lambda: metrics.AUC(), (WIDE, WIDE, np.ones(2)), "sample_weight: .*received shape"),
        (lambda: metrics.AUC(multi_label=True, num_labels=3), (WIDE, WIDE), "of 3 labels"),
        (lambda: metrics.AUC(multi_label=True), (CLASSES, CLASSES), r"\(batch, labels\)"),
        (lambda: metrics.AUC(label_weights=[1, 2]), (WIDE, WIDE), "2 label_weights"),
        (lambda: metrics.F1Score(), (CLASSES, WIDE), r"\(batch, classes\)"),
        (lambda: metrics.MeanIoU(4), (CLASSES, WIDE), "for each label"),
        (lambda: metrics.OneHotMeanIoU(3), (WIDE, WIDE), "at most 3 classes"),
        (lambda: metrics.R2Score(), (CLASSES, CLASSES), r"\(batch, outputs\)"),
        (lambda: metrics.PearsonCorrelation(), (CLASSES, WIDE), "pearson_correlation: expected"),
    ],
)
def test_errors(make, batch, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make().update_state(*batch)


def test_state_of_another_shape_is_refused_before_the_first_step():
    score = metrics.F1Score()
    score.update_state(WIDE, WIDE)
    model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(2)])
    model.compile("sgd", "mse", metrics=[score])
    before = model.get_weights()
    with pytest.raises(ValueError, match="of 4 classes as in the batches before"):
        model.fit(np.ones((3, 3)), np.ones((3, 2)), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


@pytest.mark.parametrize(
    ("metric", "option", "value"),
    [
        (metrics.Precision(top_k=2), "top_k", 1),
        (metrics.Recall(0.3, class_id=1), "class_id", 2),
        (metrics.AUC(), "curve", "PR"),
        (metrics.AUC(), "summation_method", "majoring"),
        (metrics.SensitivityAtSpecificity(0.4), "specificity", 0.9),
        (metrics.FBetaScore("macro"), "beta", 3.0),
        (metrics.FBetaScore("macro"), "threshold", 0.4),
        (metrics.F1Score("macro"), "average", "weighted"),
        (metrics.OneHotIoU(4, [0]), "target_class_ids", [1]),
        (metrics.OneHotMeanIoU(4), "ignore_class", 1),
        (metrics.BinaryIoU(), "threshold", 0.3),
        (metrics.R2Score(), "class_aggregation", "variance_weighted_average"),
        (metrics.R2Score(), "num_regressors", 3),
        (metrics.TopKCategoricalAccuracy(k=1), "k", 2),
        (metrics.CosineSimilarity(), "axis", 1),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_an_option_that_is_set_later_counts(metric, option, value):
    """In a compiled model as in a new metric."""
    rng = np.random.default_rng(1)
    x = rng.uniform(0.01, 0.99, (40, 4)).astype("float32")
    y = np.eye(4)[np.argmax(x + rng.uniform(-0.5, 0.5, x.shape), axis=1)]
    fresh = type(metric).from_config({**metric.get_config(), option: value})
    model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Softmax()])
    if option == "axis":
        x, y = x[:, :3], y[:, :3]
        model = dlnative.Sequential(
            [dlnative.Input((3,)), dlnative.layers.Reshape((1, 3)), dlnative.layers.Identity()]
        )
        y = y[:, None]
    model.compile("sgd", "mse", metrics=[metric])
    before = model.evaluate(x, y, verbose=0)[1]
    setattr(metric, option, value)
    after = model.evaluate(x, y, verbose=0)[1]
    assert after == pytest.approx(float(fresh(y, model.predict(x, verbose=0))), rel=1e-5)
    assert after != before
