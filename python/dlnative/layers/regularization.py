"""Layers that drop values in training only, and one that penalises them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import apply
from ..hyperparameters import Option, StepNumber, is_on
from ..regularizers import L1L2
from ..utils.numbers import is_integer
from . import messages
from .geometry import data_format
from .input_spec import InputSpec
from .layer import UnaryLayer
from .seeded import SeededLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


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


class MaskingLayer(SeededLayer):
    """Base of the layers that drop values at random.

    Args:
        rate: Share of values to drop.
        noise_shape: Shape of the mask.
        seed: See SeededLayer.
    """

    rate = StepNumber(0.0, 1.0, switch=True)
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

    def _mask_shape(self, inputs: Tensor) -> Shape:
        """The shape of the mask; sizes are None where only shapes are asked for."""
        if self.noise_shape is None:
            return inputs.shape
        if len(self.noise_shape) != inputs.ndim:
            raise ValueError(
                f"{messages.describe(self)}: expected noise_shape of {inputs.ndim} sizes, "
                f"received {self.noise_shape}"
            )
        sizes = zip(self.noise_shape, inputs.shape, strict=True)
        return tuple(m if n is None else n for n, m in sizes)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
        }


class Dropout(MaskingLayer):
    """In training: y = x / (1 - rate) where kept, else 0; each value is kept with probability
    1 - rate. Otherwise: y = x.

    The mask is a function of seed, step and place of the value. It does not depend on threads, and
    a run that is resumed continues with the masks that it would have had.

    Args:
        rate: Share of values to drop, in [0, 1]; all values are 0 with 1.
        noise_shape: Shape of the mask, None for the size of the input; where its size is 1, the
            values along that axis are kept or dropped together.
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1], or a size of `noise_shape` is below 1.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dropout
        >>> y = Dropout(0.5, seed=1)(np.ones((100, 100)), training=True)
        >>> sorted(set(y.flatten().tolist()))
        [0.0, 2.0]

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".
    """

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not is_on(self, "rate"):
            return inputs
        shape = self._mask_shape(inputs)
        if self.noise_shape is None:
            return self._draw("dropout", inputs, self.rate)
        if None in shape:
            return inputs
        ones = inputs.graph.constant(np.ones(shape), inputs.dtype)
        return apply("multiply", inputs, self._draw("dropout", ones, self.rate))


_ALPHA_PRIME = -1.6732632423543772 * 1.0507009873554805  # what SELU gives for -infinity


class AlphaDropout(MaskingLayer):
    """In training: y = a x + b where kept, else a alpha' + b; each value is kept with probability
    1 - rate. Otherwise: y = x.

    alpha' = -1.7581 is the least value of SELU; a and b are such that values of mean 0 and variance
    1, as those behind SELU, keep both:

    a = ((1 - rate) (1 + rate alpha'^2))^(-1/2), b = -a alpha' rate.

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
        >>> from dlnative.layers import AlphaDropout
        >>> y = AlphaDropout(0.5, seed=1)(np.zeros((100, 100)), training=True)
        >>> [round(v, 3) for v in sorted(set(y.flatten().tolist()))]
        [-0.779, 0.779]

    Differs from Keras: a rate of 1 is refused at once; in Keras the first call in training raises.

    Reference:
        Klambauer et al. 2017, "Self-normalizing neural networks".
    """

    rate = StepNumber(0.0, 1.0, below=True, switch=True)

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not is_on(self, "rate"):
            return inputs
        rate = self.rate
        a = ((1.0 - rate) * (1.0 + rate * _ALPHA_PRIME**2)) ** -0.5
        b = -_ALPHA_PRIME * a * rate
        kept = self._uniform(inputs, self._mask_shape(inputs)) >= rate
        return apply("where", kept, inputs * a + b, a * _ALPHA_PRIME + b)


class ActivityRegularization(UnaryLayer):
    """y = x, with the penalty l1 sum |x| + l2 sum x^2, divided by the size of the batch.

    Args:
        l1: Factor of the sum of absolute values, 0 or greater.
        l2: Factor of the sum of squares, 0 or greater.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: A factor is negative or not finite.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import ActivityRegularization
        >>> layer = ActivityRegularization(l1=0.5)
        >>> y = layer(np.array([[1.0, -3.0]]))
        >>> [float(term) for term in layer.losses]
        [2.0]
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=L1L2(l1, l2), **kwargs)
        self.supports_masking = True

    @property
    def l1(self) -> float:
        """Factor of the sum of absolute values."""
        return getattr(self.activity_regularizer, "l1", 0.0)

    @l1.setter
    def l1(self, value: float) -> None:
        self.activity_regularizer.l1 = value

    @property
    def l2(self) -> float:
        """Factor of the sum of squares."""
        return getattr(self.activity_regularizer, "l2", 0.0)

    @l2.setter
    def l2(self, value: float) -> None:
        self.activity_regularizer.l2 = value

    def call(self, inputs: Tensor) -> Tensor:
        return inputs

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer")
        return {**config, "l1": self.l1, "l2": self.l2}


class _SpatialDropout(Dropout):
    """Dropout of whole feature maps: the mask has one value for each sample and channel."""

    _rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self._set_noise_shape()
        self.input_spec = InputSpec(ndim=self._rank + 2)

    def _set_noise_shape(self, channels_first: bool = False) -> None:
        ones = (1,) * self._rank
        self.noise_shape = (None, None, *ones) if channels_first else (None, *ones, None)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"], config["trainable"]  # which those of Keras do not take
        return config


class SpatialDropout1D(_SpatialDropout):
    """In training: each feature map (all steps of one channel of one sample) is 0 with probability
    `rate`, else divided by 1 - rate. Otherwise: y = x.

    Neighbouring steps of a convolution's output are alike, so that dropping single values hides
    little; whole maps do.

    Shapes: (batch, steps, channels), the same out.

    Args:
        rate: Share of feature maps to drop, in [0, 1].
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1].

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import SpatialDropout1D
        >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((2, 3, 4)), training=True)
        >>> bool((y == y[:, :1]).all())
        True

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional networks", section
        3.2.
    """


def _channels_of_noise(layer: Any, argument: str, value: Any) -> str:
    """A check for `Option`: a data format; the mask has one value for each of its channels."""
    checked = data_format(layer, argument, value)
    layer._set_noise_shape(checked == "channels_first")
    return checked


class SpatialDropout2D(_SpatialDropout):
    """In training: each feature map (one channel of one image) is 0 with probability `rate`, else
    divided by 1 - rate. Otherwise: y = x.

    Shapes: (batch, height, width, channels), the same out.

    Args:
        rate: Share of feature maps to drop, in [0, 1].
        data_format: "channels_last", the same as None, or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1], or `data_format` is unknown.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import SpatialDropout2D
        >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((2, 3, 3, 4)), training=True)
        >>> bool((y == y[:, :1, :1]).all())
        True

    Reference:
        Tompson et al. 2015, "Efficient object localization using convolutional networks", section
        3.2.
    """

    _rank = 2

    data_format = Option(_channels_of_noise)

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
