"""Images of several sizes in one network.

    python examples/images_of_several_sizes.py

A network of convolutions that ends in a global maximum takes images of any size. All images of a
batch have one size, which may be another in the next batch. The images are made up: a cross or a
ring, somewhere, in some colour, in noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

import dlnative as keras
from dlnative import layers

SIZES = ((16, 16), (16, 24), (24, 20), (32, 32))


def make_images(count: int, height: int, width: int, rng: Any) -> tuple[np.ndarray, np.ndarray]:
    """Images of one size; label 0 is a cross, 1 a ring."""
    label = rng.integers(2, size=count)
    across, down = (np.arange(n) - rng.integers(5, n - 5, size=(count, 1)) for n in (width, height))
    far = np.hypot(down[:, :, None], across[:, None, :])
    ring = abs(far - 3.5) < 0.8
    cross = (abs(down)[:, :, None] == abs(across)[:, None, :]) & (far < 5)
    shape = np.where(label[:, None, None] == 1, ring, cross)[..., None]
    colour = rng.uniform(0.3, 1, size=(count, 1, 1, 3))
    return (shape * colour + 0.4 * rng.normal(size=(*far.shape, 3))).astype("float32"), label


def batches(seed: int = 0, batch_size: int = 32) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Batches without end, each of a size of its own."""
    rng = np.random.default_rng(seed)
    while True:
        yield make_images(batch_size, *rng.choice(SIZES), rng)


def make_model() -> keras.Model:
    inputs = keras.Input((None, None, 3))
    h = layers.Conv2D(16, 3, padding="same", activation="relu")(inputs)
    h = layers.MaxPooling2D()(h)
    h = layers.Conv2D(32, 3, padding="same", activation="relu")(h)
    h = layers.Conv2D(32, 3, padding="same", activation="relu")(h)
    h = layers.GlobalMaxPooling2D()(h)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(h))
    model.compile(keras.optimizers.Adam(0.003), "binary_crossentropy", metrics=["accuracy"])
    return model


def main(epochs: int = 8) -> None:
    model = make_model()
    model.fit(batches(), steps_per_epoch=25, epochs=epochs, verbose=2)
    rng = np.random.default_rng(1)
    for height, width in (*SIZES, (48, 17)):  # the last one is new to it
        x, y = make_images(200, height, width, rng)
        print(f"{height} x {width}: {model.evaluate(x, y, verbose=0)[1]:.1%} right")


if __name__ == "__main__":
    main()
