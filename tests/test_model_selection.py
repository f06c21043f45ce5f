"""fit_many, learning_curve and lr_find: what comes out, for any number of workers."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

import dlnative
from dlnative import Input, Sequential, layers, optimizers, utils
from dlnative.datasets import digits
from dlnative.model_selection import Folds, fit_many, learning_curve, lr_find

RNG = np.random.Generator(np.random.PCG64(0))
X = RNG.standard_normal((90, 4)).astype("float32")
Y = (X[:, :1] * X[:, 1:2] > 0).astype("float32")


def build(units=8, rate=0.01, dropout=0.0):
    net = Sequential(
        [
            Input((4,)),
            layers.Dense(units, activation="relu"),
            layers.Dropout(dropout),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    net.compile(optimizers.Adam(rate), "binary_crossentropy", metrics=["accuracy"])
    return net


def same(a, b):
    assert (a.choice, a.seed, a.fold, a.history, a.score) == (
        b.choice,
        b.seed,
        b.fold,
        b.history,
        b.score,
    )
    for first, second in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(first, second)


def test_results_do_not_depend_on_the_workers_and_are_those_of_fit():
    arguments = {
        "choices": {"units": [4, 8], "dropout": [0.0, 0.5]},
        "seeds": [1, 2],
        "validation_data": (X[:10], Y[:10]),
        "epochs": 3,
        "batch_size": 16,
    }
    one, three = (fit_many(build, X, Y, workers=w, **arguments) for w in (1, 3))
    assert len(one) == 8
    assert [f.choice for f in one[::2]] == [
        {"units": u, "dropout": d} for u in (4, 8) for d in (0.0, 0.5)
    ]
    for a, b in zip(one, three, strict=True):
        same(a, b)
    utils.set_random_seed(2)
    net = build(units=4, dropout=0.5)
    history = net.fit(X, Y, epochs=3, batch_size=16, verbose=0).history
    alone = next(f for f in one if f.choice == {"units": 4, "dropout": 0.5} and f.seed == 2)
    assert alone.history == history
    expected = net.evaluate(X[:10], Y[:10], verbose=0, return_dict=True)
    assert alone.score == expected
    model = alone.make_model()
    assert model.evaluate(X[:10], Y[:10], verbose=0, return_dict=True) == expected
    assert "units" in repr(alone)


def test_random_numbers_go_on_as_if_nothing_had_been():
    def drawn():
        return random.random(), np.random.random(), float(dlnative.random.normal(()))  # noqa: NPY002

    utils.set_random_seed(5)
    expected = drawn()
    utils.set_random_seed(5)
    fit_many(build, X, Y, epochs=1, workers=1)
    fit_many(build, X, Y, epochs=1, seeds=[0, 1], workers=2)
    lr_find(build(), X, Y, steps=20)
    model = build()
    utils.set_random_seed(5)
    lr_find(model, X, Y, steps=20)
    assert drawn() == expected


def test_folds():
    folds = Folds(4, seed=3).split(10)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(10))
    for train, held in folds:
        assert sorted([*train, *held]) == list(range(10))
    assert [list(held) for _, held in Folds(2, shuffle=False).split(5)] == [[0, 1, 2], [3, 4]]
    fits = fit_many(build, X, Y, folds=Folds(3, seed=1), epochs=1, workers=1)
    assert [f.fold for f in fits] == [0, 1, 2]
    train, held = Folds(3, seed=1).split(90)[1]
    utils.set_random_seed(0)
    net = build()
    net.fit(X[train], Y[train], epochs=1, verbose=0)
    assert fits[1].score == net.evaluate(X[held], Y[held], verbose=0, return_dict=True)


def test_nested_data_and_lazily_built_models():
    def lazy():
        net = Sequential([layers.Concatenate(), layers.Dense(1)])
        net.compile("sgd", "mse")
        return net

    fits = fit_many(lazy, [X, X], Y, seeds=[0, 1], epochs=1, workers=2)
    prediction = fits[1].make_model().predict([X[:3], X[:3]], verbose=0)
    assert prediction.shape == (3, 1)


def test_an_error_says_which_choice_it_was():
    def broken(units):
        if units == 3:
            raise ValueError("no 3")
        return build(units)

    for workers in (1, 2):
        with pytest.raises(ValueError, match="no 3") as caught:
            fit_many(broken, X, Y, choices={"units": [2, 3]}, epochs=1, workers=workers)
        if hasattr(caught.value, "__notes__"):
            assert "choice {'units': 3}, seed 0" in caught.value.__notes__[0]


class Unsendable(Exception):
    """Pickled, it is another: it has no such argument."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


