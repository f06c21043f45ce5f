"""A variational autoencoder: digits that were never written.

    python examples/vae.py

The encoder says of each digit where in a plane it may lie, by the mean and the variance of a normal
distribution; a layer draws a point from that, and the decoder makes a digit of it again. A penalty,
the Kullback-Leibler divergence, holds the points near those of the standard normal distribution, so
that the decoder makes a digit of any point there.

Reference: Kingma and Welling 2014, "Auto-Encoding Variational Bayes".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dlnative as keras
from dlnative import layers, ops


class Sampling(layers.Layer):
    """Draws from normal distributions, and adds their divergence to the loss."""

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.divergence = keras.metrics.Mean(name="divergence")

    def call(self, inputs: Any) -> Any:
        mean, log_variance = inputs
        terms = ops.square(mean) + ops.exp(log_variance) - log_variance - 1
        divergence = ops.mean(ops.sum(terms, axis=-1)) / 2
        self.add_loss(divergence)
        self.divergence.update_state(divergence)
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise


class VAE(keras.Model):
    def __init__(self, size: int = 2, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.hidden = layers.Dense(128, activation="relu")
        self.mean = layers.Dense(size)
        self.log_variance = layers.Dense(size)
        self.sampling = Sampling(seed)
        self.decoder = keras.Sequential(
            [layers.Dense(128, activation="relu"), layers.Dense(64, activation="sigmoid")]
        )

    def call(self, x: Any) -> Any:
        h = self.hidden(x)
        return self.decoder(self.sampling((self.mean(h), self.log_variance(h))))


def crossentropy_of_picture(y_true: Any, y_pred: Any) -> Any:
    """The sum over the pixels, against which the divergence is weighed."""
    return ops.sum(ops.binary_crossentropy(y_true, y_pred), axis=-1)


def load_data() -> np.ndarray:
    return load_digits().data.astype("float32") / 16


def make_model(seed: int | None = None) -> keras.Model:
    model = VAE(seed=seed)
    model.compile(keras.optimizers.Adam(0.002), loss=crossentropy_of_picture)
    return model


def main(epochs: int = 30) -> None:
    x = load_data()
    model = make_model()
    model.fit(x, x, batch_size=64, epochs=epochs, validation_split=0.1, verbose=2)
    points = np.stack(np.meshgrid(np.linspace(-1.5, 1.5, 8), np.linspace(1.5, -1.5, 4)), axis=-1)
    made = model.decoder.predict(points.reshape(-1, 2), verbose=0).reshape(4, 8, 8, 8)
    for row in made:  # of digits; pixels of one line lie side by side
        for line in row.transpose(1, 0, 2):
            print("  ".join("".join(" .:+#"[int(4.99 * ink)] for ink in digit) for digit in line))


if __name__ == "__main__":
    main()
