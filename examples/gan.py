"""A generative adversarial network that learns to draw a ring.

    python examples/gan.py

A generator makes points of noise. A discriminator learns to tell them from points of a ring, and
the generator to deceive it. Each has an optimizer of its own, hence a step of our own.

Reference: Goodfellow et al. 2014, "Generative Adversarial Nets".
"""

from __future__ import annotations

from typing import Any

import numpy as np

import dlnative as keras
from dlnative import layers, ops
from gradients import gradients

NOISE = 4  # numbers that the generator makes a point of


def perceptron(inputs: int, hidden: int, outputs: int) -> keras.Model:
    between = [layers.Dense(hidden, activation="relu") for _ in range(2)]
    return keras.Sequential([keras.Input((inputs,)), *between, layers.Dense(outputs)])


class GAN(keras.Model):
    def __init__(self, seed: int | None = None) -> None:
        super().__init__()
        self.generator = perceptron(NOISE, 32, 2)
        self.discriminator = perceptron(2, 64, 1)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.mean_g_loss = keras.metrics.Mean(name="g_loss")
        self.mean_d_loss = keras.metrics.Mean(name="d_loss")
        self.built = True  # all weights are made

    def compile(self, g_optimizer: Any, d_optimizer: Any, loss: Any) -> None:
        super().compile()
        self.g_optimizer, self.d_optimizer, self.loss_fn = g_optimizer, d_optimizer, loss

    @property
    def metrics(self) -> list:
        return [self.mean_g_loss, self.mean_d_loss]

    def make(self, count: int) -> Any:
        noise = keras.random.normal((count, NOISE), seed=self.seed_generator)
        return self.generator(noise, training=True)

    def train_step(self, real: Any) -> dict[str, Any]:
        count = ops.shape(real)[0]
        points = ops.concatenate([real, ops.stop_gradient(self.make(count))])
        is_real = ops.concatenate([ops.ones((count, 1)), ops.zeros((count, 1))])

        def d_loss() -> Any:
            return self.loss_fn(is_real, self.discriminator(points, training=True))

        def g_loss() -> Any:
            return self.loss_fn(ops.ones((count, 1)), self.discriminator(self.make(count)))

        self.update(self.discriminator, d_loss, self.d_optimizer, self.mean_d_loss)
        self.update(self.generator, g_loss, self.g_optimizer, self.mean_g_loss)
        return {metric.name: metric.result() for metric in self.metrics}

    def update(self, network: keras.Model, loss_fn: Any, optimizer: Any, mean: Any) -> None:
        variables = network.trainable_variables
        loss, grads = gradients(loss_fn, variables)
        optimizer.apply(grads, variables)
        mean.update_state(loss)


def load_data(count: int = 2048, seed: int = 0) -> np.ndarray:
    """Points of a ring of radius 1."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.normal(1, 0.05, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype("float32")


def make_model(seed: int | None = None) -> keras.Model:
    model = GAN(seed)
    g_optimizer = keras.optimizers.Adam(0.001, beta_1=0.5)
    d_optimizer = keras.optimizers.Adam(0.002, beta_1=0.5)
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    model.compile(g_optimizer, d_optimizer, loss)
    return model


def main(epochs: int = 100) -> None:
    model = make_model()
    model.fit(load_data(), batch_size=128, epochs=epochs, verbose=2)
    points = np.array(model.make(1000))
    radius = np.hypot(*points.T)
    print(f"radius {radius.mean():.3f} +- {radius.std():.3f} around {points.mean(axis=0).round(2)}")


if __name__ == "__main__":
    main()
