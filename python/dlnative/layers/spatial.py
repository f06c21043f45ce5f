"""Layers that put a frame around images, cut one off, or enlarge them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from ..graph import apply
from ..graph.ops.spatial import INTERPOLATIONS
from ..hyperparameters import Option
from . import messages
from .geometry import check_images, one_of, sizes, standardize_sizes
from .spatial_layer import SpatialLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Sizes

# Rows and columns at the sides of images: one number, (rows, columns), or one for each side.
Sides: TypeAlias = int | Sequence[int | Sequence[int]]


def standardize_sides(layer: Any, argument: str, value: Any) -> tuple[tuple[int, ...], ...]:
    """An integer, (rows, columns) or ((top, bottom), (left, right)) as the last of these.

    Raises:
        TypeError: Something else.
        ValueError: A wrong number of entries, or one below 0.
    """
    if not isinstance(value, (tuple, list)):
        value = (value, value)
    if len(value) != 2:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be an integer, (rows, columns) or "
            f"((top, bottom), (left, right)), received {value!r}"
        )
    return tuple(standardize_sizes(layer, argument, side, 2, least=0) for side in value)


class ZeroPadding2D(SpatialLayer):
    """Zeros around images.

    Shapes: (batch, height, width, channels) to (batch, top + height + bottom, left + width + right,
    channels).

    Args:
        padding: Rows and columns of zeros: an integer for all sides, (rows, columns) for opposite
            sides, or ((top, bottom), (left, right)).
        data_format: "channels_last", the same as None, or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: An entry of `padding` that is no integer.
        ValueError: A negative entry, or a wrong number of them; an unknown data_format; when
            called, input of another rank.

    Example:
        >>> from dlnative.layers import Input, ZeroPadding2D
        >>> ZeroPadding2D(((1, 0), (2, 3)))(Input((4, 4, 8))).shape
        (None, 5, 9, 8)
    """

    padding = Option(standardize_sides)

    def __init__(
        self, padding: Sides = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.padding = padding

    def compute(self, x: Tensor) -> Tensor:
        check_images(self, x.shape, 2, messages.source(x))
        return apply("zero_pad2d", x, padding=(*self.padding[0], *self.padding[1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


class Cropping2D(SpatialLayer):
    """Images without their outer rows and columns.

    Shapes: (batch, height, width, channels) to (batch, height - top - bottom, width - left - right,
    channels).

    Args:
        cropping: Rows and columns to drop: an integer for all sides, (rows, columns) for opposite
            sides, or ((top, bottom), (left, right)).
        data_format: "channels_last", the same as None, or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: An entry of `cropping` that is no integer.
        ValueError: A negative entry, or a wrong number of them; an unknown data_format; when
            called, input of another rank, or so small that nothing would be left.

    Example:
        >>> from dlnative.layers import Cropping2D, Input
        >>> Cropping2D(((2, 2), (4, 4)))(Input((28, 28, 3))).shape
        (None, 24, 20, 3)
    """

    cropping = Option(standardize_sides)

    def __init__(
        self, cropping: Sides = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.cropping = cropping

    def compute(self, x: Tensor) -> Tensor:
        shape, source = x.shape, messages.source(x)
        check_images(self, shape, 2, source)
        for axis, size, sides in zip(("height", "width"), shape[1:3], self.cropping, strict=True):
            if size is not None and sum(sides) >= size:
                raise ValueError(
                    f"{messages.describe(self)}: cropping {self.cropping} leaves nothing of the "
                    f"{axis} {size} of its input, received {messages.format_shape(shape)}{source}. "
                    "Crop less, or use larger images."
                )
        return apply("crop2d", x, cropping=(*self.cropping[0], *self.cropping[1]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class UpSampling2D(SpatialLayer):
    """Images `size` times as large.

    Output pixel o lies at (o + 1/2) / size - 1/2 of the input (half-pixel centres). "nearest"
    repeats each pixel size[0] x size[1] times; "bilinear", "bicubic" (Keys, a = -1/2), "lanczos3"
    and "lanczos5" weigh the pixels around, at the border those that exist.

    Shapes: (batch, height, width, channels) to (batch, size[0] * height, size[1] * width,
    channels).

    Args:
        size: An integer, or the factors (of height, of width).
        data_format: "channels_last", the same as None, or "channels_first".
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A factor that is no integer.
        ValueError: A factor below 1, an unknown interpolation, an unknown data_format; when
            called, input of another rank.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import UpSampling2D
        >>> UpSampling2D((1, 2), interpolation="bilinear")(np.array([[[[0.0], [1.0]]]])).ravel()
        array([0.  , 0.25, 0.75, 1.  ], dtype=float32)

    Reference: Keys 1981, "Cubic Convolution Interpolation for Digital Image Processing".
    """

    size = Option(sizes())
    interpolation = Option(one_of(*INTERPOLATIONS, any_case=True))

    def __init__(
        self,
        size: Sizes = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.size = size
        self.interpolation = interpolation

    def compute(self, x: Tensor) -> Tensor:
        check_images(self, x.shape, 2, messages.source(x))
        return apply("upsample2d", x, size=self.size, interpolation=self.interpolation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "size": self.size,
            "interpolation": self.interpolation,
        }
