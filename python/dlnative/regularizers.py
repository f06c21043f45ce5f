"""Penalties on weights that are added to the loss.

A regularizer is a callable `regularizer(w)` that returns a scalar. It is given to a layer
(`kernel_regularizer=`), and training adds it to the loss of every step as nodes of the program. On
a NumPy array it returns a number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from . import ops
from .changes import Tracked
from .graph import Tensor, apply
from .graph.tensor import ValueTensor
from .hyperparameters import Option, StepNumber, is_on
from .utils.serialization import (
    Identifier,
    deserialize_keras_object,
    resolve,
    serialize_keras_object,
)

if TYPE_CHECKING:
    from .graph.types import Result, TensorLike


class Regularizer(Tracked):
    """Base class: subclasses give `__call__(x)` and `get_config()`.

    `x` is a tensor of the graph during training; `__call__` returns a tensor of shape () made of it
    by `dlnative.ops`.
    """

    def __call__(self, x: TensorLike) -> Result:
        """The penalty on `x`, of shape ()."""
        raise NotImplementedError("A regularizer must implement __call__(x)")

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same regularizer again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """The regularizer of a configuration that `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class L1L2(Regularizer):
    """penalty = l1 sum |w| + l2 sum w^2

    Its gradient is l1 sign(w) + 2 l2 w, 0 at 0: there is no factor 1/2 in the penalty.

    Args:
        l1: Factor of the sum of absolute values, 0 or greater.
        l2: Factor of the sum of squares, 0 or greater.

    Raises:
        ValueError: A factor is negative or not finite.

    Example:
        >>> import numpy as np
        >>> L1L2(l1=0.5, l2=0.25)(np.array([1.0, -2.0]))
        2.75
    """

    l1 = StepNumber(0.0, switch=True)
    l2 = StepNumber(0.0, switch=True)

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = 0.0 if l1 is None else l1
        self.l2 = 0.0 if l2 is None else l2

    def __call__(self, x: TensorLike) -> Result:
        if not isinstance(x, Tensor):
            return self(ValueTensor(x)).item()
        terms = []
        if is_on(self, "l1"):
            # The maximum of w and -w, whose cotangents cancel at 0: abs(w) would move zeros.
            absolute = apply("maximum", x, apply("negative", x))
            terms.append(apply("sum", absolute) * self.l1)
        if is_on(self, "l2"):
            terms.append(apply("sum", apply("multiply", x, x)) * self.l2)
        if not terms:
            return apply("rescale", apply("sum", x), scale=0.0)
        return terms[0] if len(terms) == 1 else apply("add", *terms)

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"l1": options["l1"], "l2": options["l2"]}


class L1(L1L2):
    """penalty = l1 sum |w|

    Args:
        l1: Factor, 0 or greater.
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1=0.01 if l1 is None else l1)

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"l1": options["l1"]}


class L2(L1L2):
    """penalty = l2 sum w^2

    Args:
        l2: Factor, 0 or greater.
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(l2=0.01 if l2 is None else l2)

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"l2": options["l2"]}


def _check_mode(instance: object, name: str, value: Any) -> str:
    if value not in ("rows", "columns"):
        raise ValueError(
            f"{type(instance).__name__}: expected mode 'rows' or 'columns', received {value!r}"
        )
    return value


class OrthogonalRegularizer(Regularizer):
    """penalty = factor * mean of |cos(angle)| of all pairs of rows, or of columns

    It is 0 where the rows are orthogonal to each other.

    Args:
        factor: 0 or greater.
        mode: "rows", or "columns" for the weights that come in at each unit of a Dense layer.

    Raises:
        ValueError: `factor` is negative or not finite, or `mode` another word.

    Example:
        >>> import numpy as np
        >>> OrthogonalRegularizer(factor=0.5)(np.array([[2.0, 0.0], [-3.0, 0.0]]))
        0.5
    """

    factor = StepNumber(0.0)
    mode = Option(_check_mode)

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = factor
        self.mode = mode

    def __call__(self, x: TensorLike) -> Result:
        if not isinstance(x, Tensor):
            return self(ValueTensor(x)).item()
        if x.ndim != 2:
            raise ValueError(
                f"OrthogonalRegularizer: expected a weight of two axes, received shape {x.shape}"
            )
        vectors = ops.transpose(x) if self.mode == "columns" else x
        count = vectors.shape[0]
        if count < 2:
            raise ValueError(
                f"OrthogonalRegularizer: expected at least two {self.mode}, received {count}"
            )
        rows = ops.normalize(vectors, axis=1)
        others = 1.0 - ops.eye(count, dtype=x.dtype)
        cosines = ops.abs(ops.matmul(rows, ops.transpose(rows))) * others
        return (self.factor / (count * (count - 1))) * ops.sum(cosines)

    def get_config(self) -> dict[str, Any]:
        options = vars(self)  # numbers, also while a program is being made
        return {"factor": options["factor"], "mode": options["mode"]}


_CLASSES = {cls.__name__: cls for cls in (L1, L2, L1L2, OrthogonalRegularizer)}
_ALIASES = {"l1": L1, "l2": L2, "l1_l2": L1L2, "orthogonal_regularizer": OrthogonalRegularizer}
_KNOWN = {**_CLASSES, **_ALIASES, "l1l2": L1L2}  # the last is how Keras spells it as a string
globals().update(_ALIASES)  # `regularizers.l2(0.01)` is `regularizers.L2(0.01)`, as in Keras

__all__ = [*_CLASSES, *_ALIASES, "Regularizer", "deserialize", "get", "serialize"]


def serialize(regularizer: Regularizer | Callable[..., Any] | None) -> dict[str, Any] | None:
    """The configuration of a regularizer; None of None."""
    return serialize_keras_object(regularizer)


def deserialize(
    config: dict[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Regularizer | Callable[..., Any]:
    """The regularizer of a configuration or a name."""
    return deserialize_keras_object(config, custom_objects, module_objects=_KNOWN)


def get(identifier: Identifier) -> Regularizer | Callable[..., Any] | None:
    """The regularizer that `identifier` means.

    Args:
        identifier: A name ("l1", "L2", "orthogonal_regularizer", ...), a regularizer, its class or
            configuration, a function from a tensor to a scalar tensor, or None.

    Raises:
        ValueError: A name that is not known; the nearest are offered.
        TypeError: None of these.
    """
    return resolve(
        identifier, "regularizer", _KNOWN, "a name, a Regularizer or a function of a tensor"
    )
