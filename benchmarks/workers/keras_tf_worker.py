"""Keras 3 on TensorFlow, which may live in an environment of its own."""

from __future__ import annotations

import os
from typing import ClassVar

from workers import keras_worker


class Worker(keras_worker.Worker):
    """Keras 3 with the TensorFlow backend, with and without XLA."""

    backend: ClassVar = "tensorflow"
    variants: ClassVar = {
        "train": ["no XLA", "XLA"],
        "train_images": ["no XLA", "XLA"],
        "infer": ["predict_on_batch"],
    }

    def __init__(self, threads: int) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ["KERAS_BACKEND"] = self.backend  # TensorFlow imports Keras
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
        super().__init__(threads)
        self.tensorflow = tensorflow.__version__

    def versions(self) -> dict[str, str]:
        return {**super().versions(), "tensorflow": self.tensorflow}
