"""Numbers that a program reads and Python sets: the learning rate and the count of updates."""

from __future__ import annotations

from typing import Any

from .graph.tensor import STEP_DTYPES
from .placement import place
from .variables import Variable


class Scalar(Variable):
    """A Variable of shape (), placed at once, which programs read at each step.

    As every Variable it answers as its array does, here as a number:
    `optimizer.learning_rate * 0.5`, `float(optimizer.learning_rate)`. One of float64 or int64 is a
    number of the step in programs: it is rounded where it meets arrays, and decides no dtype.
    """

    def __init__(self, value: float, dtype: str, name: str, path: str | None = None) -> None:
        super().__init__(value, dtype=dtype, name=name, trainable=False, path=path)
        place([self])

    @property
    def is_step_scalar(self) -> bool:
        """Whether it is a number of the step in programs."""
        return self.dtype in STEP_DTYPES

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        place([self])
