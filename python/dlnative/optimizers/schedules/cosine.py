"""Learning rates that fall along half a cosine, once or again and again."""

from __future__ import annotations

import math
from typing import Any

from ... import ops
from .base import FormulaSchedule, NumberOption, count_option, rate_option


class CosineDecay(FormulaSchedule):
    """rate = top * ((1 - alpha) * (1 + cos(pi * t / decay_steps)) / 2 + alpha)

    Without `warmup_target` top is `initial_learning_rate` and t = step. With it the rate first
    rises along a line from `initial_learning_rate` to `warmup_target` in `warmup_steps` steps; then
    top is `warmup_target` and t = step - warmup_steps. After `decay_steps` the rate stays.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The number of steps of the decay.
        alpha: The last rate, as a share of the highest.
        name: A name, for configurations.
        warmup_target: The rate after the warm-up; None for no warm-up.
        warmup_steps: The number of steps of the warm-up, if there is one.

    Raises:
        ValueError: `decay_steps` is not greater than 0, or a rate is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.CosineDecay(
        ...     0.0, decay_steps=10, warmup_target=0.5, warmup_steps=5)
        >>> [round(rate(step), 6) for step in (0, 4, 5, 10, 15, 100)]
        [0.0, 0.4, 0.5, 0.25, 0.0, 0.0]

    Reference: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts";
    Goyal et al. 2017, "Accurate, Large Minibatch SGD", for the warm-up.
    """

    initial_learning_rate = rate_option()
    decay_steps = count_option()
    alpha = NumberOption()
    warmup_target = rate_option(optional=True)
    warmup_steps = NumberOption(0.0)

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: float = 0,
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_target = warmup_target
        self.warmup_steps = warmup_steps

    def _rate(self, step: Any) -> Any:
        if self.warmup_target is None:
            return self._decay(step, self.initial_learning_rate)
        decay = self._decay(step - self.warmup_steps, self.warmup_target)
        if not self.warmup_steps:
            return decay
        rise = self.warmup_target - self.initial_learning_rate
        warmup = rise * (step / self.warmup_steps) + self.initial_learning_rate
        return ops.where(step < self.warmup_steps, warmup, decay)

    def _decay(self, step: Any, top: Any) -> Any:
        share = ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        return top * ((1.0 - self.alpha) * _half_cosine(share) + self.alpha)

    def end_at(self, step: float) -> bool:
        self.decay_steps = step if self.warmup_target is None else step - self.warmup_steps
        return True

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "alpha": self.alpha,
            "name": self.name,
            "warmup_target": self.warmup_target,
            "warmup_steps": self.warmup_steps,
        }


class CosineDecayRestarts(FormulaSchedule):
    """rate = initial_learning_rate * ((1 - alpha) * m_mul^i * (1 + cos(pi * s)) / 2 + alpha)

    i is the number of restarts so far and s the share of the present period, whose length is
    first_decay_steps * t_mul^i.

    Args:
        initial_learning_rate: The rate at step 0.
        first_decay_steps: The number of steps of the first period.
        t_mul: By how much each period is longer than the one before; at least 1.
        m_mul: By how much each period begins with a higher rate than the one before.
        alpha: The last rate of a period, as a share of `initial_learning_rate`.
        name: A name, for configurations.

    Raises:
        ValueError: `first_decay_steps` is not greater than 0, `t_mul` is less than 1, or the rate
            is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.CosineDecayRestarts(0.5, 10, m_mul=0.5)
        >>> [round(rate(step), 6) for step in (0, 5, 10, 20, 30)]
        [0.5, 0.25, 0.25, 0.125, 0.125]

    Differs from Keras: a period ends at its last step also where the logarithm that its number is
    computed from is not exact; `t_mul` below 1, with which the periods soon come to an end and the
    rate is NaN in Keras, raises ValueError.

    Reference: Loshchilov and Hutter 2017, "SGDR: Stochastic Gradient Descent with Warm Restarts".
    """

    initial_learning_rate = rate_option()
    first_decay_steps = count_option()
    t_mul = NumberOption(1.0)
    m_mul = NumberOption()
    alpha = NumberOption()

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: float,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def _rate(self, step: Any) -> Any:
        restarts, share = self._period(step / self.first_decay_steps)
        height = ops.power(float(self.m_mul), restarts) * (1.0 - self.alpha)
        return self.initial_learning_rate * (height * _half_cosine(share) + self.alpha)

    def _period(self, elapsed: Any) -> tuple[Any, Any]:
        """The number of the present period and which share of it is over.

        Args:
            elapsed: The number of steps in lengths of the first period.
        """
        if self.t_mul == 1:
            restarts = ops.floor(elapsed)
            return restarts, elapsed - restarts
        growth = float(self.t_mul)

        def start(period: Any) -> Any:
            return (ops.power(growth, period) - 1.0) / (growth - 1.0)

        # The rounded logarithm may be off by one at the very beginning or end of a period.
        restarts = ops.floor(ops.log1p(elapsed * (growth - 1.0)) / math.log(growth))
        restarts = ops.where(elapsed < start(restarts), restarts - 1.0, restarts)
        restarts = ops.where(elapsed >= start(restarts + 1.0), restarts + 1.0, restarts)
        return restarts, (elapsed - start(restarts)) / ops.power(growth, restarts)

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "first_decay_steps": self.first_decay_steps,
            "t_mul": self.t_mul,
            "m_mul": self.m_mul,
            "alpha": self.alpha,
            "name": self.name,
        }


def _half_cosine(share: Any) -> Any:
    """From 1 at 0 to 0 at 1."""
    return 0.5 * (1.0 + ops.cos(math.pi * share))
