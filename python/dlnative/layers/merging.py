"""Layers that make one tensor of several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..graph.open_shapes import may_agree
from ..hyperparameters import Option
from . import messages
from .layer import Layer
from .options import integer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


class Merge(Layer):
    """Base of the elementwise ones: called on a list of tensors that broadcast to each other.

    Inputs of fewer dimensions get axes of size 1 after the batch, as in Keras.
    """

    word = "merge"

    def build(self, input_shape: Any) -> None:
        self._check_list(input_shape)
        shapes = [tuple(s) for s in input_shape]
        batches = {s[0] for s in shapes if s} - {None}
        if len(batches) > 1:
            raise ValueError(
                f"{messages.describe(self)}: expected inputs of one batch size, received "
                f"{[messages.format_shape(s) for s in shapes]}"
            )

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        self._check_list([t.shape for t in inputs] if isinstance(inputs, (list, tuple)) else inputs)
        ndim = max(t.ndim for t in inputs)
        inputs = [_with_ndim(t, ndim) for t in inputs]
        for t in inputs[1:]:
            self._check_fits(inputs, t)
        return self.merge(inputs)

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        raise NotImplementedError

    def _check_list(self, shapes: Any) -> None:
        is_list = isinstance(shapes, (list, tuple))
        if not is_list or not shapes or not all(isinstance(s, (list, tuple)) for s in shapes):
            raise ValueError(
                f"{messages.describe(self)}: expected a list of tensors to {self.word}, "
                "received one tensor"
            )

    def _check_fits(self, inputs: Sequence[Tensor], other: Tensor) -> None:
        first = inputs[0]
        pairs = zip(first.shape[1:], other.shape[1:], strict=True)
        if not all(n == m or 1 in (n, m) or None in (n, m) for n, m in pairs):
            raise ValueError(
                f"{messages.describe(self)}: expected inputs of one shape, received "
                f"{messages.format_inputs(inputs)}. Change the layers before so that they agree."
            )


class Add(Merge):
    """y = x1 + x2 + ...

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Add
        >>> Add()([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
        array([[11., 22.]], dtype=float32)
    """

    word = "add"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return _chain("add", inputs)


class Subtract(Merge):
    """y = x1 - x2, of exactly two tensors"""

    word = "subtract"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        if len(inputs) != 2:
            raise ValueError(
                f"{messages.describe(self)}: expected 2 tensors, received {len(inputs)}"
            )
        return apply("subtract", *inputs)


class Multiply(Merge):
    """y = x1 * x2 * ..., element by element"""

    word = "multiply"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return _chain("multiply", inputs)


class Average(Merge):
    """y = (x1 + x2 + ... + xn) / n"""

    word = "average"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return apply("rescale", _chain("add", inputs), scale=1.0 / len(inputs))


class Maximum(Merge):
    """y = max(x1, x2, ...), element by element; equal ones share the gradient

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Maximum
        >>> Maximum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
        array([[10., 20.]], dtype=float32)
    """

    word = "maximum"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return _chain("maximum", inputs)


class Minimum(Merge):
    """y = min(x1, x2, ...), element by element; equal ones share the gradient

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Minimum
        >>> Minimum()([np.array([[1.0, 20.0]]), np.array([[10.0, 2.0]])])
        array([[1., 2.]], dtype=float32)
    """

    word = "minimum"

    def merge(self, inputs: Sequence[Tensor]) -> Tensor:
        return _chain("minimum", inputs)


def _concatenated_axis(layer: Any, argument: str, value: Any) -> int:
    if integer(layer, argument, value) == 0:
        raise ValueError(
            f"{messages.describe(layer)}: axis 0 is the batch; the batch size stays as it is"
        )
    return int(value)


class Concatenate(Layer):
    """The inputs one after the other along `axis`.

    Shapes: all the same but for the size of `axis`, which is added up.

    Args:
        axis: The axis; not 0, which is the batch.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `axis` is not an integer.
        ValueError: `axis` is 0; when called, shapes that differ elsewhere.

    Example:
        >>> from dlnative.layers import Concatenate, Input
        >>> Concatenate()([Input((3,)), Input((5,))]).shape
        (None, 8)

    Differs from Keras: the batch axis is refused.
    """

    axis = Option(_concatenated_axis)

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        if not isinstance(inputs, (list, tuple)) or not inputs:
            raise ValueError(
                f"{messages.describe(self)}: expected a list of tensors to concatenate"
            )
        ndim, axis = inputs[0].ndim, self.axis
        if not -ndim < axis < ndim:
            raise ValueError(
                f"{messages.describe(self)}: axis {axis} is out of range for inputs of "
                f"{ndim} dimensions, received {messages.format_inputs(inputs)}"
            )
        axis %= ndim
        for t in inputs:
            if not may_agree(t.shape, inputs[0].shape, axis):
                raise ValueError(
                    f"{messages.describe(self)}: expected inputs that agree except in axis {axis}, "
                    f"received {messages.format_inputs(inputs)}. Change the layers before."
                )
        return inputs[0] if len(inputs) == 1 else apply("concatenate", *inputs, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`"""
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract(**kwargs)(inputs)`"""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply(**kwargs)(inputs)`"""
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average(**kwargs)(inputs)`"""
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum(**kwargs)(inputs)`"""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum(**kwargs)(inputs)`"""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`"""
    return Concatenate(axis=axis, **kwargs)(inputs)


def _chain(op: str, inputs: Sequence[Tensor]) -> Tensor:
    y = inputs[0]
    for x in inputs[1:]:
        y = apply(op, y, x)
    return y


def _with_ndim(x: Tensor, ndim: int) -> Tensor:
    """`x` with axes of size 1 after the batch, up to `ndim` dimensions."""
    if x.ndim == ndim:
        return x
    return apply("reshape", x, shape=(x.shape[0], *(1,) * (ndim - x.ndim), *x.shape[1:]))
