"""Batch normalisation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import initializers
from ..graph import apply
from ..hyperparameters import Absent, StepNumber
from ..variables import Variable
from . import messages
from .input_spec import InputSpec
from .normalization import ScaledNormalization, move_axes_back, move_axes_last
from .options import Fixed, integer, resolved

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


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
        renorm, renorm_clipping, renorm_momentum: `renorm` must be False; the others have no effect.
        synchronized: Must be False.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        TypeError: An argument of the wrong type.
        ValueError: A number out of its range, or an option that is not available; when called, an
            input without that axis, or a mask.

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

    Differs from Keras: masks, `renorm` and `synchronized` are not available. From
    `torch.nn.BatchNorm2d`: its momentum is the share that is replaced (0.1 there is 0.9 here), its
    epsilon is 1e-5, and its moving variance is unbiased, n / (n - 1) times the one kept here.

    Reference:
        Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing
        internal covariate shift".
    """

    axis = Fixed(integer)
    momentum = StepNumber(0.0, 1.0)
    moving_mean_initializer = Fixed(resolved(initializers.get))
    moving_variance_initializer = Fixed(resolved(initializers.get))
    renorm = Absent("it is not available", only=False)
    synchronized = Absent("it is not available", only=False)

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
        self.synchronized = synchronized
        self.axis = axis
        self.momentum = momentum
        self.moving_mean_initializer = moving_mean_initializer
        self.moving_variance_initializer = moving_variance_initializer
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.moving_mean: Variable
        self.moving_variance: Variable

    def build(self, input_shape: Shape) -> None:
        position = self._position(self.axis, input_shape)
        shape = (input_shape[position],)
        self._add_scale(shape)
        self.moving_mean = self.add_weight(
            shape=shape,
            initializer=self.moving_mean_initializer,
            trainable=False,
            name="moving_mean",
        )
        self.moving_variance = self.add_weight(
            shape=shape,
            initializer=self.moving_variance_initializer,
            trainable=False,
            name="moving_variance",
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def call(self, inputs: Tensor, training: bool | None = None, mask: None = None) -> Tensor:
        if mask is not None:
            raise ValueError(
                f"{messages.describe(self)}: masks are not available; expected mask None"
            )
        x = move_axes_last(inputs, (self.axis,))
        gamma, beta = self._scale_and_offset()
        if training and self.trainable:
            y, mean, variance = apply("batch_norm_training", x, gamma, beta, epsilon=self.epsilon)
            for state, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
                state.assign(apply("moving_average", state, value, self.momentum))
        else:
            y = apply(
                "batch_norm",
                x,
                self.moving_mean,
                self.moving_variance,
                gamma,
                beta,
                epsilon=self.epsilon,
            )
        return move_axes_back(y, (self.axis,))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "renorm": False,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
            "synchronized": False,
        }
