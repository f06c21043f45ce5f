"""LAMB: Adam whose step has the length of the parameter it changes."""

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


class Lamb(Optimizer):
    """LAMB: m = m + (1 - beta_1)(g - m); v = v + (1 - beta_2)(g^2 - v);
    r = m / (1 - beta_1^t) / (sqrt(v / (1 - beta_2^t)) + epsilon);
    w = w - lr * |w| / |r| * r.

    t counts updates from 1. The quotient of the norms is 1 where one of them is 0.

    Args:
        learning_rate: lr, 0 or greater.
        beta_1: Share of the old average of gradients, in [0, 1).
        beta_2: Share of the old average of squares, in [0, 1).
        epsilon: Keeps the denominator away from 0; outside of the root, as in the paper.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`. The paper adds the weight decay to r, before the norm is
    taken; here, as in Keras, it is decoupled.

    Reference: You et al. 2020, "Large Batch Optimization for Deep Learning: Training BERT in 76
    minutes".
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
        self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        momentum, velocity = self.slots_of(variable, "momentum", "velocity")
        t = self.iterations + 1
        momentum.assign(momentum + (1.0 - self.beta_1) * (gradient - momentum))
        velocity.assign(velocity + (1.0 - self.beta_2) * (gradient * gradient - velocity))
        m_hat = momentum / (1.0 - self.beta_1**t)
        v_hat = velocity / (1.0 - self.beta_2**t)
        change = m_hat / (ops.sqrt(v_hat) + self.epsilon)
        trust = _quotient(_norm(variable.value), _norm(change))
        variable.assign(variable - (learning_rate * trust) * change)


def _norm(x: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(x * x))


def _quotient(a: Tensor, b: Tensor) -> Tensor:
    """a / b, and 1 where one of them is 0."""
    usable = (a > 0) & (b > 0)
    return ops.where(usable, a / ops.where(usable, b, 1.0), 1.0)
