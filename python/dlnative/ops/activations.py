"""keras.ops: activation functions, element by element.

Where the op table has a row with the name, that row computes it: it is what layers take into their
own pass, and what brings its own gradient. The others are made of elementwise ops.
"""

from __future__ import annotations

import math

import numpy as np

from ..graph.dtypes import FLOATS
from ..graph.table import check_scalar
from ..graph.tensor import Tensor, apply
from ..graph.types import Axes, TensorLike
from . import arguments
from .public import as_tensor, op


@op
def relu(x: TensorLike) -> Tensor:
    """y = max(x, 0); its gradient at 0 is 0. Integers stay integers.

    Args:
        x: A tensor or array.

    Reference:
        Nair and Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    x = as_tensor(x, name="relu")
    return apply("relu", x) if x.dtype in FLOATS else apply("maximum", x, 0)


@op
def relu6(x: TensorLike) -> Tensor:
    """y = min(max(x, 0), 6)

    Args:
        x: A tensor or array.
    """
    return apply("relu", as_tensor(x, name="relu6"), max_value=6.0)


@op
def leaky_relu(x: TensorLike, negative_slope: float | Tensor | np.ndarray = 0.2) -> Tensor:
    """y = x where x > 0, else negative_slope * x

    Args:
        x: A tensor or array.
        negative_slope: A number of at least 0, or a scalar tensor, with the same bits in a pass of
            its own: a number is a constant of the kernel before it.

    Differs from Keras: the gradient at 0 is negative_slope, as with TensorFlow and PyTorch; it is 1
    with JAX. Negative slopes raise.
    """
    x = as_tensor(x, name="leaky_relu")
    if isinstance(negative_slope, np.ndarray) and not negative_slope.ndim:
        negative_slope = negative_slope.item()
    if isinstance(negative_slope, Tensor):
        check_scalar("leaky_relu", "negative_slope", negative_slope)
        return apply("where", x > 0, x, x * negative_slope)
    return apply("leaky_relu", x, negative_slope=negative_slope)


@op
def elu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """y = x where x > 0, else alpha * (e^x - 1)

    Args:
        x: A tensor or array.
        alpha: A number.

    Reference:
        Clevert et al. 2016, "Fast and accurate deep network learning by exponential linear units".
    """
    return apply("elu", as_tensor(x, name="elu"), alpha=alpha)


@op
def selu(x: TensorLike) -> Tensor:
    """y = 1.0507 * elu(x, alpha=1.6733): keeps mean 0 and variance 1 from layer to layer.

    Args:
        x: A tensor or array.

    Reference:
        Klambauer et al. 2017, "Self-normalizing neural networks".
    """
    return apply("selu", as_tensor(x, name="selu"))


@op
def celu(x: TensorLike, alpha: float = 1.0) -> Tensor:
    """y = max(x, 0) + alpha * (e^(min(x, 0) / alpha) - 1)

    Args:
        x: A tensor or array.
        alpha: A number that is not 0.

    Reference:
        Barron 2017, "Continuously differentiable exponential linear units".
    """
    x = as_tensor(x, name="celu")
    below = apply("expm1", apply("minimum", x, 0.0) / alpha)
    return apply("maximum", x, 0.0) + below * alpha


@op
def gelu(x: TensorLike, approximate: bool = True) -> Tensor:
    """y = x * P(X <= x), X standard normal.

    Args:
        x: A tensor or array.
        approximate: Whether to compute x / 2 * (1 + tanh((2 / pi)^(1/2) * (x + 0.044715 x^3))).

    Reference:
        Hendrycks and Gimpel 2016, "Gaussian error linear units".
    """
    return apply("gelu", as_tensor(x, name="gelu"), approximate=approximate)


@op
def silu(x: TensorLike) -> Tensor:
    """y = x * sigmoid(x); also called swish.

    Args:
        x: A tensor or array.

    Reference:
        Ramachandran et al. 2017, "Searching for activation functions".
    """
    return apply("silu", as_tensor(x, name="silu"))


@op
def sigmoid(x: TensorLike) -> Tensor:
    """y = 1 / (1 + e^-x)

    Args:
        x: A tensor or array.
    """
    return apply("sigmoid", as_tensor(x, name="sigmoid"))


@op
def hard_sigmoid(x: TensorLike) -> Tensor:
    """y = min(max(x / 6 + 1/2, 0), 1)

    Args:
        x: A tensor or array.

    Reference:
        Howard et al. 2019, "Searching for MobileNetV3".
    """
    return apply("hard_sigmoid", as_tensor(x, name="hard_sigmoid"))


@op
def hard_silu(x: TensorLike) -> Tensor:
    """y = x * hard_sigmoid(x); also called hard swish.

    Args:
        x: A tensor or array.

    Reference:
        Howard et al. 2019, "Searching for MobileNetV3".
    """
    x = as_tensor(x, name="hard_silu")
    return x * apply("hard_sigmoid", x)


@op
def hard_tanh(x: TensorLike) -> Tensor:
    """y = min(max(x, -1), 1); its gradient at -1 and 1 is 1. Integers stay integers.

    Args:
        x: A tensor or array.
    """
    x = as_tensor(x, name="hard_tanh")
    if x.dtype == "uint8":
        return apply("minimum", x, 1)
    return apply("where", x > 1, 1, apply("where", x < -1, -1, x))


@op
def tanh_shrink(x: TensorLike) -> Tensor:
    """y = x - tanh(x)

    Args:
        x: A tensor or array.
    """
    x = as_tensor(x, name="tanh_shrink")
    return x - apply("tanh", x)


@op
def hard_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """y = x where |x| > threshold, else 0

    Args:
        x: A tensor or array.
        threshold: A number.
    """
    x = as_tensor(x, name="hard_shrink")
    return apply("where", (x > threshold) | (x < -threshold), x, 0.0)


@op
def soft_shrink(x: TensorLike, threshold: float = 0.5) -> Tensor:
    """y = x - threshold where x > threshold, x + threshold where x < -threshold, else 0

    Args:
        x: A tensor or array.
        threshold: A number.
    """
    x = as_tensor(x, name="soft_shrink")
    below = apply("where", x < -threshold, x + threshold, 0.0)
    return apply("where", x > threshold, x - threshold, below)


@op
def threshold(x: TensorLike, threshold: float, default_value: float) -> Tensor:
    """y = x where x > threshold, else default_value

    Args:
        x: A tensor or array.
        threshold: A number.
        default_value: A number.
    """
    x = as_tensor(x, name="threshold")
    return apply("where", x > threshold, x, default_value)


@op
def softplus(x: TensorLike) -> Tensor:
    """y = ln(1 + e^x)

    Args:
        x: A tensor or array.
    """
    return apply("softplus", as_tensor(x, name="softplus"))


@op
def softsign(x: TensorLike) -> Tensor:
    """y = x / (1 + |x|)

    Args:
        x: A tensor or array.
    """
    return apply("softsign", as_tensor(x, name="softsign"))


@op
def log_sigmoid(x: TensorLike) -> Tensor:
    """y = ln(sigmoid(x)) = -softplus(-x)

    Args:
        x: A tensor or array.
    """
    return -apply("softplus", -as_tensor(x, name="log_sigmoid"))


@op
def squareplus(x: TensorLike, b: float = 4) -> Tensor:
    """y = (x + (x^2 + b)^(1/2)) / 2

    Args:
        x: A tensor or array.
        b: A number: how smooth it is.

    Reference:
        Barron 2021, "Squareplus: a softplus-like algebraic rectifier".
    """
    x = as_tensor(x, name="squareplus")
    return (x + apply("sqrt", x * x + b)) / 2


@op
def sparse_plus(x: TensorLike) -> Tensor:
    """y = 0 where x <= -1, (x + 1)^2 / 4 where -1 < x < 1, x where x >= 1

    Args:
        x: A tensor or array.
    """
    x = as_tensor(x, name="sparse_plus")
    middle = apply("square", x + 1.0) / 4
    return apply("where", x <= -1.0, 0.0, apply("where", x >= 1.0, x, middle))


@op
def sparse_sigmoid(x: TensorLike) -> Tensor:
    """y = min(max((x + 1) / 2, 0), 1); at the ends the gradient is half of that between them.

    Args:
        x: A tensor or array.
    """
    x = as_tensor(x, name="sparse_sigmoid") + 1.0
    return apply("minimum", apply("maximum", x, 0.0), 2.0) * 0.5


@op
def glu(x: TensorLike, axis: int = -1) -> Tensor:
    """y = a * sigmoid(b), where a and b are the halves of x along `axis`.

    Args:
        x: A tensor or array.
        axis: An axis of even size.

    Reference:
        Dauphin et al. 2017, "Language modeling with gated convolutional networks".
    """
    x = as_tensor(x, name="glu")
    axis = arguments.axis("glu", axis, x.ndim)
    size = x.shape[axis]
    if size % 2:
        raise ValueError(f"glu: expected axis {axis} of even size, received shape {x.shape}")
    value = apply("slice", x, axis=axis, start=0, stop=size // 2)
    gate = apply("slice", x, axis=axis, start=size // 2, stop=size)
    return value * apply("sigmoid", gate)


@op
def softmax(x: TensorLike, axis: Axes = -1) -> Tensor:
    """y_i = e^(x_i) / sum_j e^(x_j) along `axis`.

    Args:
        x: A tensor or array.
        axis: An axis, or several that are taken as one; None for all.
    """
    return _along("softmax", as_tensor(x, name="softmax"), axis)


@op
def log_softmax(x: TensorLike, axis: Axes = -1) -> Tensor:
    """y_i = x_i - ln(sum_j e^(x_j)) along `axis`.

    Args:
        x: A tensor or array.
        axis: An axis, or several that are taken as one; None for all.
    """
    return _along("log_softmax", as_tensor(x, name="log_softmax"), axis)


def _along(name: str, x: Tensor, axis: Axes) -> Tensor:
    """A row of one axis over several that become one."""
    if axis is not None and not isinstance(axis, (list, tuple)):
        return apply(name, x, axis=arguments.axis(name, axis, x.ndim))
    axes = arguments.axes(name, axis, x.ndim)
    order = [i for i in range(x.ndim) if i not in axes] + list(axes)
    moved = apply("transpose", x, axes=tuple(order))
    kept = moved.shape[: x.ndim - len(axes)]
    size = math.prod(x.shape[a] for a in axes)
    y = apply(name, apply("reshape", moved, shape=(*kept, size)), axis=len(kept))
    y = apply("reshape", y, shape=moved.shape)
    return apply("transpose", y, axes=tuple(order.index(i) for i in range(x.ndim)))


@op
def sparsemax(x: TensorLike, axis: int = -1) -> Tensor:
    """y_i = max(x_i - tau, 0), with the tau along `axis` for which sum_i y_i = 1.

    It is the point nearest to x among those with y >= 0 and sum y = 1, so that many y are 0.

    Args:
        x: A tensor or array.
        axis: An axis.

    Differs from Keras: there the sum is not 1 where more than one y is positive, since tau is made
    of running sums of running sums.

    Reference:
        Martins and Astudillo 2016, "From softmax to sparsemax", algorithm 1.
    """
    x = as_tensor(x, name="sparsemax")
    axis = arguments.axis("sparsemax", axis, x.ndim)
    order = apply("argsort", x, axis=axis, descending=True)
    ordered = apply("take_along_axis", x, order, axis=axis)
    excess = apply("cumsum", ordered, axis=axis) - 1.0
    shape = [1] * x.ndim
    shape[axis] = x.shape[axis]
    excess = excess / np.arange(1, x.shape[axis] + 1, dtype=excess.dtype).reshape(shape)
    support = ordered > excess
    count = apply("sum", apply("cast", support, dtype=excess.dtype), axis=axis, keepdims=True)
    total = apply("sum", apply("where", support, ordered, 0.0), axis=axis, keepdims=True)
    return apply("maximum", x - (total - 1.0) / count, 0.0)


swish = silu
hard_swish = hard_silu
