"""Random changes of images that keep their labels, and the resized window of inference.

A random change is a function of (seed, op_id, epoch, number of the sample in the data set). Inside
a program the epoch and the numbers come from the step; the attributes `epoch` and `samples` name
them where an op is used alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..table import Op, register, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients

FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")
FILL_MODES = ("constant", "nearest", "reflect", "wrap")
INTERPOLATIONS = ("nearest", "bilinear")
PADDING_MODES = ("constant", "reflect")


def check_images(name: str, x: Tensor) -> None:
    """ValueError unless `x` is a batch of images of a known height and width."""
    if x.ndim != 4:
        raise ValueError(
            f"{name}: expected images of shape (batch, height, width, channels), received {x.shape}"
        )
    if None in x.shape[1:]:
        raise ValueError(f"{name}: expected a known height and width, received {x.shape}")


def _check_choice(name: str, argument: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name}: expected {argument} to be one of {known}, received {value!r}")


MAX_RANGE = 1e6
MAX_COORDINATE = 2.0**29  # pixels; coordinates have 64 bits, of which 32 count parts of a pixel


def _check_range(
    name: str,
    argument: str,
    values: Sequence[float],
    low: float = -MAX_RANGE,
    high: float = MAX_RANGE,
) -> None:
    if len(values) != 2 or not low <= values[0] <= values[1] <= high or values[0] == low == 0.0:
        between = f"above {low:g}" if low == 0.0 else f"between {low:g}"
        raise ValueError(
            f"{name}: expected {argument} to be two numbers in order {between} and up to {high:g}, "
            f"received {values}"
        )


def _check_reach(
    name: str, x: Tensor, shifts: Sequence[Sequence[float]], zooms: Sequence[Sequence[float]]
) -> None:
    """ValueError where a pixel would be read farther away than coordinates can say."""
    farthest = max(1.0, *(z[1] for z in zooms)) * sum(x.shape[1:3])
    farthest *= 1.0 + max(abs(limit) for shift in shifts for limit in shift)
    if farthest > MAX_COORDINATE:
        raise ValueError(
            f"{name}: shifts {shifts} and zooms {zooms} reach {farthest:g} pixels away in images "
            f"of shape {x.shape}, expected at most {MAX_COORDINATE:g}"
        )


class _PerSample(Op):
    per_sample = True

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        raise NotImplementedError(
            f"{self.name} has no gradient: it belongs in front of the first layer with weights"
        )


@register
class RandomFlip(_PerSample):
    """Each image is mirrored with probability 1/2, in one or both directions at once."""

    name = "random_flip"

    def infer(
        self,
        x: Tensor,
        mode: str = FLIPS[2],
        seed: int = 0,
        op_id: int = 0,
        epoch: int | None = None,
        samples: Sequence[int] | None = None,
    ) -> Spec:
        check_images(self.name, x)
        _check_choice(self.name, "mode", mode, FLIPS)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply(self.name, dy, **node.attributes),)

    def flops(self, node: Node) -> int:
        return 0


@register
class RandomCrop(_PerSample):
    """A window at a random place of each image, which may be padded first."""

    name = "random_crop"

    def infer(
        self,
        x: Tensor,
        height: int,
        width: int,
        padding: Sequence[int] = (0, 0, 0, 0),
        padding_mode: str = "constant",
        fill_value: float = 0.0,
        seed: int = 0,
        op_id: int = 0,
        epoch: int | None = None,
        samples: Sequence[int] | None = None,
    ) -> Spec:
        check_images(self.name, x)
        _check_choice(self.name, "padding_mode", padding_mode, PADDING_MODES)
        if len(padding) != 4 or min(padding) < 0:
            raise ValueError(
                f"random_crop: expected padding (top, bottom, left, right), received {padding}"
            )
        top, bottom, left, right = padding
        rows, columns = x.shape[1] + top + bottom, x.shape[2] + left + right
        if height < 1 or width < 1 or height > rows or width > columns:
            raise ValueError(
                f"random_crop: a window of {height} x {width} does not fit into {x.shape} with "
                f"padding {tuple(padding)}"
            )
        if padding_mode == "reflect" and (
            max(top, bottom) >= x.shape[1] or max(left, right) >= x.shape[2]
        ):
            raise ValueError(
                f"random_crop: a mirrored padding must be smaller than the image, received padding "
                f"{tuple(padding)} for {x.shape}"
            )
        return Spec((x.shape[0], height, width, x.shape[3]), x.dtype)

    def flops(self, node: Node) -> int:
        return 0


@register
class RandomAffine(_PerSample):
    """Each image is zoomed and rotated about its middle, then shifted."""

    name = "random_affine"

    def infer(
        self,
        x: Tensor,
        height_shift: Sequence[float] = (0.0, 0.0),
        width_shift: Sequence[float] = (0.0, 0.0),
        rotation: Sequence[float] = (0.0, 0.0),
        height_zoom: Sequence[float] = (1.0, 1.0),
        width_zoom: Sequence[float] | None = None,
        fill_mode: str = "reflect",
        fill_value: float = 0.0,
        interpolation: str = "bilinear",
        seed: int = 0,
        op_id: int = 0,
        epoch: int | None = None,
        samples: Sequence[int] | None = None,
    ) -> Spec:
        check_images(self.name, x)
        _check_range(self.name, "height_shift", height_shift)
        _check_range(self.name, "width_shift", width_shift)
        _check_range(self.name, "rotation", rotation)
        _check_range(self.name, "height_zoom", height_zoom, 0.0)
        if width_zoom is not None:
            _check_range(self.name, "width_zoom", width_zoom, 0.0)
        zooms = (height_zoom, height_zoom if width_zoom is None else width_zoom)
        _check_reach(self.name, x, (height_shift, width_shift), zooms)
        _check_choice(self.name, "fill_mode", fill_mode, FILL_MODES)
        _check_choice(self.name, "interpolation", interpolation, INTERPOLATIONS)
        return same(x)

    def flops(self, node: Node) -> int:
        nearest = node.attributes.get("interpolation") == "nearest"
        return 0 if nearest else 9 * node.outputs[0].size


class _ValueOp(_PerSample):
    inplace = {0: 0}

    def infer(
        self,
        x: Tensor,
        factor: Sequence[float],
        value_range: Sequence[float] = (0.0, 255.0),
        seed: int = 0,
        op_id: int = 0,
        epoch: int | None = None,
        samples: Sequence[int] | None = None,
    ) -> Spec:
        check_images(self.name, x)
        _check_range(self.name, "factor", factor)
        _check_range(self.name, "value_range", value_range, -math.inf, math.inf)
        return same(x)


@register
class RandomBrightness(_ValueOp):
    """y = clip(x + d (high - low), low, high); d is drawn from `factor` for each image."""

    name = "random_brightness"

    def flops(self, node: Node) -> int:
        return 3 * node.outputs[0].size


@register
class RandomContrast(_ValueOp):
    """y = clip((x - mean) f + mean, low, high); f is drawn from `factor` for each image."""

    name = "random_contrast"

    def flops(self, node: Node) -> int:
        return 6 * node.outputs[0].size


@register
class CropResize2D(Op):
    """The window (top, left, height, width) of each image as height x width pixels."""

    name = "crop_resize2d"

    def infer(self, x: Tensor, window: Sequence[int], height: int, width: int) -> Spec:
        check_images(self.name, x)
        top, left, rows, columns = window
        if (
            min(top, left) < 0
            or min(rows, columns, height, width) < 1
            or top + rows > x.shape[1]
            or left + columns > x.shape[2]
        ):
            raise ValueError(
                f"crop_resize2d: cannot make {height} x {width} pixels of the window "
                f"{tuple(window)} (top, left, height, width) of {x.shape}"
            )
        return Spec((x.shape[0], height, width, x.shape[3]), x.dtype)

    def flops(self, node: Node) -> int:
        return 9 * node.outputs[0].size
