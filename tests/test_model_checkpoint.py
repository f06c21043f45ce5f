"""ModelCheckpoint beside that of Keras: which files it writes, when, and what it says."""

from __future__ import annotations

import inspect
import os
import re

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
VALUES = [3.0, 1.0, 2.0, 0.5, 0.5, 0.4]


def make(library):
    model = library.Sequential([library.Input((3,)), library.layers.Dense(1, name="out")])
    model.set_weights(WEIGHTS)
    model.compile(library.optimizers.SGD(0.1), "mse", metrics=["mae"])
    return model


def fit(model, used, **options):
    given = {"epochs": len(VALUES), "batch_size": 4, "shuffle": False, "verbose": 0, **options}
    return model.fit(X, Y, callbacks=used, **given)


def values_of(library, name="val_loss"):
    class Show(library.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs[name] = VALUES[epoch]

    return Show()


RUNS = {
    "each epoch": ("{epoch:02d}.keras", {}),
    "one file": ("best.keras", {"save_best_only": True}),
    "fields": ("{epoch}-{val_loss:.2f}-{mae:.1f}.keras", {}),
    "the best": ("{epoch}.keras", {"save_best_only": True}),
    "the largest": ("{epoch}.keras", {"save_best_only": True, "mode": "max"}),
    "of a threshold": ("{epoch}.keras", {"save_best_only": True, "initial_value_threshold": 0.6}),
    "weights": ("{epoch}.weights.h5", {"save_weights_only": True}),
    "a folder": ("a/b/{epoch}.keras", {}),
    "batches": ("{epoch}-{batch}.keras", {"save_freq": 4}),
    "many batches": ("{epoch}-{batch}.weights.h5", {"save_freq": 7, "save_weights_only": True}),
    "the monitor is not there": ("{epoch}.keras", {"save_best_only": True, "monitor": "mae2"}),
    "said": ("{epoch}.keras", {"save_best_only": True, "verbose": 1}),
    "said of all": ("{epoch}.keras", {"verbose": 1}),
}


def tree(folder):
    return sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, _, names in os.walk(folder)
        for name in names
    )


@pytest.mark.parametrize("together", [1, 2])
@pytest.mark.parametrize("case", RUNS)
@pytest.mark.filterwarnings("ignore:Can save best|ModelCheckpoint. 'mae2'")
def test_the_files_are_those_of_keras(keras, case, together, tmp_path, capsys):
    name, options = RUNS[case]
    if options.get("monitor") == "mae2":
        options = {**options, "mode": "min"}
    found = []
    for library in (dlnative, keras):
        folder = tmp_path / library.__name__
        model = make(library)
        if together > 1:
            model.compile(
                library.optimizers.SGD(0.1), "mse", metrics=["mae"], steps_per_execution=together
            )
        save = library.callbacks.ModelCheckpoint(folder / name, **options)
        fit(model, [values_of(library), save])
        said = capsys.readouterr().out.replace(str(folder), "")
        found.append((tree(folder), said, save.best))
    assert found[0] == found[1]
    assert found[0][0]


