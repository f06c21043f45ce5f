"""Labels, predictions and options as the losses made of ops compute with them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..graph.tensor import Tensor, ValueTensor, apply, is_variable, traced_graph
from ..ops import arguments
from ..ops.public import as_tensor
from ..utils.numbers import as_float, finite_number
from .base import as_predictions, match_ranks
from .labels import check_same_shape

if TYPE_CHECKING:
    from ..graph.types import Result, TensorLike


def of_tensors(function: Callable[..., Tensor]) -> Callable[..., Result]:
    """Decorator: a loss that is written for tensors takes arrays, and then gives arrays.

    Predictions become floats, and labels get their dtype.
    """

    @functools.wraps(function)
    def public(y_true: TensorLike, y_pred: TensorLike, *args: Any, **kwargs: Any) -> Result:
        known = traced_graph() is None
        known = known and not any(isinstance(value, Tensor) for value in (y_true, y_pred))
        y_pred = _predictions(y_pred)
        result = function(as_tensor(y_true, y_pred.dtype), y_pred, *args, **kwargs)
        return result.value if known and isinstance(result, ValueTensor) else result

    return public


def _predictions(value: Any) -> Tensor:
    if not (isinstance(value, Tensor) or is_variable(value)):
        value = ValueTensor(as_predictions(value))
    value = as_tensor(value)
    if not value.dtype.startswith("float"):
        value = apply("cast", value, dtype=as_tensor(0.0).dtype)
    return value


def matched(name: str, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one shape.

    Raises:
        ValueError: Their shapes differ by more than a last axis of size 1.
    """
    y_true, y_pred = match_ranks(y_true, y_pred)
    check_same_shape(name, y_true, y_pred)
    return y_true, y_pred


def smoothed(y_true: Any, label_smoothing: float, classes: int) -> Any:
    """t = y_true * (1 - label_smoothing) + label_smoothing / classes"""
    if not is_of_step(label_smoothing) and not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / classes


def is_of_step(value: Any) -> bool:
    """Whether it is a number of the step, which was checked when it was set."""
    return isinstance(value, Tensor) and not isinstance(value, ValueTensor)


def check_smoothing(name: str, label_smoothing: Any) -> None:
    """Raises unless it is a number in [0, 1]."""
    if is_of_step(label_smoothing):
        return
    if not 0.0 <= as_float(name, "label_smoothing", label_smoothing) <= 1.0:
        raise ValueError(
            f"{name}: expected label_smoothing in [0, 1], received {label_smoothing!r}"
        )


def check_number(name: str, argument: str, value: Any) -> None:
    """Raises unless it is a finite number."""
    if not is_of_step(value):
        finite_number(name, argument, value)


def check_not_negative(name: str, argument: str, value: Any) -> None:
    """Raises unless it is a finite number of at least 0."""
    if not is_of_step(value) and finite_number(name, argument, value) < 0:
        raise ValueError(f"{name}: expected {argument} of at least 0, received {value!r}")


def check_axis(name: str, axis: Any) -> None:
    """Raises unless it is an integer."""
    arguments.integer(name, "axis", axis)


def check_axes(name: str, axis: Any) -> None:
    """Raises unless it is an integer, or several, or None for all axes."""
    if axis is not None:
        arguments.integers(name, "axis", axis)
