"""RMSprop: gradients divided by a running average of their size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import Flag, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate


class RMSprop(Optimizer):
    """RMSprop: v = rho * v + (1 - rho) * g^2; w = w - lr * g / sqrt(v + epsilon).

    With `centered`, a = rho * a + (1 - rho) * g and v - a^2 takes the place of v in the root. With
    `momentum`, b = momentum * b + (the change above); w = w - b.

    Args:
        learning_rate: lr, 0 or greater.
        rho: Share of the old average, in [0, 1].
        momentum: In [0, 1].
        epsilon: Keeps the root away from 0.
        centered: Whether to divide by the estimated variance.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`; the variance v - a^2 cannot become negative by rounding.
    PyTorch adds epsilon to sqrt(v).

    Reference: Tieleman and Hinton 2012, "Neural Networks for Machine Learning", lecture 6e;
    centered: Graves 2013, "Generating Sequences With Recurrent Neural Networks", section 2.1.
    """

    rho = StepNumber(0.0, 1.0)
    momentum = StepNumber(0.0, 1.0, switch=True)
    epsilon = StepNumber(0.0)
    centered = Flag()

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, "velocity")
        if self.is_on("momentum"):
            self.add_optimizer_variables(variables, "momentum")
        if self.centered:
            self.add_optimizer_variables(variables, "average_gradient")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        share = 1.0 - self.rho
        (velocity,) = self.slots_of(variable, "velocity")
        velocity.assign(self.rho * velocity + share * (gradient * gradient))
        variance = velocity
        if self.centered:
            (average,) = self.slots_of(variable, "average_gradient")
            average.assign(self.rho * average + share * gradient)
            variance = ops.maximum(velocity - average * average, 0.0)
        change = learning_rate * (gradient / ops.sqrt(variance + self.epsilon))
        if self.is_on("momentum"):
            (momentum,) = self.slots_of(variable, "momentum")
            momentum.assign(self.momentum * momentum + change)
            change = momentum
        variable.assign(variable - change)
