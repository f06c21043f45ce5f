"""Losses as metrics: the running mean of the loss per sample."""

from __future__ import annotations

from ..losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    check_ignore_class,
    check_smoothing,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from ..losses.options import FunctionOption
from .means import FunctionMetric


class MeanSquaredError(FunctionMetric):
    """The mean of (y_true - y_pred)^2.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> dlnative.metrics.MeanSquaredError()([[0, 1], [0, 0]], [[1, 1], [0, 0]])
        0.25
    """

    _direction = "down"

    def __init__(self, name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, name=name, dtype=dtype)


class MeanAbsoluteError(FunctionMetric):
    """The mean of |y_true - y_pred|. Arguments as `MeanSquaredError`."""

    _direction = "down"

    def __init__(self, name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, name=name, dtype=dtype)


class BinaryCrossentropy(FunctionMetric):
    """The mean of `dlnative.losses.binary_crossentropy`.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        from_logits: Whether predictions are logits.
        label_smoothing: In [0, 1].
    """

    _direction = "down"
    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)

    def __init__(
        self, name="binary_crossentropy", dtype=None, from_logits=False, label_smoothing=0
    ):
        super().__init__(
            binary_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
        )


class CategoricalCrossentropy(FunctionMetric):
    """The mean of `dlnative.losses.categorical_crossentropy`. Arguments as `BinaryCrossentropy`."""

    _direction = "down"
    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)
    axis = FunctionOption()

    def __init__(
        self,
        name="categorical_crossentropy",
        dtype=None,
        from_logits=False,
        label_smoothing=0,
        axis=-1,
    ):
        super().__init__(
            categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )


class SparseCategoricalCrossentropy(FunctionMetric):
    """The mean of `dlnative.losses.sparse_categorical_crossentropy`.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".
        from_logits: Whether predictions are logits.
        ignore_class: Only None.
        axis: Only -1.
    """

    _direction = "down"
    from_logits = FunctionOption()
    ignore_class = FunctionOption(check_ignore_class)
    axis = FunctionOption()

    def __init__(
        self,
        name="sparse_categorical_crossentropy",
        dtype=None,
        from_logits=False,
        ignore_class=None,
        axis=-1,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )
