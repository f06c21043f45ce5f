"""Cross entropies that weigh samples by how sure the prediction is already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..ops import arguments
from .arguments import (
    check_axes,
    check_axis,
    check_number,
    check_smoothing,
    is_of_step,
    matched,
    of_tensors,
    smoothed,
)
from .base import REDUCTION, FunctionLoss, as_predictions
from .functions import (
    check_several_classes,
    checked_by,
    class_axis,
    class_numbers,
    in_classes,
    in_unit_interval,
    takes_class_numbers,
)
from .labels import check_one_hot
from .options import FunctionNumber, FunctionOption

if TYPE_CHECKING:
    from ..graph import Tensor
    from ..graph.types import Axes, Result, TensorLike


@checked_by(in_unit_interval)
@of_tensors
def binary_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axes = -1,
) -> Tensor:
    """loss = mean((1 - p_t)^gamma * binary_crossentropy) over `axis`; p_t = t p + (1 - t)(1 - p)

    t = y_true * (1 - label_smoothing) + label_smoothing / 2.

    Args:
        y_true: Labels in [0, 1], (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Probabilities p, or logits with `from_logits`, (batch, ..., outputs).
        apply_class_balancing: Whether losses are multiplied by t alpha + (1 - t)(1 - alpha).
        alpha: The weight of class 1; that of class 0 is 1 - alpha.
        gamma: How much less the samples count that are predicted well already.
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1]: how far labels move towards 1/2.
        axis: The axis, or several, over which the mean is taken.

    Returns:
        The losses, of the shape of the predictions without `axis`.

    Reference: Lin et al., Focal loss for dense object detection, 2017.
    """
    name = "binary_focal_crossentropy"
    _check(name, alpha, gamma, label_smoothing)
    y_true, y_pred = matched(name, y_true, y_pred)
    axis = arguments.axes(name, axis, y_pred.ndim)
    t = smoothed(y_true, label_smoothing, 2)
    p = ops.sigmoid(y_pred) if from_logits else y_pred
    p_t = t * p + (1.0 - t) * (1.0 - p)
    loss = ops.power(1.0 - p_t, gamma) * ops.binary_crossentropy(t, p)
    if apply_class_balancing:
        loss = (t * alpha + (1.0 - t) * (1.0 - alpha)) * loss
    return ops.mean(loss, axis=axis)


@of_tensors
def categorical_focal_crossentropy(
    y_true: Tensor,
    y_pred: Tensor,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """loss = -sum(alpha * (1 - p)^gamma * t * log(p)) over `axis`

    t and p as for `categorical_crossentropy`.

    Args:
        y_true: One-hot labels or probabilities, (batch, ..., classes).
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., classes).
        alpha: The weight of the loss, or a list with one for each class (on the last axis).
        gamma: How much less the samples count that are predicted well already.
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1], as for `categorical_crossentropy`.
        axis: The axis of the classes.

    Returns:
        One loss per sample: the shape of the predictions without `axis`.

    Raises:
        ValueError: There is one class only, or shapes do not fit.

    Differs from Keras: one class raises.

    Reference: Lin et al., Focal loss for dense object detection, 2017.
    """
    name = "categorical_focal_crossentropy"
    _check(name, alpha, gamma, label_smoothing)
    axis = class_axis(name, axis, y_pred)
    check_several_classes(name, y_pred, axis)
    check_one_hot(name, y_true, y_pred)
    t = smoothed(y_true, label_smoothing, y_true.shape[-1])
    p = ops.softmax(y_pred, axis=axis) if from_logits else y_pred
    p = p / ops.sum(p, axis=axis, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    weight = ops.power(1.0 - p, gamma) * (np.asarray(alpha, p.dtype) if np.ndim(alpha) else alpha)
    return ops.sum(weight * (-t * ops.log(p)), axis=axis)


def _check(name: str, alpha: Any, gamma: Any, label_smoothing: Any) -> None:
    for value in (alpha,) if is_of_step(alpha) else np.ravel(alpha):
        check_number(name, "alpha", value)
    check_number(name, "gamma", gamma)
    check_smoothing(name, label_smoothing)


@checked_by(in_classes)
@takes_class_numbers
def categorical_generalized_cross_entropy(
    y_true: TensorLike, y_pred: TensorLike, q: float
) -> Result:
    """loss = (1 - p[label]^q) / q

    Between the cross entropy, its limit for q = 0, and the absolute error of q = 1, which wrong
    labels disturb less.

    Args:
        y_true: Class numbers in [0, classes), (batch, ...) or (batch, ..., 1).
        y_pred: Probabilities p, (batch, ..., classes).
        q: A number greater than 0.

    Returns:
        One loss per sample, (batch, ...).

    Differs from Keras: labels that are no class numbers raise instead of giving 1 / q.

    Reference: Zhang and Sabuncu, Generalized cross entropy loss for training deep neural networks
    with noisy labels, 2018.
    """
    name = "categorical_generalized_cross_entropy"
    check_number(name, "q", q)
    if not is_of_step(q) and q <= 0:
        raise ValueError(f"{name}: expected q greater than 0, received {q!r}")
    y_pred = as_predictions(y_pred)
    labels = class_numbers(name, y_true, y_pred)
    chosen = ops.one_hot(labels, y_pred.shape[-1], dtype=str(y_pred.dtype))
    p = ops.sum(y_pred * chosen, axis=-1)
    return (1.0 - ops.power(p, q)) / q


def _number(argument: str) -> FunctionNumber:
    return FunctionNumber(lambda name, value: check_number(name, argument, value))


class BinaryFocalCrossentropy(FunctionLoss):
    """loss = mean((1 - p_t)^gamma * binary_crossentropy); see `binary_focal_crossentropy`.

    Args:
        apply_class_balancing: Whether the classes have the weights alpha and 1 - alpha.
        alpha: The weight of class 1.
        gamma: How much less the samples count that are predicted well already.
        from_logits: Whether predictions are logits.
        label_smoothing: In [0, 1].
        axis: The axis, or several, over which the mean is taken.
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    apply_class_balancing = FunctionOption()
    alpha = _number("alpha")
    gamma = _number("gamma")
    from_logits = FunctionOption()
    label_smoothing = FunctionNumber(check_smoothing)
    axis = FunctionOption(check_axes)

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = REDUCTION,
        name: str | None = "binary_focal_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            binary_focal_crossentropy,
            reduction,
            name,
            dtype,
            apply_class_balancing=apply_class_balancing,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalFocalCrossentropy(FunctionLoss):
    """loss = -sum(alpha * (1 - p)^gamma * t * log(p)); see `categorical_focal_crossentropy`.

    Args:
        alpha: The weight of the loss, or a list with one for each class.
        gamma: How much less the samples count that are predicted well already.
        from_logits, label_smoothing, axis, reduction, name, dtype: As
            `CategoricalCrossentropy`.
    """

    alpha = FunctionOption()
    gamma = _number("gamma")
    from_logits = FunctionOption()
    label_smoothing = FunctionNumber(check_smoothing)
    axis = FunctionOption(check_axis)

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTION,
        name: str | None = "categorical_focal_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            categorical_focal_crossentropy,
            reduction,
            name,
            dtype,
            alpha=alpha,
            gamma=gamma,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


def _check_q(name: str, q: Any) -> None:
    check_number(name, "q", q)
    if not 0 < q < 1:
        raise ValueError(f"{name}: expected q between 0 and 1, received {q!r}")


class CategoricalGeneralizedCrossEntropy(FunctionLoss):
    """loss = (1 - p[label]^q) / q; see `categorical_generalized_cross_entropy`.

    Args:
        q: Between 0 and 1.
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    q = FunctionNumber(_check_q)

    def __init__(
        self,
        q: float = 0.5,
        reduction: str | None = REDUCTION,
        name: str | None = "categorical_generalized_cross_entropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(categorical_generalized_cross_entropy, reduction, name, dtype, q=q)
