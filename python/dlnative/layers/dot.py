"""Dot: products of two tensors, sample by sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..graph.open_shapes import total
from ..hyperparameters import Option
from ..ops.normalization import normalize
from ..utils.numbers import is_integer
from . import messages
from .layer import Layer
from .options import flag

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


def _axes(layer: Any, argument: str, value: Any) -> int | tuple[int, ...] | list[int]:
    expected = f"expected {argument} to be an integer or two of them, received {value!r}"
    if is_integer(value):
        return int(value)
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"{messages.describe(layer)}: {expected}")
    if len(value) != 2 or not all(is_integer(axis) for axis in value):
        raise ValueError(f"{messages.describe(layer)}: {expected}")
    axes = [int(axis) for axis in value]
    return axes if isinstance(value, list) else tuple(axes)


class Dot(Layer):
    """y[b, ..., ...] = sum over i of x1[b, .., i, ..] x2[b, .., i, ..]

    The axes of x1 without the one that is summed over come first, then those of x2.

    Shapes: two tensors (batch, ...) of at least two dimensions; of two vectors (batch, n) the
    result is (batch, 1).

    Args:
        axes: The axis of both that is summed over, or one for each; not 0, which is the batch.
        normalize: Whether both are divided by their norm along that axis first, so that the result
            is the cosine of the angle between them.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `axes` is neither an integer nor a list.
        ValueError: Not two axes; when called, not two tensors, or sizes that do not agree.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dot
        >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[10.0, 20.0]])])
        array([[50.]], dtype=float32)
    """

    axes = Option(_axes)
    normalize = Option(flag)

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes
        self.normalize = normalize
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        self._positions(input_shape)

    def _positions(self, shapes: Any) -> tuple[int, int]:
        """The two axes counted from the front, for inputs of these shapes."""
        if len(shapes) != 2 or not all(isinstance(shape, (list, tuple)) for shape in shapes):
            raise ValueError(f"{messages.describe(self)}: expected a list of two tensors")
        received = " and ".join(messages.format_shape(shape) for shape in shapes)
        axes = (self.axes, self.axes) if isinstance(self.axes, int) else tuple(self.axes)
        for axis, shape in zip(axes, shapes, strict=True):
            if len(shape) < 2 or not -len(shape) <= axis < len(shape) or axis % len(shape) == 0:
                raise ValueError(
                    f"{messages.describe(self)}: expected inputs of at least 2 dimensions with an "
                    f"axis {axis} that is not the batch, received {received}"
                )
        first, second = (axis % len(shape) for axis, shape in zip(axes, shapes, strict=True))
        for i, j, what in ((0, 0, "one batch size"), (first, second, "one size of the axes")):
            n, m = shapes[0][i], shapes[1][j]
            if n != m and (i or None not in (n, m)):
                raise ValueError(
                    f"{messages.describe(self)}: expected inputs with {what}, received {n} and {m} "
                    f"in {received} with axes {axes}. Change the layers before."
                )
        return first, second

    def call(self, inputs: Sequence[Tensor]) -> Tensor:
        is_list = isinstance(inputs, (list, tuple))
        first, second = self._positions([t.shape for t in inputs] if is_list else ())
        x1, x2 = inputs
        if self.normalize:
            x1, x2 = normalize(x1, axis=first), normalize(x2, axis=second)
        if x1.ndim == x2.ndim == 2:
            return apply("sum", apply("multiply", x1, x2), axis=(1,), keepdims=True)
        x1, x2 = _moved(x1, first, x1.ndim - 1), _moved(x2, second, 1)
        rest = (*x1.shape[1:-1], *x2.shape[2:])
        rows = (x1.shape[0], total(x1.shape[1:-1]), x1.shape[-1])
        columns = (x2.shape[0], x2.shape[1], total(x2.shape[2:]))
        y = apply("matmul", _reshaped(x1, rows), _reshaped(x2, columns))
        return _reshaped(y, (y.shape[0], *rest))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def dot(inputs: Sequence[Any], axes: int | Sequence[int] = -1, **kwargs: Any) -> Any:
    """`Dot(axes, **kwargs)(inputs)`"""
    return Dot(axes=axes, **kwargs)(inputs)


def _moved(x: Tensor, axis: int, place: int) -> Tensor:
    """`x` with `axis` at another place, the others in their order."""
    if axis == place:
        return x
    order = [i for i in range(x.ndim) if i != axis]
    order.insert(place, axis)
    return apply("transpose", x, axes=tuple(order))


def _reshaped(x: Tensor, shape: Shape) -> Tensor:
    return x if x.shape == shape else apply("reshape", x, shape=shape)
