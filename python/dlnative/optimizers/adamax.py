"""Adamax: Adam with the largest gradient of late in the place of the mean square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate


class Adamax(Optimizer):
    """Adamax: m = m + (1 - beta_1)(g - m); u = max(beta_2 * u, |g|);
    w = w - lr / (1 - beta_1^t) * m / (u + epsilon).

    t counts updates from 1.

    Args:
        learning_rate: lr, 0 or greater.
        beta_1: Share of the old average of gradients, in [0, 1).
        beta_2: By what the largest gradient fades, in [0, 1).
        epsilon: Keeps the quotient finite where all gradients were 0. The paper has none; PyTorch
            adds it to |g| within the maximum.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", section 7.1.
    """

    beta_1 = StepNumber(0.0, 1.0, below=True)
    beta_2 = StepNumber(0.0, 1.0, below=True)
    epsilon = StepNumber(0.0)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, ["momentum", "norm"])

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        momentum, norm = self.slots_of(variable, "momentum", "norm")
        rate = learning_rate / (1.0 - self.beta_1 ** (self.iterations + 1))
        momentum.assign(momentum + (1.0 - self.beta_1) * (gradient - momentum))
        norm.assign(ops.maximum(self.beta_2 * norm, ops.abs(gradient)))
        variable.assign(variable - rate * (momentum / (norm + self.epsilon)))
