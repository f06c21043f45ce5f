"""Muon: momentum made orthogonal, for matrices; AdamW for all other parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import Count, Flag, Option, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate

_EPSILON = 1e-7  # keeps a momentum of zeros from a division by 0


def _patterns(instance: Any, name: str, value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
        for pattern in value:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"{type(instance).__name__}: {pattern!r} in {name} is no regular expression: "
                    f"{error}"
                ) from error
        return list(value)
    raise TypeError(
        f"{type(instance).__name__}: expected {name} to be None or a list of strings, received "
        f"{value!r}"
    )


class Muon(Optimizer):
    """Muon: m = momentum * m + g; u = g + momentum * m (m without `nesterov`);
    w = w - lr * rms_rate * sqrt(max(rows, columns)) * orthogonal(u).

    orthogonal(u) has the singular vectors of u, and singular values near 1: x = u / |u|, then
    `ns_steps` times x = muon_a * x + (muon_b * A + muon_c * A^2) x with A = x x^T.

    Matrices are changed so, but for those of embeddings and of `exclude_layers`, which with
    vectors and kernels of convolutions follow AdamW, in the form of `Adam`. The layer that gives
    the model's output belongs into `exclude_layers`, too.

    Args:
        learning_rate: lr, 0 or greater.
        adam_beta_1: Share of AdamW's old average of gradients, in [0, 1).
        adam_beta_2: Share of AdamW's old average of squares, in [0, 1).
        adam_weight_decay: Decoupled decay of AdamW's parameters, or None.
        epsilon: AdamW's; outside of the root.
        weight_decay: Decoupled decay of Muon's parameters, or None.
        exclude_layers: Regular expressions; parameters with one in their path follow AdamW.
        exclude_embeddings: Whether parameters with "embedding" in their path follow AdamW.
        muon_a: Coefficient of x.
        muon_b: Coefficient of x x^T x.
        muon_c: Coefficient of (x x^T)^2 x.
        adam_lr_ratio: By what lr is multiplied for AdamW's parameters, 0 or greater.
        momentum: In [0, 1].
        ns_steps: The number of Newton-Schulz steps.
        nesterov: Whether to look ahead along the momentum.
        rms_rate: How large an update is, beside AdamW's; None leaves it, and the factor
            sqrt(max(rows, columns)), out.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Jordan et al. 2024, "Muon: An Optimizer for Hidden Layers in Neural Networks"; Liu et
    al. 2025, "Muon is Scalable for LLM Training".
    """

    adam_beta_1 = StepNumber(0.0, 1.0, below=True)
    adam_beta_2 = StepNumber(0.0, 1.0, below=True)
    adam_weight_decay = StepNumber(0.0, optional=True)
    epsilon = StepNumber(0.0)
    exclude_layers = Option(_patterns)
    exclude_embeddings = Flag()
    muon_a = StepNumber()
    muon_b = StepNumber()
    muon_c = StepNumber()
    adam_lr_ratio = StepNumber(0.0)
    momentum = StepNumber(0.0, 1.0)
    ns_steps = Count(0)
    nesterov = Flag()
    rms_rate = StepNumber(0.0, optional=True)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        exclude_layers: Sequence[str] | None = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate,
            weight_decay,
            clipnorm,
            clipvalue,
            global_clipnorm,
            use_ema,
            ema_momentum,
            ema_overwrite_frequency,
            loss_scale_factor,
            gradient_accumulation_steps,
            name,
            **options,
        )
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.adam_weight_decay = adam_weight_decay
        self.epsilon = epsilon
        self.exclude_layers = exclude_layers
        self.exclude_embeddings = exclude_embeddings
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.rms_rate = rms_rate

    def _follows_adamw(self, variable: Variable) -> bool:
        if variable.ndim != 2:
            return True
        if self.exclude_embeddings and "embedding" in variable.path.lower():
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for v in variables:
            self.add_optimizer_variables([v], "momentum")
            if self._follows_adamw(v):
                self.add_optimizer_variables([v], "velocity")

    def decay_of(self, variable: Variable) -> Any:
        if not self.decays(variable):
            return None
        return self.adam_weight_decay if self._follows_adamw(variable) else self.weight_decay

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        if self._follows_adamw(variable):
            self._adamw(gradient, variable, learning_rate * self.adam_lr_ratio)
            return
        (momentum,) = self.slots_of(variable, "momentum")
        momentum.assign(self.momentum * momentum + gradient)
        change = gradient + self.momentum * momentum if self.nesterov else momentum.value
        rate = learning_rate
        if self.rms_rate is not None:
            rate = rate * (math.sqrt(max(variable.shape)) * self.rms_rate)
        variable.assign(variable - rate * self._orthogonal(change))

    def _orthogonal(self, x: Tensor) -> Tensor:
        """x with its singular values moved towards 1, by Newton and Schulz."""
        is_tall = x.shape[0] > x.shape[1]
        if is_tall:
            x = ops.transpose(x)
        x = x / (ops.sqrt(ops.sum(x * x)) + _EPSILON)
        for _ in range(self.ns_steps):
            squares = x @ ops.transpose(x)
            x = self.muon_a * x + (self.muon_b * squares + self.muon_c * (squares @ squares)) @ x
        return ops.transpose(x) if is_tall else x

    def _adamw(self, gradient: Tensor, variable: Variable, rate: Tensor) -> None:
        momentum, velocity = self.slots_of(variable, "momentum", "velocity")
        t = self.iterations + 1
        momentum.assign(momentum + (1.0 - self.adam_beta_1) * (gradient - momentum))
        velocity.assign(velocity + (1.0 - self.adam_beta_2) * (gradient * gradient - velocity))
        alpha = rate * ops.sqrt(1.0 - self.adam_beta_2**t) / (1.0 - self.adam_beta_1**t)
        variable.assign(variable - alpha * (momentum / (ops.sqrt(velocity) + self.epsilon)))
