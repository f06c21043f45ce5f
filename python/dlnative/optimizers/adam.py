"""Adam: step sizes from running averages of the gradient and of its square."""

from __future__ import annotations

from ..hyperparameters import Flag, Number
from .optimizer import Optimizer


class Adam(Optimizer):
    """Adam: m = m + (1 - beta_1)(g - m); v = v + (1 - beta_2)(g^2 - v);
    w = w - alpha * m / (sqrt(v) + epsilon), alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t).

    t counts updates from 1. With `amsgrad`, max(vhat, v) takes the place of v in the root.

    Args:
        learning_rate: lr, 0 or greater.
        beta_1: Share of the old average of gradients, in [0, 1).
        beta_2: Share of the old average of squares, in [0, 1).
        epsilon: The "epsilon hat" of the paper's section 2.1.
        amsgrad: Whether step sizes may only shrink.
        weight_decay, clipnorm, clipvalue, global_clipnorm, name: See `Optimizer`.

    Differs from Keras: see `Optimizer`. alpha is computed in float64.

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", the form before
    section 2.1; Reddi et al. 2018, "On the Convergence of Adam and Beyond".
    """

    slots = ("momentum", "velocity", "velocity_hat")

    beta_1 = Number(0.0, 1.0, below=True)
    beta_2 = Number(0.0, 1.0, below=True)
    epsilon = Number(0.0)
    amsgrad = Flag()

    def __init__(
        self,
        learning_rate=0.001,
        beta_1=0.9,
        beta_2=0.999,
        epsilon=1e-7,
        amsgrad=False,
        weight_decay=None,
        clipnorm=None,
        clipvalue=None,
        global_clipnorm=None,
        name=None,
    ):
        super().__init__(learning_rate, weight_decay, clipnorm, clipvalue, global_clipnorm, name)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def active_slots(self):
        return self.slots if self.amsgrad else self.slots[:2]

    def _slot_variables(self):
        pairs = [self._state[id(p)][name] for p in self._trainable for name in self.slots[:2]]
        hats = [
            self._state[id(p)][name] for name in self.active_slots()[2:] for p in self._trainable
        ]
        return pairs + hats

    def update(self, variable, slots, grad, weight_decay):
        self._emit(
            "adam",
            variable,
            slots,
            grad,
            beta_1=self.beta_1,
            beta_2=self.beta_2,
            epsilon=self.epsilon,
            amsgrad=self.amsgrad,
            weight_decay=weight_decay,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "amsgrad": self.amsgrad,
        }
