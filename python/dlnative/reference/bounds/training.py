"""Bounds of losses, metrics, updates and what else changes state."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import reference
from ...graph.ops.losses import LOSSES
from ...graph.types import Attributes
from .table import Arrays, absolute, bounded, filled

# --- losses, metrics, state -----------------------------------------------------------------------


def loss_error(pred: Any, exact: Any, eps: float) -> Any:
    """8 ulp of each of the terms, which are at most |pred| and the logarithm of 1e-7, and a sum."""
    classes = pred.shape[-1]
    largest = np.max(np.abs(pred), axis=-1, initial=0.0)
    return (8 + 2 * classes) * eps * (1 + classes) * (largest + 20 + np.abs(exact))


@bounded(*LOSSES)
def loss(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return loss_error(inputs[0], exact[0], eps)


def gradient_error(pred: Any, dloss: Any, dpred: Any, eps: float) -> Any:
    """Of dloss times values of up to 1, or of terms as large as the largest of the gradient."""
    spread = np.max(np.abs(dpred), axis=-1, keepdims=True, initial=0.0) + np.abs(dloss)[..., None]
    return (16 + 2 * pred.shape[-1]) * eps * 2 * spread


@bounded(*(f"{name}_backward" for name in LOSSES))
def loss_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    return gradient_error(inputs[1], inputs[0], exact[0], eps)


@bounded(*(f"{name}_with_gradient" for name in LOSSES))
def loss_with_gradient(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    pred, labels, weight = filled(inputs, 3)
    scale = abs(attributes.get("scale", 1.0))
    options = {k: v for k, v in attributes.items() if k == "label_smoothing"}
    losses = getattr(reference, name.removesuffix("_with_gradient"))(pred, labels, **options)
    weight = np.ones(losses.shape) if weight is None else np.abs(weight)
    terms = loss_error(pred, losses, eps) + (losses.size + 4) * eps * np.abs(losses)
    return [scale * np.sum(weight * terms), gradient_error(pred, scale * weight, exact[1], eps)]


@bounded("weighted_sum")
def weighted_sum(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    scale = abs(attributes.get("scale", 1.0))
    values, *weight = absolute(inputs)
    total = reference.weighted_sum(values, weight[0] if weight else None, scale)
    return (inputs[0].size + 4) * eps * total


@bounded("binary_accuracy")
def binary_accuracy(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    return 2 * eps


@bounded("accumulate_mean")
def accumulate_mean(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    return (inputs[1].size + 4) * eps * reference.accumulate_mean(*absolute(inputs))


@bounded("moving_average")
def moving_average(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    return 4 * eps * (np.abs(inputs[0]) + np.abs(inputs[1]))


@bounded("sgd", "adam")
def update(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    """Some roundings of terms that are as large as the inputs, or as what is subtracted."""
    size = 1 + sum(np.abs(a) + np.abs(a) ** 2 for a in inputs if a is not None and a.ndim)
    return [64 * eps * (size + np.abs(result)) for result in exact]


@bounded("global_norm")
def clipped(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    return 16 * eps * np.abs(exact[0])
