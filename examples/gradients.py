"""Gradients, for steps of one's own: what every backend of Keras writes in its own way."""

from typing import Any

import dlnative


def gradients(loss_fn: Any, variables: list) -> tuple[Any, list]:
    """The loss that `loss_fn()` returns, and its gradients by `variables`."""
    return dlnative.value_and_grad(loss_fn, variables)()
