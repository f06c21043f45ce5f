"""Layers that prepare raw data inside the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import apply
from ..hyperparameters import Option
from ..utils.serialization import deserialize_keras_object
from . import messages
from .layer import UnaryLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import ArrayLike


def _numbers(layer: Any, argument: str, value: Any) -> float | np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{messages.describe(layer)}: expected {argument} to be a number or an array, "
            f"received {value!r}"
        )
    return float(array) if array.ndim == 0 else array.astype(np.float64)


class Rescaling(UnaryLayer):
    """y = x * scale + offset, in training and inference alike

    Args:
        scale: A number, or an array that broadcasts to the last axes of the input.
        offset: A number, or an array like `scale`.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `scale` or `offset` is neither a number nor an array of numbers.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Rescaling
        >>> Rescaling(1 / 256)(np.array([[0, 64, 128]], dtype=np.uint8))
        array([[0.  , 0.25, 0.5 ]], dtype=float32)
    """

    scale = Option(_numbers)
    offset = Option(_numbers)

    def __init__(self, scale: ArrayLike, offset: ArrayLike = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        if isinstance(self.scale, float) and isinstance(self.offset, float):
            return apply("rescale", inputs, scale=self.scale, offset=self.offset)
        constant = inputs.graph.constant
        scaled = apply("multiply", inputs, constant(self.scale, inputs.dtype))
        return apply("add", scaled, constant(self.offset, inputs.dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "scale": self.scale if isinstance(self.scale, float) else self.scale.tolist(),
            "offset": self.offset if isinstance(self.offset, float) else self.offset.tolist(),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        config = dict(config)
        for key in ("scale", "offset"):
            config[key] = deserialize_keras_object(config.get(key, 0.0))
        return super().from_config(config)
