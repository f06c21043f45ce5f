"""Many models with dlnative: `fit_many` in processes side by side, or in this one in turn."""

from __future__ import annotations

from typing import Any

from common.models import ADAM_EPSILON
from dlnative import losses, optimizers
from dlnative.model_selection import fit_many
from workers.base import Spec, Task
from workers.data import dataset

VARIANTS = ["side by side", "one after the other"]


def many(spec: Spec, variant: str, build: Any, threads: int) -> Task:
    """A model for each seed; `build` makes one of a description."""
    training = spec["training"]
    x, y = dataset(training)

    def compiled() -> Any:
        model = build(training["model"])
        model.compile(
            optimizers.Adam(training["learning_rate"], epsilon=ADAM_EPSILON),
            losses.BinaryCrossentropy(from_logits=True),
        )
        return model

    def run() -> Any:
        return fit_many(
            compiled,
            x,
            y,
            seeds=range(spec["models"]),
            workers=threads if variant == "side by side" else 1,
            epochs=training["epochs"],
            batch_size=training["batch"],
        )

    return Task(run, note=variant)
