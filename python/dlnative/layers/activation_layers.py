"""Activation functions as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import activations
from ..graph import apply
from ..hyperparameters import LateNumber, Number, Option
from ..ops.public import as_tensor
from ..ops.reductions import logsumexp
from ..utils.warn import warn_user
from . import messages
from .input_spec import InputSpec
from .layer import UnaryLayer
from .options import Fixed, axes_of, axis_or_axes, weight_config

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


class ReLU(UnaryLayer):
    """y = max(x, 0); with the arguments:

    y = max_value where x >= max_value, x where threshold < x < max_value, else
    negative_slope * (x - threshold).

    Args:
        max_value: Largest value, None for no bound.
        negative_slope: Slope below the threshold.
        threshold: Where the function starts to rise.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: An argument is negative.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import ReLU
        >>> ReLU(max_value=10, negative_slope=0.5)(np.array([-10.0, -5.0, 0.0, 5.0, 10.0]))
        array([-5. , -2.5,  0. ,  5. , 10. ], dtype=float32)
    """

    max_value = Number(0.0, optional=True)
    negative_slope = Number(0.0)
    threshold = Number(0.0)

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = max_value
        self.negative_slope = negative_slope
        self.threshold = threshold
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


class LeakyReLU(UnaryLayer):
    """y = x where x > 0, else negative_slope * x

    Args:
        negative_slope: Slope for negative x.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: The slope is negative.
    """

    negative_slope = LateNumber(0.0)

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        if "alpha" in kwargs:
            warn_user("LeakyReLU: alpha is an old name of negative_slope")
            negative_slope = kwargs.pop("alpha")
        super().__init__(**kwargs)
        self.negative_slope = negative_slope
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return activations.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(UnaryLayer):
    """y = x where x > 0, else alpha * (exp(x) - 1)

    Args:
        alpha: Minus the limit for very negative x.
        **kwargs: `name`, `dtype`.
    """

    alpha = Number()

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        return activations.elu(inputs, alpha=self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


def _shared_axes(layer: Any, argument: str, value: Any) -> list[int] | None:
    axes = value if isinstance(value, (list, tuple, type(None))) else [value]
    return None if axes is None else list(axes)


class PReLU(UnaryLayer):
    """y = max(x, 0) - alpha * max(-x, 0): a leaky ReLU that learns its slope

    Shapes: alpha has the shape of one sample, with size 1 in the shared axes.

    Args:
        alpha_initializer: See `initializers.get`.
        alpha_regularizer: See `regularizers.get`.
        alpha_constraint: See `constraints.get`.
        shared_axes: Axes of the input, the batch being axis 0, along which alpha is the same.
        **kwargs: `name`, `dtype`, `trainable`.

    Reference:
        He et al. 2015, "Delving deep into rectifiers".
    """

    _configured = ("alpha",)
    shared_axes = Fixed(_shared_axes)

    def __init__(
        self,
        alpha_initializer: Identifier = "Zeros",
        alpha_regularizer: Identifier = None,
        alpha_constraint: Identifier = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_weight_options(
            alpha_initializer=alpha_initializer,
            alpha_regularizer=alpha_regularizer,
            alpha_constraint=alpha_constraint,
        )
        self.shared_axes = shared_axes
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            if not 1 <= axis < len(input_shape):
                raise ValueError(
                    f"{messages.describe(self)}: expected shared_axes from 1 to "
                    f"{len(input_shape) - 1}, received {axis}"
                )
            shape[axis - 1] = 1
        if None in shape:
            axis = shape.index(None) + 1
            shared = [*(self.shared_axes or ()), axis]
            remedy = f", or share alpha along the axis: shared_axes={shared}"
            raise messages.open_size(self, axis, input_shape, remedy)
        self.alpha = self._add_configured("alpha", shape)
        sizes = enumerate(self.alpha.shape, start=1)
        self.input_spec = InputSpec(
            ndim=len(input_shape),
            axes={axis: n for axis, n in sizes if axis not in (self.shared_axes or ())},
        )

    def call(self, inputs: Tensor) -> Tensor:
        negative = activations.relu(apply("rescale", inputs, scale=-1.0))
        return activations.relu(inputs) - apply("multiply", negative, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **weight_config(self, self._configured),
            "shared_axes": self.shared_axes,
        }


class Softmax(UnaryLayer):
    """y_i = exp(x_i) / sum_j exp(x_j) along one axis or several, with the largest x_i subtracted

    Args:
        axis: The axis, or a list of those that the sum is over together.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `axis` is neither an integer nor a list of some.
        ValueError: No axis; when called, one that is out of range, or a mask that does not
            broadcast to the input.

    Called with `mask`, an array of booleans or of numbers of which those above 1/2 count as true,
    y is 0 where it is false, and the others have the sum 1.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Softmax
        >>> Softmax()(np.array([[0.0, 0.0]]))
        array([[0.5, 0.5]], dtype=float32)
        >>> Softmax()(np.array([[0.0, 0.0, 5.0]]), mask=np.array([True, True, False]))
        array([[0.5, 0.5, 0. ]], dtype=float32)
    """

    axis = Option(axis_or_axes)

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        axes = axes_of(self, self.axis, inputs.shape)
        if mask is None:
            return _softmax(inputs, axes)
        mask = self._checked_mask(inputs, mask)
        return apply("where", mask, _softmax(apply("where", mask, inputs, -1e9), axes), 0.0)

    def _checked_mask(self, inputs: Tensor, mask: Any) -> Tensor:
        mask = as_tensor(mask, name=self.name)
        pairs = zip(reversed(mask.shape), reversed(inputs.shape))
        if mask.ndim > inputs.ndim or any(
            n != 1 and None not in (n, m) and n != m for n, m in pairs
        ):
            raise ValueError(
                f"{messages.describe(self)}: expected a mask that broadcasts to the input "
                f"{messages.format_shape(inputs.shape)}, received shape {mask.shape}"
            )
        return mask if mask.dtype == "bool" else mask > 0.5

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


def _softmax(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    if len(axes) == 1:
        return activations.softmax(x, axis=axes[0])
    return apply("exp", x - logsumexp(x, axis=axes, keepdims=True))
