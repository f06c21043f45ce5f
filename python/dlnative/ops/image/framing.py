"""keras.ops.image: pixels cut away from images and put around them."""

from __future__ import annotations

from typing import Any

from ...graph.tensor import Tensor, apply
from ...graph.types import TensorLike
from .. import arguments
from ..public import named
from .layout import channels_first, images_of, plane_axes


def _given(
    op: str, names: tuple[str, ...], before: int | None, after: int | None, target: int | None
) -> list[int | None]:
    """The three numbers of an axis as ints, of which exactly one is None."""
    values = (before, after, target)
    if values.count(None) != 1:
        received = ", ".join(f"{name}={value!r}" for name, value in zip(names, values))
        raise ValueError(f"{op}: expected exactly two of {', '.join(names)}, received {received}")
    return [
        None if value is None else arguments.at_least(op, name, value, 0)
        for name, value in zip(names, values)
    ]


def _solved(
    op: str, names: tuple[str, ...], known: list[Any], n: int, sign: int
) -> tuple[int, int, int]:
    """(before, after, target) with target = n + sign (before + after).

    Raises:
        ValueError: The one that was not given would be negative.
    """
    before, after, target = known
    if target is None:
        target = n + sign * (before + after)
    elif before is None:
        before = sign * (target - n) - after
    else:
        after = sign * (target - n) - before
    for name, value in zip(names, (before, after, target)):
        if value < 0:
            raise ValueError(f"{op}: {name} would be {value} for images with {n} pixels there")
    return before, after, target


@named("image.pad_images")
def pad_images(
    images: TensorLike,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """y = the images with zeros around them.

    Args:
        images: An image or a batch.
        top_padding, bottom_padding, target_height: Rows of zeros above and below the images, and
            the number of all rows: two of the three.
        left_padding, right_padding, target_width: The same for columns.
        data_format: "channels_last" by default, or "channels_first".
    """
    op = "image.pad_images"
    first = channels_first(op, data_format)
    images = images_of(op, images)
    low, high = [0] * images.ndim, [0] * images.ndim
    sides = (
        (("top_padding", "bottom_padding", "target_height"), top_padding, bottom_padding),
        (("left_padding", "right_padding", "target_width"), left_padding, right_padding),
    )
    for axis, target, (names, before, after) in zip(
        plane_axes(images, first), (target_height, target_width), sides
    ):
        known = _given(op, names, before, after, target)
        low[axis], high[axis], _ = _solved(op, names, known, images.shape[axis], 1)
    return apply("pad", images, low=low, high=high, value=0)


@named("image.crop_images")
def crop_images(
    images: TensorLike,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """y = the images without pixels at their sides.

    Args:
        images: An image or a batch.
        top_cropping, bottom_cropping, target_height: Rows that are left out above and below, and
            the number of rows that stay: two of the three.
        left_cropping, right_cropping, target_width: The same for columns.
        data_format: "channels_last" by default, or "channels_first".

    Differs from Keras: a part that reaches beyond the image raises; with JAX it is moved into it.
    """
    op = "image.crop_images"
    first = channels_first(op, data_format)
    images = images_of(op, images)
    sides = (
        (("top_cropping", "bottom_cropping", "target_height"), top_cropping, bottom_cropping),
        (("left_cropping", "right_cropping", "target_width"), left_cropping, right_cropping),
    )
    for axis, target, (names, before, after) in zip(
        plane_axes(images, first), (target_height, target_width), sides
    ):
        known = _given(op, names, before, after, target)
        start, _, size = _solved(op, names, known, images.shape[axis], -1)
        images = apply("slice", images, axis=axis, start=start, stop=start + size)
    return images
