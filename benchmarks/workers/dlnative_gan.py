"""A GAN on small images: one step of its own with two optimizers, or two models in turn."""

from __future__ import annotations

from typing import Any

import numpy as np

import dlnative
from common.gan import NOISE, given
from dlnative import Input, Model, Sequential, layers, ops
from workers.base import Spec, Task

VARIANTS = ["train_step", "train_on_batch"]


def make_judge(size: int = 28, filters: int = 16) -> Any:
    """Images to a logit."""
    return Sequential(
        [
            Input((size, size, 1)),
            layers.Conv2D(filters, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Conv2D(2 * filters, 4, strides=2, padding="same"),
            layers.LeakyReLU(0.2),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )


def make_maker(size: int = 28, filters: int = 16) -> Any:
    """Noise to images."""
    first = (size // 4, size // 4, 2 * filters)
    return Sequential(
        [
            Input((NOISE,)),
            layers.Dense(first[0] * first[1] * first[2], activation="relu"),
            layers.Reshape(first),
            layers.Conv2DTranspose(filters, 4, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(1, 4, strides=2, padding="same", activation="sigmoid"),
        ]
    )


class Gan(Model):
    """The judge's step and the maker's as one program."""

    def __init__(self, judge: Any, maker: Any) -> None:
        super().__init__()
        self.judge = judge
        self.maker = maker

    def compile(self, rate: float) -> None:
        super().compile()
        self.of_judge = dlnative.optimizers.Adam(rate, beta_1=0.5)
        self.of_maker = dlnative.optimizers.Adam(rate, beta_1=0.5)
        self.loss_of = dlnative.losses.BinaryCrossentropy(from_logits=True)

    def train_step(self, data: Any) -> dict[str, Any]:
        real, noise = data
        ones, zeros = ops.ones((real.shape[0], 1)), ops.zeros((real.shape[0], 1))
        made = self.maker(noise)

        def judge_loss() -> Any:
            return self.loss_of(ones, self.judge(real)) + self.loss_of(zeros, self.judge(made))

        def maker_loss() -> Any:
            return self.loss_of(ones, self.judge(self.maker(noise)))

        logs = {}
        for name, loss_of_batch, part, optimizer in (
            ("judge", judge_loss, self.judge, self.of_judge),
            ("maker", maker_loss, self.maker, self.of_maker),
        ):
            variables = part.trainable_variables
            logs[name], grads = dlnative.value_and_grad(loss_of_batch, variables)()
            optimizer.apply(grads, variables)
        return logs


def gan(spec: Spec, variant: str) -> Task:
    """A step of both halves."""
    images, noise = given(spec)
    judge, maker = make_judge(), make_maker()
    if variant == "train_step":
        model = Gan(judge, maker)
        model.compile(spec["rate"])
        return Task(lambda: model.train_on_batch(images, noise), note="one program")
    judge.compile(
        dlnative.optimizers.Adam(spec["rate"], beta_1=0.5),
        dlnative.losses.BinaryCrossentropy(from_logits=True),
    )
    z = Input((NOISE,))
    both = Model(z, judge(maker(z)))
    both.compile(
        dlnative.optimizers.Adam(spec["rate"], beta_1=0.5),
        dlnative.losses.BinaryCrossentropy(from_logits=True),
    )
    ones = np.ones((len(images), 1), np.float32)
    zeros = np.zeros_like(ones)

    def step() -> None:
        judge.trainable = True
        judge.train_on_batch(images, ones)
        judge.train_on_batch(maker.predict_on_batch(noise), zeros)
        judge.trainable = False
        both.train_on_batch(noise, ones)

    return Task(step, note="three programs in turn, trainable switched")
