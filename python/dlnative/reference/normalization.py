"""Batch, layer and group normalisation, their gradients, and moving averages.

All of them subtract a mean and divide by a standard deviation; they differ in the elements that
these are taken over. With `xhat = (x - mean) / sqrt(variance + epsilon)`:

    y = xhat * gamma + beta

Shape legend: `x`, `y`, `dy`, `dx` and `residual` (..., C), channels last. For batch and
group normalisation `gamma`, `beta` and their gradients are (C,). An absent gamma counts as 1,
an absent beta as 0; the gradients for both are always returned. Variances are biased: sums of
squared deviations divided by the number of elements. Dtypes: float32 or float64, the same for all.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import DTypeLike

from ._arrays import Array, as_array, check_shape
from .activations import relu, relu_backward


def batch_norm(
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    residual: Array | None = None,
    epsilon: float = 1e-3,
    activation: str | None = None,
) -> Array:
    """Normalise every channel with given statistics: `y = act(xhat * gamma + beta + residual)`.

    `mean` and `variance` (C,); `activation` is None or "relu".

    Raises:
        ValueError: Another activation.
    """
    y = _affine((x - mean) / np.sqrt(variance + epsilon), gamma, beta)
    if residual is not None:
        check_shape("batch_norm", "residual", residual, x.shape)
        y = y + residual
    return _activate("batch_norm", as_array(y, x.dtype), activation)


def batch_norm_backward(
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Gradients of `batch_norm`, its statistics being constants: `(dx, dgamma, dbeta)`.

    `dx = dy * gamma / sqrt(variance + epsilon)`, `dgamma = sum(dy * xhat)`, `dbeta = sum(dy)`
    over all axes but the last.
    """
    rows = tuple(range(x.ndim - 1))
    deviation = np.sqrt(variance + epsilon)
    xhat = (x - mean) / deviation
    dx = _affine(dy, gamma, None) / deviation
    return (
        as_array(dx, x.dtype),
        _sum(dy * xhat, rows, x.dtype),
        _sum(dy, rows, x.dtype),
    )


def batch_norm_training(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    residual: Array | None = None,
    moments: Array | None = None,
    epsilon: float = 1e-3,
    activation: str | None = None,
) -> tuple[Array, Array, Array]:
    """Normalise every channel with its own statistics over all other axes.

    `mean = sum(x) / n`, `variance = sum((x - mean)^2) / n`, and `y` as in `batch_norm`.
    Returns `(y, mean, variance)`; over no rows at all both are 0. With `moments` (blocks, 2, C)
    the statistics are merged from those of `blocks` runs of equally many rows, each with its mean
    and its sum of squared deviations from it.

    Raises:
        ValueError: Another activation than None or "relu".

    Reference: Ioffe and Szegedy 2015, "Batch Normalization: Accelerating Deep Network Training by
    Reducing Internal Covariate Shift", algorithm 1; merging: Chan, Golub and LeVeque 1979,
    "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances".
    """
    if moments is None or x.size == 0:
        mean, variance = _statistics(x, tuple(range(x.ndim - 1)))
        mean, variance = mean.reshape(-1), variance.reshape(-1)
    else:
        means, squares = as_array(moments, np.float64).transpose(1, 0, 2)
        count = math.prod(x.shape[:-1])
        mean = np.mean(means, axis=0)
        between = count / len(means) * np.sum(np.square(means - mean), axis=0)
        variance = (np.sum(squares, axis=0) + between) / count
    mean, variance = as_array(mean, x.dtype), as_array(variance, x.dtype)
    return batch_norm(x, mean, variance, gamma, beta, residual, epsilon, activation), mean, variance


def batch_norm_training_backward(
    dy: Array,
    x: Array,
    mean: Array,
    variance: Array,
    gamma: Array | None = None,
    saved: Array | None = None,
    epsilon: float = 1e-3,
    activation: str | None = None,
    residual: bool = False,
) -> tuple[Array, ...]:
    """Gradients of `batch_norm_training`: `(dx, dgamma, dbeta)`.

    With `activation="relu"` the cotangent first passes the activation, whose output `y` is
    `saved`; with `residual` what it is then is the fourth result, the gradient of the residual.
    The statistics depend on `x`, so that, with sums over all axes but the last and n their
    number of elements,

        dx = gamma / sqrt(variance + epsilon) * (dy - sum(dy) / n - xhat * sum(dy * xhat) / n)

    Raises:
        ValueError: Another activation than None or "relu", or no `saved` with it.
    """
    if activation is not None:
        if saved is None:
            raise ValueError("batch_norm_training_backward: expected 'saved', the output.")
        _activate("batch_norm_training_backward", x, activation)
        dy = relu_backward(dy, saved)
    rows = tuple(range(x.ndim - 1))
    count = max(1, math.prod(x.shape[:-1]))
    deviation = np.sqrt(variance + epsilon)
    xhat = (x - mean) / deviation
    dbeta = _sum(dy, rows, x.dtype)
    dgamma = _sum(dy * xhat, rows, x.dtype)
    centred = dy - dbeta / count - xhat * dgamma / count
    dx = as_array(_affine(centred, gamma, None) / deviation, x.dtype)
    return (dx, dgamma, dbeta, np.array(dy)) if residual else (dx, dgamma, dbeta)


