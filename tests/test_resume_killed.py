"""A process that trains is killed again and again, and the run ends with the same bits."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGKILL to a process")

PROGRAM = '''
import os, sys, time
import numpy as np, dlnative
from dlnative import callbacks, layers, optimizers

folder, log, result, epochs = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])


class Log(callbacks.Callback):
    """A line for each epoch; what was written after the checkpoint is cut off."""

    bytes = 0

    def get_state(self):
        return {"bytes": self.bytes}

    def set_state(self, state):
        self.bytes = state["bytes"]

    def on_train_begin(self, logs=None):
        self.file = open(log, "ab")
        self.file.truncate(self.bytes)
        print("ready", flush=True)

    def on_epoch_end(self, epoch, logs=None):
        self.file.write(f"{epoch} {sorted(logs.items())}\\n".encode())
        self.file.flush()
        self.bytes = self.file.tell()
        time.sleep(0.002)

    def on_train_end(self, logs=None):
        self.file.close()


dlnative.utils.set_random_seed(5)
draws = np.random.default_rng(0)
x = draws.normal(size=(60, 6, 6, 1)).astype("float32")
y = draws.integers(0, 3, 60)
model = dlnative.Sequential([
    dlnative.Input((6, 6, 1)),
    layers.RandomTranslation(0.1, 0.1),
    layers.Conv2D(4, 3, activation="relu"),
    layers.BatchNormalization(),
    layers.Flatten(),
    layers.Dropout(0.3),
    layers.Dense(3, "softmax"),
])
rate = optimizers.schedules.CosineDecay(0.01, 20000)
model.compile(
    optimizers.AdamW(rate, use_ema=True, ema_overwrite_frequency=7, gradient_accumulation_steps=2),
    "sparse_categorical_crossentropy",
    metrics=["accuracy"],
)
stop = callbacks.EarlyStopping("val_loss", patience=10**6, restore_best_weights=True)
history = model.fit(
    x, y, batch_size=7, epochs=epochs, verbose=0, validation_split=0.2,
    callbacks=[
        Log(), stop,
        callbacks.BackupAndRestore(folder, 3, double_checkpoint=True, delete_checkpoint=False),
    ],
)
state = dlnative.models.training_state.TrainingState.of(model, [stop])
np.savez(result, values=repr((history.history, history.epoch, state.values)), **state.arrays)
'''


def start(tmp_path, name, epochs):
    arguments = [str(tmp_path / f"{name}{end}") for end in ("", ".log", ".npz")]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments, str(epochs)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output, errors


@pytest.mark.parametrize(
    ("kills", "epochs"), [(12, 120), pytest.param(50, 600, marks=pytest.mark.slow)]
)
def test_the_same_bits_after_kills(kills, epochs, tmp_path):
    ended(start(tmp_path, "whole", epochs))
    draws = random.Random(kills)
    interrupted = 0
    for _ in range(kills):
        process = start(tmp_path, "killed", epochs)
        process.stdout.readline()  # "ready"; nothing where the run has ended
        time.sleep(draws.uniform(0, 0.04))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        interrupted += process.returncode == -signal.SIGKILL
    assert interrupted > kills // 2
    ended(start(tmp_path, "killed", epochs))
    whole, killed = (np.load(tmp_path / f"{name}.npz") for name in ("whole", "killed"))
    assert set(whole.files) == set(killed.files)
    for name in whole.files:
        np.testing.assert_array_equal(killed[name], whole[name], err_msg=name)
    assert (tmp_path / "killed.log").read_bytes() == (tmp_path / "whole.log").read_bytes()
    names = os.listdir(tmp_path / "killed")
    assert len(names) == 3 and not any(name.startswith(".") for name in names)
