"""Random changes of images that keep their labels, in training only.

They run inside the training program. What happens to an image is a function of the layer's seed,
the number of the epoch and the number of the sample in the data set: it does not depend on the
batch size, on shuffling, or on threads, and a run that is continued with `initial_epoch` goes on
as if it had not stopped. `train_on_batch` and calls on arrays number the rows of their batch, and
each call counts as an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops
from ..graph import apply
from ..graph.ops.augmentation import FLIPS, PADDING_MODES
from ..hyperparameters import Option
from ..random.seed_generator import Seed
from ..utils.numbers import is_number
from . import messages
from .geometry import one_of, standardize_sizes
from .random_image import RandomImageLayer, factor_range, limits, per_image

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


class FusedImageLayer(RandomImageLayer):
    """Base of the layers of which a row of the op table draws and changes images at once.

    That row runs where nobody asks for the transformation; a class that overrides how it is drawn
    or applied is called as other layers are.
    """

    infers_by_sizes = False

    def _call_on(self, parts: dict[str, Any], data: Any, training: bool) -> dict[str, Any]:
        if not self._is_of_package:
            return super()._call_on(parts, data, training)
        images = parts["images"]
        self._check_rank(images)
        x = self._last(images if images.ndim == 4 else ops.expand_dims(images, 0))
        y = self._fused(x, training)
        if y is x:
            return {**parts, "images": images}
        y = self._as_given(y)
        return {**parts, "images": y if images.ndim == 4 else ops.squeeze(y, 0)}

    def _fused(self, images: Tensor, training: bool) -> Tensor:
        return self._vary(images) if training else images

    def _vary(self, images: Tensor) -> Tensor:
        raise NotImplementedError


def contrast_range(layer: Any, argument: str, value: Any) -> tuple[float, float]:
    """(lower, upper) below and above 1; one number c in [0, 1] stands for (c, c)."""
    pair = value
    if is_number(value):
        if not 0.0 <= value <= 1.0:
            raise ValueError(
                f"{messages.describe(layer)}: expected {argument} in [0, 1], received {value!r}"
            )
        pair = (value, value)
    lower, upper = factor_range(layer, argument, pair, ordered=False)
    if 1.0 - lower > 1.0 + upper:
        raise ValueError(
            f"{messages.describe(layer)}: {argument}={pair!r} leaves nothing between 1 - lower "
            f"and 1 + upper"
        )
    return lower, upper


def _size(least: int) -> Callable[[Any, str, Any], int]:
    def check(layer: Any, argument: str, value: Any) -> int:
        (size,) = standardize_sizes(layer, argument, value, 1, least)
        return size

    return check


class RandomFlip(FusedImageLayer):
    """In training each image is mirrored with probability 1/2. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        mode: "horizontal" (left to right), "vertical" (top to bottom), or
            "horizontal_and_vertical": one draw decides about both, a half turn, as in Keras; for
            independent flips use two layers.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: An unknown mode or data_format.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomFlip
        >>> x = np.arange(3.0).reshape(1, 1, 3, 1)
        >>> flip = RandomFlip("horizontal", seed=0)
        >>> sorted({tuple(flip(x, training=True).flatten().tolist()) for _ in range(20)})
        [(0.0, 1.0, 2.0), (2.0, 1.0, 0.0)]
    """

    mode = Option(one_of(*FLIPS))

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.mode = mode

    def _vary(self, images: Tensor) -> Tensor:
        return self._draw("random_flip", images, mode=self.mode)

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        flips = per_image(self._draw_each(images, seed=seed) <= 0.5)
        return {"flips": flips, "input_shape": images.shape}

    def _transformed(self, images: Tensor, transformation: dict[str, Any] | None) -> Tensor:
        if transformation is None:
            return images
        vertical, horizontal = self._plane_axes(images)
        axes = {"horizontal": (horizontal,), "vertical": (vertical,)}
        flipped = ops.flip(images, axis=axes.get(self.mode, (vertical, horizontal)))
        return ops.where(transformation["flips"], flipped, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}


class RandomCrop(FusedImageLayer):
    """In training a window of `height` x `width` at a random place of each image. Otherwise the
    largest window in the middle that has this aspect ratio, resized where its size differs.

    With padding=4 and the size of the images, this is the augmentation of He et al. for CIFAR:
    shifts by up to 4 pixels; outside of training it is then the identity.

    Shapes: (batch, height_in, width_in, channels) to (batch, height, width, channels), or the same
    without batch.

    Args:
        height: Rows of the window.
        width: Columns of the window.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        padding: Pixels added on each side before a window is drawn.
        padding_mode: "constant" for zeros, "reflect" for the image mirrored at its edge pixel.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` or a size is not an integer.
        ValueError: A size below 1, a padding below 0, an unknown padding mode or
            data_format.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomCrop
        >>> RandomCrop(24, 24)(np.zeros((2, 32, 32, 3)), training=True).shape
        (2, 24, 24, 3)

    Differs from Keras: each image has a place of its own, in Keras a batch has one place; `padding`
    is new; the window is taken in inference too, as Keras documents it. Images that are too small
    are resized in training also.

    Reference:
        He et al. 2016, "Deep residual learning for image recognition", section 4.2.
    """

    height = Option(_size(least=1))
    width = Option(_size(least=1))
    padding = Option(_size(least=0))
    padding_mode = Option(one_of(*PADDING_MODES))

    def __init__(
        self,
        height: int,
        width: int,
        seed: int | None = None,
        data_format: str | None = None,
        name: str | None = None,
        padding: int = 0,
        padding_mode: str = "constant",
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, name=name, **kwargs)
        self.height = height
        self.width = width
        self.padding = padding
        self.padding_mode = padding_mode

    def _fused(self, images: Tensor, training: bool) -> Tensor:
        rows, columns = images.shape[1:3]
        fits = rows + 2 * self.padding >= self.height and columns + 2 * self.padding >= self.width
        if training and fits:
            return self._draw(
                "random_crop",
                images,
                height=self.height,
                width=self.width,
                padding=(self.padding,) * 4,
                padding_mode=self.padding_mode,
            )
        top, left, height, width = self._middle(images)
        if (height, width) != (self.height, self.width):
            window = (top, left, height, width)
            return apply(
                "crop_resize2d", images, window=window, height=self.height, width=self.width
            )
        if (height, width) == (rows, columns):
            return images
        cropping = (top, rows - height - top, left, columns - width - left)
        return apply("crop2d", images, cropping=cropping)

    def _middle(self, images: Any) -> tuple[int, int, int, int]:
        """The window of the target's aspect ratio, in whole pixels as Keras counts them."""
        rows, columns = images.shape[1:3]
        height = max(min(rows, columns * self.height // self.width), 1)
        width = max(min(columns, rows * self.width // self.height), 1)
        return (rows - height) // 2, (columns - width) // 2, height, width

    def _random_transformation(self, data: Any, seed: Seed) -> tuple[Any, Any] | None:
        """The first row and the first column of each image's window; None where it does not fit."""
        images = self._images(data)
        room = [
            given + 2 * self.padding - wanted
            for given, wanted in zip(self._sizes(images), (self.height, self.width), strict=True)
        ]
        if min(room) < 0:
            return None
        top, left = (
            ops.cast(ops.floor(self._draw_each(images, (0.0, n + 1.0), seed=seed)), "int32")
            for n in room
        )
        return top, left

    def transform_images(self, images: Any, transformation: Any, training: bool = True) -> Any:
        x = self._last(self._cast(images))
        if training and transformation is not None:
            return self._as_given(self._window(x, *transformation))
        top, left, height, width = self._middle(x)
        y = x[:, top : top + height, left : left + width]
        if (height, width) != (self.height, self.width):
            y = ops.image.resize(y, (self.height, self.width), data_format="channels_last")
        return self._as_given(y)

    def _window(self, images: Any, top: Any, left: Any) -> Any:
        """The windows of padded images that begin at rows and columns, numbers or (batch,)."""
        sides = (self.padding, self.padding)
        x = ops.pad(images, [(0, 0), sides, sides, (0, 0)], self.padding_mode)
        batch, height, width, channels = x.shape
        rows = ops.reshape(top, (-1, 1, 1)) + np.arange(self.height).reshape(-1, 1)
        columns = ops.reshape(left, (-1, 1, 1)) + np.arange(self.width)
        index = (np.arange(batch).reshape(-1, 1, 1) * height + rows) * width + columns
        return ops.take(ops.reshape(x, (-1, channels)), index, axis=0)

    def get_config(self) -> dict[str, Any]:
        config = {**super().get_config(), "height": self.height, "width": self.width}
        if self.padding:  # Keras does not know these two
            config.update(padding=self.padding, padding_mode=self.padding_mode)
        return config


class RandomBrightness(FusedImageLayer):
    """In training: y = clip(x + d (high - low), low, high), one d for each image. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: Range of d, two numbers in [-1, 1]; f stands for (-f, f).
        value_range: (low, high): the range of the values.
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`, `data_format`.

    Raises:
        TypeError: `factor` is not a number or two, `seed` not an integer.
        ValueError: `factor` outside of [-1, 1], or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomBrightness
        >>> lighter = RandomBrightness((0.5, 0.5), value_range=(0, 1))
        >>> lighter(np.full((1, 1, 1), 0.25), training=True).item()
        0.75
    """

    _casts_untrained = False
    factor = Option(factor_range)
    value_range = Option(limits)

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor
        self.value_range = value_range

    def _vary(self, images: Tensor) -> Tensor:
        return self._draw(
            "random_brightness", images, factor=self.factor, value_range=self.value_range
        )

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        low, high = self.value_range
        delta = self._draw_each(self._images(data), self.factor, seed=seed)
        return {"rgb_delta": per_image(delta) * (high - low)}

    def _transformed(self, images: Tensor, transformation: dict[str, Any]) -> Tensor:
        return ops.clip(images + transformation["rgb_delta"], *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}


class RandomContrast(FusedImageLayer):
    """In training: y = clip((x - mean) f + mean, low, high), one f for each image, the mean that of
    a channel of the image. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: (lower, upper), two numbers up to 1: f is drawn from [1 - lower, 1 + upper]; one
            number c in [0, 1] stands for (c, c).
        value_range: (low, high): the range of the values.
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`, `data_format`.

    Raises:
        TypeError: `factor` is not a number or two, `seed` not an integer.
        ValueError: `factor` outside of [0, 1] or, as a pair, of [-1, 1] or empty; `value_range` is
            not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomContrast
        >>> flatter = RandomContrast((0.5, -0.5))
        >>> flatter(np.array([10.0, 30.0]).reshape(1, 2, 1), training=True).flatten().tolist()
        [15.0, 25.0]

    Differs from Keras: one number c means [1 - c, 1 + c], as Keras documents it; Keras 3 draws from
    [1, 1 + c]. A pair is not sorted.
    """

    _casts_untrained = False
    factor = Option(contrast_range)
    value_range = Option(limits)

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.factor = factor
        self.value_range = value_range

    @property
    def _multiples(self) -> tuple[float, float]:
        lower, upper = self.factor
        return 1.0 - lower, 1.0 + upper

    def _vary(self, images: Tensor) -> Tensor:
        return self._draw(
            "random_contrast", images, factor=self._multiples, value_range=self.value_range
        )

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        factor = self._draw_each(self._images(data), self._multiples, seed=seed)
        return {"contrast_factor": per_image(factor)}

    def _transformed(self, images: Tensor, transformation: dict[str, Any]) -> Tensor:
        mean = ops.mean(images, axis=self._plane_axes(images), keepdims=True)
        y = (images - mean) * transformation["contrast_factor"] + mean
        return ops.clip(y, *self.value_range)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}
