"""What it costs to feed `fit` batch by batch: ready batches, and batches that are awaited.

ready   a generator of arrays that are there already, 32 x 784 float32, into 784-1: beside it the
        compiled step alone on the same arrays, which copies them, and `fit` on whole arrays; arrays
        that come from memory, and eight in turn, which stay in the caches
wait    a PyDataset whose items wait 5 ms, into a step of about 5 ms: read ahead, and with workers=0
        each when it is needed
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import dlnative
from common.arguments import add_threads, make_parser, parse
from common.report import Case, Report
from common.stage import Stage
from common.timer import compare
from dlnative.models.arrays import Rows

PARTS = ["ready", "wait"]
BATCH, FEATURES = 32, 784
READY = 400  # batches, 40 MB: they come from memory
CACHED = 8
WAIT = 5e-3
ITEMS = 40


@dataclass
class EpochSubject:
    """An epoch, as a subject of the timer."""

    label: str
    epoch: Callable[[], None]

    def measure(self, repetitions: int) -> float:
        self.epoch()
        start = time.perf_counter()
        for _ in range(repetitions):
            self.epoch()
        return (time.perf_counter() - start) / repetitions


class Waiting(dlnative.utils.PyDataset):
    """Items that take time and nothing else."""

    def __init__(self, item: tuple[np.ndarray, np.ndarray], **options: Any) -> None:
        super().__init__(**options)
        self.item = item

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        time.sleep(WAIT)
        return self.item


def model_of(units: int) -> Any:
    """A compiled model of a hidden layer, or of none for 0 units."""
    hidden = [dlnative.layers.Dense(units)] if units else []
    model = dlnative.Sequential([dlnative.Input((FEATURES,)), *hidden, dlnative.layers.Dense(1)])
    model.compile(dlnative.optimizers.SGD(1e-4), "mse")  # a larger rate would diverge
    return model


def step_alone(model: Any, batches: list[tuple[np.ndarray, np.ndarray]]) -> Callable[[], None]:
    """An epoch of calls of the compiled step, on the same arrays."""
    x, y = batches[0]
    rows = Rows([x], [y], [None], x, len(x))
    step = model._trainer.step(model, "train", len(x), rows)

    def epoch() -> None:
        run = step.function.run
        for i, (x, y) in enumerate(batches):
            run([x, y], None, 0, 1, i, None, None, i)

    return epoch


def samples(count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.random((count, FEATURES), "float32"), rng.random(count, "float32")


def bench_ready(report: Report, stage: Stage, count: int) -> None:
    """Times a generator of arrays that are there already, `count` of them in turn."""
    name = f"{count} ready batches of {BATCH} x {FEATURES}, step of 784-1"
    if not stage.selected(name):
        return
    x, y = samples(BATCH * READY)
    batches = [
        (x[i : i + BATCH].copy(), y[i : i + BATCH].copy()) for i in range(0, BATCH * count, BATCH)
    ] * (READY // count)
    model = model_of(0)

    def generator() -> Iterator[Any]:
        yield from batches

    def fit(data: Any, y: Any = None, **options: Any) -> Callable[[], None]:
        return lambda: model.fit(
            data() if callable(data) else data, y, verbose=0, shuffle=False, **options
        )

    fit(x, y)()
    subjects = [
        EpochSubject("step alone", step_alone(model, batches)),
        EpochSubject("generator, not checked", fit(generator, check_finite=False)),
        EpochSubject("whole arrays", fit(x, y, check_finite=False)),
    ]
    case = timed(stage, name, EpochSubject("generator", fit(generator)), subjects, READY)
    report.add(case)
    alone, unchecked = case.comparison.find("step alone"), case.comparison.find(subjects[1].label)
    for label, timing in (("generator", case.comparison.ours), ("not checked", unchecked)):
        cost = (timing.best - alone.best) / READY
        report.figure(f"{label} of {count}: us beside the step", cost * 1e6, f"{cost * 1e6:10.1f}")
        if label == "generator":
            report.target(f"{name}: us beside the step", cost * 1e6, 10.0, at_least=False)


def bench_wait(report: Report, stage: Stage) -> None:
    """Times items that are awaited while a step of about the same time runs."""
    name = "items that wait 5 ms, step of about 5 ms"
    if not stage.selected(name):
        return
    model = model_of(512)
    rows = 256
    for _ in range(4):  # finds the batch size of a step of 5 ms
        x, y = samples(rows)
        model.train_on_batch(x, y)
        epoch = EpochSubject("", step_alone(model, [(x, y)] * 10))
        seconds = epoch.measure(2) / 10
        rows = max(8, round(rows * WAIT / seconds))
    x, y = samples(rows)
    model.train_on_batch(x, y)

    def fit(**options: Any) -> Callable[[], None]:
        dataset = Waiting((x, y), **options)
        return lambda: model.fit(dataset, verbose=0)

    subjects = [
        EpochSubject("step alone", step_alone(model, [(x, y)] * ITEMS)),
        EpochSubject("workers=0", fit(workers=0)),
        EpochSubject("workers=2", fit(workers=2)),
    ]
    case = timed(stage, name, EpochSubject("PyDataset", fit()), subjects, ITEMS)
    report.add(case)
    longest = max(case.comparison.find("step alone").best / ITEMS, WAIT)
    cost = case.comparison.ours.best / ITEMS - longest
    report.figure("ms beside the longer of the two", cost * 1e3, f"{cost * 1e3:10.2f}")
    report.target(f"{name}: ms beside the longer", cost * 1e3, 1.0, at_least=False)


def timed(
    stage: Stage, name: str, ours: EpochSubject, others: list[EpochSubject], units: int
) -> Case:
    """The Case of subjects that run in this process."""
    arguments = stage.arguments
    comparison = compare(
        ours,
        others,
        rounds=arguments.rounds,
        round_seconds=arguments.round_seconds,
        settle=arguments.settle,
    )
    return Case(name, stage.threads, comparison, units=units)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.3)
    add_threads(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    warnings.filterwarnings("ignore", "The .* ran out of data")
    report = Report("bench_feed", arguments)
    for threads in arguments.threads:
        dlnative.config.set_num_threads(threads)
        with Stage(arguments, threads, []) as stage:
            report.describe(stage)
            if "ready" in arguments.parts:
                bench_ready(report, stage, READY)
                bench_ready(report, stage, CACHED)
            if "wait" in arguments.parts:
                bench_wait(report, stage)
    report.finish()


if __name__ == "__main__":
    main()
