"""Losses of margins: nothing is lost where the prediction is right by 1 or more.

Labels are -1 and 1. Where all of them are 0 or 1 they are taken as -1 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import ops
from .arguments import matched, of_tensors
from .base import REDUCTION, FunctionLoss

if TYPE_CHECKING:
    from ..graph import Tensor


def _signs(y_true: Tensor) -> Tensor:
    """Labels as -1 and 1, where all of the batch are 0 or 1."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0), ops.equal(y_true, 1)))
    return ops.where(binary, 2.0 * y_true - 1.0, y_true)


def _shortfall(name: str, y_true: Tensor, y_pred: Tensor) -> Tensor:
    """max(1 - y_true * y_pred, 0)"""
    y_true, y_pred = matched(name, y_true, y_pred)
    return ops.maximum(1.0 - _signs(y_true) * y_pred, 0.0)


@of_tensors
def hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = mean(max(1 - y_true * y_pred, 0)) over the last axis.

    Args:
        y_true: Labels, -1 and 1 or 0 and 1, (batch, ..., outputs); (batch,) for one output.
        y_pred: Predictions, (batch, ..., outputs).

    Returns:
        One loss per sample, (batch, ...).

    Example:
        >>> from dlnative.losses import hinge
        >>> hinge([[1.0, 0.0]], [[0.5, -2.0]]).tolist()
        [0.25]
    """
    return ops.mean(_shortfall("hinge", y_true, y_pred), axis=-1)


@of_tensors
def squared_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = mean(max(1 - y_true * y_pred, 0)^2) over the last axis; arguments as for `hinge`."""
    return ops.mean(ops.square(_shortfall("squared_hinge", y_true, y_pred)), axis=-1)


@of_tensors
def categorical_hinge(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = max(neg - pos + 1, 0) over the last axis

    pos = sum(y_true * y_pred) is what the right class gets, neg = max((1 - y_true) * y_pred) the
    most that another gets.

    Args:
        y_true: One-hot labels, 0 and 1, (batch, ..., classes).
        y_pred: Predictions, (batch, ..., classes).

    Returns:
        One loss per sample, (batch, ...).
    """
    y_true, y_pred = matched("categorical_hinge", y_true, y_pred)
    pos = ops.sum(y_true * y_pred, axis=-1)
    neg = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(neg - pos + 1.0, 0.0)


class Hinge(FunctionLoss):
    """loss = mean(max(1 - y_true * y_pred, 0)); see `hinge`.

    Args:
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "hinge",
        dtype: str | None = None,
    ) -> None:
        super().__init__(hinge, reduction, name, dtype)


class SquaredHinge(FunctionLoss):
    """loss = mean(max(1 - y_true * y_pred, 0)^2); arguments as `Hinge`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "squared_hinge",
        dtype: str | None = None,
    ) -> None:
        super().__init__(squared_hinge, reduction, name, dtype)


class CategoricalHinge(FunctionLoss):
    """loss = max(neg - pos + 1, 0); see `categorical_hinge`. Arguments as `Hinge`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "categorical_hinge",
        dtype: str | None = None,
    ) -> None:
        super().__init__(categorical_hinge, reduction, name, dtype)
