"""Many small models: `fit_many` on all cores, against one after the other, and a loop of PyTorch.

64 fits of 8-16-1 with 1000 rows in batches of 32, 20 epochs, Adam: building each model is part of
it, as it is for whoever tries seeds and hyperparameters. Times are those of one model. Weights
differ between libraries: the times are compared, and each trains on the same data. PyTorch has one
thread, which is its fastest for models as small as this.
"""

from __future__ import annotations

from typing import Any

from common.arguments import add_threads, make_parser, parse
from common.models import mlp, training_spec
from common.report import Report
from common.stage import Stage

SMALL = mlp("8-16-1", [8, 16, 1], "relu", "sigmoid_cross_entropy")
ROWS = 1000  # so that there is a smaller batch at the end of an epoch, as with most data


def many(models: int, rows: int = ROWS, epochs: int = 20) -> dict[str, Any]:
    """Describes models to train one after the other or side by side."""
    training = training_spec(SMALL, samples=32, batch=32, learning_rate=0.01, epochs=epochs)
    return {"models": models, "training": {**training, "samples": rows}}


def bench(report: Report, stage: Stage, models: int) -> None:
    """Measures the fits."""
    name = f"{models} fits of {SMALL['name']}, {stage.threads} workers"
    if not stage.selected(name):
        return
    case = stage.run(
        name, "fit_many", many(models), units=models, ours_too=("one after the other",)
    )
    report.add(case)
    if stage.threads == 2:
        alone = case.comparison.ratio("one after the other")
        report.target(f"{name}: time of one after the other", alone, 1.8, at_least=True)
    peers = [timing for timing in case.peers() if timing.label.startswith("torch")]
    if peers:
        best = min(case.comparison.ratio(timing.label) for timing in peers)
        report.target(f"{name}: time of a loop of PyTorch", best, 20.0, at_least=True)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=5, round_seconds=0.5)
    add_threads(parser)
    parser.add_argument("--models", type=int, default=64, help="default: %(default)s")
    arguments = parse(parser)
    report = Report("bench_fit_many", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, ["torch"], peer_threads=1) as stage:
            report.describe(stage)
            bench(report, stage, 4 if arguments.quick else arguments.models)
    report.finish()


if __name__ == "__main__":
    main()
