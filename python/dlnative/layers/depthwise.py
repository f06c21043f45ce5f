"""DepthwiseConv1D and 2D, SeparableConv1D and 2D."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import activations
from ..graph import apply
from ..variables import Variable
from . import messages
from .convolution import Convolution
from .options import Fixed, positive_integer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape, Sizes
    from ..utils.serialization import Identifier


class DepthwiseFilters(Convolution):
    """Base of the convolutions in which every channel has filters of its own."""

    depth_multiplier = Fixed(positive_integer)

    def _filtered(
        self,
        x: Tensor,
        kernel: Variable,
        bias: Variable | None = None,
        activation: Callable[[Tensor], Tensor] = activations.linear,
    ) -> Tensor:
        """The depthwise convolution; sequences are images of one row."""
        operands: tuple[Any, ...] = (kernel,) if bias is None else (kernel, bias)
        if self.rank == 2:
            return activation(apply("depthwise_conv2d", x, *operands, **self._taps))
        taps = {k: v if isinstance(v, str) else (1, *v) for k, v in self._taps.items()}
        image = apply("reshape", x, shape=(x.shape[0], 1, *x.shape[1:]))
        row = apply("reshape", x.graph.variable(kernel), shape=(1, *kernel.shape))
        y = activation(apply("depthwise_conv2d", image, row, *operands[1:], **taps))
        return apply("reshape", y, shape=(y.shape[0], *y.shape[2:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "depth_multiplier": self.depth_multiplier}


class DepthwiseConv(DepthwiseFilters):
    """Base of DepthwiseConv1D and 2D."""

    _configured = ("depthwise", "bias")

    def __init__(
        self,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: Identifier = None,
        use_bias: bool = True,
        depthwise_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        depthwise_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        depthwise_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.depth_multiplier = depth_multiplier
        self._set_geometry(kernel_size, strides, padding, data_format, dilation_rate)
        self._set_weights(
            activation,
            use_bias,
            depthwise_initializer=depthwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            bias_regularizer=bias_regularizer,
            depthwise_constraint=depthwise_constraint,
            bias_constraint=bias_constraint,
        )

    def build(self, input_shape: Shape) -> None:
        input_shape = self._shape(input_shape)
        self._check(input_shape)
        shape = (*self.kernel_size, input_shape[-1], self.depth_multiplier)
        self.kernel = self._add_configured("depthwise", shape, name="kernel")
        if self.use_bias:
            self.bias = self._add_configured("bias", (input_shape[-1] * self.depth_multiplier,))

    def compute(self, x: Tensor) -> Tensor:
        self._check(x.shape, self.kernel.shape[-2], messages.source(x))
        return self._filtered(x, self.kernel, self.bias, self.activation)


class DepthwiseConv1D(DepthwiseConv):
    """y[o, c M + m] = activation(sum over t of x[o s + t d - before, c] kernel[t, c, m] + bias)

    Every channel has M = `depth_multiplier` filters of its own; channels do not mix. Place o and
    tap t are those of Conv1D.

    Shapes: x (batch, length, in), kernel (kernel_size, in, M), bias (in * M,),
    y (batch, new length, in * M).

    Args:
        kernel_size: Taps of the kernel.
        strides: Distance of the places.
        dilation_rate: Distance of the taps.
        **kwargs: The others are those of DepthwiseConv2D.

    Raises:
        TypeError: A size is not an integer.
        ValueError: As for DepthwiseConv2D.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import DepthwiseConv1D
        >>> layer = DepthwiseConv1D(2, depthwise_initializer="ones")
        >>> layer(np.array([[[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]]))[0]
        array([[ 3., 30.],
               [ 5., 50.]], dtype=float32)
    """

    rank = 1


class DepthwiseConv2D(DepthwiseConv):
    """y[o, c M + m] = activation(sum over t of x[o s + t d - before, c] kernel[t, c, m] + bias)

    Every channel has M = `depth_multiplier` filters of its own; channels do not mix. Place o and
    tap t are a row and a column each, see Conv2D.

    Shapes: x (batch, height, width, in), kernel (kernel_height, kernel_width, in, M),
    bias (in * M,), y (batch, new height, new width, in * M).

    Args:
        kernel_size: Rows and columns of the kernel; one integer for both.
        strides: Distances of the places.
        padding: "valid" or "same", see Conv2D.
        depth_multiplier: Filters per channel.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distances of the taps.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        depthwise_initializer, bias_initializer: See `initializers.get`.
        depthwise_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        depthwise_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown name, a kernel that is larger than
            the padded input, or an unknown name.

    Example:
        >>> from dlnative.layers import DepthwiseConv2D, Input
        >>> DepthwiseConv2D(3, depth_multiplier=2)(Input((8, 8, 5))).shape
        (None, 6, 6, 10)
    """


class SeparableConv(DepthwiseFilters):
    """Base of SeparableConv1D and 2D."""

    _configured = ("depthwise", "pointwise", "bias")
    filters = Fixed(positive_integer)

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        depth_multiplier: int = 1,
        activation: Identifier = None,
        use_bias: bool = True,
        depthwise_initializer: Identifier = "glorot_uniform",
        pointwise_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        depthwise_regularizer: Identifier = None,
        pointwise_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        depthwise_constraint: Identifier = None,
        pointwise_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = filters
        self.depth_multiplier = depth_multiplier
        self._set_geometry(kernel_size, strides, padding, data_format, dilation_rate)
        self._set_weights(
            activation,
            use_bias,
            depthwise_initializer=depthwise_initializer,
            pointwise_initializer=pointwise_initializer,
            bias_initializer=bias_initializer,
            depthwise_regularizer=depthwise_regularizer,
            pointwise_regularizer=pointwise_regularizer,
            bias_regularizer=bias_regularizer,
            depthwise_constraint=depthwise_constraint,
            pointwise_constraint=pointwise_constraint,
            bias_constraint=bias_constraint,
        )

    def build(self, input_shape: Shape) -> None:
        input_shape = self._shape(input_shape)
        self._check(input_shape)
        depthwise = (*self.kernel_size, input_shape[-1], self.depth_multiplier)
        pointwise = (*(1,) * self.rank, input_shape[-1] * self.depth_multiplier, self.filters)
        self.depthwise_kernel = self._add_configured("depthwise", depthwise, "depthwise_kernel")
        self.pointwise_kernel = self._add_configured("pointwise", pointwise, "pointwise_kernel")
        if self.use_bias:
            self.bias = self._add_configured("bias", (self.filters,))

    def compute(self, x: Tensor) -> Tensor:
        self._check(x.shape, self.depthwise_kernel.shape[-2], messages.source(x))
        filtered = self._filtered(x, self.depthwise_kernel)
        return self._apply(f"conv{self.rank}d", filtered, self.pointwise_kernel)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters}


class SeparableConv1D(SeparableConv):
    """y = activation(pointwise(depthwise(x)) + bias)

    Each channel is filtered on its own, then a convolution with a kernel of size 1 mixes the
    channels.

    Shapes: x (batch, length, in), depthwise kernel (kernel_size, in, M), pointwise kernel
    (1, in * M, filters), bias (filters,), y (batch, new length, filters), where M =
    `depth_multiplier`.

    Args:
        filters: Channels of the output.
        kernel_size: Taps of the depthwise kernel.
        strides: Distance of the places of the depthwise kernel.
        dilation_rate: Distance of the taps of the depthwise kernel.
        **kwargs: The others are those of SeparableConv2D.

    Raises:
        TypeError: A size is not an integer.
        ValueError: As for SeparableConv2D.

    Example:
        >>> from dlnative.layers import Input, SeparableConv1D
        >>> layer = SeparableConv1D(16, 3, padding="same")
        >>> layer(Input((8, 5))).shape
        (None, 8, 16)
        >>> [w.shape for w in layer.weights]
        [(3, 5, 1), (1, 5, 16), (16,)]
    """

    rank = 1


class SeparableConv2D(SeparableConv):
    """y = activation(pointwise(depthwise(x)) + bias)

    Each channel is filtered on its own, then a 1x1 convolution mixes the channels: about a tenth of
    the work of Conv2D with a 3x3 kernel.

    Shapes: x (batch, height, width, in), depthwise kernel (kernel_height, kernel_width, in, M),
    pointwise kernel (1, 1, in * M, filters), bias (filters,), y (batch, new height, new width,
    filters), where M = `depth_multiplier`.

    Args:
        filters: Channels of the output.
        kernel_size: Rows and columns of the depthwise kernel; one integer for both.
        strides: Distances of the places of the depthwise kernel.
        padding: "valid" or "same", see Conv2D.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distances of the taps of the depthwise kernel.
        depth_multiplier: Depthwise filters per channel.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        depthwise_initializer, pointwise_initializer, bias_initializer: See `initializers.get`.
        depthwise_regularizer, pointwise_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        depthwise_constraint, pointwise_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown name, a kernel that is larger than
            the padded input, or an unknown name.

    Example:
        >>> from dlnative.layers import Input, SeparableConv2D
        >>> layer = SeparableConv2D(16, 3, padding="same")
        >>> layer(Input((8, 8, 5))).shape
        (None, 8, 8, 16)
        >>> [w.shape for w in layer.weights]
        [(3, 3, 5, 1), (1, 1, 5, 16), (16,)]

    Reference:
        Chollet 2017, "Xception: deep learning with depthwise separable convolutions".
    """


SeparableConvolution1D = SeparableConv1D
SeparableConvolution2D = SeparableConv2D
