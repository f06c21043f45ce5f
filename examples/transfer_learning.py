"""Transfer learning: what was learned of many digits helps with others, of which there are few.

    python examples/transfer_learning.py

A network learns the digits 0 to 4. Its convolutions are then frozen and get a new head, which
learns 5 to 9 from ten pictures each. At last everything is trained on at a low rate. The measure is
a network that starts from nothing with the same pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers

Data = tuple[np.ndarray, np.ndarray]


def load_data(per_class: int = 10) -> tuple[Data, Data, Data]:
    """Many pictures of 0 to 4; few of 5 to 9, as classes 0 to 4; and the others of 5 to 9."""
    bunch = load_digits()
    x, y = bunch.images[..., None].astype("float32") / 16, bunch.target
    few = np.sort([i for n in range(5, 10) for i in np.flatnonzero(y == n)[:per_class]])
    rest = np.setdiff1d(np.flatnonzero(y >= 5), few)
    return (x[y < 5], y[y < 5]), (x[few], y[few] - 5), (x[rest], y[rest] - 5)


def make_base() -> keras.Model:
    inputs = keras.Input((8, 8, 1))
    h = inputs
    for filters in (16, 32):
        h = layers.Conv2D(filters, 3, padding="same", use_bias=False)(h)
        h = layers.BatchNormalization()(h)
        h = layers.ReLU()(h)
        h = layers.MaxPooling2D()(h)
    return keras.Model(inputs, layers.Flatten()(h), name="base")


def make_classifier(base: keras.Model) -> keras.Model:
    """A new head of five classes on `base`, whose weights it shares."""
    inputs = keras.Input((8, 8, 1))
    return keras.Model(inputs, layers.Dense(5, name="head")(base(inputs)))


def unfreeze(base: keras.Model) -> None:
    """All but the statistics of batch normalisation, for which there are too few pictures."""
    base.trainable = True
    for layer in base.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False


def train(model: keras.Model, data: Data, rate: float, **options: Any) -> dict[str, list[float]]:
    """Compiles anew, as it must be when `trainable` has changed, and trains."""
    model.compile(
        keras.optimizers.Adam(rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return model.fit(*data, **options).history


def main(epochs: int = 30) -> None:
    many, few, rest = load_data()

    def report(name: str, model: keras.Model) -> None:
        print(f"{name:12} {model.evaluate(*rest, verbose=0)[1]:.1%} of {len(rest[1])} pictures")

    from_nothing = make_classifier(make_base())
    train(from_nothing, few, rate=0.001, epochs=2 * epochs, verbose=0)
    report("from nothing", from_nothing)

    base = make_base()
    train(make_classifier(base), many, rate=0.001, epochs=epochs, verbose=0)
    base.trainable = False
    model = make_classifier(base)
    train(model, few, rate=0.01, epochs=epochs, verbose=0)
    report("new head", model)

    unfreeze(base)
    train(model, few, rate=0.001, epochs=epochs, verbose=0)
    report("fine-tuned", model)


if __name__ == "__main__":
    main()
