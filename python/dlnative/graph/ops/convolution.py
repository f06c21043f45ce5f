"""Convolutions in one and two dimensions, their transposes, and the parts of their gradients.

Channels come last: images (batch, length, channels) or (batch, height, width, channels), kernels
(length, in / groups, out) or (height, width, in / groups, out). Kernels are not flipped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..table import Op, add, check_same_dtype
from ..tensor import Node, Spec, Tensor, apply
from ..types import Attributes, Gradients, Padding, Shape, Size, Specs
from ..window import AXES, slide, slide_transposed
from .activations import ACTIVATIONS, check_activation

# Attributes that say where the taps lie; every op of a family takes the same.
GEOMETRY = ("strides", "padding", "dilation_rate")


def geometry_of(attributes: Attributes, *more: str) -> Attributes:
    """Those attributes of a node that its backward ops need, too."""
    return {k: attributes[k] for k in (*GEOMETRY, *more) if k in attributes}


def check_rank(op: str, name: str, tensor: Tensor, rank: int) -> None:
    """ValueError unless `tensor` is a batch of images with channels."""
    if tensor.ndim != rank + 2:
        raise ValueError(
            f"{op}: expected '{name}' of shape (batch, {', '.join(AXES[rank])}, channels), "
            f"received {tensor.shape}"
        )


def check_kernel(op: str, kernel: Tensor, rank: int, channels: str) -> None:
    """ValueError unless `kernel` has the axes (..., *channels), whose names are for the message."""
    if kernel.ndim != rank + 2 or 0 in kernel.shape:
        taps = "kernel_length" if rank == 1 else "kernel_height, kernel_width"
        raise ValueError(
            f"{op}: expected a kernel of shape ({taps}, {channels}) without empty axes, received "
            f"{kernel.shape}"
        )


def check_groups(
    op: str, groups: int, channels_in: Size, channels_out: int, kernel_in: int | None = None
) -> None:
    """ValueError unless `groups` divide all channels, and the kernel has those of one group.

    Channels of the input that are open (None) are taken for those that the kernel has.
    """
    if channels_in is None and kernel_in is not None:
        channels_in = kernel_in * groups
    if channels_in % groups or channels_out % groups:
        kind, count = ("input", channels_in) if channels_in % groups else ("output", channels_out)
        raise ValueError(
            f"{op}: groups={groups} do not divide the {count} {kind} channels. Choose groups that "
            f"divide {channels_in} and {channels_out}."
        )
    if kernel_in is not None and kernel_in * groups != channels_in:
        of_groups = f" in {groups} groups" if groups > 1 else ""
        raise ValueError(
            f"{op}: expected input with {kernel_in * groups} channels to match the kernel's "
            f"{kernel_in}{of_groups}, received {channels_in} channels"
        )


def check_bias(op: str, bias: Tensor | None, channels: int) -> None:
    """ValueError unless there is no bias, or one number for each channel."""
    if bias is not None and bias.shape != (channels,):
        raise ValueError(f"{op}: expected a bias of shape ({channels},), received {bias.shape}")


def check_not_fused(node: Node) -> None:
    """NotImplementedError where the op has an activation, whose gradient nobody would take."""
    if node.attributes.get("activation") not in (None, "linear"):
        raise NotImplementedError(
            f"{node.op.name}: the gradient is taken before activations are fused"
        )


def check_image_shape(op: str, input_shape: Any, rank: int) -> None:
    """ValueError unless `input_shape` has a size for the batch, each spatial axis and channels."""
    if not isinstance(input_shape, (tuple, list)) or len(input_shape) != rank + 2:
        raise ValueError(
            f"{op}: expected input_shape (batch, {', '.join(AXES[rank])}, channels), received "
            f"{input_shape!r}"
        )


def check_cotangent(op: str, dy: Tensor, expected: Shape) -> None:
    """ValueError unless dy has the shape of the forward op's output; the batch may be open."""
    if dy.ndim != len(expected) or any(
        a is not None and b is not None and a != b for a, b in zip(dy.shape, expected)
    ):
        raise ValueError(f"{op}: expected dy of shape {expected}, received {dy.shape}")


def check_channels(op: str, x: Tensor, dy: Tensor) -> None:
    """ValueError unless there is a filter: a kernel without one belongs to no convolution."""
    if x.shape[-1] < 1 or dy.shape[-1] < 1:
        raise ValueError(
            f"{op}: expected x and dy with at least one channel, received {x.shape} and {dy.shape}"
        )


def epilogue_flops(node: Node) -> int:
    """Bias and activation, where the node has them."""
    size = node.outputs[0].size
    activation = node.attributes.get("activation")
    flops = size if len(node.inputs) > 2 and node.inputs[2] is not None else 0
    return flops + (ACTIVATIONS[activation].flops_per_element * size if activation else 0)


