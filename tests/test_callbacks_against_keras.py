"""ReduceLROnPlateau, CSVLogger and SwapEMAWeights beside those of real Keras."""

from __future__ import annotations

import copy
import csv
import pickle
import warnings

import numpy as np
import pytest

import dlnative
from dlnative import callbacks

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(12, 1)).astype("float32")
WEIGHTS = [np.random.default_rng(2).normal(size=(3, 1)).astype("float32"), np.zeros(1, "float32")]


def make(library, rate=0.1, **options):
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
    model.set_weights(WEIGHTS)
    model.compile(library.optimizers.SGD(rate, **options), "mse", metrics=["mae"])
    return model


def fit(model, used, **options):
    given = {"epochs": 4, "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=used, **given)


def showing(library, values, name="val_loss"):
    """A callback that puts given numbers into the logs of epochs."""

    class Show(library.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs[name] = values[epoch]

    return Show()


# --- ReduceLROnPlateau ----------------------------------------------------------------------------

VALUES = [1.0, 0.9, 0.95, 0.9, 0.9, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, float("nan"), 0.1, 0.1, 0.1]
REDUCING = [
    {"patience": 2},
    {"patience": 1, "factor": 0.5, "cooldown": 2},
    {"patience": 0, "factor": 0.5},
    {"patience": 1, "cooldown": 1, "min_lr": 0.004},
    {"patience": 2, "mode": "max", "factor": 0.3},
    {"patience": 1, "min_delta": 0.2},
    {"patience": 2, "min_delta": 0.2, "mode": "max", "factor": 0.7},
    {"patience": 1, "min_delta": -0.2, "cooldown": 3},
    {"patience": 1, "factor": 0.0},
    {"patience": 1, "min_lr": 0.5},
    {},
]


@pytest.mark.parametrize("options", REDUCING)
def test_rates_are_those_of_keras(keras, options):
    rates, ends = [], []
    for library in (dlnative, keras):
        reduce = library.callbacks.ReduceLROnPlateau("val_loss", **options)
        model = make(library)
        fitted = fit(model, [showing(library, VALUES), reduce], epochs=len(VALUES))
        rates.append(fitted.history["learning_rate"])
        ends.append((reduce.wait, reduce.cooldown_counter, reduce.in_cooldown()))
        assert list(fitted.history) == ["loss", "mae", "val_loss", "learning_rate"]
    np.testing.assert_allclose(rates[0], rates[1], rtol=1e-6)
    assert ends[0] == ends[1]
    if options.get("min_lr") != 0.5 and options:
        assert rates[0][-1] < 0.1


def test_its_message_and_the_next_fit(keras, capsys):
    said = []
    for library in (dlnative, keras):
        reduce = library.callbacks.ReduceLROnPlateau(factor=0.5, patience=2, verbose=1)
        model = make(library)
        for _ in range(2):  # patience begins anew, the rate stays
            fit(model, [showing(library, [1.0] * 4), reduce], initial_epoch=1)
        said.append([line.split(":")[0] for line in capsys.readouterr().out.splitlines() if line])
        assert float(model.optimizer.learning_rate) == pytest.approx(0.025)
    assert said[0] == said[1] == ["Epoch 4"] * 2


@pytest.mark.parametrize("mode", ["auto", "max"])
def test_a_monitor_that_is_not_there(keras, mode):
    """A warning after each epoch, and the rate stays."""
    for library in (dlnative, keras):
        model = make(library)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fitted = fit(model, [library.callbacks.ReduceLROnPlateau(mode=mode, patience=0)])
        said = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
        assert len(said) == 4 and all("val_loss" in text and "mae" in text for text in said)
        np.testing.assert_allclose(fitted.history["learning_rate"], [0.1] * 4)


def test_what_is_refused(keras):
    for library in (dlnative, keras):
        with pytest.raises(ValueError, match="factor"):
            library.callbacks.ReduceLROnPlateau(factor=1.0)
        schedule = library.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
        model, reduce = make(library, schedule), library.callbacks.ReduceLROnPlateau("loss")
        reduce.patience = 0
        reduce.min_delta = 100
        with pytest.raises(TypeError, match="learning rate|learning_rate"):
            fit(model, [reduce])
        with pytest.raises(ValueError, match="nope"):
            fit(make(library), [library.callbacks.ReduceLROnPlateau("nope")])
        with pytest.warns(UserWarning, match="mode 'middle' is unknown"):
            assert library.callbacks.ReduceLROnPlateau(mode="middle").mode == "auto"
    for name in ("factor", "patience", "cooldown", "min_lr", "min_delta"):
        with pytest.raises(TypeError, match=f"ReduceLROnPlateau: expected {name} to be a number"):
            callbacks.ReduceLROnPlateau(**{name: "1"})
    with pytest.raises(ValueError, match=r"factor in \[0, 1\)"):
        callbacks.ReduceLROnPlateau(factor=-0.5)


# --- CSVLogger ------------------------------------------------------------------------------------


def rows(path, separator=","):
    with open(path, newline="") as file:
        return list(csv.reader(file, delimiter=separator))


def same_rows(ours, theirs):
    assert [len(row) for row in ours] == [len(row) for row in theirs]
    for a, b in zip(ours, theirs, strict=True):
        for x, y in zip(a, b, strict=True):
            try:
                assert float(x) == pytest.approx(float(y), rel=1e-5)
            except ValueError:
                assert x == y


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize("begun", [None, "", "epoch,loss\r\n"])
def test_csv_as_keras(keras, tmp_path, separator, append, begun):
    results = []
    for library in (dlnative, keras):
        path = tmp_path / f"{library.__name__}.csv"
        if begun is not None:
            path.write_bytes(begun.encode())
        log = library.callbacks.CSVLogger(path, separator, append)
        model = make(library)
        rate = library.callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))
        fit(model, [rate, log], validation_data=(X[:5], Y[:5]), validation_freq=2)
        fit(model, [log], initial_epoch=2)
        fit(model, [log], epochs=0)
        fit(model, [log], epochs=1, validation_data=(X[:5], Y[:5]))
        results.append(rows(path, separator))
    same_rows(*results)
    assert len(results[0]) == (8 if append else 2)


