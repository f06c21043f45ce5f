"""Depthwise convolution: every channel has filters of its own, and the parts of its gradient.

Images (batch, height, width, channels), kernels (height, width, channels, multiplier), output
channel c multiplier + m.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..table import Op, check_same_dtype, register
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Padding, Shape, Size, Specs
from ..window import slide
from .activations import check_activation
from .convolution import (
    check_bias,
    check_channels,
    check_cotangent,
    check_image_shape,
    check_kernel,
    check_not_fused,
    check_rank,
    epilogue_flops,
    geometry_of,
)

_KERNEL = "channels, multiplier"


def _sizes(
    op: str,
    image: Shape,
    window: Sequence[int],
    strides: Sequence[int] | None,
    padding: Padding,
    dilation_rate: Sequence[int] | None,
) -> Shape:
    return slide(op, image[1:-1], window, strides or (1, 1), padding, dilation_rate)[0]


def _check_channels(op: str, channels: Size, kernel: Tensor) -> None:
    if channels not in (kernel.shape[2], None):
        raise ValueError(
            f"{op}: expected input with {kernel.shape[2]} channels to match the kernel "
            f"{kernel.shape}, received {channels} channels"
        )


@register
class DepthwiseConv2D(Op):
    """y[b, o, c M + m] = sum over t of x[b, o s + t d - before, c] kernel[t, c, m] + bias[c M + m].

    o and t stand for a row and a column, M is the multiplier. With `activation`, y is its value;
    with `pre_activation`, the op has the sum as a second output.
    """

    name = "depthwise_conv2d"
    open_shapes = True
    epilogue = frozenset({"activation"})

    def infer(
        self,
        x: Tensor,
        kernel: Tensor,
        bias: Tensor | None = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
        activation: str | None = None,
        pre_activation: bool = False,
        **attributes: Any,
    ) -> Specs:
        check_same_dtype(self.name, x, kernel, bias)
        check_activation(self.name, activation, attributes)
        check_rank(self.name, "x", x, 2)
        check_kernel(self.name, kernel, 2, _KERNEL)
        _check_channels(self.name, x.shape[-1], kernel)
        out = kernel.shape[2] * kernel.shape[3]
        check_bias(self.name, bias, out)
        sizes = _sizes(self.name, x.shape, kernel.shape[:2], strides, padding, dilation_rate)
        y = Spec((x.shape[0], *sizes, out), x.dtype)
        return (y, y) if pre_activation else y

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        check_not_fused(node)
        x, kernel = node.inputs[:2]
        geometry = geometry_of(node.attributes)
        return (
            apply(f"{self.name}_backward_input", dy, kernel, input_shape=x.shape, **geometry)
            if needs[0]
            else None,
            apply(f"{self.name}_backward_kernel", x, dy, kernel_size=kernel.shape[:2], **geometry)
            if needs[1]
            else None,
            apply("bias_backward", dy) if len(needs) > 2 and needs[2] else None,
        )

    def flops(self, node: Node) -> int:
        taps = math.prod(node.inputs[1].shape[:2])
        return 2 * node.outputs[0].size * taps + epilogue_flops(node)


@register
class DepthwiseConv2DBackwardInput(Op):
    """dx[b, o s + t d - before, c] = sum over o, t, m of dy[b, o, c M + m] kernel[t, c, m]."""

    name = "depthwise_conv2d_backward_input"

    def infer(
        self,
        dy: Tensor,
        kernel: Tensor,
        input_shape: Any = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
    ) -> Spec:
        check_same_dtype(self.name, dy, kernel)
        check_image_shape(self.name, input_shape, 2)
        check_kernel(self.name, kernel, 2, _KERNEL)
        _check_channels(self.name, input_shape[-1], kernel)
        sizes = _sizes(self.name, input_shape, kernel.shape[:2], strides, padding, dilation_rate)
        check_cotangent(self.name, dy, (input_shape[0], *sizes, kernel.shape[2] * kernel.shape[3]))
        return Spec((dy.shape[0], *input_shape[1:]), dy.dtype)

    def gradient(self, node: Node, ddx: Tensor, needs: Sequence[bool]) -> Gradients:
        """dx is linear in dy and in the kernel."""
        dy, kernel = node.inputs
        geometry = geometry_of(node.attributes)
        return (
            apply("depthwise_conv2d", ddx, kernel, **geometry) if needs[0] else None,
            apply(
                "depthwise_conv2d_backward_kernel",
                ddx,
                dy,
                kernel_size=kernel.shape[:2],
                **geometry,
            )
            if needs[1]
            else None,
        )

    def flops(self, node: Node) -> int:
        dy, kernel = node.inputs
        return 2 * dy.size * math.prod(kernel.shape[:2])


@register
class DepthwiseConv2DBackwardKernel(Op):
    """dkernel[t, c, m] = sum over b, o of x[b, o s + t d - before, c] dy[b, o, c M + m].

    With `bias`, a second output: dbias, the sum of dy over all axes but the last.
    """

    name = "depthwise_conv2d_backward_kernel"

    def infer(
        self,
        x: Tensor,
        dy: Tensor,
        kernel_size: Any = None,
        strides: Sequence[int] | None = None,
        padding: Padding = "valid",
        dilation_rate: Sequence[int] | None = None,
        bias: bool = False,
    ) -> Specs:
        check_same_dtype(self.name, x, dy)
        check_rank(self.name, "x", x, 2)
        check_rank(self.name, "dy", dy, 2)
        check_channels(self.name, x, dy)
        channels = x.shape[-1]
        if dy.shape[-1] % channels:
            raise ValueError(
                f"{self.name}: expected dy with a multiple of {channels} channels, received "
                f"{dy.shape}"
            )
        sizes = _sizes(self.name, x.shape, kernel_size, strides, padding, dilation_rate)
        check_cotangent(self.name, dy, (x.shape[0], *sizes, dy.shape[-1]))
        dkernel = Spec((*kernel_size, channels, dy.shape[-1] // channels), x.dtype)
        return (dkernel, Spec((dy.shape[-1],), x.dtype)) if bias else dkernel

    def gradient(
        self, node: Node, ddkernel: Tensor, ddbias: Tensor | None = None, *, needs: Sequence[bool]
    ) -> Gradients:
        if ddbias is not None:
            raise NotImplementedError(f"{self.name}: the gradient is taken before sums are fused")
        x, dy = node.inputs
        geometry = geometry_of(node.attributes)
        return (
            apply(
                "depthwise_conv2d_backward_input",
                dy,
                ddkernel,
                input_shape=x.shape,
                **geometry,
            )
            if needs[0]
            else None,
            apply("depthwise_conv2d", x, ddkernel, **geometry) if needs[1] else None,
        )

    def flops(self, node: Node) -> int:
        dy = node.inputs[1]
        return 2 * dy.size * math.prod(node.outputs[0].shape[:2])
