"""Nadam: Adam that looks ahead along the momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import StepNumber
from ..scalar import Scalar
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate

_DECAY = 0.96  # how fast the weight of the momentum approaches beta_1; the paper's


class Nadam(Optimizer):
    """Nadam: u_t = beta_1 * (1 - 0.5 * 0.96^t); U_t = u_1 * ... * u_t;
    m = m + (1 - beta_1)(g - m); v = v + (1 - beta_2)(g^2 - v);
    mhat = u_(t+1) * m / (1 - U_(t+1)) + (1 - u_t) * g / (1 - U_t);
    w = w - lr * mhat / (sqrt(v / (1 - beta_2^t)) + epsilon).

    t counts updates from 1.

    Args:
        learning_rate: lr, 0 or greater.
        beta_1: Share of the old average of gradients, in [0, 1).
        beta_2: Share of the old average of squares, in [0, 1).
        epsilon: Keeps the denominator away from 0; it stands outside of the root, as in PyTorch.
            In the paper it stands within.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`; the product U is float64.

    Reference: Dozat 2016, "Incorporating Nesterov Momentum into Adam".
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
        self._u_product: Any = None  # U

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, ["momentum", "velocity"])
        if self._u_product is None:
            self._u_product = self._tracked(Scalar(1.0, "float64", "variable"))

    def begin_updates(self) -> None:
        self._u_product.assign(self._u_product * self._weight(self.iterations + 1))

    def _weight(self, t: Any) -> Any:
        """u_t, the weight of the momentum in update t."""
        return self.beta_1 * (1.0 - 0.5 * _DECAY**t)

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        momentum, velocity = self.slots_of(variable, "momentum", "velocity")
        t = self.iterations + 1
        now, ahead, product = self._weight(t), self._weight(t + 1), self._u_product.value
        momentum.assign(momentum + (1.0 - self.beta_1) * (gradient - momentum))
        velocity.assign(velocity + (1.0 - self.beta_2) * (gradient * gradient - velocity))
        m_hat = (
            ahead / (1.0 - product * ahead) * momentum + (1.0 - now) / (1.0 - product) * gradient
        )
        # mhat / (sqrt(v / c) + epsilon), the root of c among the numbers of the step
        root = (1.0 - self.beta_2**t) ** 0.5
        change = m_hat / (ops.sqrt(velocity) + self.epsilon * root)
        variable.assign(variable - learning_rate * root * change)
