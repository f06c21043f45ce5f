"""fit, step by step: against Keras with the same weights and data, and on both engines."""

from __future__ import annotations

import functools
import warnings

import numpy as np
import pytest
from small_training import classes, mlp

import dlnative


def as_ours(ours, theirs):
    """Gives the weights of one model to another."""
    theirs.set_weights(ours.get_weights())
    return theirs


# --- Keras's numbers ------------------------------------------------------------------------------

CASES = {
    "sparse": ("sparse_categorical_crossentropy", "softmax", 3, lambda y: y),
    "sparse column": ("sparse_categorical_crossentropy", "softmax", 3, lambda y: y[:, None]),
    "one-hot": ("categorical_crossentropy", "softmax", 3, lambda y: np.eye(3, dtype="float32")[y]),
    "binary": ("binary_crossentropy", "sigmoid", 1, lambda y: (y > 0).astype("float32")),
    "binary column": (
        "binary_crossentropy",
        "sigmoid",
        1,
        lambda y: (y > 0)[:, None].astype("float32"),
    ),
    "regression": ("mse", None, 1, lambda y: y.astype("float32") - 1),
    "absolute": ("mean_absolute_error", "tanh", 2, lambda y: np.stack([y, -y], 1) / 2.0),
}


@pytest.mark.parametrize(
    ("case", "optimizer"), list(zip(CASES, ["adam", "rmsprop", "adagrad", "sgd"] * 2, strict=False))
)
def test_fit_as_keras(keras, rng, case, optimizer):
    """Same weights, same data, same order: the same losses and metrics, epoch by epoch."""
    loss, activation, outputs, encode = CASES[case]
    x, y = classes(rng)
    y = encode(y)
    results = []
    ours = mlp(dlnative, outputs, activation)
    for model, library in (
        (ours, dlnative),
        (as_ours(ours, mlp(keras, outputs, activation)), keras),
    ):
        metrics = ["mse"] if loss == "mse" or loss.startswith("mean") else ["accuracy"]
        model.compile(library.optimizers.get(optimizer), loss, metrics=metrics)
        history = model.fit(
            x, y, batch_size=8, epochs=4, shuffle=False, verbose=0, validation_split=0.25
        ).history
        results.append(history)
        results.append(dict(zip("abc", model.evaluate(x, y, verbose=0), strict=False)))
        results.append({"predictions": model.predict(x, verbose=0)})
    for a, b in zip(results[:3], results[3:], strict=True):
        assert list(a) == list(b)
        for name in a:
            np.testing.assert_allclose(a[name], b[name], rtol=2e-4, atol=2e-5, err_msg=name)


def test_weights_and_penalties_as_keras(keras, rng):
    x, y = classes(rng, 21)
    weight = rng.uniform(0, 3, 21)
    results = []
    ours = mlp(regularizer=dlnative.regularizers.L2(0.05))
    other = as_ours(ours, mlp(keras, regularizer=keras.regularizers.L2(0.05)))
    for model in (ours, other):
        model.compile(
            "sgd",
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["accuracy"],
        )
        options = {"batch_size": 8, "shuffle": False, "verbose": 0, "epochs": 3}
        first = model.fit(
            x, y, sample_weight=weight, validation_data=(x, y, weight[::-1]), **options
        ).history
        second = model.fit(
            x, y, class_weight={0: 3.0, 2: 0.25}, validation_split=0.3, **options
        ).history
        on_batch = model.train_on_batch(x, y, sample_weight=weight, return_dict=True)
        results.append({**first, **{f"{k}2": v for k, v in second.items()}, **on_batch})
    assert sorted(results[0]) == sorted(results[1])
    for name in results[0]:
        np.testing.assert_allclose(results[0][name], results[1][name], rtol=1e-4, err_msg=name)


def branches(library):
    """Two inputs, two outputs."""
    a, b = library.Input((3,), name="a"), library.Input((2,), name="b")
    h = library.layers.Concatenate()([library.layers.Dense(4, activation="tanh")(a), b])
    left = library.layers.Dense(1, name="left")(h)
    right = library.layers.Dense(3, activation="softmax", name="right")(h)
    return library.Model([a, b], [left, right])


MULTIPLE = [
    {"loss": ["mse", "sparse_categorical_crossentropy"]},
    {
        "loss": {"left": "mse", "right": "sparse_categorical_crossentropy"},
        "loss_weights": {"left": 0.3, "right": 2.0},
    },
    {"loss": ["mse", "sparse_categorical_crossentropy"], "loss_weights": [0.5, 3.0]},
    {
        "loss": {"left": "mae", "right": "sparse_categorical_crossentropy"},
        "metrics": {"left": ["mse", "mae"], "right": ["accuracy"]},
    },
    {
        "loss": ["mse", "sparse_categorical_crossentropy"],
        "metrics": [["mae"], ["accuracy", "sparse_categorical_crossentropy"]],
        "weighted_metrics": [["mae"], ["accuracy"]],
    },
]


