"""Images with boxes of noise, and of each other, in training only; see random_image.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import ops, random
from ..hyperparameters import Number, Option
from ..random.seed_generator import Seed
from ..utils.numbers import is_number
from . import messages
from .random_image import FactorLayer, RandomImageLayer, bounds, per_image


class BoxLayer(RandomImageLayer):
    """Base of the layers that change a box of each image."""

    def _draw_span(self, images: Any, axis: int, share: Any, seed: Seed) -> tuple[Any, Any]:
        """First and last place of a part of an axis, `share` of it: (batch,) each."""
        length = images.shape[axis]
        part = share * length
        start = self._draw_each(images, seed=seed) * (length - part)
        return start, start + part

    def _draw_boxes(self, images: Any, tall: Any, wide: Any, seed: Seed) -> tuple[Any, Any]:
        """Which values of the images lie in boxes, and the sizes (batch,) of these, in pixels.

        Args:
            images: Images, with or without a batch axis.
            tall, wide: The shares of height and width of the boxes, (batch,).
            seed: See `_draw_each`.
        """
        row, column = self._plane_axes(images)
        left, right = self._draw_span(images, column, wide, seed)
        top, bottom = self._draw_span(images, row, tall, seed)

        def within(axis: int, first: Any, last: Any) -> Any:
            shape = [1, 1, 1, 1]
            shape[axis - images.ndim] = -1
            place = np.arange(images.shape[axis], dtype=self.compute_dtype).reshape(shape)
            return ops.logical_and(place >= per_image(first), place < per_image(last))

        mask = ops.logical_and(within(column, left, right), within(row, top, bottom))
        shape = (left.shape[0], *images.shape[-3:])
        return ops.broadcast_to(mask, shape), (right - left) * (bottom - top)


def _fill_value(layer: Any, argument: str, value: Any) -> Any:
    """A check for `Option`: None, a number or three; ValueError for anything else, as in Keras."""
    if value is None or is_number(value):
        return value
    if not isinstance(value, (tuple, list)) or len(value) != 3 or not all(map(is_number, value)):
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be None, a number or three "
            f"numbers, received {value!r}"
        )
    return tuple(value)


class RandomErasing(FactorLayer, BoxLayer):
    """In training a box of each image is filled, with a probability. Otherwise: y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out.

    Args:
        factor: The probability for each image, in [0, 1], or two numbers between which it is drawn;
            a number f stands for (0, f), so that half of f is drawn on average, as in Keras.
        scale: Range of the squares of the box's height and width, as shares of those of the image:
            two numbers in [0, 1]. A number s stands for (0, s).
        fill_value: A number or one for each of 3 channels, clipped to the range of the values; None
            for noise, normal numbers times the highest value.
        value_range: (low, high): the range of the values.
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` or `scale` is no number or two in [0, 1], `fill_value` neither None nor
            one number or three, or `value_range` is not two numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RandomErasing
        >>> erase = RandomErasing((1.0, 1.0), scale=(0.25, 0.25), fill_value=0)
        >>> float(erase(np.ones((8, 8, 1)), training=True).sum())
        48.0

    Reference: Zhong et al. 2020, "Random erasing data augmentation".
    """

    scale = Option(bounds(0, 1))
    fill_value = Option(_fill_value)

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        scale: float | Sequence[float] = (0.02, 0.33),
        fill_value: float | Sequence[float] | None = None,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(factor, value_range, data_format, seed, **kwargs)
        self.scale = scale
        self.fill_value = fill_value

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        shares = ops.sqrt(self._draw_each(images, self.scale, shape=(2,), seed=seed))
        mask, _ = self._draw_boxes(images, shares[:, 1], shares[:, 0], seed)
        return {
            "apply_erasing": self._draw_chance(images, self.factor, seed),
            "batch_masks": mask,
            "fill_value": ops.clip(self._filling(images, seed), *self.value_range),
        }

    def _filling(self, images: Any, seed: Seed) -> Any:
        if self.fill_value is None:
            noise = random.normal(images.shape, dtype=self.compute_dtype, seed=self._seed(seed))
            return noise * self.value_range[1]
        values = np.array(self.fill_value, self.compute_dtype)
        if values.ndim and self._is_first:
            values = values.reshape(3, 1, 1)
        if values.ndim and images.shape[self._channel_axis(images)] != 3:
            raise ValueError(
                f"{messages.describe(self)}: fill_value {self.fill_value} is for images of 3 "
                f"channels, received shape {messages.format_shape(images.shape)}"
            )
        return values

    def _transformed(self, images: Any, transformation: Any) -> Any:
        erased = ops.where(transformation["batch_masks"], transformation["fill_value"], images)
        return ops.where(per_image(transformation["apply_erasing"]), erased, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "fill_value": self.fill_value}


class MixingLayer(RandomImageLayer):
    """Base of the layers that mix each image of a batch, and its label, with another one."""

    def transform_labels(self, labels: Any, transformation: Any, training: bool = True) -> Any:
        """y = w labels + (1 - w) those of the other images"""
        if not training or transformation is None:
            return labels
        if labels.ndim < 2:
            raise ValueError(
                f"{messages.describe(self)}: expected labels of shape (batch, classes), as of "
                f"one_hot, received shape {messages.format_shape(labels.shape)}: class numbers "
                "cannot be mixed"
            )
        weight = self._cast(transformation["mix_weight"])
        weight = ops.reshape(weight, (-1, *(1,) * (labels.ndim - 1)))
        others = ops.take(labels, transformation["permutation_order"], axis=0)
        return weight * labels + (1 - weight) * others

    def _draw_order(self, images: Any, seed: Seed) -> Any:
        """The number of the other image for each one."""
        batch = images.shape[0] if images.ndim == 4 else 1
        return random.shuffle(np.arange(batch, dtype="int32"), seed=self._seed(seed))


class MixUp(MixingLayer):
    """In training: y = w x + (1 - w) x', x' another image of the batch; labels likewise. Otherwise:
    y = x.

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out; labels
    (batch, classes).

    Args:
        alpha: w is drawn for each image from the beta distribution of (alpha, alpha).
        data_format: None or "channels_last", or "channels_first".
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `alpha` is not a number, `seed` not an integer.
        ValueError: `alpha` is not above 0, or labels are numbers of classes.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import MixUp
        >>> data = {"images": np.zeros((4, 8, 8, 3)), "labels": np.eye(4)}
        >>> MixUp(seed=1)(data, training=True)["labels"].sum(axis=1).tolist()
        [1.0, 1.0, 1.0, 1.0]

    Differs from Keras: labels of shape (batch,) are refused; Keras makes a square of them.

    Reference: Zhang et al. 2018, "mixup: beyond empirical risk minimization".
    """

    _casts_untrained = False
    alpha = Number(0.0, above=True)

    def __init__(
        self,
        alpha: float = 0.2,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.alpha = alpha

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any]:
        images = self._images(data)
        batch = images.shape[0] if images.ndim == 4 else 1
        weight = random.beta(
            (batch,), self.alpha, self.alpha, self.compute_dtype, seed=self._seed(seed)
        )
        return {"mix_weight": weight, "permutation_order": self._draw_order(images, seed)}

    def _transformed(self, images: Any, transformation: Any) -> Any:
        weight = per_image(self._cast(transformation["mix_weight"]))
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return weight * images + (1 - weight) * others

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class CutMix(MixingLayer, BoxLayer):
    """In training a box of each image is that of another image of the batch, and its label is mixed
    with the other one by the areas. Otherwise, and for one image without a batch: y = x.

    The area has the share 1 - w, w of the beta distribution of (a, a).

    Shapes: (batch, height, width, channels) or (height, width, channels), the same out; labels
    (batch, classes).

    Args:
        factor: Range of a, two numbers in [0, 1], drawn for a batch; a number f stands for (0, f).
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `seed` is not an integer.
        ValueError: `factor` is no number or two in [0, 1], or labels are numbers of classes.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import CutMix
        >>> data = {"images": np.zeros((4, 8, 8, 3)), "labels": np.eye(4)}
        >>> CutMix(seed=1)(data, training=True)["labels"].sum(axis=1).round(6).tolist()
        [1.0, 1.0, 1.0, 1.0]

    Differs from Keras: labels of shape (batch,) are refused; Keras makes a square of them.

    Reference: Yun et al. 2019, "CutMix: regularization strategy to train strong classifiers with
    localizable features".
    """

    factor = Option(bounds(0, 1))

    def __init__(
        self,
        factor: float | Sequence[float] = 1.0,
        seed: int | None = None,
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor

    def _random_transformation(self, data: Any, seed: Seed) -> dict[str, Any] | None:
        images = self._images(data)
        if images.ndim == 3:
            return None
        seeds, dtype = self._seed(seed), self.compute_dtype
        alpha = self._draw_batch((), self.factor, seed) + 1e-6
        share = ops.sqrt(1 - random.beta((images.shape[0],), alpha, alpha, dtype, seed=seeds))
        mask, area = self._draw_boxes(images, share, share, seed)
        height, width = self._sizes(images)
        return {
            "permutation_order": self._draw_order(images, seed),
            "batch_masks": mask,
            "mix_weight": per_image(1 - area / (height * width)),
        }

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        others = ops.take(images, transformation["permutation_order"], axis=0)
        return ops.where(transformation["batch_masks"], others, images)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}
