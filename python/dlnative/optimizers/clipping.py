"""Gradients cut to a range or shrunk to a norm.

Reference: Pascanu et al. 2013, "On the Difficulty of Training Recurrent Neural Networks".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import ops
from ..graph.tensor import Tensor, apply

if TYPE_CHECKING:
    from .optimizer import Optimizer


def clip_gradients(optimizer: Optimizer, grads: Sequence[Tensor]) -> list[Tensor]:
    """The gradients as `clipnorm`, `clipvalue` or `global_clipnorm` of an optimizer want them."""
    if optimizer.is_on("clipnorm"):
        limit = optimizer.clipnorm
        return [g * (limit / ops.maximum(apply("global_norm", g), limit)) for g in grads]
    if optimizer.is_on("clipvalue"):
        limit = optimizer.clipvalue
        return [ops.minimum(ops.maximum(g, -limit), limit) for g in grads]
    if optimizer.is_on("global_clipnorm"):
        limit = optimizer.global_clipnorm
        norm = apply("global_norm", *grads)
        # NaN where the norm is not finite, so that divergence is seen.
        scale = limit / ops.maximum(norm, limit) + (norm - norm)
        return [g * scale for g in grads]
    return list(grads)
