"""What is set after the first call counts: options of losses and metrics."""

from __future__ import annotations

import copy
from functools import partial

import numpy as np
import pytest

import dlnative
from dlnative import changes, layers, losses, metrics

P = np.array([[0.2, 0.7, 0.1], [0.3, 0.3, 0.4]])
ONE_HOT = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
CLASSES = np.array([1, 0])

# class, the option, the new value, the labels
FUNCTIONS = [
    (losses.BinaryCrossentropy, "label_smoothing", 0.25, ONE_HOT),
    (losses.BinaryCrossentropy, "from_logits", True, ONE_HOT),
    (losses.BinaryCrossentropy, "reduction", "sum", ONE_HOT),
    (losses.CategoricalCrossentropy, "label_smoothing", 0.25, ONE_HOT),
    (losses.CategoricalCrossentropy, "from_logits", True, ONE_HOT),
    (losses.SparseCategoricalCrossentropy, "from_logits", True, CLASSES),
    (losses.SparseCategoricalCrossentropy, "ignore_class", 1, CLASSES),
    (losses.CosineSimilarity, "axis", 0, ONE_HOT),
    (losses.Huber, "delta", 0.25, ONE_HOT),
    (losses.Tversky, "alpha", 2.0, ONE_HOT),
    (losses.Dice, "axis", 0, ONE_HOT),
    (losses.CategoricalFocalCrossentropy, "gamma", 1.0, ONE_HOT),
    (losses.MeanSquaredError, "reduction", "sum", ONE_HOT),
    (metrics.BinaryAccuracy, "threshold", 0.35, ONE_HOT),
    (metrics.BinaryCrossentropy, "label_smoothing", 0.25, ONE_HOT),
    (metrics.BinaryCrossentropy, "from_logits", True, ONE_HOT),
    (metrics.CategoricalCrossentropy, "label_smoothing", 0.25, ONE_HOT),
    (metrics.CategoricalCrossentropy, "from_logits", True, ONE_HOT),
    (metrics.SparseCategoricalCrossentropy, "from_logits", True, CLASSES),
]


def value_of(function, y):
    if isinstance(function, metrics.Metric):
        function.reset_state()
    return function(y, P)


def compiled(function):
    """A function of labels that gives the value of a loss or metric in a step of training."""
    model = dlnative.Sequential([dlnative.Input((3,), dtype="float64"), layers.Identity()])
    is_loss = isinstance(function, losses.Loss)
    other = "sparse_categorical_crossentropy" if function.sparse_labels else "mse"
    loss, reported = (function, None) if is_loss else (other, [function])
    model.compile(dlnative.optimizers.SGD(0.0), loss, metrics=reported)

    def run(y):
        model.reset_metrics()
        logs = model.test_on_batch(P, y, return_dict=True)
        return logs["loss" if is_loss else function.name]

    return run


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("in_model", [False, True])
@pytest.mark.parametrize(
    ("make", "option", "value", "labels"),
    FUNCTIONS,
    ids=[f"{row[0].__module__} {row[0].__name__} {row[1]}" for row in FUNCTIONS],
)
def test_an_option_of_a_loss_or_metric_counts(make, option, value, labels, in_model, engine):
    changed, fresh, copied = make(), make(**{option: value}), copy.copy(make())
    with dlnative.engine(engine):
        runs = [compiled(f) if in_model else partial(value_of, f) for f in (changed, fresh)]
        before = runs[0](labels)
        setattr(changed, option, value)
        after = [run(labels) for run in runs]
    assert after[0] == after[1]
    assert after[0] != before
    assert getattr(changed, option) == value
    assert getattr(copied, option) != value
    name = {"name": None}
    assert {**changed.get_config(), **name} == {**fresh.get_config(), **name}


@pytest.mark.parametrize("run", ["fit", "train_on_batch"])
def test_smoothing_set_after_training_counts(run):
    results = []
    for late in (False, True):
        loss = losses.CategoricalCrossentropy(label_smoothing=0.0 if late else 0.5)
        dlnative.utils.set_random_seed(1)
        model = dlnative.Sequential([dlnative.Input((3,)), layers.Dense(3, activation="softmax")])
        start = model.get_weights()
        model.compile(dlnative.optimizers.SGD(0.1), loss)
        train = getattr(model, run)
        train(P, ONE_HOT)
        model.set_weights(start)
        loss.label_smoothing = 0.5
        train(P, ONE_HOT)
        results.append(model.get_weights())
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("make", "option", "value", "error"),
    [
        (losses.BinaryCrossentropy, "label_smoothing", 1.5, ValueError),
        (losses.CategoricalCrossentropy, "label_smoothing", "0.5", TypeError),
        (losses.BinaryCrossentropy, "axis", 0.5, TypeError),
        (losses.SparseCategoricalCrossentropy, "ignore_class", 0.5, TypeError),
        (losses.SparseCategoricalCrossentropy, "axis", None, TypeError),
        (losses.Huber, "delta", -1.0, ValueError),
        (losses.CategoricalGeneralizedCrossEntropy, "q", 1.0, ValueError),
        (losses.BinaryFocalCrossentropy, "gamma", float("nan"), ValueError),
        (losses.Tversky, "alpha", "0.5", TypeError),
        (losses.MeanAbsoluteError, "reduction", "average", ValueError),
        (metrics.BinaryAccuracy, "threshold", "0.5", TypeError),
        (metrics.BinaryAccuracy, "threshold", float("nan"), ValueError),
        (metrics.BinaryCrossentropy, "label_smoothing", -0.1, ValueError),
        (metrics.SparseCategoricalCrossentropy, "ignore_class", 0.5, TypeError),
    ],
)
def test_a_wrong_option_of_a_loss_or_metric_is_refused(make, option, value, error):
    function = make()
    before = function.get_config()
    count = changes.count()
    with pytest.raises(error, match=option):
        setattr(function, option, value)
    assert function.get_config() == before
    assert changes.count() == count
    with pytest.raises(error, match=option):
        make(**{option: value})


def test_an_axis_of_a_metric_that_there_is_not_is_refused_when_it_is_called():
    metric = metrics.CategoricalCrossentropy()
    metric.axis = 2
    with pytest.raises(ValueError, match="out of range"):
        metric(ONE_HOT, P)
