"""RMSprop: gradients divided by a running average of their size."""

from __future__ import annotations

from ..hyperparameters import Flag, Number
from .optimizer import Optimizer


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
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: See `Optimizer`.

    Differs from Keras: see `Optimizer`.

    Reference: Tieleman and Hinton 2012, "Neural Networks for Machine Learning", lecture 6e;
    centered: Graves 2013, "Generating Sequences With Recurrent Neural Networks", section 2.1.
    """

    slots = ("velocity", "momentum", "average_gradient")

    rho = Number(0.0, 1.0)
    momentum = Number(0.0, 1.0)
    epsilon = Number(0.0)
    centered = Flag()

    def __init__(
        self,
        learning_rate=0.001,
        rho=0.9,
        momentum=0.0,
        epsilon=1e-7,
        centered=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        name=None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def active_slots(self):
        active = {
            "velocity": True,
            "momentum": self.momentum > 0,
            "average_gradient": self.centered,
        }
        return tuple(name for name in self.slots if active[name])

    def _slot_variables(self):
        return [self._state[id(p)][name] for name in self.active_slots() for p in self._trainable]

    def update(self, variable, slots, grad, weight_decay):
        self._emit(
            "rmsprop",
            variable,
            slots,
            grad,
            rho=self.rho,
            momentum=self.momentum,
            epsilon=self.epsilon,
            centered=self.centered,
            weight_decay=weight_decay,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "rho": self.rho,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "centered": self.centered,
        }
