"""Pooling: the largest or the mean value of windows, or of whole images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..graph.open_shapes import may_agree
from ..graph.window import slide
from ..hyperparameters import Option
from ..ops import arguments
from ..ops.public import as_tensor
from . import messages
from .geometry import (
    check_images,
    one_of,
    sizes,
    standardize_sizes,
    with_hint,
)
from .spatial_layer import SpatialLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Sizes


def _strides(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
    value = layer.pool_size if value is None else value
    return standardize_sizes(layer, argument, value, layer.rank)


class Pooling(SpatialLayer):
    """Base of the layers that pool windows.

    Attributes:
        mode: "max" or "avg".
    """

    mode = "max"

    pool_size = Option(sizes())
    strides = Option(_strides)
    padding = Option(one_of("valid", "same", any_case=True))

    def __init__(
        self,
        pool_size: Sizes,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding
        self.data_format = data_format

    def compute(self, x: Tensor) -> Tensor:
        shape = x.shape
        check_images(self, shape, self.rank, messages.source(x))
        window = {"strides": self.strides, "padding": self.padding}
        try:
            slide(messages.describe(self), shape[1:-1], self.pool_size, what="pool", **window)
        except ValueError as error:
            error.args = (
                f"{error.args[0]} Received {messages.format_shape(shape)}{messages.source(x)}.",
            )
            raise with_hint(error, shape, self.rank) from None
        return apply(f"{self.mode}_pool{self.rank}d", x, pool_size=self.pool_size, **window)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "padding": self.padding,
            "strides": self.strides,
        }


class MaxPooling1D(Pooling):
    """The largest value of each window: y[o] = max over t of x[o * strides + t].

    Shapes: (batch, length, channels) to (batch, out length, channels), with
    out = (length - pool_size) // strides + 1 for padding "valid" and ceil(length / strides) for
    "same". Padding is never the largest value; NaN is. The gradient goes to the first maximum.

    Args:
        pool_size: Length of the window.
        strides: Step from window to window; `pool_size` by default.
        padding: "valid", or "same", which centres the windows, the odd pixel of padding at the end.
        data_format: "channels_last", the same as None, or "channels_first".
        name: Name of the layer.
        **kwargs: `dtype`.

    Raises:
        TypeError: A size that is no integer.
        ValueError: A size below 1, an unknown padding, or an unknown data_format; when called,
            input of another rank, or shorter than the window.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import MaxPooling1D
        >>> MaxPooling1D(2)(np.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1)).ravel()
        array([3., 2.], dtype=float32)
    """

    rank = 1

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class MaxPooling2D(Pooling):
    """The largest value of each window: y[p, q] = max over i, j of x[p s + i, q s' + j].

    Shapes: (batch, height, width, channels) to (batch, out height, out width, channels), per axis
    out = (size - pool_size) // strides + 1 for padding "valid" and ceil(size / strides) for "same".
    Padding is never the largest value; NaN is. The gradient goes to the first maximum, row by row.

    Args:
        pool_size: An integer, or (height, width) of the window.
        strides: An integer, or the steps (rows, columns); `pool_size` by default.
        padding: "valid", or "same", which centres the windows, odd pixels of padding at the end.
        data_format: "channels_last", the same as None, or "channels_first".
        name: Name of the layer.
        **kwargs: `dtype`.

    Raises:
        TypeError: A size that is no integer.
        ValueError: A size below 1, an unknown padding, or an unknown data_format; when called,
            input of another rank, or smaller than the window.

    Example:
        >>> from dlnative.layers import Input, MaxPooling2D
        >>> MaxPooling2D()(Input((28, 28, 32))).shape
        (None, 14, 14, 32)
    """

    def __init__(
        self,
        pool_size: Sizes = (2, 2),
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(pool_size, strides, padding, data_format, name, **kwargs)


class AveragePooling1D(Pooling):
    """The mean value of each window; padding does not count.

    Shapes, arguments and errors are those of `MaxPooling1D`, but `pool_size` must be given.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import AveragePooling1D
        >>> AveragePooling1D(2)(np.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1)).ravel()
        array([2., 1.], dtype=float32)
    """

    rank = 1
    mode = "avg"


class AveragePooling2D(Pooling):
    """The mean value of each window; padding does not count.

    Shapes, arguments and errors are those of `MaxPooling2D`, but `pool_size` must be given.

    Example:
        >>> from dlnative.layers import AveragePooling2D, Input
        >>> AveragePooling2D(3, strides=2, padding="same")(Input((7, 7, 8))).shape
        (None, 4, 4, 8)
    """

    mode = "avg"


class GlobalPooling(SpatialLayer):
    """Base of the layers that pool whole images, of any size.

    Args:
        data_format: "channels_last", the same as None, or "channels_first".
        keepdims: Whether the spatial axes stay, with size 1.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: An unknown data_format; when called, input of another rank.
    """

    reduction = "max"

    def __init__(
        self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.keepdims = bool(keepdims)

    def compute(self, x: Tensor) -> Tensor:
        check_images(self, x.shape, self.rank, messages.source(x))
        axes = tuple(range(1, self.rank + 1))
        return apply(self.reduction, x, axis=axes, keepdims=self.keepdims)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "keepdims": self.keepdims,
        }


class GlobalMax(GlobalPooling):
    """The maximum over all positions."""

    reduction = "max"


class GlobalAverage(GlobalPooling):
    """The mean over all positions."""

    reduction = "mean"


class GlobalMaxPooling1D(GlobalMax):
    """The largest value of each channel: y[c] = max over t of x[t, c].

    Shapes: (batch, length, channels) to (batch, channels), or (batch, 1, channels) with `keepdims`.

    Args:
        data_format: "channels_last", the same as None, or "channels_first".
        keepdims: Whether the axis stays, with size 1.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: An unknown data_format; when called, input of another rank.

    Example:
        >>> from dlnative.layers import GlobalMaxPooling1D, Input
        >>> GlobalMaxPooling1D()(Input((10, 8))).shape
        (None, 8)
    """

    rank = 1


class GlobalMaxPooling2D(GlobalMax):
    """The largest value of each channel of each image.

    Shapes: (batch, height, width, channels) to (batch, channels), or (batch, 1, 1, channels) with
    `keepdims`. Arguments and errors are those of `GlobalMaxPooling1D`.

    Example:
        >>> from dlnative.layers import GlobalMaxPooling2D, Input
        >>> GlobalMaxPooling2D(keepdims=True)(Input((4, 4, 8))).shape
        (None, 1, 1, 8)
    """


class GlobalAveragePooling1D(GlobalAverage):
    """The mean value of each channel: y[c] = mean over t of x[t, c].

    Shapes: (batch, length, channels) to (batch, channels), or (batch, 1, channels) with `keepdims`.
    Arguments and errors are those of `GlobalMaxPooling1D`.

    Example:
        >>> from dlnative.layers import GlobalAveragePooling1D, Input
        >>> GlobalAveragePooling1D()(Input((10, 8))).shape
        (None, 8)

    Called with `mask`, (batch, length), y is the mean of the steps where it is true, or not 0.
    """

    rank = 1

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        if mask is None:
            return super().call(inputs)
        if not self._channels_first:
            return self._masked(inputs, mask)
        y = self._masked(self._channels_last(inputs), mask)
        return arguments.channels_first(y) if self.keepdims else y

    def _masked(self, inputs: Tensor, mask: Any) -> Tensor:
        check_images(self, inputs.shape, self.rank, messages.source(inputs))
        mask = as_tensor(mask, name=self.name)
        if mask.ndim != 2 or not may_agree(mask.shape, inputs.shape[:2]):
            raise ValueError(
                f"{messages.describe(self)}: expected a mask of shape (batch, length) for input "
                f"{messages.format_shape(inputs.shape)}, received shape {mask.shape}"
            )
        counts = apply("reshape", mask != 0, shape=(*mask.shape, 1))
        total, count = (
            apply("sum", value, axis=(1,), keepdims=self.keepdims)
            for value in (
                apply("where", counts, inputs, 0.0),
                apply("cast", counts, dtype=inputs.dtype),
            )
        )
        return total / count


class GlobalAveragePooling2D(GlobalAverage):
    """The mean value of each channel of each image.

    Shapes: (batch, height, width, channels) to (batch, channels), or (batch, 1, 1, channels) with
    `keepdims`. Arguments and errors are those of `GlobalMaxPooling1D`.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import GlobalAveragePooling2D
        >>> GlobalAveragePooling2D()(np.arange(8.0).reshape(1, 2, 2, 2))
        array([[3., 4.]], dtype=float32)

    Reference: Lin et al. 2013, "Network In Network", section 3.2.
    """


MaxPool1D = MaxPooling1D
MaxPool2D = MaxPooling2D
AvgPool1D = AveragePooling1D
AvgPool2D = AveragePooling2D
GlobalMaxPool1D = GlobalMaxPooling1D
GlobalMaxPool2D = GlobalMaxPooling2D
GlobalAvgPool1D = GlobalAveragePooling1D
GlobalAvgPool2D = GlobalAveragePooling2D