@pytest.mark.parametrize("options", MULTIPLE)
@pytest.mark.parametrize("form", ["lists", "dicts"])
def test_several_inputs_and_outputs_as_keras(keras, rng, options, form):
    a, b = rng.normal(size=(19, 3)).astype("float32"), rng.normal(size=(19, 2)).astype("float32")
    left, right = rng.normal(size=(19, 1)).astype("float32"), rng.integers(0, 3, 19)
    weight = rng.uniform(0, 2, 19).astype("float32")
    x, y = (
        ([a, b], [left, right])
        if form == "lists"
        else ({"a": a, "b": b}, {"left": left, "right": right})
    )
    if form == "dicts" and isinstance(options["loss"], list):
        y = [left, right]
    results = []
    ours = branches(dlnative)
    for model in (ours, as_ours(ours, branches(keras))):
        model.compile("sgd", **options)
        weighted = {"sample_weight": [weight, weight]} if "weighted_metrics" in options else {}
        history = model.fit(
            x,
            y,
            batch_size=8,
            epochs=2,
            shuffle=False,
            verbose=0,
            validation_data=(x, y),
            **weighted,
        ).history
        results.append((history, model.evaluate(x, y, verbose=0), model.predict(x, verbose=0)))
    (ours_history, ours_values, ours_out), (history, values, out) = results
    assert list(ours_history) == list(history)
    for name in history:
        np.testing.assert_allclose(
            ours_history[name], history[name], rtol=1e-4, atol=1e-6, err_msg=name
        )
    np.testing.assert_allclose(ours_values, values, rtol=1e-4, atol=1e-6)
    for one, other in zip(ours_out, out, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_crossentropy_by_the_shapes(keras, rng):
    x, y = classes(rng, 12)
    for labels, outputs, activation in (
        (y, 3, "softmax"),
        (np.eye(3)[y], 3, "softmax"),
        (y > 1, 1, "sigmoid"),
    ):
        ours = mlp(dlnative, outputs, activation)
        values = []
        for model in (ours, as_ours(ours, mlp(keras, outputs, activation))):
            model.compile("sgd", "crossentropy", metrics=["acc"])
            values.append(model.evaluate(x, np.asarray(labels, "float32"), verbose=0))
        np.testing.assert_allclose(*values, rtol=1e-5)


@pytest.mark.parametrize("steps", [2, 3, 7])
def test_steps_per_epoch_as_keras(keras, rng, steps):
    x, y = classes(rng, 23)
    results = []
    ours = mlp()
    for model in (ours, as_ours(ours, mlp(keras))):
        model.compile("sgd", "sparse_categorical_crossentropy")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            history = model.fit(
                x,
                y,
                batch_size=4,
                epochs=4,
                steps_per_epoch=steps,
                shuffle=False,
                verbose=0,
                validation_data=(x, y),
                validation_steps=2,
            ).history
        results.append((history, len(caught) > 0))
    assert results[0][1] == results[1][1]
    for name in results[0][0]:
        np.testing.assert_allclose(
            results[0][0][name], results[1][0][name], rtol=1e-4, err_msg=name
        )


# --- the two engines ------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("case", ["sparse", "binary", "regression"])
def test_both_engines_train_alike(rng, case, optimizer):
    """A whole training run of C++ follows the oracle, step by step."""
    pytest.importorskip("dlnative._core")
    loss, activation, outputs, encode = CASES[case]
    x, y = classes(rng)
    y = encode(y)
    runs = []
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            dlnative.utils.set_random_seed(11)
            model = mlp(dlnative, outputs, activation)
            model.compile(optimizer, loss)
            losses = []
            note = dlnative.callbacks.LambdaCallback(
                on_train_batch_end=lambda batch, logs, losses=losses: losses.append(logs["loss"])
            )
            model.fit(x, y, batch_size=7, epochs=5, verbose=0, callbacks=[note])
            runs.append(losses)
    np.testing.assert_allclose(*runs, rtol=2e-5)


def test_names_of_functions_in_logs_are_those_of_keras(keras):
    """Lambdas, functions in camel case, partial functions and objects that can be called."""

    def squaredError(y_true, y_pred):
        return (y_true - y_pred) ** 2

    class OwnError:
        def __call__(self, y_true, y_pred):
            return (y_true - y_pred) ** 2

    functions = [
        lambda y, p: (y - p) ** 2,
        lambda y, p: abs(y - p),
        squaredError,
        functools.partial(squaredError),
        OwnError(),
    ]
    names = []
    for library in (dlnative, keras):
        x = library.Input((2,))
        heads = [library.layers.Dense(1, name=name)(x) for name in "ab"]
        unnamed = library.Model(x, heads[0])
        unnamed.compile("sgd", functions[0], metrics=functions)
        named = library.Model(x, heads)
        named.compile("sgd", [functions[0], functions[2]], metrics=[functions, functions[:1]])
        for model, y in ((unnamed, np.zeros((4, 1))), (named, [np.zeros((4, 1))] * 2)):
            fitted = model.fit(np.ones((4, 2)), y, verbose=0)
            names.append(list(fitted.history))
            names.append([metric.name for metric in model.metrics])
    half = len(names) // 2
    assert names[:half] == names[half:]
    assert "lambda" in names[0] and "a_lambda_1" in names[2]
