"""NumPy: matrix products with whatever BLAS it was built on, and primitives on one core."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import threadpoolctl

from workers import numpy_formulas
from workers.base import BaseWorker, Spec, Task
from workers.data import at_cache_line, factors, magnitude


class Worker(BaseWorker):
    """`np.matmul` into a given output, on `threads` BLAS threads."""

    variants: ClassVar = {"matmul": ["matmul"], "primitive": ["out"]}

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        threadpoolctl.threadpool_limits(threads, user_api="blas")

    def versions(self) -> dict[str, str]:
        return {"numpy": np.__version__}

    def facts(self) -> dict[str, object]:
        libraries = [
            {name: entry.get(name) for name in ("internal_api", "version", "architecture")}
            for entry in threadpoolctl.threadpool_info()
            if entry["user_api"] == "blas"
        ]
        return {"blas": libraries[0] if libraries else None}

    def prepare_primitive(self, spec: Spec, variant: str) -> Task:
        return numpy_formulas.primitive(spec)

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        a, b = factors(spec)
        left = a.T if spec["transpose_a"] else a
        right = b.T if spec["transpose_b"] else b
        out = at_cache_line((spec["m"], spec["n"]), spec["dtype"])
        np.matmul(left, right, out=out)
        return Task(lambda: np.matmul(left, right, out=out), check=magnitude(out))
