"""Callbacks: the order of hooks and their logs are Keras's; stopping; what is shown."""

from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import pytest

import dlnative
from dlnative import callbacks, layers

HOOKS = callbacks.lambda_callback.HOOKS


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def make_model(library=dlnative, learning_rate=0.1, metrics=("mae",)):
    model = library.Sequential(
        [library.layers.Input((3,)), library.layers.Dense(1, kernel_initializer="ones")]
    )
    model.compile(library.optimizers.SGD(learning_rate=learning_rate), "mse", metrics=list(metrics))
    return model


@pytest.fixture
def data(rng):
    x = rng.normal(size=(10, 3)).astype("float32")
    return x, x.sum(axis=1, keepdims=True) * 0.5


def recorder(library, calls, hooks=HOOKS):
    """A callback that notes every hook with its number and the names in its logs."""

    def method(hook):
        def record(self, *args, logs=None):
            *number, logs = args if logs is None and args else (*args, logs)
            logs = {k: v for k, v in (logs or {}).items() if k != "outputs"}
            calls.append((hook, *number, sorted(logs)))

        return record

    return type("Recorder", (library.callbacks.Callback,), {hook: method(hook) for hook in hooks})()


EXPECTED_FIT = """\
on_train_begin
on_epoch_begin 0
on_train_batch_begin 0
on_train_batch_end 0 loss mae
on_train_batch_begin 1
on_train_batch_end 1 loss mae
on_train_batch_begin 2
on_train_batch_end 2 loss mae
on_test_begin
on_test_batch_begin 0
on_test_batch_end 0 loss mae
on_test_end loss mae
on_epoch_end 0 loss mae val_loss val_mae
on_train_end loss mae val_loss val_mae
"""


def as_text(calls):
    return "".join(" ".join([c[0], *map(str, c[1:-1]), *c[-1]]) + "\n" for c in calls)


def test_order_of_hooks(data):
    calls = []
    make_model().fit(
        *data,
        batch_size=4,
        verbose=0,
        validation_data=(data[0][:3], data[1][:3]),
        callbacks=[
            recorder(
                dlnative, calls, [h for h in HOOKS if h not in ("on_batch_begin", "on_batch_end")]
            )
        ],
    )
    assert as_text(calls) == EXPECTED_FIT


def run_everything(library, data, calls):
    model = make_model(library)
    options = {"verbose": 0, "callbacks": [recorder(library, calls)]}
    model.fit(*data, batch_size=4, epochs=2, validation_split=0.3, **options)
    model.evaluate(*data, batch_size=4, **options)
    model.predict(data[0], batch_size=4, **options)


def test_order_and_logs_as_keras(keras, data):
    ours, theirs = [], []
    run_everything(dlnative, data, ours)
    run_everything(keras, data, theirs)
    assert as_text(ours) == as_text(theirs)


def test_steps_per_execution_as_keras(keras, data):
    results = []
    for library in (dlnative, keras):
        calls = []
        model = make_model(library)
        model.compile("sgd", "mse", metrics=["mae"], steps_per_execution=2)
        model.fit(*data, batch_size=3, verbose=0, callbacks=[recorder(library, calls)])
        results.append(as_text(calls))
    assert results[0] == results[1]


def test_logs_of_batches_are_means_so_far(data):
    model = make_model(learning_rate=0.0)
    losses = []
    record = callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: losses.append(logs["loss"])
    )
    model.fit(*data, batch_size=4, shuffle=False, verbose=0, callbacks=[record])
    error = (model.predict(data[0], verbose=0) - data[1]) ** 2
    np.testing.assert_allclose(
        losses, [error[:4].mean(), error[:8].mean(), error.mean()], rtol=1e-5
    )


