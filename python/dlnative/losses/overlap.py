"""Losses of how far two sets overlap, for segmentation; a set is a mask of numbers in [0, 1]."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import config, ops
from ..ops import arguments
from .arguments import check_axes, check_number, matched, of_tensors
from .base import REDUCTION, FunctionLoss
from .options import FunctionNumber, FunctionOption

if TYPE_CHECKING:
    from ..graph import Tensor
    from ..graph.types import Axes


@of_tensors
def dice(y_true: Tensor, y_pred: Tensor, axis: Axes = None) -> Tensor:
    """loss = 1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred) + epsilon)

    Args:
        y_true: Labels in [0, 1].
        y_pred: Predictions in [0, 1] of that shape.
        axis: The axis, or several, of the sums: (1, 2, 3) for one loss per image and
            `axis=None` for one loss of the whole batch.

    Returns:
        The losses, of the shape of the predictions without `axis`; epsilon is `config.epsilon()`.

    Example:
        >>> from dlnative.losses import dice
        >>> round(float(dice([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """
    y_true, y_pred = matched("dice", y_true, y_pred)
    axis = arguments.axes("dice", axis, y_pred.ndim)
    common = ops.sum(y_true * y_pred, axis=axis)
    sizes = ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis)
    return 1.0 - 2.0 * common / (sizes + config.epsilon())


@of_tensors
def tversky(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axes = None,
) -> Tensor:
    """loss = 1 - common / (common + alpha * missed + beta * added + epsilon)

    common = sum(y_true * y_pred), missed = sum(y_true * (1 - y_pred)), added = sum(y_pred *
    (1 - y_true)). With alpha = beta = 0.5 it is the Dice loss.

    Args:
        y_true: Labels in [0, 1].
        y_pred: Predictions in [0, 1] of that shape.
        alpha: The weight of what is missed.
        beta: The weight of what is added.
        axis: As for `dice`.

    Returns:
        The losses, of the shape of the predictions without `axis`; epsilon is `config.epsilon()`.

    Reference: Salehi et al., Tversky loss function for image segmentation using 3D fully
    convolutional deep networks, 2017.
    """
    check_number("tversky", "alpha", alpha)
    check_number("tversky", "beta", beta)
    y_true, y_pred = matched("tversky", y_true, y_pred)
    axis = arguments.axes("tversky", axis, y_pred.ndim)
    common = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum(y_true * (1.0 - y_pred), axis=axis)
    added = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - common / (common + missed * alpha + added * beta + config.epsilon())


class Dice(FunctionLoss):
    """loss = 1 - 2 * sum(y_true * y_pred) / (sum(y_true) + sum(y_pred)); see `dice`.

    Args:
        reduction: As for `Loss`.
        name: Name in logs.
        axis: The axis, or several, of the sums; None for the whole batch.
        dtype: By default the dtype of the predictions.
    """

    axis = FunctionOption(check_axes)

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "dice",
        axis: Axes = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(dice, reduction, name, dtype, axis=axis)


class Tversky(FunctionLoss):
    """The Dice loss with weights of what is missed and what is added; see `tversky`.

    Args:
        alpha: The weight of what is missed.
        beta: The weight of what is added.
        reduction: As for `Loss`.
        name: Name in logs.
        axis: The axis, or several, of the sums; None for the whole batch.
        dtype: By default the dtype of the predictions.
    """

    alpha = FunctionNumber(lambda name, value: check_number(name, "alpha", value))
    beta = FunctionNumber(lambda name, value: check_number(name, "beta", value))
    axis = FunctionOption(check_axes)

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str | None = REDUCTION,
        name: str | None = "tversky",
        axis: Axes = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(tversky, reduction, name, dtype, alpha=alpha, beta=beta, axis=axis)
