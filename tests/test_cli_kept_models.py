"""A trained model is not lost.

What is wrong is said before training, and whatever ends training, the model of the last whole epoch
is written.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import dlnative.cli.model_folder as model_folder
from dlnative.cli import signals
from dlnative.cli.task import Classification, task_of
from dlnative.datasets import toy
from dlnative.saving import load

COMMAND = [sys.executable, "-m", "dlnative"]
POSIX = pytest.mark.skipif(os.name == "nt", reason="signals and pipes of POSIX")


@pytest.fixture
def blobs(tmp_path):
    """An archive of three clouds: 200 samples to train on, 40 to test on."""
    x, y = toy.blobs(240, classes=3, features=4, spread=1.0, seed=1)
    write_archive(tmp_path / "blobs.npz", x, y)
    return tmp_path / "blobs.npz"


def write_archive(path, x, y, at=200, **changed):
    arrays = {"x_train": x[:at], "y_train": y[:at], "x_test": x[at:], "y_test": y[at:]}
    np.savez(path, **{**arrays, **changed})


def arguments_for(data, folder, *more):
    given = ["train", "--data", data, "--hidden", "8", "--quiet", "--out", folder, *more]
    return [str(argument) for argument in given]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*")}


def weights_of(folder):
    return load(folder).model.get_weights()


def epochs_of(folder):
    return len([*csv.DictReader((folder / "history.csv").read_text().splitlines())])


def assert_is_a_run_of(run, folder, data, epochs, *more):
    """The folder has the very weights and the history of a run of so many epochs."""
    other = folder.with_name("other")
    status, _, _ = run(*arguments_for(data, other, *more, "--epochs", epochs))
    assert status == 0
    for ours, theirs in zip(weights_of(folder), weights_of(other), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert epochs_of(folder) == epochs
    assert (folder / "history.csv").read_bytes() == (other / "history.csv").read_bytes()
    assert load(folder).training["trained_epochs"] == epochs


def test_python_goes_on_where_the_command_has_stopped(run, blobs, tmp_path):
    """With the weights of a longer run, bit for bit."""
    for epochs in (2, 3):
        more = ("--epochs", epochs, "--schedule", "constant")
        assert run(*arguments_for(blobs, tmp_path / f"of {epochs}", *more))[0] == 0
    saved = load(tmp_path / "of 2")
    task = task_of(saved, str(tmp_path / "of 2"))
    with np.load(blobs) as arrays:
        x = task.encode_inputs(arrays["x_train"], "x")
        y = task.encode_targets(arrays["y_train"], "y")
    batch_size = saved.training["batch_size"]
    saved.model.fit(x, y, batch_size=batch_size, initial_epoch=2, epochs=3, verbose=0)
    longer = load(tmp_path / "of 3")
    for ours, theirs in zip(saved.model.get_weights(), weights_of(tmp_path / "of 3"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert longer.state.values["training"]["epochs"] == 3


# --- checked before the first step ----------------------------------------------------------------


@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_test": np.full(40, 7)}, "blobs.npz, test set: expected one of the 3 classes"),
        ({"x_test": np.zeros((40, 5))}, "test set: expected samples of shape (4,)"),
        ({"x_test": np.full((40, 4), 1e300)}, "sample 0 has 1e+300 where"),
        ({"x_train": np.full((200, 4), -1e300)}, "sample 0 has the value -1e+300; expected"),
        ({"x_train": np.zeros((200, 4), "uint8"), "x_test": np.full((40, 4), 1e39)}, "1e+39"),
    ],
)
def test_classification_is_checked(run, fails, blobs, tmp_path, changed, message, existing):
    folder = tmp_path / "model"
    if existing:
        assert run(*arguments_for(blobs, folder, "--epochs", 1))[0] == 0
    before = files_of(folder)
    x, y = toy.blobs(240, classes=3, features=4, spread=1.0, seed=1)
    write_archive(blobs, x, y, **changed)
    assert message in fails(*arguments_for("blobs.npz", "model"))  # and nothing has been printed
    assert files_of(folder) == before


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"y_train": np.linspace(0.5, 1e300, 200)}, "has the target 5.0"),
        ({"y_test": np.append(np.zeros(39), -1e39)}, "sample 39 has the target -1e+39; expected"),
        ({"y_test": np.full(40, "a")}, "regression needs numbers as targets"),
    ],
)
def test_regression_is_checked(fails, tmp_path, changed, message):
    x = np.random.default_rng(0).normal(size=(240, 4))
    write_archive(tmp_path / "line.npz", x, x @ [1.0, 2.0, 3.0, 4.0], **changed)
    assert message in fails(*arguments_for("line.npz", "model", "--task", "regression"))


def test_predict_and_evaluate_check_the_range(run, fails, blobs, tmp_path):
    assert run(*arguments_for(blobs, tmp_path / "model", "--epochs", 1))[0] == 0
    np.savez(tmp_path / "far.npz", x=np.array([[0, 0, 0, 0], [0, 1e60, 0, 0.0]]), y=[0, 1])
    for command in ("evaluate", "predict"):
        message = fails(command, "model", "--data", "far.npz")
        assert "far.npz: sample 1 has 1e+60 where" in message


@pytest.mark.parametrize("taken", ["config.json", "history.csv", "history.json"])
def test_a_folder_in_the_place_of_a_file(fails, blobs, tmp_path, taken):
    (tmp_path / "model" / taken).mkdir(parents=True)
    message = fails(*arguments_for("blobs.npz", "model"))
    assert f"model/{taken}: a folder; expected a file" in message


def test_a_configuration_of_something_else(fails, blobs, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    message = fails(*arguments_for("blobs.npz", "model"))
    assert "model/config.json: there already, and not of a dlnative model" in message
    assert (tmp_path / "model" / "config.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("blobs.npz", "blobs.npz: File exists"),
        ("blobs.npz/model", "Not a directory"),
        ("new/deep/blobs.npz", "one of the 3 classes"),  # the new folders do not stay
    ],
)
def test_folders_that_cannot_be(fails, blobs, out, message):
    if out.startswith("new"):
        x, y = toy.blobs(240, classes=3, features=4, spread=1.0, seed=1)
        write_archive(blobs, x, y, y_test=np.full(40, 7))
    assert message in fails(*arguments_for("blobs.npz", out))


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), ValueError("no JSON")])
def test_saving_is_tried_before_training(fails, blobs, monkeypatch, error):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(model_folder, "save", fail)
    message = fails(*arguments_for("blobs.npz", "model"))
    assert "No space left" in message or "no JSON" in message


def test_a_folder_without_permission(fails, blobs, tmp_path, monkeypatch):
    """Root may write everything, so the system's answer is replaced."""
    (tmp_path / "model").mkdir()
    monkeypatch.setattr(os, "access", lambda path, _: path.name != "model")
    assert "model: no permission to write there" in fails(*arguments_for("blobs.npz", "model"))


