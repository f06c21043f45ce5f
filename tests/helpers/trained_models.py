"""Models of all kinds of state, which are trained, copied and trained on."""

from __future__ import annotations

import numpy as np

import dlnative
from dlnative import Input, Model, Sequential, layers, metrics, ops, optimizers, random

X = np.random.default_rng(0).normal(size=(40, 4)).astype("float32")
Y = (X.sum(1) > 0).astype("int32")


def net():
    return Sequential(
        [
            Input((4,)),
            layers.Dense(8, "relu", kernel_regularizer="l2"),
            layers.BatchNormalization(),
            layers.Dropout(0.4),
            layers.GaussianNoise(0.1) if hasattr(layers, "GaussianNoise") else layers.Identity(),
            layers.Dense(2, "softmax"),
        ]
    )


class Pair(Model):
    """Two optimizers, a metric among the attributes, and draws by a SeedGenerator."""

    def __init__(self):
        super().__init__()
        self.first, self.second = layers.Dense(4, "tanh"), layers.Dense(2)
        self.seeds = random.SeedGenerator(5)
        self.drop = layers.Dropout(0.3)
        self.mean = metrics.Mean(name="mean")

    def build(self, shape):
        self.first.build(shape)
        self.second.build((None, 4))
        self.built = True

    def call(self, x, training=None):
        return self.second(self.drop(self.first(x), training=training))

    def compile(self, one, two):
        super().compile()
        self.one, self.two = one, two

    def train_step(self, data):
        x, y = data
        noise = random.normal(ops.shape(x), seed=self.seeds)
        for optimizer, part in ((self.one, self.first), (self.two, self.second)):

            def loss_of_batch():
                pred = self(x + 0.1 * noise, training=True)
                return dlnative.ops.mean(
                    dlnative.losses.sparse_categorical_crossentropy(y, pred, from_logits=True)
                )

            variables = part.trainable_variables
            loss, grads = dlnative.value_and_grad(loss_of_batch, variables)()
            optimizer.apply(grads, variables)
            self.mean.update_state(loss)
        return {"mean": self.mean.result()}


def default(optimizer):
    model = net()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def own():
    model = Pair()
    model.build((None, 4))
    model.compile(optimizers.Adam(0.01), optimizers.Lion(0.001))
    return model


def mostly_second(y_pred):
    return ops.mean(y_pred[:, 0]) - 0.3


def constrained():
    model = net()
    model.compile(
        "sgd",
        "sparse_categorical_crossentropy",
        inequality=mostly_second,
        constraint_period=2,
    )
    return model


MODELS = {
    **{
        name: (lambda name=name: default(name))
        for name in ("sgd", "adam", "nadam", "muon", "ftrl", "lamb", "adafactor", "lbfgs")
    },
    "momentum with EMA": lambda: default(
        optimizers.SGD(0.1, momentum=0.9, use_ema=True, ema_overwrite_frequency=3)
    ),
    "accumulation": lambda: default(optimizers.Adam(gradient_accumulation_steps=3)),
    "schedule": lambda: default(
        optimizers.AdamW(optimizers.schedules.CosineDecay(0.01, 20), clipnorm=1.0)
    ),
    "own steps": own,
    "constraints": constrained,
}


def fitted(model, epochs=2):
    size = len(X) if getattr(model.optimizer, "full_batch", False) else 7
    return model.fit(X, Y, batch_size=size, epochs=epochs, verbose=0).history


def same(a, b):
    for first, second in zip(a.weights, b.weights, strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy(), err_msg=first.path)