def test_errors_that_are_kept_and_results_as_they_come():
    def fails_at(units):
        if units == 3:
            raise Unsendable("one", "two")
        return build(units)

    for workers in (1, 2):
        come = []
        fits = fit_many(
            fails_at,
            X,
            Y,
            choices={"units": [2, 3, 4]},
            epochs=1,
            workers=workers,
            on_error="keep",
            on_result=come.append,
        )
        assert sorted(map(id, come)) == sorted(map(id, fits))
        assert [f.choice["units"] for f in fits] == [2, 3, 4]
        assert [f.error is None for f in fits] == [True, False, True]
        assert "one and two" in str(fits[1].error) and "one and two" in repr(fits[1])
        assert (fits[1].history, fits[1].weights, fits[1].score) == ({}, [], None)
        with pytest.raises(ValueError, match="there are no weights: .*one and two"):
            fits[1].make_model()
        fits[2].forget()
        with pytest.raises(ValueError, match="forget was called"):
            fits[2].make_model()
        with pytest.raises(Exception, match="one and two"):
            fit_many(fails_at, X, Y, choices={"units": [2, 3]}, epochs=1, workers=workers)


def test_a_loss_that_is_not_finite_is_no_error():
    def wild(rate):
        net = Sequential([Input((4,)), layers.Dense(8), layers.Dense(1)])
        net.compile(optimizers.SGD(rate), "mse")
        return net

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = fit_many(wild, X, Y, choices={"rate": [1e20, 0.01]}, epochs=2, workers=2)
    assert [np.isfinite(f.history["loss"][-1]) for f in fits] == [False, True]


def test_arguments_of_fit_that_go_with_a_choice():
    def both(batch_size):
        return build(), {"batch_size": batch_size, "epochs": 2}

    fits = fit_many(both, X, Y, choices={"batch_size": [9, 45]}, epochs=1, workers=2)
    for fit, steps in zip(fits, (10, 2), strict=True):
        assert len(fit.history["loss"]) == 2
        assert int(fit.make_model().optimizer.iterations) == 2 * steps
    for built in (lambda: (build(), 3), lambda: (3, {})):
        with pytest.raises(ValueError, match="compiled model, or one and a dict"):
            fit_many(built, X, Y)
    with pytest.raises(ValueError, match="verbose is 0"):
        fit_many(lambda: (build(), {"verbose": 1}), X, Y)


def test_the_model_goes_on_as_the_one_that_was_trained():
    (fit,) = fit_many(build, X, Y, choices=[{"dropout": 0.5}], seeds=[3], epochs=2)
    utils.set_random_seed(3)
    net = build(dropout=0.5)
    net.fit(X, Y, epochs=2, verbose=0)
    expected = net.fit(X, Y, epochs=2, verbose=0).history
    assert fit.make_model().fit(X, Y, epochs=2, verbose=0).history == expected