def test_what_is_saved(keras, tmp_path):
    model = make(dlnative)
    save = [
        callbacks.ModelCheckpoint(tmp_path / "m.keras"),
        callbacks.ModelCheckpoint(tmp_path / "m"),
        callbacks.ModelCheckpoint(tmp_path / "m.weights.h5", save_weights_only=True),
        callbacks.ModelCheckpoint(tmp_path / "m.safetensors", save_weights_only=True),
    ]
    fit(model, save)
    expected = model.predict(X, verbose=0)
    for name in ("m.keras", "m"):
        loaded = dlnative.saving.load_model(tmp_path / name)
        np.testing.assert_array_equal(loaded.predict(X, verbose=0), expected)
        assert int(loaded.optimizer.iterations) == 3 * len(VALUES)
    for name in ("m.weights.h5", "m.safetensors"):
        other = make(dlnative)
        other.load_weights(tmp_path / name)
        np.testing.assert_array_equal(other.predict(X, verbose=0), expected)
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(theirs.predict(X, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("name", ["{epoch}.keras", "folder{epoch}"])
def test_the_last_ones_are_kept(name, tmp_path):
    save = callbacks.ModelCheckpoint(tmp_path / name, keep=2)
    fit(make(dlnative), [save])
    stem = name.replace("{epoch}", "")
    assert sorted(os.listdir(tmp_path)) == sorted(name.format(epoch=n) for n in (5, 6)), stem
    same = callbacks.ModelCheckpoint(tmp_path / "same.keras", keep=1)
    fit(make(dlnative), [same])
    assert (tmp_path / "same.keras").exists()


def test_files_of_others_stay(tmp_path):
    def note(epoch, logs):
        (tmp_path / f"{epoch + 1}" / "note").write_text("mine")

    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}", keep=1)
    fit(make(dlnative), [save, callbacks.LambdaCallback(on_epoch_end=note)])
    assert os.listdir(tmp_path / "1") == ["note"]


def test_seconds(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(callbacks.model_checkpoint.time, "monotonic", lambda: now[0])

    def wait(batch, logs):
        now[0] += 1.0

    tick = callbacks.LambdaCallback(on_train_batch_begin=wait)
    save = callbacks.ModelCheckpoint(tmp_path / "{epoch}-{batch}.keras", save_freq=False, seconds=4)
    fit(make(dlnative), [tick, save], epochs=4)
    assert sorted(os.listdir(tmp_path)) == ["2-1.keras", "3-2.keras", "4-3.keras"]


def test_the_best_of_several_fits(keras, tmp_path):
    bests = []
    for library in (dlnative, keras):
        save = library.callbacks.ModelCheckpoint(tmp_path / "m.keras", save_best_only=True)
        model = make(library)
        fit(model, [values_of(library), save], epochs=2)
        fit(model, [values_of(library), save], initial_epoch=2, epochs=3)
        bests.append(save.best)
    assert bests == [1.0, 1.0]


def test_signatures(keras):
    for name in ("ModelCheckpoint", "BackupAndRestore"):
        ours, theirs = (
            inspect.signature(getattr(library.callbacks, name)).parameters
            for library in (dlnative, keras)
        )
        theirs = {key: value.default for key, value in theirs.items()}
        assert {key: ours[key].default for key in theirs} == theirs
        assert list(ours)[: len(theirs)] == list(theirs)


WRONG = [
    ({"filepath": "m.h5"}, ValueError, "'.keras', or have no suffix"),
    ({"filepath": "m.txt"}, ValueError, "received 'm.txt'"),
    ({"filepath": "m.keras", "save_weights_only": True}, ValueError, "'.weights.h5' or"),
    ({"filepath": "m.weights.h5"}, ValueError, "'.keras', or have no suffix"),
    ({"filepath": ""}, ValueError, "filepath"),
    ({"filepath": 3}, TypeError, "filepath to be a path"),
    ({"save_freq": "batch"}, ValueError, "save_freq"),
    ({"save_freq": 0}, ValueError, "save_freq"),
    ({"save_freq": 1.5}, ValueError, "save_freq"),
    ({"save_freq": False}, ValueError, "save_freq"),
    ({"keep": 0}, ValueError, "keep"),
    ({"keep": "1"}, TypeError, "keep"),
    ({"seconds": 0}, ValueError, "seconds"),
    ({"monitor": 3}, TypeError, "monitor"),
    ({"initial_value_threshold": "1"}, TypeError, "initial_value_threshold"),
]


@pytest.mark.parametrize(("options", "error", "message"), WRONG)
def test_wrong_options(options, error, message):
    with pytest.raises(error, match=f"ModelCheckpoint: .*{re.escape(message)}"):
        callbacks.ModelCheckpoint(**{"filepath": "m.keras", **options})


def test_errors_in_fit(keras, tmp_path):
    (tmp_path / "taken.keras").mkdir()
    for library in (dlnative, keras):
        save = library.callbacks.ModelCheckpoint
        with pytest.raises(KeyError, match="val_mae"):
            fit(make(library), [save(tmp_path / "{val_mae}.keras")])
        with pytest.raises(OSError, match="irectory|a folder; expected"):
            fit(make(library), [save(tmp_path / "taken.keras")])
    with pytest.warns(UserWarning, match="'val_loss', by which the best model is told, is not av"):
        fit(
            make(dlnative),
            [callbacks.ModelCheckpoint(tmp_path / "w.keras", save_best_only=True)],
            epochs=1,
        )


def test_it_goes_on_from_a_checkpoint(tmp_path):
    """The files are those of the whole run, and those that are too many are gone."""

    class Interrupted(Exception):
        pass

    def run(folder, interrupt=None):
        def end(batch, logs):
            count[0] += 1
            if count[0] == interrupt:
                raise Interrupted

        count = [0]
        used = [
            values_of(dlnative),
            callbacks.ModelCheckpoint(folder / "e{epoch}.keras", save_best_only=True, keep=2),
            callbacks.ModelCheckpoint(folder / "b{epoch}-{batch}.keras", save_freq=2, keep=3),
            callbacks.BackupAndRestore(folder / "backup", save_freq=3),
            callbacks.LambdaCallback(on_train_batch_begin=end),
        ]
        fit(make(dlnative), used)

    run(tmp_path / "whole")
    for interrupt in (2, 7, 11, 17):
        folder = tmp_path / str(interrupt)
        with pytest.raises(Interrupted):
            run(folder, interrupt)
        run(folder)
        assert tree(folder) == tree(tmp_path / "whole")
