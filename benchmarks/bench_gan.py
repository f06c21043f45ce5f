"""A step of a GAN on 28 x 28 images, batch 64: the judge's update and the maker's.

Here as one `train_step` with two optimizers, which is one program, and as Keras users wrote it
before: two models that share the judge, `trainable` switched to and fro; beside PyTorch, eager.
Weights differ between libraries: the times are compared, and each trains on the same data.

step     the times
switch   what setting `trainable` of the judge costs, and finding the programs again: the same
         layers on images so small that the steps take little beside it
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from common.arguments import add_threads, make_parser, parse
from common.gan import SPEC
from common.report import Report
from common.stage import Stage

PARTS = ["step", "switch"]


def bench_step(report: Report, stage: Stage) -> None:
    """Measures a step of both halves."""
    name = f"GAN batch {SPEC['batch']} {stage.threads}t"
    case = stage.run(name, "gan", SPEC, ours_too=("train_on_batch",))
    report.add(case)
    peers = [timing for timing in case.peers() if timing.label.startswith("torch")]
    if peers:
        best = min(case.comparison.ratio(timing.label) for timing in peers)
        report.target(f"{name}: PyTorch's time", best, 3.0, at_least=True)


def bench_switch(report: Report, threads: int) -> None:
    """Measures two models in turn that switch `trainable`, less each alone."""
    from dlnative import Input, Model, config
    from workers.dlnative_gan import NOISE, make_judge, make_maker

    config.set_num_threads(threads)
    judge, maker = make_judge(4, 1), make_maker(4, 1)
    judge.compile("adam", "mse")
    z = Input((NOISE,))
    both = Model(z, judge(maker(z)))
    both.compile("adam", "mse")
    images, noise = np.ones((1, 4, 4, 1), np.float32), np.ones((1, NOISE), np.float32)
    ones = np.ones((1, 1), np.float32)

    def turn() -> None:
        judge.trainable = True
        judge.train_on_batch(images, ones)
        judge.trainable = False
        both.train_on_batch(noise, ones)

    def seconds_of(call: Callable[[], object]) -> float:
        call()
        begin = time.perf_counter()
        for _ in range(200):
            call()
        return (time.perf_counter() - begin) / 200

    times = []
    for _ in range(40):
        in_turn, of_both = seconds_of(turn), seconds_of(lambda: both.train_on_batch(noise, ones))
        judge.trainable = True
        times.append((in_turn, of_both, seconds_of(lambda: judge.train_on_batch(images, ones))))
    in_turn, of_both, of_judge = np.min(times, axis=0)
    seconds = float(in_turn - of_both - of_judge) / 2
    report.figure("switch", seconds, f"  a switch of trainable: {1e6 * seconds:.1f} us")
    report.target("a switch of trainable, us", 1e6 * seconds, 20.0, at_least=False)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=9, round_seconds=0.2)
    add_threads(parser)
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    report = Report("bench_gan", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, ["torch"]) as stage:
            report.describe(stage)
            if "step" in arguments.parts:
                bench_step(report, stage)
    if "switch" in arguments.parts:
        bench_switch(report, arguments.threads[0])
    report.finish()


if __name__ == "__main__":
    main()
