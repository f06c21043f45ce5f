"""Pooling on images larger than the caches: share of the memory bandwidth.

Windows are 2x2 and disjoint, or 3x3 and overlap; both move by 2.

Bytes count each array once: the images, the results, for max pooling one byte for the position of
each maximum where the backward pass uses positions. PyTorch's positions take eight; JAX looks for
the maxima again.
"""

from __future__ import annotations

from itertools import product

from common.arguments import add_threads, make_parser, parse
from common.machine import usable_cpus
from common.operations import pooling
from common.report import Report
from common.stage import KEEP_MEMORY, Stage

PEERS = ["torch", "jax"]
SHARE = 0.8

# 64 MiB: more than a core complex of a server has as its last-level cache.
SHAPE = [64, 64, 64, 64]
KINDS = ["max", "max with positions", "average"]
SIZES = [2, 3]


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    processors = len(usable_cpus())
    add_threads(parser, default=[1] if processors == 1 else [1, 2])
    arguments = parse(parser)
    report = Report("bench_pool", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS, environment=KEEP_MEMORY) as stage:
            report.describe(stage)
            columns = [label for _, _, label in stage.modes("pool")]
            for size, kind, which in product(SIZES, KINDS, ("forward", "backward")):
                name = f"{kind} {size}x{size} {which} {threads}t"
                if not stage.selected(name):
                    continue
                spec = pooling(kind, which, SHAPE, size=size)
                case = stage.run(name, "pool", spec, moved=spec["moved"])
                report.add(case, wide=columns)
                text = f"{name}: share of the bandwidth"
                report.target(text, case.share_of_best, SHARE, at_least=True)
    report.finish()


if __name__ == "__main__":
    main()
