"""The losses as classes: a function, its options and a reduction."""

from __future__ import annotations

from .base import LossFunctionWrapper
from .functions import (
    binary_crossentropy,
    categorical_crossentropy,
    check_ignore_class,
    check_smoothing,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from .options import FunctionOption

REDUCTION = "sum_over_batch_size"


class MeanSquaredError(LossFunctionWrapper):
    """loss = mean((y_true - y_pred)^2); see `mean_squared_error`.

    Args:
        reduction: "sum_over_batch_size", "sum", or None for one loss per sample.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Example:
        >>> import dlnative
        >>> loss = dlnative.losses.MeanSquaredError()
        >>> float(loss([[0.0], [1.0]], [[1.0], [1.0]]))
        0.5
    """

    def __init__(self, reduction=REDUCTION, name="mean_squared_error", dtype=None):
        super().__init__(mean_squared_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """loss = mean(|y_true - y_pred|); arguments as `MeanSquaredError`."""

    def __init__(self, reduction=REDUCTION, name="mean_absolute_error", dtype=None):
        super().__init__(mean_absolute_error, name=name, reduction=reduction, dtype=dtype)


def _check_axis(name, axis):
    if isinstance(axis, bool) or axis != -1:
        raise ValueError(
            f"{name}: expected axis=-1, the last axis of the predictions, received {axis!r}"
        )


class BinaryCrossentropy(LossFunctionWrapper):
    """loss = mean(-t log(p) - (1 - t) log(1 - p)); see `binary_crossentropy`.

    For one yes-or-no answer per output, with a sigmoid in the last layer or `from_logits=True`.

    Args:
        from_logits: Whether predictions are logits.
        label_smoothing: In [0, 1].
        axis: Only -1.
        reduction: "sum_over_batch_size", "sum", or None for one loss per sample.
        name: Name in logs.
        dtype: By default the dtype of the predictions.
    """

    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)
    axis = FunctionOption(_check_axis)

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=REDUCTION,
        name="binary_crossentropy",
        dtype=None,
    ):
        super().__init__(
            binary_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class CategoricalCrossentropy(LossFunctionWrapper):
    """loss = -sum(t log(p)) for one-hot labels t; see `categorical_crossentropy`.

    For one class of several, with a softmax in the last layer or `from_logits=True`. Arguments as
    `BinaryCrossentropy`.
    """

    from_logits = FunctionOption()
    label_smoothing = FunctionOption(check_smoothing)
    axis = FunctionOption(_check_axis)

    def __init__(
        self,
        from_logits=False,
        label_smoothing=0.0,
        axis=-1,
        reduction=REDUCTION,
        name="categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            label_smoothing=label_smoothing,
            axis=axis,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": self.axis,
        }


class SparseCategoricalCrossentropy(LossFunctionWrapper):
    """loss = -log(p[label]) for class numbers; see `sparse_categorical_crossentropy`.

    Args:
        from_logits: Whether predictions are logits.
        ignore_class: Only None.
        reduction: "sum_over_batch_size", "sum", or None for one loss per sample.
        axis: Only -1.
        name: Name in logs.
        dtype: By default the dtype of the predictions.

    Differs from Keras: `ignore_class` is not available.
    """

    from_logits = FunctionOption()
    ignore_class = FunctionOption(check_ignore_class)
    axis = FunctionOption(_check_axis)

    def __init__(
        self,
        from_logits=False,
        ignore_class=None,
        reduction=REDUCTION,
        axis=-1,
        name="sparse_categorical_crossentropy",
        dtype=None,
    ):
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            reduction=reduction,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "ignore_class": self.ignore_class,
        }
