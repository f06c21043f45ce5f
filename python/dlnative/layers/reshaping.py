"""Layers that give the same values another shape or order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import apply
from ..graph.open_shapes import total
from ..hyperparameters import Option
from . import geometry, messages
from .input_spec import InputSpec
from .layer import UnaryLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Size


class Flatten(UnaryLayer):
    """The values of each sample as one vector.

    Shapes: (batch, d1, d2, ...) to (batch, d1 * d2 * ...), and (batch,) to (batch, 1).

    Args:
        data_format: "channels_last" (default) keeps the order in memory; "channels_first" takes
            axis 1 for the channels and puts it last first.
        **kwargs: `name`, `dtype`.

    Example:
        >>> from dlnative.layers import Flatten, Input
        >>> Flatten()(Input((28, 28))).shape
        (None, 784)
    """

    data_format = Option(geometry.data_format)

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            axes = (0, *range(2, inputs.ndim), 1)
            inputs = apply("transpose", inputs, axes=axes)
        return apply("reshape", inputs, shape=(inputs.shape[0], total(inputs.shape[1:])))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


def _target_shape(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(value)
    except TypeError:
        raise TypeError(
            f"{messages.describe(layer)}: expected target_shape to be a tuple, received {value!r}"
        ) from None
    for n in sizes:
        if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
            raise TypeError(
                f"{messages.describe(layer)}: expected integers in target_shape, received {n!r}"
            )
    if any(n < -1 for n in sizes) or sizes.count(-1) > 1:
        raise ValueError(
            f"{messages.describe(layer)}: expected sizes of at least 0 and -1 at most once in "
            f"target_shape, received {sizes}"
        )
    return tuple(int(n) for n in sizes)


def _dims(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
    dims = tuple(value)
    if sorted(dims) != list(range(1, len(dims) + 1)):
        raise ValueError(
            f"{messages.describe(layer)}: expected dims to be an order of "
            f"1..{len(dims)}, received {dims}"
        )
    return dims


class Reshape(UnaryLayer):
    """The values of each sample, in their order, under another shape.

    Args:
        target_shape: Sizes without the batch; one of them may be -1, it is what remains.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below -1, or -1 twice; when called, sizes that do not fit.

    Example:
        >>> from dlnative.layers import Input, Reshape
        >>> Reshape((-1, 2, 2))(Input((12,))).shape
        (None, 3, 2, 2)
    """

    target_shape = Option(_target_shape)

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = target_shape

    def call(self, inputs: Tensor) -> Tensor:
        return apply("reshape", inputs, shape=(inputs.shape[0], *self._sizes(inputs)))

    def _sizes(self, inputs: Tensor) -> tuple[Size, ...]:
        sizes, target = inputs.shape[1:], self.target_shape
        if None in sizes:
            return tuple(None if n == -1 else n for n in target)
        count, known = math.prod(sizes), math.prod(n for n in target if n != -1)
        if -1 not in target and count == known:
            return target
        if -1 in target and known and count % known == 0:
            return tuple(count // known if n == -1 else n for n in target)
        raise ValueError(
            f"{messages.describe(self)}: cannot give {count} values per sample the shape {target} "
            f"({'a multiple of ' if -1 in target else ''}{known} values), received "
            f"{messages.format_shape(inputs.shape)}{messages.source(inputs)}. "
            "Change target_shape or the layer before."
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(UnaryLayer):
    """The axes of each sample in another order.

    Args:
        dims: The axes in their new order, counted from 1; the batch stays axis 0.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: `dims` is not a permutation of 1, 2, ...

    Example:
        >>> from dlnative.layers import Input, Permute
        >>> Permute((2, 1))(Input((10, 64))).shape
        (None, 64, 10)
    """

    dims = Option(_dims)

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = dims
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        return apply("transpose", inputs, axes=(0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}
