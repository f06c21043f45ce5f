"""Embedding: a vector of its own for each index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..hyperparameters import Absent
from ..regularizers import serialize
from ..utils.warn import warn_user
from ..variables import Variable
from .low_rank import LowRankLayer
from .options import Fixed, positive_integer, weight_config

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


class Embedding(LowRankLayer):
    """y[..., :] = embeddings[x[...], :]

    The gradient of a row is the sum of those of all places where its index stands, in their order,
    so that it does not depend on threads. Optimizers see a dense gradient, as in Keras: rows whose
    index does not occur are moved by momentum and weight decay, too.

    Shapes: x (batch, ...) of integers in [0, input_dim), embeddings (input_dim, output_dim),
    y (batch, ..., output_dim).

    Args:
        input_dim: How many indices there are.
        output_dim: Size of their vectors.
        embeddings_initializer: See `initializers.get`.
        embeddings_regularizer: See `regularizers.get`.
        embeddings_constraint: See `constraints.get`.
        mask_zero: Must be False: there are no masks.
        weights: Array (input_dim, output_dim) of first values, or a list with one.
        lora_rank, lora_alpha: The embeddings are frozen and adapted by a product of that rank, see
            `enable_lora`.
        quantization_config: Must be None.
        **kwargs: `name`, `dtype`, `trainable`, `activity_regularizer`.

    Raises:
        TypeError: A size is not an integer.
        ValueError: A size is below 1, an option that is not available, or `weights` of another
            shape; when called, an index out of range, before anything has changed.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Embedding
        >>> layer = Embedding(3, 2, weights=np.arange(6.0).reshape(3, 2))
        >>> layer(np.array([[2, 0]]))
        array([[[4., 5.],
                [0., 1.]]], dtype=float32)

    Differs from Keras: an index out of range raises; with JAX its vector is NaN. Negative ones
    count from the end, as there. Masks and quantization are not available. `embeddings` is the
    weight itself, also where it is adapted.
    """

    _adapted = "embeddings"
    _configured = ("embeddings",)
    input_dim = Fixed(positive_integer)
    output_dim = Fixed(positive_integer)
    mask_zero = Absent("there are no masks; give layers that take one a mask of their own", False)

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Identifier = "uniform",
        embeddings_regularizer: Identifier = None,
        embeddings_constraint: Identifier = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warn_user("Embedding: input_length has no effect and may be left out")
        kwargs["autocast"] = False  # floats are indices, too
        super().__init__(**kwargs)
        self._set_low_rank(lora_rank, lora_alpha, quantization_config)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero
        self._set_weight_options(
            embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )
        self.embeddings: Variable
        if weights is not None:
            self.build()
            is_list = isinstance(weights, list) and len(weights) == 1
            self.embeddings.assign(weights[0] if is_list else weights)

    def build(self, input_shape: Shape | None = None) -> None:
        if not self.built:
            shape = (self.input_dim, self.output_dim)
            self.embeddings = self._add_configured("embeddings", shape)
            self._build_low_rank()

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.dtype not in ("int32", "int64"):
            inputs = apply("cast", inputs, dtype="int32")
        return apply("take", self._weight(inputs.graph), inputs, axis=0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "activity_regularizer": serialize(self.activity_regularizer),
            "mask_zero": self.mask_zero,
            **weight_config(self, self._configured),
        }
