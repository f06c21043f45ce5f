"""What `resume` refuses, what it says of damaged checkpoints, and a full disk."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from trained_models import X, Y

import dlnative
from dlnative import callbacks, layers
from dlnative.saving import checkpoints


def make(units=4, rate=0.01, loss="mse", **options):
    dlnative.utils.set_random_seed(1)
    model = dlnative.Sequential(
        [dlnative.Input((4,)), layers.Dense(units, **options), layers.Dropout(0.2), layers.Dense(1)]
    )
    model.compile(dlnative.optimizers.SGD(rate, momentum=0.9), loss)
    return model


def fit(model, folder, **options):
    options = {"x": X, "y": Y, "batch_size": 7, "epochs": 3, **options}
    return model.fit(verbose=0, resume=folder, **options)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.safetensors")}


OTHERS = {
    "another layer": ({"units": 5}, {}, r"layers\[1\]|model"),
    "another activation": ({"activation": "relu"}, {}, "activation: expected 'linear'"),
    "another rate": ({"rate": 0.2}, {}, "learning_rate: expected 0.01, received 0.2"),
    "another loss": ({"loss": "mae"}, {}, "compile.loss: expected 'mse', received 'mae'"),
    "another batch size": ({}, {"batch_size": 8}, "data.batch_size: expected 7, received 8"),
    "fewer rows": ({}, {"x": X[:30], "y": Y[:30]}, "data.rows: expected 40, received 30"),
    "other values": ({}, {"x": X + 1}, r"data.arrays\[0\]: expected the same values"),
    "another order": ({}, {"shuffle": False}, "shuffle: expected True, received False"),
    "another split": ({}, {"validation_split": 0.5}, "data"),
    "other steps": ({}, {"steps_per_epoch": 2}, "steps_per_epoch: expected None, received 2"),
    "another policy": (
        {},
        {"on_nonfinite": "skip"},
        "on_nonfinite: expected 'warn', received 'skip'",
    ),
    "fewer epochs": ({}, {"epochs": 2}, "expected epochs of at least 3"),
    "other callbacks": (
        {},
        {"callbacks": [callbacks.EarlyStopping("loss")]},
        "callbacks that remember something.* History, received EarlyStopping, History",
    ),
    "a generator": (
        {},
        {"x": ((X[:7], Y[:7]) for _ in range(20)), "y": None, "batch_size": None},
        "data",
    ),
}


@pytest.mark.parametrize("case", OTHERS)
def test_another_run_is_refused_and_nothing_changes(case, tmp_path):
    of_model, of_fit, message = OTHERS[case]
    fit(make(), tmp_path)
    before = files(tmp_path)
    model = make(**of_model)
    weights, position = model.get_weights(), model._trainer.position()
    with pytest.raises(ValueError, match=f"(?s)resume: .*{message}"):
        fit(model, tmp_path, **of_fit)
    assert files(tmp_path) == before
    assert model._trainer.position() == position
    for a, b in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_is_refused(tmp_path):
    fit(make(), tmp_path)
    model = make()
    dlnative.utils.set_random_seed(2)
    with pytest.raises(ValueError, match="seed: expected 1, received 2"):
        fit(model, tmp_path)


def test_without_a_seed_it_goes_on(tmp_path):
    dlnative.random.seeds._state["seed"] = None
    model = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(1)])
    model.compile("sgd", "mse")
    first = fit(model, tmp_path)
    dlnative.random.seeds._state["seed"] = None
    again = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(1)])
    again.compile("sgd", "mse")
    assert fit(again, tmp_path).history == first.history
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_a_run_that_has_ended(tmp_path, capsys):
    first = make()
    expected = fit(first, tmp_path).history
    before = files(tmp_path)
    again = make()
    history = again.fit(X, Y, batch_size=7, epochs=3, verbose=2, resume=str(tmp_path))
    assert history.history == expected and history.epoch == [0, 1, 2]
    assert "the run has ended after epoch 3, step 18" in capsys.readouterr().out
    assert files(tmp_path) == before
    np.testing.assert_array_equal(again.get_weights()[0], first.get_weights()[0])


def test_more_epochs_are_trained(tmp_path):
    ema = dlnative.optimizers.SGD(0.01, use_ema=True)  # what ends a run changes the weights

    def model():
        model = make()
        model.compile(dlnative.optimizers.SGD.from_config(ema.get_config()), "mse")
        return model

    whole = model()
    expected = whole.fit(X, Y, batch_size=7, epochs=5, verbose=0).history
    fit(model(), tmp_path)
    again = model()
    assert fit(again, tmp_path, epochs=5).history == expected
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])


def test_killed_between_the_last_step_and_the_end(tmp_path):
    def model():
        model = make()
        model.compile(dlnative.optimizers.SGD(0.01, use_ema=True), "mse")
        return model

    whole, again = model(), model()
    fit(whole, tmp_path)
    max(tmp_path.glob("*.safetensors")).unlink()  # that of the end, which has the averages
    fit(again, tmp_path)
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])


def test_a_run_that_was_stopped_early_has_ended(tmp_path):
    def stops():
        return [callbacks.EarlyStopping("loss", min_delta=100, restore_best_weights=True)]

    first, again = make(), make()
    expected = fit(first, tmp_path, epochs=9, callbacks=stops()).history
    assert len(expected["loss"]) == 2
    stop = stops()
    assert fit(again, tmp_path, epochs=9, callbacks=stop).history == expected
    assert stop[0].stopped_epoch == 1
    np.testing.assert_array_equal(again.get_weights()[0], first.get_weights()[0])


DAMAGES = {
    "cut": lambda path: os.truncate(path, path.stat().st_size - 9),
    "empty": lambda path: path.write_bytes(b""),
    "a changed byte": lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\x77"),
    "another name": lambda path: path.rename(
        path.with_name(f"{path.name[:20]}{'0' * 16}.safetensors")
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint(damage, tmp_path):
    expected = fit(make(), tmp_path).history
    newest = max(tmp_path.glob("*.safetensors"))
    DAMAGES[damage](newest)
    with pytest.warns(UserWarning, match="not a whole checkpoint, an older one is used"):
        history = fit(make(), tmp_path)
    assert history.history == expected


def test_a_checkpoint_of_a_later_version(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "VERSION", 2)
    fit(make(), tmp_path)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="version 2 of the format .* reads up to version 1"):
        fit(make(), tmp_path)


def test_a_folder_that_is_none(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(NotADirectoryError, match="expected a folder for checkpoints"):
        fit(make(), path)
    assert path.read_text() == "mine"
    for wrong in (3, b"", "", True):
        with pytest.raises(TypeError, match="resume: expected the path of a folder"):
            fit(make(), wrong)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        fit(make(), tmp_path)


def test_two_folders(tmp_path):
    backup = callbacks.BackupAndRestore(tmp_path)
    with pytest.raises(ValueError, match="expected one folder"):
        fit(make(), tmp_path, callbacks=[backup])
    with pytest.raises(ValueError, match="expected one folder"):
        make().fit(X, Y, verbose=0, callbacks=[backup, callbacks.BackupAndRestore("other")])


class Softer(callbacks.Callback):
    """Lowers the rate of a Dropout after the first epoch, and freezes a layer."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.layers[1].rate = 0.1
        self.model.layers[0].trainable = False
        if epoch == 1 and self.interrupts:
            raise KeyboardInterrupt


