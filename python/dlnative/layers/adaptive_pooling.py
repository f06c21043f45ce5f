"""Adaptive pooling: windows that are laid so that there is a given number of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..hyperparameters import Option
from ..ops.pooling import adaptive_average_pool, adaptive_max_pool
from . import messages
from .geometry import check_images, sizes
from .spatial_layer import SpatialLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Sizes


class AdaptivePooling(SpatialLayer):
    """Base of the layers whose windows are as many as they are told.

    Attributes:
        pool: The function that pools.
    """

    pool: Callable[..., Any]

    output_size = Option(sizes())

    def __init__(self, output_size: Sizes, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.output_size = output_size
        self.data_format = data_format

    def compute(self, x: Tensor) -> Tensor:
        check_images(self, x.shape, self.rank, messages.source(x))
        return self.pool(x, self.output_size)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "output_size": self.output_size,
        }


class AdaptiveAverage(AdaptivePooling):
    """The mean value of each window."""

    pool = staticmethod(adaptive_average_pool)


class AdaptiveMax(AdaptivePooling):
    """The largest value of each window."""

    pool = staticmethod(adaptive_max_pool)


class AdaptiveAveragePooling1D(AdaptiveAverage):
    """The mean values of `output_size` windows, whatever the length of the sequence.

    Window i of m goes from floor(i n / m) to ceil((i + 1) n / m), of n steps. Where m divides n
    that is an AveragePooling1D; else windows overlap.

    Shapes: (batch, length, channels) to (batch, output_size, channels).

    Args:
        output_size: The number of windows.
        data_format: "channels_last", the same as None, or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `output_size` is not an integer.
        ValueError: It is below 1; when called, input of another rank.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import AdaptiveAveragePooling1D
        >>> AdaptiveAveragePooling1D(2)(np.array([1.0, 2.0, 6.0]).reshape(1, 3, 1)).ravel()
        array([1.5, 4. ], dtype=float32)
    """

    rank = 1


class AdaptiveAveragePooling2D(AdaptiveAverage):
    """The mean values of `output_size` windows of images, whatever their size.

    Shapes: (batch, height, width, channels) to (batch, *output_size, channels). Arguments, windows
    and errors are those of `AdaptiveAveragePooling1D`, with an integer for both axes or one each.

    Example:
        >>> from dlnative.layers import AdaptiveAveragePooling2D, Input
        >>> AdaptiveAveragePooling2D((3, 2))(Input((None, None, 8))).shape
        (None, 3, 2, 8)
    """


class AdaptiveMaxPooling1D(AdaptiveMax):
    """The largest values of `output_size` windows, whatever the length of the sequence.

    Shapes, arguments, windows and errors are those of `AdaptiveAveragePooling1D`.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import AdaptiveMaxPooling1D
        >>> AdaptiveMaxPooling1D(2)(np.array([1.0, 2.0, 6.0]).reshape(1, 3, 1)).ravel()
        array([2., 6.], dtype=float32)
    """

    rank = 1


class AdaptiveMaxPooling2D(AdaptiveMax):
    """The largest values of `output_size` windows of images, whatever their size.

    Shapes, arguments, windows and errors are those of `AdaptiveAveragePooling2D`.

    Example:
        >>> from dlnative.layers import AdaptiveMaxPooling2D, Input
        >>> AdaptiveMaxPooling2D(4)(Input((32, 24, 8))).shape
        (None, 4, 4, 8)
    """
