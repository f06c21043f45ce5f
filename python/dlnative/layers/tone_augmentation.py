"""Changes of the values of pixels by a curve; see random_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops
from ..hyperparameters import Number, Option
from ..random.seed_generator import Seed
from .geometry import standardize_sizes
from .image_layer import ImageLayer
from .options import positive_integer
from .random_image import (
    FactorLayer,
    RandomImageLayer,
    bounds,
    per_image,
    value_limits,
)

PIXELS = (0.0, 255.0)  # the range in which the curves are drawn


class AutoContrast(ImageLayer):
    """y = low + (high - low) (x - min) / (max - min), in training and inference alike

    min and max are those of a channel of the image; a channel of one value stays as it is.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        value_range: (low, high): the range of the values.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: `value_range` is not two different numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import AutoContrast
        >>> AutoContrast()(np.array([10, 20, 30], np.uint8).reshape(1, 3, 1)).flatten().tolist()
        [0.0, 127.5, 255.0]

    Differs from Keras: with "channels_first" it is still the channels that are stretched; Keras
    stretches columns.
    """

    value_range = Option(value_limits)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.value_range = value_range

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        x = self._rescaled(self._cast(images), self.value_range, PIXELS)
        axes = self._plane_axes(x)
        low, high = (f(x, axis=axes, keepdims=True) for f in (ops.min, ops.max))
        flat = low == high
        scale = 255.0 / ops.where(flat, 1.0, high - low)
        y = ops.clip(x * scale + -low * scale, *PIXELS)
        return self._rescaled(ops.where(flat, x, y), PIXELS, self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": self.value_range}


class Equalization(ImageLayer):
    """In training the values of each channel are spread so that all are about equally frequent.
    Otherwise: y = x.

    y = 255 (c(x) - c(min)) / (c(max) - c(min)), rounded, c(x) the number of pixels up to x. As in
    Keras the pixels of all images of a batch count together.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        value_range: (low, high): the range of the values, which are brought to [0, 255] and back.
        bins: How many values are told apart.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `bins` is not an integer.
        ValueError: `bins` below 1, or `value_range` is not two different numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Equalization
        >>> x = np.array([10, 11, 12, 13], np.uint8).reshape(1, 4, 1)
        >>> Equalization()(x, training=True).flatten().tolist()
        [0.0, 85.0, 170.0, 255.0]

    Reference: Gonzalez and Woods 2008, "Digital image processing", section 3.3.1.
    """

    value_range = Option(value_limits)
    bins = Option(positive_integer)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        bins: int = 256,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.value_range = value_range
        self.bins = bins

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        if not training:
            return images
        x = ops.moveaxis(self._cast(images), self._channel_axis(images), 0)
        planes = self._rescaled(x, self.value_range, PIXELS)
        y = self._rescaled(self._equalized(planes), PIXELS, self.value_range)
        return ops.moveaxis(y, 0, self._channel_axis(images))

    def _equalized(self, planes: Any) -> Any:
        """Planes (channels, ..) of values in [0, 255], each spread by itself."""
        channels, last = planes.shape[0], self.bins - 1
        counted = ops.cast(ops.clip(planes * last / 255.0, 0, last), "int32")
        counts = histograms(counted, self.bins, axes=1)
        below = ops.cumsum(counts, axis=-1)
        first = ops.min(ops.where(counts > 0, below, below[:, -1:]), axis=-1, keepdims=True)
        extent = below[:, -1:] - first
        curve = (below - first) * 255 / ops.where(extent == 0, 1, extent)
        curve = ops.cast(ops.clip(ops.round(curve), *PIXELS), planes.dtype)
        index = ops.cast(ops.clip(planes / 255.0 * last, 0, last), "int32")
        shape = (channels, *(1,) * (planes.ndim - 1))
        start = np.arange(channels, dtype="int32").reshape(shape) * self.bins
        y = ops.take(ops.reshape(curve, (-1,)), index + start)
        return ops.where(ops.reshape(extent == 0, shape), planes, y)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value_range": self.value_range, "bins": self.bins}


def histograms(values: Any, bins: int, axes: int) -> Any:
    """How often each of `bins` values occurs in each group.

    Args:
        values: Integers of [0, bins), of shape (*groups, ..).
        bins: How many values there are.
        axes: How many axes number the groups.

    Returns:
        int32 counts, (groups, bins).
    """
    groups = int(np.prod(values.shape[:axes]))
    rows = ops.reshape(values, (groups, -1))
    ids = rows + np.arange(groups, dtype="int32")[:, None] * bins
    ids = ops.reshape(ids, (-1,))
    counts = ops.segment_sum(ops.ones_like(ids), ids, num_segments=groups * bins)
    return ops.reshape(counts, (groups, bins))


def _grid(layer: Any, argument: str, value: Any) -> tuple[int, int]:
    rows, columns = standardize_sizes(layer, argument, value, 2)
    return rows, columns


class ContrastLimitedAdaptiveHistogramEqualization(ImageLayer):
    """Each pixel by the equalizing curves of the four tiles around it, in training and inference.

    The image is cut into tiles. The histogram of a channel in a tile is clipped at a limit, what is
    cut off is shared out among all values, and its sums are a curve from [0, 255] to [0, 255].
    Between the middles of tiles the values of the curves are interpolated.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out, in the
    dtype of the images.

    Args:
        value_range: (low, high): the range of the values, which are brought to [0, 255] and back.
        clip_limit: The limit, as a multiple of the mean of a histogram; 0 or less for none.
        tile_grid_size: (rows, columns) of tiles; images that they do not divide are mirrored at
            their lower and right edges.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `clip_limit` is not a number, `tile_grid_size` not two integers.
        ValueError: A size below 1, or `value_range` is not two different numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative import layers
        >>> clahe = layers.ContrastLimitedAdaptiveHistogramEqualization(tile_grid_size=(1, 1))
        >>> clahe(np.array([100, 101, 102, 103], np.uint8).reshape(2, 2, 1)).flatten().tolist()
        [97, 102, 107, 112]

    Reference: Zuiderveld 1994, "Contrast limited adaptive histogram equalization".
    """

    value_range = Option(value_limits)
    clip_limit = Number()
    tile_grid_size = Option(_grid)

    def __init__(
        self,
        value_range: Sequence[float] = (0, 255),
        clip_limit: float = 4.0,
        tile_grid_size: Sequence[int] = (8, 8),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(data_format, **kwargs)
        self.value_range = value_range
        self.clip_limit = clip_limit
        self.tile_grid_size = tile_grid_size

    def transform_images(
        self, images: Any, transformation: Any = None, training: bool = True
    ) -> Any:
        dtype = images.dtype
        x = self._last(self._cast(images))
        y = self._equalized(self._rescaled(x, self.value_range, PIXELS))
        return self._as_given(ops.cast(self._rescaled(y, PIXELS, self.value_range), dtype))

    def _equalized(self, images: Any) -> Any:
        """Images (batch, height, width, channels) of values in [0, 255]."""
        batch, height, width, channels = images.shape
        rows, columns = self.tile_grid_size
        tall, wide = -(-height // rows), -(-width // columns)
        padding = [(0, 0), (0, tall * rows - height), (0, wide * columns - width), (0, 0)]
        pixels = ops.cast(ops.clip(images, *PIXELS), "int32")
        tiles = ops.pad(pixels, padding, "symmetric")
        tiles = ops.reshape(tiles, (batch, rows, tall, columns, wide, channels))
        tiles = ops.transpose(tiles, (0, 1, 3, 5, 2, 4))
        curves = self._curves(histograms(tiles, 256, axes=4), tall * wide)

        def between(number: int, size: int, count: int) -> tuple[np.ndarray, np.ndarray, Any]:
            """The tiles before and after each pixel of an axis, and the share of the second."""
            place = (np.arange(number, dtype="float32") - size / 2) / size + 1
            before = np.floor(place)
            near = (np.clip(before - i, 0, count - 1).astype("int32") for i in (1, 0))
            return *near, (place - before).astype(images.dtype)

        # Curves lie one behind the other: images, rows and columns of tiles, channels.
        step = 256 * channels
        number = np.arange(batch, dtype="int32").reshape(-1, 1, 1, 1)
        place = pixels + np.arange(channels, dtype="int32") * 256 + number * (rows * columns * step)
        top, bottom, down = (v.reshape(-1, 1, 1) for v in between(height, tall, rows))
        left, right, across = (v.reshape(-1, 1) for v in between(width, wide, columns))

        def curve(row: np.ndarray, column: np.ndarray) -> Any:
            return ops.take(curves, place + row * (columns * step) + column * step)

        upper = curve(top, left) * (1 - across) + curve(top, right) * across
        lower = curve(bottom, left) * (1 - across) + curve(bottom, right) * across
        return upper * (1 - down) + lower * down

    def _curves(self, counts: Any, area: int) -> Any:
        """What the values of each tile become, flat; counts are (tiles, 256)."""
        counts = self._cast(counts)
        if self.clip_limit > 0:
            clipped = ops.minimum(counts, self.clip_limit * area / 256)
            excess = ops.sum(counts - clipped, axis=-1, keepdims=True)
            counts = clipped + excess / 256
        below = ops.cumsum(counts, axis=-1)
        first = below[:, :1]
        extent = area - first
        curves = (below - first) * 255 / ops.where(extent == 0, 1, extent)
        return ops.reshape(ops.clip(curves, *PIXELS), (-1,))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "clip_limit": self.clip_limit,
            "tile_grid_size": self.tile_grid_size,
        }


class RandomPosterization(FactorLayer):
    """In training each value of [0, 255] keeps its b highest of 8 bits, one b for each image.
    Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: (lower, upper): b is one of lower, .., upper - 1, or lower where both are equal;
            numbers in [1, 8]. A number f stands for (1, f).
        value_range: (low, high): the range of the values, which are brought to [0, 255] and back.
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no integer or two in [1, 8], or `value_range` is not two different
            numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomPosterization
        >>> x = np.array([0, 100, 200], np.uint8).reshape(1, 3, 1)
        >>> RandomPosterization((1, 1))(x, training=True).flatten().tolist()
        [0.0, 0.0, 128.0]
    """

    _casts_untrained = False
    factor = Option(bounds(1, 8, integers=True))
    value_range = Option(value_limits)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        drawn = ops.floor(self._draw_each(self._images(data), self.factor, seed=seed))
        return {"shift_factor": ops.cast(8 - drawn, "uint8")}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        shift = per_image(transformation["shift_factor"])
        x = ops.cast(self._rescaled(images, self.value_range, PIXELS), "uint8")
        y = ops.left_shift(ops.right_shift(x, shift), shift)
        return self._rescaled(self._cast(y), PIXELS, self.value_range)


class Solarization(RandomImageLayer):
    """In training: y = s where s < t, else 255 - s; s = clip(x + a, 0, 255). Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        addition_factor: Range of a / 255, one a for each image: two numbers in [0, 1]; f stands for
            (0, f).
        threshold_factor: Range of t / 255, likewise.
        value_range: (low, high): the range of the values, which are brought to [0, 255] and back.
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`, `data_format`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: A factor is no number or two in [0, 1], or `value_range` is not two different
            numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Solarization
        >>> x = np.array([0, 100, 200], np.uint8).reshape(1, 3, 1)
        >>> Solarization(threshold_factor=(0.5, 0.5))(x, training=True).flatten().tolist()
        [0.0, 100.0, 55.0]

    Differs from Keras: both numbers of a range are shares of 255; Keras takes the lower one as it
    is, so that (0.5, 0.5) is drawn from [0.5, 127.5].
    """

    addition_factor = Option(bounds(0, 1))
    threshold_factor = Option(bounds(0, 1))
    value_range = Option(value_limits)

    def __init__(
        self,
        addition_factor: float | Sequence[float] = 0.0,
        threshold_factor: float | Sequence[float] = 0.0,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.addition_factor = addition_factor
        self.threshold_factor = threshold_factor
        self.value_range = value_range

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        ranges = {"additions": self.addition_factor, "thresholds": self.threshold_factor}
        return {
            name: per_image(255 * self._draw_each(images, factor, seed=seed))
            for name, factor in ranges.items()
        }

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        x = self._rescaled(images, self.value_range, PIXELS)
        x = ops.clip(x + transformation["additions"], *PIXELS)
        y = ops.where(x < transformation["thresholds"], x, 255 - x)
        return self._rescaled(y, PIXELS, self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "value_range": self.value_range,
            "addition_factor": self.addition_factor,
            "threshold_factor": self.threshold_factor,
        }
