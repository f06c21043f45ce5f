"""The same GAN in PyTorch."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from common.gan import NOISE, given
from workers.base import Spec, Task

VARIANTS = ["eager", "eager fused"]


def gan(spec: Spec, variant: str) -> Task:
    """A step of both halves."""
    images, noise = (torch.from_numpy(a) for a in given(spec))
    images = images.permute(0, 3, 1, 2).contiguous()
    judge = nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(7 * 7 * 32, 1),
    )
    maker = nn.Sequential(
        nn.Linear(NOISE, 7 * 7 * 32),
        nn.ReLU(),
        nn.Unflatten(1, (32, 7, 7)),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        nn.Sigmoid(),
    )
    fused = True if variant.endswith("fused") else None
    of_judge, of_maker = (
        torch.optim.Adam(part.parameters(), spec["rate"], betas=(0.5, 0.999), fused=fused)
        for part in (judge, maker)
    )
    loss_of = functional.binary_cross_entropy_with_logits
    ones = torch.ones(len(images), 1)
    zeros = torch.zeros_like(ones)

    def step() -> None:
        of_judge.zero_grad(set_to_none=True)
        made = maker(noise)
        loss = loss_of(judge(images), ones) + loss_of(judge(made.detach()), zeros)
        loss.backward()
        of_judge.step()
        of_maker.zero_grad(set_to_none=True)
        loss_of(judge(made), ones).backward()
        of_maker.step()

    return Task(step, note="the images that the judge saw are used again")