# --- what ends a training -------------------------------------------------------------------------


def start(*arguments):
    return subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def read_until(process, begin):
    for line in process.stdout:
        if line.startswith(begin):
            return
    raise AssertionError(process.stderr.read())


@POSIX
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("SIGINT", 130, "interrupted"),
        ("SIGTERM", 143, "interrupted by SIGTERM"),
        ("SIGHUP", 129, "interrupted by SIGHUP"),
    ],
)
@pytest.mark.native  # takes two minutes on the oracle
def test_a_signal_keeps_the_last_whole_epoch(run, blobs, tmp_path, name, status, words, existing):
    folder = tmp_path / "model"
    if existing:
        assert run(*arguments_for(blobs, folder, "--epochs", 1, "--seed", 3))[0] == 0
    more = ["--schedule", "constant", "--batch-size", 1]
    command = arguments_for(blobs, folder, *more, "--epochs", 10_000_000)
    command.remove("--quiet")
    with start(*command) as process:
        try:
            read_until(process, "Epoch 3/")
            process.send_signal(getattr(signal, name))
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status
    begin, _, epochs = err.strip().partition(" has the model of epoch ")
    assert begin == f"dlnative: {words}; {folder}"
    count, _, total = epochs.partition(" of ")
    assert int(count) >= 3
    assert total == f"10000000; go on with: dlnative train --resume {folder}"
    assert_is_a_run_of(run, folder, blobs, int(count), *more)
    shutil.rmtree(folder / "checkpoints")
    assert set(os.listdir(folder)) == set(os.listdir(folder.with_name("other"))) or existing