def moving_average(state: Array, value: Array, momentum: float | Array) -> Array:
    """Let `state` follow `value`: `state * momentum + value * (1 - momentum)`.

    The momentum is a number or a float64 scalar; it and 1 - momentum are rounded to the dtype.

    Raises:
        ValueError: `value` has another shape than `state`.
    """
    check_shape("moving_average", "value", value, state.shape)
    keep, take = (as_array(share, state.dtype) for share in (momentum, 1.0 - momentum))
    return as_array(state * keep + value * take, state.dtype)


def layer_norm(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    axes: int = 1,
    epsilon: float = 1e-3,
) -> Array:
    """Normalise every sample over its last `axes` axes: `y = xhat * gamma + beta`.

    `gamma` and `beta` have the shape of those axes.

    Reference: Ba, Kiros and Hinton 2016, "Layer Normalization", equation 4.
    """
    xhat, _ = _standardise(x, _last(x, axes), epsilon)
    return as_array(_affine(xhat, gamma, beta), x.dtype)


def layer_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None = None,
    axes: int = 1,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Gradients of `layer_norm`: `(dx, dgamma, dbeta)`; the statistics are computed again.

    With `g = dy * gamma` and means over the last `axes` axes,
    `dx = (g - mean(g) - xhat * mean(g * xhat)) / sqrt(variance + epsilon)`; `dgamma` and
    `dbeta` are the sums of `dy * xhat` and `dy` over the other axes.
    """
    last = _last(x, axes)
    samples = tuple(range(x.ndim - axes))
    xhat, deviation = _standardise(x, last, epsilon)
    dx = _centre(_affine(dy, gamma, None), xhat, last) / deviation
    return (
        as_array(dx, x.dtype),
        _sum(dy * xhat, samples, x.dtype),
        _sum(dy, samples, x.dtype),
    )


def group_norm(
    x: Array,
    gamma: Array | None = None,
    beta: Array | None = None,
    groups: int = 32,
    epsilon: float = 1e-3,
) -> Array:
    """Normalise every sample over each group of neighbouring channels and all inner axes.

    `x` (batch, ..., C) with C a multiple of `groups`; the statistics are over `...` and the
    C / groups channels of a group. One group is layer normalisation over all axes but with a gamma
    per channel; C groups are instance normalisation.

    Reference: Wu and He 2018, "Group Normalization", equations 1 to 7.
    """
    grouped, inner = _grouped(x, groups)
    xhat, _ = _standardise(grouped, inner, epsilon)
    return as_array(_affine(xhat.reshape(x.shape), gamma, beta), x.dtype)


def group_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array | None = None,
    groups: int = 32,
    epsilon: float = 1e-3,
) -> tuple[Array, Array, Array]:
    """Gradients of `group_norm`: `(dx, dgamma, dbeta)`, dx as in `layer_norm_backward`."""
    rows = tuple(range(x.ndim - 1))
    grouped, inner = _grouped(x, groups)
    xhat, deviation = _standardise(grouped, inner, epsilon)
    g, _ = _grouped(_affine(dy, gamma, None), groups)
    dx = (_centre(g, xhat, inner) / deviation).reshape(x.shape)
    return (
        as_array(dx, x.dtype),
        _sum(dy * xhat.reshape(x.shape), rows, x.dtype),
        _sum(dy, rows, x.dtype),
    )


def _affine(x: Array, gamma: Array | None, beta: Array | None) -> Array:
    scaled = x if gamma is None else x * gamma
    return scaled if beta is None else scaled + beta


def _activate(op: str, x: Array, activation: str | None) -> Array:
    if activation not in (None, "relu"):
        raise ValueError(f"{op}: expected activation None or 'relu', received {activation!r}.")
    return x if activation is None else relu(x)


def _last(x: Array, axes: int) -> tuple[int, ...]:
    return tuple(range(x.ndim - axes, x.ndim))


def _grouped(x: Array, groups: int) -> tuple[Array, tuple[int, ...]]:
    """`x` as (batch, ..., groups, C / groups), and the axes of a group's statistics."""
    grouped = x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)
    return grouped, (*range(1, x.ndim - 1), x.ndim)


def _sum(x: Array, axes: tuple[int, ...], dtype: DTypeLike) -> Array:
    """The sum in float64: one row after the other, 100,000 rows in float32 would lose digits."""
    return as_array(np.sum(x, axis=axes, dtype=np.float64), dtype)


def _statistics(x: Array, axes: tuple[int, ...]) -> tuple[Array, Array]:
    """Mean and biased variance in float64, `axes` kept with size 1; 0 of no elements."""
    count = max(1, math.prod(x.shape[a] for a in axes))
    mean = np.sum(x, axis=axes, keepdims=True, dtype=np.float64) / count
    return mean, np.sum(np.square(x - mean), axis=axes, keepdims=True) / count


def _standardise(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Array]:
    """`xhat` and `sqrt(variance + epsilon)`, with statistics over `axes`."""
    mean, variance = _statistics(x, axes)
    deviation = np.sqrt(variance + epsilon)
    return (x - mean) / deviation, deviation


def _centre(g: Array, xhat: Array, axes: tuple[int, ...]) -> Array:
    """`g` less its mean and its part along `xhat`: what flows through the statistics."""
    count = max(1, math.prod(g.shape[a] for a in axes))
    mean = np.sum(g, axis=axes, keepdims=True) / count
    along = np.sum(g * xhat, axis=axes, keepdims=True) / count
    return g - mean - xhat * along
