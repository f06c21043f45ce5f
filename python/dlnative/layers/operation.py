"""Operation: a computation without state, between the layers of a functional model or on arrays."""

from __future__ import annotations

from typing import Any

from .layer import Layer


class Operation(Layer):
    """The base class of computations of one's own that have no weights.

    A subclass implements `call`. Called on symbolic tensors it becomes a part of the model, without
    being among its `layers`; called on arrays it computes at once.

    Args:
        name: Its name; by default that of the class.

    Example:
        >>> import numpy as np
        >>> class Scale(Operation):
        ...     def __init__(self, factor, name=None):
        ...         super().__init__(name=name)
        ...         self.factor = factor
        ...
        ...     def call(self, x):
        ...         return x * self.factor
        >>> np.asarray(Scale(3.0)(np.ones(2)))
        array([3., 3.], dtype=float32)

    Differs from Keras: it is a layer, while there layers are operations, so that
    `isinstance(layer, Operation)` holds for none of the other layers.
    """

    _public_module = "keras"
    is_listed = False

    def __init__(self, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
