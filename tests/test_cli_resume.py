"""`train --resume`: a run that was interrupted ends with the files of the whole one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dlnative.cli import model_folder
from dlnative.datasets import toy
from dlnative.models import backup
from dlnative.saving import load

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
EPOCHS = 12
PROGRAM = """
import sys
from dlnative.cli import main
from dlnative.models import backup
backup.SECONDS = backup.SHARE = 0
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """A checkpoint whenever the one before is written."""
    monkeypatch.setattr(backup, "SECONDS", 0)
    monkeypatch.setattr(backup, "SHARE", 0)


@pytest.fixture
def blobs(tmp_path):
    x, y = toy.blobs(240, classes=3, features=4, spread=3.0, seed=1)
    path = tmp_path / "blobs.npz"
    np.savez(path, x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    return path


def command(blobs, *more):
    data = ["--data", blobs, "--hidden", 8, "--epochs", EPOCHS, "--validation-split", 0.2]
    return ["train", *data, "--dropout", 0.3, "--quiet", *more]


def interrupt(monkeypatch, epoch, number=signal.SIGINT):
    """Sends a signal after an epoch."""
    end = model_folder.BestEpoch.on_epoch_end

    def end_and_stop(self, index, logs=None):
        end(self, index, logs)
        if index + 1 == epoch:
            time.sleep(0.05)  # for the thread that writes
            signal.raise_signal(number)

    monkeypatch.setattr(model_folder.BestEpoch, "on_epoch_end", end_and_stop)


def files_of(folder):
    """The files of a model, but for what is a time of the clock."""
    names = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    found = {str(name): (folder / name).read_bytes() for name in names}
    history = json.loads(found.pop("history.json"))
    found["history.json"] = history["epochs"], history["test"], history["validation"]
    config = json.loads(found.pop("config.json"))
    found["config.json"] = config["weights"]["sha256"], config["state"]["sha256"]
    best = json.loads(found.pop("best/config.json"))
    found["best/config.json"] = best["weights"]["sha256"], best["training"]["trained_epochs"]
    return {name.replace("-2.", "."): content for name, content in found.items()}


@POSIX
@pytest.mark.parametrize("epoch", [3, EPOCHS - 1])
def test_ctrl_c_says_how_to_go_on(run, blobs, tmp_path, monkeypatch, epoch):
    whole, folder = tmp_path / "whole", tmp_path / "the model"
    log = ("--log", tmp_path / "log.csv")
    assert run(*command(blobs, "--out", whole, *log))[0] == 0
    rows = (tmp_path / "log.csv").read_bytes()
    with monkeypatch.context() as patch:
        interrupt(patch, epoch)
        status, _, err = run(*command(blobs, "--out", folder, *log))
    assert status == 130
    assert err == (
        f"\ndlnative: interrupted; {folder} has the model of epoch {epoch} of {EPOCHS}; "
        f"go on with: dlnative train --resume '{folder}'\n"
    )
    assert load(folder).training["trained_epochs"] == epoch
    assert len((folder / "history.csv").read_text().splitlines()) == epoch + 1
    status, out, err = run("train", "--resume", folder)
    assert (status, err) == (0, "") and f"saved        {folder}" in out
    assert "training goes on after epoch" in out
    assert files_of(folder) == files_of(whole)
    assert (tmp_path / "log.csv").read_bytes() == rows
    status, out, err = run("train", "--resume", folder)
    assert (status, err) == (0, "")
    assert out == f"{folder} has the model of a run that has ended: there is nothing to do\n"


@POSIX
def test_ctrl_c_before_the_first_checkpoint_after_a_step(run, blobs, tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "model"
    assert run(*command(blobs, "--out", whole))[0] == 0
    with monkeypatch.context() as patch:
        patch.setattr(backup, "SECONDS", 1e9)
        interrupt(patch, 3)
        status, _, err = run(*command(blobs, "--out", folder))
    assert status == 130
    assert "has the model of epoch 3" in err and "go on with: dlnative train --resume" in err
    status, out, err = run("train", "--resume", folder)
    assert (status, err) == (0, "") and f"saved        {folder}" in out
    assert files_of(folder) == files_of(whole)


@POSIX
def test_a_process_that_is_killed(run, blobs, tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    more = ["--epochs", 150]
    assert run(*command(blobs, *more, "--out", whole))[0] == 0
    for number in range(3):
        arguments = command(blobs, *more, "--out", folder) if not number else ["train", "--resume"]
        arguments = arguments if not number else [*arguments, folder]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        checkpoints = folder / "checkpoints"
        before = set(checkpoints.glob("*.safetensors")) if checkpoints.exists() else set()
        while process.poll() is None and not (
            checkpoints.exists() and set(checkpoints.glob("*-*.safetensors")) - before
        ):
            time.sleep(0.005)
        time.sleep(0.02 * number)
        process.kill()
        process.communicate(timeout=60)
    assert run("train", "--resume", folder)[0] == 0
    assert files_of(folder) == files_of(whole)


def test_the_best_model_by_validation(run, tmp_path):
    draws = np.random.default_rng(0)
    blobs, folder = tmp_path / "noise.npz", tmp_path / "model"
    np.savez(blobs, x=draws.normal(size=(200, 8)), y=draws.integers(0, 3, 200))
    more = ("--learning-rate", 0.1, "--schedule", "constant")
    assert run(*command(blobs, *more, "--out", folder))[0] == 0
    losses = [
        row["val_loss"] for row in json.loads((folder / "history.json").read_text())["epochs"]
    ]
    best = int(np.argmin(losses)) + 1
    assert best < EPOCHS
    saved = load(folder / "best")
    assert saved.training["trained_epochs"] == best
    assert saved.classes == load(folder).classes
    out = run("evaluate", folder / "best", "--data", blobs)[1]
    assert out.startswith("accuracy")
    assert run(*command(blobs, "--validation-split", 0, "--out", folder))[0] == 0
    assert not (folder / "best").exists()


def test_the_same_command_begins_and_goes_on(run, blobs, tmp_path, monkeypatch):
    whole, folder = tmp_path / "whole", tmp_path / "model"
    assert run(*command(blobs, "--out", whole))[0] == 0
    again = command(blobs, "--resume", folder)
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        assert run(*again)[0] == 130
    assert run(*again)[0] == 0
    assert files_of(folder) == files_of(whole)
    assert "there is nothing to do" in run(*again)[1]


def test_what_is_refused(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"

    def fails(*arguments):
        status, _, err = run(*arguments)
        assert status == 2 and len(err.splitlines()) <= 2
        return err

    assert "no run to go on with; train --out" in fails("train", "--resume", folder)
    assert "required: --data, or --resume DIR" in fails("train")
    assert "expected the folder of a run, received a file" in fails("train", "--resume", blobs)
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        run(*command(blobs, "--out", folder))
    before = files_of_checkpoints(folder)
    for option, value in (
        ("--epochs", 20),
        ("--seed", 3),
        ("--batch-size", 7),
        ("--model", "lenet"),
    ):
        assert f"own options, {option}" in fails("train", "--resume", folder, option, value)
    assert "own options, --dropout 0.3" in fails(
        *command(blobs, "--resume", folder), "--dropout", 0
    )
    assert "--out: expected none beside" in fails("train", "--resume", folder, "--out", tmp_path)
    x, y = toy.blobs(240, classes=3, features=4, spread=3.0, seed=2)
    np.savez(blobs, x_train=x[:200], y_train=y[:200], x_test=x[200:], y_test=y[200:])
    assert "another run" in fails("train", "--resume", folder)
    assert files_of_checkpoints(folder) == before
    (folder / "checkpoints" / "command.json").write_text("{")
    assert "damaged" in fails("train", "--resume", folder)


def files_of_checkpoints(folder):
    return {path.name: path.read_bytes() for path in (folder / "checkpoints").iterdir()}


def test_a_new_run_replaces_one_that_was_interrupted(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        run(*command(blobs, "--out", folder))
    assert (folder / "checkpoints").exists()
    assert run(*command(blobs, "--out", folder, "--seed", 5))[0] == 0
    assert not (folder / "checkpoints").exists()


def test_threads_and_quiet_are_of_the_process(run, blobs, tmp_path, monkeypatch):
    folder = tmp_path / "model"
    with monkeypatch.context() as patch:
        interrupt(patch, 5)
        run(*command(blobs, "--out", folder, "--threads", 1))
    status, out, _ = run("train", "--resume", folder, "--threads", 2)
    assert status == 0 and "Epoch 12/12" in out
