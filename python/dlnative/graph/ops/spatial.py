"""Padding, cropping and resizing of images (batch, height, width, channels)."""

from __future__ import annotations

from collections.abc import Sequence

from ..table import Op, link, register, table
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Padding, Shape, Size
from ..window import check_sizes

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")


class SpatialOp(Op):
    """What the ops on images (batch, height, width, channels) share; sizes may be open."""

    open_shapes = True

    def check_image(self, shape: Shape) -> None:
        """ValueError unless it is the shape of images."""
        if len(shape) != 4:
            raise ValueError(
                f"{self.name}: expected images of shape (batch, height, width, channels), received "
                f"{tuple(shape)}"
            )


def _larger(size: Size, by: int) -> Size:
    return None if size is None else size + by


@register
class ZeroPad2D(SpatialOp):
    """Zeros around images: `padding` = (top, bottom, left, right) rows and columns of them."""

    name = "zero_pad2d"

    def infer(self, x: Tensor, padding: Padding) -> Spec:
        self.check_image(x.shape)
        top, bottom, left, right = check_sizes(self.name, "padding", padding, 4, least=0)
        batch, height, width, channels = x.shape
        sizes = _larger(height, top + bottom), _larger(width, left + right)
        return Spec((batch, *sizes, channels), x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("crop2d", dy, cropping=node.attributes["padding"]),)

    def flops(self, node: Node) -> int:
        return 0


@register
class Crop2D(SpatialOp):
    """Images without their outer rows and columns: `cropping` = (top, bottom, left, right)."""

    name = "crop2d"

    def infer(self, x: Tensor, cropping: Sequence[int]) -> Spec:
        self.check_image(x.shape)
        top, bottom, left, right = check_sizes(self.name, "cropping", cropping, 4, least=0)
        batch, height, width, channels = x.shape
        kept = _larger(height, -top - bottom), _larger(width, -left - right)
        if any(n is not None and n < 1 for n in kept):
            raise ValueError(
                f"{self.name}: cropping {tuple(cropping)} (top, bottom, left, right) leaves "
                f"nothing of images of shape {tuple(x.shape)}. Crop less, or use larger images."
            )
        return Spec((batch, *kept, channels), x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("zero_pad2d", dy, padding=node.attributes["cropping"]),)

    def flops(self, node: Node) -> int:
        return 0


class Upsample(SpatialOp):
    """What enlarging and its gradient share."""

    def out_shape(self, shape: Shape, size: Sequence[int], interpolation: str) -> Shape:
        """Shape of y for x of `shape`."""
        self.check_image(shape)
        size = check_sizes(self.name, "size", size, 2)
        if interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"{self.name}: expected interpolation to be one of {INTERPOLATIONS}, received "
                f"{interpolation!r}"
            )
        batch, height, width, channels = shape
        sizes = (None if n is None else n * s for n, s in zip((height, width), size))
        return batch, *sizes, channels

    def flops(self, node: Node) -> int:
        taps = {"nearest": 0, "bilinear": 2, "bicubic": 4, "lanczos3": 6, "lanczos5": 10}
        large = max(node.inputs[0].size, node.outputs[0].size)
        return large * 4 * taps[node.attributes.get("interpolation", "nearest")]


@register
class Upsample2D(Upsample):
    """Images `size` = (rows, columns) times as large, by an interpolation."""

    name = "upsample2d"

    def infer(
        self, x: Tensor, size: Sequence[int] = (2, 2), interpolation: str = "nearest"
    ) -> Spec:
        return Spec(self.out_shape(x.shape, size, interpolation), x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        shape = node.inputs[0].shape
        return (apply("upsample2d_backward", dy, input_shape=shape, **node.attributes),)


@register
class Upsample2DBackward(Upsample):
    """The adjoint of upsample2d: dx[i] = sum over o of dy[o] * (weight of x[i] in y[o])."""

    name = "upsample2d_backward"

    def infer(
        self,
        dy: Tensor,
        input_shape: Shape,
        size: Sequence[int] = (2, 2),
        interpolation: str = "nearest",
    ) -> Spec:
        expected = self.out_shape(input_shape, size, interpolation)
        if dy.shape != expected:
            raise ValueError(
                f"{self.name}: expected dy of shape {expected} for an input of shape "
                f"{tuple(input_shape)}, received {dy.shape}"
            )
        return Spec(input_shape, dy.dtype)


link(table["upsample2d"], table["upsample2d_backward"])
