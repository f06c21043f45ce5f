"""A siamese network: are these two digits the same?

    python examples/siamese.py

One encoder sees both pictures and makes a point of each. The contrastive loss brings the points of
equal digits together and holds others a margin apart. The network learns from the digits 0 to 6 and
is tried on 7, 8 and 9, which it has never seen.

Reference: Hadsell et al. 2006, "Dimensionality Reduction by Learning an Invariant Mapping".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers, ops

MARGIN = 1.0


def load_data() -> tuple[np.ndarray, np.ndarray]:
    bunch = load_digits()
    return bunch.images[..., None].astype("float32") / 16, bunch.target


def make_pairs(x: np.ndarray, y: np.ndarray, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Each picture beside one of the same class and beside one of another; 1 where they differ."""
    rng = np.random.default_rng(seed)
    same = [rng.choice(np.flatnonzero(y == label)) for label in y]
    other = [rng.choice(np.flatnonzero(y != label)) for label in y]
    pairs = [np.concatenate([x, x]), np.concatenate([x[same], x[other]])]
    differ = np.repeat([0.0, 1.0], len(x))[:, None]
    order = rng.permutation(2 * len(x))
    return [side[order] for side in pairs], differ[order]


def make_encoder() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, strides=2, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(8),
        ],
        name="encoder",
    )


def contrastive_loss(differ: Any, distance: Any) -> Any:
    """d^2 of equal ones, max(0, margin - d)^2 of others."""
    apart = ops.square(ops.maximum(MARGIN - distance, 0))
    return ops.mean((1 - differ) * ops.square(distance) + differ * apart, axis=-1)


def accuracy(differ: Any, distance: Any) -> Any:
    """How often a distance is on the right side of half the margin."""
    said = ops.cast(distance > MARGIN / 2, differ.dtype)
    return ops.mean(ops.equal(said, differ), axis=-1)


def make_model() -> keras.Model:
    first, second = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
    encoder = make_encoder()
    difference = encoder(first) - encoder(second)
    square = ops.sum(ops.square(difference), axis=-1, keepdims=True)
    distance = ops.sqrt(square + 1e-6)  # the root has no slope at 0
    model = keras.Model([first, second], distance)
    model.compile(keras.optimizers.Adam(0.002), loss=contrastive_loss, metrics=[accuracy])
    return model


def main(epochs: int = 20) -> None:
    x, y = load_data()
    known = y < 7
    pairs, differ = make_pairs(x[known], y[known])
    model = make_model()
    model.fit(pairs, differ, batch_size=64, epochs=epochs, validation_split=0.1, verbose=2)

    pairs, differ = make_pairs(x[~known], y[~known], seed=1)
    loss, share = model.evaluate(pairs, differ, verbose=0)
    print(f"pairs of digits never seen before: loss {loss:.3f}, {share:.1%} right")


if __name__ == "__main__":
    main()
