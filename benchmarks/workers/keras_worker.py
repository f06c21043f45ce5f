"""Keras 3 on JAX, and everything that is written in the Keras API."""

from __future__ import annotations

import os
from typing import Any, ClassVar

import numpy as np

from common.models import ADAM_EPSILON
from workers.base import BaseWorker, Spec, Unsupported
from workers.data import dataset, initial_weights


def build(api: Any, model: Spec) -> Any:
    """Builds the model with `api`, which is `keras` or `dlnative`."""
    layers = [api.Input(tuple(model["input"]))]
    for layer in model["layers"]:
        if layer["kind"] != "dense":
            raise Unsupported(f"layer {layer['kind']}")
        layers.append(api.layers.Dense(layer["units"], activation=layer["activation"]))
    return api.Sequential(layers)


def compile_model(api: Any, model: Any, spec: Spec, **options: Any) -> None:
    """Compiles the model with the optimizer and loss of a training spec."""
    if spec["optimizer"] == "adam":
        optimizer = api.optimizers.Adam(spec["learning_rate"], epsilon=ADAM_EPSILON)
    else:
        optimizer = api.optimizers.SGD(spec["learning_rate"])
    if spec["model"]["loss"] == "sparse_softmax_cross_entropy":
        loss = api.losses.SparseCategoricalCrossentropy(from_logits=True)
    else:
        loss = api.losses.BinaryCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, **options)


class KerasTrainer:
    """`fit`, `train_on_batch` and `predict` on NumPy arrays."""

    def __init__(self, api: Any, spec: Spec, variant: str) -> None:
        self.batch = spec["batch"]
        self.variant = variant
        self.x, self.y = dataset(spec)
        self.first_x = self.x[: self.batch].copy()
        self.first_y = self.y[: self.batch].copy()
        self.row = self.x[:1].copy()
        self.initial = initial_weights(spec["model"])
        self.model = build(api, spec["model"])
        options = {}
        if variant == "many steps a call":
            options["steps_per_execution"] = spec["samples"] // self.batch
        compile_model(api, self.model, spec, **options)
        self.restore()

    def restore(self) -> None:
        self.model.set_weights(self.initial)

    def fit(self, epochs: int, shuffle: bool) -> float:
        history = self.model.fit(
            self.x,
            self.y,
            batch_size=self.batch,
            epochs=epochs,
            shuffle=shuffle,
            verbose=0,
        )
        return float(history.history["loss"][-1])

    def train_on_batch(self) -> object:
        return self.model.train_on_batch(self.first_x, self.first_y)

    def predict(self) -> object:
        if self.variant == "predict_on_batch":
            return np.asarray(self.model.predict_on_batch(self.row))
        return self.model.predict(self.row, verbose=0)


class Worker(BaseWorker):
    """Keras 3 with the JAX backend, as it comes and with a whole epoch in one call."""

    variants: ClassVar = {
        "train": ["fit", "many steps a call"],
        "train_on_batch": ["train_on_batch"],
        "predict": ["predict", "predict_on_batch"],
        "start": ["fit"],
    }

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        os.environ["KERAS_BACKEND"] = "jax"
        import keras

        self.api = keras

    def versions(self) -> dict[str, str]:
        return {"keras": self.api.__version__}

    def facts(self) -> dict[str, object]:
        return {"backend": self.api.backend.backend()}

    def trainer(self, spec: Spec, variant: str) -> KerasTrainer:
        return KerasTrainer(self.api, spec, variant)
