"""Bad data and arguments of fit: the error says what was expected, the model is as it was."""

from __future__ import annotations

import numpy as np
import pytest
from bad_input_models import ONE_HOT, SPARSE, X, Y, labels_with, mlp, with_value

import dlnative
from dlnative import callbacks, layers

# --- data: (arguments of fit, the error, a part of its message) -----------------------------------

DATA = {
    "None for x": ({"x": None}, ValueError, r"x: expected an array, received None"),
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
    "class_weight values": (
        {"class_weight": {0: "a"}},
        TypeError,
        r"the weight of class 0 to be a number, received 'a'",
    ),
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


@pytest.mark.filterwarnings("ignore:fit. the loss is nan:RuntimeWarning")
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