class Convolution(Op):
    """y[b, o, j] = sum over t, c of x[b, o s + t d - before, c] kernel[t, c, j] + bias[j].

    o and t stand for one index per spatial axis. With `groups`, input and output channels are cut
    into so many parts, and part g of the output sees part g of the input. With `activation`, y is
    its value; with `pre_activation`, the op has the sum as a second output, for activations whose
    gradient needs it.
    """

    residual = 7
    inplace = {0: residual}
    open_shapes = True
    epilogue = frozenset({"activation", "moments", "normalization"})

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.name = f"conv{rank}d"

    def infer(
        self,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
        groups: int = 1,
        activation: str | None = None,
        pre_activation: bool = False,
        **attributes: Any,
    ) -> Specs:
        check_same_dtype(self.name, x, kernel, bias)
        check_activation(self.name, activation, attributes)
        check_rank(self.name, "x", x, self.rank)
        check_kernel(self.name, kernel, self.rank, "channels_in / groups, channels_out")
        out = kernel.shape[-1]
        check_groups(self.name, groups, x.shape[-1], out, kernel.shape[-2])
        check_bias(self.name, bias, out)
        sizes, _ = slide(
            self.name,
            x.shape[1:-1],
            kernel.shape[:-2],
            (1,) * self.rank if strides is None else strides,
            padding,
            dilation_rate,
        )
        y = Spec((x.shape[0], *sizes, out), x.dtype)
        return (y, y) if pre_activation else y

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        check_not_fused(node)
        x, kernel = node.inputs[:2]
        geometry = geometry_of(node.attributes, "groups")
        return (
            apply(f"{self.name}_backward_input", dy, kernel, input_shape=x.shape, **geometry)
            if needs[0]
            else None,
            apply(f"{self.name}_backward_kernel", x, dy, kernel_size=kernel.shape[:-2], **geometry)
            if needs[1]
            else None,
            apply("bias_backward", dy) if len(needs) > 2 and needs[2] else None,
        )

    def flops(self, node: Node) -> int:
        taps = math.prod(node.inputs[1].shape[:-1])
        return 2 * node.outputs[0].size * taps + epilogue_flops(node)


class ConvolutionBackwardInput(Op):
    """dx[b, o s + t d - before, c] = sum over o, t, j of dy[b, o, j] kernel[t, c, j].

    The exact adjoint of the convolution. With `activation`, times its derivative at `saved`. The
    planner may give a fourth input, to which dx is added, in its place where it is not needed
    again.
    """

    residual = 3
    inplace = {0: residual}
    epilogue = frozenset({"activation_gradient"})

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.convolution = f"conv{rank}d"
        self.name = f"{self.convolution}_backward_input"

    def infer(
        self,
        dy: Tensor,
        kernel: Tensor,
        saved: Tensor | None = None,
        input_shape: Any = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
        groups: int = 1,
        activation: str | None = None,
        **attributes: Any,
    ) -> Spec:
        check_same_dtype(self.name, dy, kernel, saved)
        check_activation(self.name, activation, attributes)
        check_image_shape(self.name, input_shape, self.rank)
        check_kernel(self.name, kernel, self.rank, "channels_in / groups, channels_out")
        out = kernel.shape[-1]
        check_groups(self.name, groups, input_shape[-1], out, kernel.shape[-2])
        sizes, _ = slide(
            self.name,
            input_shape[1:-1],
            kernel.shape[:-2],
            (1,) * self.rank if strides is None else strides,
            padding,
            dilation_rate,
        )
        check_cotangent(self.name, dy, (input_shape[0], *sizes, out))
        if saved is not None:
            check_cotangent(f"{self.name} ('saved')", saved, tuple(input_shape))
        return Spec((dy.shape[0], *input_shape[1:]), dy.dtype)

    def gradient(self, node: Node, ddx: Tensor, needs: Sequence[bool]) -> Gradients:
        """dx is linear in dy and in the kernel: its gradients are the other two of the family."""
        check_not_fused(node)
        dy, kernel = node.inputs[:2]
        geometry = geometry_of(node.attributes, "groups")
        return (
            apply(self.convolution, ddx, kernel, **geometry) if needs[0] else None,
            apply(
                f"{self.convolution}_backward_kernel",
                ddx,
                dy,
                kernel_size=kernel.shape[:-2],
                **geometry,
            )
            if needs[1]
            else None,
            None,
        )[: len(needs)]

    def flops(self, node: Node) -> int:
        dy, kernel = node.inputs[:2]
        return 2 * dy.size * math.prod(kernel.shape[:-1])


