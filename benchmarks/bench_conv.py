"""Convolutions: forward, input gradient and kernel gradient, as a share of the FMA peak.

Shapes are `inputs->outputs @ size`, 3x3 with padding 1 and 16 images unless the name says more.
Where Winograd's transform applies, the same convolution without it is timed beside, `direct`: its
share of the peak is the one that the bounds are for, as the FLOPs counted are those of the direct
sum. The depthwise convolution, here of 256 images, which no cache holds, does too little arithmetic
for that and is held against the memory bandwidth.
Peers are PyTorch in both layouts and JAX, single operations on tensors that lie in their layout.

The last table compares all threads with one, in two processes by turns, with and without Winograd.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from common.arguments import add_threads, make_parser, parse
from common.machine import usable_cpus
from common.operations import convolution, convolution_bytes, convolution_flops
from common.report import Case, Report
from common.stage import KEEP_MEMORY, Stage, compare_threads

PEERS = ["torch", "jax"]
PASSES = {"forward": "fwd", "backward_input": "dx", "backward_kernel": "dW"}
PARTS = ["rate", "scaling"]
SCALING = 1.85


@dataclass(frozen=True)
class Shape:
    """A convolution and the share of the peak that its passes should reach on one core.

    Attributes:
        channels: Input channels.
        filters: Output channels.
        size: Height and width of the input.
        kernel: Height and width of the kernel.
        strides: Steps of the window.
        groups: Groups of channels.
        batch: Number of images.
        shares: Bound for each pass that has one.
        passes: The passes that training runs; the first layer has no input gradient.
    """

    channels: int
    filters: int
    size: int
    kernel: int = 3
    strides: int = 1
    groups: int = 1
    batch: int = 16
    shares: dict[str, float] = field(default_factory=dict)
    passes: tuple[str, ...] = tuple(PASSES)

    @property
    def has_winograd(self) -> bool:
        """Whether Winograd's transform applies."""
        return self.kernel in (3, 5) and self.strides == 1 and self.groups == 1

    @property
    def name(self) -> str:
        """For instance '64->128@32 3x3 s2'."""
        text = f"{self.channels}->{self.filters}@{self.size} {self.kernel}x{self.kernel}"
        if self.strides > 1:
            text += f" s{self.strides}"
        return text + (" depthwise" if self.groups > 1 else "")

    def spec(self, which: str) -> dict[str, Any]:
        """Returns what a worker needs to prepare a pass."""
        return convolution(
            which,
            batch=self.batch,
            size=self.size,
            channels=self.channels,
            filters=self.filters,
            kernel=self.kernel,
            strides=self.strides,
            groups=self.groups,
        )


def shares(forward: float, kernel: float) -> dict[str, float]:
    """Returns bounds for forward and input gradient, which are alike, and for the kernel's."""
    return {"forward": forward, "backward_input": forward, "backward_kernel": kernel}


DIRECT = shares(0.92, 0.88)
FIRST = ("forward", "backward_kernel")
SHAPES = [
    Shape(3, 64, 32, passes=FIRST),
    Shape(16, 16, 32, shares=shares(0.80, 0.80)),
    Shape(32, 32, 16, shares=DIRECT),
    Shape(32, 32, 32, shares=DIRECT),
    Shape(64, 64, 32, shares=DIRECT),
    Shape(64, 128, 32, strides=2, shares=shares(0.80, 0.80)),
    Shape(128, 128, 16, shares=DIRECT),
    Shape(256, 256, 8, shares=DIRECT),
    Shape(512, 512, 4, shares={"forward": 0.92, "backward_input": 0.92, "backward_kernel": 0.65}),
    Shape(32, 64, 14, kernel=5, shares=shares(0.90, 0.88)),
    Shape(1, 32, 28, kernel=5, passes=FIRST),
    Shape(64, 128, 32, kernel=1),
    Shape(64, 128, 32, kernel=1, strides=2),
    Shape(64, 64, 32, groups=64, batch=256),
]


def set_targets(report: Report, shape: Shape, which: str, threads: int, case: Case) -> None:
    """Compares a direct convolution on one core with the bounds the project set itself."""
    bound = shape.shares.get(which)
    if bound is None or threads > 1 or case.share_of_best is None:
        return
    share = case.share_of_best
    if shape.has_winograd:
        share /= case.comparison.ratio_of_best("direct")
    report.target(f"{case.name}: share of peak", share, bound, at_least=True)


def bench_rate(report: Report, stage: Stage) -> None:
    """Times every pass of every shape beside the peers."""
    columns = ["direct", *(label for _, _, label in stage.modes("conv"))]
    for shape in SHAPES:
        for which in shape.passes:
            name = f"{PASSES[which]} {shape.name} {stage.threads}t"
            if not stage.selected(name):
                continue
            spec = shape.spec(which)
            moved = convolution_bytes(spec) if shape.groups > 1 else None
            flops = None if moved else convolution_flops(spec)
            too = ("direct",) if shape.has_winograd else ()
            case = stage.run(name, "conv", spec, flops=flops, moved=moved, ours_too=too)
            report.add(case, wide=columns)
            set_targets(report, shape, which, stage.threads, case)


def bench_scaling(report: Report, one: Stage, many: Stage) -> None:
    """Times several threads against one."""
    for shape in SHAPES:
        for which in shape.passes:
            for variant in ("direct", "auto") if shape.has_winograd else ("auto",):
                name = f"{PASSES[which]} {shape.name} {variant} scaling"
                if not many.selected(name):
                    continue
                spec = shape.spec(which)
                case = compare_threads(name, "conv", spec, one, many, variant=variant)
                case.flops = convolution_flops(spec)
                report.add(case, wide=["one thread"])
                bound = shape.shares and (variant == "direct" or not shape.has_winograd)
                if bound and many.threads == 2:
                    speedup = case.comparison.ratio_of_best("one thread")
                    report.target(f"{name}: two cores", speedup, SCALING, at_least=True)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    processors = len(usable_cpus())
    add_threads(parser, default=[1] if processors == 1 else [1, 2])
    parser.add_argument("--parts", default=",".join(PARTS), help="default: %(default)s")
    arguments = parse(parser, parts=PARTS)
    report = Report("bench_conv", arguments)
    if "rate" in arguments.parts:
        for threads in arguments.threads:
            with Stage(arguments, threads, PEERS, environment=KEEP_MEMORY) as stage:
                report.describe(stage)
                bench_rate(report, stage)
    if "scaling" in arguments.parts and max(arguments.threads) > 1:
        with (
            Stage(arguments, 1, [], pin=False) as one,
            Stage(arguments, max(arguments.threads), [], pin=False) as many,
        ):
            bench_scaling(report, one, many)
    report.finish()


if __name__ == "__main__":
    main()
