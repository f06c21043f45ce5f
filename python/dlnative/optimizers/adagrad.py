"""Adagrad: step sizes that shrink with the squares of the gradients so far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import initializers, ops
from ..hyperparameters import Number, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate


class Adagrad(Optimizer):
    """Adagrad: a = a + g^2; w = w - lr * g / sqrt(a + epsilon).

    Args:
        learning_rate: lr, 0 or greater. The paper's form has 1.0.
        initial_accumulator_value: The first value of a, 0 or greater.
        epsilon: Keeps the root away from 0.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`. PyTorch adds epsilon to sqrt(a).

    Reference: Duchi et al. 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization".
    """

    initial_accumulator_value = Number(0.0)
    epsilon = StepNumber(0.0)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        initial = initializers.Constant(self.initial_accumulator_value)
        self.add_optimizer_variables(variables, "accumulator", initial)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        (accumulator,) = self.slots_of(variable, "accumulator")
        accumulator.assign(accumulator + gradient * gradient)
        variable.assign(
            variable - learning_rate * (gradient / ops.sqrt(accumulator + self.epsilon))
        )
