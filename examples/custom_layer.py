"""A layer and metrics of one's own.

    python examples/custom_layer.py

The layer adds a penalty to the loss, so that few of its units are active at a time, and has a
metric that says how many are. One metric of the model is a class with a state, one is a function.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers, ops


class SparseDense(layers.Layer):
    """relu(x w + b), with a penalty on the mean of its outputs."""

    def __init__(self, units: int, penalty: float = 0.1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.penalty = penalty
        self.active = keras.metrics.Mean(name="active")

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.w = self.add_weight((input_shape[-1], self.units), "glorot_uniform", name="w")
        self.b = self.add_weight((self.units,), "zeros", name="b")

    def call(self, x: Any) -> Any:
        y = ops.relu(ops.matmul(x, self.w) + self.b)
        self.add_loss(self.penalty * ops.mean(y))
        self.active.update_state(ops.cast(y > 0, y.dtype))
        return y

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "penalty": self.penalty}


class WorstRecall(keras.metrics.Metric):
    """The share that is found of the class of which the smallest share is found."""

    def __init__(self, classes: int, name: str = "worst_recall", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.classes = classes
        self.found = self.add_weight(shape=(classes,), initializer="zeros", name="found")
        self.total = self.add_weight(shape=(classes,), initializer="zeros", name="total")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        labels = ops.one_hot(ops.reshape(y_true, (-1,)), self.classes)
        if sample_weight is not None:
            labels = labels * ops.reshape(sample_weight, (-1, 1))
        said = ops.one_hot(ops.argmax(y_pred, axis=-1), self.classes)
        self.found.assign_add(ops.sum(labels * said, axis=0))
        self.total.assign_add(ops.sum(labels, axis=0))

    def result(self) -> Any:
        return ops.min(self.found / ops.maximum(self.total, 1))


def sureness(y_true: Any, y_pred: Any) -> Any:
    """The probability of the class that is chosen."""
    return ops.max(y_pred, axis=-1)


def load_data() -> tuple[np.ndarray, np.ndarray]:
    bunch = load_digits()
    return bunch.data.astype("float32") / 16, bunch.target


def make_model(penalty: float = 0.1) -> keras.Model:
    model = keras.Sequential(
        [keras.Input((64,)), SparseDense(64, penalty), layers.Dense(10, activation="softmax")]
    )
    metrics = ["accuracy", WorstRecall(10), sureness]
    model.compile("adam", "sparse_categorical_crossentropy", metrics=metrics)
    return model


def main(epochs: int = 30) -> None:
    x, y = load_data()
    for penalty in (0.0, 1.0):
        model = make_model(penalty)
        model.fit(x[:1500], y[:1500], epochs=epochs, verbose=0)
        logs = model.evaluate(x[1500:], y[1500:], verbose=0, return_dict=True)
        print(f"penalty {penalty}:", ", ".join(f"{name} {logs[name]:.3f}" for name in logs))


if __name__ == "__main__":
    main()
