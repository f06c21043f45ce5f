"""The losses as classes: a function, its options and a reduction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .arguments import check_axes, check_axis, check_smoothing
from .base import REDUCTION, FunctionLoss
from .functions import (
    binary_crossentropy,
    categorical_crossentropy,
    check_ignore_class,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from .options import FunctionOption

if TYPE_CHECKING:
    from ..graph.types import Axes


class MeanSquaredError(FunctionLoss):
    """loss = mean((y_true - y_pred)^2); see `mean_squared_error`.

    Args:
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Example:
        >>> import dlnative
        >>> loss = dlnative.losses.MeanSquaredError()
        >>> float(loss([[0.0], [1.0]], [[1.0], [1.0]]))
        0.5
    """

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "mean_squared_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(mean_squared_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsoluteError(FunctionLoss):
    """loss = mean(|y_true - y_pred|); arguments as `MeanSquaredError`."""

    def __init__(
        self,
        reduction: str | None = REDUCTION,
        name: str | None = "mean_absolute_error",
        dtype: str | None = None,
    ) -> None:
        super().__init__(mean_absolute_error, name=name, reduction=reduction, dtype=dtype)


class BinaryCrossentropy(FunctionLoss):
    """loss = mean(-t log(p) - (1 - t) log(1 - p)); see `binary_crossentropy`.

    For one yes-or-no answer per output, with a sigmoid in the last layer or `from_logits=True`.

    Args:
        from_logits: Whether predictions are logits.
        label_smoothing: In [0, 1].
        axis: The axis, or several, over which the mean is taken.
        reduction: As for `Loss`.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)
    axis = FunctionOption(check_axes)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: Axes = -1,
        reduction: str | None = REDUCTION,
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            binary_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class CategoricalCrossentropy(FunctionLoss):
    """loss = -sum(t log(p)) for one-hot labels t; see `categorical_crossentropy`.

    For one class of several, with a softmax in the last layer or `from_logits=True`. `axis` is the
    axis of the classes; the other arguments are as for `BinaryCrossentropy`.
    """

    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)
    axis = FunctionOption(check_axis)

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str | None = REDUCTION,
        name: str | None = "categorical_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(FunctionLoss):
    """loss = -log(p[label]) for class numbers; see `sparse_categorical_crossentropy`.

    Args:
        from_logits: Whether predictions are logits.
        ignore_class: A number whose samples do not count.
        reduction: As for `Loss`.
        axis: The axis of the classes.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Differs from Keras: `axis` is part of the configuration, where it is not -1.
    """

    from_logits = FunctionOption()
    ignore_class = FunctionOption(check_ignore_class)
    axis = FunctionOption(check_axis)
    unsaved = {"axis": -1}

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str | None = REDUCTION,
        axis: int = -1,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: str | None = None,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
