"""Learning rates as functions of the number of steps.

A schedule is given to an optimizer as its `learning_rate` and becomes a part of the training
program. The first six are Keras's; LinearWarmup, OneCycle and Joined are this library's own.

Example:
    >>> import dlnative
    >>> schedules = dlnative.optimizers.schedules
    >>> decay = schedules.CosineDecay(0.1, decay_steps=1000)
    >>> optimizer = dlnative.optimizers.SGD(schedules.LinearWarmup(decay, steps=100))
    >>> float(optimizer.learning_rate)
    0.0
"""

from __future__ import annotations

from typing import Any

from ...utils.serialization import deserialize_keras_object, serialize_keras_object
from .base import LearningRateSchedule
from .composed import Joined, LinearWarmup, OneCycle
from .cosine import CosineDecay, CosineDecayRestarts
from .decay import ExponentialDecay, InverseTimeDecay, PiecewiseConstantDecay, PolynomialDecay

CLASSES = {
    cls.__name__: cls
    for cls in (
        CosineDecay,
        CosineDecayRestarts,
        ExponentialDecay,
        InverseTimeDecay,
        PiecewiseConstantDecay,
        PolynomialDecay,
        Joined,
        LinearWarmup,
        OneCycle,
    )
}


def serialize(learning_rate_schedule: LearningRateSchedule) -> dict[str, Any]:
    """The configuration of a schedule, as plain values, in Keras's format."""
    return serialize_keras_object(learning_rate_schedule)


def deserialize(
    config: dict[str, Any], custom_objects: dict[str, Any] | None = None
) -> LearningRateSchedule:
    """The schedule of a configuration that `serialize` gave."""
    return deserialize_keras_object(config, custom_objects, module_objects=CLASSES)


__all__ = ["LearningRateSchedule", *CLASSES, "deserialize", "serialize"]
