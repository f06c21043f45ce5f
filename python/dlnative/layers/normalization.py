"""Layer and group normalisation, and what they share with batch normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..graph.dtypes import FLOATS
from ..hyperparameters import Number, Option
from ..ops.normalization import layer_normalization
from ..utils.warn import warn_user
from ..variables import Variable
from . import messages
from .input_spec import InputSpec
from .layer import UnaryLayer
from .options import (
    Fixed,
    axes_of,
    axis_of,
    axis_or_axes,
    flag,
    in_order,
    integer,
    weight_config,
    weight_shape,
)

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


class ScaledNormalization(UnaryLayer):
    """What the normalisations share: epsilon, the scale gamma and the offset beta."""

    _configured = ("beta", "gamma")
    epsilon = Number(0.0)
    center = Option(flag)
    scale = Option(flag)

    def __init__(
        self,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Identifier = "zeros",
        gamma_initializer: Identifier = "ones",
        beta_regularizer: Identifier = None,
        gamma_regularizer: Identifier = None,
        beta_constraint: Identifier = None,
        gamma_constraint: Identifier = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.epsilon = epsilon
        self.center = center
        self.scale = scale
        self._set_weight_options(
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
        )
        self.supports_masking = True
        self.gamma: Variable | None = None
        self.beta: Variable | None = None

    def _position(self, axis: int, shape: Shape) -> int:
        """`axis` counted from the front; ValueError where it is none of the samples' axes."""
        received = f"received {messages.format_shape(shape)}"
        axis_of(self, axis, shape)
        if axis % len(shape) == 0:
            raise ValueError(
                f"{messages.describe(self)}: axis {axis} is the batch; expected an axis of the "
                f"samples, {received}"
            )
        if shape[axis] is None and self._has_sized_weights:
            raise messages.open_size(self, axis, shape, ", or normalize along another axis")
        return axis % len(shape)

    @property
    def _has_sized_weights(self) -> bool:
        """Whether there are weights that have the size of `axis`."""
        return True

    def _add_scale(self, shape: Shape) -> None:
        """Creates gamma and beta, as far as they are wanted."""
        if self.scale:
            self.gamma = self._add_configured("gamma", shape)
        if self.center:
            self.beta = self._add_configured("beta", shape)

    def _scale_and_offset(self) -> tuple[Variable | None, Variable | None]:
        """gamma and beta, each None where it is not used."""
        for option, used, weight in (
            ("scale", self.scale, self.gamma),
            ("center", self.center, self.beta),
        ):
            if used and weight is None:
                raise ValueError(
                    f"{messages.describe(self)}: {option} is True, but there is no weight for it: "
                    f"the layer was built with {option}=False. Make a new layer."
                )
        return self.gamma if self.scale else None, self.beta if self.center else None

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            **weight_config(self, self._configured),
        }


def _groups(layer: Any, argument: str, value: Any) -> int:
    groups = integer(layer, argument, value)
    if groups < 1 and groups != -1:
        raise ValueError(
            f"{messages.describe(layer)}: expected {argument} of at least 1, or -1 for one per "
            f"channel, received {value}"
        )
    return groups


