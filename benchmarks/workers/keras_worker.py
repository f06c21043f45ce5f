"""Keras 3 on JAX."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from workers.base import BaseWorker, Spec
from workers.keras_networks import KerasPredictor, KerasTrainer


class Worker(BaseWorker):
    """Keras 3 with the JAX backend, as it comes and with a whole epoch in one call."""

    backend: ClassVar = "jax"
    variants: ClassVar = {
        "train": ["fit", "many steps a call"],
        "train_images": ["fit"],
        "train_on_batch": ["train_on_batch"],
        "predict": ["predict", "predict_on_batch"],
        "infer": ["predict_on_batch"],
        "start": ["fit"],
    }

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        os.environ["KERAS_BACKEND"] = self.backend
        import keras

        self.api: Any = keras

    def versions(self) -> dict[str, str]:
        return {"keras": self.api.__version__}

    def facts(self) -> dict[str, object]:
        return {"backend": self.api.backend.backend()}

    def trainer(self, spec: Spec, variant: str) -> KerasTrainer:
        return KerasTrainer(self.api, spec, variant)

    def predictor(self, spec: Spec, variant: str) -> KerasPredictor:
        return KerasPredictor(self.api, spec, variant)
