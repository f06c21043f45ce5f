"""Stochastic gradient descent, with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph.tensor import Tensor, apply
from ..hyperparameters import Flag, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..variables import Variable
    from .learning_rate import Rate


class SGD(Optimizer):
    """Stochastic gradient descent.

    Without momentum: w = w - lr * g.
    With momentum: m = momentum * m - lr * g; w = w + m, or with `nesterov`
    w = w + momentum * m - lr * g.

    Args:
        learning_rate: lr, 0 or greater.
        momentum: In [0, 1].
        nesterov: Whether to look ahead along the momentum.
        **options: See `Optimizer`.

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

    momentum = StepNumber(0.0, 1.0, switch=True)
    nesterov = Flag()

    decays_itself = True

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.momentum = momentum
        self.nesterov = nesterov

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        if self.is_on("momentum"):
            self.add_optimizer_variables(variables, "momentum")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        decay = self.decay_of(variable)
        if not self.is_on("momentum"):
            variable.assign(apply("sgd", variable, None, gradient, learning_rate, None, decay))
            return
        (slot,) = self.slots_of(variable, "momentum")
        value, momentum = apply(
            "sgd",
            variable,
            slot,
            gradient,
            learning_rate,
            self.momentum,
            decay,
            nesterov=self.nesterov,
        )
        slot.assign(momentum)
        variable.assign(value)
