"""Images that are sharpened and blurred at random, in training only; see random_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..hyperparameters import Option
from ..random.seed_generator import Seed
from ..utils.numbers import is_integer
from . import messages
from .random_image import FactorLayer, bounds, per_image


class RandomSharpness(FactorLayer):
    """In training: y = clip(x + (1 - 2 f) (smooth(x) - x), low, high), one f for each image.
    Otherwise: y = x.

    smooth(x) is the mean of the 3 x 3 pixels around each pixel, which itself counts 5 times; around
    the images are zeros.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: Range of f, two numbers in [0, 1]: below 0.5 blurs, above sharpens. A number f
            stands for (0, f).
        value_range: (low, high): the range of the values.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [0, 1], or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomSharpness
        >>> x = np.array([0.0, 13.0, 0.0]).reshape(1, 3, 1)
        >>> RandomSharpness((0.0, 0.0))(x, training=True).flatten().round().tolist()
        [1.0, 5.0, 1.0]
    """

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        return {"factor": self._draw_each(self._images(data), self.factor, seed=seed)}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        factor = per_image(self._cast(transformation["factor"] * 2))
        x = self._last(images)
        kernel = np.ones((3, 3, x.shape[-1], 1))
        kernel[1, 1] = 5
        smooth = ops.depthwise_conv(x, (kernel / 13).astype(images.dtype), padding="same")
        y = ops.clip(x + (1 - factor) * (smooth - x), *self.value_range)
        return self._as_given(y)


def _odd(layer: Any, argument: str, value: Any) -> tuple[int, int]:
    """A check for `Option`: an odd integer, or two; ValueError for anything else, as in Keras."""
    values = (value, value) if is_integer(value) else value
    fits = isinstance(values, (tuple, list)) and len(values) == 2
    if not fits or not all(is_integer(v) and v > 0 and v % 2 for v in values):
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be an odd integer above 0 or two, "
            f"received {value!r}"
        )
    return int(values[0]), int(values[1])


class RandomGaussianBlur(FactorLayer):
    """In training: y = x blurred by a Gaussian, with a probability. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: The probability for each image, in [0, 1], or two numbers between which it is drawn;
            a number f stands for (0, f), so that half of f is drawn on average, as in Keras.
        kernel_size: (columns, rows) of the pixels that count, odd; one number for both.
        sigma: Range of the standard deviations of the Gaussian along rows and columns, two numbers
            in [0, 1], which are drawn for a batch; a number s stands for (0, s).
        value_range: (low, high): the range of the values.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` or `sigma` is no number or two in [0, 1], `kernel_size` not odd, or
            `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomGaussianBlur
        >>> blur = RandomGaussianBlur((1.0, 1.0), sigma=(1.0, 1.0))
        >>> x = np.array([0.0, 100.0, 0.0]).reshape(1, 3, 1)
        >>> blur(x, training=True).flatten().round(1)
        array([12.4, 20.4, 12.4], dtype=float32)
    """

    kernel_size = Option(_odd)
    sigma = Option(bounds(0, 1))

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        kernel_size: int | Sequence[int] = 3,
        sigma: float | Sequence[float] = 1.0,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)
        self.kernel_size = kernel_size
        self.sigma = sigma

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        return {
            "should_apply_blur": self._draw_chance(self._images(data), self.factor, seed),
            "blur_factor": self._draw_batch((2,), self.sigma, seed) + 1e-6,
        }

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        blurred = ops.image.gaussian_blur(
            images, self.kernel_size, transformation["blur_factor"], data_format=self.data_format
        )
        chosen = per_image(transformation["should_apply_blur"])
        return ops.clip(ops.where(chosen, blurred, images), *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "kernel_size": self.kernel_size, "sigma": self.sigma}
