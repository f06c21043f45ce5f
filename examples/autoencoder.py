"""An autoencoder: sixty-four pixels through eight numbers and back.

    python examples/autoencoder.py

It learns to take noise away from handwritten digits. What it leaves of them is compared with what
the best linear map to eight numbers leaves, that of principal components.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers

CODE = 8  # numbers that a digit becomes


class Autoencoder(keras.Model):
    """An encoder and a decoder, one after the other."""

    def __init__(self, code: int = CODE, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.encoder = keras.Sequential(
            [
                layers.Conv2D(16, 3, strides=2, padding="same", activation="relu"),
                layers.Flatten(),
                layers.Dense(64, activation="relu"),
                layers.Dense(code),
            ]
        )
        self.decoder = keras.Sequential(
            [
                layers.Dense(4 * 4 * 16, activation="relu"),
                layers.Reshape((4, 4, 16)),
                layers.Conv2DTranspose(16, 3, strides=2, padding="same", activation="relu"),
                layers.Conv2D(1, 3, padding="same", activation="sigmoid"),
            ]
        )

    def call(self, x: Any) -> Any:
        return self.decoder(self.encoder(x))


def load_data(noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy digits and clean ones; pixels from 0 to 1."""
    clean = load_digits().images[..., None].astype("float32") / 16
    rng = np.random.default_rng(seed)
    return (clean + noise * rng.normal(size=clean.shape)).astype("float32"), clean


def make_model() -> keras.Model:
    model = Autoencoder()
    model.compile(keras.optimizers.Adam(0.002), loss="mse", metrics=["mae"])
    return model


def principal_components(train: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """`test` from its components along the `count` axes in which `train` varies most."""
    shape, train, test = test.shape, train.reshape(len(train), -1), test.reshape(len(test), -1)
    mean = train.mean(axis=0)
    axes = np.linalg.svd(train - mean, full_matrices=False)[2][:count]
    return ((test - mean) @ axes.T @ axes + mean).reshape(shape)


def main(epochs: int = 30) -> None:
    noisy, clean = load_data()
    train, test = slice(0, 1500), slice(1500, None)
    model = make_model()
    model.fit(noisy[train], clean[train], epochs=epochs, verbose=2)

    code = model.encoder.predict(noisy[test], verbose=0)
    decoded = model.decoder.predict(code, verbose=0)
    linear = principal_components(noisy[train], noisy[test], CODE)
    for name, pictures in (("noisy", noisy[test]), ("linear", linear), ("decoded", decoded)):
        print(f"{name:8} mean squared error {np.mean((pictures - clean[test]) ** 2):.4f}")


if __name__ == "__main__":
    main()
