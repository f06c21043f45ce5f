"""Callbacks in a run that goes on from a checkpoint, within an epoch or after one: files, rates,
averages and stops are those of one run."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from resumed_runs import alone, assert_same, backup, ending, whole_run  # noqa: F401

import dlnative
from dlnative import callbacks

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = np.random.default_rng(1).normal(size=(40, 1)).astype("float32")


def make():
    model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(1)])
    optimizer = dlnative.optimizers.SGD(0.2, use_ema=True, ema_momentum=0.8)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def used_in(folder):
    return [
        callbacks.ReduceLROnPlateau("val_loss", 0.7, patience=1, min_delta=0.05, cooldown=1),
        callbacks.SwapEMAWeights(swap_on_epoch=True),
        callbacks.StopOnPlateau("loss", min_delta=0.0, patience=30, unit="steps"),
        callbacks.CSVLogger(folder / "log.csv"),
        callbacks.JSONLLogger(folder / "log.jsonl", update_freq=3),
    ]


@pytest.mark.parametrize("save_freq", [2, "epoch"])
def test_from_every_checkpoint(whole_run, tmp_path, save_freq):  # noqa: F811
    """The files are as long as they were at the end: what was written later is cut off."""
    logs = tmp_path / "logs"
    logs.mkdir()

    def fit(model, checkpoints):
        used = used_in(logs)
        history = model.fit(
            X, Y, batch_size=8, epochs=5, verbose=0, validation_data=(X[:10], Y[:10]),
            callbacks=[*used, checkpoints],
        )  # fmt: skip
        files = {path.name: path.read_bytes() for path in sorted(logs.iterdir())}
        return ending(model, history, used), files

    (whole, files), checkpoints = whole_run(make, fit, save_freq)
    assert len(checkpoints) > 4 and len(files) == 2
    assert files["log.csv"].count(b"\n") == 6 and files["log.jsonl"].count(b"\n") == 8 + 5
    for folder in alone(checkpoints, tmp_path):
        ended, written = fit(make(), backup(folder, save_freq))
        assert_same(whole, ended)
        assert written == files


def test_events_of_tensorboard(whole_run, tmp_path):  # noqa: F811
    pytest.importorskip("tensorboardX", reason="needs tensorboardX")
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="needs tensorboard",
        exc_type=ImportError,
    )

    def read(folder):
        found = accumulator.EventAccumulator(str(folder)).Reload()
        return {
            tag: [(p.step, p.value) for p in found.Scalars(tag)]
            for tag in found.Tags()["scalars"]
            if "second" not in tag
        }

    logs = tmp_path / "logs"

    def fit(model, checkpoints):
        board = callbacks.TensorBoard(logs, update_freq=2, write_steps_per_second=True)
        model.fit(
            X, Y, batch_size=8, epochs=4, verbose=0, validation_data=(X[:10], Y[:10]),
            callbacks=[board, checkpoints],
        )  # fmt: skip
        return {kind: read(logs / kind) for kind in ("train", "validation")}

    whole, checkpoints = whole_run(make, fit)
    assert len(whole["train"]["batch_loss"]) == 10
    for number in (1, 4, len(checkpoints) - 2):
        folder = tmp_path / f"part {number}"
        folder.mkdir()
        shutil.copy(checkpoints[number], folder)
        assert fit(make(), backup(folder)) == whole
