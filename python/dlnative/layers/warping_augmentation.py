"""Random shears, tilts and stretches of images, in training only; see random_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..graph.ops.augmentation import FILL_MODES
from ..graph.tensor import Tensor, apply
from ..hyperparameters import Number, Option
from ..ops.image import elastic, geometry
from ..random.seed_generator import Seed
from ..utils.numbers import is_number
from .random_image import (
    AffineReading,
    RandomImageLayer,
    affine_rows,
    bounds,
    limits,
    per_image,
    supported,
)

INTERPOLATIONS = tuple(geometry.ORDERS)
SMALLEST_SIGMA = 1e-3  # pixels: a Gaussian that changes nothing


def _shear(layer: Any, argument: str, value: Any) -> tuple[float, float]:
    """A check for `Option`: two numbers in [-1, 1]; a number f in [0, 1] stands for (-f, f)."""
    if is_number(value):
        _, upper = bounds(0, 1)(layer, argument, value)
        return -upper, upper
    return bounds(-1, 1)(layer, argument, value)


def _as_number(factor: tuple[float, float]) -> float | tuple[float, float]:
    """(-f, f) as the number f: Keras takes no range below 0."""
    return factor[1] if factor[0] == -factor[1] else factor


class WarpingLayer(RandomImageLayer):
    """Base of the layers that read pixels at other places, between which they interpolate."""

    interpolation = Option(supported(*INTERPOLATIONS))

    def _set_reading(self, interpolation: str, fill_value: float) -> None:
        self.interpolation = interpolation
        self.fill_value = fill_value

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


class RandomShear(AffineReading, WarpingLayer):
    """In training: y[row, column] = x[row + b column, column + a row]. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        x_factor: Range of a: two numbers up to 1. A number f in [0, 1] stands for (-f, f).
        y_factor: Range of b, likewise. Afterwards a and b change their signs together with
            probability 1/2.
        interpolation: "bilinear" or "nearest".
        fill_mode: What lies outside of an image, see `RandomTranslation`.
        fill_value: A number, for fill_mode "constant".
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: A factor is no number in [0, 1] or two in [-1, 1].
        NotImplementedError: An unknown interpolation or fill_mode.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomShear
        >>> x = np.array([[1.0, 0.0], [0.0, 1.0]])[..., None]
        >>> sheared = RandomShear((1.0, 1.0), fill_mode="constant", seed=1)(x, training=True)
        >>> sheared[0].flatten().tolist()
        [1.0, 0.0]

    Differs from Keras: a range may reach below 0. Configurations have numbers f as they were given;
    those of Keras have (-f, f), which it does not take.
    """

    x_factor = Option(_shear)
    y_factor = Option(_shear)
    fill_mode = Option(supported(*FILL_MODES))

    def __init__(
        self,
        x_factor: float | Sequence[float] = 0.0,
        y_factor: float | Sequence[float] = 0.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self._set_reading(interpolation, fill_value)
        self.x_factor = x_factor
        self.y_factor = y_factor
        self.fill_mode = fill_mode

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        way = self._draw_each(images, seed=seed) > 0.5
        y, x = (
            self._draw_each(images, factor, seed=seed) for factor in (self.y_factor, self.x_factor)
        )
        factors = ops.stack([ops.where(way, -v, v) for v in (x, y)], axis=1)
        return {"shear_factor": factors, "input_shape": images.shape}

    def affine_of(self, images: Any, transformation: Any) -> Any:
        """The transforms of the images, see `affine_rows`."""
        factors = transformation["shear_factor"]
        return affine_rows(images, 1.0, factors[:, 0], 0.0, factors[:, 1], 1.0, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "x_factor": _as_number(self.x_factor),
            "y_factor": _as_number(self.y_factor),
            "fill_mode": self.fill_mode,
        }


class RandomPerspective(WarpingLayer):
    """In training each image is tilted, with a probability. Otherwise: y = x.

    Each corner (column, row) moves to (column + p column, row + q row), p and q of its own, so that
    the upper left one stays, as in Keras. Outside of the image is `fill_value`. An image of one row
    or column stays as it is.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: The probability for each image, in [0, 1], or two numbers between which it is drawn;
            a number f stands for (0, f), so that half of f is drawn on average, as in Keras.
        scale: p and q are drawn from [-scale / 2, scale / 2]; a number in [0, 1].
        interpolation: "bilinear" or "nearest".
        fill_value: A number.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `scale` is not a number, `seed` not an integer.
        ValueError: `factor` is no number or two in [0, 1], or `scale` outside of [0, 1].
        NotImplementedError: An unknown interpolation.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomPerspective
        >>> x = np.arange(4.0).reshape(2, 2, 1)
        >>> RandomPerspective(scale=0.0)(x, training=True).flatten().round(4).tolist()
        [0.0, 1.0, 2.0, 3.0]
    """

    factor = Option(bounds(0, 1))
    scale = Number(0.0, 1.0)

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float = 1.0,
        interpolation: str = "bilinear",
        fill_value: float = 0.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self._set_reading(interpolation, fill_value)
        self.factor = factor
        self.scale = scale

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images, half = self._images(data), 0.5 * self.scale
        moves = self._draw_each(images, (-half, half), shape=(4, 2), seed=seed)
        height, width = self._sizes(images)
        corners = [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]]
        start = ops.broadcast_to(np.array([corners], self.compute_dtype), moves.shape)
        return {
            "apply_perspective": self._draw_chance(images, self.factor, seed),
            "start_points": start,
            "end_points": start + start * moves,
            "input_shape": images.shape,
        }

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None or min(self._sizes(images)) < 2:
            return images
        tilted = ops.image.perspective_transform(
            images,
            transformation["start_points"],
            transformation["end_points"],
            interpolation=self.interpolation,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )
        return ops.where(per_image(transformation["apply_perspective"]), tilted, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "scale": self.scale}


class RandomElasticTransform(WarpingLayer):
    """In training each image is stretched here and there, with a probability. Otherwise: y = x.

    y[p] = x[p + 0.1 s max(height, width) d[p]], clipped to the range of the values; d are normal
    numbers of a standard deviation 0.05 s min(height, width), blurred by a Gaussian of that
    deviation; see `ops.image.elastic_transform`.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: The probability for each image, in [0, 1], or two numbers between which it is drawn;
            a number f stands for (0, f), so that half of f is drawn on average, as in Keras.
        scale: Range of s, two numbers in [0, 1], drawn for a batch; a number stands for (0, scale).
        interpolation: "bilinear" or "nearest".
        fill_mode: What lies outside of an image: "constant", "nearest", "wrap", "mirror" or
            "reflect", see `ops.image.map_coordinates`.
        fill_value: A number, for fill_mode "constant".
        value_range: (low, high): the range of the values.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` or `scale` is no number or two in [0, 1], or `value_range` is not two
            numbers.
        NotImplementedError: An unknown interpolation or fill_mode.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomElasticTransform
        >>> stretch = RandomElasticTransform((1.0, 1.0), scale=(0.5, 0.5), seed=1)
        >>> stretch(np.zeros((2, 32, 32, 1)), training=True).shape
        (2, 32, 32, 1)

    Differs from Keras: rows and columns move independently, as in `ops.image.elastic_transform`. In
    a program the Gaussian is cut off where that of the largest s is.

    Reference: Simard, Steinkraus and Platt 2003, "Best practices for convolutional neural networks
    applied to visual document analysis".
    """

    factor = Option(bounds(0, 1))
    scale = Option(bounds(0, 1))
    fill_mode = Option(supported(*geometry.FILL_MODES))
    value_range = Option(limits)

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float | Sequence[float] = 1.0,
        interpolation: str = "bilinear",
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self._set_reading(interpolation, fill_value)
        self.factor = factor
        self.scale = scale
        self.fill_mode = fill_mode
        self.value_range = value_range

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any] | None:
        if self.scale[1] == 0 or self.factor[1] == 0:
            return None
        return {
            "apply_transform": self._draw_chance(self._images(data), self.factor, seed),
            "distortion_factor": self._draw_batch((), self.scale, seed),
            "seed": self._seed(seed),
        }

    def get_elastic_transform_params(self, height: int, width: int, factor: Any) -> tuple[Any, Any]:
        """(alpha, sigma) of `ops.image.elastic_transform` for an s."""
        return max(height, width) * 0.1 * factor, min(height, width) * 0.05 * factor

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        sizes = self._sizes(images)
        alpha, sigma = self.get_elastic_transform_params(
            *sizes, transformation["distortion_factor"]
        )
        options = (self.interpolation, self.fill_mode, self.fill_value, transformation["seed"])
        if isinstance(sigma, Tensor):
            _, largest = self.get_elastic_transform_params(*sizes, self.scale[1])
            sigma = apply("maximum", sigma, SMALLEST_SIGMA)
            y = elastic.stretched(images, alpha, sigma, largest, *options, self._is_first)
        else:
            sigma = max(float(sigma), SMALLEST_SIGMA)
            y = ops.image.elastic_transform(
                images, float(alpha), sigma, *options, data_format=self.data_format
            )
        chosen = per_image(transformation["apply_transform"])
        return ops.clip(ops.where(chosen, y, images), *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "factor": self.factor,
            "scale": self.scale,
            "fill_mode": self.fill_mode,
            "value_range": self.value_range,
        }
