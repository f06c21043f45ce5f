"""Folders of models that are mutated, killed in `save`, and read beside writers.

`search(seed, cases, report)` makes random cases and reports each that ends in anything but the
model, FileNotFoundError or ValueError; on the command line: status 0, or 2 and one line.
"""

from __future__ import annotations

import contextlib
import csv
import io
import random
import resource
import shutil
import signal
import tempfile
import time
from pathlib import Path

import folder_mutations
import folder_writers
import numpy as np

import dlnative
from dlnative import layers
from dlnative.cli import main
from dlnative.models.training_state import TrainingState
from dlnative.random import seeds
from dlnative.saving import load, save

SECONDS = 20  # that a case may take: far more than any does, so that the machine may be busy
MEMORY = 2**30  # bytes that a case may take more than the process has
KILLS, INTERRUPTS, READS = 0.01, 0.05, 0.02  # shares of the cases


def search(seed, cases, report):
    """Runs random cases.

    Args:
        seed: An integer; the same one gives the same mutations.
        cases: How many.
        report: Called with a description of each finding.
    """
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        rest = cases
        for check, share in (
            (folder_writers.kills, KILLS),
            (folder_writers.interrupts, INTERRUPTS),
            (folder_writers.readers, READS),
        ):
            count = round(share * cases)
            rest -= count
            if count:
                for finding in folder_writers.run(check, place / check.__name__, seed, count):
                    report(f"folders: {finding}")
        table = write_table(place / "table.csv")
        bases = [write_classifier(place, table), *write_models(place), *write_trained(place)]
        for case in range(rest):
            draw = random.Random(f"{seed} {case}")
            for finding in try_folder(draw, draw.choice(bases), place / "case", table):
                report(f"folders: case {case} of seed {seed}: {finding}")


# --- folders to begin with -----------------------------------------------------------------------


