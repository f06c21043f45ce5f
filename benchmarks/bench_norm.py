"""ReLU and normalisations on images larger than the caches: share of the memory bandwidth.

Beside each operation stands the same fused with the ReLU after it and with the addition of a
residual block, for which PyTorch runs two or three operations in place unless it compiles.

Bytes are those that must go through memory: normalising over the batch reads its inputs once for
the sums and once more to normalise. The column `once` is the rate with each array counted once.
"""

from __future__ import annotations

from common.arguments import add_threads, make_parser, parse
from common.machine import usable_cpus
from common.operations import elementwise
from common.report import Report
from common.stage import KEEP_MEMORY, Stage

PEERS = ["torch", "jax"]
SHARE = 0.8

# 64 MiB: more than a core complex of a server has as its last-level cache.
SHAPE = [64, 64, 64, 64]

# Operation, ReLU after it, residual added before that.
CASES = [
    ("relu", False, False),
    ("batch_norm_training", False, False),
    ("batch_norm_training", True, False),
    ("batch_norm_training", True, True),
    ("batch_norm", True, False),
    ("layer_norm", False, False),
    ("group_norm", False, False),
]


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    processors = len(usable_cpus())
    add_threads(parser, default=[1] if processors == 1 else [1, 2])
    arguments = parse(parser)
    report = Report("bench_norm", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS, environment=KEEP_MEMORY) as stage:
            report.describe(stage)
            columns = [label for _, _, label in stage.modes("norm")]
            for op, relu, residual in CASES:
                for which in ("forward", "backward"):
                    # Training never runs batch normalisation with given statistics backward.
                    if op == "batch_norm" and which == "backward":
                        continue
                    name = op + " + add" * residual + " + relu" * relu + f" {which} {threads}t"
                    if not stage.selected(name):
                        continue
                    spec = elementwise(op, which, SHAPE, relu=relu, residual=residual)
                    case = stage.run(name, "norm", spec, moved=spec["moved"])
                    once = spec["bytes"] / case.comparison.ours.best / 1e9
                    case.note = f"once: {once:.1f} GB/s {case.note}".rstrip()
                    report.add(case, wide=columns)
                    text = f"{name}: share of the bandwidth"
                    report.target(text, case.share_of_best, SHARE, at_least=True)
    report.finish()


if __name__ == "__main__":
    main()
