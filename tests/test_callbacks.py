"""Callbacks: the order of hooks and their logs are Keras's; stopping; what is shown."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest

import dlnative
from dlnative import callbacks

HOOKS = callbacks.lambda_callback.HOOKS


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


@pytest.mark.filterwarnings("ignore:fit. the loss is nan:RuntimeWarning")
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


@pytest.mark.parametrize("hook", ["on_epoch_end", "on_test_begin"])
def test_a_hook_that_is_no_function(hook):
    with pytest.raises(TypeError, match=f"expected {hook} to be a function, received 3"):
        callbacks.LambdaCallback(**{hook: 3})


@pytest.mark.parametrize("result", [None, {"a": 1.0, "b": None}, np.array(["a", "b"]), "high"])
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
