"""Schedules made of others, and the one-cycle policy."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ... import ops
from ...hyperparameters import Option
from ...utils.numbers import finite_number, is_number
from .base import (
    FormulaSchedule,
    LearningRateSchedule,
    constant,
    count_option,
    increasing,
    rate_option,
)


def _schedule_or_rate(owner: str, name: str, value: Any) -> Any:
    """`value`, which must be a schedule or a rate."""
    if isinstance(value, LearningRateSchedule):
        return value
    if not is_number(value):
        raise TypeError(
            f"{owner}: expected {name} to be a schedule or a number, received {value!r}"
        )
    if finite_number(owner, name, value) < 0:
        raise ValueError(f"{owner}: expected {name} of at least 0, received {value!r}")
    return value


def _value(schedule: Any, step: Any) -> Any:
    """The rate of a schedule, or the rate itself, at `step`: like it a tensor of float64."""
    rate = schedule(step) if isinstance(schedule, LearningRateSchedule) else schedule
    return constant(rate, step)


def _end_at(schedule: Any, step: float) -> bool:
    return isinstance(schedule, LearningRateSchedule) and schedule.end_at(step)


def _read(config: Any) -> Any:
    from ...utils.serialization import deserialize_keras_object

    return deserialize_keras_object(config)


def _written(schedule: Any) -> Any:
    from ...utils.serialization import serialize_keras_object

    return serialize_keras_object(schedule)


class LinearWarmup(FormulaSchedule):
    """rate = start + (schedule(0) - start) * step / steps, from `steps` on schedule(step - steps)

    Args:
        schedule: A schedule, or a rate that stays. Its own steps are counted from the end of the
            warm-up.
        steps: The number of steps of the warm-up.
        initial_learning_rate: The rate at step 0, `start` in the equation.
        name: A name, for configurations.

    Raises:
        TypeError: `schedule` is neither a schedule nor a number.
        ValueError: `steps` is not greater than 0, or a rate is negative.

    Example:
        >>> from dlnative.optimizers.schedules import ExponentialDecay, LinearWarmup
        >>> rate = LinearWarmup(ExponentialDecay(0.8, 10, 0.5), steps=4)
        >>> [rate(step) for step in (0, 1, 4, 14)]
        [0.0, 0.2, 0.8, 0.4]

    Reference: Goyal et al. 2017, "Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour".
    """

    _public_module = "dlnative.optimizers.schedules"
    schedule = Option(lambda self, name, v: _schedule_or_rate(type(self).__name__, name, v))
    steps = count_option()
    initial_learning_rate = rate_option()

    def __init__(
        self,
        schedule: LearningRateSchedule | float,
        steps: float,
        initial_learning_rate: float = 0.0,
        name: str = "LinearWarmup",
    ) -> None:
        self.schedule = schedule
        self.steps = steps
        self.initial_learning_rate = initial_learning_rate
        self.name = name

    def _rate(self, step: Any) -> Any:
        start = self.initial_learning_rate
        share = ops.minimum(step / self.steps, 1.0)
        warmup = start + (_value(self.schedule, step * 0.0) - start) * share
        after = _value(self.schedule, ops.maximum(step - self.steps, 0.0))
        return ops.where(step < self.steps, warmup, after)

    def end_at(self, step: float) -> bool:
        return _end_at(self.schedule, step - self.steps)

    def get_config(self) -> dict[str, Any]:
        return {
            "schedule": _written(self.schedule),
            "steps": self.steps,
            "initial_learning_rate": self.initial_learning_rate,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LinearWarmup:
        return cls(**{**config, "schedule": _read(config["schedule"])})


class Joined(FormulaSchedule):
    """rate = schedules[i](step - boundaries[i - 1]), where boundaries[i - 1] <= step <
    boundaries[i]

    Args:
        schedules: List of schedules, or of rates. The steps of each are counted from its beginning.
        boundaries: List of increasing numbers of steps, one fewer than there are schedules.
        name: A name, for configurations.

    Raises:
        TypeError: An entry of `schedules` is neither a schedule nor a number.
        ValueError: `boundaries` does not increase, or the numbers of entries do not fit.

    Example:
        >>> from dlnative.optimizers.schedules import ExponentialDecay, Joined
        >>> rate = Joined([0.5, ExponentialDecay(0.4, 10, 0.5)], boundaries=[5])
        >>> [rate(step) for step in (0, 4, 5, 15)]
        [0.5, 0.5, 0.4, 0.2]
    """

    _public_module = "dlnative.optimizers.schedules"

    def __init__(
        self,
        schedules: Sequence[LearningRateSchedule | float],
        boundaries: Sequence[float],
        name: str = "Joined",
    ) -> None:
        owner = type(self).__name__
        if not isinstance(schedules, (list, tuple)):
            raise TypeError(f"{owner}: expected schedules to be a list, received {schedules!r}")
        self.schedules = [_schedule_or_rate(owner, "schedules", s) for s in schedules]
        self.boundaries = increasing(owner, "boundaries", boundaries)
        if len(self.schedules) != len(self.boundaries) + 1:
            raise ValueError(
                f"{owner}: expected schedules to have one entry more than boundaries, received "
                f"{len(self.schedules)} schedules and {len(self.boundaries)} boundaries"
            )
        self.name = name

    def _rate(self, step: Any) -> Any:
        rate = _value(self.schedules[0], step)
        for boundary, schedule in zip(self.boundaries, self.schedules[1:], strict=True):
            after = _value(schedule, ops.maximum(step - boundary, 0.0))
            rate = ops.where(step < boundary, rate, after)
        return rate

    def end_at(self, step: float) -> bool:
        return _end_at(self.schedules[-1], step - self.boundaries[-1])

    def get_config(self) -> dict[str, Any]:
        return {
            "schedules": _written(self.schedules),
            "boundaries": self.boundaries,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Joined:
        return cls(**{**config, "schedules": _read(config["schedules"])})


ANNEAL = {
    "cosine": lambda share: 0.5 * (1.0 - ops.cos(math.pi * share)),
    "linear": lambda share: share,
}


class OneCycle(FormulaSchedule):
    """A rise to `max_rate`, and a longer fall to far below the rate of the beginning.

    With lo = max_rate / initial_divisor and end = lo / final_divisor the rate goes from lo at step
    0 to max_rate at step warmup_fraction * steps - 1, and to end at step steps - 1, where it stays.
    With `three_phase` it falls to lo as fast as it rose, and then to end. In between
    rate = a + (b - a) * s, where s = (1 - cos(pi * t)) / 2 for "cosine" and s = t for "linear",
    t the share of the phase that is over.

    Args:
        max_rate: The highest rate.
        steps: The number of steps of the whole cycle.
        warmup_fraction: The share of the steps in which the rate rises, below 1 (1/2 with
            `three_phase`).
        anneal: "cosine" or "linear".
        initial_divisor: max_rate / (the first rate).
        final_divisor: (the first rate) / (the last rate).
        three_phase: Whether the rate first falls to where it began.
        name: A name, for configurations.

    Raises:
        ValueError: A number out of its range, or `steps` are too few for the phases.

    Example:
        >>> import dlnative
        >>> rate = dlnative.optimizers.schedules.OneCycle(0.5, 100, anneal="linear")
        >>> [round(rate(step), 6) for step in (0, 29, 64, 99)]
        [0.02, 0.5, 0.250001, 2e-06]

    Reference: Smith and Topin 2018, "Super-Convergence: Very Fast Training of Neural Networks Using
    Large Learning Rates"; the defaults are those of PyTorch's OneCycleLR.
    """

    _public_module = "dlnative.optimizers.schedules"
    max_rate = rate_option()
    steps = count_option()
    initial_divisor = count_option()
    final_divisor = count_option()

    def __init__(
        self,
        max_rate: float,
        steps: float,
        warmup_fraction: float = 0.3,
        anneal: str = "cosine",
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        three_phase: bool = False,
        name: str = "OneCycle",
    ) -> None:
        self.max_rate = max_rate
        self.steps = steps
        self.warmup_fraction = warmup_fraction
        self.anneal = anneal
        self.initial_divisor = initial_divisor
        self.final_divisor = final_divisor
        self.three_phase = three_phase
        self.name = name
        self._phases()

    def _phases(self) -> list[tuple[float, float]]:
        """(last step, rate there) of each phase, that of the beginning first."""
        owner = type(self).__name__
        fraction = finite_number(owner, "warmup_fraction", self.warmup_fraction)
        if self.anneal not in ANNEAL:
            raise ValueError(
                f"{owner}: expected anneal 'cosine' or 'linear', received {self.anneal!r}"
            )
        low = self.max_rate / self.initial_divisor
        peak = fraction * self.steps - 1.0
        phases = [(0.0, low), (peak, float(self.max_rate))]
        if self.three_phase:
            phases.append((2.0 * peak, low))
        phases.append((self.steps - 1.0, low / self.final_divisor))
        if any(after[0] <= before[0] for before, after in pairwise(phases)):
            raise ValueError(
                f"{owner}: expected steps and warmup_fraction to give every phase some steps, "
                f"received steps={self.steps!r}, warmup_fraction={self.warmup_fraction!r}, "
                f"three_phase={self.three_phase!r}"
            )
        return phases

    def _rate(self, step: Any) -> Any:
        phases = self._phases()
        rate = constant(phases[0][1], step)
        for (begin, a), (end, b) in pairwise(phases):
            share = ops.minimum((step - begin) / (end - begin), 1.0)
            value = a + (b - a) * ANNEAL[self.anneal](share)
            rate = ops.where(step > begin, value, rate)
        return rate

    def end_at(self, step: float) -> bool:
        self.steps = step
        self._phases()
        return True

    def get_config(self) -> dict[str, Any]:
        return {
            "max_rate": self.max_rate,
            "steps": self.steps,
            "warmup_fraction": self.warmup_fraction,
            "anneal": self.anneal,
            "initial_divisor": self.initial_divisor,
            "final_divisor": self.final_divisor,
            "three_phase": self.three_phase,
            "name": self.name,
        }
