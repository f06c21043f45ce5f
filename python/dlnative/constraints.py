"""What weights must be after each update.

A constraint is a callable `constraint(w)` that returns the weight which it lets stand. It is given
to a layer (`kernel_constraint=`), and training applies it after every update as nodes of the
program. On a NumPy array it returns an array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import config, ops
from .changes import Tracked
from .hyperparameters import Option, StepNumber
from .ops import arguments
from .utils.serialization import (
    Identifier,
    deserialize_keras_object,
    resolve,
    serialize_keras_object,
)

if TYPE_CHECKING:
    from .graph.types import Axes, Result, TensorLike


class Constraint(Tracked):
    """Base class: subclasses give `__call__(w)`, made of `dlnative.ops`, and `get_config()`.

    `w` is a tensor of the program during training, and an array where it is called on one.

    Example:
        >>> import dlnative, numpy as np
        >>> class Bounded(dlnative.constraints.Constraint):
        ...     def __call__(self, w):
        ...         return dlnative.ops.clip(w, -1.0, 1.0)
        >>> Bounded()(np.array([-3.0, 0.5]))
        array([-1. ,  0.5])
    """

    def __call__(self, w: TensorLike) -> Result:
        """The weight that stands in the place of `w`."""
        return w

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same constraint again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        """The constraint of a configuration that `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        options = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({options})"


def _axis(instance: Any, name: str, value: Any) -> Any:
    if value is not None:
        arguments.integers(type(instance).__name__, name, value)
    return value


def _norms(w: Any, axis: Any) -> Any:
    """The Euclidean norms along `axis`, which stays with size 1."""
    return ops.sqrt(ops.sum(ops.square(w), axis=axis, keepdims=True))


def _with_norms(w: Any, norms: Any, wanted: Any) -> Any:
    """`w`, whose norms are `norms`, with the norms `wanted`."""
    return ops.multiply(w, wanted / (norms + config.epsilon()))


class MaxNorm(Constraint):
    """w * min(norm, max_value) / (epsilon + norm): the norm is at most `max_value`.

    Args:
        max_value: The largest norm.
        axis: The axis, or several, along which the norm is taken: 0 for the weights that come in at
            each unit of a Dense layer, (0, 1, 2) for those of each filter of Conv2D.

    Raises:
        TypeError, ValueError: `max_value` is no number of at least 0, or `axis` no axis.

    Example:
        >>> import dlnative, numpy as np
        >>> dlnative.constraints.MaxNorm(1.0)(np.array([[3.0, 0.0], [4.0, 0.5]])).round(3)
        array([[0.6, 0. ],
               [0.8, 0.5]])

    Reference: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting,
    2014.
    """

    max_value = StepNumber(0.0)
    axis = Option(_axis)

    def __init__(self, max_value: float = 2, axis: Axes = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: TensorLike) -> Result:
        norms = _norms(w, self.axis)
        return _with_norms(w, norms, ops.clip(norms, 0, self.max_value))

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"max_value": options["max_value"], "axis": options["axis"]}


class MinMaxNorm(Constraint):
    """w * wanted / (epsilon + norm); wanted = rate * clip(norm, min_value, max_value) + (1 - rate)
    * norm

    Args:
        min_value: The smallest norm.
        max_value: The largest norm.
        rate: How far one update goes towards it: 1 all the way.
        axis: As for `MaxNorm`.

    Raises:
        TypeError, ValueError: An argument is no number, a norm negative, or `axis` no axis.
    """

    min_value = StepNumber(0.0)
    max_value = StepNumber(0.0)
    rate = StepNumber()
    axis = Option(_axis)

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axes = 0
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: TensorLike) -> Result:
        norms = _norms(w, self.axis)
        clipped = ops.clip(norms, self.min_value, self.max_value)
        return _with_norms(w, norms, self.rate * clipped + (1 - self.rate) * norms)

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {
            "min_value": options["min_value"],
            "max_value": options["max_value"],
            "rate": options["rate"],
            "axis": options["axis"],
        }


class NonNeg(Constraint):
    """max(w, 0)"""

    def __call__(self, w: TensorLike) -> Result:
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """w / (epsilon + norm): the norm is 1.

    Args:
        axis: As for `MaxNorm`.
    """

    axis = Option(_axis)

    def __init__(self, axis: Axes = 0) -> None:
        self.axis = axis

    def __call__(self, w: TensorLike) -> Result:
        norms = _norms(w, self.axis)
        return ops.divide(w, norms + config.epsilon())

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"axis": options["axis"]}


_CLASSES = {cls.__name__: cls for cls in (Constraint, MaxNorm, MinMaxNorm, NonNeg, UnitNorm)}
max_norm, min_max_norm, non_neg, unit_norm = MaxNorm, MinMaxNorm, NonNeg, UnitNorm
_ALIASES = {
    "constraint": Constraint,
    "max_norm": MaxNorm,
    "min_max_norm": MinMaxNorm,
    "non_neg": NonNeg,
    "unit_norm": UnitNorm,
}
_KNOWN = {**_CLASSES, **_ALIASES}

__all__ = [
    "Constraint",
    "MaxNorm",
    "MinMaxNorm",
    "NonNeg",
    "UnitNorm",
    "deserialize",
    "get",
    "max_norm",
    "min_max_norm",
    "non_neg",
    "serialize",
    "unit_norm",
]


def serialize(constraint: Constraint | Callable[..., Any] | None) -> dict[str, Any] | None:
    """The configuration of a constraint; None of None."""
    return serialize_keras_object(constraint)


def deserialize(
    config: dict[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Constraint | Callable[..., Any]:
    """The constraint of a configuration or a name."""
    return deserialize_keras_object(config, custom_objects, module_objects=_KNOWN)


def get(identifier: Identifier) -> Constraint | Callable[..., Any] | None:
    """The constraint that `identifier` means.

    Args:
        identifier: A name ("max_norm", "MaxNorm", ...), a constraint, its class or configuration, a
            function from a tensor to a tensor, or None.

    Raises:
        ValueError: A name that is not known; the nearest are offered.
        TypeError: None of these.
    """
    return resolve(
        identifier, "constraint", _KNOWN, "a name, a Constraint or a function of a tensor"
    )
