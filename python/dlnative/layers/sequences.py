"""Layers that lengthen, shorten or repeat sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..hyperparameters import Option
from ..ops.padding import pad
from ..ops.shapes import repeat
from . import messages
from .geometry import check_images, standardize_sizes
from .input_spec import InputSpec
from .layer import UnaryLayer
from .options import positive_integer
from .spatial_layer import SpatialLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


def _ends(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
    return standardize_sizes(layer, argument, value, 2, least=0)


class ZeroPadding1D(SpatialLayer):
    """Zeros before and after sequences.

    Shapes: (batch, length, channels) to (batch, before + length + after, channels).

    Args:
        padding: Steps of zeros: an integer for both ends, or (before, after).
        data_format: "channels_last", the same as None, or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: An entry of `padding` that is no integer.
        ValueError: A negative entry, or a wrong number of them; when called, input of another rank.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import ZeroPadding1D
        >>> ZeroPadding1D((2, 1))(np.ones((1, 2, 1))).ravel()
        array([0., 0., 1., 1., 0.], dtype=float32)
    """

    rank = 1
    padding = Option(_ends)

    def __init__(
        self, padding: int | Sequence[int] = 1, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format
        self.padding = padding

    def compute(self, x: Tensor) -> Tensor:
        check_images(self, x.shape, 1, messages.source(x))
        return pad(x, ((0, 0), self.padding, (0, 0)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}


class Cropping1D(UnaryLayer):
    """Sequences without their first and last steps.

    Shapes: (batch, length, channels) to (batch, length - before - after, channels).

    Args:
        cropping: Steps to drop: an integer for both ends, or (before, after).
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: An entry of `cropping` that is no integer.
        ValueError: A negative entry, or a wrong number of them; when called, input of another
            rank, or so short that nothing would be left.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Cropping1D
        >>> Cropping1D((1, 2))(np.arange(5.0).reshape(1, 5, 1)).ravel()
        array([1., 2.], dtype=float32)
    """

    cropping = Option(_ends)

    def __init__(self, cropping: int | Sequence[int] = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cropping = cropping
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        before, after = self.cropping
        length = inputs.shape[1]
        if length is not None and before + after >= length:
            raise ValueError(
                f"{messages.describe(self)}: cropping {self.cropping} leaves nothing of the length "
                f"{length} of its input, received {messages.format_shape(inputs.shape)}"
                f"{messages.source(inputs)}. Crop less, or use longer sequences."
            )
        return inputs[:, before : -after or None]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "cropping": self.cropping}


class UpSampling1D(UnaryLayer):
    """Each step of sequences `size` times in a row.

    Shapes: (batch, length, channels) to (batch, size * length, channels).

    Args:
        size: How often.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `size` is no integer.
        ValueError: `size` is below 1; when called, input of another rank.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import UpSampling1D
        >>> UpSampling1D(2)(np.arange(3.0).reshape(1, 3, 1)).ravel()
        array([0., 0., 1., 1., 2., 2.], dtype=float32)
    """

    size = Option(positive_integer)

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        return repeat(inputs, self.size, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


class RepeatVector(UnaryLayer):
    """Each vector `n` times, as the steps of a sequence.

    Shapes: (batch, features) to (batch, n, features).

    Args:
        n: How often.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `n` is no integer.
        ValueError: `n` is below 1; when called, input of another rank.

    Example:
        >>> from dlnative.layers import Input, RepeatVector
        >>> RepeatVector(3)(Input((8,))).shape
        (None, 3, 8)
    """

    n = Option(positive_integer)

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        return repeat(inputs[:, None], self.n, axis=1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}
