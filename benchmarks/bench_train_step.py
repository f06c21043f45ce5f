"""One training step inside `fit`, against the best of PyTorch, JAX, Keras on JAX and scikit-learn.

Timed is an epoch: shuffling, gathering the rows, forward, loss, backward, update, and whatever a
library does around it; divided by the number of steps. All start each round from the same weights,
see the same data in float32, shuffle, sum up the loss and use all processors. Before timing, each
trains an epoch in the data's own order, and the losses must agree.

The ratio that counts is the one against the fastest peer, whichever it is.
"""

from __future__ import annotations

from typing import Any

from common.arguments import add_threads, make_parser, parse
from common.models import MNIST_MLP, step_flops, training_spec, training_steps
from common.report import Case, Report
from common.stage import Stage

PEERS = ["torch", "jax", "keras", "sklearn"]

# Every entry is a row group of the table: a model, its training run and the ratio to reach.
CASES: list[tuple[dict[str, Any], float]] = [
    (training_spec(MNIST_MLP, samples=8192, batch=128), 1.3),
    (training_spec(MNIST_MLP, samples=8192, batch=32), 1.3),
]


def set_target(report: Report, case: Case, bound: float) -> None:
    """Compares the ratio to the fastest peer with the bound."""
    peers = case.peers()
    if peers:
        ratio = case.comparison.ratio(peers[0].label)
        text = f"{case.name}: time of the best peer ({peers[0].label})"
        report.target(text, ratio, bound, at_least=True)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.3)
    add_threads(parser)
    arguments = parse(parser)
    report = Report("bench_train_step", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS) as stage:
            report.describe(stage)
            for spec, bound in CASES:
                model, batch = spec["model"], spec["batch"]
                name = f"{model['name']} {spec['optimizer']} batch {batch} {threads}t"
                if not stage.selected(name):
                    continue
                case = stage.run(
                    name,
                    "train",
                    spec,
                    units=training_steps(spec),
                    flops=step_flops(model, batch),
                    tolerance=0.02,
                )
                report.add(case)
                set_target(report, case, bound)
    report.finish()


if __name__ == "__main__":
    main()
