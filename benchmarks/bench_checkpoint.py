"""What checkpoints cost while `fit` trains: every 100 steps, beside the same steps without.

A model of two hidden layers with SGD and momentum has a state of about 50 MB. The batch is such
that a step takes about 30 ms, or 5 ms. A turn is epochs of 100 steps, each of which has a
checkpoint; the first epoch of a `fit`, and what `fit` writes before and after, are not timed.

cost    the time of such an epoch over that without checkpoints, by turns in this process
parts   the copy, which is all that the training thread does, and the writing, which a thread does
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import dlnative
from common.arguments import add_threads, make_parser, parse
from common.report import Case, Report, show_seconds
from common.stage import Stage
from common.timer import compare
from dlnative.models.training_state import TrainingState
from dlnative.saving.checkpoints import CheckpointFolder

PARTS = ["cost", "parts"]
STEPS = 100  # of an epoch, and between two checkpoints
UNITS = 2450  # of a hidden layer: 50 MB of weights and momenta
SECONDS = {"a step of about 30 ms": 30e-3, "a step of about 5 ms": 5e-3}
BOUND = 1.03  # for the longer step


class Stopwatch(dlnative.callbacks.Callback):
    """Times all epochs but the first."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = self.ended = 0.0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 1:
            self.begun = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.ended = time.perf_counter()


class Epochs:
    """Epochs of `fit`, as a subject of the timer.

    Args:
        label: What it is called.
        model: The model.
        rows: Rows of a batch.
        folder: Where checkpoints go; None for none.
    """

    def __init__(self, label: str, model: Any, rows: int, folder: Path | None) -> None:
        self.label = label
        self._model = model
        self._x, self._y = samples(rows * STEPS)
        self._rows = rows
        self._folder = folder

    def measure(self, repetitions: int) -> float:
        watch = Stopwatch()
        used: list[Any] = [watch]
        if self._folder is not None:
            used.append(dlnative.callbacks.BackupAndRestore(self._folder, STEPS, True))
        options = {"batch_size": self._rows, "verbose": 0, "check_finite": False}
        self._model.fit(self._x, self._y, epochs=repetitions + 1, callbacks=used, **options)
        return (watch.ended - watch.begun) / repetitions


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((count, 32), "float32"), rng.random(count, "float32")


def model_of(units: int) -> Any:
    """A compiled model of two hidden layers."""
    hidden = [dlnative.layers.Dense(units, "relu"), dlnative.layers.Dense(units, "relu")]
    model = dlnative.Sequential([dlnative.Input((32,)), *hidden, dlnative.layers.Dense(1)])
    model.compile(dlnative.optimizers.SGD(1e-4, momentum=0.9), "mse")
    return model


def rows_for(model: Any, seconds: float) -> int:
    """Rows of a batch whose step takes about so long."""
    rows = 64
    for _ in range(4):
        x, y = samples(rows)
        model.train_on_batch(x, y)
        start = time.perf_counter()
        for _ in range(10):
            model.train_on_batch(x, y)
        took = (time.perf_counter() - start) / 10
        rows = max(1, round(rows * seconds / took))
    return rows


def bench_cost(report: Report, stage: Stage, folder: Path) -> None:
    """Times epochs with checkpoints and without, by turns."""
    model = model_of(UNITS)
    for name, seconds in SECONDS.items():
        if not stage.selected(name):
            continue
        rows = rows_for(model, seconds)
        arguments = stage.arguments
        comparison = compare(
            Epochs("with checkpoints", model, rows, folder),
            [Epochs("without", model, rows, None)],
            rounds=arguments.rounds,
            round_seconds=arguments.round_seconds,
            settle=arguments.settle,
        )
        case = Case(f"{name}, batch {rows}", stage.threads, comparison, units=STEPS)
        report.add(case)
        ratio = 1 / comparison.ratio("without")
        report.figure(f"{name}: with / without", ratio, f"{ratio:10.4f}")
        if seconds == max(SECONDS.values()):
            report.target(f"{name}: with / without", ratio, BOUND, at_least=False)


def bench_parts(report: Report, stage: Stage, folder: Path) -> None:
    """Times the copy of the state, and its writing."""
    model = model_of(UNITS)
    model.train_on_batch(*samples(8))
    size = sum(array.nbytes for array in TrainingState.of(model).arrays.values())
    report.figure("MB of a checkpoint", size / 1e6, f"{size / 1e6:10.1f}")
    copies, writes, memory = [], [], {}
    with CheckpointFolder(folder) as checkpoints:
        for _ in range(stage.arguments.rounds):
            start = time.perf_counter()
            state = TrainingState.of(model, memory=memory)
            memory, copied = state.arrays, time.perf_counter()
            checkpoints.write(state.arrays, state.values)
            copies.append(copied - start)
            writes.append(time.perf_counter() - copied)
        checkpoints.clear()
    for name, times in (("copy", copies), ("digest, write and flush", writes)):
        report.figure(name, times, f"{show_seconds(statistics.median(times)):>10}")


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=5, round_seconds=3.0)
    add_threads(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    report = Report("bench_checkpoint", arguments)
    with tempfile.TemporaryDirectory() as place:
        for threads in arguments.threads:
            dlnative.config.set_num_threads(threads)
            with Stage(arguments, threads, []) as stage:
                report.describe(stage)
                if "cost" in arguments.parts:
                    bench_cost(report, stage, Path(place, "cost"))
                if "parts" in arguments.parts:
                    bench_parts(report, stage, Path(place, "parts"))
    report.finish()


if __name__ == "__main__":
    main()
