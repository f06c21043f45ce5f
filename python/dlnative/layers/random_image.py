"""The base of layers that change images at random: how they draw.

Such a layer draws a transformation (`get_random_transformation`) and applies it to images and to
their labels (`transform_images`, `transform_labels`), which users may call and override.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import ops, random
from ..graph.tensor import Tracing, apply, traced_graph
from ..hyperparameters import Option
from ..random.seed_generator import Seed
from ..utils.numbers import is_integer, is_number
from . import messages
from .image_layer import ImageLayer
from .seeded import SeededLayer

if TYPE_CHECKING:
    from ..graph.types import Shape


class RandomImageLayer(ImageLayer, SeededLayer):
    """Base of the random layers of images.

    Args:
        seed: An integer, or None for one from the global stream.
        data_format: None or "channels_last", or "channels_first".
        **kwargs: `name`, `dtype`.

    Subclasses give `get_random_transformation`, too. What happens to an image is a function of the
    layer's seed, the epoch and the number of the sample, as far as it is drawn with `_draw_each`.
    """

    def __init__(
        self, seed: int | None = None, data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(data_format, seed=seed, **kwargs)
        self._generator = random.SeedGenerator(self._drawn_seed, name="generator")

    @property
    def generator(self) -> random.SeedGenerator:
        """The seeds of what is drawn outside of programs, or for a batch as a whole."""
        with Tracing(None):
            seed = int(self._generator.state.numpy()[0]) % 2**64
            if seed != self._drawn_seed:  # the layer has been given another one
                self.__dict__["_generator"] = random.SeedGenerator(self._drawn_seed, "generator")
        return self._generator

    def _seed(self, seed: Seed) -> Seed:
        """The seed that was given, or the layer's own."""
        return self.generator if seed is None else seed

    def _draw_each(
        self,
        images: Any,
        span: tuple[float, float] = (0.0, 1.0),
        shape: Shape = (),
        seed: Seed = None,
    ) -> Any:
        """Uniform numbers of `span` for each image: shape (batch, *shape).

        In a program they follow from the number of the sample, unless a seed is given.
        """
        batch = images.shape[0] if images.ndim == 4 else 1
        graph = traced_graph()
        if graph is None or seed is not None:
            return self._draw_batch((batch, *shape), span, seed)
        zeros = graph.constant(np.zeros((batch, 1, 1, 1)), "float64")
        # The brightness of a black pixel in [0, 1] is a uniform number of the sample.
        unit = {"factor": (0.0, 1.0), "value_range": (0.0, 1.0)}
        count = int(np.prod(shape, dtype=int))
        numbers = [self._draw("random_brightness", zeros, **unit) for _ in range(count)]
        drawn = numbers[0] if count == 1 else apply("concatenate", *numbers, axis=3)
        drawn = ops.reshape(drawn, (batch, *shape))
        return ops.cast(drawn * (span[1] - span[0]) + span[0], self.compute_dtype)

    def _draw_batch(self, shape: Shape, span: tuple[float, float], seed: Seed) -> Any:
        """Uniform numbers of `span` that belong to no image: in a program they follow the step."""
        return random.uniform(
            shape, span[0], span[1], dtype=self.compute_dtype, seed=self._seed(seed)
        )

    def _draw_chance(self, images: Any, factor: tuple[float, float], seed: Seed) -> Any:
        """Whether each image is changed, with a probability drawn from `factor`: (batch,)."""
        probability = self._draw_each(images, factor, seed=seed)
        return self._draw_each(images, seed=seed) < probability


class AffineReading:
    """Mixin of the layers that move the pixels of each image by an affine transform of its own."""

    interpolation: Any
    fill_mode: Any
    fill_value: Any
    data_format: Any

    def affine_of(self, images: Any, transformation: Any) -> Any:
        """The transforms of the images, see `affine_rows`."""
        raise NotImplementedError

    def _transformed(self, images: Any, transformation: Any) -> Any:
        if transformation is None:
            return images
        return self.read(images, self.affine_of(images, transformation))

    def read(self, images: Any, transforms: Any) -> Any:
        """The images after transforms, see `affine_rows`."""
        return ops.image.affine_transform(
            images,
            transforms,
            interpolation=self.interpolation,
            fill_mode=self.fill_mode,
            fill_value=self.fill_value,
            data_format=self.data_format,
        )


