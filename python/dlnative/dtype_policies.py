"""In which dtypes a layer keeps its weights and computes."""

from __future__ import annotations

from typing import Any

from . import config
from .graph.dtypes import FLOATS

__all__ = ["DTypePolicy", "FloatDTypePolicy", "deserialize", "get", "serialize"]


class DTypePolicy:
    """The dtype of a layer's weights and that of its computation.

    Args:
        name: "float32" or "float64", for both; `config.floatx()` by default.

    Attributes:
        variable_dtype: Of weights, where `add_weight` is not given another.
        compute_dtype: What floating inputs are cast to before `call` sees them.

    Example:
        >>> from dlnative import layers
        >>> layers.Dense(3, dtype="float64").dtype_policy
        <DTypePolicy "float64">

    Differs from Keras: there are no mixed policies yet; they raise ValueError.
    """

    _public_module = "keras"

    def __init__(self, name: str | None = None) -> None:
        name = config.floatx() if name is None else name
        if name not in FLOATS:
            raise ValueError(f"DTypePolicy: expected 'float32' or 'float64', received {name!r}")
        self._name = name

    @property
    def name(self) -> str:
        """The name it was made of."""
        return self._name

    @property
    def variable_dtype(self) -> str:
        """The dtype of weights."""
        return self._name

    @property
    def compute_dtype(self) -> str:
        """The dtype of the computation."""
        return self._name

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same policy again."""
        return {"name": self._name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> DTypePolicy:
        """The policy of a configuration that `get_config` gave."""
        return cls(**config)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DTypePolicy) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self._name)

    def __repr__(self) -> str:
        return f'<DTypePolicy "{self._name}">'


FloatDTypePolicy = DTypePolicy


def get(identifier: Any) -> DTypePolicy:
    """A DTypePolicy of itself, its name, its configuration, or None for `config.dtype_policy()`.

    Raises:
        ValueError: It is none of these.
    """
    from .utils.serialization import deserialize_keras_object

    if identifier is None:
        return config.dtype_policy()
    if isinstance(identifier, dict):
        identifier = deserialize_keras_object(identifier)
    if isinstance(identifier, str):
        return DTypePolicy(identifier)
    if not isinstance(identifier, DTypePolicy):
        raise ValueError(
            f"dtype_policies.get: expected a DTypePolicy, its name or configuration, received "
            f"{identifier!r}"
        )
    return identifier


def serialize(dtype_policy: DTypePolicy) -> dict[str, Any]:
    """The configuration of a policy, as Keras writes it."""
    from .utils.serialization import serialize_keras_object

    return serialize_keras_object(dtype_policy)


def deserialize(config: dict[str, Any]) -> DTypePolicy:
    """The policy of a configuration.

    Raises:
        ValueError: It is not that of a policy.
    """
    return get(config)
