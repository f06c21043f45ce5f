"""Bad data and arguments: what is raised says what was expected, and the model is as it was."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import callbacks, layers, losses, metrics, models, ops, optimizers

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


# --- data: (arguments of fit, the error, a part of its message) -----------------------------------

DATA = {
    "None for x": ({"x": None}, ValueError, r"x: expected an array, received None"),
    "generator": (
        {"x": generator()},
        TypeError,
        r"x: expected arrays, received generator\. Give NumPy arrays",
    ),
    "data set object": ({"x": range(10)}, TypeError, r"x: expected arrays, received range"),
    "a number": ({"x": 3.0}, TypeError, r"x: expected an array, received 3.0 of type float"),
    "a 0-d array": ({"x": np.float32(3.0).reshape(())}, ValueError, r"x: .*received one number"),
    "strings": (
        {"x": np.full((10, 4), "1")},
        TypeError,
        r"x: .*received dtype <U1\. Strings must be encoded",
    ),
    "objects": (
        {"x": X.astype(object)},
        TypeError,
        r"x: .*received dtype object\. Rows must be numbers",
    ),
    "complex": (
        {"x": X.astype(complex)},
        TypeError,
        r"x: expected an array of numbers, received dtype complex128",
    ),
    "ragged": (
        {"x": [[1.0, 2.0], [1.0]]},
        ValueError,
        r"x: expected rows of equal length, received rows of lengths \[2, 1\]",
    ),
    "empty": (
        {"x": X[:0], "y": Y[:0]},
        ValueError,
        r"x: expected at least one sample, .*shape \(0, 4\)",
    ),
    "empty list": ({"x": [], "y": []}, ValueError, r"x: expected at least one sample"),
    "empty rows": (
        {"x": np.zeros((10, 0))},
        ValueError,
        r"x: .*at least one value, received shape \(10, 0\)",
    ),
    "empty y": ({"y": Y[:0]}, ValueError, r"y: expected at least one sample"),
    "wrong width": (
        {"x": X[:, :3]},
        ValueError,
        r"input 'features' of shape \(batch, 4\), received \(batch, 3\)",
    ),
    "wrong rank": (
        {"x": X.reshape(10, 2, 2)},
        ValueError,
        r"shape \(batch, 4\), received \(batch, 2, 2\)",
    ),
    "two arrays for one input": ({"x": [X, X]}, ValueError, r"expected 1 inputs"),
    "unknown input": ({"x": {"feature": X}}, ValueError, r"Did you mean 'features'"),
    "lengths": (
        {"y": Y[:9]},
        ValueError,
        r"same number of samples in all arrays: x has 10, y has 9",
    ),
    "length of weights": (
        {"sample_weight": np.ones(8)},
        ValueError,
        r"x has 10, y has 10, sample_weight has 8",
    ),
    "no labels": ({"y": None}, ValueError, r"y: expected labels for the loss, received none"),
    "NaN": ({"x": with_value(np.nan, 7)}, ValueError, r"x: sample 7 has the value nan"),
    "inf": (
        {"x": with_value(-np.inf, 0, "float64")},
        ValueError,
        r"x: sample 0 has the value -inf",
    ),
    "NaN in half precision": (
        {"x": with_value(np.nan, 3, "float16")},
        ValueError,
        r"x: sample 3 has",
    ),
    "NaN in weights": (
        {"sample_weight": with_value(np.nan, 2)[:, 1]},
        ValueError,
        r"sample_weight: sample 2",
    ),
    "NaN in labels": (
        {"y": labels_with(np.nan, 4, "float64")},
        ValueError,
        r"received nan in sample 4",
    ),
    "label too large": (
        {"y": labels_with(3, 6)},
        ValueError,
        r"y: expected class numbers in \[0, 3\) for 3 outputs, received 3 in sample 6",
    ),
    "label negative": ({"y": labels_with(-1, 2)}, ValueError, r"received -1 in sample 2"),
    "label not whole": (
        {"y": labels_with(0.5, 5, "float32")},
        ValueError,
        r"whole class numbers, received 0.5 in sample 5",
    ),
    "labels as strings": (
        {"y": np.array(list("abcabcabca"))},
        TypeError,
        r"y: .*Strings must be encoded",
    ),
    "one-hot for sparse": (
        {"y": ONE_HOT},
        ValueError,
        r"\(10, 3\), which looks one-hot\. Use categorical_crossentropy",
    ),
    "labels of another rank": (
        {"y": np.zeros((10, 2, 2), int)},
        ValueError,
        r"expected class numbers of shape \(10,\)",
    ),
    "weights of another shape": (
        {"sample_weight": np.ones((10, 2))},
        ValueError,
        r"sample_weight: expected one weight per sample",
    ),
    "two weights": (
        {"sample_weight": np.ones(10), "class_weight": {0: 2.0}},
        ValueError,
        r"sample_weight or class_weight, not both",
    ),
    "class_weight as a list": (
        {"class_weight": [1.0, 2.0, 3.0]},
        TypeError,
        r"class_weight: expected a dict",
    ),
    "class_weight keys": (
        {"class_weight": {"a": 2.0}},
        TypeError,
        r"class_weight: expected class numbers as keys, received 'a'",
    ),
    "class_weight values": ({"class_weight": {0: "a"}}, TypeError, r"received 'a' for class 0"),
    "two labels for one output": ({"y": [Y, Y]}, ValueError, r"y: expected 1 entries"),
    "unknown output": (
        {"y": {"haed": Y}},
        ValueError,
        r"Unknown output 'haed'. Did you mean 'head'",
    ),
    # numbers
    "batch_size 0": ({"batch_size": 0}, ValueError, r"batch_size: expected 1 or more, received 0"),
    "batch_size negative": ({"batch_size": -4}, ValueError, r"batch_size: .*received -4"),
    "batch_size float": (
        {"batch_size": 2.5},
        TypeError,
        r"batch_size: expected a whole number, received 2.5",
    ),
    "epochs negative": ({"epochs": -1}, ValueError, r"epochs: expected 0 or more"),
    "epochs bool": ({"epochs": True}, TypeError, r"epochs: expected a whole number"),
    "initial_epoch": ({"initial_epoch": -1}, ValueError, r"initial_epoch"),
    "steps_per_epoch": ({"steps_per_epoch": 0}, ValueError, r"steps_per_epoch"),
    "validation_steps": ({"validation_steps": "1"}, TypeError, r"validation_steps"),
    "validation_batch_size": ({"validation_batch_size": 0}, ValueError, r"validation_batch_size"),
    "validation_split 1": (
        {"validation_split": 1.0},
        ValueError,
        r"validation_split: expected a number between 0 and 1",
    ),
    "validation_split negative": ({"validation_split": -0.1}, ValueError, r"validation_split"),
    "validation_split text": (
        {"validation_split": "0.1"},
        TypeError,
        r"validation_split: expected a number",
    ),
    "validation_split too small": (
        {"validation_split": 0.99},
        ValueError,
        r"validation_split: 0.99 of 10 samples leaves none to train on",
    ),
    "validation_freq": ({"validation_freq": 0}, ValueError, r"validation_freq"),
    "validation_freq text": (
        {"validation_freq": "2"},
        ValueError,
        r"validation_freq: expected a whole number or a list",
    ),
    "validation_data": ({"validation_data": X}, ValueError, r"validation_data: expected \(x, y\)"),
    "validation_data of four": (
        {"validation_data": (X, Y, Y, Y)},
        ValueError,
        r"validation_data: .*received tuple of 4",
    ),
    "validation labels": (
        {"validation_data": (X, labels_with(9, 1))},
        ValueError,
        r"validation_y: .*received 9 in sample 1",
    ),
    "validation NaN": (
        {"validation_data": (with_value(np.nan, 1), Y)},
        ValueError,
        r"validation_x: sample 1",
    ),
    "validation lengths": ({"validation_data": (X, Y[:5])}, ValueError, r"x has 10, y has 5"),
    "verbose": ({"verbose": 3}, ValueError, r"verbose: expected 'auto', 0, 1 or 2, received 3"),
    "shuffle": (
        {"shuffle": "rows"},
        ValueError,
        r"shuffle: expected True, False or 'batch', received 'rows'",
    ),
    "callbacks": (
        {"callbacks": [callbacks.EarlyStopping]},
        TypeError,
        r"callbacks: expected Callback objects.*Call the class",
    ),
}


@pytest.mark.parametrize("case", DATA)
def test_fit(case):
    arguments, error, message = DATA[case]
    model = mlp()
    model.compile("adam", SPARSE, metrics=["accuracy"])
    model.fit(X, Y, verbose=0)
    before = [w.copy() for w in model.get_weights()]
    slots = [v.numpy() for v in model.optimizer.variables]
    with pytest.raises(error, match=message):
        model.fit(**{"x": X, "y": Y, "verbose": 0, **arguments})
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(slots, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    model.fit(X, Y, verbose=0)  # and it can still be trained


def cases_of(arguments):
    """The cases with these arguments only, without those that only `fit` looks for."""
    finite = [c for c in DATA if c == "NaN in labels" or not c.startswith(("NaN", "inf"))]
    return [c for c in finite if set(DATA[c][0]) <= arguments]


@pytest.mark.parametrize("case", cases_of({"x", "y", "sample_weight"}))
@pytest.mark.parametrize("method", ["evaluate", "train_on_batch", "test_on_batch"])
def test_other_methods(case, method):
    arguments, error, message = DATA[case]
    model = mlp()
    model.compile("adam", SPARSE)
    call = getattr(model, method)
    call(X, Y)
    before = [w.copy() for w in model.get_weights()]
    with pytest.raises(error, match=message):
        call(**{"x": X, "y": Y, **arguments})
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("case", cases_of({"x"}))
@pytest.mark.parametrize("method", ["predict", "predict_on_batch"])
def test_predict(case, method):
    arguments, error, message = DATA[case]
    with pytest.raises(error, match=message):
        getattr(mlp(), method)(arguments["x"])


def test_accuracy_is_not_what_bad_labels_made_of_it():
    model = mlp()
    model.compile("sgd", SPARSE, metrics=["accuracy"])
    with pytest.raises(ValueError, match="looks one-hot"):
        model.fit(X, ONE_HOT, verbose=0)
    history = model.fit(X, Y, verbose=0).history
    assert list(history) == ["accuracy", "loss"]


def test_label_out_of_range_after_a_good_batch():
    """The ready call of the same shapes checks labels, too."""
    model = mlp()
    model.compile("sgd", SPARSE)
    model.train_on_batch(X, Y)
    before = model.get_weights()
    with pytest.raises(ValueError, match="received 7 in sample 0"):
        model.train_on_batch(X, labels_with(7, 0))
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_bad_label_in_a_large_set():
    x, y = np.zeros((3000, 4), "float32"), np.zeros(3000, "int64")
    y[2345] = 5
    model = mlp()
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match="received 5 in sample 2345"):
        model.fit(x, y, verbose=0)
    y = y.astype("float32")
    y[2345] = 0.25
    with pytest.raises(ValueError, match=r"received 0.25 in sample 2345"):
        model.fit(x, y, verbose=0)


def test_finite_values_whose_sum_overflows_are_fine():
    model = mlp()
    model.compile(dlnative.optimizers.SGD(learning_rate=0.0), SPARSE)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    x = np.full((10, 4), 3e38, "float32")
    model.fit(x, Y, verbose=0)


def test_check_finite_can_be_left_out():
    model = mlp()
    model.compile("sgd", SPARSE)
    history = model.fit(with_value(np.nan, 7), Y, verbose=0, check_finite=False)
    assert np.isnan(history.history["loss"][0])


def test_a_failed_fit_leaves_an_unbuilt_model_unbuilt():
    model = dlnative.Sequential([layers.Dense(5), layers.Dense(3, activation="softmax")])
    model.compile("adam", SPARSE)
    with pytest.raises(ValueError, match="received 9"):
        model.fit(X, labels_with(9, 0), verbose=0)
    assert not model.built
    assert model.optimizer.variables[2:] == []
    model.fit(X[:, :3], Y, verbose=0)
    assert model.layers[0].kernel.shape == (3, 5)


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
    return ops.mean(ops.maximum(y_true, y_pred), axis=-1)


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
        r"loss 'no_gradient': op 'maximum' has no gradient",
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
        r"loss_weights: expected numbers, received 'a'",
    ),
    "run_eagerly": ({"run_eagerly": True}, ValueError, r"dlnative.engine\('numpy'\)"),
    "jit_compile": ({"jit_compile": False}, ValueError, r"jit_compile=False"),
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


def test_nothing_to_train():
    model = mlp()
    model.trainable = False
    model.compile("sgd", SPARSE)
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        model.fit(X, Y, verbose=0)


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


# --- losses, metrics and optimizers by themselves -------------------------------------------------

ALONE = {
    "reduction": (
        lambda: losses.MeanSquaredError(reduction="avg"),
        ValueError,
        r"reduction: expected one of 'sum_over",
    ),
    "dtype of a loss": (
        lambda: losses.MeanSquaredError(dtype="int32"),
        ValueError,
        r"expected dtype of",
    ),
    "label_smoothing": (
        lambda: losses.BinaryCrossentropy(label_smoothing=2.0),
        ValueError,
        r"label_smoothing in \[0, 1\], received 2.0",
    ),
    "axis": (lambda: losses.CategoricalCrossentropy(axis=1), ValueError, r"expected axis=-1"),
    "axis of a function": (
        lambda: losses.binary_crossentropy(ONE_HOT, ONE_HOT, axis=0),
        ValueError,
        r"expected axis=-1",
    ),
    "ignore_class": (
        lambda: losses.SparseCategoricalCrossentropy(ignore_class=0),
        ValueError,
        r"ignore_class is not available",
    ),
    "ignore_class of a function": (
        lambda: losses.sparse_categorical_crossentropy(Y, ONE_HOT, ignore_class=0),
        ValueError,
        r"ignore_class is not available",
    ),
    "class numbers": (
        lambda: losses.sparse_categorical_crossentropy([3], ONE_HOT[:1]),
        ValueError,
        r"\[0, 3\) for 3 outputs, received 3",
    ),
    "shapes": (
        lambda: losses.mean_squared_error(np.zeros((2, 3)), np.zeros((2, 2))),
        ValueError,
        r"labels of shape \(2, 2\)",
    ),
    "weights": (
        lambda: losses.MeanSquaredError()(ONE_HOT, ONE_HOT, [1.0, 2.0]),
        ValueError,
        r"sample_weight: expected",
    ),
    "no call": (lambda: losses.Loss()(Y, Y), NotImplementedError, r"Loss does not implement call"),
    "unknown loss configuration": (
        lambda: losses.get({"class_name": "Mse", "config": {}}),
        ValueError,
        r"Mse",
    ),
    "dtype of a metric": (lambda: metrics.Mean(dtype="int8"), ValueError, r"expected dtype of"),
    "metric without update": (
        lambda: metrics.Metric(name="m")(1),
        NotImplementedError,
        r"update_state",
    ),
    "metric without result": (
        lambda: metrics.Metric(name="m").result(),
        NotImplementedError,
        r"result",
    ),
    "initial state": (
        lambda: metrics.Mean().add_variable((2,), "ones"),
        ValueError,
        r"state starts at zeros",
    ),
    "learning_rate": (
        lambda: optimizers.SGD(learning_rate=-1),
        ValueError,
        r"SGD: expected learning_rate in 0 or greater, received -1",
    ),
    "learning_rate type": (
        lambda: optimizers.SGD(learning_rate="0.1"),
        TypeError,
        r"SGD: expected a number for learning_rate",
    ),
    "learning_rate later": (
        lambda: setattr(optimizers.SGD(), "learning_rate", np.nan),
        ValueError,
        r"learning_rate",
    ),
    "momentum": (
        lambda: optimizers.SGD(momentum=1.5),
        ValueError,
        r"momentum in \[0, 1\], received 1.5",
    ),
    "rho": (lambda: optimizers.RMSprop(rho=2), ValueError, r"rho"),
    "beta_1": (
        lambda: optimizers.Adam(beta_1=1.0),
        ValueError,
        r"beta_1 in \[0, 1\), received 1.0",
    ),
    "epsilon": (lambda: optimizers.Adam(epsilon=-1e-7), ValueError, r"epsilon"),
    "accumulator": (
        lambda: optimizers.Adagrad(initial_accumulator_value=-1),
        ValueError,
        r"initial_accumulator_value",
    ),
    "two clippings": (
        lambda: optimizers.SGD(clipnorm=1.0, clipvalue=1.0),
        ValueError,
        r"only one of clipnorm",
    ),
    "clipnorm": (lambda: optimizers.SGD(clipnorm=-1.0), ValueError, r"clipnorm"),
    "weight_decay": (lambda: optimizers.SGD(weight_decay="a"), TypeError, r"weight_decay"),
    "use_ema": (lambda: optimizers.Adam(use_ema=True), TypeError, r"use_ema"),
    "number of gradients": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(2)] * 2),
        ValueError,
        r"expected 2 gradients",
    ),
    "shape of a gradient": (
        lambda: optimizers.SGD().apply([np.ones(3)], [np.ones(2)]),
        ValueError,
        r"gradient 0 of shape \(2,\)",
    ),
    "dtype of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(2, int)]),
        TypeError,
        r"writable, contiguous float32",
    ),
    "strides of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [np.ones(4)[::2]]),
        TypeError,
        r"contiguous: False",
    ),
    "type of a parameter": (
        lambda: optimizers.SGD().apply([np.ones(2)], [[1.0, 2.0]]),
        TypeError,
        r"received list",
    ),
    "no variables": (
        lambda: optimizers.SGD().apply([np.ones(2)]),
        ValueError,
        r"give the variables in the first call",
    ),
    "lambda hook": (
        lambda: callbacks.LambdaCallback(on_epoch=print),
        TypeError,
        r"there is no hook 'on_epoch'",
    ),
}


@pytest.mark.parametrize("case", ALONE)
def test_alone(case):
    call, error, message = ALONE[case]
    with pytest.raises(error, match=message):
        call()


def test_optimizer_state():
    optimizer = optimizers.Adam()
    w = np.ones(2)
    optimizer.apply([np.ones(2)], [w])
    with pytest.raises(ValueError, match="unknown parameter"):
        optimizer.apply([np.ones(3)], [np.ones(3)])
    before = [v.numpy() for v in optimizer.variables]
    with pytest.raises(ValueError, match="expected arrays of shapes"):
        optimizer.set_weights(before[:-1])
    for a, b in zip(before, optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_early_stopping():
    model = mlp()
    model.compile("sgd", SPARSE, metrics=[losses.sparse_categorical_crossentropy])
    with pytest.warns(UserWarning, match="'val_loss' is not available; available are loss"):
        model.fit(X, Y, verbose=0, callbacks=[callbacks.EarlyStopping()])
    with pytest.warns(UserWarning, match="mode 'best' is unknown"):
        callbacks.EarlyStopping(mode="best")
    stop = callbacks.EarlyStopping("sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match="Pass mode='max' or mode='min'"):
        model.fit(X, Y, verbose=0, callbacks=[stop])


def test_everything_is_public():
    assert models.Model is dlnative.Model
