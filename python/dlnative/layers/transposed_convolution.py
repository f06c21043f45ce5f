"""Conv1DTranspose and Conv2DTranspose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph.window import slide_transposed
from ..hyperparameters import Option
from . import messages
from .convolution import Convolution
from .geometry import standardize_sizes
from .options import Fixed, positive_integer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape, Sizes
    from ..utils.serialization import Identifier


def _output_padding(layer: Any, argument: str, value: Any) -> tuple[int, ...] | None:
    if value is None:
        return None
    extra = standardize_sizes(layer, argument, value, layer.rank, least=0)
    if any(o >= s for o, s in zip(extra, layer.strides, strict=True)):
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} below the strides, "
            f"received {argument}={extra} and strides={layer.strides}"
        )
    return extra


class ConvTranspose(Convolution):
    """Base of Conv1DTranspose and Conv2DTranspose."""

    strides_or_dilation = True
    filters = Fixed(positive_integer)
    output_padding = Option(_output_padding)

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        output_padding: Sizes | None = None,
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        activation: Identifier = None,
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        kernel_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.filters = filters
        self._set_geometry(kernel_size, strides, padding, data_format, dilation_rate)
        self.output_padding = output_padding
        self._set_weights(
            activation,
            use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )

    def _output_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        return slide_transposed(
            messages.describe(self),
            sizes,
            self.kernel_size,
            self.strides,
            self.padding,
            self.output_padding,
            self.dilation_rate,
        )[0]

    def build(self, input_shape: Shape) -> None:
        input_shape = self._shape(input_shape)
        self._check(input_shape)
        self.kernel = self._add_configured(
            "kernel", (*self.kernel_size, self.filters, input_shape[-1])
        )
        if self.use_bias:
            self.bias = self._add_configured("bias", (self.filters,))

    def compute(self, x: Tensor) -> Tensor:
        self._check(x.shape, self.kernel.shape[-1], messages.source(x))
        op = f"conv{self.rank}d_transpose"
        more = {} if self.output_padding is None else {"output_padding": self.output_padding}
        return self._apply(op, x, self.kernel, **more, **self._taps)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        return {**config, "filters": self.filters, "output_padding": self.output_padding}


class Conv1DTranspose(ConvTranspose):
    """y[i s + t d - before, j] = activation(sum over i, t, c of x[i, c] kernel[t, j, c] + bias[j])

    The adjoint of Conv1D: it grows a sequence by the factor `strides`.

    Shapes: x (batch, length, in), kernel (kernel_size, filters, in), bias (filters,),
    y (batch, new length, filters).

    Args:
        filters: Channels of the output.
        kernel_size: Taps of the kernel.
        strides: Distance between the places that neighbours of the input write to.
        padding: "valid" or "same".
        output_padding: Pixels more at the end of the output, below `strides`; see Conv2DTranspose.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distance of the taps.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        kernel_initializer, bias_initializer: See `initializers.get`.
        kernel_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        kernel_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError, ValueError: As for Conv1D, and an `output_padding` that is not below `strides`.

    Example:
        >>> from dlnative.layers import Conv1DTranspose, Input
        >>> Conv1DTranspose(4, 3, strides=2, padding="same")(Input((10, 2))).shape
        (None, 20, 4)

    Differs from Keras: as Conv1D.
    """

    rank = 1


class Conv2DTranspose(ConvTranspose):
    """y[i s + t d - before, j] = activation(sum over i, t, c of x[i, c] kernel[t, j, c] + bias[j])

    The adjoint of Conv2D, also called deconvolution: it grows images by the factor `strides`.

    Shapes: x (batch, height, width, in), kernel (kernel_height, kernel_width, filters, in),
    bias (filters,), y (batch, new height, new width, filters). With n pixels, stride s, and
    e = (kernel size - 1) dilation + 1, the new size is (n - 1) s + max(e, s) for "valid" and n s
    for "same"; with `output_padding` o it is (n - 1) s + e + o and (n - 1) s + e % 2 + o.

    Args:
        filters: Channels of the output.
        kernel_size: Rows and columns of the kernel; one integer for both.
        strides: Distances between the places that neighbours of the input write to.
        padding: "valid" or "same".
        output_padding: Pixels more at the end of each axis, below `strides`.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distances of the taps.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        kernel_initializer, bias_initializer: See `initializers.get`.
        kernel_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        kernel_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError, ValueError: As for Conv2D, and an `output_padding` that is not below `strides`.

    Example:
        >>> from dlnative.layers import Conv2DTranspose, Input
        >>> Conv2DTranspose(4, 3, strides=2)(Input((7, 7, 8))).shape
        (None, 15, 15, 4)

    Differs from Keras: as Conv2D.
    """


Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Conv2DTranspose
