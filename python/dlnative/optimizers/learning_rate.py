"""The learning rate of an optimizer: a number, a schedule, or a function called at each step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..changes import note
from ..graph.table import table
from ..graph.tensor import StepScalar, Tensor, ValueTensor, apply, traced_graph
from ..hyperparameters import Number
from ..scalar import Scalar
from ..utils.numbers import as_float
from .schedules import LearningRateSchedule
from .schedules.base import in_float64

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from .optimizer import Optimizer

# What an optimizer takes as its learning rate.
Rate: TypeAlias = "float | LearningRateSchedule | Callable[[], Any]"


class LearningRate(Number):
    """The attribute `learning_rate`: a number-like Variable, set by assignment.

    A schedule gives its value at the present step.

    Args:
        above: Whether a number must be greater than 0.
    """

    def __init__(self, above: bool = False) -> None:
        super().__init__(0.0, above=above)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        rate = instance._learning_rate
        if isinstance(rate, Scalar):
            graph = traced_graph()
            return rate if graph is None else graph.variable(rate)
        if isinstance(rate, LearningRateSchedule):
            return in_float64(rate, instance._iterations)
        return rate()

    def __set__(self, instance: Any, value: Any) -> None:
        before = instance.__dict__.get("_learning_rate")
        if isinstance(value, LearningRateSchedule) or (
            callable(value) and not isinstance(value, (Scalar, np.ndarray))
        ):
            instance._learning_rate = value
            if isinstance(before, Scalar):
                instance._variables = [v for v in instance._variables if v is not before]
            note(instance)
            return
        if isinstance(before, LearningRateSchedule):
            raise TypeError(
                f"{type(instance).__name__}: the learning rate is a schedule and cannot be set to "
                f"a number, received {value!r}; set it to another schedule, or make the optimizer "
                "with a number"
            )
        if isinstance(value, (Scalar, ValueTensor, np.ndarray)):
            if value.shape != ():
                raise ValueError(
                    f"{type(instance).__name__}: expected learning_rate to be a number, received "
                    f"an array of shape {value.shape}"
                )
            value = float(value)
        number = self.check(instance, self.name, value)
        if isinstance(before, Scalar):
            before.assign(number)
            return
        instance._learning_rate = Scalar(number, "float64", "learning_rate")
        instance._tracked(instance._learning_rate)
        instance._variables.insert(1, instance._variables.pop())  # after the iteration
        if before is not None:
            note(instance)


def current_rate(optimizer: Optimizer, graph: Graph) -> Tensor:
    """The learning rate of a step, a scalar tensor of `graph`.

    What a schedule or function gives is looked at in each step, before anything is written.
    """
    rate = optimizer._learning_rate
    if isinstance(rate, Scalar):
        return graph.variable(rate)
    if isinstance(rate, LearningRateSchedule):
        value = in_float64(rate, optimizer._iterations)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{type(rate).__name__}: expected a result that is computed from `step`, received "
                f"{value!r}"
            )
    else:
        value = rate()
        if not isinstance(value, Tensor):  # a number of Python's, asked for at each step
            value = _called(rate, graph)
    if value.shape != ():
        raise ValueError(
            f"learning_rate: expected a scalar from {rate!r}, received shape {value.shape}"
        )
    value = apply("cast", value, dtype="float64")
    what = f"the learning rate of '{optimizer.name}'"
    return graph.apply(table["checked_rate"], (value,), {"what": what}, StepScalar)


def rate_of_step(optimizer: Any) -> float:
    """The learning rate of the step that comes next, as a float.

    Raises:
        ValueError: It is negative, NaN or infinite.
    """
    rate = float(optimizer.learning_rate)
    if not 0.0 <= rate < np.inf:
        raise ValueError(
            f"the learning rate of '{optimizer.name}' is {rate:g}: expected a finite number, 0 or "
            "greater"
        )
    return rate


def _called(function: Callable[[], Any], graph: Graph) -> Tensor:
    def learning_rate() -> tuple[np.float64]:
        return (np.float64(as_float("learning_rate", "the result", function())),)

    attributes = {"function": learning_rate, "shapes": ((),), "dtypes": ("float64",)}
    return graph.apply(table["numpy_function"], (), attributes)[0]


def rate_config(optimizer: Optimizer) -> Any:
    """The learning rate in a configuration."""
    rate = optimizer._learning_rate
    if isinstance(rate, Scalar):
        return float(rate)
    from ..utils.serialization import serialize_keras_object

    return serialize_keras_object(rate)