class SofterAgain(Softer):
    """One that knows of it."""

    def get_state(self):
        return {"rate": self.model.layers[1].rate}

    def set_state(self, state):
        self.model.layers[1].rate = state["rate"]


@pytest.mark.parametrize("cls", [Softer, SofterAgain])
def test_what_a_callback_changes_in_the_model(cls, tmp_path):
    def run(model, interrupts):
        softer = cls()
        softer.interrupts = interrupts
        backup = callbacks.BackupAndRestore(tmp_path)
        model.fit(X, Y, batch_size=7, epochs=4, verbose=0, callbacks=[softer, backup])

    whole, again = make(), make()
    run(whole, False)
    with pytest.raises(KeyboardInterrupt):
        run(make(), True)
    if cls is Softer:
        with pytest.raises(ValueError, match="a callback has changed the model.*rate: .*0.1"):
            run(again, False)
        return
    run(again, False)
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_two_runs_with_one_folder(tmp_path):
    def other(epoch, logs):
        with pytest.raises(BlockingIOError, match="another run writes to this folder"):
            fit(make(), tmp_path)

    fit(make(), tmp_path, callbacks=[callbacks.LambdaCallback(on_epoch_end=other)])


def test_a_full_disk(tmp_path, monkeypatch):
    whole = make()
    expected = whole.fit(X, Y, batch_size=7, epochs=3, verbose=0).history
    write, count = checkpoints.CheckpointFolder.write, 0

    def full(self, *taken):
        nonlocal count
        count += 1
        if count > 1:
            raise OSError(28, "No space left on device")
        write(self, *taken)

    monkeypatch.setattr(checkpoints.CheckpointFolder, "write", full)
    model = make()
    with pytest.warns(RuntimeWarning, match="could not be written, the one before stays.*No space"):
        history = fit(model, tmp_path)
    assert history.history == expected
    assert len(files(tmp_path)) == 1
    monkeypatch.undo()
    again = make()
    assert fit(again, tmp_path).history == expected
    np.testing.assert_array_equal(again.get_weights()[0], whole.get_weights()[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"backup_dir": ""}, "expected backup_dir"),
        ({"backup_dir": "b", "save_freq": 0}, "save_freq"),
        ({"backup_dir": "b", "save_freq": "batch"}, "save_freq"),
        ({"backup_dir": "b", "save_freq": 1.5}, "save_freq"),
        ({"backup_dir": "b", "seconds": -1}, "seconds"),
        ({"backup_dir": "b", "seconds": "1"}, "seconds"),
    ],
)
def test_options_of_backup_and_restore(arguments, message):
    with pytest.raises(ValueError, match=f"BackupAndRestore: expected .*{message}|{message}"):
        callbacks.BackupAndRestore(**arguments)


@pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
def test_it_goes_on_as_that_of_keras(keras, tmp_path):
    """Where Keras goes on, at the begin of an epoch, the weights are those of Keras."""
    draws = np.random.default_rng(2)
    weights = [draws.normal(size=(4, 1)).astype("float32"), np.zeros(1, "float32")]
    ends, begun = [], []
    for library in (dlnative, keras):
        folder, epochs = tmp_path / library.__name__, []

        class Stop(library.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None, epochs=epochs):
                epochs.append(epoch)
                if len(epochs) == 3:
                    raise RuntimeError("interrupted")

        def train(model, folder=folder, library=library, stop=Stop):
            backup = library.callbacks.BackupAndRestore(str(folder))
            options = {"batch_size": 10, "epochs": 5, "shuffle": False, "verbose": 0}
            model.fit(X, Y.astype("float32")[:, None], callbacks=[stop(), backup], **options)

        model = library.Sequential([library.Input((4,)), library.layers.Dense(1)])
        model.set_weights(weights)
        model.compile(library.optimizers.SGD(0.01, momentum=0.9), "mse")
        with pytest.raises(RuntimeError, match="interrupted"):
            train(model)
        assert folder.exists()
        train(model)
        assert not folder.exists()
        ends.append(model.get_weights())
        begun.append(epochs)
    assert begun[0] == begun[1] == [0, 1, 2, 2, 3, 4]
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_backups_are_removed_at_the_end(tmp_path):
    folder = tmp_path / "backup"
    make().fit(X, Y, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])
    assert not folder.exists()
    kept = callbacks.BackupAndRestore(folder, delete_checkpoint=False, double_checkpoint=True)
    make().fit(X, Y, epochs=3, verbose=0, callbacks=[kept])
    assert len(files(folder)) == 2
    single = callbacks.BackupAndRestore(tmp_path / "one", delete_checkpoint=False)
    make().fit(X, Y, epochs=3, verbose=0, callbacks=[single])
    assert len(files(tmp_path / "one")) == 1
    (folder / "note").write_text("mine")
    make().fit(X, Y, epochs=3, verbose=0, callbacks=[callbacks.BackupAndRestore(folder)])
    assert os.listdir(folder) == ["note"]


def test_another_factor_of_the_learning_rate_is_refused(tmp_path):
    fit(make(), tmp_path)
    model = make()
    model.layers[0].learning_rate_factor = 0.0
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"learning_rate_factor\[0\]: expected 1.0, received 0.0"):
        fit(model, tmp_path, epochs=6)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
