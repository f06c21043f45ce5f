"""PyTorch: eager with its default and its fused optimizer, compiled, and on oneDNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from common.models import ADAM_EPSILON
from workers.base import BaseWorker, Spec, Task, Unsupported
from workers.data import dataset, factors, initial_weights, matmul_check

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
}


class OneDnnLinear(nn.Linear):
    """A linear layer by oneDNN, where PyTorch would take MKL.

    MKL is held back to AVX2 on processors that are not Intel's; where those have AVX-512, this
    may be the faster way.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x.to_mkldnn(), self.weight, self.bias).to_dense()


def build(model: Spec, linear: type[nn.Linear]) -> nn.Sequential:
    """Builds the model as nn.Sequential; nn.Linear keeps its kernel as (out, in)."""
    layers: list[nn.Module] = []
    width = int(np.prod(model["input"]))
    for layer in model["layers"]:
        if layer["kind"] != "dense":
            raise Unsupported(f"layer {layer['kind']}")
        layers.append(linear(width, layer["units"]))
        if layer["activation"] != "linear":
            layers.append(ACTIVATIONS[layer["activation"]]())
        width = layer["units"]
    return nn.Sequential(*layers)


class TorchTrainer:
    """The usual training loop; rows are gathered by index within each step."""

    def __init__(self, spec: Spec, variant: str) -> None:
        x, y = dataset(spec)
        self.batch = spec["batch"]
        self.x = torch.from_numpy(x)
        self.y = torch.from_numpy(y)
        self.net = build(spec["model"], OneDnnLinear if variant == "onednn" else nn.Linear)
        self.initial = [
            torch.from_numpy(w.T.copy() if w.ndim == 2 else w)
            for w in initial_weights(spec["model"])
        ]
        self.restore()
        if spec["model"]["loss"] == "sparse_softmax_cross_entropy":
            self.y = self.y.long()
            loss_function = functional.cross_entropy
        else:
            loss_function = functional.binary_cross_entropy_with_logits

        def forward(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return loss_function(self.net(x), y)

        compiled = variant == "compiled"
        self.forward = torch.compile(forward, dynamic=False) if compiled else forward
        fused = None if variant == "eager" else True
        rate = spec["learning_rate"]
        if spec["optimizer"] == "adam":
            self.optimizer: torch.optim.Optimizer = torch.optim.Adam(
                self.net.parameters(), rate, eps=ADAM_EPSILON, fused=fused
            )
        else:
            self.optimizer = torch.optim.SGD(self.net.parameters(), rate, fused=fused)

    def restore(self) -> None:
        with torch.no_grad():
            for parameter, value in zip(self.net.parameters(), self.initial, strict=True):
                parameter.copy_(value)

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
                total += self.step(self.x.index_select(0, rows), self.y.index_select(0, rows))
        return float(total) * self.batch / samples

    def train_on_batch(self) -> object:
        return self.step(self.x[: self.batch], self.y[: self.batch]).item()

    @torch.inference_mode()
    def predict(self) -> object:
        return self.net(self.x[:1]).numpy()


class Worker(BaseWorker):
    """PyTorch on `threads` threads, denormals flushed to zero as XLA does."""

    variants: ClassVar = {
        "matmul": ["matmul"],
        "train": ["eager", "fused", "compiled", "onednn"],
        "train_on_batch": ["fused"],
        "predict": ["eager"],
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

    def prepare_matmul(self, spec: Spec, variant: str) -> Task:
        a, b = (torch.from_numpy(array) for array in factors(spec))
        left = a.t() if spec["transpose_a"] else a
        right = b.t() if spec["transpose_b"] else b
        out = torch.matmul(left, right)
        return Task(lambda: torch.matmul(left, right, out=out), check=matmul_check(out.numpy()))

    def released(self) -> None:
        torch.compiler.reset()
