"""Schedule-free AdamW: an average of all iterates in the place of a falling learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import Count, StepNumber
from .optimizer import Optimizer
from .slots import ValuesOf

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate


class ScheduleFreeAdamW(Optimizer):
    """Schedule-free AdamW: v = v + (1 - beta_2)(g^2 - v);
    x = (w - (1 - beta_1) * z) / beta_1; z = z - lr * g / (sqrt(v / (1 - beta_2^t)) + epsilon);
    x = (1 - 1/t) * x + z / t; w = (1 - beta_1) * z + beta_1 * x.

    t counts updates from 1. z starts as w; x, the average of all z, is not kept but found from w
    and z.

    Args:
        learning_rate: lr, 0 or greater.
        beta_1: Share of the average x in the parameters, above 0 and at most 1.
        beta_2: Share of the old average of squares, in [0, 1).
        epsilon: Keeps the denominator away from 0; outside of the root, as in the paper.
        warmup_steps: Over how many updates lr rises linearly to its value; 0 for none.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`. As in Keras all iterates count alike, the parameters stay
    at w after training, and weight decay acts on w alone; the paper weights iterates by the square
    of the rate, and evaluates at x.

    Reference: Defazio et al. 2024, "The Road Less Scheduled".
    """

    beta_1 = StepNumber(0.0, 1.0, above=True)
    beta_2 = StepNumber(0.0, 1.0, below=True)
    epsilon = StepNumber(0.0)
    warmup_steps = Count(0)

    def __init__(
        self,
        learning_rate: Rate = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.warmup_steps = warmup_steps

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for v in variables:
            values = ValuesOf(v)
            self.add_optimizer_variables([v], ["momentum", "velocity"], [values, "zeros"])

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        momentum, velocity = self.slots_of(variable, "momentum", "velocity")
        t = self.iterations + 1
        if self.warmup_steps:
            learning_rate = learning_rate * ops.minimum(t / float(self.warmup_steps), 1.0)
        beta_1, share = self.beta_1, 1.0 / t
        velocity.assign(velocity + (1.0 - self.beta_2) * (gradient * gradient - velocity))
        scale = ops.sqrt(velocity / (1.0 - self.beta_2**t)) + self.epsilon
        average = (variable - (1.0 - beta_1) * momentum) / beta_1
        momentum.assign(momentum - learning_rate * (gradient / scale))
        average = (1.0 - share) * average + share * momentum
        variable.assign((1.0 - beta_1) * momentum + beta_1 * average)
