"""Batch normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, initializers
from ..graph import apply
from ..hyperparameters import Absent, Option, StepNumber
from ..naming import unknown
from ..ops.public import as_tensor
from ..utils.numbers import as_float
from ..variables import Variable
from . import messages
from .input_spec import InputSpec
from .normalization import ScaledNormalization, move_axes_back, move_axes_last
from .options import Fixed, flag, integer, resolved

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


_BOUNDS = ("rmax", "rmin", "dmax")


def _clipping(layer: Any, argument: str, value: Any) -> dict[str, float] | None:
    """A check for `Option`: bounds of batch renormalisation, where there is any."""
    if not layer.renorm:
        return value
    bounds = dict(value or {})
    received = f"received {value!r}"
    for name, bound in bounds.items():
        if name not in _BOUNDS:
            raise ValueError(f"{messages.describe(layer)}: {unknown(argument, name, _BOUNDS)}")
        if bound is not None:
            bounds[name] = as_float(messages.describe(layer), f"{argument} {name}", bound)
    rmax, rmin, dmax = (bounds.get(name) for name in _BOUNDS)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(f"{messages.describe(layer)}: expected rmax of at least rmin, {received}")
    if dmax is not None and dmax < 0:
        raise ValueError(f"{messages.describe(layer)}: expected dmax of at least 0, {received}")
    return bounds


def _root_of(initializer: Any) -> Callable[..., np.ndarray]:
    """An initializer of square roots."""
    return lambda shape, dtype=None: np.sqrt(initializer(shape, dtype=dtype))


class BatchNormalization(ScaledNormalization):
    """y = gamma (x - mean) / sqrt(variance + epsilon) + beta, per channel.

    In training, mean and variance are those of the batch, over all axes but `axis`, and the moving
    statistics follow them: `moving = momentum * moving + (1 - momentum) * batch`. Otherwise, and in
    a layer with `trainable=False`, they are the moving statistics. The variance is the biased one
    (divided by the number of elements n) in both places.

    Shapes: x and y (batch, ..., channels); gamma, beta, moving_mean and moving_variance, in this
    order in `weights`, (channels,).

    Args:
        axis: The axis of the channels. The last is the fast one; others are transposed there and
            back.
        momentum: Share of the moving statistics that a step keeps, in [0, 1].
        epsilon: Added to the variance, at least 0.
        center: Whether there is a beta.
        scale: Whether there is a gamma.
        beta_initializer, gamma_initializer: See `initializers.get`.
        moving_mean_initializer, moving_variance_initializer: See `initializers.get`.
        beta_regularizer, gamma_regularizer: See `regularizers.get`.
        beta_constraint, gamma_constraint: See `constraints.get`.
        renorm: Batch renormalisation: in training y = gamma (r z + d) + beta with z = (x - mean) /
            deviation, r = deviation / renorm_stddev and d = (mean - renorm_mean) / renorm_stddev,
            which bring a batch closer to what the moving statistics give. The gradient takes r and
            d for constants.
        renorm_clipping: Dict with bounds "rmin", "rmax" of r and "dmax" of |d|, each of which may
            be left out.
        renorm_momentum: Share of renorm_mean and renorm_stddev that a step keeps, in [0, 1].
        synchronized: Must be False.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: A number out of its range, or an option that is not available; when called, an
            input without that axis, or a mask that does not have one dimension less.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import BatchNormalization
        >>> layer = BatchNormalization(momentum=0.9)
        >>> x = np.array([[1.0, 10.0], [3.0, 30.0]])
        >>> layer(x, training=True).round(2)
        array([[-1., -1.],
               [ 1.,  1.]], dtype=float32)
        >>> layer.moving_mean.numpy()
        array([0.2, 2. ], dtype=float32)

    In training `mask`, an array of all axes but the last, says which elements count for mean and
    variance; with `renorm` there are moving_stddev, renorm_mean and renorm_stddev besides.

    Differs from Keras: `synchronized` is for several devices, and refused. From
    `torch.nn.BatchNorm2d`: its momentum is the share that is replaced (0.1 there is 0.9 here), its
    epsilon is 1e-5, and its moving variance is unbiased, n / (n - 1) times the one kept here.

    Reference:
        Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing
        internal covariate shift".
        Ioffe 2017, "Batch renormalization: towards reducing minibatch dependence in
        batch-normalized models".
    """

    axis = Fixed(integer)
    momentum = StepNumber(0.0, 1.0)
    moving_mean_initializer = Fixed(resolved(initializers.get))
    moving_variance_initializer = Fixed(resolved(initializers.get))
    renorm = Fixed(flag)
    renorm_clipping = Option(_clipping)
    renorm_momentum = StepNumber(0.0, 1.0)
    synchronized = Absent("there are no other devices", only=False)

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Identifier = "zeros",
        gamma_initializer: Identifier = "ones",
        moving_mean_initializer: Identifier = "zeros",
        moving_variance_initializer: Identifier = "ones",
        beta_regularizer: Identifier = None,
        gamma_regularizer: Identifier = None,
        beta_constraint: Identifier = None,
        gamma_constraint: Identifier = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
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
        self.renorm = renorm
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.synchronized = synchronized
        self.axis = axis
        self.momentum = momentum
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.moving_mean: Variable
        self.moving_variance: Variable

    def build(self, input_shape: Shape) -> None:
        position = self._position(self.axis, input_shape)
        shape = (input_shape[position],)
        self._add_scale(shape)
        mean, variance = self.moving_mean_initializer, self.moving_variance_initializer
        self.moving_mean = self._add_statistic("moving_mean", shape, mean)
        self.moving_variance = self._add_statistic("moving_variance", shape, variance)
        if self.renorm:
            self.moving_stddev = self._add_statistic("moving_stddev", shape, _root_of(variance))
            self.renorm_mean = self._add_statistic("renorm_mean", shape, mean)
            self.renorm_stddev = self._add_statistic("renorm_stddev", shape, _root_of(variance))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def _add_statistic(self, name: str, shape: Shape, initializer: Any) -> Variable:
        return self.add_weight(shape=shape, initializer=initializer, trainable=False, name=name)

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        if mask is not None:
            mask = self._checked_mask(inputs, mask)
        if training and self.trainable:
            return self._by_batch(inputs, mask)
        x = move_axes_last(inputs, (self.axis,))
        gamma, beta = self._scale_and_offset()
        statistics = (self.moving_mean, self.moving_variance)
        y = apply("batch_norm", x, *statistics, gamma, beta, epsilon=self.epsilon)
        return move_axes_back(y, (self.axis,))

    def _checked_mask(self, inputs: Tensor, mask: Any) -> Tensor:
        """The mask as booleans, with an axis of size 1 for the last one."""
        mask = as_tensor(mask, name=self.name)
        if mask.ndim != inputs.ndim - 1:
            raise ValueError(
                f"{messages.describe(self)}: expected a mask of {inputs.ndim - 1} dimensions for "
                f"input {messages.format_shape(inputs.shape)}, received shape {mask.shape}"
            )
        return apply("reshape", mask != 0, shape=(*mask.shape, 1))

    def _by_batch(self, inputs: Tensor, mask: Tensor | None) -> Tensor:
        """The result in training, and the next moving statistics."""
        gamma, beta = self._scale_and_offset()
        x = move_axes_last(inputs, (self.axis,))
        if mask is None and not self.renorm:
            y, mean, variance = apply("batch_norm_training", x, gamma, beta, epsilon=self.epsilon)
        else:
            scale: Any = gamma
            offset: Any = beta
            if mask is None:
                y, mean, variance = apply(
                    "batch_norm_training", x, None, None, epsilon=self.epsilon
                )
            else:
                y, mean, variance = self._by_masked_batch(inputs, mask)
            if self.renorm:
                scale, offset = self._corrected(mean, variance, scale, offset)
            y = y if scale is None else y * scale
            y = y if offset is None else y + offset
        self._move_statistics(mean, variance)
        return move_axes_back(y, (self.axis,))

    def _by_masked_batch(self, inputs: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What "batch_norm_training" gives of the elements that count."""
        position = self.axis % inputs.ndim
        axes = tuple(i for i in range(inputs.ndim) if i != position)
        count = apply("sum", apply("cast", mask, dtype=inputs.dtype), axis=axes, keepdims=True)
        if position != inputs.ndim - 1:
            count = count * inputs.shape[-1]

        def mean_of(x: Tensor) -> Tensor:
            counted = apply("where", mask, x, 0.0)
            return apply("sum", counted, axis=axes, keepdims=True) / (count + config.epsilon())

        mean = mean_of(inputs)
        centred = inputs - mean
        variance = mean_of(apply("square", centred))
        y = move_axes_last(centred * apply("rsqrt", variance + self.epsilon), (self.axis,))
        shape = self.moving_mean.shape
        return y, apply("reshape", mean, shape=shape), apply("reshape", variance, shape=shape)

    def _corrected(
        self, mean: Tensor, variance: Tensor, gamma: Any, beta: Any
    ) -> tuple[Tensor, Tensor]:
        """Scale and offset of batch renormalisation."""
        least = math.sqrt(self.epsilon)
        spread = apply("maximum", self.renorm_stddev, least)
        r = apply("sqrt", variance + self.epsilon) / spread
        d = (mean - self.renorm_mean) / spread
        bounds = self.renorm_clipping or {}
        for name, op in (("rmin", "maximum"), ("rmax", "minimum")):
            r = r if bounds.get(name) is None else apply(op, r, bounds[name])
        if bounds.get("dmax") is not None:
            d = apply("minimum", apply("maximum", d, -bounds["dmax"]), bounds["dmax"])
        r, d = apply("stop_gradient", r), apply("stop_gradient", d)
        scale, offset = (r, d) if gamma is None else (r * gamma, d * gamma)
        return scale, offset if beta is None else offset + beta

    def _move_statistics(self, mean: Tensor, variance: Tensor) -> None:
        """Moving statistics follow those of the batch."""

        def follow(state: Variable, value: Tensor, momentum: Any) -> Tensor:
            state.assign(apply("moving_average", state, value, momentum))
            return value.graph.variable(state)

        follow(self.moving_mean, mean, self.momentum)
        if not self.renorm:
            follow(self.moving_variance, variance, self.momentum)
            return
        deviation = apply("sqrt", variance + self.epsilon)
        follow(self.renorm_mean, mean, self.renorm_momentum)
        follow(self.renorm_stddev, deviation, self.renorm_momentum)
        moved = follow(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(apply("relu", moved * moved - self.epsilon))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": False,
        }
