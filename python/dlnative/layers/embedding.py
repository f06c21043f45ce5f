"""Embedding: a vector of its own for each index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..hyperparameters import Absent
from ..regularizers import serialize
from ..utils.warn import warn_user
from ..variables import Variable
from .core import without_unset_options
from .layer import UnaryLayer
from .options import Fixed, positive_integer, weight_config

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape
    from ..utils.serialization import Identifier


class Embedding(UnaryLayer):
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
    count from the end, as there. Masks, LoRA and quantization are not available.
    """

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
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("input_length", None) is not None:
            warn_user("Embedding: input_length has no effect and may be left out")
        kwargs["autocast"] = False  # floats are indices, too
        super().__init__(**kwargs)
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
            self.set_weights(weights if is_list else [weights])

    def build(self, input_shape: Shape | None = None) -> None:
        if not self.built:
            shape = (self.input_dim, self.output_dim)
            self.embeddings = self._add_configured("embeddings", shape)

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.dtype not in ("int32", "int64"):
            inputs = apply("cast", inputs, dtype="int32")
        return apply("take", self.embeddings, inputs, axis=0)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "input_dim": self.input_dim,
            "output_dim": self.output_dim,
            "activity_regularizer": serialize(self.activity_regularizer),
            "mask_zero": self.mask_zero,
            **weight_config(self, self._configured),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return super().from_config(without_unset_options(config))