@POSIX
@pytest.mark.parametrize("existing", [False, True])
def test_a_signal_in_the_first_epoch_leaves_what_was_there(run, blobs, tmp_path, existing):
    folder = tmp_path / "new" / "model"
    if existing:
        assert run(*arguments_for(blobs, folder, "--epochs", 1))[0] == 0
    before = files_of(folder)
    x, y = toy.blobs(200_000, classes=3, features=4, spread=1.0, seed=1)
    write_archive(tmp_path / "many.npz", x, y, at=199_000)
    long = ["--engine", "numpy", "--batch-size", 1]  # an epoch of a minute
    with start(*arguments_for(tmp_path / "many.npz", folder, *long)) as process:
        try:
            read_until(process, "model")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert err == "\ndlnative: interrupted\n"
    assert files_of(folder) == before
    assert folder.parent.exists() == existing


@POSIX
def test_a_closed_pipe_keeps_the_last_whole_epoch(run, blobs, tmp_path):
    folder = tmp_path / "model"
    command = arguments_for(blobs, folder, "--schedule", "constant", "--epochs", 100_000)
    command.remove("--quiet")
    with start(*command) as process:
        try:
            read_until(process, "Epoch 2/")
            process.stdout.close()
            err = process.stderr.read()
            assert process.wait(timeout=60) == 141
        finally:
            process.kill()
    assert err.startswith(f"dlnative: {folder} has the model of epoch ")
    assert_is_a_run_of(run, folder, blobs, epochs_of(folder), "--schedule", "constant")


@POSIX
def test_no_standard_output_is_no_error(blobs, tmp_path):
    folder = tmp_path / "model"
    command = [*COMMAND, *arguments_for(blobs, folder, "--epochs", 2)]
    closed = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    result = subprocess.run(closed, stderr=subprocess.PIPE, text=True, timeout=60)
    assert (result.returncode, result.stderr) == (0, "")
    assert load(folder).training["trained_epochs"] == 2


