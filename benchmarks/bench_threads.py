"""All threads against one, over a sweep of sizes, and several threads that predict side by side.

sweep    a thread more must never cost time
callers  eight threads that predict with one model, against eight with a model each, and against one
         thread that does all of it; each run on one thread, and on all

For the sweep two processes of the same library run the same work, one with a single thread, one
with all. The ratio is the single thread's time over that of all: 1 where the work is too small to
divide, the number of threads where it is large, and never below 1 but for noise.

`--ours torch` shows another library's curve.
"""

from __future__ import annotations

from typing import Any

from common.arguments import make_parser, parse
from common.machine import usable_cpus
from common.models import MNIST_MLP, mlp, training_spec, training_steps
from common.networks import lenet
from common.report import Report
from common.stage import Stage, compare_threads

WIDTHS = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 1024]
CUBES = [8, 16, 32, 48, 64, 96, 128, 192, 256, 512, 1024]
NOISE = 0.95
PARTS = ["sweep", "callers"]
CALLERS = 8


def work() -> list[tuple[str, str, dict[str, Any], int]]:
    """Returns name, kind, spec and number of steps of every case."""
    cases = []
    for width in WIDTHS:
        model = mlp(
            f"{width}-{width}-{width}-10",
            [width, width, width, 10],
            "relu",
            "sparse_softmax_cross_entropy",
        )
        spec = training_spec(model, samples=2048, batch=32)
        cases.append((f"train {model['name']} batch 32", "train", spec, training_steps(spec)))
    for size in CUBES:
        spec = {
            "m": size,
            "n": size,
            "k": size,
            "dtype": "float32",
            "transpose_a": False,
            "transpose_b": False,
            "seed": 1,
        }
        cases.append((f"matmul {size}x{size}x{size}", "matmul", spec, 1))
    return cases


def bench_sweep(report: Report, one: Stage, many: Stage) -> None:
    """Compares one thread with all."""
    for name, kind, spec, units in work():
        if many.selected(name):
            case = compare_threads(name, kind, spec, one, many, units=units)
            report.add(case, wide=["one thread"])
            ratio = case.comparison.ratio("one thread")
            report.target(f"{name}: one thread's time", ratio, NOISE, at_least=True)


def bench_callers(report: Report, stage: Stage) -> None:
    """Compares threads that share a model with threads that do not."""
    for name, model, batch, calls in [
        ("784-512-256-10 batch 1", MNIST_MLP, 1, 50),
        ("784-512-256-10 batch 128", MNIST_MLP, 128, 5),
        ("lenet batch 32", lenet(), 32, 5),
    ]:
        title = f"{CALLERS} callers {name} {stage.threads}t"
        if not stage.selected(title):
            continue
        spec = {"model": model, "batch": batch, "calls": calls, "callers": CALLERS}
        case = stage.run(
            title, "callers", spec, units=CALLERS * calls, ours_too=("one model each", "one thread")
        )
        report.add(case, wide=["one model each", "one thread"])
        for label, bound in [("one model each", NOISE), ("one thread", NOISE)]:
            ratio = case.comparison.ratio(label)
            report.target(f"{title}: time of {label}", ratio, bound, at_least=True)


def main() -> None:
    """Runs the benchmark."""
    processors = len(usable_cpus())
    parser = make_parser(__doc__, rounds=9, round_seconds=0.05)
    parser.add_argument("--threads", type=int, default=processors, help="default: %(default)s")
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    if arguments.threads < 2:
        parser.error("two processors are needed to compare with one")
    report = Report("bench_threads", arguments)
    with (
        Stage(arguments, 1, [], pin=False) as one,
        Stage(arguments, arguments.threads, [], pin=False) as many,
    ):
        report.describe(one)
        report.describe(many)
        if "sweep" in arguments.parts:
            bench_sweep(report, one, many)
        if "callers" in arguments.parts:
            bench_callers(report, one)
            bench_callers(report, many)
    report.finish()


if __name__ == "__main__":
    main()