def test_a_csv_of_given_logs_is_the_same_file(keras, tmp_path):
    given = [
        {"b": 0.1, "a": 1, "list": [1, 2.5], "array": np.array([1.0, 2.0]), "text": 'x,"y'},
        {
            "a": np.float32(0.1),
            "zero": np.array(3.0),
            "list": (),
            "b": None,
            "array": np.ones((2, 1)),
        },
        {},
    ]
    texts = []
    for library in (dlnative, keras):
        path = tmp_path / f"{library.__name__}.csv"
        log = library.callbacks.CSVLogger(str(path))
        log.on_train_begin()
        for epoch, logs in enumerate(given):
            log.on_epoch_end(epoch, logs)
        log.on_train_end()
        texts.append(path.read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].startswith(b"epoch,a,array,b,list,text,val_a,")


def test_csv_errors(keras, tmp_path):
    for library in (dlnative, keras):
        with pytest.raises(FileNotFoundError):
            fit(make(library), [library.callbacks.CSVLogger(tmp_path / "none" / "log.csv")])
    with pytest.raises(TypeError, match="CSVLogger: expected filename to be text or a path"):
        callbacks.CSVLogger(3)
    for separator in ("", ", ", None):
        with pytest.raises(TypeError, match="CSVLogger: expected separator to be one character"):
            callbacks.CSVLogger("log.csv", separator)


# --- SwapEMAWeights -------------------------------------------------------------------------------


def kernels(library, record, name):
    """A callback that notes the kernel at the hooks at which weights may be exchanged."""

    class Note(library.callbacks.Callback):
        pass

    def hook_of(hook):
        def note(self, *args, **kwargs):
            record.append((name, hook, np.array(self.model.layers[-1].kernel).ravel()))

        return note

    for hook in ("epoch_end", "train_end"):
        setattr(Note, f"on_{hook}", hook_of(hook))
    return Note()


@pytest.mark.parametrize("on_epoch", [False, True])
@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("overwrite", [None, 5])
def test_averages_are_in_the_model_when_keras_has_them(keras, on_epoch, validated, overwrite):
    results = []
    for library in (dlnative, keras):
        record = []
        model = make(library, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=overwrite)
        swap = library.callbacks.SwapEMAWeights(on_epoch)
        used = [kernels(library, record, "before"), swap, kernels(library, record, "after")]
        data = (X[:5], Y[:5]) if validated else None
        fitted = fit(model, used, validation_data=data)
        record.append(("", "losses", np.ravel(list(fitted.history.values()))))
        record.append(("", "end", np.array(model.layers[-1].kernel).ravel()))
        results.append(record)
    for (*a, x), (*b, y) in zip(*results, strict=True):
        assert a == b
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6, err_msg=str(a))
    at_end = [w for n, h, w in results[0] if h == "epoch_end"]
    assert np.allclose(at_end[0], at_end[1]) is not on_epoch


