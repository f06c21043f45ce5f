"""Learning rates that fall along a power, a hyperbola, steps or a polynomial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ... import ops
from ...utils.numbers import finite_number
from .base import FormulaSchedule, NumberOption, constant, count_option, increasing, rate_option


class ExponentialDecay(FormulaSchedule):
    """rate = initial_learning_rate * decay_rate^(step / decay_steps)

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The number of steps in which the rate is multiplied by `decay_rate` once.
        decay_rate: The factor.
        staircase: Whether step / decay_steps is rounded down, so that the rate falls in steps.
        name: A name, for configurations.

    Raises:
        ValueError: `decay_steps` is not greater than 0, or the rate is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.ExponentialDecay(0.8, 10, 0.5, staircase=True)
        >>> [rate(step) for step in (0, 9, 10, 35)]
        [0.8, 0.8, 0.4, 0.1]

    Differs from Keras: computed in float64, as all schedules are.
    """

    initial_learning_rate = rate_option()
    decay_steps = count_option()
    decay_rate = NumberOption()

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _rate(self, step: Any) -> Any:
        return self.initial_learning_rate * ops.power(float(self.decay_rate), _periods(self, step))

    def get_config(self) -> dict[str, Any]:
        return _decay_config(self)


class InverseTimeDecay(FormulaSchedule):
    """rate = initial_learning_rate / (1 + decay_rate * step / decay_steps)

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The number of steps in which the denominator grows by `decay_rate`.
        decay_rate: By how much.
        staircase: Whether step / decay_steps is rounded down, so that the rate falls in steps.
        name: A name, for configurations.

    Raises:
        ValueError: `decay_steps` is not greater than 0, or the rate is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.InverseTimeDecay(0.5, 10, 1.0)
        >>> [rate(step) for step in (0, 10, 40)]
        [0.5, 0.25, 0.1]
    """

    initial_learning_rate = rate_option()
    decay_steps = count_option()
    decay_rate = NumberOption()

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        decay_rate: float,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name

    def _rate(self, step: Any) -> Any:
        return self.initial_learning_rate / (1.0 + self.decay_rate * _periods(self, step))

    def get_config(self) -> dict[str, Any]:
        return _decay_config(self)


def _periods(schedule: Any, step: Any) -> Any:
    """How often `decay_steps` has passed."""
    periods = step / schedule.decay_steps
    return ops.floor(periods) if schedule.staircase else periods


def _decay_config(schedule: Any) -> dict[str, Any]:
    names = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")
    return {name: getattr(schedule, name) for name in names}


class PiecewiseConstantDecay(FormulaSchedule):
    """rate = values[i], where boundaries[i - 1] < step <= boundaries[i]

    Args:
        boundaries: List of increasing numbers of steps.
        values: List of rates, one more than there are boundaries.
        name: A name, for configurations.

    Raises:
        ValueError: `boundaries` is empty or does not increase, the numbers of entries do not fit,
            or a rate is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.PiecewiseConstantDecay([10, 20], [1.0, 0.5, 0.1])
        >>> [rate(step) for step in (10, 11, 20, 21)]
        [1.0, 0.5, 0.5, 0.1]
    """

    def __init__(
        self, boundaries: Sequence[float], values: Sequence[float], name: str = "PiecewiseConstant"
    ) -> None:
        owner = type(self).__name__
        self.boundaries = increasing(owner, "boundaries", boundaries)
        self.values = list(values)
        for value in self.values:
            if finite_number(owner, "values", value) < 0:
                raise ValueError(f"{owner}: expected values of at least 0, received {values!r}")
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"{owner}: expected values to have one entry more than boundaries, received "
                f"{len(self.boundaries)} boundaries and {len(self.values)} values"
            )
        self.name = name

    def _rate(self, step: Any) -> Any:
        rate = constant(self.values[0], step)
        for boundary, value in zip(self.boundaries, self.values[1:], strict=True):
            rate = ops.where(step > boundary, value, rate)
        return rate

    def get_config(self) -> dict[str, Any]:
        return {"boundaries": self.boundaries, "values": self.values, "name": self.name}


class PolynomialDecay(FormulaSchedule):
    """rate = (initial_learning_rate - end_learning_rate) * (1 - step / n)^power + end_learning_rate

    n is `decay_steps`, after which the rate stays. With `cycle` n is the first multiple of
    `decay_steps` that is at least `step` (and at least one): the rate rises again and again.

    Args:
        initial_learning_rate: The rate at step 0.
        decay_steps: The number of steps in which the rate comes to its end.
        end_learning_rate: The rate there.
        power: The exponent; 1 is a line.
        cycle: Whether the rate rises again after `decay_steps`.
        name: A name, for configurations.

    Raises:
        ValueError: `decay_steps` is not greater than 0, or a rate is negative.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.PolynomialDecay(0.5, 10, 0.25, power=2.0)
        >>> [rate(step) for step in (0, 5, 10, 100)]
        [0.5, 0.3125, 0.25, 0.25]
    """

    initial_learning_rate = rate_option()
    decay_steps = count_option()
    end_learning_rate = rate_option()
    power = NumberOption()

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: float,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def _rate(self, step: Any) -> Any:
        if self.cycle:
            total = self.decay_steps * ops.maximum(ops.ceil(step / self.decay_steps), 1.0)
            left = 1.0 - step / total
        else:
            left = 1.0 - ops.minimum(step, float(self.decay_steps)) / self.decay_steps
        fall = self.initial_learning_rate - self.end_learning_rate
        return fall * ops.power(left, float(self.power)) + self.end_learning_rate

    def end_at(self, step: float) -> bool:
        if not self.cycle:
            self.decay_steps = step
        return not self.cycle

    def get_config(self) -> dict[str, Any]:
        return {
            "initial_learning_rate": self.initial_learning_rate,
            "decay_steps": self.decay_steps,
            "end_learning_rate": self.end_learning_rate,
            "power": self.power,
            "cycle": self.cycle,
            "name": self.name,
        }