def test_batch_hooks_do_not_change_training(data):
    weights = []
    for extra in ([], [callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None)]):
        dlnative.utils.set_random_seed(1)
        model = make_model()
        model.fit(*data, batch_size=4, epochs=3, verbose=0, callbacks=extra)
        weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_stop_within_an_epoch(data):
    model = make_model()

    class Stop(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    history = model.fit(*data, batch_size=2, epochs=5, verbose=0, callbacks=[Stop()])
    assert model.optimizer.iterations == 2
    assert len(history.history["loss"]) == 1


def test_history(data):
    model = make_model()
    history = model.fit(*data, epochs=3, batch_size=5, verbose=0)
    assert history is model.history
    assert history.epoch == [0, 1, 2]
    assert list(history.history) == ["loss", "mae"]
    assert all(type(v) is float for v in history.history["loss"])
    assert history.params["epochs"] == 3
    assert history.params["steps"] == 2


def test_callbacks_see_what_others_add_to_the_logs(data):
    def add(epoch, logs):
        logs["extra"] = epoch

    history = make_model().fit(
        *data, epochs=2, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_end=add)]
    )
    assert history.history["extra"] == [0, 1]


def test_learning_rate_may_change_between_epochs(data):
    model = make_model()

    def halve(epoch, logs):
        model.optimizer.learning_rate = model.optimizer.learning_rate / 2

    model.fit(
        *data, epochs=3, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=halve)]
    )
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1 / 8)


# --- EarlyStopping --------------------------------------------------------------------------------


class FakeModel:
    """What EarlyStopping needs of a model: weights that say which epoch it is."""

    def __init__(self, library=None):
        self.stop_training = False
        self.weights = -1
        self.metrics = []

    def get_weights(self):
        return self.weights

    def set_weights(self, weights):
        self.weights = weights

    def metric_direction(self, name):
        return {"loss": "down", "accuracy": "up"}.get(name)


def stop_epoch(stopping, values, name="val_loss"):
    """(number of epochs that were run, the weights at the end)."""
    model = FakeModel()
    stopping.set_model(model)
    stopping.on_train_begin()
    epochs = 0
    for epoch, value in enumerate(values):
        model.weights = epoch
        epochs += 1
        stopping.on_epoch_end(epoch, {name: value})
        if model.stop_training:
            break
    stopping.on_train_end()
    return epochs, model.weights


