"""Wrapper: a layer around another one; SpectralNormalization of a layer's kernel."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .. import initializers
from ..graph import apply
from ..ops.normalization import normalize
from ..utils.serialization import deserialize_keras_object, serialize_keras_object
from . import messages
from .input_spec import InputSpec
from .layer import Layer
from .options import Fixed, positive_integer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


class Wrapper(Layer):
    """Base of layers around another one; a subclass gives `call`.

    Args:
        layer: The layer inside.
        **kwargs: `name`, `dtype`, `trainable`.

    Raises:
        ValueError: `layer` is no layer.

    Example:
        >>> import numpy as np
        >>> from dlnative import layers
        >>> class Twice(layers.Wrapper):
        ...     def call(self, inputs):
        ...         return self.layer(self.layer(inputs))
        >>> Twice(layers.Dense(3, kernel_initializer="identity"))(np.ones((1, 3)))
        array([[1., 1., 1.]], dtype=float32)
    """

    def __init__(self, layer: Layer, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"{type(self).__name__}: expected a layer, received {layer!r}")
        super().__init__(**kwargs)
        self.layer = layer

    def build(self, input_shape: Any = None) -> None:
        if not self.layer.built:
            self.layer.build(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize_keras_object(self.layer)}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Any:
        config = dict(config)
        config["layer"] = deserialize_keras_object(config["layer"], custom_objects)
        return super().from_config(config)


class SpectralNormalization(Wrapper):
    """A layer whose kernel is divided by its largest singular value in training.

    The kernel K, as a matrix (rest, out), has the largest singular value sigma = v K u^T, with unit
    vectors that come closer to the singular ones in each step of training:

    v = u K^T / |u K^T|, u = v K / |v K|, `power_iterations` times.

    The divided kernel takes the place of K, for the gradient and the update as well. A kernel of
    zeros stays.

    Args:
        layer: A layer with a `kernel` or `embeddings`.
        power_iterations: How often u and v are computed in a step.
        **kwargs: `name`, `dtype`.

    Raises:
        ValueError: `power_iterations` is below 1; when built, a layer without a kernel.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dense, SpectralNormalization
        >>> layer = SpectralNormalization(Dense(2, kernel_initializer="ones"))
        >>> layer(np.ones((1, 2)), training=True).round(3)
        array([[1., 1.]], dtype=float32)

    Differs from Keras: with JAX Keras divides by sigma while it computes the loss, and leaves K
    itself as it is: outside of training the layer is another one. With the other backends it is as
    here.

    Reference:
        Miyato et al. 2018, "Spectral normalization for generative adversarial networks".
    """

    power_iterations = Fixed(positive_integer)

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.power_iterations = power_iterations

    def build(self, input_shape: Shape) -> None:
        super().build(input_shape)
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        kernel = getattr(self.layer, "kernel", getattr(self.layer, "embeddings", None))
        if kernel is None:
            raise ValueError(
                f"{messages.describe(self)}: expected a layer with a kernel or embeddings, "
                f"received {messages.describe(self.layer)}"
            )
        self.kernel = kernel
        self.vector_u = self.add_weight(
            shape=(1, kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            name="vector_u",
            dtype=kernel.dtype,
        )

    def call(self, inputs: Tensor, training: bool = False) -> Any:
        if training:
            self._normalize(
                inputs.graph.variable(self.kernel), inputs.graph.variable(self.vector_u)
            )
        return self.layer(inputs)

    def _normalize(self, kernel: Tensor, first: Tensor) -> None:
        """Assigns the divided kernel and the next u."""
        matrix = apply("reshape", kernel, shape=(math.prod(kernel.shape[:-1]), kernel.shape[-1]))
        u = first
        for _ in range(self.power_iterations):
            v = normalize(apply("matmul", u, apply("transpose", matrix, axes=(1, 0))), axis=None)
            u = normalize(apply("matmul", v, matrix), axis=None)
        sigma = apply("sum", apply("matmul", v, matrix) * u)
        is_zero = apply("all", kernel == 0.0)
        self.vector_u.assign(apply("where", is_zero, first, u))
        self.kernel.assign(kernel / apply("where", is_zero, 1.0, sigma))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "power_iterations": self.power_iterations}
