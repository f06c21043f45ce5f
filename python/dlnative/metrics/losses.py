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
from ..losses.margins import categorical_hinge, hinge, squared_hinge
from ..losses.options import FunctionOption
from ..losses.regression import (
    kl_divergence,
    log_cosh,
    mean_absolute_percentage_error,
    mean_squared_logarithmic_error,
    poisson,
)
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

    def __init__(self, name: str | None = "mean_squared_error", dtype: str | None = None) -> None:
        super().__init__(mean_squared_error, name=name, dtype=dtype)


class MeanAbsoluteError(FunctionMetric):
    """The mean of |y_true - y_pred|. Arguments as `MeanSquaredError`."""

    _direction = "down"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: str | None = None) -> None:
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
        self,
        name: str | None = "binary_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
    ) -> None:
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
        name: str | None = "categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        label_smoothing: float = 0,
        axis: int = -1,
    ) -> None:
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
        ignore_class: A class number whose values are 0; with sample weights they do not count.
        axis: The axis of the classes.
    """

    _direction = "down"
    from_logits = FunctionOption()
    ignore_class = FunctionOption(check_ignore_class)
    axis = FunctionOption()

    def __init__(
        self,
        name: str | None = "sparse_categorical_crossentropy",
        dtype: str | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
    ) -> None:
        super().__init__(
            sparse_categorical_crossentropy,
            name=name,
            dtype=dtype,
            from_logits=from_logits,
            ignore_class=ignore_class,
            axis=axis,
        )


class MeanAbsolutePercentageError(FunctionMetric):
    """The mean of 100 * |y_true - y_pred| / |y_true|.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.MeanAbsolutePercentageError()
        >>> round(metric([[1.0, 2.0], [4.0, 5.0]], [[1.0, 3.0], [4.0, 4.0]]), 4)
        17.5
    """

    _direction = "down"

    def __init__(
        self, name: str | None = "mean_absolute_percentage_error", dtype: str | None = None
    ) -> None:
        super().__init__(mean_absolute_percentage_error, name=name, dtype=dtype)


class MeanSquaredLogarithmicError(FunctionMetric):
    """The mean of (log(y_true + 1) - log(y_pred + 1))^2.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.MeanSquaredLogarithmicError()
        >>> round(metric([[1.0, 2.0], [4.0, 5.0]], [[1.0, 3.0], [4.0, 4.0]]), 4)
        0.029
    """

    _direction = "down"

    def __init__(
        self, name: str | None = "mean_squared_logarithmic_error", dtype: str | None = None
    ) -> None:
        super().__init__(mean_squared_logarithmic_error, name=name, dtype=dtype)


class LogCoshError(FunctionMetric):
    """The mean of log(cosh(y_pred - y_true)).

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.LogCoshError()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        0.1471
    """

    _direction = "down"

    def __init__(self, name: str | None = "logcosh", dtype: str | None = None) -> None:
        super().__init__(log_cosh, name=name, dtype=dtype)


class KLDivergence(FunctionMetric):
    """The mean of sum(y_true * log(y_true / y_pred)) over the last axis.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.KLDivergence()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        0.4581
    """

    _direction = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: str | None = None) -> None:
        super().__init__(kl_divergence, name=name, dtype=dtype)


class Poisson(FunctionMetric):
    """The mean of y_pred - y_true * log(y_pred).

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.Poisson()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        0.7291
    """

    _direction = "down"

    def __init__(self, name: str | None = "poisson", dtype: str | None = None) -> None:
        super().__init__(poisson, name=name, dtype=dtype)


class Hinge(FunctionMetric):
    """The mean of max(1 - y_true * y_pred, 0), for labels -1 and 1, or 0 and 1.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.Hinge()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        1.3
    """

    _direction = "down"

    def __init__(self, name: str | None = "hinge", dtype: str | None = None) -> None:
        super().__init__(hinge, name=name, dtype=dtype)


class SquaredHinge(FunctionMetric):
    """The mean of max(1 - y_true * y_pred, 0)^2, for labels -1 and 1, or 0 and 1.

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.SquaredHinge()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        1.86
    """

    _direction = "down"

    def __init__(self, name: str | None = "squared_hinge", dtype: str | None = None) -> None:
        super().__init__(squared_hinge, name=name, dtype=dtype)


class CategoricalHinge(FunctionMetric):
    """The mean of max(0, 1 + the largest score of a wrong class - that of the right one).

    Args:
        name: Name in logs.
        dtype: "float32" or "float64".

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.CategoricalHinge()
        >>> round(metric([[0, 1], [0, 0]], [[0.6, 0.4], [0.4, 0.6]]), 4)
        1.4
    """

    _direction = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: str | None = None) -> None:
        super().__init__(categorical_hinge, name=name, dtype=dtype)
