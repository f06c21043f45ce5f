"""Matrix products: share of the FMA peak, and time against NumPy, PyTorch and JAX.

Shapes are (m, n, k): the result is m x n, summed over k. Beside the usual cubes they are those of
training a 784-512 layer with 128 and 32 samples (forward x W, the kernel's gradient x^T dy, the
input's gradient dy W^T), and of a 3x3 convolution of 64 channels over 98 images of 32 x 32
unrolled into 576 columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from common.arguments import add_threads, make_parser, parse
from common.machine import usable_cpus
from common.report import Case, Report
from common.stage import Stage

PEERS = ["numpy", "torch", "jax"]
AVX2_BLAS = ("Haswell", "Zen")


@dataclass(frozen=True)
class Shape:
    """A product and the share of the peak it should reach in float32 on one core."""

    m: int
    n: int
    k: int
    share: float
    transpose_a: bool = False
    transpose_b: bool = False
    origin: str = ""

    @property
    def name(self) -> str:
        """For instance 'TN 784x512x128 dense 784-512, kernel gradient'."""
        letters = ("T" if self.transpose_a else "N") + ("T" if self.transpose_b else "N")
        return f"{letters} {self.m}x{self.n}x{self.k} {self.origin}".strip()


SHAPES = [
    Shape(512, 512, 512, 0.92),
    Shape(1024, 1024, 1024, 0.92),
    Shape(2048, 2048, 2048, 0.92),
    Shape(128, 512, 784, 0.85, origin="dense"),
    Shape(784, 512, 128, 0.85, transpose_a=True, origin="dense dW"),
    Shape(128, 784, 512, 0.85, transpose_b=True, origin="dense dx"),
    Shape(32, 512, 784, 0.75, origin="dense"),
    Shape(100352, 64, 576, 0.88, origin="conv"),
]


def spec(shape: Shape, dtype: str) -> dict[str, Any]:
    """Returns what a worker needs to prepare the product."""
    return {
        "m": shape.m,
        "n": shape.n,
        "k": shape.k,
        "dtype": dtype,
        "transpose_a": shape.transpose_a,
        "transpose_b": shape.transpose_b,
        "seed": 1,
    }


def set_targets(report: Report, stage: Stage, shape: Shape, dtype: str, case: Case) -> None:
    """Compares a case with the bounds the project set itself.

    The bound against NumPy is for NumPy's BLAS running AVX2 code where we run AVX-512: with equal
    vectors both are bounded by the same peak.
    """
    cubed = shape.m == shape.n == shape.k
    if dtype == "float64":
        report.target(f"{case.name}: share of peak", case.share_of_best, 0.9, at_least=True)
    elif stage.threads == 1:
        report.target(f"{case.name}: share of peak", case.share_of_best, shape.share, at_least=True)
    elif stage.threads == 2 and cubed and shape.m >= 1024:
        report.target(f"{case.name}: share of peak", case.share_of_best, 0.93, at_least=True)
    blas = stage.described.get("numpy", {}).get("facts", {}).get("blas") or {}
    isa = stage.described[stage.arguments.ours]["facts"].get("isa")
    if blas.get("architecture") in AVX2_BLAS and str(isa).startswith("avx512"):
        ratio = case.comparison.ratio("numpy")
        report.target(f"{case.name}: NumPy's time over ours", ratio, 1.8, at_least=True)


def main() -> None:
    """Runs the benchmark."""
    parser = make_parser(__doc__, rounds=7, round_seconds=0.1)
    processors = len(usable_cpus())
    add_threads(parser, default=[1] if processors == 1 else [1, 2])
    parser.add_argument("--dtypes", default="float32,float64", help="default: %(default)s")
    arguments = parse(parser)
    report = Report("bench_gemm", arguments)
    for threads in arguments.threads:
        with Stage(arguments, threads, PEERS) as stage:
            report.describe(stage)
            columns = [name for name in PEERS if name in stage.workers and name != arguments.ours]
            for dtype in arguments.dtypes.split(","):
                for shape in SHAPES:
                    name = f"{dtype} {threads}t {shape.name}"
                    if not stage.selected(name):
                        continue
                    case = stage.run(
                        name,
                        "matmul",
                        spec(shape, dtype),
                        flops=2.0 * shape.m * shape.n * shape.k,
                        dtype=dtype,
                        tolerance=1e-4,
                    )
                    report.add(case, wide=columns)
                    set_targets(report, stage, shape, dtype, case)
    report.finish()


if __name__ == "__main__":
    main()
