"""Pipeline: layers one after the other, in training unless told otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..utils import signatures
from ..utils.serialization import deserialize_keras_object, serialize_keras_object
from . import tracking
from .layer import Layer


class Pipeline(Layer):
    """y = the last of `layers` of ... of the first of x

    It is meant for the augmentation of data: called on its own it is in training.

    Args:
        layers: The layers, in their order.
        name: Name of the layer.

    Raises:
        TypeError: One of them is no layer.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Dropout, Pipeline, Rescaling
        >>> pipeline = Pipeline([Rescaling(2.0), Dropout(0.5, seed=1)])
        >>> sorted(set(pipeline(np.ones((10, 10))).flatten().tolist()))
        [0.0, 4.0]
        >>> sorted(set(pipeline(np.ones((10, 10)), training=False).flatten().tolist()))
        [2.0]
    """

    _pipeline_layers: list[Layer]

    def __init__(self, layers: Sequence[Layer], name: str | None = None) -> None:
        super().__init__(name=name)
        for layer in layers:
            if not isinstance(layer, Layer):
                raise TypeError(f"Pipeline: expected a list of layers, received {layer!r} in it")
        self.__dict__["_pipeline_layers"] = list(layers)
        tracking.track(self, "layers", self._pipeline_layers)  # by which files know them

    @property
    def layers(self) -> list[Layer]:
        """The layers, in their order."""
        return list(self._pipeline_layers)

    def call(self, inputs: Any, training: bool | None = True, mask: Any = None) -> Any:
        told = {} if training is None else {"training": training}
        for layer in self._pipeline_layers:
            masked = {"mask": mask} if "mask" in signatures.parameters(layer.call) else {}
            inputs, mask = layer(inputs, **told, **masked), None
        return inputs

    def get_config(self) -> dict[str, Any]:
        return {"layers": serialize_keras_object(self._pipeline_layers), "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        given = config.get("layers")
        if not isinstance(given, (list, tuple)):
            raise ValueError(f"Pipeline: expected a list of layers in the config, received {given}")
        return cls(**{**config, "layers": [deserialize_keras_object(each) for each in given]})
