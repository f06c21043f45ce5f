"""Elementwise work: primitives, updates, activations and losses of ops, and steps that use them.

primitives    one op on 64 MB arrays and on arrays that fit L2, as a program: tensors have places
optimizers    updates written as formulas, of 16 M and of 64 K parameters in four arrays, beside the
              Adam kernel written by hand and the formulas in the peers
compositions  twenty activations and losses made of ops, each with its gradient
step          `fit` of 784-512-256-10 with an activation, loss, metric or optimizer of the user's
              over the same with the built-in ones, and with metrics added

`share` is the rate of bytes read and written over that of copying 64 MB arrays on the same threads
in the same process, for small arrays, too: there it may be far above 1.
"""

from __future__ import annotations

import argparse

from common.arguments import add_threads, make_parser, parse
from common.formulas import (
    ACTIVATIONS,
    HAND,
    LARGE,
    LOSSES,
    OPTIMIZERS,
    PRIMITIVES,
    SMALL,
    Spec,
    composition,
    primitive,
    update,
)
from common.machine import usable_cpus
from common.models import MNIST_MLP, training_spec, training_steps
from common.report import Case, Report
from common.stage import KEEP_MEMORY, Stage
from common.subjects import WorkerError

PEERS = ["numpy", "torch", "jax"]
PARTS = ["primitives", "optimizers", "compositions", "step"]
SIZES = {"16M": LARGE, "64K": SMALL}

COPIED = 64 << 20  # bytes of the arrays whose copy is the bandwidth
SHARE = 0.8  # of it, for what is bound by memory
UPDATE_SHARE = 1.0
BY_HAND = {"16M": 1.2, "64K": 2.5}  # time of an update over the hand-written one's, by size
WRITTEN = 1.15  # time of a step with a user's part over the built-in one's
ADDED = 1.05  # the same with a metric added

STEP = training_spec(MNIST_MLP, samples=8192, batch=128)
STEP_BOUNDS = {
    **dict.fromkeys(("activation", "loss", "metric", "optimizer", "all four"), WRITTEN),
    **dict.fromkeys(("with AUC", "with F-beta"), ADDED),
}


def rows_of(report: Report, size: str) -> int:
    """Returns the rows of the matrices of a size; `--quick` has fewer in large ones."""
    quick = report.arguments.quick and size == "16M"
    return SIZES[size] // 64 if quick else SIZES[size]


def run(
    report: Report, stage: Stage, name: str, kind: str, spec: Spec, ours_too: tuple[str, ...] = ()
) -> Case | None:
    """Times one task and prints it with the fastest peer; None where our library cannot do it."""
    try:
        case = stage.run(name, kind, spec, moved=spec["moved"], copied=COPIED, ours_too=ours_too)
    except WorkerError as error:
        print(f"{name}: not available: {error}")
        return None
    peer = best_peer(case, ours_too)
    if peer is not None:
        case.note = f"best: {peer} {case.comparison.ratio(peer):.2f}   {case.note}"
    report.add(case, wide=[*ours_too, *(label for _, _, label in stage.modes(kind))])
    return case


def best_peer(case: Case, ours_too: tuple[str, ...] = ()) -> str | None:
    """Returns the label of the fastest peer, None where there is none."""
    labels = [timing.label for timing in case.peers() if timing.label not in ours_too]
    return labels[0] if labels else None


def target_best_peer(report: Report, case: Case, ours_too: tuple[str, ...] = ()) -> None:
    """Holds the time of the fastest peer against ours."""
    peer = best_peer(case, ours_too)
    if peer is not None:
        text = f"{case.name}: time of the best peer ({peer})"
        report.target(text, case.comparison.ratio(peer), 1.0, at_least=True)


def target_share(report: Report, case: Case, bound: float) -> None:
    """Holds our rate against that of a copy."""
    report.target(f"{case.name}: share of the bandwidth", case.share_of_best, bound, at_least=True)


def bench_primitives(report: Report, stage: Stage) -> None:
    """Times every primitive; what computes much for an element is held against the peers."""
    for size in SIZES:
        for op, (group, _, _) in PRIMITIVES.items():
            name = f"{op} {size} {stage.threads}t"
            if not stage.selected(name):
                continue
            case = run(report, stage, name, "primitive", primitive(op, rows_of(report, size)))
            if case is None:
                continue
            if group == "function":
                target_best_peer(report, case)
            elif size == "16M":
                target_share(report, case, SHARE)


def bench_optimizers(report: Report, stage: Stage) -> None:
    """Times updates; the hand-written one counts by the bytes that both go through."""
    for size in SIZES:
        for optimizer in OPTIMIZERS:
            name = f"{optimizer} {size} {stage.threads}t"
            if not stage.selected(name):
                continue
            spec = update(optimizer, rows_of(report, size))
            case = run(report, stage, name, "update", spec, ours_too=("by hand",))
            if case is None:
                continue
            hand = case.comparison.ratio_of_best("by hand") * spec["moved"] / spec["by_hand"]
            text = f"{name}: time over a hand-written loop's ({HAND}'s, per byte)"
            report.target(text, 1.0 / hand, BY_HAND[size], at_least=False)
            if size == "16M":
                target_share(report, case, UPDATE_SHARE)
            target_best_peer(report, case, ("by hand",))


def bench_compositions(report: Report, stage: Stage) -> None:
    """Times activations and losses with their gradients, out of cache."""
    for formula in (*ACTIVATIONS, *LOSSES):
        name = f"{formula} {stage.threads}t"
        if not stage.selected(name):
            continue
        case = run(report, stage, name, "composition", composition(formula, rows_of(report, "16M")))
        if case is not None:
            target_share(report, case, SHARE)


def bench_step(report: Report, stage: Stage) -> None:
    """Times `fit` with parts that a user wrote, and with metrics added, over the built-in parts."""
    name = f"step of 784-512-256-10 {stage.threads}t"
    if not stage.selected(name):
        return
    others = tuple(STEP_BOUNDS)
    try:
        case = stage.run(
            name,
            "written_step",
            STEP,
            units=training_steps(STEP),
            ours_variant="built-in",
            ours_too=others,
            peers=[],
            tolerance=0.02,
        )
    except WorkerError as error:
        print(f"{name}: not available: {error}")
        return
    report.add(case)
    for variant, bound in STEP_BOUNDS.items():
        text = f"{name}: {variant}, time over built-in"
        report.target(text, case.comparison.ratio(variant), bound, at_least=False)


BENCHES = {
    "primitives": bench_primitives,
    "optimizers": bench_optimizers,
    "compositions": bench_compositions,
    "step": bench_step,
}


def make_arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    add_threads(parser, default=sorted({1, min(2, len(usable_cpus()))}))
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    return parse(parser, parts=PARTS)


def main() -> None:
    """Runs the benchmark."""
    arguments = make_arguments()
    report = Report("bench_elementwise", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS, environment=KEEP_MEMORY) as stage:
            report.describe(stage)
            for part in arguments.parts:
                # One thread cannot show what the parts of a step cost beside its products.
                if part != "step" or threads == max(arguments.threads):
                    BENCHES[part](report, stage)
    report.finish()


if __name__ == "__main__":
    main()
