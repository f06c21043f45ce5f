"""Input, Dense, Activation and Identity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import activations, config
from ..graph import Tensor, apply
from ..hyperparameters import Absent, Option, flag_of
from ..naming import unknown
from ..variables import Variable
from . import messages
from .calls import LayerCall, call_of
from .layer import Layer, UnaryLayer
from .low_rank import LowRankLayer
from .options import Fixed, flag, positive_integer, resolved, weight_config

if TYPE_CHECKING:
    from ..graph.types import Shape
    from ..utils.serialization import Identifier

OLD_NAMES = ("input_shape", "batch_input_shape")  # of arguments of InputLayer
INPUT_DTYPES = ("float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool")


def _batch_shape(layer: Any, argument: str, value: Any) -> tuple[int | None, ...]:
    sizes = _sizes(layer, value)
    if not sizes:
        raise ValueError(f"{messages.describe(layer)}: expected a {argument} with a batch size")
    return sizes


def is_input(layer: Any) -> bool:
    """Whether a layer is an InputLayer."""
    return isinstance(layer, InputLayer)


class InputLayer(Layer):
    """Where data enters a model; made by `Input`.

    Args:
        shape: Sizes without the batch; None where a size may vary.
        batch_size: Fixed batch size; any by default.
        dtype: Dtype of the data; `config.floatx()` by default.
        batch_shape: Sizes with the batch, in the place of `shape` and `batch_size`.
        sparse, ragged: Accepted for Keras; must be False or None.
        input_tensor: Must be None: a `Model` may begin at any symbolic tensor.
        optional: Whether None may be given in the place of data; the layers that the input goes to
            then get None.
        name: Name of the input; arrays in a dict are fed by it.
        **kwargs: `input_shape` and `batch_input_shape`, old names of `shape` and `batch_shape`.

    Raises:
        TypeError: A size is not an integer, or `optional` is neither True nor False.
        ValueError: No shape, both shapes, a size below 1, or an unknown `dtype`.

    Differs from Keras: int8 and int16 data are tensors of int32.
    """

    batch_shape = Fixed(_batch_shape)
    sparse = Absent("it is not available", only=False)
    ragged = Absent("it is not available", only=False)
    input_tensor = Absent("a Model may begin at any symbolic tensor")
    optional = Fixed(flag_of)

    def __init__(
        self,
        shape: Sequence[int | None] | None = None,
        batch_size: int | None = None,
        dtype: str | None = None,
        sparse: bool | None = None,
        ragged: bool | None = None,
        batch_shape: Sequence[int | None] | None = None,
        input_tensor: None = None,
        optional: bool = False,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        shape = kwargs.pop("input_shape", shape)
        batch_shape = kwargs.pop("batch_input_shape", batch_shape)
        for key in kwargs:
            raise unknown("argument of InputLayer", key, OLD_NAMES)
        super().__init__(name=name)
        self.input_tensor = input_tensor
        self.sparse = sparse
        self.ragged = ragged
        self.optional = optional
        if shape is not None and batch_shape is not None:
            raise ValueError(f"{messages.describe(self)}: give shape or batch_shape, not both")
        if batch_size is not None and batch_shape is not None:
            raise ValueError(f"{messages.describe(self)}: give batch_size or batch_shape, not both")
        if shape is None and batch_shape is None:
            raise ValueError(f"{messages.describe(self)}: expected a shape, such as shape=(784,)")
        sizes = batch_shape if shape is None else (batch_size, *_sizes(self, shape))
        self.batch_shape = sizes
        self._data_dtype = _data_dtype(self, dtype)
        tensor_dtype = "int32" if self._data_dtype in ("int8", "int16") else self._data_dtype
        self._dtype = tensor_dtype
        tensor = Tensor(self.batch_shape, tensor_dtype, source=self, name=self.name)
        self._calls.append(LayerCall(self, (), {}, tensor))
        self.built = True

    @classmethod
    def around(cls, tensor: Tensor) -> InputLayer:
        """The InputLayer for a symbolic tensor that nothing has made yet."""
        layer = cls(batch_shape=tensor.shape, dtype=tensor.dtype, name=tensor.name)
        tensor.source = layer
        layer._calls[0] = LayerCall(layer, (), {}, tensor)
        return layer

    @property
    def dtype(self) -> str:
        """Dtype of the data."""
        return self._data_dtype

    def call(self) -> None:
        raise RuntimeError(f"{messages.describe(self)} is not called; use its output")

    def get_config(self) -> dict[str, Any]:
        return {
            "batch_shape": self.batch_shape,
            "dtype": self.dtype,
            "sparse": False,
            "ragged": False,
            "name": self.name,
            "optional": self.optional,
        }


def Input(
    shape: Sequence[int | None] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Sequence[int | None] | None = None,
    name: str | None = None,
    tensor: Tensor | None = None,
    optional: bool = False,
) -> Any:
    """A symbolic tensor: where data enters a model.

    Args:
        shape: Sizes without the batch, such as (784,); None where a size may vary.
        batch_size: Fixed batch size; any by default.
        dtype: Dtype of the data, "float32" by default; see `InputLayer`.
        batch_shape: Sizes with the batch, in the place of `shape` and `batch_size`.
        sparse, ragged: Accepted for Keras; must be False or None.
        optional: Whether None may be given in the place of data, see `InputLayer`.
        name: Name of the input; arrays in a dict are fed by it.
        tensor: A symbolic tensor of an `Input`, which is then returned.

    Raises:
        TypeError: A size is not an integer, or `tensor` is no tensor.
        ValueError: No shape, both shapes, a size below 1, or an unknown `dtype`.

    Differs from Keras: data must have the sizes that are given, the batch size included, and are
    refused before the first step otherwise; Keras with JAX takes others where the layers do. Values
    that an integer dtype does not have raise; in Keras they become others.

    Example:
        >>> from dlnative.layers import Dense, Input
        >>> x = Input((784,))
        >>> Dense(10)(x).shape
        (None, 10)
    """
    if tensor is not None:
        is_new = isinstance(tensor, Tensor) and tensor.is_symbolic and tensor.history is None
        if not is_new or not isinstance(call_of(tensor).layer, InputLayer):
            raise TypeError(f"Input: expected tensor to be made by Input, received {tensor!r}")
        return tensor
    layer = InputLayer(
        shape, batch_size, dtype, sparse, ragged, batch_shape, optional=optional, name=name
    )
    return layer.output


class Dense(LowRankLayer):
    """y = activation(x @ kernel + bias)

    Shapes: x (batch, ..., in), kernel (in, units), bias (units,), y (batch, ..., units).

    Args:
        units: Size of the last axis of the output, at least 1.
        activation: See `activations.get`; linear by default.
        use_bias: Whether to add a bias.
        kernel_initializer: See `initializers.get`.
        bias_initializer: See `initializers.get`.
        kernel_regularizer: See `regularizers.get`.
        bias_regularizer: See `regularizers.get`.
        activity_regularizer: A penalty of the outputs, see `Layer`.
        kernel_constraint: See `constraints.get`.
        bias_constraint: See `constraints.get`.
        lora_rank, lora_alpha: The kernel is frozen and adapted by a product of that rank, see
            `enable_lora`.
        quantization_config: Must be None.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: `units` is not an integer.
        ValueError: `units` is below 1, or an unknown name.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dense
        >>> layer = Dense(3, activation="relu")
        >>> layer(np.ones((2, 4))).shape
        (2, 3)
        >>> [w.shape for w in layer.weights]
        [(4, 3), (3,)]

    Differs from Keras: `kernel` is the weight itself, also where it is adapted. Quantization is not
    available.
    """

    _configured = ("kernel", "bias")
    units = Fixed(positive_integer)
    activation = Option(resolved(activations.get))
    use_bias = Fixed(flag)

    def __init__(
        self,
        units: int,
        activation: Identifier = None,
        use_bias: bool = True,
        kernel_initializer: Identifier = "glorot_uniform",
        bias_initializer: Identifier = "zeros",
        kernel_regularizer: Identifier = None,
        bias_regularizer: Identifier = None,
        activity_regularizer: Identifier = None,
        kernel_constraint: Identifier = None,
        bias_constraint: Identifier = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self._set_low_rank(lora_rank, lora_alpha, quantization_config)
        self.units = units
        self.activation = activation
        self.use_bias = use_bias
        self._set_weight_options(
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )
        self.supports_masking = True
        self.kernel: Variable
        self.bias: Variable | None = None

    def build(self, input_shape: Shape) -> None:
        if len(input_shape) < 2:
            raise ValueError(
                f"{messages.describe(self)}: expected input of shape (batch, ..., features), "
                f"received {messages.format_shape(input_shape)}"
            )
        if input_shape[-1] is None:
            remedy = (
                ", or make a vector of known size before, whatever the sizes of the sample: with "
                "GlobalAveragePooling1D or 2D in the place of Flatten"
            )
            raise messages.open_size(self, -1, input_shape, remedy)
        self.kernel = self._add_configured("kernel", (input_shape[-1], self.units))
        if self.use_bias:
            self.bias = self._add_configured("bias", (self.units,))
        self._build_low_rank()

    def call(self, inputs: Tensor) -> Tensor:
        features = self.kernel.shape[0]
        if inputs.ndim < 2 or inputs.shape[-1] != features:
            raise ValueError(
                f"{messages.describe(self)}: expected input of shape (batch, {features}) to match "
                f"its kernel {self.kernel.shape}, received {messages.format_shape(inputs.shape)}"
                f"{messages.source(inputs)}. Rebuild the model or change the layer before."
            )
        kernel = self._weight(inputs.graph)
        operands = (kernel,) if self.bias is None else (kernel, self.bias)
        return self.activation(apply("dense", inputs, *operands))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            **weight_config(self, self._configured),
        }


class Activation(UnaryLayer):
    """y = activation(x), of the shape of x

    Args:
        activation: See `activations.get`.
        **kwargs: `name`, `dtype`.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Activation
        >>> Activation("relu")(np.array([-1.0, 2.0]))
        array([0., 2.], dtype=float32)
    """

    activation = Option(resolved(activations.get))

    def __init__(self, activation: Identifier, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True
        self.activation = activation

    def call(self, inputs: Tensor) -> Tensor:
        return self.activation(inputs)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Identity(Layer):
    """y = x"""

    def call(self, inputs: Tensor) -> Tensor:
        return inputs


def _sizes(layer: Any, shape: Any) -> tuple[int | None, ...]:
    """A shape argument as a tuple of integers and None."""
    if isinstance(shape, (int, np.integer)) and not isinstance(shape, bool):
        raise TypeError(
            f"{messages.describe(layer)}: expected a tuple of sizes, received {shape!r}; "
            f"write ({shape},)"
        )
    try:
        sizes = tuple(shape)
    except TypeError:
        raise TypeError(
            f"{messages.describe(layer)}: expected a tuple of sizes, received {shape!r}"
        ) from None
    return tuple(n if n is None else positive_integer(layer, "every size", n) for n in sizes)


def _data_dtype(layer: Any, dtype: Any) -> str:
    name = config.floatx() if dtype is None else dtype
    if not isinstance(name, str):
        name = getattr(name, "name", None) or np.dtype(name).name
    if name not in INPUT_DTYPES:
        raise ValueError(
            f"{messages.describe(layer)}: expected a dtype of {', '.join(INPUT_DTYPES)}, "
            f"received {name!r}"
        )
    return name
