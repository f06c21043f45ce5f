"""Line searches: how far to go along a direction in which a function falls.

With f(t) the value at step t and s(t) its slope there, a step is long enough and not too long if

    f(t) <= f(0) + c1 t s(0)    (sufficient decrease, Armijo)
    |s(t)| <= c2 |s(0)|         (curvature; both together are the strong Wolfe conditions).

Reference: Nocedal and Wright 2006, "Numerical Optimization", section 3.5, algorithms 3.1, 3.5 and
3.6; the bounds of the interpolation are those of Schmidt's minFunc, as in `torch.optim.LBFGS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

EXPANSION = 10.0  # a longer step is at most this many times as long as the one before
MARGIN = 0.1  # share of a bracket: how near to its ends steps may lie, and how far one shrinks


@dataclass(frozen=True)
class Trial:
    """The function at one step.

    Attributes:
        step: t.
        value: f(t); infinity where the value or the gradient is not finite.
        slope: s(t); NaN there.
        point: What `evaluate` wants to keep of it.
    """

    step: float
    value: float
    slope: float
    point: Any


@dataclass(frozen=True)
class Limits:
    """What a line search keeps to.

    Attributes:
        sufficient_decrease: c1.
        curvature: c2.
        evaluations: How many steps are tried at most.
        shortest: The length of a step or bracket below which the search ends.
        rounding: The relative rounding error of values: by so much they may be larger.
    """

    sufficient_decrease: float
    curvature: float
    evaluations: int
    shortest: float
    rounding: float


class Line:
    """A function along a direction.

    Args:
        evaluate: Function from a step to a Trial.
        start: The Trial of step 0, with a negative slope.
        limits: The Limits.
    """

    def __init__(self, evaluate: Callable[[float], Trial], start: Trial, limits: Limits) -> None:
        self._evaluate = evaluate
        self.start = start
        self.limits = limits
        self._left = limits.evaluations

    @property
    def is_exhausted(self) -> bool:
        """Whether no further step may be tried."""
        return self._left == 0

    def at(self, step: float) -> Trial:
        """The Trial of a step."""
        self._left -= 1
        return self._evaluate(step)

    def is_lower(self, trial: Trial) -> bool:
        """Whether the decrease is sufficient."""
        start, limits = self.start, self.limits
        expected = limits.sufficient_decrease * trial.step * start.slope
        # Near a minimum the decrease is less than the rounding errors of both values.
        return trial.value <= start.value + expected + limits.rounding * abs(start.value)

    def is_wolfe(self, trial: Trial) -> bool:
        """Whether the strong Wolfe conditions hold."""
        enough = abs(trial.slope) <= -self.limits.curvature * self.start.slope
        return enough and self.is_lower(trial)


def strong_wolfe(line: Line, step: float) -> Trial | None:
    """A step for which the strong Wolfe conditions hold, beginning with `step` (algorithm 3.5).

    Returns:
        The Trial; where the evaluations do not suffice, the lowest with a sufficient decrease, and
        None if there is none.
    """
    before, trial = line.start, line.at(step)
    while not line.is_wolfe(trial):
        risen = before is not line.start and trial.value >= before.value
        if risen or not line.is_lower(trial):
            return _zoom(line, before, trial)
        if trial.slope >= 0.0:
            return _zoom(line, trial, before)
        if line.is_exhausted:
            break
        nearest = trial.step + 0.01 * (trial.step - before.step)
        longer = cubic_minimum(before, trial, nearest, EXPANSION * trial.step)
        before, trial = trial, line.at(longer)
    return trial


def _zoom(line: Line, low: Trial, high: Trial) -> Trial | None:
    """A step between two (algorithm 3.6).

    Args:
        low: The lowest so far of those with a sufficient decrease; its slope falls towards `high`.
        high: The other end.
    """
    is_slow = False
    while not line.is_exhausted and abs(high.step - low.step) > line.limits.shortest:
        step, is_slow = _between(low, high, is_slow)
        trial = line.at(step)
        if line.is_wolfe(trial):
            return trial
        if not line.is_lower(trial) or trial.value >= low.value:
            high = trial
            continue
        if trial.slope * (high.step - low.step) >= 0.0:
            high = low
        low = trial
    return None if low is line.start else low


def _between(low: Trial, high: Trial, is_slow: bool) -> tuple[float, bool]:
    """(a step well between two, whether it is near to one of them).

    Args:
        is_slow: Whether the step before was near to an end of its bracket.
    """
    if not math.isfinite(high.value):
        share = MARGIN if low.step == 0.0 else 0.5
        return low.step + share * (high.step - low.step), False
    left, right = sorted((low.step, high.step))
    step = cubic_minimum(low, high, left, right)
    margin = MARGIN * (right - left)
    if min(right - step, step - left) >= margin:
        return step, False
    if not is_slow and left < step < right:
        return step, True
    return (right - margin if right - step < step - left else left + margin), False


def cubic_minimum(a: Trial, b: Trial, low: float, high: float) -> float:
    """The minimum of the cubic with the values and slopes of two trials, cut to [low, high].

    The middle of the range where the cubic has none. Reference: equation 3.59.
    """
    if a.step > b.step:
        a, b = b, a
    width = b.step - a.step
    d1 = a.slope + b.slope - 3.0 * (b.value - a.value) / width
    square = d1 * d1 - a.slope * b.slope
    if square >= 0.0:
        d2 = math.sqrt(square)
        divisor = b.slope - a.slope + 2.0 * d2
        step = b.step - width * (b.slope + d2 - d1) / divisor if divisor else math.nan
        if math.isfinite(step):
            return min(max(step, low), high)
    return 0.5 * (low + high)


def backtracking(line: Line, step: float) -> Trial | None:
    """The first step with a sufficient decrease, from `step` downwards (algorithm 3.1).

    Each is the minimum of the parabola with the value and slope at 0 and the value at the step
    before, between a tenth and a half of that.
    """
    trial = line.at(step)
    while not line.is_lower(trial):
        if line.is_exhausted or trial.step < line.limits.shortest:
            return None
        trial = line.at(trial.step * _shrink(line.start, trial))
    return trial


def _shrink(start: Trial, trial: Trial) -> float:
    if not math.isfinite(trial.value):
        return MARGIN
    bend = trial.value - start.value - start.slope * trial.step
    if bend <= 0.0:  # by rounding
        return 0.5
    return min(max(-0.5 * start.slope * trial.step / bend, MARGIN), 0.5)


def fixed_step(line: Line, step: float) -> Trial | None:
    """`step` itself, and tenths of it until the value is finite."""
    trial = line.at(step)
    while not math.isfinite(trial.value):
        if line.is_exhausted or trial.step < line.limits.shortest:
            return None
        trial = line.at(MARGIN * trial.step)
    return trial


SEARCHES: dict[str | None, Callable[[Line, float], Trial | None]] = {
    "strong_wolfe": strong_wolfe,
    "backtracking": backtracking,
    "armijo": backtracking,
    None: fixed_step,
}
