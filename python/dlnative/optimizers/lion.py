"""Lion: steps of one size, in the direction of the momentum's signs."""

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


class Lion(Optimizer):
    """Lion: w = w - lr * sign(beta_1 * m + (1 - beta_1) * g); m = beta_2 * m + (1 - beta_2) * g.

    Args:
        learning_rate: lr, 0 or greater. Good ones are 3 to 10 times smaller than AdamW's, with a
            `weight_decay` larger by as much.
        beta_1: Share of the momentum in the direction, above 0 and at most 1.
        beta_2: Share of the old momentum, in [0, 1].
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms".
    """

    beta_1 = StepNumber(0.0, 1.0, above=True)
    beta_2 = StepNumber(0.0, 1.0)

    def __init__(
        self, learning_rate: Rate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        (momentum,) = self.slots_of(variable, "momentum")
        direction = self.beta_1 * momentum + (1.0 - self.beta_1) * gradient
        variable.assign(variable - learning_rate * ops.sign(direction))
        momentum.assign(self.beta_2 * momentum + (1.0 - self.beta_2) * gradient)