def per_image(values: Any) -> Any:
    """Numbers of images, (batch,), in a shape that broadcasts to the images."""
    return ops.reshape(values, (-1, 1, 1, 1))


def affine_rows(images: Any, a0: Any, a1: Any, a2: Any, b0: Any, b1: Any, b2: Any) -> Any:
    """Transforms of `ops.image.affine_transform`, (batch, 8), of numbers (batch,) and constants."""
    batch = images.shape[0] if images.ndim == 4 else 1
    columns = [
        ops.full((batch,), v, "float32") if isinstance(v, (int, float)) else ops.reshape(v, (-1,))
        for v in (a0, a1, a2, b0, b1, b2, 0.0, 0.0)
    ]
    return ops.stack(columns, axis=1)


def factor_range(
    layer: Any, argument: str, value: Any, ordered: bool = True
) -> tuple[float, float]:
    """A factor as (lower, upper), each in [-1, 1]; one number f stands for (-|f|, |f|).

    Raises:
        TypeError: Neither a number nor two.
        ValueError: Not within [-1, 1].
    """
    single = is_number(value)
    values = (-abs(value), abs(value)) if single else value
    if not isinstance(values, (tuple, list)) or not all(is_number(v) for v in values):
        raise TypeError(
            f"{messages.describe(layer)}: expected {argument} to be a number or two numbers, "
            f"received {value!r}"
        )
    given = (value,) if single else values
    if len(values) != 2 or not all(-1.0 <= v <= 1.0 for v in given):
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be a number or two numbers in "
            f"[-1, 1], received {value!r}"
        )
    values = tuple(float(v) for v in values)
    lower, upper = sorted(values) if ordered else values
    return lower, upper


def bounds(
    low: float, high: float, integers: bool = False
) -> Callable[[Any, str, Any], tuple[float, float]]:
    """A check for `Option`: two numbers in [low, high] in order.

    One number f stands for (-|f|, |f|), as far as that is within the bounds. ValueError for
    anything else, as in Keras.
    """
    kind, is_one = ("integer", is_integer) if integers else ("number", is_number)

    def check(layer: Any, argument: str, value: Any) -> tuple[float, float]:
        values = value
        if is_one(value) and low <= value <= high:
            values = (max(-abs(value), low), abs(value))
        fits = isinstance(values, (tuple, list)) and len(values) == 2
        if not fits or not all(is_one(v) and low <= v <= high for v in values):
            raise ValueError(
                f"{messages.describe(layer)}: expected {argument} to be one {kind} or two in "
                f"[{low:g}, {high:g}], received {value!r}"
            )
        lower, upper = sorted(int(v) if integers else float(v) for v in values)
        return lower, upper

    return check


def limits(layer: Any, argument: str, value: Any) -> tuple[float, float]:
    """A check for `Option`: a range of values as two floats in order."""
    if (
        not isinstance(value, (tuple, list))
        or len(value) != 2
        or not all(is_number(v) for v in value)
    ):
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be two numbers, received {value!r}"
        )
    lower, upper = sorted(float(v) for v in value)
    return lower, upper


def value_limits(layer: Any, argument: str, value: Any) -> tuple[float, float]:
    """The same, two different numbers: pixels are divided by their difference."""
    lower, upper = limits(layer, argument, value)
    if lower == upper:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} to be two different numbers, "
            f"received {value!r}"
        )
    return lower, upper


def supported(*known: str) -> Callable[[Any, str, Any], str]:
    """A check for `Option`: one of the names `known`; else NotImplementedError, as in Keras."""

    def check(layer: Any, argument: str, value: Any) -> str:
        if value not in known:
            raise NotImplementedError(
                f"{messages.describe(layer)}: expected {argument} to be one of {known}, received "
                f"{value!r}"
            )
        return value

    return check


class FactorLayer(RandomImageLayer):
    """Base of the layers with a `factor` and a `value_range`."""

    factor = Option(bounds(0.0, 1.0))
    value_range = Option(limits)

    def __init__(
        self,
        factor: float | Sequence[float],
        value_range: Sequence[float] = (0, 255),
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, data_format, **kwargs)
        self.factor = factor
        self.value_range = value_range

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor, "value_range": self.value_range}
