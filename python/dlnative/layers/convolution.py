"""What all convolutions have in common; Conv1D and Conv2D."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import activations, regularizers
from ..graph import apply
from ..graph.window import slide
from ..hyperparameters import Option
from ..variables import Variable
from . import messages
from .geometry import (
    check_images,
    data_format,
    one_of,
    sizes,
    with_hint,
)
from .low_rank import LowRankLayer
from .options import Fixed, flag, positive_integer, resolved, weight_config
from .spatial_layer import SpatialLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Padding, Shape, Sizes
    from ..utils.serialization import Identifier


def _padding(layer: Any, argument: str, value: Any) -> str:
    return one_of(*layer.paddings, any_case=True)(layer, argument, value)


def _strides_or_dilation(layer: Any, argument: str, value: Any) -> tuple[int, ...]:
    """Sizes, not above 1 where those of the other are and the layer takes only one, as in Keras."""
    taken = sizes()(layer, argument, value)
    other = "dilation_rate" if argument == "strides" else "strides"
    beside = layer.__dict__.get(other, (1,))
    if layer.strides_or_dilation and max(taken) > 1 and max(beside) > 1:
        raise ValueError(
            f"{messages.describe(layer)}: strides above 1 do not go with a dilation_rate above 1, "
            f"received {argument}={taken} and {other}={beside}. Leave one of them at 1."
        )
    return taken


class Convolution(SpatialLayer):
    """Base of the convolutions: where the kernel slides, and the options of each weight.

    Attributes:
        paddings: Names of the paddings that are known.
        strides_or_dilation: Whether only one of them may be above 1.
    """

    _configured: tuple[str, ...] = ("kernel", "bias")
    paddings: tuple[str, ...] = ("valid", "same")
    strides_or_dilation = False
    kernel: Variable
    bias: Variable | None

    data_format = Fixed(data_format)
    kernel_size = Fixed(sizes())
    strides = Option(_strides_or_dilation)
    padding = Option(_padding)
    dilation_rate = Option(_strides_or_dilation)
    activation = Option(resolved(activations.get))
    use_bias = Fixed(flag)

    def _set_geometry(
        self,
        kernel_size: Sizes,
        strides: Sizes,
        padding: Any,
        data_format: str | None,
        dilation_rate: Sizes,
    ) -> None:
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.data_format = data_format
        self.dilation_rate = dilation_rate

    def _set_weights(self, activation: Identifier, use_bias: bool, **options: Identifier) -> None:
        """Sets the activation, and the options of the weights."""
        self.activation = activation
        self.use_bias = use_bias
        self.bias = None
        self._set_weight_options(**options)

    @property
    def _taps(self) -> dict[str, Any]:
        """The attributes of the op that say where the kernel slides."""
        return {
            "strides": self.strides,
            "padding": self._op_padding(),
            "dilation_rate": self.dilation_rate,
        }

    def _op_padding(self) -> Padding:
        return self.padding

    def _output_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Spatial sizes of the output; ValueError where the kernel does not fit."""
        padding = self._op_padding()
        return slide(
            messages.describe(self),
            sizes,
            self.kernel_size,
            self.strides,
            padding,
            self.dilation_rate,
        )[0]

    def _check(self, shape: Shape, channels: int | None = None, source: str = "") -> None:
        """ValueError unless the layer fits on images of a shape, batch first.

        Args:
            shape: Shape of the input.
            channels: Channels that the built kernel has, None before.
            source: Where the input comes from.
        """
        check_images(self, shape, self.rank, source)
        if channels is None and shape[-1] is None:
            raise messages.open_size(self, -1, shape)
        if channels is not None and shape[-1] != channels:
            raise ValueError(
                f"{messages.describe(self)}: expected input with {channels} channels to match its "
                f"kernel, received {messages.format_shape(shape)}{source}. Rebuild the model or "
                "change the layer before."
            )
        try:
            self._output_sizes(shape[1:-1])
        except ValueError as error:
            raise with_hint(error, shape, self.rank) from None

    def _apply(
        self, op: str, inputs: Tensor, kernel: Variable | Tensor, **attributes: Any
    ) -> Tensor:
        """The op with this layer's bias, if it has one, and its activation."""
        operands = (kernel,) if self.bias is None else (kernel, self.bias)
        return self.activation(apply(op, inputs, *operands, **attributes))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            **weight_config(self, self._configured),
        }


_OF_LOW_RANK = ("lora_rank", "lora_alpha", "quantization_config")  # keywords, as in Keras


