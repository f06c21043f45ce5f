"""Normalisation of vectors by their norm, or by the root of the mean of their squares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..hyperparameters import Number, Option
from ..ops.normalization import normalize, rms_normalization
from . import messages
from .layer import UnaryLayer
from .options import Fixed, axes_of, axis_or_axes, in_order, weight_shape

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


class UnitNormalization(UnaryLayer):
    """y = x / max(|x|, 1e-12), with the norm over `axis`

    Args:
        axis: An axis or several.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `axis` is not an integer or a list of some.
        ValueError: No axis, or one that is named twice; when called, one that is out of range.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import UnitNormalization
        >>> UnitNormalization()(np.array([[3.0, 4.0]]))
        array([[0.6, 0.8]], dtype=float32)
    """

    axis = Option(axis_or_axes)

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        axes = axes_of(self, self.axis, inputs.shape)
        return normalize(inputs, axis=axes, order=2, epsilon=1e-12)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class RMSNormalization(UnaryLayer):
    """y = x / (mean(x^2) + epsilon)^(1/2) * scale, with the mean over `axis`

    Shapes: x and y (batch, ...); scale has the sizes of the axes in `axis`.

    Args:
        axis: An axis or several.
        epsilon: Added to the mean, at least 0.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: `epsilon` below 0, or an axis that is named twice; when called, an axis that is
            out of range, or whose size is open.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import RMSNormalization
        >>> RMSNormalization()(np.array([[1.0, 7.0]])).round(2)
        array([[0.2, 1.4]], dtype=float32)

    Differs from Keras: the scale belongs to the axes of the mean also where these are not the last
    ones; in Keras it is that of the last. `axis` stays as it was given when the layer is built.

    Reference:
        Zhang and Sennrich 2019, "Root mean square layer normalization".
    """

    axis = Fixed(axis_or_axes)
    epsilon = Number(0.0)

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.epsilon = epsilon

    def build(self, input_shape: Shape) -> None:
        axes = axes_of(self, self.axis, input_shape)
        for axis in axes:
            if input_shape[axis] is None:
                raise messages.open_size(self, axis, input_shape)
        shape = weight_shape(self.axis, input_shape)
        self.scale = self.add_weight(shape=shape, initializer="ones", name="scale")

    def call(self, inputs: Tensor) -> Tensor:
        axes = axes_of(self, self.axis, inputs.shape)
        if axes == tuple(range(inputs.ndim - len(axes), inputs.ndim)):
            scale = in_order(self.scale, axes, inputs)
        else:
            shape = tuple(n if i in axes else 1 for i, n in enumerate(inputs.shape))
            scale = apply("reshape", inputs.graph.variable(self.scale), shape=shape)
        return rms_normalization(inputs, scale, axis=axes, epsilon=self.epsilon)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}
