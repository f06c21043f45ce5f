"""The base of the layers over sequences and images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..hyperparameters import Option
from ..ops import arguments
from . import messages
from .geometry import check_images, data_format
from .layer import UnaryLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


class SpatialLayer(UnaryLayer):
    """Base of the layers over sequences and images: a subclass computes with channels last.

    With `data_format="channels_first"` inputs are transposed, and results back. In a program the
    transposes between neighbours cancel out (`plan/subexpressions.py`).

    Attributes:
        rank: Number of spatial axes.
    """

    rank = 2
    data_format = Option(data_format)

    @property
    def _channels_first(self) -> bool:
        return self.data_format == "channels_first"

    def call(self, inputs: Tensor) -> Tensor:
        if not self._channels_first:
            return self.compute(inputs)
        y = self.compute(self._channels_last(inputs))
        return arguments.channels_first(y) if y.ndim == self.rank + 2 else y

    def compute(self, x: Tensor) -> Tensor:
        """The result for inputs with channels last."""
        raise NotImplementedError(f"{type(self).__name__} must implement compute(self, x)")

    def _channels_last(self, inputs: Tensor) -> Tensor:
        source = messages.source(inputs)
        check_images(self, inputs.shape, self.rank, source, channels_first=True)
        return arguments.channels_last(inputs)

    def _shape(self, input_shape: Shape) -> Shape:
        """A shape of inputs as if the channels were last."""
        if not self._channels_first:
            return input_shape
        check_images(self, input_shape, self.rank, channels_first=True)
        return (input_shape[0], *input_shape[2:], input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}
