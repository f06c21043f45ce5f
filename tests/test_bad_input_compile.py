"""Losses, metrics and options of compile that do not fit the model, the labels or each other."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input_models import SPARSE, X, Y, mlp, two_headed

from dlnative import Input, Model, layers, losses, ops, optimizers

# --- losses that do not fit the labels ------------------------------------------------------------

LOSSES = {
    "class numbers for one-hot": (
        "categorical_crossentropy",
        3,
        Y,
        r"one-hot labels of shape \(10, 3\), received \(10,\)\. .*sparse_categorical_crossentropy",
    ),
    "columns for one-hot": (
        "categorical_crossentropy",
        3,
        Y[:, None],
        r"received \(10, 1\)\. For class numbers use sparse_",
    ),
    "other number of classes": (
        "categorical_crossentropy",
        3,
        np.eye(4)[Y],
        r"expected labels of shape \(10, 3\) to match the predictions, received \(10, 4\)",
    ),
    "one output for classes": (
        "categorical_crossentropy",
        1,
        Y[:, None],
        r"use binary_crossentropy",
    ),
    "classes for one output": (
        SPARSE,
        1,
        Y,
        r"expected class numbers in \[0, 1\) for 1 outputs, received 1",
    ),
    "class numbers for regression": (
        "mse",
        3,
        Y,
        r"mean_squared_error: .*Class numbers for 3 outputs need sparse_categorical",
    ),
    "one-hot for one output": (
        "binary_crossentropy",
        1,
        np.eye(2)[Y % 2],
        r"One-hot labels need 2 outputs and categorical",
    ),
    "labels of binary crossentropy": (
        "binary_crossentropy",
        1,
        Y,
        r"y: expected values in \[0, 1\] for binary cross-entropy, received 2 in sample 2",
    ),
    "signs for binary crossentropy": ("bce", 1, Y - 1, r"received -1 in sample 0"),
}


@pytest.mark.parametrize("case", LOSSES)
def test_loss_and_labels(case):
    loss, outputs, labels, message = LOSSES[case]
    model = mlp(outputs, "sigmoid")
    model.compile("sgd", loss)
    before = model.get_weights()
    with pytest.raises(ValueError, match=message):
        model.fit(X, labels, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_metric_and_labels():
    model = mlp()
    model.compile("sgd", SPARSE, metrics=["categorical_accuracy"])
    with pytest.raises(ValueError, match=r"categorical_accuracy: expected one-hot labels"):
        model.fit(X, Y, verbose=0)


# --- compile --------------------------------------------------------------------------------------


def steps_only(y_true, y_pred):
    return ops.mean(ops.step(y_pred - y_true), axis=-1)


def no_gradient(y_true, y_pred):
    return ops.mean(ops.i0(y_pred), axis=-1)


COMPILE = {
    "optimizer": (
        {"optimizer": "adm"},
        ValueError,
        r"Unknown optimizer 'adm'\. Did you mean 'Adam'",
    ),
    "optimizer class": ({"optimizer": optimizers.Adam}, TypeError, r"Call the class: Adam\(\)"),
    "optimizer type": (
        {"optimizer": 3},
        TypeError,
        r"optimizer: expected a name or an Optimizer, received 3",
    ),
    "loss": (
        {"loss": "mean_square_error"},
        ValueError,
        r"Unknown loss .*Did you mean 'mean_squared_error'",
    ),
    "loss that is a metric": ({"loss": "accuracy"}, ValueError, r"Unknown loss 'accuracy'"),
    "loss type": ({"loss": 3}, TypeError, r"loss: expected a name, a Loss or a function"),
    "loss in a list": ({"loss": ["msee"]}, ValueError, r"Did you mean 'mse'"),
    "loss without gradient": (
        {"loss": no_gradient},
        ValueError,
        r"loss 'no_gradient': op 'i0' has no gradient",
    ),
    "loss in steps": (
        {"loss": steps_only},
        ValueError,
        r"loss 'steps_only': it does not depend on the predictions",
    ),
    "metric": (
        {"metrics": ["acuracy"]},
        ValueError,
        r"Unknown metric 'acuracy'\. Did you mean 'accuracy'",
    ),
    "metric in a dict": ({"metrics": {"head": "maee"}}, ValueError, r"Did you mean 'mae'"),
    "metrics as a name": ({"metrics": "accuracy"}, ValueError, r"metrics: expected a list"),
    "metric type": (
        {"metrics": [3]},
        TypeError,
        r"metric: expected a name, a Metric or a function",
    ),
    "weighted metric": ({"weighted_metrics": ["acuracy"]}, ValueError, r"Unknown metric"),
    "loss_weights": (
        {"loss_weights": ["a"]},
        TypeError,
        r"loss_weights: expected every entry to be a number, received 'a'",
    ),
    "run_eagerly": ({"run_eagerly": "yes"}, TypeError, r"run_eagerly True or False.*'yes'"),
    "steps_per_execution": (
        {"steps_per_execution": 0},
        ValueError,
        r"steps_per_execution: expected 1 or more",
    ),
}


@pytest.mark.parametrize("case", COMPILE)
def test_compile(case):
    arguments, error, message = COMPILE[case]
    model = mlp()
    model.compile("sgd", SPARSE)
    optimizer = model.optimizer
    with pytest.raises(error, match=message):
        model.compile(**{"optimizer": "sgd", "loss": SPARSE, **arguments})
    assert model.optimizer is optimizer
    model.fit(X, Y, verbose=0)


def test_reduction_none_does_not_train():
    model = mlp()
    model.compile("sgd", losses.SparseCategoricalCrossentropy(reduction=None))
    with pytest.raises(ValueError, match="reduction None gives one loss per sample"):
        model.fit(X, Y, verbose=0)


@pytest.mark.parametrize("method", ["fit", "evaluate", "train_on_batch", "test_on_batch"])
def test_before_compile(method):
    with pytest.raises(RuntimeError, match=rf"Call compile\(optimizer, loss\) before {method}\(\)"):
        getattr(mlp(), method)(X, Y)


def test_without_loss_or_optimizer():
    model = mlp()
    model.compile("sgd")
    with pytest.raises(ValueError, match="pass `loss` to compile"):
        model.fit(X, Y, verbose=0)
    model.compile(None, SPARSE)
    with pytest.raises(ValueError, match="pass `optimizer` to compile"):
        model.fit(X, Y, verbose=0)
    model.evaluate(X, Y, verbose=0)


def test_no_gradient():
    x = Input((3,))
    model = Model(x, ops.stop_gradient(layers.Dense(1)(x)))
    model.compile("sgd", "mse")
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)


# --- several outputs ------------------------------------------------------------------------------

SEVERAL = {
    "one loss too many": (
        {"loss": ["mse"] * 3},
        {},
        r"loss: expected 2 entries, one per output of the model \(left, right\), received 3",
    ),
    "unknown output in the loss": (
        {"loss": {"lft": "mse"}},
        {},
        r"Unknown output 'lft'\. Did you mean 'left'",
    ),
    "metrics for one output": ({"metrics": ["mae"]}, {}, r"metrics: expected 2 entries"),
    "loss_weights": ({"loss_weights": [1.0, 2.0, 3.0]}, {}, r"loss_weights: expected 2 entries"),
    "one array of labels": (
        {},
        {"y": np.zeros((10, 1))},
        r"y: the model has 2 outputs \(left, right\); give a list",
    ),
    "labels of one output": (
        {},
        {"y": {"left": np.zeros(10)}},
        r"y: expected labels for the loss of output 'right'",
    ),
    "class_weight": (
        {},
        {"class_weight": {0: 1.0}},
        r"class_weight: expected a model with one output, this one has 2",
    ),
    "positions in one weight": ({}, {"sample_weight": np.ones((10, 3))}, r"one weight per sample"),
    "lengths": (
        {},
        {"y": [np.zeros(10), np.zeros((9, 3))]},
        r"x has 10, y\[0\] has 10, y\[1\] has 9",
    ),
}


@pytest.mark.parametrize("case", SEVERAL)
def test_several_outputs(case):
    options, data, message = SEVERAL[case]

    def train():
        model = two_headed()
        model.compile("sgd", **{"loss": "mse", **options})
        model.fit(**{"x": X, "y": [np.zeros(10), np.zeros((10, 3))], "verbose": 0, **data})

    with pytest.raises(ValueError, match=message):
        train()