class ConvolutionBackwardKernel(Op):
    """dkernel[t, c, j] = sum over b, o of x[b, o s + t d - before, c] dy[b, o, j].

    With `bias`, a second output: dbias, the sum of dy over all axes but the last.
    """

    epilogue = frozenset({"bias_gradient"})

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.convolution = f"conv{rank}d"
        self.name = f"{self.convolution}_backward_kernel"

    def infer(
        self,
        x: Tensor,
        dy: Tensor,
        kernel_size: Any = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
        groups: int = 1,
        bias: bool = False,
    ) -> Specs:
        check_same_dtype(self.name, x, dy)
        check_rank(self.name, "x", x, self.rank)
        check_rank(self.name, "dy", dy, self.rank)
        check_groups(self.name, groups, x.shape[-1], dy.shape[-1])
        check_channels(self.name, x, dy)
        sizes, _ = slide(
            self.name,
            x.shape[1:-1],
            kernel_size,
            (1,) * self.rank if strides is None else strides,
            padding,
            dilation_rate,
        )
        check_cotangent(self.name, dy, (x.shape[0], *sizes, dy.shape[-1]))
        dkernel = Spec((*kernel_size, x.shape[-1] // groups, dy.shape[-1]), x.dtype)
        return (dkernel, Spec((dy.shape[-1],), x.dtype)) if bias else dkernel

    def gradient(
        self, node: Node, ddkernel: Tensor, ddbias: Tensor | None = None, *, needs: Sequence[bool]
    ) -> Gradients:
        if ddbias is not None:
            raise NotImplementedError(f"{self.name}: the gradient is taken before sums are fused")
        x, dy = node.inputs
        geometry = geometry_of(node.attributes, "groups")
        return (
            apply(
                f"{self.convolution}_backward_input", dy, ddkernel, input_shape=x.shape, **geometry
            )
            if needs[0]
            else None,
            apply(self.convolution, x, ddkernel, **geometry) if needs[1] else None,
        )

    def flops(self, node: Node) -> int:
        dy = node.inputs[1]
        return 2 * dy.size * math.prod(node.outputs[0].shape[:-1])


class ConvolutionTranspose(Op):
    """y[b, i s + t d - before, j] = sum over i, t, c of x[b, i, c] kernel[t, j, c] + bias[j].

    The adjoint of a convolution from y's pixels to x's, whose kernel has y's channels as input.
    Sizes and `before` as in Keras 3: see `graph/window.py`. Explicit padding crops the result.
    `activation` and `pre_activation` as in the convolution.
    """

    epilogue = frozenset({"activation"})
    open_shapes = True

    def __init__(self, rank: int) -> None:
        self.rank = rank
        self.convolution = f"conv{rank}d"
        self.name = f"{self.convolution}_transpose"

    def _slide(
        self,
        x: Tensor,
        kernel: Tensor,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        output_padding: Sequence[int] | None = None,
        dilation_rate: Sequence[int] | None = None,
    ) -> tuple[Shape, tuple[int, ...]]:
        strides = (1,) * self.rank if strides is None else strides
        return slide_transposed(
            self.name,
            x.shape[1:-1],
            kernel.shape[:-2],
            strides,
            padding,
            output_padding,
            dilation_rate,
        )

    def infer(
        self,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        output_padding: Sequence[int] | None = None,
        dilation_rate: Sequence[int] | None = None,
        activation: str | None = None,
        pre_activation: bool = False,
        **attributes: Any,
    ) -> Specs:
        check_same_dtype(self.name, x, kernel, bias)
        check_activation(self.name, activation, attributes)
        check_rank(self.name, "x", x, self.rank)
        check_kernel(self.name, kernel, self.rank, "channels_out, channels_in")
        if x.shape[-1] not in (kernel.shape[-1], None):
            raise ValueError(
                f"{self.name}: expected input with {kernel.shape[-1]} channels to match the kernel "
                f"{kernel.shape}, received {x.shape}"
            )
        check_bias(self.name, bias, kernel.shape[-2])
        sizes, _ = self._slide(x, kernel, strides, padding, output_padding, dilation_rate)
        y = Spec((x.shape[0], *sizes, kernel.shape[-2]), x.dtype)
        return (y, y) if pre_activation else y

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        check_not_fused(node)
        x, kernel = node.inputs[:2]
        geometry = geometry_of(node.attributes)
        extra = node.attributes.get("output_padding")
        _, pads = self._slide(x, kernel, output_padding=extra, **geometry)
        geometry["padding"] = pads
        return (
            apply(self.convolution, dy, kernel, **geometry) if needs[0] else None,
            apply(
                f"{self.convolution}_backward_kernel",
                dy,
                x,
                kernel_size=kernel.shape[:-2],
                **geometry,
            )
            if needs[1]
            else None,
            apply("bias_backward", dy) if len(needs) > 2 and needs[2] else None,
        )

    def flops(self, node: Node) -> int:
        x, kernel = node.inputs[:2]
        return 2 * x.size * math.prod(kernel.shape[:-1]) + epilogue_flops(node)


for _rank in AXES:
    for _family in (
        Convolution,
        ConvolutionBackwardInput,
        ConvolutionBackwardKernel,
        ConvolutionTranspose,
    ):
        add(_family(_rank))
