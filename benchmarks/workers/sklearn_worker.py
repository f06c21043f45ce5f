"""scikit-learn's MLPClassifier: one `partial_fit` over the data set is one epoch."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import sklearn
import threadpoolctl
from sklearn.neural_network import MLPClassifier

from common.models import ADAM_EPSILON
from workers.base import BaseWorker, Spec, Unsupported
from workers.data import dataset, initial_weights


class SklearnTrainer:
    """float32 throughout, no weight decay; the classes fix softmax cross-entropy as the loss."""

    def __init__(self, spec: Spec) -> None:
        model = spec["model"]
        hidden = model["layers"][:-1]
        activations = {layer["activation"] for layer in hidden}
        if any(layer["kind"] != "dense" for layer in model["layers"]) or len(activations) != 1:
            raise Unsupported("only dense layers of one activation")
        if model["loss"] != "sparse_softmax_cross_entropy":
            raise Unsupported(f"loss {model['loss']}")
        self.batch = spec["batch"]
        self.x, self.y = dataset(spec)
        self.classes = np.arange(model["layers"][-1]["units"])
        self.initial = initial_weights(model)
        self.classifier = MLPClassifier(
            hidden_layer_sizes=tuple(layer["units"] for layer in hidden),
            activation=activations.pop(),
            solver=spec["optimizer"],
            alpha=0.0,
            batch_size=self.batch,
            learning_rate_init=spec["learning_rate"],
            epsilon=ADAM_EPSILON,
        )
        # The first call makes the arrays that `restore` then fills.
        first = slice(0, self.batch)
        self.classifier.partial_fit(self.x[first], self.y[first], classes=self.classes)
        self.restore()

    def restore(self) -> None:
        for i in range(len(self.classifier.coefs_)):
            self.classifier.coefs_[i][...] = self.initial[2 * i]
            self.classifier.intercepts_[i][...] = self.initial[2 * i + 1]
        del self.classifier._optimizer

    def fit(self, epochs: int, shuffle: bool) -> float:
        self.classifier.shuffle = shuffle
        for _ in range(epochs):
            self.classifier.partial_fit(self.x, self.y)
        return float(self.classifier.loss_)

    def train_on_batch(self) -> object:
        return self.classifier.partial_fit(self.x[: self.batch], self.y[: self.batch])

    def predict(self) -> object:
        return self.classifier.predict_proba(self.x[:1])


class Worker(BaseWorker):
    """scikit-learn on `threads` BLAS threads."""

    variants: ClassVar = {"train": ["partial_fit"]}

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        warnings.simplefilter("ignore")
        threadpoolctl.threadpool_limits(threads)

    def versions(self) -> dict[str, str]:
        return {"scikit-learn": sklearn.__version__}

    def trainer(self, spec: Spec, variant: str) -> SklearnTrainer:
        return SklearnTrainer(spec)
