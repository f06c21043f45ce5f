"""keras.ops.linalg: the public ops of linear algebra under the names that Keras has there."""

from __future__ import annotations

from .namespaces import namespace

__getattr__, __dir__ = namespace(__name__, ("norm",))
