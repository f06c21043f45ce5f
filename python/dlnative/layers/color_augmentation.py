"""Random changes of the colours of images, in training only; see random_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import ops
from ..config import epsilon
from ..graph.tensor import Tensor
from ..hyperparameters import Number, Option
from ..random.seed_generator import Seed
from .random_image import FactorLayer, RandomImageLayer, bounds, per_image, value_limits


class RandomGrayscale(RandomImageLayer):
    """In training: y = 0.2989 red + 0.5870 green + 0.1140 blue in all channels, with a probability.
    Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out; 3 channels,
    or 1, which stays. The dtype of the images stays, integers are truncated.

    Args:
        factor: The probability for each image, in [0, 1].
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `factor` is not a number, `seed` not an integer.
        ValueError: `factor` outside of [0, 1], or images of another number of channels.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomGrayscale
        >>> gray = RandomGrayscale(1.0)(np.array([[[100, 200, 50]]], np.uint8), training=True)
        >>> gray.flatten().tolist()
        [152, 152, 152]

    Differs from Keras: `seed` is part of the configuration.
    """

    factor = Number(0.0, 1.0)

    def __init__(
        self,
        factor: float = 0.5,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor

    def _random_transformation(self, data: Any, seed: Seed) -> Tensor:
        images = self._images(data)
        return per_image(self._draw_each(images, seed=seed) < self.factor)

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        if not training:
            return images
        if transformation is None:
            transformation = self.get_random_transformation(images)
        gray = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        return ops.where(transformation, gray, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class RandomColorDegeneration(FactorLayer):
    """In training: y = clip(x + f (gray(x) - x), low, high), one f for each image.

    Otherwise: y = x.

    Shapes: (batch, height, width, 3) or (height, width, 3), the same out.

    Args:
        factor: Range of f, two numbers in [-1, 1]: 1 is gray, below 0 are stronger colours; a
            number f stands for (-|f|, |f|).
        value_range: (low, high): the range of the values.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [-1, 1], or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomColorDegeneration
        >>> half = RandomColorDegeneration((0.5, 0.5))
        >>> half(np.array([[[100.0, 100.0, 0.0]]]), training=True).round(1)
        array([[[94.3, 94.3, 44.3]]], dtype=float32)
    """

    _casts_untrained = False
    factor = Option(bounds(-1.0, 1.0))

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        return {"factor": per_image(self._draw_each(self._images(data), self.factor, seed=seed))}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        gray = ops.image.rgb_to_grayscale(images, data_format=self.data_format)
        factor = self._cast(transformation["factor"])
        return ops.clip(images + factor * (gray - images), *self.value_range)


class _HsvLayer(FactorLayer):
    """Base of the layers that change one of hue, saturation and value."""

    _casts_untrained = False

    def _with_plane(self, images: Any, index: int, change: Any) -> Any:
        """RGB images of which a plane of HSV is changed by a function of it and a shape."""
        axis = self._channel_axis(images)
        hsv = ops.image.rgb_to_hsv(images, data_format=self.data_format)
        planes = ops.split(hsv, 3, axis=axis)
        planes[index] = change(planes[index])
        return ops.image.hsv_to_rgb(
            ops.concatenate(planes, axis=axis), data_format=self.data_format
        )


class RandomHue(_HsvLayer):
    """In training the hue of HSV, which goes round once in [0, 1), is turned by d for each image.
    Otherwise: y = x.

    Shapes: (batch, height, width, 3) or (height, width, 3), the same out.

    Args:
        factor: Range of 2 |d|, two numbers in [0, 1]; d goes either way. A number f stands for
            (0, f).
        value_range: (low, high): the range of the values.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [0, 1], or `value_range` is not two different
            numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomHue
        >>> turned = RandomHue((1.0, 1.0))(np.array([[[255.0, 0.0, 0.0]]]), training=True)
        >>> turned.flatten().round().tolist()
        [0.0, 255.0, 255.0]
    """

    value_range = Option(value_limits)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        way = self._draw_each(images, seed=seed)
        size = 0.5 * self._draw_each(images, self.factor, seed=seed)
        return {"factor": ops.where(way > 0.5, -size, size)}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        turn = per_image(self._cast(transformation["factor"]))

        def turned(hue: Any) -> Any:
            hue = hue + turn
            hue = ops.where(hue > 1, hue - 1, hue)
            return ops.where(hue < 0, hue + 1, hue)

        unit = self._rescaled(images, self.value_range, (0, 1))
        unit = ops.clip(self._with_plane(unit, 0, turned), 0, 1)
        return self._rescaled(unit, (0, 1), self.value_range)


class RandomSaturation(_HsvLayer):
    """In training: saturation of HSV times f / (1 - f), one f for each image. Otherwise: y = x.

    Shapes: (batch, height, width, 3) or (height, width, 3), the same out.

    Args:
        factor: Range of f, two numbers in [-1, 1]: 0 is gray, 0.5 changes nothing, 1 is the
            strongest. A number f stands for (-|f|, |f|), of which what is below 0 gives gray.
        value_range: (low, high): the saturation is clipped to it, as in Keras: in (0, 1) colours
            stay within the range.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [-1, 1], or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomSaturation
        >>> gray = RandomSaturation((0.0, 0.0), value_range=(0, 1))
        >>> gray(np.array([[[0.75, 0.5, 0.25]]]), training=True).tolist()
        [[[0.75, 0.75, 0.75]]]

    Differs from Keras: images of integers are taken, too.
    """

    factor = Option(bounds(-1.0, 1.0))

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        factor = self._draw_each(self._images(data), self.factor, seed=seed)
        return {"factor": factor / (1 - factor + epsilon())}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        factor = per_image(self._cast(transformation["factor"]))
        low, high = self.value_range
        return self._with_plane(images, 1, lambda plane: ops.clip(plane * factor, low, high))


class RandomInvert(FactorLayer):
    """In training: y = high - x, with a probability. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: The probability for each image, in [0, 1], or two numbers between which it is drawn;
            a number f stands for (0, f), so that half of f is drawn on average, as in Keras.
        value_range: (low, high): the range of the values.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [0, 1], or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomInvert
        >>> RandomInvert((1.0, 1.0))(np.array([[[5.0]]]), training=True).item()
        250.0
    """

    _casts_untrained = False

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        return {"apply_inversion": self._draw_chance(self._images(data), self.factor, seed)}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        chosen = per_image(transformation["apply_inversion"])
        return ops.where(chosen, self.value_range[1] - images, images)