@pytest.mark.parametrize("on_epoch", [False, True])
def test_averages_are_what_is_saved(keras, tmp_path, on_epoch):
    """By a ModelCheckpoint after it, with `swap_on_epoch`."""
    pytest.importorskip("h5py", reason="Keras saves weights with h5py")
    saved = []
    for library in (dlnative, keras):
        folder = tmp_path / library.__name__
        model = make(library, use_ema=True, ema_momentum=0.8)
        swap = library.callbacks.SwapEMAWeights(on_epoch)
        save = library.callbacks.ModelCheckpoint(
            str(folder / "{epoch}.weights.h5"), save_weights_only=True
        )
        fit(model, [swap, save], validation_data=(X[:5], Y[:5]))
        for epoch in range(1, 5):
            other = library.Sequential([library.Input((3,)), library.layers.Dense(1)])
            other.load_weights(folder / f"{epoch}.weights.h5")
            saved.append(other.get_weights()[0])
    np.testing.assert_allclose(saved[:4], saved[4:], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("how", ["stopped", "raised"])
@pytest.mark.parametrize("on_epoch", [False, True])
def test_a_fit_that_ends_early_ends_with_the_averages(how, on_epoch):
    """As without the callback."""

    class Stop(Exception):
        pass

    def end(epoch, logs):
        if epoch == 1:
            if how == "raised":
                raise Stop
            model.stop_training = True

    found = []
    for used in ([], [callbacks.SwapEMAWeights(on_epoch)]):
        model = make(dlnative, use_ema=True, ema_momentum=0.8)
        stop = callbacks.LambdaCallback(on_epoch_end=end)
        try:
            fit(model, [*used, stop], validation_data=(X, Y))
        except Stop:
            assert how == "raised"
        found.append(model.get_weights())
    for a, b in zip(*found, strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_evaluation_that_raises_leaves_nothing_behind():
    def fail(batch, logs=None):
        raise RuntimeError("no")

    found = []
    for fails in (False, True):
        model = make(dlnative, use_ema=True, ema_momentum=0.8)
        swap = callbacks.SwapEMAWeights()
        model.train_on_batch(X, Y)
        model.train_on_batch(X, Y)
        if fails:
            failing = callbacks.LambdaCallback(on_test_batch_end=fail)
            with pytest.raises(RuntimeError, match="no"):
                model.evaluate(X, Y, verbose=0, callbacks=[swap, failing])
        fit(model, [swap])
        found.append(model.get_weights())
    np.testing.assert_array_equal(found[0][0], found[1][0])


def test_weights_are_put_back_after_predict():
    model = make(dlnative, use_ema=True, ema_momentum=0.8)
    model.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    before, plain = model.get_weights(), model.predict(X, verbose=0)
    swapped = model.predict(X, verbose=0, callbacks=[callbacks.SwapEMAWeights()])
    assert not np.allclose(swapped, plain)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_averages_that_are_not_there(keras):
    for library in (dlnative, keras):
        swap = library.callbacks.SwapEMAWeights()
        with pytest.raises(ValueError, match="use_ema=True"):
            fit(make(library), [swap], validation_data=(X, Y))
    with pytest.raises(ValueError, match="received one that has made no step yet"):
        make(dlnative, use_ema=True).evaluate(
            X, Y, verbose=0, callbacks=[callbacks.SwapEMAWeights()]
        )


# --- whatever `fit` runs over ---------------------------------------------------------------------


def batches(count=None):
    number = 0
    while count is None or number < count:
        yield X[number % 3 * 4 :][:4], Y[number % 3 * 4 :][:4]
        number += 1


def dataset(library):
    class Data(library.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[index * 4 :][:4], Y[index * 4 :][:4]

    return Data()


RUNS = {
    "arrays": lambda library: ((X, Y), {"batch_size": 4}),
    "generator": lambda library: ((batches(),), {"steps_per_epoch": 2}),
    "steps of arrays": lambda library: ((X, Y), {"batch_size": 4, "steps_per_epoch": 3}),
    "dataset": lambda library: ((dataset(library),), {}),
    "validated by a generator": lambda library: (
        (X, Y),
        {"batch_size": 4, "validation_data": batches(), "validation_steps": 2},
    ),
    "validated at times": lambda library: (
        (X, Y),
        {"batch_size": 4, "validation_data": (X[:5], Y[:5]), "validation_freq": 2},
    ),
    "later epochs": lambda library: ((X, Y), {"batch_size": 4, "initial_epoch": 2}),
    "validation_split": lambda library: ((X, Y), {"batch_size": 4, "validation_split": 0.25}),
}


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.filterwarnings("ignore:.*val_loss.* not available:UserWarning")
def test_all_together_in_two_runs(keras, tmp_path, name):
    """Rates, losses and files of a `fit` and of another one after it."""
    results = []
    for library in (dlnative, keras):
        path = tmp_path / f"{library.__name__}.csv"
        validates = "validat" in name
        used = [
            library.callbacks.ReduceLROnPlateau(
                "val_loss" if validates else "loss", 0.5, patience=1, min_delta=0.05, cooldown=1
            ),
            library.callbacks.CSVLogger(path, append=True),
            library.callbacks.SwapEMAWeights(),
        ]
        model = make(library, 0.2, use_ema=True, ema_momentum=0.6)
        record = []
        for epochs in (5, 4):
            data, options = RUNS[name](library)
            fitted = model.fit(
                *data, epochs=epochs, shuffle=False, verbose=0, callbacks=used, **options
            )
            record.append(fitted.history)
            record.append({"state": [used[0].wait, used[0].cooldown_counter]})
            if library is keras:  # whose averages share memory with the weights, see the next fit
                for average in model.optimizer._model_variables_moving_average:
                    average.assign(np.array(average))
        results.append((record, rows(path), model.get_weights()))
    ours, theirs = results
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert list(a) == list(b)
        for key in a:
            np.testing.assert_allclose(a[key], b[key], rtol=1e-4, err_msg=key)
    same_rows(ours[1], theirs[1])
    for a, b in zip(ours[2], theirs[2], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_by_a_metric_and_several_outputs(keras):
    """Keras does not know the direction of the metric of one output."""
    labels = (Y[:, 0] > 0).astype("int32")
    rates = []
    for library in (dlnative, keras):
        inputs = library.Input((3,))
        hidden = library.layers.Dense(2, name="hidden")(inputs)
        outputs = [
            library.layers.Dense(2, name="a", activation="softmax")(hidden),
            library.layers.Dense(1, name="b")(hidden),
        ]
        model = library.Model(inputs, outputs)
        rng = np.random.default_rng(5)
        model.set_weights([rng.normal(size=w.shape) for w in model.weights])
        losses = ["sparse_categorical_crossentropy", "mse"]
        model.compile(library.optimizers.SGD(0.1), losses, metrics=[["accuracy"], ["mae"]])
        mode = "max" if library is keras else "auto"
        reduce = library.callbacks.ReduceLROnPlateau("val_a_accuracy", 0.5, patience=1, mode=mode)
        fitted = model.fit(
            X, [labels, Y], batch_size=4, epochs=6, shuffle=False, verbose=0,
            validation_data=(X, [labels, Y]), callbacks=[reduce],
        )  # fmt: skip
        rates.append(fitted.history["learning_rate"])
    np.testing.assert_allclose(*rates, rtol=1e-6)
    assert rates[0][-1] < 0.1


def test_evaluate_and_predict_leave_them_alone(tmp_path):
    model = make(dlnative)
    used = [
        callbacks.ReduceLROnPlateau(),
        callbacks.CSVLogger(tmp_path / "log.csv"),
        callbacks.JSONLLogger(tmp_path / "log.jsonl", update_freq=1),
        callbacks.StopOnPlateau(unit="steps"),
    ]
    states = [callback.get_state() for callback in used]
    model.evaluate(X, Y, verbose=0, callbacks=used)
    model.predict(X, verbose=0, callbacks=used)
    assert [callback.get_state() for callback in used] == states
    assert not list(tmp_path.iterdir())


# --- all of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c))])
def test_copies_go_on_as_the_first_would(tmp_path, copied):
    def make_all():
        return [
            callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=100, factor=0.9),
            callbacks.StopOnPlateau("loss", min_delta=1e-9, patience=3, unit="steps"),
            callbacks.CSVLogger(tmp_path / "log.csv", append=True),
            callbacks.JSONLLogger(tmp_path / "log.jsonl", update_freq=2),
            callbacks.SwapEMAWeights(),
        ]

    model = make(dlnative, use_ema=True)
    first = make_all()
    fit(model, first)
    second = copied(first)
    assert [c.get_state() for c in second] == [c.get_state() for c in first]
    (tmp_path / "log.csv").unlink()
    fitted = fit(make(dlnative, use_ema=True), second)
    np.testing.assert_allclose(fitted.history["learning_rate"], [0.1, 0.1, 0.09, 0.081])
    assert len(rows(tmp_path / "log.csv")) == 5
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 10
