"""Random shifts, rotations and zooms of images, in training only; see augmentation.py."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..graph.ops.augmentation import FILL_MODES, INTERPOLATIONS
from ..hyperparameters import Option
from ..random.seed_generator import Seed
from . import messages
from .augmentation import FusedImageLayer
from .geometry import one_of
from .random_image import AffineReading, affine_rows, factor_range

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


class _RandomAffineLayer(AffineReading, FusedImageLayer):
    """Base of shift, rotation and zoom: what lies outside of the image, and between its pixels."""

    fill_mode = Option(one_of(*FILL_MODES))
    interpolation = Option(one_of(*INTERPOLATIONS))

    def __init__(
        self,
        fill_mode: str,
        interpolation: str,
        seed: int | None,
        fill_value: float,
        data_format: str | None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = float(fill_value)

    def _affine(self, images: Tensor, **ranges: Any) -> Tensor:
        return self._draw(
            "random_affine",
            images,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            interpolation=self.interpolation,
            **ranges,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fill_mode": self.fill_mode,
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
        }


def _plain(factor: Any) -> Any:
    """A factor as it is given, lists (out of JSON) as tuples."""
    return tuple(factor) if isinstance(factor, list) else factor


def _shift(layer: Any, argument: str, value: Any) -> Any:
    factor_range(layer, argument, value)
    return _plain(value)


def _zoom(layer: Any, argument: str, value: Any) -> Any:
    _zoom_range(layer, argument, value)
    return _plain(value)


def _zoom_range(layer: Any, argument: str, factor: Any) -> tuple[float, float]:
    """The part of the image that is shown, (lower, upper)."""
    lower, upper = factor_range(layer, argument, factor)
    if lower <= -1.0:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} in (-1, 1], received {factor!r}: "
            "-1 would enlarge the image without end"
        )
    return 1.0 + lower, 1.0 + upper


def _zoom_or_none(layer: Any, argument: str, value: Any) -> Any:
    return None if value is None else _zoom(layer, argument, value)


class RandomTranslation(_RandomAffineLayer):
    """In training each image is shifted by a random part of its size. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        height_factor: Range of the shift downwards as a share of the height, two numbers in
            [-1, 1]; f stands for (-f, f).
        width_factor: Range of the shift to the right as a share of the width, likewise.
        fill_mode: What lies outside of an image a b c: "reflect" b a|a b c|c b, "constant" for
            `fill_value`, "nearest" a a|a b c|c c, "wrap" b c|a b c|a b.
        interpolation: "bilinear" or "nearest".
        seed: An integer, or None for one from the global stream.
        fill_value: See `fill_mode`.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A factor is not a number or two, `seed` not an integer.
        ValueError: A factor outside of [-1, 1], an unknown mode or data_format.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomTranslation
        >>> shift = RandomTranslation(0, (0.5, 0.5), fill_mode="constant")
        >>> shift(np.arange(4.0).reshape(1, 1, 4, 1), training=True).flatten().tolist()
        [0.0, 0.0, 0.0, 1.0]
    """

    height_factor = Option(_shift)
    width_factor = Option(_shift)

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor

    def _vary(self, images: Tensor) -> Tensor:
        height = factor_range(self, "height_factor", self.height_factor)
        width = factor_range(self, "width_factor", self.width_factor)
        return self._affine(images, height_shift=height, width_shift=width)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        down, right = (
            self._draw_each(images, factor_range(self, name, factor), seed=seed) * size
            for name, factor, size in zip(
                ("height_factor", "width_factor"),
                (self.height_factor, self.width_factor),
                self._sizes(images),
                strict=True,
            )
        )
        return {"translations": ops.stack([right, down], axis=1), "input_shape": images.shape}

    def affine_of(self, images: Tensor, transformation: dict[str, Any]) -> Tensor:
        """The transforms of the images, see `affine_rows`."""
        shift = transformation["translations"]
        return affine_rows(images, 1.0, 0.0, -shift[:, 0], 0.0, 1.0, -shift[:, 1])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }


class RandomRotation(_RandomAffineLayer):
    """In training each image is rotated about its middle by a random angle. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: Range of the angle in turns (0.25 is a right angle), two numbers in [-1, 1];
            positive is counter-clockwise; f stands for (-f, f).
        fill_mode, interpolation, seed, fill_value, data_format: See `RandomTranslation`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `factor` is not a number or two, `seed` not an integer.
        ValueError: `factor` outside of [-1, 1], an unknown mode or data_format.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomRotation
        >>> turn = RandomRotation((0.25, 0.25))
        >>> turn(np.arange(4.0).reshape(2, 2, 1), training=True)[..., 0]
        array([[1., 3.],
               [0., 2.]], dtype=float32)
    """

    factor = Option(factor_range)

    def __init__(
        self,
        factor: float | Sequence[float],
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.factor = factor

    def _vary(self, images: Tensor) -> Tensor:
        return self._affine(images, rotation=self.factor)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        height, width = self._sizes(images)
        degrees = 360 * self._draw_each(images, self.factor, seed=seed)
        angle = degrees * (math.pi / 180)
        cos, sin = ops.cos(angle), ops.sin(angle)
        x, y = (width - 1) / 2, (height - 1) / 2
        matrix = affine_rows(
            images, cos, -sin, x - x * cos + y * sin, sin, cos, y - x * sin - y * cos
        )
        batch = images.shape[0] if images.ndim == 4 else 1
        return {
            "angle": degrees,
            "rotation_matrix": matrix if images.ndim == 4 else ops.squeeze(matrix, 0),
            "image_height": height,
            "image_width": width,
            "batch_size": batch,
        }

    def affine_of(self, images: Tensor, transformation: dict[str, Any]) -> Tensor:
        """The transforms of the images, see `affine_rows`."""
        return transformation["rotation_matrix"]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class RandomZoom(_RandomAffineLayer):
    """In training each image is made smaller or larger about its middle. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        height_factor: Range of f for rows, two numbers in (-1, 1]: the image shows 1 + f of its
            rows, so 0.5 zooms out and -0.5 zooms in; f stands for (-f, f).
        width_factor: Range for columns; None for the f of the rows, which keeps the aspect ratio.
        fill_mode, interpolation, seed, fill_value, data_format: See `RandomTranslation`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: A factor is not a number or two, `seed` not an integer.
        ValueError: A factor outside of (-1, 1], an unknown mode or data_format.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomZoom
        >>> zoom = RandomZoom(0, (-0.5, -0.5))
        >>> zoom(np.arange(5.0).reshape(1, 1, 5, 1), training=True).flatten().tolist()
        [1.0, 1.5, 2.0, 2.5, 3.0]
    """

    height_factor = Option(_zoom)
    width_factor = Option(_zoom_or_none)

    def __init__(
        self,
        height_factor: float | Sequence[float],
        width_factor: float | Sequence[float] | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(fill_mode, interpolation, seed, fill_value, data_format, **kwargs)
        self.height_factor = height_factor
        self.width_factor = width_factor

    @property
    def _ranges(self) -> tuple[tuple[float, float], tuple[float, float] | None]:
        height = _zoom_range(self, "height_factor", self.height_factor)
        if self.width_factor is None:
            return height, None
        return height, _zoom_range(self, "width_factor", self.width_factor)

    def _vary(self, images: Tensor) -> Tensor:
        height, width = self._ranges
        return self._affine(images, height_zoom=height, width_zoom=width)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images, (rows, columns) = self._images(data), self._ranges
        height = width = self._draw_each(images, rows, (1,), seed=seed)
        if columns is not None:
            width = self._draw_each(images, columns, (1,), seed=seed)
        return {"height_zoom": height, "width_zoom": width, "input_shape": images.shape}

    def affine_of(self, images: Tensor, transformation: dict[str, Any]) -> Tensor:
        """The transforms of the images, see `affine_rows`."""
        height, width = self._sizes(images)
        y, x = (ops.reshape(transformation[k], (-1,)) for k in ("height_zoom", "width_zoom"))
        down, right = (height - 1) / 2 * (1 - y), (width - 1) / 2 * (1 - x)
        return affine_rows(images, x, 0.0, right, 0.0, y, down)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "height_factor": self.height_factor,
            "width_factor": self.width_factor,
        }
