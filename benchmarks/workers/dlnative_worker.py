"""dlnative: products by `ops.matmul`, training in the Keras API, and what the machine can do."""

from __future__ import annotations

import gc
import platform
import time
import tracemalloc
from typing import Any, ClassVar

import numpy as np

import dlnative
from common.formulas import HAND
from dlnative import _core, engines
from dlnative.graph import Graph, apply
from workers import (
    dlnative_callers,
    dlnative_formulas,
    dlnative_gan,
    dlnative_many,
    dlnative_steps,
)
from workers.allocations import allocation_count, heap_bytes, resident_bytes
from workers.base import BaseWorker, Spec, Task
from workers.data import dataset, factors, magnitude
from workers.dlnative_operations import operation
from workers.keras_networks import KerasPredictor, KerasTrainer, build


def build_ours(model: Spec) -> Any:
    """Builds a network by `dlnative.applications` where it has one, else layer by layer."""
    if "application" not in model:
        return build(dlnative, model)
    return getattr(dlnative.applications, model["application"])(
        input_shape=tuple(model["input"]),
        classes=model["layers"][-1]["units"],
        classifier_activation=None,
    )


class Worker(BaseWorker):
    """dlnative on `threads` threads."""

    variants: ClassVar = {
        "matmul": ["ops.matmul"],
        "conv": ["auto", "direct"],
        "pool": ["program"],
        "norm": ["program"],
        "primitive": ["program"],
        "composition": ["program"],
        "update": ["program", "by hand"],
        "written_step": list(dlnative_steps.VARIANTS),
        "gan": dlnative_gan.VARIANTS,
        "fit_many": dlnative_many.VARIANTS,
        "callers": dlnative_callers.VARIANTS,
        "train": ["fit"],
        "train_images": ["fit"],
        "infer": ["predict_on_batch", "predict"],
        "train_on_batch": ["train_on_batch"],
        "predict": ["predict", "predict_on_batch"],
        "start": ["fit"],
    }

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        dlnative.config.set_num_threads(threads)

    def versions(self) -> dict[str, str]:
        return {
            "dlnative": dlnative.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        }

    def facts(self) -> dict[str, object]:
        return {
            "isa": dlnative.config.isa(),
            "threads": dlnative.config.num_threads(),
            "threading": _core.threading(),
            "compiler": _core.compiler(),
        }

    def trainer(self, spec: Spec, variant: str) -> KerasTrainer:
        return KerasTrainer(dlnative, spec, variant, build_ours(spec["model"]))

    def predictor(self, spec: Spec, variant: str) -> KerasPredictor:
        return KerasPredictor(dlnative, spec, variant, build_ours(spec["model"]))

    def prepare_operation(self, spec: Spec, variant: str) -> Task:
        algorithm = variant if spec["op"] == "convolution" else "auto"
        dlnative.config.set_conv_algorithm(algorithm)
        try:
            return operation(spec)
        finally:
            dlnative.config.set_conv_algorithm("auto")

    def prepare_primitive(self, spec: Spec, variant: str) -> Task:
        return dlnative_formulas.primitive(spec)

    def prepare_composition(self, spec: Spec, variant: str) -> Task:
        return dlnative_formulas.composition(spec)

    def prepare_update(self, spec: Spec, variant: str) -> Task:
        if variant == "by hand":
            task = dlnative_formulas.update(spec, HAND)
            task.check = None  # another optimizer, as a measure of time only
            return task
        return dlnative_formulas.update(spec, spec["optimizer"])

    def prepare_written_step(self, spec: Spec, variant: str) -> Task:
        return dlnative_steps.written_step(spec, variant)

    def prepare_callers(self, spec: Spec, variant: str) -> Task:
        return dlnative_callers.callers(spec, variant)

    def prepare_gan(self, spec: Spec, variant: str) -> Task:
        return dlnative_gan.gan(spec, variant)

    def prepare_fit_many(self, spec: Spec, variant: str) -> Task:
        return dlnative_many.many(spec, variant, build_ours, self.threads)

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        graph = Graph()
        a, b = (graph.variable(dlnative.Variable(each)) for each in factors(spec))
        flags = {name: spec[name] for name in ("transpose_a", "transpose_b")}
        product = engines.build(graph, [apply("matmul", a, b, **flags)])
        return Task(product, check=magnitude(product()[0]))

    def query_fma_seconds(self, dtype: str, flops: float) -> dict[str, float]:
        """Measures how long one core takes for FLOPs that are all fused multiply-adds."""
        return {"seconds": _core.fma_seconds(dtype, flops)}

    def query_copy_seconds(self, bytes: float, size: int) -> dict[str, float]:
        """Measures how long all threads take to read and write so many bytes in copies."""
        return {"seconds": _core.copy_seconds(bytes, size)}

    def query_build(self, training: Spec, repeats: int) -> dict[str, list[float]]:
        """Measures what the first `train_on_batch` of a fresh model takes beyond a later one."""
        seconds = []
        for _ in range(repeats):
            trainer = self.trainer(training, "train_on_batch")
            times = []
            for _ in range(4):
                begin = time.perf_counter()
                trainer.train_on_batch()
                times.append(time.perf_counter() - begin)
            seconds.append(times[0] - min(times[1:]))
        return {"seconds": seconds}

    def query_allocations(self, training: Spec) -> dict[str, float | None]:
        """Looks for allocations in the steps after the first.

        `fit` itself may allocate when it starts and ends, so calls with different numbers of steps
        are compared: what a step allocates is the difference over the additional steps.

        Returns:
            steps; calls_per_step of malloc, calloc, realloc, memalign and mmap (None unless the
            counter is preloaded); heap_bytes and resident_bytes by which the process grew in three
            times `steps`; python_bytes by which Python's heap grew in 500 `train_on_batch`.
        """
        trainer = self.trainer(training, "fit")
        x, y = dataset(training)
        twice_x, twice_y = np.concatenate([x, x]), np.concatenate([y, y])

        def count(x: Any, y: Any) -> int | None:
            trainer.x, trainer.y = x, y
            before = allocation_count()
            trainer.fit(1, shuffle=True)
            after = allocation_count()
            return None if before is None or after is None else after - before

        for _ in range(2):  # the second time everything that is kept is there
            count(x, y)
            count(twice_x, twice_y)
        gc.collect()  # each `fit` leaves a little that only the collector frees
        heap, resident = heap_bytes(), resident_bytes()
        once, twice = count(x, y), count(twice_x, twice_y)
        gc.collect()
        heap, resident = heap_bytes() - heap, resident_bytes() - resident
        steps = training["samples"] // training["batch"]
        return {
            "steps": steps,
            "calls_per_step": None if once is None or twice is None else (twice - once) / steps,
            "heap_bytes": heap,
            "resident_bytes": resident,
            "python_bytes": python_growth(trainer, 500),
        }


def python_growth(trainer: KerasTrainer, calls: int) -> int:
    """Returns by how many bytes Python's heap grows in a number of `train_on_batch`."""
    tracemalloc.start()
    try:
        for _ in range(calls):
            trainer.train_on_batch()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(calls):
            trainer.train_on_batch()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
