"""Adam and AdamW: step sizes from running averages of the gradient and of its square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph.tensor import Tensor, apply
from ..hyperparameters import Flag, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..variables import Variable
    from .learning_rate import Rate


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
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`. PyTorch adds epsilon to sqrt(v / (1 - beta_2^t)), the form
    of the paper's algorithm 1: its epsilon is this one divided by sqrt(1 - beta_2^t).

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", the form before
    section 2.1; Reddi et al. 2018, "On the Convergence of Adam and Beyond".
    """

    beta_1 = StepNumber(0.0, 1.0, below=True)
    beta_2 = StepNumber(0.0, 1.0, below=True)
    epsilon = StepNumber(0.0)
    amsgrad = Flag()

    decays_itself = True

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        self.add_optimizer_variables(variables, ["momentum", "velocity"])
        if self.amsgrad:
            self.add_optimizer_variables(variables, "velocity_hat")

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        names = ["momentum", "velocity", *(["velocity_hat"] if self.amsgrad else [])]
        slots = self.slots_of(variable, *names)
        value, *new = apply(
            "adam",
            variable,
            *(slots if self.amsgrad else (*slots, None)),
            gradient,
            learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.iterations,
            self.decay_of(variable),
        )
        for slot, tensor in zip(slots, new, strict=True):
            slot.assign(tensor)
        variable.assign(value)


class AdamW(Adam):
    """Adam with decoupled weight decay, of 0.004 where nothing else is said.

    Args:
        weight_decay: w = w - weight_decay * lr * w comes before each update.
        **options: See `Adam` and `Optimizer`.

    Reference: Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization".
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **options
        )
        if self.weight_decay is None:
            raise ValueError("AdamW: expected weight_decay to be a number, received None")
