"""Predictions of several threads side by side, with one model or one each; or all by one thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import dlnative
from workers.base import Spec, Task
from workers.keras_networks import build

VARIANTS = ["one model", "one model each", "one thread"]


def callers(spec: Spec, variant: str) -> Task:
    """`calls` predictions of one batch by each of `callers` threads."""
    count, calls = spec["callers"], spec["calls"]
    models = [build(dlnative, spec["model"])]
    if variant == "one model each":
        models += [build(dlnative, spec["model"]) for _ in range(count - 1)]
    rng = np.random.default_rng(1)
    shape = (spec["batch"], *spec["model"]["input"])
    batches = [rng.random(shape, "float32") for _ in range(count)]
    chosen = [models[i % len(models)] for i in range(count)]
    executor = ThreadPoolExecutor(count)

    def work(model: Any, batch: np.ndarray) -> None:
        for _ in range(calls):
            model.predict_on_batch(batch)

    def run() -> None:
        if variant == "one thread":
            for model, batch in zip(chosen, batches, strict=True):
                work(model, batch)
        else:
            list(executor.map(work, chosen, batches))

    return Task(run)
