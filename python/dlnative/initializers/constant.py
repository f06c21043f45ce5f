"""The base class, and initial values that are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike


class Initializer:
    """Base class: subclasses give `__call__(shape, dtype=None)` and `get_config()`.

    Example:
        >>> class Twos(Initializer):
        ...     def __call__(self, shape, dtype=None):
        ...         return np.full(shape, 2.0, dtype)
        >>> Twos()((2,), "float32")
        array([2., 2.], dtype=float32)
    """

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        """An array of `shape` and `dtype`, by default `config.floatx()`."""
        raise NotImplementedError("An initializer must implement __call__(shape, dtype=None)")

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same initializer again."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """The initializer of a configuration that `get_config` gave."""
        return cls(**config)

    def clone(self) -> Initializer:
        """An initializer of the same configuration; where its seed is None, with a new seed."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.get_config().items())
        return f"{type(self).__name__}({arguments})"


class Zeros(Initializer):
    """w = 0"""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        return np.zeros(check_shape(self, shape), dtype or config.floatx())


class Ones(Initializer):
    """w = 1"""

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        return np.ones(check_shape(self, shape), dtype or config.floatx())


class Constant(Initializer):
    """w = value

    Args:
        value: A number, or an array that broadcasts to the shape.
    """

    def __init__(self, value: ArrayLike = 0.0) -> None:
        if np.asarray(value).dtype.kind not in "fiub":
            raise TypeError(f"Constant: expected a number, received {value!r}")
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        return np.full(check_shape(self, shape), self.value, dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        value = self.value
        return {"value": value if isinstance(value, (int, float)) else np.asarray(value).tolist()}


class Identity(Initializer):
    """w[i, j] = gain where i == j, else 0; matrices only.

    Args:
        gain: Value on the diagonal.
    """

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        shape = check_shape(self, shape)
        if len(shape) != 2:
            raise ValueError(f"Identity: expected the shape of a matrix, received {shape}")
        return (self.gain * np.eye(*shape)).astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"gain": self.gain}


class FromArray(Initializer):
    """w = value, with exactly its shape: what an array given as an initializer becomes."""

    def __init__(self, value: ArrayLike) -> None:
        self.value = np.array(value)

    def __call__(self, shape: Sequence[int], dtype: DTypeLike | None = None) -> np.ndarray:
        if self.value.shape != tuple(shape):
            raise ValueError(
                f"Initial values: expected an array of shape {tuple(shape)}, "
                f"received {self.value.shape}"
            )
        return self.value.astype(dtype or config.floatx())

    def get_config(self) -> dict[str, Any]:
        return {"value": self.value.tolist()}


def check_shape(initializer: Initializer, shape: Sequence[int]) -> tuple[int, ...]:
    """`shape` as a tuple; ValueError unless every size is known."""
    shape = tuple(shape)
    if any(n is None or n < 0 for n in shape):
        raise ValueError(
            f"{type(initializer).__name__}: expected a shape of known sizes, received {shape}"
        )
    return shape
