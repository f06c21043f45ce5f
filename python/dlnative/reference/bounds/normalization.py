"""Bounds of normalisation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import reference
from ...graph.types import Attributes
from .table import Arrays, absolute, bounded, filled

# --- normalisation --------------------------------------------------------------------------------


@bounded("batch_norm")
def batch_norm(name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float) -> Any:
    x, mean, variance, gamma, beta, residual = absolute(filled(inputs, 6))
    deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
    terms = (x + mean) / deviation * (1 if gamma is None else gamma)
    return 8 * eps * (terms + (0 if beta is None else beta) + (0 if residual is None else residual))


@bounded("batch_norm_backward")
def batch_norm_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, x, mean, variance, _ = absolute(filled(inputs, 5))
    count = x.size // max(1, x.shape[-1])
    terms = dy * (x + mean) / np.sqrt(variance + attributes.get("epsilon", 1e-3))
    sums = [reference.bias_backward(terms), reference.bias_backward(dy)]
    return [8 * eps * np.abs(exact[0]), *((count + 8) * eps * total for total in sums)]


@bounded("batch_norm_training")
def batch_norm_training(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    x, gamma, beta, residual, moments = filled(inputs, 5)
    _, mean, variance = exact
    axes, count = tuple(range(x.ndim - 1)), x.size // max(1, x.shape[-1])
    if moments is None:
        error = standard_error(x, axes, eps, attributes.get("epsilon", 1e-3))
        wrong = [(count + 16) * eps * reference.mean(np.abs(x), axis=axes), None]
        wrong[1] = (count + 16) * eps * (variance + np.abs(mean) * np.sqrt(variance) * 2)
        wrong[1] = wrong[1] + wrong[0] ** 2
    else:
        deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
        error = 32 * eps * (1 + (np.abs(x) + np.abs(mean)) / deviation)
        wrong = [8 * eps * np.abs(mean), 8 * eps * variance]
    error = error * (1 if gamma is None else np.abs(gamma))
    for added in (beta, residual):
        error = error + (0 if added is None else 8 * eps * np.abs(added))
    return [error, *wrong]


def standard_error(x: Any, axes: tuple[int, ...], eps: float, epsilon: float) -> Any:
    """The error of xhat, its statistics being sums over `axes`.

    The mean is wrong by (n + 2) u mean|x|, and the variance by a share of (n + 16) u beside that.
    """
    n = max(1, math.prod(x.shape[a] for a in axes))
    xhat, deviation = reference.normalization._standardise(x, axes, epsilon)
    size = np.sum(np.abs(x), axis=axes, keepdims=True) / n
    return (n + 16) * eps * (1 + np.abs(xhat)) * (1 + (size + np.abs(x)) / deviation)


def norm_backward(
    dy: Any,
    x: Any,
    xhat: Any,
    error: Any,
    deviation: Any,
    gamma: Any,
    axes: tuple[int, ...],
    eps: float,
) -> Any:
    """The bound of dx = (g - mean(g) - xhat mean(g xhat)) / deviation, g = dy gamma."""
    n = max(1, math.prod(x.shape[a] for a in axes))
    g = np.abs(dy) * (1 if gamma is None else np.abs(gamma))

    def mean(values: Any) -> Any:
        return np.sum(values, axis=axes, keepdims=True) / n

    along = mean(g * np.abs(xhat))
    terms = g + mean(g) + np.abs(xhat) * along
    return ((n + 32) * eps * terms + error * (along + terms) + np.abs(xhat) * mean(g * error)) / (
        deviation
    )


@bounded("batch_norm_training_backward")
def batch_norm_training_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, x, mean, variance, gamma, _ = filled(inputs, 6)
    axes, count = tuple(range(x.ndim - 1)), x.size // max(1, x.shape[-1])
    deviation = np.sqrt(variance + attributes.get("epsilon", 1e-3))
    xhat = (x - mean) / deviation
    error = 8 * eps * (1 + (np.abs(x) + np.abs(mean)) / deviation)
    dx = norm_backward(dy, x, xhat, error, deviation, gamma, axes, eps)
    dgamma = np.sum((count + 8) * eps * np.abs(dy * xhat) + np.abs(dy) * error, axis=axes)
    dbeta = (count + 2) * eps * np.sum(np.abs(dy), axis=axes)
    return [dx, dgamma, dbeta, 0.0][: len(exact)]


def of_sample(name: str, x: Any, attributes: Attributes) -> Any:
    """x with the axes of a sample's statistics, and what undoes the change of shape."""
    if name.startswith("layer"):
        return x, tuple(range(x.ndim - attributes.get("axes", 1), x.ndim))
    return reference.normalization._grouped(x, attributes.get("groups", 32))


@bounded("layer_norm", "group_norm")
def sample_norm(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    x, gamma, beta = filled(inputs, 3)
    grouped, axes = of_sample(name, x, attributes)
    error = standard_error(grouped, axes, eps, attributes.get("epsilon", 1e-3)).reshape(x.shape)
    error = error * (1 if gamma is None else np.abs(gamma))
    return error + 4 * eps * (np.abs(exact[0]) + (0 if beta is None else np.abs(beta)))


@bounded("layer_norm_backward", "group_norm_backward")
def sample_norm_backward(
    name: str, inputs: Arrays, attributes: Attributes, exact: Arrays, eps: float
) -> Any:
    dy, x, gamma = filled(inputs, 3)
    grouped, axes = of_sample(name, x, attributes)
    error = standard_error(grouped, axes, eps, attributes.get("epsilon", 1e-3))
    xhat, deviation = reference.normalization._standardise(
        grouped, axes, attributes.get("epsilon", 1e-3)
    )
    g = dy if gamma is None else dy * gamma
    dx = norm_backward(
        g.reshape(grouped.shape), grouped, xhat, error, deviation, None, axes, eps
    ).reshape(x.shape)
    samples = tuple(range(x.ndim - exact[1].ndim))
    count = max(1, math.prod(x.shape[a] for a in samples))
    xhat, error = xhat.reshape(x.shape), error.reshape(x.shape)
    dgamma = np.sum((count + 8) * eps * np.abs(dy * xhat) + np.abs(dy) * error, axis=samples)
    return [dx, dgamma, (count + 2) * eps * np.sum(np.abs(dy), axis=samples)]
