"""The part of a layer that becomes a configuration and is made of one."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import config as settings
from .. import regularizers
from ..utils import nest, signatures
from . import messages
from .state import LayerState


class Configurable(LayerState):
    """`get_config` and `from_config`; without a `get_config` plain arguments are remembered."""

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments, as plain values, that make the same layer again."""
        is_inherited = type(self).get_config is Configurable.get_config
        return self._automatic_config() if is_inherited else self._base_config()

    def _base_config(self) -> dict[str, Any]:
        """What every layer has in its configuration."""
        config = {"name": self.name, "trainable": self._trainable, "dtype": self._dtype}
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = regularizers.serialize(self.activity_regularizer)
        return config

    def _automatic_config(self) -> dict[str, Any]:
        """The configuration of a class without a `get_config` of its own."""
        config = {**self._remembered_arguments(), **self._base_config()}
        known = signatures.constructor_parameters(type(self))
        return {key: value for key, value in config.items() if key in known}

    def _remembered_arguments(self) -> dict[str, Any]:
        """The arguments that the constructor was called with, if all are plain values."""
        import inspect

        args, kwargs = self._init_arguments
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs)
        bound.apply_defaults()
        found = {}
        for parameter in list(signature.parameters.values())[1:]:
            value = bound.arguments[parameter.name]
            if parameter.kind is parameter.VAR_KEYWORD:
                found.update(value)
            elif parameter.kind is parameter.VAR_POSITIONAL and value:
                found[parameter.name] = object()  # cannot be given by name
            elif parameter.kind is not parameter.VAR_POSITIONAL:
                found[parameter.name] = value
        found.pop("activity_regularizer", None)
        if found.get("autocast", True) is True:
            found.pop("autocast", None)
        for key, value in found.items():
            plain = (str, int, float, bool, type(None))
            if not all(isinstance(leaf, plain) for leaf in nest.flatten(value)):
                raise NotImplementedError(
                    f"{messages.describe(self)}: its argument {key!r} is not a plain value, so the "
                    "class must implement get_config"
                )
        return found

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer of a configuration that `get_config` returned."""
        config = dict(config)
        dtype = config.get("dtype")
        if isinstance(dtype, dict):  # a DTypePolicy of Keras
            config["dtype"] = dtype["config"]["name"]
        return cls(**config)


def float_dtype(owner: str, dtype: Any) -> str:
    """Name of a layer's dtype."""
    if dtype is None:
        return settings.dtype_policy().name
    if isinstance(dtype, dict):
        dtype = dtype.get("config", {}).get("name")
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", None)
    if name is None:
        try:
            name = np.dtype(dtype).name
        except TypeError:
            raise TypeError(f"{owner}: expected a dtype, received {dtype!r}") from None
    if name not in ("float32", "float64"):
        raise ValueError(f"{owner}: expected dtype 'float32' or 'float64', received {name!r}")
    return name
