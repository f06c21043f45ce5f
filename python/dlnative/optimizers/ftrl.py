"""FTRL-Proximal: follow the regularized leader, with weights that become exactly 0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import initializers, ops
from ..hyperparameters import Number, StepNumber
from .learning_rate import LearningRate, Rate
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable


class Ftrl(Optimizer):
    """FTRL: n' = n + g^2; z = z + g + 2 * shrinkage * w - (n'^p - n^p) / lr * w;
    w = (clip(z, -l1, l1) - z) / (n'^p / lr + beta / lr + 2 * l2); n = n'.

    p is -learning_rate_power, 0.5 in the paper. w is 0 where |z| is at most l1.

    Args:
        learning_rate: lr, greater than 0.
        learning_rate_power: -p, 0 or less; 0 for a fixed rate.
        initial_accumulator_value: The first value of n, 0 or greater.
        l1_regularization_strength: l1, 0 or greater.
        l2_regularization_strength: l2, 0 or greater: a term that keeps w near 0 at each step.
        l2_shrinkage_regularization_strength: shrinkage, 0 or greater: an L2 penalty of the loss.
        beta: The paper's, 0 or greater.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`. PyTorch has no such optimizer.

    Reference: McMahan et al. 2013, "Ad Click Prediction: a View from the Trenches".
    """

    learning_rate = LearningRate(above=True)
    learning_rate_power = StepNumber(high=0.0)
    initial_accumulator_value = Number(0.0)
    l1_regularization_strength = StepNumber(0.0)
    l2_regularization_strength = StepNumber(0.0)
    l2_shrinkage_regularization_strength = StepNumber(0.0)
    beta = StepNumber(0.0)

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        initial = initializers.Constant(self.initial_accumulator_value)
        self.add_optimizer_variables(variables, ["accumulator", "linear"], [initial, "zeros"])

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        accumulator, linear = self.slots_of(variable, "accumulator", "linear")
        l1, power = self.l1_regularization_strength, -self.learning_rate_power
        shrunk = gradient + 2.0 * self.l2_shrinkage_regularization_strength * variable
        total = accumulator + gradient * gradient
        root = total**power
        linear.assign(linear + shrunk - (root - accumulator**power) / learning_rate * variable)
        scale = root / learning_rate + (
            self.beta / learning_rate + 2.0 * self.l2_regularization_strength
        )
        clipped = ops.minimum(ops.maximum(linear, -l1), l1)
        variable.assign((clipped - linear) / scale)
        accumulator.assign(total)
