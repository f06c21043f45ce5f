"""How images lie in tensors: which axes are rows, columns and channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import config
from ...graph.dtypes import FLOATS
from ...graph.tensor import Tensor, ValueTensor, apply
from ...graph.types import TensorLike
from ..public import as_tensor


def channels_first(op: str, data_format: str | None) -> bool:
    """Whether the channels come before the rows; None is `config.image_data_format()`."""
    if data_format is None:
        data_format = config.image_data_format()
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            f"{op}: expected data_format 'channels_last' or 'channels_first', received "
            f"{data_format!r}"
        )
    return data_format == "channels_first"


def one_of(op: str, name: str, value: Any, known: tuple[Any, ...]) -> Any:
    """`value`, which must be one of those that are known."""
    if isinstance(value, bool) or value not in known:
        listed = ", ".join(map(repr, known))
        raise ValueError(f"{op}: expected {name} to be one of {listed}, received {value!r}")
    return value


def images_of(op: str, images: TensorLike, name: str = "images") -> Tensor:
    """One image or a batch of images, as a tensor."""
    images = as_tensor(images, name=op)
    if images.ndim not in (3, 4):
        raise ValueError(
            f"{op}: expected {name} of rank 3 (one image) or 4 (a batch), received shape "
            f"{images.shape}"
        )
    return images


def floats_of(op: str, images: TensorLike, name: str = "images") -> Tensor:
    """The same, which must be floats."""
    images = images_of(op, images, name)
    if images.dtype not in FLOATS:
        raise TypeError(f"{op}: expected {name} of a float dtype, received {images.dtype}")
    return images


def plane_axes(images: Tensor, first: bool) -> tuple[int, int]:
    """The axes of rows and columns."""
    return (images.ndim - 2, images.ndim - 1) if first else (images.ndim - 3, images.ndim - 2)


def channel_axis(images: Tensor, first: bool) -> int:
    """The axis of the channels."""
    return images.ndim - 3 if first else images.ndim - 1


def batch_last(images: Tensor, first: bool) -> Tensor:
    """(batch, height, width, channels) of images in any layout."""
    if images.ndim == 3:
        images = apply("reshape", images, shape=(1, *images.shape))
    return apply("transpose", images, axes=(0, 2, 3, 1)) if first else images


def like_given(y: Tensor, images: Tensor, first: bool) -> Tensor:
    """What `batch_last` has made of `images` in their layout again."""
    if first:
        y = apply("transpose", y, axes=(0, 3, 1, 2))
    return y if images.ndim == 4 else apply("reshape", y, shape=y.shape[1:])


def contract(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """y[.., j, ..] = sum over i of x[.., i, ..] matrix[i, j], along one axis."""
    if axis == x.ndim - 1:
        return apply("matmul", x, matrix)
    before = int(np.prod(x.shape[:axis]))
    after = int(np.prod(x.shape[axis + 1 :]))
    y = apply("reshape", x, shape=(before, x.shape[axis], after))
    y = apply("matmul", matrix, y, transpose_a=True)
    return apply("reshape", y, shape=(*x.shape[:axis], matrix.shape[1], *x.shape[axis + 1 :]))


def places(n: int, dtype: str, *shape: int) -> ValueTensor:
    """0, 1, ..., n - 1, in a shape in which all sizes but one are 1."""
    return ValueTensor(np.arange(n).reshape(shape or (n,)), dtype)
