"""Adadelta: steps as large as the changes so far, relative to the gradients so far."""

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


class Adadelta(Optimizer):
    """Adadelta: a = rho * a + (1 - rho) * g^2; d = g * sqrt(x + epsilon) / sqrt(a + epsilon);
    x = rho * x + (1 - rho) * d^2; w = w - lr * d.

    Args:
        learning_rate: lr, 0 or greater. The paper's form has 1.0.
        rho: Share of the old averages, in [0, 1].
        epsilon: Keeps the roots away from 0, and lets the first steps begin. It stands within both
            roots, as in the paper and in PyTorch.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Zeiler 2012, "ADADELTA: An Adaptive Learning Rate Method".
    """

    rho = StepNumber(0.0, 1.0)
    epsilon = StepNumber(0.0)

    def __init__(
        self, learning_rate: Rate = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **options: Any
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, ["accumulated_grad", "accumulated_delta_var"])

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        squares, changes = self.slots_of(variable, "accumulated_grad", "accumulated_delta_var")
        share = 1.0 - self.rho
        squares.assign(self.rho * squares + share * (gradient * gradient))
        change = gradient * ops.sqrt(changes + self.epsilon) / ops.sqrt(squares + self.epsilon)
        changes.assign(self.rho * changes + share * (change * change))
        variable.assign(variable - learning_rate * change)
