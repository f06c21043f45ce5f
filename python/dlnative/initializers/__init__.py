"""Initial values of weights: callables `initializer(shape, dtype=None)` that return an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..naming import to_snake_case
from ..utils.serialization import (
    Identifier,
    deserialize_keras_object,
    resolve,
    serialize_keras_object,
)
from .constant import Constant, FromArray, Identity, Initializer, Ones, Zeros
from .drawn import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomInitializer,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    compute_fans,
)

_CLASSES = (
    Zeros,
    Ones,
    Constant,
    Identity,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
)
_ALIASES = {to_snake_case(cls.__name__): cls for cls in _CLASSES}
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal  # the second names of Keras
globals().update(_ALIASES)  # `initializers.he_normal` is `initializers.HeNormal`, as in Keras
_KNOWN = {**{cls.__name__: cls for cls in _CLASSES}, **_ALIASES}
_KNOWN.update(normal=RandomNormal, uniform=RandomUniform, zero=Zeros, one=Ones)

__all__ = [
    *(cls.__name__ for cls in _CLASSES),
    *_ALIASES,
    "FromArray",
    "IdentityInitializer",
    "OrthogonalInitializer",
    "Initializer",
    "RandomInitializer",
    "compute_fans",
    "deserialize",
    "get",
    "serialize",
]


def serialize(initializer: Initializer | Callable[..., Any] | None) -> dict[str, Any] | None:
    """The configuration of an initializer; None of None."""
    return serialize_keras_object(initializer)


def deserialize(
    config: dict[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Initializer | Callable[..., Any]:
    """The initializer of a configuration or a name."""
    return deserialize_keras_object(config, custom_objects, module_objects=_KNOWN)


def get(
    identifier: Identifier | np.ndarray | np.generic | list[Any],
) -> Initializer | Callable[..., Any] | None:
    """The initializer that `identifier` means.

    Args:
        identifier: A name ("glorot_uniform", "HeNormal", "zeros", ...), an initializer, its class
            or configuration, an array of the right shape, a function of (shape, dtype), or None.

    Returns:
        A callable of (shape, dtype), or None.

    Raises:
        ValueError: A name that is not known; the nearest are offered.
        TypeError: None of these.

    Example:
        >>> get("he_normal")
        HeNormal(seed=None, input_axes=None, output_axes=None)
    """
    if isinstance(identifier, (np.ndarray, np.generic, list)):
        return FromArray(identifier)
    return resolve(
        identifier,
        "initializer",
        _KNOWN,
        "a name, an Initializer, an array or a function of (shape, dtype)",
    )
