"""Losses of numbers, of directions and of distributions, as functions and as classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import config, ops
from ..ops import arguments
from .arguments import check_axes, check_not_negative, matched, of_tensors
from .base import REDUCTION, FunctionLoss
from .options import FunctionNumber, FunctionOption

if TYPE_CHECKING:
    from ..graph import Tensor
    from ..graph.types import Axes


@of_tensors
def mean_absolute_percentage_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = 100 * mean(|y_true - y_pred| / max(|y_true|, epsilon)) over the last axis.

    Args:
        y_true: Targets, (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Predictions, (batch, ..., outputs).

    Returns:
        One loss per sample, (batch, ...); epsilon is `config.epsilon()`.

    Example:
        >>> from dlnative.losses import mean_absolute_percentage_error
        >>> mean_absolute_percentage_error([[4.0, 2.0]], [[5.0, 2.0]]).tolist()
        [12.5]
    """
    y_true, y_pred = matched("mean_absolute_percentage_error", y_true, y_pred)
    scale = ops.maximum(ops.abs(y_true), config.epsilon())
    return 100.0 * ops.mean(ops.abs((y_true - y_pred) / scale), axis=-1)


@of_tensors
def mean_squared_logarithmic_error(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = mean((log(y_true + 1) - log(y_pred + 1))^2) over the last axis.

    What is less than `config.epsilon()` counts as that. Arguments as for
    `mean_absolute_percentage_error`.
    """
    y_true, y_pred = matched("mean_squared_logarithmic_error", y_true, y_pred)
    true, pred = (ops.log(ops.maximum(y, config.epsilon()) + 1.0) for y in (y_true, y_pred))
    return ops.mean(ops.square(pred - true), axis=-1)


@of_tensors
def huber(y_true: Tensor, y_pred: Tensor, delta: float = 1.0) -> Tensor:
    """loss = mean(h(e)) over the last axis; e = y_pred - y_true

    h(e) = e^2 / 2 where |e| <= delta, and delta * |e| - delta^2 / 2 beyond.

    Args:
        y_true: Targets, (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Predictions, (batch, ..., outputs).
        delta: Where the parabola becomes a line; at least 0.

    Example:
        >>> from dlnative.losses import huber
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
        [1.5]

    Reference: Huber, Robust estimation of a location parameter, 1964.
    """
    check_not_negative("huber", "delta", delta)
    y_true, y_pred = matched("huber", y_true, y_pred)
    error = y_pred - y_true
    size = ops.abs(error)
    line = delta * size - 0.5 * delta * delta
    return ops.mean(ops.where(size <= delta, 0.5 * ops.square(error), line), axis=-1)


@of_tensors
def log_cosh(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = mean(log(cosh(y_pred - y_true))) over the last axis, without overflow.

    Arguments as for `mean_absolute_percentage_error`.
    """
    y_true, y_pred = matched("log_cosh", y_true, y_pred)
    error = y_pred - y_true
    return ops.mean(error + ops.softplus(-2.0 * error) - LOG_2, axis=-1)


LOG_2 = 0.6931471805599453


@of_tensors
def cosine_similarity(y_true: Tensor, y_pred: Tensor, axis: Axes = -1) -> Tensor:
    """loss = -sum(normalize(y_true) * normalize(y_pred)) over `axis`: -1 for one direction.

    Args:
        y_true: Targets, (batch, ..., outputs).
        y_pred: Predictions of that shape.
        axis: The axis, or several, along which vectors lie. A vector of zeros has similarity 0.

    Returns:
        The negative cosines, of the shape of the predictions without `axis`.

    Example:
        >>> from dlnative.losses import cosine_similarity
        >>> cosine_similarity([[0.0, 2.0], [3.0, 0.0]], [[0.0, 4.0], [0.0, 1.0]]).tolist()
        [-1.0, -0.0]
    """
    y_true, y_pred = matched("cosine_similarity", y_true, y_pred)
    axis = arguments.axes("cosine_similarity", axis, y_pred.ndim)
    true, pred = ops.normalize(y_true, axis=axis), ops.normalize(y_pred, axis=axis)
    return -ops.sum(true * pred, axis=axis)


@of_tensors
def poisson(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = mean(y_pred - y_true * log(y_pred + epsilon)) over the last axis.

    The negative logarithm of Poisson's probability of the counts y_true, less what does not depend
    on y_pred; epsilon is `config.epsilon()`. Arguments as for `mean_absolute_percentage_error`.
    """
    y_true, y_pred = matched("poisson", y_true, y_pred)
    return ops.mean(y_pred - y_true * ops.log(y_pred + config.epsilon()), axis=-1)


@of_tensors
def kl_divergence(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """loss = sum(y_true * log(y_true / y_pred)) over the last axis.

    Both are clipped to [epsilon, 1] with `config.epsilon()`. Arguments as for
    `mean_absolute_percentage_error`.

    Reference: Kullback and Leibler, On information and sufficiency, 1951.
    """
    y_true, y_pred = matched("kl_divergence", y_true, y_pred)
    true, pred = (ops.clip(y, config.epsilon(), 1.0) for y in (y_true, y_pred))
    return ops.sum(true * ops.log(true / pred), axis=-1)


class MeanAbsolutePercentageError(FunctionLoss):
    """loss = 100 * mean(|y_true - y_pred| / |y_true|); see `mean_absolute_percentage_error`.

    Args:
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "mean_absolute_percentage_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(mean_absolute_percentage_error, reduction, name, dtype)


class MeanSquaredLogarithmicError(FunctionLoss):
    """loss = mean((log(y_true + 1) - log(y_pred + 1))^2); see `mean_squared_logarithmic_error`.

    Arguments as `MeanAbsolutePercentageError`.
    """

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "mean_squared_logarithmic_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, reduction, name, dtype)


class Huber(FunctionLoss):
    """A parabola near 0 and a line beyond; see `huber`.

    Args:
        delta: Where the one becomes the other; at least 0.
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Differs from Keras: `delta` is part of the configuration, where it is not 1.
    """

    delta = FunctionNumber(lambda name, value: check_not_negative(name, "delta", value))
    unsaved = {"delta": 1.0}

    def __init__(
        self,
        delta: float = 1.0,
        reduction: str | None = REDUCTION,
        name: str | None = "huber_loss",
        dtype: str | None = None,
    ) -> None:
        super().__init__(huber, reduction, name, dtype, delta=delta)


class LogCosh(FunctionLoss):
    """loss = mean(log(cosh(y_pred - y_true))); arguments as `MeanAbsolutePercentageError`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "log_cosh",
        dtype: str | None = None,
    ) -> None:
        super().__init__(log_cosh, reduction, name, dtype)


class CosineSimilarity(FunctionLoss):
    """loss = -cos(angle of y_true and y_pred); see `cosine_similarity`.

    Args:
        axis: The axis along which vectors lie.
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Differs from Keras: `axis` is part of the configuration, where it is not -1.
    """

    axis = FunctionOption(check_axes)
    unsaved = {"axis": -1}

    def __init__(
        self,
        axis: Axes = -1,
        reduction: str | None = REDUCTION,
        name: str | None = "cosine_similarity",
        dtype: str | None = None,
    ) -> None:
        super().__init__(cosine_similarity, reduction, name, dtype, axis=axis)


class Poisson(FunctionLoss):
    """loss = mean(y_pred - y_true * log(y_pred)); arguments as `MeanAbsolutePercentageError`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "poisson",
        dtype: str | None = None,
    ) -> None:
        super().__init__(poisson, reduction, name, dtype)


class KLDivergence(FunctionLoss):
    """loss = sum(y_true * log(y_true / y_pred)); arguments as `MeanAbsolutePercentageError`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "kl_divergence",
        dtype: str | None = None,
    ) -> None:
        super().__init__(kl_divergence, reduction, name, dtype)