def write_table(path):
    draw = np.random.Generator(np.random.PCG64(1))
    with open(path, "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["a", "b", "c", "kind"])
        for i in range(30):
            writer.writerow([*draw.normal(i % 2, 1, 3).round(3), ["cat", "dog"][i % 2]])
    return path


def write_classifier(place, table):
    folder = place / "classifier"
    command = ["train", "--data", table, "--epochs", 1, "--hidden", "4", "--quiet", "--out", folder]
    with contextlib.redirect_stdout(io.StringIO()):
        assert main([str(word) for word in command]) == 0
    return folder


def write_models(place):
    """A stack with layers of every kind, and a graph with nested and shared models."""
    image = dlnative.Sequential(
        [
            layers.Input((8, 8, 3)),
            layers.RandomFlip(),
            layers.Conv2D(4, 3, kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.PReLU(shared_axes=[1, 2]),
            layers.SeparableConv2D(4, 3, padding="same"),
            layers.UpSampling2D(2),
            layers.ZeroPadding2D(1),
            layers.MaxPooling2D(),
            layers.GroupNormalization(2),
            layers.Cropping2D(1),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Reshape((2, 2)),
            layers.Permute((2, 1)),
            layers.Flatten(),
            layers.LayerNormalization(),
            layers.Dense(3, kernel_initializer=dlnative.initializers.HeNormal(seed=1)),
        ]
    )
    inner = dlnative.Sequential([layers.Input((4,)), layers.Dense(4, activation="tanh")])
    inputs = layers.Input((4,)), layers.Input((4,))
    both = layers.Concatenate()([inner(inputs[0]), inner(inner(inputs[1]))])
    graph = dlnative.Model(list(inputs), [layers.Dense(2)(both), layers.Add()(list(inputs))])
    for name, model in (("image", image), ("graph", graph)):
        save(model, place / name, classes=["a", "b", "c"], training={"rate": 0.5})
        yield place / name


def write_trained(place):
    """Compiled and trained models: slots, sums of metrics, averages, multipliers, callbacks."""
    x = np.linspace(-1, 1, 60, dtype="float32").reshape(12, 5)
    y = (x.sum(1) > 0).astype("int32")
    inputs = layers.Input((5,))
    h = layers.Dropout(0.2)(layers.Dense(4, activation="relu", name="hidden")(inputs))
    two = {
        "a": layers.Dense(2, activation="softmax", name="a")(h),
        "b": layers.Dense(1, name="b")(h),
    }
    heads = dlnative.Model(inputs, two)
    heads.compile(
        dlnative.optimizers.SGD(
            dlnative.optimizers.schedules.ExponentialDecay(0.1, 5, 0.5), momentum=0.9, use_ema=True
        ),
        {"a": "sparse_categorical_crossentropy", "b": dlnative.losses.Huber(0.5)},
        loss_weights={"a": 0.5},
        metrics={"a": ["accuracy", dlnative.metrics.SparseTopKCategoricalAccuracy(2)]},
        weighted_metrics={"b": ["mae", dlnative.metrics.R2Score()]},
    )
    heads.fit(x, {"a": y, "b": x.sum(1)}, verbose=0)
    heads.layers[1].learning_rate_factor = 0.5
    save(heads, place / "heads")

    bound = dlnative.Sequential([layers.Input((5,)), layers.Dense(1, activation="sigmoid")])
    bound.compile(
        dlnative.optimizers.AdamW(gradient_accumulation_steps=2),
        "binary_crossentropy",
        metrics=[dlnative.metrics.AUC(num_thresholds=7), dlnative.metrics.F1Score(threshold=0.5)],
        inequality=mostly_zero,
    )
    bound.optimizer.exclude_from_weight_decay(var_names=["bias"])
    stop = dlnative.callbacks.EarlyStopping("loss", restore_best_weights=True)
    bound.fit(x, y[:, None], callbacks=[stop], verbose=0)
    save(bound, place / "bound", state=TrainingState.of(bound, [stop]))
    yield place / "heads"
    yield place / "bound"


@dlnative.utils.register_keras_serializable("campaign")
def mostly_zero(y_pred):
    return dlnative.ops.mean(y_pred) - 0.3


# --- one case ------------------------------------------------------------------------------------


def try_folder(draw, base, folder, table):
    """Mutates a copy of a folder, loads it, and uses it on the command line."""
    shutil.copytree(base, folder, symlinks=True)
    try:
        try:
            what, is_refused = folder_mutations.change(draw, folder)
        except RecursionError:  # several times nested more deeply
            return
        drawn = dict(seeds._state)
        with bounded():
            start = time.perf_counter()
            result = outcome(lambda: load(folder))
            if not isinstance(result, (dlnative.saving.SavedModel, ValueError, FileNotFoundError)):
                yield f"{what}: load raised {result!r:.300}"
            elif isinstance(result, Exception) and str(folder) not in str(result):
                yield f"{what}: the message does not name the folder: {result!r:.300}"
            elif is_refused and not isinstance(result, Exception):
                yield f"{what}: loaded"
            if {**seeds._state, "streams": drawn["streams"]} != drawn:
                yield f"{what}: load drew from the global stream"
            if isinstance(result, dlnative.saving.SavedModel) and result.state is not None:
                yield from (f"{what}: {text}" for text in try_state(result))
                outcome(lambda: train(result.model))  # however it ends, it does
            if draw.random() < 0.3:
                for command in ("predict", "evaluate", "info"):
                    yield from (f"{what}: {text}" for text in try_command(command, folder, table))
            if time.perf_counter() - start > SECONDS:
                yield f"{what}: took {time.perf_counter() - start:.0f} s"
    finally:
        remove(folder)


def try_state(saved):
    """Puts the state of a loaded model back into it, and its global stream away again."""
    stream = seeds.get_state()
    stop = [dlnative.callbacks.EarlyStopping("loss") for _ in saved.state.values["callbacks"]]
    raised = outcome(lambda: saved.state.put_back(saved.model, stop))
    if raised is not None and not isinstance(raised, ValueError):
        yield f"put_back raised {raised!r:.300}"
    seeds.set_state(stream)


def train(model):
    """A step on ones."""
    specs = [(tensor.shape, tensor.dtype) for tensor in (*model.inputs, *model.outputs)]
    arrays = [np.ones([size or 2 for size in shape], dtype) for shape, dtype in specs]
    x, y = arrays[: len(model.inputs)], arrays[len(model.inputs) :]
    model.train_on_batch(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0])


def try_command(command, folder, table):
    out, err = io.StringIO(), io.StringIO()
    more = [] if command == "info" else ["--data", str(table)]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = outcome(lambda: main([command, str(folder), *more]))
    lines = err.getvalue().splitlines()
    if status not in (0, 2) or (status == 2 and len(lines) != 1):
        yield f"dlnative {command}: status {status!r:.300}, {lines[-3:]}"


def outcome(function):
    """What a function returns or raises."""
    try:
        return function()
    except Exception as error:
        return error


@contextlib.contextmanager
def bounded():
    """A `with` block that raises TimeoutError or MemoryError where it takes too much."""

    def stop(*_):
        raise TimeoutError(f"more than {SECONDS} s")

    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    former = signal.signal(signal.SIGALRM, stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGALRM, former)


def remove(folder):
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)