class Conv(LowRankLayer, Convolution):
    """Base of Conv1D and Conv2D."""

    strides_or_dilation = True
    filters = Fixed(positive_integer)
    groups = Fixed(positive_integer)

    def __init__(
        self,
        filters: int,
        kernel_size: Sizes,
        strides: Sizes = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Sizes = 1,
        groups: int = 1,
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
        adaptation = [kwargs.pop(name, None) for name in _OF_LOW_RANK]
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._set_low_rank(*adaptation)
        self.filters = filters
        self.groups = groups
        if self.filters % self.groups:
            raise ValueError(
                f"{messages.describe(self)}: expected groups that divide the filters, received "
                f"groups={self.groups} and filters={self.filters}"
            )
        self._set_geometry(kernel_size, strides, padding, data_format, dilation_rate)
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

    def build(self, input_shape: Shape) -> None:
        input_shape = self._shape(input_shape)
        self._check(input_shape)
        channels = input_shape[-1]
        if channels % self.groups:
            raise ValueError(
                f"{messages.describe(self)}: expected groups that divide the channels, received "
                f"groups={self.groups} and input {messages.format_shape(input_shape)} of "
                f"{channels} channels. Choose groups that divide {channels} and {self.filters}."
            )
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self._add_configured("kernel", shape)
        if self.use_bias:
            self.bias = self._add_configured("bias", (self.filters,))
        self._build_low_rank()

    def _op_padding(self) -> Padding:
        if self.padding != "causal":
            return self.padding
        return (self.dilation_rate[0] * (self.kernel_size[0] - 1), 0)

    def compute(self, x: Tensor) -> Tensor:
        channels = self.kernel.shape[-2] * self.groups
        self._check(x.shape, channels, messages.source(x))
        op = f"conv{self.rank}d"
        return self._apply(op, x, self._weight(x.graph), groups=self.groups, **self._taps)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "filters": self.filters, "groups": self.groups}


class Conv1D(Conv):
    """y[o, j] = activation(sum over t, c of x[o s + t d - before, c] kernel[t, c, j] + bias[j])

    Place o of the output, tap t of the kernel, stride s, dilation d; `before` pixels of zeros are
    in front of the sequence.

    Shapes: x (batch, length, in), kernel (kernel_size, in / groups, filters), bias (filters,),
    y (batch, new length, filters).

    Args:
        filters: Channels of the output.
        kernel_size: Taps of the kernel.
        strides: Distance of the places.
        padding: "valid" for none; "same" for ceil(length / strides) places, with the odd zero
            after the sequence; "causal" for zeros in front only, so that no place sees what comes
            after it.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distance of the taps.
        groups: Parts that the channels are cut into; each sees its own part of the input.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        kernel_initializer, bias_initializer: See `initializers.get`.
        kernel_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        kernel_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`; `lora_rank` and `lora_alpha`, with which the kernel
            is frozen and adapted by a product of that rank, see `enable_lora`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown name, groups that do not divide
            filters and channels, strides and dilation both above 1, a kernel that is larger than
            the padded input, or an unknown name.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Conv1D
        >>> layer = Conv1D(1, 2, padding="causal", kernel_initializer="ones")
        >>> layer(np.array([[[1.0], [2.0], [3.0]]])).ravel()
        array([1., 3., 5.], dtype=float32)

    Differs from Keras: `kernel` is the weight itself, also where it is adapted. Quantization is not
    available.
    """

    rank = 1
    paddings = ("valid", "same", "causal")


class Conv2D(Conv):
    """y[o, j] = activation(sum over t, c of x[o s + t d - before, c] kernel[t, c, j] + bias[j])

    Place o of the output and tap t of the kernel are a row and a column each, as are stride s,
    dilation d, and the `before` pixels of zeros above and left of the image. The kernel is not
    flipped.

    Shapes: x (batch, height, width, in), kernel (kernel_height, kernel_width, in / groups,
    filters), bias (filters,), y (batch, new height, new width, filters).

    Args:
        filters: Channels of the output.
        kernel_size: Rows and columns of the kernel; one integer for both.
        strides: Distances of the places.
        padding: "valid" for none; "same" for ceil(size / stride) places per axis, with the odd
            pixel of zeros below and right of the image.
        data_format: "channels_last", the same as None, or "channels_first".
        dilation_rate: Distances of the taps.
        groups: Parts that the channels are cut into; each sees its own part of the input.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        kernel_initializer, bias_initializer: See `initializers.get`.
        kernel_regularizer, bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        kernel_constraint, bias_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`; `lora_rank` and `lora_alpha`, with which the kernel
            is frozen and adapted by a product of that rank, see `enable_lora`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size below 1, an unknown name, groups that do not divide
            filters and channels, strides and dilation both above 1, a kernel that is larger than
            the padded input, or an unknown name.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Conv2D
        >>> layer = Conv2D(8, 3, strides=2, padding="same", activation="relu")
        >>> layer(np.ones((2, 28, 28, 1))).shape
        (2, 14, 14, 8)
        >>> [w.shape for w in layer.weights]
        [(3, 3, 1, 8), (8,)]

    Differs from Keras: `kernel` is the weight itself, also where it is adapted. Quantization is not
    available.
    """


Convolution1D = Conv1D
Convolution2D = Conv2D