@pytest.mark.parametrize("error", [ValueError("broken"), RuntimeError("broken")])
def test_an_error_after_training_leaves_the_model(run, blobs, tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    folder = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr(Classification, "measure", fail)
        if isinstance(error, ValueError):
            status, _, err = run(*arguments_for(blobs, folder, "--epochs", 3))
            assert status == 2
            assert err.splitlines() == [
                f"dlnative: {folder} has the model of epoch 3 of 3", "dlnative: error: broken",
            ]  # fmt: skip
        else:
            with pytest.raises(RuntimeError, match="broken"):
                run(*arguments_for(blobs, folder, "--epochs", 3))
    assert_is_a_run_of(run, folder, blobs, 3)


@POSIX
def test_ctrl_c_after_training_leaves_the_model(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    with monkeypatch.context() as patch:
        patch.setattr(Classification, "measure", lambda *_: signal.raise_signal(signal.SIGINT))
        status, _, err = run(*arguments_for(blobs, folder, "--epochs", 3))
    assert status == 130
    assert err == f"\ndlnative: interrupted; {folder} has the model of epoch 3 of 3\n"
    assert_is_a_run_of(run, folder, blobs, 3)


@POSIX
def test_ctrl_c_while_the_model_is_written_waits(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    save = model_folder.save

    def interrupted(model, place, **more):
        if place == folder:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        save(model, place, **more)

    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "save", interrupted)
        status, _, err = run(*arguments_for(blobs, folder, "--epochs", 3))
    assert status == 130
    assert err == f"\ndlnative: interrupted; {folder} has the model of epoch 3 of 3\n"
    assert_is_a_run_of(run, folder, blobs, 3)


def test_a_folder_that_cannot_be_written_any_more(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    (tmp_path / "temporary").mkdir()
    save = model_folder.save

    def full(model, place, **more):
        if place == folder:
            raise OSError(28, "No space left on device", str(folder))
        save(model, place, **more)

    with monkeypatch.context() as patch:
        patch.setattr(model_folder, "save", full)
        patch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        status, _, err = run(*arguments_for(blobs, folder, "--epochs", 3))
    (place,) = (tmp_path / "temporary").iterdir()
    assert status == 2
    assert err.splitlines() == [
        f"dlnative: {place} has the model of epoch 3 of 3; "
        f"go on with: dlnative train --resume {folder}",
        f"dlnative: error: {folder}: No space left on device",
    ]
    shutil.rmtree(folder)
    place.rename(folder)
    assert_is_a_run_of(run, folder, blobs, 3)


def test_figures_are_added_to_the_history(run, blobs, tmp_path):
    """The model is written before they are measured."""
    folder = tmp_path / "model"
    status, out, _ = run(*arguments_for(blobs, folder, "--epochs", 2))
    history = json.loads((folder / "history.json").read_text())
    assert status == 0
    assert f"test         accuracy {history['test']['accuracy']:.4g}" in out
    assert [row["epoch"] for row in history["epochs"]] == [1, 2]
    assert history["seconds"] > 0 and history["samples_per_second"] > 0


# --- signals --------------------------------------------------------------------------------------


@POSIX
def test_predict_is_ended_by_a_signal_while_it_waits_for_a_reader(run, blobs, tmp_path):
    assert run(*arguments_for(blobs, tmp_path / "model", "--epochs", 1))[0] == 0
    os.mkfifo(tmp_path / "pipe")
    former = signal.getsignal(signal.SIGTERM)

    def send():
        while signal.getsignal(signal.SIGTERM) is former:
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    arguments = ["predict", tmp_path / "model", "--data", blobs, "--out", tmp_path / "pipe"]
    assert run(*arguments) == (143, "", "\ndlnative: interrupted by SIGTERM\n")
    sender.join()
    assert signal.getsignal(signal.SIGTERM) is former


@POSIX
def test_handlers_of_others_stay():
    def handler(*_):
        pass

    former = {name: signal.getsignal(getattr(signal, name)) for name in ("SIGHUP", "SIGTERM")}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, handler)
        with signals.as_exceptions():
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is handler
            with pytest.raises(signals.Interrupted):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        for name, handler in former.items():
            signal.signal(getattr(signal, name), handler)


@POSIX
def test_signals_wait_outside_of_the_released_part():
    steps = []

    def work():
        with signals.held():
            try:
                with signals.released():
                    steps.append("released")
                    signal.raise_signal(signal.SIGINT)
                    steps.append("never")
            finally:
                signal.raise_signal(signal.SIGTERM)
                steps.append("held")

    with signals.as_exceptions(), pytest.raises(signals.Interrupted) as caught:
        work()
    assert steps == ["released", "held"]
    assert caught.value.number == signal.SIGTERM


@POSIX
def test_a_signal_that_waits_ends_the_released_part_at_once():
    steps = []

    def work():
        with signals.held():
            signal.raise_signal(signal.SIGINT)
            steps.append("held")
            with signals.released():
                steps.append("never")

    with signals.as_exceptions(), pytest.raises(signals.Interrupted):
        work()
    assert steps == ["held"]


def test_a_thread_can_run_a_command(capsys):
    from dlnative.cli import main

    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(main(["info"])))
    thread.start()
    thread.join(timeout=60)
    assert statuses == [0]
    assert "dlnative" in capsys.readouterr().out
