"""Adagrad: step sizes that shrink with the squares of the gradients so far."""

from __future__ import annotations

from ..hyperparameters import Number
from .optimizer import Optimizer


class Adagrad(Optimizer):
    """Adagrad: a = a + g^2; w = w - lr * g / sqrt(a + epsilon).

    Args:
        learning_rate: lr, 0 or greater. The paper's form has 1.0.
        initial_accumulator_value: The first value of a, 0 or greater.
        epsilon: Keeps the root away from 0.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Duchi et al. 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization".
    """

    slots = ("accumulator",)

    initial_accumulator_value = Number(0.0)
    epsilon = Number(0.0)

    def __init__(
        self,
        learning_rate=0.001,
        initial_accumulator_value=0.1,
        epsilon=1e-7,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        name=None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def initial(self, slot):
        return self.initial_accumulator_value

    def update(self, variable, slots, grad, weight_decay):
        self._emit(
            "adagrad", variable, slots, grad, epsilon=self.epsilon, weight_decay=weight_decay
        )

    def get_config(self):
        return {
            **super().get_config(),
            "initial_accumulator_value": self.initial_accumulator_value,
            "epsilon": self.epsilon,
        }
