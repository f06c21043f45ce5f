"""Lambda: a function of tensors as a layer."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from ..utils.serialization import deserialize_keras_object, serialize_keras_object
from . import messages
from .layer import Layer


class Lambda(Layer):
    """A function of tensors as a layer.

    The function is made of operators and `dlnative.ops`. It owns no weights: what is to be trained
    belongs to a subclass of `Layer`.

    Args:
        function: Function of the inputs; if it has a parameter `training` or `mask`, it is given
            that of the call.
        output_shape: Accepted as in Keras; the shape is that of the result, and must be this one:
            a tuple without the batch, or a function of the input's shape.
        mask: Must be None.
        arguments: Dict of further arguments by name.

    Raises:
        TypeError: `function` cannot be called.
        ValueError: `mask` is given; or, when it is called, the result has another shape.

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import Lambda
        >>> Lambda(lambda x, power: x**power, arguments={"power": 3})(np.array([[2.0]]))
        array([[8.]], dtype=float32)

    Differs from Keras: there are no masks, and code is no part of configurations: a function that
    has a name is saved by it, as `register_keras_serializable` or `custom_objects` know it, and
    `get_config` of one without raises.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not callable(function):
            raise TypeError(f"Lambda: expected a function, received {function!r}")
        if mask is not None:
            raise ValueError("Lambda: masks are not available; mask must be None")
        self.function = function
        self.arguments = dict(arguments or {})
        self._output_shape = output_shape

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        told = inspect.signature(self.function).parameters
        state = {"mask": mask, "training": training}
        given = {**self.arguments, **{key: state[key] for key in state if key in told}}
        outputs = self.function(inputs, **given)
        wanted = self._output_shape
        if wanted is not None and hasattr(outputs, "shape") and hasattr(inputs, "shape"):
            shape = wanted(inputs.shape) if callable(wanted) else (inputs.shape[0], *wanted)
            if any(n is not None and n != m for n, m in zip(shape, outputs.shape)) or len(
                shape
            ) != len(outputs.shape):
                raise ValueError(
                    f"{messages.describe(self)}: expected output_shape {tuple(shape)}, the "
                    f"function returned shape {tuple(outputs.shape)}"
                )
        return outputs

    def get_config(self) -> dict[str, Any]:
        config = {"function": _record(self, self.function), "arguments": self.arguments}
        if self._output_shape is not None:
            wanted = self._output_shape
            config["output_shape"] = _record(self, wanted) if callable(wanted) else list(wanted)
        return {**super().get_config(), **config}

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: dict[str, Any] | None = None
    ) -> Lambda:
        config = dict(config)
        for key in ("function", "output_shape"):
            record = config.get(key)
            if isinstance(record, dict):
                if record.get("class_name") == "__lambda__":
                    raise ValueError(
                        f"Lambda {config.get('name')!r}: the configuration has the code of a "
                        "function, which is never run. Give the function a name and register it by "
                        "dlnative.utils.register_keras_serializable"
                    )
                config[key] = deserialize_keras_object(record, custom_objects)
            elif isinstance(record, list):
                config[key] = tuple(record)
        config.pop("mask", None)
        return super().from_config(config)  # type: ignore[return-value]


def _record(layer: Lambda, function: Any) -> Any:
    if getattr(function, "__name__", "") == "<lambda>":
        raise ValueError(
            f"{messages.describe(layer)}: a lambda has no name by which it could be saved, and "
            "code is no part of files. Write it with `def`, and register it by "
            "dlnative.utils.register_keras_serializable"
        )
    return serialize_keras_object(function)
