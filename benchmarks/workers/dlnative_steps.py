"""Training of a multi-layer perceptron some parts of which are a user's, written with ops."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlnative
from common.models import ADAM_EPSILON
from dlnative import ops
from workers.base import Spec, Task
from workers.data import dataset, initial_weights


def activation(x: Any) -> Any:
    """Hard swish."""
    return x * ops.minimum(ops.maximum(x + 3.0, 0.0), 6.0) / 6.0


def loss(y_true: Any, y_pred: Any) -> Any:
    """Categorical cross-entropy of probabilities."""
    return -ops.sum(y_true * ops.log(ops.maximum(y_pred, 1e-7)), -1)


def metric(y_true: Any, y_pred: Any) -> Any:
    """Accuracy: whether the largest probability is that of the class."""
    hits = ops.equal(ops.argmax(y_true, -1), ops.argmax(y_pred, -1))
    return ops.cast(hits, "float32")


class Adam(dlnative.optimizers.Optimizer):
    """Adam as a user writes it by Keras's guide."""

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.means = [self.add_variable_from_reference(v, name="mean") for v in variables]
        self.squares = [self.add_variable_from_reference(v, name="square") for v in variables]

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        rate = ops.cast(learning_rate, variable.dtype)
        t = ops.cast(self.iterations + 1, variable.dtype)
        index = self._get_variable_index(variable)
        m, v = self.means[index], self.squares[index]
        self.assign_add(m, (gradient - m) * 0.1)
        self.assign_add(v, (gradient * gradient - v) * 0.001)
        rate = rate * ops.sqrt(1.0 - ops.power(0.999, t)) / (1.0 - ops.power(0.9, t))
        self.assign_sub(variable, rate * m / (ops.sqrt(v) + ADAM_EPSILON))


# The parts that are a user's, and the metrics added, of each variant.
VARIANTS: dict[str, tuple[set[str], list[str]]] = {
    "built-in": (set(), []),
    "activation": ({"activation"}, []),
    "loss": ({"loss"}, []),
    "metric": ({"metric"}, []),
    "optimizer": ({"optimizer"}, []),
    "all four": ({"activation", "loss", "metric", "optimizer"}, []),
    "with AUC": (set(), ["AUC"]),
    "with F-beta": (set(), ["FBetaScore"]),
}


def written_step(spec: Spec, variant: str) -> Task:
    """Prepares `fit` of one epoch; built in are ReLU, cross-entropy, accuracy and Adam."""
    own, added = VARIANTS[variant]
    x, labels = dataset(spec)
    *hidden, last = spec["model"]["layers"]
    y = np.eye(last["units"], dtype=np.float32)[labels]
    function: Any = activation if "activation" in own else "relu"
    model = dlnative.Sequential(
        [
            dlnative.Input(tuple(spec["model"]["input"])),
            *(dlnative.layers.Dense(layer["units"], activation=function) for layer in hidden),
            dlnative.layers.Dense(last["units"], activation="softmax"),
        ]
    )
    optimizer = Adam if "optimizer" in own else dlnative.optimizers.Adam
    options = {} if "optimizer" in own else {"epsilon": ADAM_EPSILON}
    model.compile(
        optimizer=optimizer(learning_rate=spec["learning_rate"], **options),
        loss=loss if "loss" in own else "categorical_crossentropy",
        metrics=[
            metric if "metric" in own else "categorical_accuracy",
            *(getattr(dlnative.metrics, name)() for name in added),
        ],
    )
    initial = initial_weights(spec["model"])

    def restore() -> None:
        for variable, value in zip(model.weights, initial, strict=True):
            variable.assign(value)

    def fit(shuffle: bool) -> float:
        history = model.fit(x, y, batch_size=spec["batch"], shuffle=shuffle, verbose=0)
        return float(history.history["loss"][-1])

    restore()
    check = fit(shuffle=False)
    # Another activation is another network.
    return Task(lambda: fit(True), restore, None if "activation" in own else check)
