"""Runs with checkpoints, each of which a new process could go on from."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import dlnative
from dlnative import callbacks
from dlnative.models.training_state import TrainingState
from dlnative.saving.checkpoints import CheckpointFolder


class Counts(callbacks.Callback):
    """What hooks were called, over all processes."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def get_state(self):
        return {"calls": self.calls[:]}

    def set_state(self, state):
        self.calls = list(state["calls"])

    def on_epoch_begin(self, epoch, logs=None):
        self.calls.append(f"begin {epoch}")

    def on_epoch_end(self, epoch, logs=None):
        self.calls.append(f"end {epoch} {sorted(logs.items())!r}")


class Batches(Counts):
    def on_train_batch_end(self, batch, logs=None):
        self.calls.append(f"batch {batch} {sorted(logs.items())!r}")


@pytest.fixture
def whole_run(tmp_path, monkeypatch):
    """Function that trains to the end; returns what it ended with, and all checkpoints."""
    init = CheckpointFolder.__init__
    monkeypatch.setattr(
        CheckpointFolder, "__init__", lambda self, path, keep=2: init(self, path, 10**6)
    )

    def run(make, fit, save_freq=2):
        dlnative.utils.set_random_seed(11)
        folder = tmp_path / "whole"
        ended = fit(make(), backup(folder, save_freq))
        return ended, sorted(folder.glob("*.safetensors"))

    return run


def backup(folder, save_freq=2):
    return callbacks.BackupAndRestore(folder, save_freq, delete_checkpoint=False)


def ending(model, history, used=()):
    """All that a run ends with."""
    state = TrainingState.of(model, [c for c in used if not isinstance(c, callbacks.ProgbarLogger)])
    del state.values["objectives"]  # the outputs have other names, as a model is made anew
    return state.arrays, state.values, history.history, history.epoch


def assert_same(first, second):
    arrays, others = first[0], second[0]
    assert arrays.keys() == others.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, others[name], err_msg=name)
    assert first[1:] == second[1:]


def alone(checkpoints, tmp_path):
    """Folders with one of the checkpoints each, before which seeds are those of a new process."""
    for number, path in enumerate(checkpoints):
        folder = tmp_path / f"part {number}"
        folder.mkdir()
        shutil.copy(path, folder)
        dlnative.utils.set_random_seed(11)
        yield folder


def assert_goes_on(whole, checkpoints, make, fit, tmp_path, some=None):
    """From each checkpoint, or some of them, a new process would end in the same way."""
    assert len(checkpoints) > 4
    chosen = checkpoints
    if some is not None:
        chosen = [checkpoints[i] for i in np.random.default_rng(3).permutation(len(checkpoints))]
        chosen = [*chosen[:some], checkpoints[0], checkpoints[-2], checkpoints[-1]]
    for folder in alone(chosen, tmp_path):
        assert_same(whole, fit(make(), backup(folder)))