INTERRUPTED = """
import os, signal, sys, time, numpy as np
from dlnative import Input, Sequential, layers
from dlnative.model_selection import fit_many

def build(epochs):
    os.write(2, f"{os.getpid()}\\n".encode())
    net = Sequential([Input((4,)), layers.Dense(1)])
    net.compile("sgd", "mse")
    return net, {"epochs": epochs}

x, y = np.ones((64, 4)), np.ones((64, 1))
try:
    fit_many(build, x, y, choices={"epochs": [1, 10**9, 10**9]}, workers=2,
             on_result=lambda fit: print(len(fit.history["loss"]), flush=True))
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("whole_group", [True, False])
def test_workers_end_with_their_parent(number, whole_group):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    workers = {int(process.stderr.readline()) for _ in range(3)}
    assert process.stdout.readline() == "1\n"
    if number == signal.SIGKILL or not whole_group:
        process.send_signal(number)
    else:  # as a terminal does
        os.killpg(process.pid, number)
    out, err = process.communicate(timeout=60)  # the workers have these pipes, too
    assert out == ("interrupted\n" if number == signal.SIGINT else "")
    assert err == ""
    for worker in workers:
        for _ in range(100):
            if not is_running(worker):
                break
            time.sleep(0.1)
        assert not is_running(worker)


def is_running(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_worker_that_is_killed():
    parent = os.getpid()

    def dies(units):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return build(units)

    with pytest.raises(RuntimeError, match="a worker process has ended"):
        fit_many(dies, X, Y, choices={"units": [2, 3]}, epochs=1, workers=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"seeds": []}, "nothing to train"),
        ({"choices": {"units": []}}, "nothing to train"),
        ({"choices": {"units": 3}}, "expected a list of values for 'units'"),
        ({"choices": {"units": "ab"}}, "expected a list of values for 'units'"),
        ({"folds": 1}, "2 or more folds"),
        ({"folds": 91}, "91 rows or more"),
        ({"folds": 2, "validation_data": (X, Y)}, "folds or validation_data"),
        ({"workers": 0}, "1 worker or more"),
        ({"workers": True}, "1 worker or more"),
        ({"verbose": 1}, "verbose is 0"),
        ({"on_error": "skip"}, 'expected on_error "raise" or "keep", received \'skip\''),
        ({"y": Y[:5]}, "arrays of one length"),
        ({"build": lambda: Sequential([layers.Dense(1)])}, "a compiled model"),
    ],
)
def test_bad_arguments(arguments, message):
    given = {"build": build, "x": X, "y": Y, "epochs": 1, **arguments}
    with pytest.raises(ValueError, match=message):
        fit_many(given.pop("build"), given.pop("x"), given.pop("y"), **given)


def test_learning_curve(tmp_path):
    curve = learning_curve(
        build,
        X,
        Y,
        validation_data=(X[:20], Y[:20]),
        sizes=[0.1, 30, 1.0],
        seeds=[0, 1],
        workers=2,
        epochs=2,
    )
    assert curve.sizes == [9, 30, 90]
    assert curve.test["accuracy"].shape == (3, 2)
    assert set(curve.train) == {"accuracy", "loss"}
    rows = np.sort(np.random.default_rng(1).permutation(90)[:30])
    utils.set_random_seed(1)
    net = build()
    net.fit(X[rows], Y[rows], epochs=2, verbose=0)
    assert curve.test["loss"][1, 1] == net.evaluate(X[:20], Y[:20], verbose=0)[0]
    pytest.importorskip("matplotlib")
    curve.plot(tmp_path / "curve.png", "accuracy")
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="expected one of"):
        curve.plot(tmp_path / "curve.png", "recall")
    for size in (0, 91, 1.5, 0.0, "a", True):
        with pytest.raises(ValueError, match="expected sizes from 1 to 90"):
            learning_curve(build, X, Y, validation_data=(X, Y), sizes=[size])


def dense(optimizer):
    net = Sequential(
        [Input((8, 8)), layers.Flatten(), layers.Rescaling(1 / 16), layers.Dense(32, "relu")]
    )
    net.add(layers.Dense(10))
    net.compile(optimizer, dlnative.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net


def convolutional(optimizer):
    net = Sequential([Input((8, 8)), layers.Reshape((8, 8, 1)), layers.Rescaling(1 / 16)])
    for layer in (layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.Flatten()):
        net.add(layer)
    net.add(layers.Dense(10))
    net.compile(optimizer, dlnative.losses.SparseCategoricalCrossentropy(from_logits=True))
    return net


def regression(optimizer):
    net = Sequential([Input((8,)), layers.Dense(32, activation="tanh"), layers.Dense(1)])
    net.compile(optimizer, "mse")
    return net


def binary(optimizer):
    net = Sequential([Input((8,)), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")])
    net.compile(optimizer, "binary_crossentropy")
    return net


@pytest.mark.parametrize("make", [dense, convolutional, regression, binary])
@pytest.mark.parametrize("optimizer", [optimizers.SGD, optimizers.Adam])
def test_the_suggestion_is_near_the_best_rate_of_a_sweep(make, optimizer):
    table = np.random.Generator(np.random.PCG64(0)).standard_normal((1000, 8)).astype("float32")
    if make in (dense, convolutional):
        (x, y), _ = digits.load_data()
    elif make is regression:
        x, y = table, np.sin(2 * table[:, :1]) + 0.5 * table[:, 1:2]
    else:
        x, y = table, (table[:, :1] * table[:, 1:2] > 0).astype("float32")
    utils.set_random_seed(0)
    suggestion = lr_find(make(optimizer(0.01)), x, y, steps=150).suggestion
    rates = np.geomspace(1e-4, 10, 20)
    losses = []
    for rate in rates:
        utils.set_random_seed(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it diverges
            history = make(optimizer(rate)).fit(x, y, epochs=5, verbose=0)
        losses.append(history.history["loss"][-1])
    best = rates[np.nanargmin(losses)]
    assert best / 3 <= suggestion <= best * 3, (suggestion, best)


def test_the_model_stays_as_it_is(tmp_path):
    net = build()
    net.fit(X, Y, epochs=1, verbose=0)
    weights, state = net.get_weights(), [v.numpy() for v in net.optimizer.variables]
    curve = lr_find(net, X, Y, min_lr=1e-4, max_lr=1.0, steps=30, batch_size=8)
    for before, after in zip(weights, net.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    for before, variable in zip(state, net.optimizer.variables, strict=True):
        np.testing.assert_array_equal(before, variable.numpy())
    np.testing.assert_allclose(curve.rates, np.geomspace(1e-4, 1.0, 30)[: len(curve.rates)])
    assert curve.losses.shape == curve.smoothed.shape == curve.rates.shape
    pytest.importorskip("matplotlib")
    curve.plot(tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_the_losses_are_those_of_the_batches():
    """With rates that change nothing, each is the loss of its batch alone."""
    net = build()
    curve = lr_find(net, X, Y, min_lr=1e-30, max_lr=1e-29, steps=10, batch_size=9, shuffle=False)
    expected = [net.evaluate(X[i : i + 9], Y[i : i + 9], verbose=0)[0] for i in range(0, 90, 9)]
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-5)


def test_a_schedule_gives_way_to_the_rates():
    net = build(rate=optimizers.schedules.ExponentialDecay(0.1, 10, 0.9))
    assert len(lr_find(net, X, Y, steps=20, max_lr=0.1).rates) == 20
    assert isinstance(net.optimizer._learning_rate, optimizers.schedules.ExponentialDecay)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_lr": 0}, "expected min_lr to be a positive number"),
        ({"max_lr": np.inf}, "expected max_lr to be a positive number"),
        ({"min_lr": 1.0, "max_lr": 0.1}, "min_lr below max_lr"),
        ({"steps": 5}, "10 steps or more"),
        ({"epochs": 3}, "no meaning in a range test"),
        ({"min_lr": 1e30, "max_lr": 1e35}, "begin with a smaller min_lr"),
    ],
)
def test_bad_range_tests(options, message):
    with pytest.raises(ValueError, match=message):
        lr_find(build(), X * 1e10, Y, **options)


def test_models_that_have_no_rate():
    net = Sequential([Input((4,)), layers.Dense(1)])
    with pytest.raises(ValueError, match="compiled to train"):
        lr_find(net, X, Y)
    net.compile(optimizers.LBFGS(), "mse")
    with pytest.raises(ValueError, match="line search"):
        lr_find(net, X, Y)
