"""One training step inside `fit`, against the best of PyTorch, JAX, Keras and scikit-learn.

Timed is an epoch: shuffling, gathering the rows, forward, loss, backward, update, and whatever a
library does around it; divided by the number of steps. All start each round from the same weights,
see the same data in float32, shuffle, sum up the loss and use all processors. Before timing, each
trains an epoch in the data's own order, and the losses must agree.

The ratio that counts is the one against the fastest peer, whichever it is.

time         the times
memory       peak resident memory of a process that trains, beyond that of the imported library
build        time to build the training programs of deep networks
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from common.arguments import add_threads, make_parser, parse
from common.models import MNIST_MLP, step_flops, training_spec, training_steps
from common.networks import cifar_resnet, lenet, lenet5, resnet18, vgg6
from common.report import Case, Report, show_seconds
from common.stage import KEEP_COMPILED, Stage
from common.subjects import WorkerError

PEERS = ["torch", "jax", "keras", "keras-tf", "sklearn"]
PARTS = ["time", "memory", "build"]

# PyTorch's peak memory must be at least this many times ours: ours is 0.7 of it at most.
MEMORY = 0.7

# A peer's mode that takes this many times as long as the fastest is timed in one round only.
ALSO_RAN = 1.4


@dataclass(frozen=True)
class Run:
    """A row group of the table.

    Attributes:
        spec: The training run.
        bound: The time of the best peer over ours that should be reached.
        kind: The kind of task.
        rounds: Most rounds, where a round takes many seconds.
    """

    spec: dict[str, Any]
    bound: float
    kind: str = "train_images"
    rounds: int = 7

    def name(self, threads: int) -> str:
        """For instance 'lenet adam batch 128 2t'."""
        spec = self.spec
        return f"{spec['model']['name']} {spec['optimizer']} batch {spec['batch']} {threads}t"


def sgd(model: dict[str, Any], batch: int, steps: int) -> dict[str, Any]:
    """Describes training by SGD with momentum."""
    return training_spec(
        model,
        samples=steps * batch,
        batch=batch,
        optimizer="sgd",
        learning_rate=0.01,
        momentum=0.9,
    )


RUNS = [
    Run(training_spec(MNIST_MLP, samples=8192, batch=128), 1.3, "train"),
    Run(training_spec(MNIST_MLP, samples=8192, batch=32), 1.3, "train"),
    Run(training_spec(lenet(), samples=1024, batch=128), 1.5, rounds=5),
    Run(training_spec(lenet5(), samples=2048, batch=128), 2.0, rounds=5),
    Run(sgd(vgg6(), 128, 2), 1.3, rounds=3),
    Run(sgd(cifar_resnet(20), 128, 2), 1.4, rounds=3),
    Run(sgd(cifar_resnet(20), 32, 6), 1.4, rounds=3),
    Run(sgd(resnet18(), 32, 2), 1.25, rounds=3),
]
# Depth and the seconds its program may take to build.
BUILDS = [(20, 0.3), (110, 1.5)]


def set_target(report: Report, case: Case, bound: float) -> None:
    """Compares the ratio to the fastest peer with the bound."""
    peers = case.peers()
    if peers:
        ratio = case.comparison.ratio(peers[0].label)
        text = f"{case.name}: time of the best peer ({peers[0].label})"
        report.target(text, ratio, bound, at_least=True)


def measure_memory(report: Report, stage: Stage, run: Run) -> dict[str, int]:
    """Measures the peak memory of every mode that is not compiled, each in a fresh process.

    A compiler's own memory would count, and it compiles in the process that trains. Where a library
    has several other modes, the target is against the one that needs the least.

    Returns:
        Bytes by label.
    """
    ours = stage.arguments.ours
    first = stage.described[ours]["variants"].get(run.kind, [""])[0]
    found: dict[str, int] = {}
    for name, variant, label in [(ours, first, ours), *stage.modes(run.kind)]:
        if variant in ("NHWC compiled", "NCHW compiled", "compiled", "XLA", "scan", "onednn"):
            continue
        try:
            found[label] = stage.peak_memory(name, run.kind, variant, run.spec)
        except WorkerError as error:
            print(f"{'':4}{label}: memory not measured: {error}")
    torch = [peak for label, peak in found.items() if label.startswith("torch") and label != ours]
    if torch and ours in found and run.kind == "train_images":
        text = f"{run.name(stage.threads)}: peak memory over PyTorch's"
        report.target(text, found[ours] / min(torch), MEMORY, at_least=False)
    return found


def bench_run(report: Report, stage: Stage, run: Run) -> None:
    """Times one training run and measures its memory, as asked for."""
    arguments, name = stage.arguments, run.name(stage.threads)
    memory = measure_memory(report, stage, run) if "memory" in arguments.parts else {}
    if "time" in arguments.parts:
        model, batch = run.spec["model"], run.spec["batch"]
        case = stage.run(
            name,
            run.kind,
            run.spec,
            units=training_steps(run.spec),
            flops=step_flops(model, batch),
            tolerance=0.02,
            rounds=min(arguments.rounds, run.rounds),
            also_ran=ALSO_RAN if run.kind == "train_images" else float("inf"),
        )
        case.memory = memory
        report.add(case)
        set_target(report, case, run.bound)
    elif memory:
        print(f"\n{name}: peak memory")
        for label, peak in sorted(memory.items(), key=lambda item: item[1]):
            report.figure(f"{name}: memory of {label}", peak, f"{peak / 1e6:10.0f} MB")


def bench_build(report: Report, stage: Stage) -> None:
    """Measures how long the training programs of deep networks take to build."""
    worker = stage.workers[stage.arguments.ours]
    repeats = 2 if stage.arguments.quick else 5
    for depth, bound in BUILDS:
        name = f"build the training program of resnet{depth}"
        if not stage.selected(name):
            continue
        # Building does not depend on the batch: a small one, because four steps are run.
        spec = {"training": sgd(cifar_resnet(depth), 2, 1), "repeats": repeats}
        try:
            seconds = worker.request(do="query", name="build", spec=spec)["seconds"]
        except WorkerError as error:
            print(f"{name}: not measured: {error}")
            continue
        first, median = seconds[0], statistics.median(seconds)
        text = f"  median {show_seconds(median)}, first {show_seconds(first)}"
        report.figure(name, seconds, text)
        report.target(f"{name}: s", median, bound, at_least=False)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.3)
    add_threads(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    report = Report("bench_train_step", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS, environment=KEEP_COMPILED) as stage:
            report.describe(stage)
            for run in RUNS:
                if stage.selected(run.name(threads)):
                    bench_run(report, stage, run)
            if "build" in arguments.parts:
                print()
                bench_build(report, stage)
    report.finish()


if __name__ == "__main__":
    main()
