"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from ..hyperparameters import Flag, Number
from .optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum: w = w - lr * g.
    With momentum: v = momentum * v - lr * g; w = w + v, or with `nesterov`
    w = w + momentum * v - lr * g.

    Args:
        learning_rate: lr, 0 or greater.
        momentum: In [0, 1].
        nesterov: Whether to look ahead along the momentum.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: See `Optimizer`.

    Example:
        >>> import numpy as np, dlnative
        >>> w = np.array([1.0])
        >>> optimizer = dlnative.optimizers.SGD(learning_rate=0.1, momentum=0.9)
        >>> optimizer.apply([np.array([1.0])], [w])
        >>> w
        array([0.9])

    Differs from Keras: see `Optimizer`.

    Reference: Polyak 1964, "Some Methods of Speeding Up the Convergence of Iteration Methods";
    Sutskever et al. 2013, "On the Importance of Initialization and Momentum in Deep Learning".
    """

    slots = ("momentum",)

    momentum = Number(0.0, 1.0)
    nesterov = Flag()

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.0,
        nesterov=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        name=None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.momentum = momentum
        self.nesterov = nesterov

    def active_slots(self):
        return self.slots if self.momentum else ()

    def update(self, variable, slots, grad, weight_decay):
        self._emit(
            "sgd",
            variable,
            slots,
            grad,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=weight_decay,
        )

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "nesterov": self.nesterov}
