"""PyTorch: both layouts of images, eager and compiled, with its fused optimizers, on oneDNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from common.models import ADAM_EPSILON
from workers import torch_formulas, torch_gan
from workers.base import BaseWorker, Spec, Task
from workers.data import Array, dataset, factors, initial_weights, magnitude
from workers.torch_networks import Network, OneDnnLinear
from workers.torch_operations import operation


class TorchTrainer:
    """The usual training loop; rows are gathered by index within each step."""

    def __init__(self, spec: Spec, variant: str) -> None:
        x, y = dataset(spec)
        self.batch = spec["batch"]
        linear = OneDnnLinear if variant == "onednn" else nn.Linear
        self.network = Network(spec["model"], variant.startswith("NHWC"), linear)
        self.x = self.network.images(x)
        self.y = torch.from_numpy(y)
        self.initial = initial_weights(spec["model"])
        self.restore()
        if spec["model"]["loss"] == "sparse_softmax_cross_entropy":
            self.y = self.y.long()
            loss_function = functional.cross_entropy
        else:
            loss_function = functional.binary_cross_entropy_with_logits
        module = self.network.module

        def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss_function(module(x), y)

        self.eager: Callable[..., torch.Tensor] = forward
        self.forward = self.eager
        if variant.endswith("compiled"):
            self.forward = torch.compile(forward, dynamic=False)
        fused = None if variant == "eager" else True
        rate = spec["learning_rate"]
        if spec["optimizer"] == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(
                module.parameters(), rate, eps=ADAM_EPSILON, fused=fused
            )
        else:
            self.optimizer = torch.optim.SGD(
                module.parameters(), rate, momentum=spec["momentum"], fused=fused
            )

    def restore(self) -> None:
        self.network.load(self.initial)

    def check(self) -> float:
        """Trains one epoch as Keras pads, eagerly; where there is no such difference, as timed."""
        if not self.network.set_exact(True):
            return self.fit(1, shuffle=False)
        timed, self.forward = self.forward, self.eager
        loss = self.fit(1, shuffle=False)
        self.network.set_exact(False)
        self.forward = timed
        self.restore()
        self.train_on_batch()
        return loss

    def step(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.forward(x, y)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def fit(self, epochs: int, shuffle: bool) -> float:
        samples = len(self.x)
        total = torch.zeros(())
        for _ in range(epochs):
            order = torch.randperm(samples) if shuffle else torch.arange(samples)
            total.zero_()
            for rows in order.split(self.batch):
                x = self.network.batch(self.x.index_select(0, rows))
                total += self.step(x, self.y.index_select(0, rows))
        return float(total) * self.batch / samples

    def train_on_batch(self) -> object:
        x = self.network.batch(self.x[: self.batch])
        return self.step(x, self.y[: self.batch]).item()

    @torch.inference_mode()
    def predict(self) -> object:
        return self.network.module(self.network.batch(self.x[:1])).numpy()


class TorchPredictor:
    """A network for inference: eager, or compiled with its weights as constants."""

    def __init__(self, spec: Spec, variant: str) -> None:
        self.x = dataset(spec)[0]
        self.network = Network(spec["model"], variant.startswith("NHWC"))
        self.network.load(initial_weights(spec["model"], spec["moving"]))
        self.eager: Callable[[torch.Tensor], torch.Tensor] = self.network.module.eval()
        self.forward = self.eager
        if variant.endswith("compiled"):
            self.forward = torch.compile(self.eager, dynamic=False, options={"freezing": True})

    def check(self) -> float:
        """Predicts as Keras pads."""
        timed, self.forward = self.forward, self.eager
        self.network.set_exact(True)
        value = magnitude(self.predict())
        self.network.set_exact(False)
        self.forward = timed
        self.predict()
        return value

    @torch.no_grad()
    def predict(self) -> Array:
        # The images are given as everybody has them, so NCHW pays for its own order.
        x = self.network.batch(self.network.images(self.x))
        return self.forward(x).numpy()


class Worker(BaseWorker):
    """PyTorch on `threads` threads, denormals flushed to zero as XLA does."""

    variants: ClassVar = {
        "matmul": ["matmul"],
        "conv": ["NHWC", "NCHW"],
        "pool": ["NHWC", "NCHW"],
        "norm": ["NHWC", "NCHW", "NHWC compiled"],
        "primitive": ["eager", "compiled"],
        "composition": ["eager", "compiled"],
        "update": ["fused", "foreach", "compiled"],
        "gan": torch_gan.VARIANTS,
        "fit_many": ["eager", "fused"],
        "train": ["eager", "fused", "compiled", "onednn"],
        "train_images": ["NHWC", "NCHW", "NHWC compiled", "NCHW compiled"],
        "train_on_batch": ["fused"],
        "predict": ["eager"],
        "infer": ["NHWC", "NCHW", "NHWC compiled", "NCHW compiled"],
        "start": ["fused"],
    }

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)

    def versions(self) -> dict[str, str]:
        return {"torch": torch.__version__}

    def facts(self) -> dict[str, object]:
        return {
            "capability": torch.backends.cpu.get_cpu_capability(),
            "mkl": torch.backends.mkl.is_available(),
        }

    def trainer(self, spec: Spec, variant: str) -> TorchTrainer:
        return TorchTrainer(spec, variant)

    def predictor(self, spec: Spec, variant: str) -> TorchPredictor:
        return TorchPredictor(spec, variant)

    def prepare_gan(self, spec: Spec, variant: str) -> Task:
        return torch_gan.gan(spec, variant)

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        a, b = (torch.from_numpy(array) for array in factors(spec))
        left = a.t() if spec["transpose_a"] else a
        right = b.t() if spec["transpose_b"] else b
        out = torch.matmul(left, right)
        return Task(lambda: torch.matmul(left, right, out=out), check=magnitude(out.numpy()))

    def prepare_operation(self, spec: Spec, variant: str) -> Task:
        return operation(spec, variant)

    def prepare_primitive(self, spec: Spec, variant: str) -> Task:
        return torch_formulas.primitive(spec, variant)

    def prepare_composition(self, spec: Spec, variant: str) -> Task:
        return torch_formulas.composition(spec, variant)

    def prepare_update(self, spec: Spec, variant: str) -> Task:
        return torch_formulas.update(spec, variant)

    def released(self) -> None:
        torch.compiler.reset()
