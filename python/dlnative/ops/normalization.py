"""keras.ops: normalisation by moments and norms."""

from __future__ import annotations

import math
from typing import Any

from .. import config
from ..graph.dtypes import FLOATS, float_type
from ..graph.tensor import Tensor, apply
from ..graph.types import Axes, TensorLike
from . import arguments
from .public import as_tensor, op
from .reductions import norm, var


def _epsilon(value: float | None) -> float:
    return config.epsilon() if value is None else value


def _moments(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Mean and variance with the axes kept, at size 1."""
    return apply("mean", x, axis=axes, keepdims=True), var(x, axes, keepdims=True)


@op
def moments(
    x: TensorLike, axes: Axes, keepdims: bool = False, synchronized: bool = False
) -> tuple[Tensor, Tensor]:
    """(mean, variance) of x over `axes`: the variance is mean((x - mean)^2).

    Args:
        x: A tensor or array.
        axes: An axis or several; None for all.
        keepdims: Whether the axes stay, at size 1.
        synchronized: Must be False: there are no other devices.
    """
    if synchronized:
        raise ValueError("moments: expected synchronized=False: there are no other devices")
    x = as_tensor(x, name="moments")
    axes = arguments.axes("moments", axes, x.ndim, "axes")
    mean, variance = _moments(x, axes)
    if keepdims:
        return mean, variance
    shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
    return apply("reshape", mean, shape=shape), apply("reshape", variance, shape=shape)


@op
def batch_normalization(
    x: TensorLike,
    mean: TensorLike,
    variance: TensorLike,
    axis: int,
    offset: TensorLike | None = None,
    scale: TensorLike | None = None,
    epsilon: float = 1e-3,
) -> Tensor:
    """y = (x - mean) / (variance + epsilon)^(1/2) * scale + offset

    Args:
        x: A tensor or array.
        mean, variance, offset, scale: Vectors of the size of `axis`; no offset is 0, no scale 1.
        axis: The axis of the channels.
        epsilon: A number that keeps the root away from 0.

    Reference:
        Ioffe and Szegedy 2015, "Batch normalization: accelerating deep network training by reducing
        internal covariate shift".
    """
    name = "batch_normalization"
    x = as_tensor(x, name=name)
    axis = arguments.axis(name, axis, x.ndim)
    vectors: dict[str, Any] = {}
    given = {"mean": mean, "variance": variance, "scale": scale, "offset": offset}
    for key, vector in given.items():
        value = vectors[key] = None if vector is None else as_tensor(vector, name=name)
        if value is not None and value.shape != (x.shape[axis],):
            raise ValueError(
                f"{name}: expected {key} of shape ({x.shape[axis]},), the size of axis {axis} of x "
                f"of shape {x.shape}, received {value.shape}"
            )
    dtypes = {x.dtype, *(v.dtype for v in vectors.values() if v is not None)}
    if axis == x.ndim - 1 and x.ndim > 1 and len(dtypes) == 1 and x.dtype in FLOATS:
        return apply("batch_norm", x, *vectors.values(), epsilon=epsilon)
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    shaped: dict[str, Any] = {
        key: None if v is None else apply("reshape", v, shape=tuple(shape))
        for key, v in vectors.items()
    }
    return _scaled(x, **shaped, epsilon=epsilon)


def _scaled(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    scale: Tensor | None,
    offset: Tensor | None,
    epsilon: float,
) -> Tensor:
    inverse = apply("rsqrt", variance + epsilon)
    inverse = inverse if scale is None else inverse * scale
    y = (x - mean) * inverse
    return y if offset is None else y + offset


@op
def layer_normalization(
    x: TensorLike,
    gamma: TensorLike | None = None,
    beta: TensorLike | None = None,
    axis: Axes = -1,
    epsilon: float | None = None,
    **kwargs: Any,
) -> Tensor:
    """y = (x - mean) / (variance + epsilon)^(1/2) * gamma + beta, with the moments over `axis`.

    Args:
        x: A tensor or array.
        gamma, beta: Of the sizes of the axes, or broadcasting with x; no gamma is 1, no beta 0.
        axis: An axis or several.
        epsilon: A number that keeps the root away from 0; `config.epsilon()` by default.
        **kwargs: `rms_scaling=True` leaves out the mean and beta: y = x / (variance +
            epsilon)^(1/2) * gamma.

    Returns:
        The result in the dtype of x; it is computed in floats.

    Reference:
        Ba et al. 2016, "Layer normalization".
    """
    name = "layer_normalization"
    rms_scaling = kwargs.pop("rms_scaling", False)
    if kwargs:
        raise TypeError(f"{name}: unexpected arguments {sorted(kwargs)}")
    x = as_tensor(x, name=name)
    given, dtype = x.dtype, float_type(x.dtype)
    x = as_tensor(x, dtype)
    gamma = None if gamma is None else as_tensor(gamma, dtype, name)
    beta = None if beta is None else as_tensor(beta, dtype, name)
    axes = tuple(sorted(arguments.axes(name, axis, x.ndim)))
    epsilon = _epsilon(epsilon)
    inner = tuple(x.shape[a] for a in axes)
    is_row = axes == tuple(range(x.ndim - len(axes), x.ndim)) and 0 < len(axes) < x.ndim
    if is_row and not rms_scaling and all(v is None or v.shape == inner for v in (gamma, beta)):
        return as_tensor(
            apply("layer_norm", x, gamma, beta, epsilon=epsilon, axes=len(axes)), given
        )
    shape = tuple(n if a in axes else 1 for a, n in enumerate(x.shape))
    gamma, beta = _broadcasting(name, x, gamma, shape), _broadcasting(name, x, beta, shape)
    mean, variance = _moments(x, axes)
    if rms_scaling:
        mean, beta = mean * 0.0, None
    return as_tensor(_scaled(x, mean, variance, gamma, beta, epsilon), given)


def _broadcasting(
    name: str, x: Tensor, value: Tensor | None, shape: tuple[int, ...]
) -> Tensor | None:
    """A scale or offset in the `shape` in which it meets x, unless it has all axes of x."""
    if value is None or value.ndim == x.ndim:
        return value
    if value.size != math.prod(shape):
        raise ValueError(
            f"{name}: expected gamma and beta of the sizes of the axes, {shape} of x of shape "
            f"{x.shape}, received {value.shape}"
        )
    return apply("reshape", value, shape=shape)


@op
def rms_normalization(
    x: TensorLike, scale: TensorLike | None = None, axis: Axes = -1, epsilon: float | None = None
) -> Tensor:
    """y = x / (mean(x^2) + epsilon)^(1/2) * scale, with the mean over `axis`.

    Args:
        x: A tensor or array.
        scale: Broadcasts with x; None for 1.
        axis: An axis or several; None for all.
        epsilon: A number that keeps the root away from 0; `config.epsilon()` by default.

    Returns:
        The result in the dtype of x; it is computed in floats.

    Reference:
        Zhang and Sennrich 2019, "Root mean square layer normalization".
    """
    name = "rms_normalization"
    x = as_tensor(x, name=name)
    given, dtype = x.dtype, float_type(x.dtype)
    x = as_tensor(x, dtype)
    x = apply("reshape", x, shape=(1,)) if x.ndim == 0 else x
    axes = arguments.axes(name, axis, x.ndim)
    square = apply("mean", apply("square", x), axis=axes, keepdims=True)
    y = x * apply("rsqrt", square + _epsilon(epsilon))
    return as_tensor(y if scale is None else y * as_tensor(scale, dtype, name), given)


@op
def normalize(
    x: TensorLike, axis: Axes = -1, order: int = 2, epsilon: float | None = None
) -> Tensor:
    """y = x / max(norm(x), epsilon), with the norm along `axis`.

    Args:
        x: A tensor or array.
        axis: An axis, or several; None for all. Along two axes the norm of order 1 is that of
            matrices, the largest sum of a column; several axes have the order 2 else.
        order: An int of at least 1: the norm is (sum |x|^order)^(1/order).
        epsilon: The least norm; `config.epsilon()` by default.
    """
    order = arguments.at_least("normalize", "order", order, 1)
    epsilon = _epsilon(epsilon)
    x = as_tensor(x, name="normalize")
    x = as_tensor(x, float_type(x.dtype))
    x = apply("reshape", x, shape=(1,)) if x.ndim == 0 else x
    axes = arguments.axes("normalize", axis, x.ndim)
    if order == 2:
        square = apply("sum", apply("square", x), axis=axes, keepdims=True)
        return x * apply("minimum", apply("rsqrt", square), 1.0 / epsilon)
    size = norm(x, order, axes, keepdims=True)
    return x / apply("maximum", size, epsilon)
