"""The base class of learning rate schedules, and what those of this package have in common."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ... import ops
from ...changes import Tracked
from ...graph.tensor import Tensor, ValueTensor, is_variable, traced_graph
from ...hyperparameters import Option
from ...utils.numbers import finite_number


class LearningRateSchedule(Tracked):
    """A learning rate that is a function of the number of steps so far.

    A subclass gives `__call__(step)` with operators and `dlnative.ops`. It becomes a part of the
    training program, where `step` is a tensor of float64 and shape ().

    Example:
        >>> import dlnative
        >>> class Halving(dlnative.optimizers.schedules.LearningRateSchedule):
        ...     def __call__(self, step):
        ...         return 0.1 * 0.5 ** dlnative.ops.floor(step / 100)
        >>> optimizer = dlnative.optimizers.SGD(Halving())
        >>> optimizer.iterations.assign(250)
        array(250)
        >>> optimizer.learning_rate
        0.025

    Differs from Keras: `step` is float64 and not an integer, so that nothing of the rate is
    computed in float32; `ops.cast(step, "int32")` is an index.
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate of the step that comes after `step` others."""
        raise NotImplementedError(f"{type(self).__name__} does not implement __call__(step)")

    def end_at(self, step: float) -> bool:
        """Sets the length of a schedule that has one: it comes to its end at this step.

        `fit(max_seconds=...)` calls it on a copy.

        Returns:
            Whether it has an end; False of one that goes on without.

        Raises:
            ValueError: There are too few steps.
        """
        return False

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(f"{type(self).__name__} does not implement get_config()")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        return cls(**config)

    def __repr__(self) -> str:
        try:
            options = self.get_config()
        except NotImplementedError:
            return f"<{type(self).__name__}>"
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in options.items())})"


class FormulaSchedule(LearningRateSchedule):
    """A schedule whose subclasses give `_rate(step)`, where `step` is a tensor of float64."""

    _public_module = "keras.optimizers.schedules"

    def __call__(self, step: Any) -> Any:
        return in_float64(self._rate, step)

    def _rate(self, step: Any) -> Any:
        raise NotImplementedError


def in_float64(function: Callable[[Any], Any], step: Any) -> Any:
    """`function(step)` on a float64 tensor of the program, or at once on numbers and arrays.

    Returns:
        A tensor in a program; else a float for a number and an array for an array.
    """
    in_program = traced_graph() is not None and is_variable(step)
    if in_program or (isinstance(step, Tensor) and not isinstance(step, ValueTensor)):
        return function(ops.cast(step, "float64"))
    # As tensors that have values numbers stay float64, and the kernels are those of programs.
    steps = np.asarray(step, np.float64)
    values = np.asarray(function(ValueTensor(steps)))
    return values if values.ndim else float(values)


def constant(value: Any, step: Any) -> Any:
    """`value`, a number or a tensor, in the dtype and shape of `step`."""
    return step * 0.0 + value


class NumberOption(Option):
    """A finite number, kept as it was given, for configurations.

    Args:
        low: The smallest value.
        open_low: Whether the value must be greater than `low`.
        optional: Whether it may be None.
    """

    def __init__(
        self, low: float | None = None, open_low: bool = False, optional: bool = False
    ) -> None:
        super().__init__(self._checked)
        self.low = low
        self.open_low = open_low
        self.optional = optional

    def _checked(self, instance: Any, name: str, value: Any) -> Any:
        if value is None and self.optional:
            return None
        owner = type(instance).__name__
        number = finite_number(owner, name, value)
        if self.low is not None and (number < self.low or (self.open_low and number == self.low)):
            bound = "greater than" if self.open_low else "of at least"
            raise ValueError(f"{owner}: expected {name} {bound} {self.low:g}, received {value!r}")
        return value.item() if isinstance(value, (np.ndarray, np.generic)) else value


def rate_option(optional: bool = False) -> NumberOption:
    """A learning rate: a number of at least 0."""
    return NumberOption(0.0, optional=optional)


def count_option() -> NumberOption:
    """A number of steps: greater than 0."""
    return NumberOption(0.0, open_low=True)


def increasing(owner: str, name: str, values: Any) -> list:
    """A list of numbers, each greater than the one before.

    Raises:
        TypeError: It is no list or tuple of numbers.
        ValueError: It is empty, not finite, or does not increase.
    """
    if not isinstance(values, (list, tuple, np.ndarray)):
        raise TypeError(f"{owner}: expected {name} to be a list of numbers, received {values!r}")
    numbers = values.tolist() if isinstance(values, np.ndarray) else list(values)
    for value in numbers:
        finite_number(owner, name, value)
    pairs = pairwise(numbers)
    if not numbers or any(after <= before for before, after in pairs):
        raise ValueError(
            f"{owner}: expected {name} to be a list of increasing numbers, received {values!r}"
        )
    return numbers
