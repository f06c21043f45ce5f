"""Layers that drop values in training only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import apply
from ..hyperparameters import Option, StepNumber, is_on
from ..utils.numbers import is_integer
from . import messages
from .geometry import check_channels_last
from .input_spec import InputSpec
from .seeded import SeededLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


def _noise_shape(layer: Any, argument: str, value: Any) -> tuple[int | None, ...] | None:
    if value is None:
        return None
    for n in value:
        if n is not None and (not is_integer(n) or n < 1):
            raise ValueError(
                f"{messages.describe(layer)}: expected sizes of at least 1 or None in {argument}, "
                f"received {value!r}"
            )
    return tuple(value)


class Dropout(SeededLayer):
    """In training: y = x / (1 - rate) where kept, else 0; each value is kept with probability
    1 - rate. Otherwise: y = x.

    The mask is a function of seed, step and place of the value. It does not depend on threads, and
    a run that is resumed continues with the masks that it would have had.

    Args:
        rate: Share of values to drop, in [0, 1).
        noise_shape: Shape of the mask, None for the size of the input; where its size is 1, the
            values along that axis are kept or dropped together.
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1), or a size of `noise_shape` is below 1.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dropout
        >>> y = Dropout(0.5, seed=1)(np.ones((100, 100)), training=True)
        >>> sorted(set(y.flatten().tolist()))
        [0.0, 2.0]

    Differs from Keras: a rate of 1 is refused.

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    rate = StepNumber(0.0, 1.0, below=True, switch=True)
    noise_shape = Option(_noise_shape)

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate = rate
        self.noise_shape = noise_shape
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not is_on(self, "rate"):
            return inputs
        if self.noise_shape is None:
            return self._dropped(inputs)
        if len(self.noise_shape) != inputs.ndim:
            raise ValueError(
                f"{messages.describe(self)}: expected noise_shape of {inputs.ndim} sizes, "
                f"received {self.noise_shape}"
            )
        sizes = zip(self.noise_shape, inputs.shape, strict=True)
        shape = tuple(m if n is None else n for n, m in sizes)
        if None in shape:  # only shapes are asked for
            return inputs
        ones = inputs.graph.constant(np.ones(shape), inputs.dtype)
        return apply("multiply", inputs, self._dropped(ones))

    def _dropped(self, x: Tensor) -> Tensor:
        return self._draw("dropout", x, self.rate)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
        }


class _SpatialDropout(Dropout):
    """Dropout of whole feature maps: the mask has one value for each sample and channel."""

    _rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        noise_shape = (None, *(1,) * self._rank, None)
        super().__init__(rate, noise_shape=noise_shape, seed=seed, **kwargs)
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("noise_shape")
        return config


class SpatialDropout1D(_SpatialDropout):
    """In training: each feature map (all steps of one channel of one sample) is 0 with probability
    `rate`, else divided by 1 - rate. Otherwise: y = x.

    Neighbouring steps of a convolution's output are alike, so that dropping single values hides
    little; whole maps do.

    Shapes: (batch, steps, channels), the same out.

    Args:
        rate: Share of feature maps to drop, in [0, 1).
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1).

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import SpatialDropout1D
        >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((2, 3, 4)), training=True)
        >>> bool((y == y[:, :1]).all())
        True

    Differs from Keras: a rate of 1 is refused.

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional networks", section
        3.2.
    """


class SpatialDropout2D(_SpatialDropout):
    """In training: each feature map (one channel of one image) is 0 with probability `rate`, else
    divided by 1 - rate. Otherwise: y = x.

    Shapes: (batch, height, width, channels), the same out.

    Args:
        rate: Share of feature maps to drop, in [0, 1).
        data_format: None or "channels_last".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1), or `data_format` is "channels_first".

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import SpatialDropout2D
        >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((2, 3, 3, 4)), training=True)
        >>> bool((y == y[:, :1, :1]).all())
        True

    Differs from Keras: a rate of 1 is refused.

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional networks", section
        3.2.
    """

    _rank = 2

    data_format = Option(check_channels_last)

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = data_format

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