STOPPING = [
    ({}, [1.0, 0.5, 0.6, 0.1]),
    ({"patience": 2}, [1.0, 0.5, 0.6, 0.7, 0.1]),
    ({"patience": 2, "restore_best_weights": True}, [1.0, 0.5, 0.6, 0.7, 0.1]),
    ({"patience": 1, "min_delta": 0.2}, [1.0, 0.9, 0.85, 0.1]),
    ({"patience": 2, "mode": "max"}, [1.0, 0.5, 0.6, 2.0, 1.0, 1.0, 1.0]),
    ({"patience": 2, "baseline": 0.5}, [1.0, 0.9, 0.8, 0.4, 0.3]),
    ({"patience": 2, "baseline": 0.5, "restore_best_weights": True}, [1.0, 0.8, 0.9, 0.4]),
    ({"patience": 1, "start_from_epoch": 3}, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
    ({"patience": 0}, [1.0, 1.0, 1.0]),
    ({"patience": 1}, [float("nan"), 1.0, float("nan"), 0.5]),
    ({"patience": 3, "restore_best_weights": True}, [5.0, 4.0, 3.0]),
]


@pytest.mark.parametrize(("options", "values"), STOPPING)
def test_early_stopping_as_keras(keras, options, values):
    ours = stop_epoch(callbacks.EarlyStopping(**options), values)
    assert ours == stop_epoch(keras.callbacks.EarlyStopping(**options), values)


def test_early_stopping(data):
    model = make_model(learning_rate=0.0)
    stop = callbacks.EarlyStopping(monitor="loss", patience=2)
    assert len(model.fit(*data, epochs=9, shuffle=False, verbose=0, callbacks=[stop]).epoch) == 3
    assert stop.stopped_epoch == 2


def test_early_stopping_restores_the_best_weights(data):
    model = make_model(learning_rate=0.0)
    steps = [0.0, 0.1, -0.5, -0.5]

    def move(epoch, logs):
        model.optimizer.learning_rate = 0.0
        model.layers[0].kernel.assign(np.full((3, 1), 0.5 + steps[epoch]))

    stop = callbacks.EarlyStopping("loss", patience=3, restore_best_weights=True)
    model.fit(
        *data, epochs=4, verbose=0, callbacks=[callbacks.LambdaCallback(on_epoch_begin=move), stop]
    )
    assert stop.best_epoch == 0
    np.testing.assert_array_equal(model.layers[0].kernel.numpy(), 0.5)


def test_early_stopping_says_what_it_does(data, capsys):
    model = make_model(learning_rate=0.0)
    stop = callbacks.EarlyStopping("loss", verbose=1, restore_best_weights=True)
    model.fit(*data, epochs=5, verbose=0, callbacks=[stop])
    text = capsys.readouterr().out
    assert "Epoch 2: early stopping" in text
    assert "best epoch: 1" in text


def test_early_stopping_by_an_accuracy(rng):
    model = dlnative.Sequential([layers.Input((2,)), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    stop = callbacks.EarlyStopping("val_accuracy", patience=1)
    model.fit(
        rng.normal(size=(8, 2)),
        rng.integers(0, 3, 8),
        validation_split=0.5,
        verbose=0,
        callbacks=[stop],
    )
    assert stop._better(1.0, 0.5)


def test_terminate_on_nan(data, capsys):
    model = make_model()
    x, y = data
    x = x.copy()
    x[7] = np.nan
    history = model.fit(
        x,
        y,
        batch_size=2,
        shuffle=False,
        epochs=5,
        verbose=0,
        check_finite=False,
        callbacks=[callbacks.TerminateOnNaN()],
    )
    assert model.optimizer.iterations == 4
    assert np.isnan(history.history["loss"][0])
    assert "Batch 3: Invalid loss" in capsys.readouterr().out
    with pytest.raises(RuntimeError, match="after batch 0"):
        model.fit(
            x,
            y,
            verbose=0,
            check_finite=False,
            callbacks=[callbacks.TerminateOnNaN(raise_error=True)],
        )


# --- what is shown --------------------------------------------------------------------------------


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(monkeypatch, data, stream=None, **options):
    stream = stream if stream is not None else io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    make_model().fit(*data, **options)
    monkeypatch.undo()
    return stream.getvalue()


def test_nothing(monkeypatch, data):
    assert shown(monkeypatch, data, verbose=0, epochs=2) == ""


@pytest.mark.parametrize("verbose", [1, 2, "auto"])
def test_a_file_gets_one_line_per_epoch(monkeypatch, data, verbose):
    text = shown(monkeypatch, data, verbose=verbose, epochs=3, validation_split=0.5)
    assert "\r" not in text
    lines = text.splitlines()
    assert [line.split(" - ")[0] for line in lines] == ["Epoch 1/3", "Epoch 2/3", "Epoch 3/3"]
    for part in ("samples/s", "loss: ", "mae: ", "val_loss: "):
        assert part in lines[0]


@pytest.mark.parametrize("notebook", [False, True])
def test_a_terminal_gets_a_bar(monkeypatch, data, notebook):
    """And a notebook without ipywidgets, too."""
    if notebook:
        pytest.importorskip("tqdm.notebook")
        monkeypatch.setattr(callbacks.progress, "_in_notebook", lambda: True)
        monkeypatch.setattr("tqdm.notebook.IProgress", None, raising=False)
    x = np.repeat(data[0], 3000, axis=0)
    y = np.repeat(data[1], 3000, axis=0)
    progress = callbacks.ProgbarLogger()
    progress.delay = 0.0
    stream = Terminal()
    text = shown(monkeypatch, (x, y), stream, verbose=1, batch_size=1000, callbacks=[progress])
    assert "\r" in text
    assert "Epoch 1/1" in text
    assert "samples/s" in text
    assert text.rstrip("\n").rsplit("\n", 1)[-1].rsplit("\r", 1)[-1].startswith("Epoch 1/1 - ")
    assert progress._bar is None


def test_a_short_run_does_not_import_tqdm():
    import subprocess

    code = (
        "import sys, numpy as np, dlnative as k\n"
        "m = k.Sequential([k.Input((2,)), k.layers.Dense(1)])\n"
        "m.compile('sgd', 'mse')\n"
        "m.fit(np.zeros((10, 2)), np.zeros(10))\n"
        "assert 'tqdm' not in sys.modules\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("Epoch 1/1")


def test_predict_shows_nothing_by_itself(monkeypatch, data, capsys):
    model = make_model()
    model.predict(data[0])
    assert capsys.readouterr().out == ""
    model.predict(data[0], verbose=1)
    assert capsys.readouterr().out.startswith("Predict - ")
    model.evaluate(*data, verbose=0)
    assert capsys.readouterr().out == ""
    model.evaluate(*data)
    assert "mae: " in capsys.readouterr().out


def test_numbers():
    from dlnative.callbacks.progress import format_number, format_seconds

    assert format_number(0.97126) == "0.9713"
    assert format_number(0.0) == "0.0000"
    assert format_number(0.00012345) == "1.2345e-04"
    assert format_seconds(0.0123) == "12ms"
    assert format_seconds(1.26) == "1.3s"
    assert format_seconds(185) == "3m05s"


# --- what fit can know before the first step ------------------------------------------------------


def refused(data, match, stop, error=ValueError, before=(), **options):
    """`fit` raises, and the weights are as they were."""
    model = make_model()
    weights = model.get_weights()
    with pytest.raises(error, match=match):
        model.fit(*data, verbose=0, callbacks=[*before, stop], **options)
    np.testing.assert_array_equal(model.get_weights()[0], weights[0])
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_monitor_that_will_not_be_there(data, mode):
    stop = callbacks.EarlyStopping("nope", mode=mode)
    refused(data, "'nope' is not in the logs of this model, which have loss, mae", stop)
    refused(data, "val_loss, val_mae", stop, validation_split=0.5)


def test_a_monitor_of_unknown_direction(data):
    stop = callbacks.EarlyStopping("nope")
    refused(data, "not known whether 'nope' is better", stop)
    # Whatever another callback puts into the logs, there is no direction.
    refused(data, "not known whether 'nope' is better", stop, before=[callbacks.Callback()])


def test_a_monitor_of_a_validation_that_is_not_there(data):
    for stop in (callbacks.EarlyStopping(), callbacks.EarlyStopping("val_mae")):
        refused(data, "Pass validation_data or validation_split", stop)
    stop = callbacks.EarlyStopping("val_mae", patience=5)
    assert make_model().fit(*data, validation_split=0.5, verbose=0, callbacks=[stop]).epoch == [0]


def test_a_callback_may_put_the_monitor_into_the_logs(data):
    class Adds(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["mine"] = 1.0

    def add(epoch, logs):
        logs["mine"] = 1.0

    for before in (Adds(), callbacks.LambdaCallback(on_epoch_end=add)):
        stop = callbacks.EarlyStopping("mine", mode="min", patience=2)
        history = make_model().fit(*data, epochs=9, verbose=0, callbacks=[before, stop])
        assert len(history.epoch) == 3
    stop = callbacks.EarlyStopping("mine", mode="min")
    model = make_model()
    with pytest.raises(ValueError, match="'mine' is not in the logs"):  # it would come too late
        model.fit(*data, verbose=0, callbacks=[stop, Adds()])


def test_a_monitor_of_ones_own(data):
    class Own(callbacks.EarlyStopping):
        def get_monitor_value(self, logs):
            return 1.0

    stop = Own("mine", mode="min", patience=1)
    assert len(make_model().fit(*data, epochs=5, verbose=0, callbacks=[stop]).epoch) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"monitor": None},
        {"patience": "3"},
        {"patience": None},
        {"patience": float("nan")},
        {"min_delta": "0.1"},
        {"baseline": "0.1"},
        {"start_from_epoch": [1]},
    ],
)
def test_arguments_of_early_stopping(options):
    with pytest.raises(TypeError, match=f"EarlyStopping: expected {next(iter(options))} to be"):
        callbacks.EarlyStopping(**options)


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_test_begin"])
def test_a_hook_that_is_no_function(hook):
    with pytest.raises(TypeError, match=f"expected {hook} to be a function, received 3"):
        callbacks.LambdaCallback(**{hook: 3})


@pytest.mark.parametrize("result", [None, {"a": 1.0}, np.ones(2), "high"])
def test_a_metric_whose_result_is_no_number(data, result):
    class Mine(dlnative.metrics.Mean):
        def update_state(self, y_true, y_pred, sample_weight=None):
            super().update_state(y_pred)

        def result(self):
            return result

    model = make_model()
    model.compile("sgd", "mse", metrics=[Mine(name="mine")])
    before = model.get_weights()
    with pytest.raises(TypeError, match=r"metric 'mine': expected result\(\) to return a number"):
        model.fit(*data, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
