"""Losses: what training makes small, as classes and as functions of labels and predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..naming import object_name
from ..utils.serialization import (
    Identifier,
    deserialize_keras_object,
    resolve,
    serialize_keras_object,
)
from .base import Loss, LossFunctionWrapper
from .classes import (
    BinaryCrossentropy,
    CategoricalCrossentropy,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
)
from .focal import (
    BinaryFocalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    binary_focal_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
)
from .functions import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from .margins import (
    CategoricalHinge,
    Hinge,
    SquaredHinge,
    categorical_hinge,
    hinge,
    squared_hinge,
)
from .overlap import (
    Dice,
    Tversky,
    dice,
    tversky,
)
from .regression import (
    CosineSimilarity,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsolutePercentageError,
    MeanSquaredLogarithmicError,
    Poisson,
    cosine_similarity,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_percentage_error,
    mean_squared_logarithmic_error,
    poisson,
)

CLASSES = {
    cls.__name__: cls
    for cls in (
        BinaryCrossentropy,
        BinaryFocalCrossentropy,
        CategoricalCrossentropy,
        CategoricalFocalCrossentropy,
        CategoricalGeneralizedCrossEntropy,
        CategoricalHinge,
        CosineSimilarity,
        Dice,
        Hinge,
        Huber,
        KLDivergence,
        LogCosh,
        MeanAbsoluteError,
        MeanAbsolutePercentageError,
        MeanSquaredError,
        MeanSquaredLogarithmicError,
        Poisson,
        SparseCategoricalCrossentropy,
        SquaredHinge,
        Tversky,
    )
}
FUNCTIONS = {
    fn.__name__: fn
    for fn in (
        binary_crossentropy,
        binary_focal_crossentropy,
        categorical_crossentropy,
        categorical_focal_crossentropy,
        categorical_generalized_cross_entropy,
        categorical_hinge,
        cosine_similarity,
        dice,
        hinge,
        huber,
        kl_divergence,
        log_cosh,
        mean_absolute_error,
        mean_absolute_percentage_error,
        mean_squared_error,
        mean_squared_logarithmic_error,
        poisson,
        sparse_categorical_crossentropy,
        squared_hinge,
        tversky,
    )
}
ALIASES = {
    "bce": binary_crossentropy,
    "BCE": binary_crossentropy,
    "kld": kl_divergence,
    "KLD": kl_divergence,
    "mae": mean_absolute_error,
    "MAE": mean_absolute_error,
    "mse": mean_squared_error,
    "MSE": mean_squared_error,
    "mape": mean_absolute_percentage_error,
    "MAPE": mean_absolute_percentage_error,
    "msle": mean_squared_logarithmic_error,
    "MSLE": mean_squared_logarithmic_error,
}
KNOWN = {**FUNCTIONS, **CLASSES, **ALIASES}


def get(identifier: Identifier) -> Loss | Callable[..., Any] | None:
    """The loss that `identifier` means.

    Args:
        identifier: A name such as "mse" or "MeanSquaredError", a configuration (from `serialize`),
            a Loss, a Loss class, a function (y_true, y_pred) -> one loss per sample, or None.

    Returns:
        A Loss, a function, or None.

    Raises:
        ValueError: There is no loss of that name; the message offers the nearest.
        TypeError: `identifier` is none of the above.
    """
    return resolve(identifier, "loss", KNOWN, "a name, a Loss or a function of (y_true, y_pred)")


def as_loss(identifier: Identifier) -> Loss | None:
    """A Loss object, which gives one number per batch, for anything that `get` understands."""
    loss = get(identifier)
    if loss is None or isinstance(loss, Loss):
        return loss
    name = identifier if isinstance(identifier, str) else object_name(loss)
    return LossFunctionWrapper(loss, name=name)


def serialize(loss: Loss | Callable[..., Any]) -> dict[str, Any]:
    """The configuration of a loss, as plain values, in Keras's format."""
    return serialize_keras_object(loss)


def deserialize(
    name: dict[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Loss | Callable[..., Any]:
    """The loss of a configuration that `serialize` gave, or of a name."""
    return deserialize_keras_object(name, custom_objects, module_objects=KNOWN)


__all__ = [
    "Loss",
    "LossFunctionWrapper",
    *CLASSES,
    *FUNCTIONS,
    "as_loss",
    "deserialize",
    "get",
    "serialize",
]