class LayerNormalization(ScaledNormalization):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per sample over `axis`.

    Shapes: x and y (batch, ...); gamma and beta have the sizes of the axes in `axis`. Mean and
    (biased) variance are over these axes, for every index of the others.

    Args:
        axis: An axis or several. The last ones are fast; others are transposed there and back.
        epsilon: Added to the variance, at least 0 (`torch.nn.LayerNorm`: 1e-5).
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer, gamma_initializer: See `initializers.get`.
        beta_regularizer, gamma_regularizer: See `regularizers.get`.
        beta_constraint, gamma_constraint: See `constraints.get`.
        rms_scaling: Whether neither the mean is subtracted nor a beta added: y = gamma x /
            sqrt(variance + epsilon). It is deprecated in Keras, as it divides by the deviation;
            RMSNormalization divides by the root of the mean square.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: `epsilon` below 0, or an axis that is named twice; when called, an input without
            that axis, or one whose size is open where there is a gamma or beta.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import LayerNormalization
        >>> LayerNormalization()(np.array([[1.0, 3.0], [20.0, 60.0]])).round(2)
        array([[-1.,  1.],
               [-1.,  1.]], dtype=float32)

    Differs from Keras: `axis` stays as it was given when the layer is built.

    Reference:
        Ba, Kiros and Hinton 2016, "Layer normalization".
    """

    axis = Fixed(axis_or_axes)
    rms_scaling = Fixed(flag)

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Identifier = "zeros",
        gamma_initializer: Identifier = "ones",
        beta_regularizer: Identifier = None,
        gamma_regularizer: Identifier = None,
        beta_constraint: Identifier = None,
        gamma_constraint: Identifier = None,
        rms_scaling: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )
        if rms_scaling:
            warn_user(
                "LayerNormalization: rms_scaling divides by the deviation, not by the root of the "
                "mean square: see RMSNormalization"
            )
        self.rms_scaling = rms_scaling
        self.axis = axis

    @property
    def _has_sized_weights(self) -> bool:
        return self.scale or self.center or self.rms_scaling

    def _axes(self, shape: Shape) -> tuple[int, ...]:
        """The axes of the statistics, counted from the front, in their order."""
        axes = axes_of(self, self.axis, shape)
        for axis in axes:
            self._position(axis, shape)
        return axes

    def build(self, input_shape: Shape) -> None:
        axes = self._axes(input_shape)
        shape = weight_shape(self.axis, input_shape)
        if self.rms_scaling:
            self.gamma = self._add_configured("gamma", shape)
        else:
            self._add_scale(shape)
        self.input_spec = InputSpec(
            ndim=len(input_shape), axes={axis: input_shape[axis] for axis in axes}
        )

    def call(self, inputs: Tensor) -> Tensor:
        axes = self._axes(inputs.shape)
        if self.rms_scaling:
            options = {"axis": axes, "epsilon": self.epsilon, "rms_scaling": True}
            x = (
                inputs
                if inputs.dtype in FLOATS
                else apply("cast", inputs, dtype=self.compute_dtype)
            )
            return layer_normalization(x, in_order(self.gamma, axes, x), **options)
        x = move_axes_last(inputs, axes)
        gamma, beta = (in_order(w, axes, inputs) for w in self._scale_and_offset())
        y = apply("layer_norm", x, gamma, beta, axes=len(axes), epsilon=self.epsilon)
        return move_axes_back(y, axes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "rms_scaling": self.rms_scaling}


class GroupNormalization(ScaledNormalization):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per sample and group of channels.

    The channels are cut into `groups` of neighbours; mean and (biased) variance are over a group's
    channels and all axes between the batch and the channels. One group is layer normalisation over
    the whole sample with a gamma per channel, as many groups as channels instance normalisation.

    Shapes: x and y (batch, ..., channels), gamma and beta (channels,).

    Args:
        groups: How many groups, a divisor of the number of channels; -1 for one per channel.
        axis: The axis of the channels. The last is the fast one; others are transposed there and
            back.
        epsilon: Added to the variance, at least 0 (`torch.nn.GroupNorm`: 1e-5).
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer, gamma_initializer: See `initializers.get`.
        beta_regularizer, gamma_regularizer: See `regularizers.get`.
        beta_constraint, gamma_constraint: See `constraints.get`.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: `groups` is below 1 and not -1, `epsilon` below 0, or an option that is not
            available; when called, an input without that axis, or `groups` that do not divide its
            size.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import GroupNormalization
        >>> GroupNormalization(groups=2)(np.array([[1.0, 3.0, 20.0, 60.0]])).round(2)
        array([[-1.,  1., -1.,  1.]], dtype=float32)

    Differs from Keras: `groups=-1` stays as it was given when the layer is
    built.

    Reference:
        Wu and He 2018, "Group normalization".
    """

    groups = Option(_groups)
    axis = Fixed(integer)

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Identifier = "zeros",
        gamma_initializer: Identifier = "ones",
        beta_regularizer: Identifier = None,
        gamma_regularizer: Identifier = None,
        beta_constraint: Identifier = None,
        gamma_constraint: Identifier = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            epsilon=epsilon,
            center=center,
            scale=scale,
            beta_initializer=beta_initializer,
            gamma_initializer=gamma_initializer,
            beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer,
            beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint,
            **kwargs,
        )
        self.groups = groups
        self.axis = axis

    def build(self, input_shape: Shape) -> None:
        channels = input_shape[self._position(self.axis, input_shape)]
        if channels % self.groups:
            raise ValueError(
                f"{messages.describe(self)}: expected a number of channels that is a multiple of "
                f"{self.groups} groups, received {channels} in {messages.format_shape(input_shape)}"
                ". Choose groups that divide it, or -1 for one per channel."
            )
        self._add_scale((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})

    def call(self, inputs: Tensor) -> Tensor:
        x = move_axes_last(inputs, (self.axis,))
        groups = x.shape[-1] if self.groups == -1 else self.groups
        gamma, beta = self._scale_and_offset()
        y = apply("group_norm", x, gamma, beta, groups=groups, epsilon=self.epsilon)
        return move_axes_back(y, (self.axis,))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups, "axis": self.axis}


def _order(ndim: int, axes: Sequence[int]) -> tuple[int, ...]:
    """All axes, those in `axes` last."""
    moved = [axis % ndim for axis in axes]
    return (*(i for i in range(ndim) if i not in moved), *moved)


def move_axes_last(x: Tensor, axes: Sequence[int]) -> Tensor:
    """`x` transposed so that `axes` are the last ones."""
    order = _order(x.ndim, axes)
    return x if order == tuple(range(x.ndim)) else apply("transpose", x, axes=order)


def move_axes_back(y: Tensor, axes: Sequence[int]) -> Tensor:
    """The inverse of `move_axes_last`."""
    order = _order(y.ndim, axes)
    if order == tuple(range(y.ndim)):
        return y
    return apply("transpose", y, axes=tuple(order.index(i) for i in range(y.ndim)))
