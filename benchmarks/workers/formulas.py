"""Primitives, updates, activations and losses, written once for every library.

Each function takes as `o` a namespace with the functions of `keras.ops` that it uses:
`dlnative.ops` itself, or what the worker of a library has put together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from common.formulas import COLUMNS

Tensor = Any  # of whatever library
Operations = Any  # a namespace
Arguments = list[Any]

PRIMITIVES: dict[str, Callable[[Operations, Arguments], Tensor]] = {
    "add": lambda o, a: o.add(a[0], a[1]),
    "multiply": lambda o, a: o.multiply(a[0], a[1]),
    "maximum": lambda o, a: o.maximum(a[0], a[1]),
    "add column": lambda o, a: o.add(a[0], a[1]),
    "greater": lambda o, a: o.greater(a[0], a[1]),
    "where": lambda o, a: o.where(a[0], a[1], a[2]),
    "sum": lambda o, a: o.sum(a[0], (0, 1)),
    "sum last axis": lambda o, a: o.sum(a[0], -1),
    "sum leading axis": lambda o, a: o.sum(a[0], 0),
    "mean": lambda o, a: o.mean(a[0], (0, 1)),
    "max": lambda o, a: o.max(a[0], (0, 1)),
    "transpose": lambda o, a: o.transpose(a[0]),
    "transpose narrow": lambda o, a: o.transpose(a[0]),
    "concatenate": lambda o, a: o.concatenate([a[0], a[1]], -1),
    "slice": lambda o, a: a[0][:, : COLUMNS // 2],
    "take": lambda o, a: o.take(a[0], a[1], 0),
    "take narrow": lambda o, a: o.take(a[0], a[1], 0),
    "broadcast_to": lambda o, a: o.broadcast_to(a[0], (a[1], COLUMNS)),
    "broadcast_to column": lambda o, a: o.broadcast_to(a[0], (a[0].shape[0], COLUMNS)),
    "cast": lambda o, a: o.cast(a[0], "float64"),
    "cast to int32": lambda o, a: o.cast(a[0], "int32"),
    "exp": lambda o, a: o.exp(a[0]),
    "log": lambda o, a: o.log(a[0]),
    "log2": lambda o, a: o.log2(a[0]),
    "log1p": lambda o, a: o.log1p(a[0]),
    "tanh": lambda o, a: o.tanh(a[0]),
    "sigmoid": lambda o, a: o.sigmoid(a[0]),
    "erf": lambda o, a: o.erf(a[0]),
    "sin": lambda o, a: o.sin(a[0]),
    "cos": lambda o, a: o.cos(a[0]),
    "tan": lambda o, a: o.tan(a[0]),
    "arctan": lambda o, a: o.arctan(a[0]),
    "sinh": lambda o, a: o.sinh(a[0]),
    "arcsinh": lambda o, a: o.arcsinh(a[0]),
    "power": lambda o, a: o.power(a[0], 1.7),
    "sqrt": lambda o, a: o.sqrt(a[0]),
    "rsqrt": lambda o, a: o.rsqrt(a[0]),
    "cumsum": lambda o, a: o.cumsum(a[0], -1),
}

# --- activations: y(o, x) -------------------------------------------------------------------------


def gelu(o: Operations, x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + o.erf(x * math.sqrt(0.5)))


def gelu_tanh(o: Operations, x: Tensor) -> Tensor:
    return 0.5 * x * (1.0 + o.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))


def quick_gelu(o: Operations, x: Tensor) -> Tensor:
    return x * o.sigmoid(1.702 * x)


def mish(o: Operations, x: Tensor) -> Tensor:
    return x * o.tanh(o.softplus(x))


def squareplus(o: Operations, x: Tensor) -> Tensor:
    return 0.5 * (x + o.sqrt(x * x + 4.0))


def celu(o: Operations, x: Tensor) -> Tensor:
    return o.where(x > 0.0, x, o.exp(o.minimum(x, 0.0)) - 1.0)


def log_sigmoid(o: Operations, x: Tensor) -> Tensor:
    return -o.softplus(-x)


def hard_shrink(o: Operations, x: Tensor) -> Tensor:
    return o.where(o.abs(x) > 0.5, x, 0.0)


def soft_shrink(o: Operations, x: Tensor) -> Tensor:
    return o.where(x > 0.5, x - 0.5, o.where(x < -0.5, x + 0.5, 0.0))


def hard_swish(o: Operations, x: Tensor) -> Tensor:
    return x * o.clip(x / 6.0 + 0.5, 0.0, 1.0)


def sparse_plus(o: Operations, x: Tensor) -> Tensor:
    return o.where(x <= -1.0, 0.0, o.where(x < 1.0, 0.25 * (x + 1.0) * (x + 1.0), x))


def tanh_shrink(o: Operations, x: Tensor) -> Tensor:
    return x - o.tanh(x)


# --- losses: one value a row, from targets t and predictions p ------------------------------------


def huber(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    error = o.abs(t - p)
    return o.mean(o.where(error <= 0.25, 0.5 * error * error, 0.25 * error - 0.03125), -1)


def log_cosh(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    error = p - t
    return o.mean(error + o.softplus(-2.0 * error) - math.log(2.0), -1)


def kl_divergence(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    t, p = o.clip(t, 1e-7, 1.0), o.clip(p, 1e-7, 1.0)
    return o.sum(t * o.log(t / p), -1)


def hinge(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    return o.mean(o.maximum(1.0 - (2.0 * t - 1.0) * p, 0.0), -1)


def poisson(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    return o.mean(p - t * o.log(p + 1e-7), -1)


def mape(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    return 100.0 * o.mean(o.abs((t - p) / o.maximum(o.abs(t), 1e-7)), -1)


def msle(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    difference = o.log(o.maximum(p, 1e-7) + 1.0) - o.log(o.maximum(t, 1e-7) + 1.0)
    return o.mean(difference * difference, -1)


def focal(o: Operations, t: Tensor, p: Tensor) -> Tensor:
    p = o.clip(p, 1e-7, 1.0 - 1e-7)
    of_class = t * p + (1.0 - t) * (1.0 - p)
    miss = 1.0 - of_class
    return o.mean((0.25 * t + 0.75 * (1.0 - t)) * miss * miss * -o.log(of_class), -1)


COMPOSITIONS: dict[str, Callable[..., Tensor]] = {
    function.__name__: function
    for function in (
        *(gelu, gelu_tanh, quick_gelu, mish, squareplus, celu, log_sigmoid, hard_shrink),
        *(soft_shrink, hard_swish, sparse_plus, tanh_shrink),
        *(huber, log_cosh, kl_divergence, hinge, poisson, mape, msle, focal),
    )
}

# --- updates: (o, w, g, slots, t, product) -> w, slots --------------------------------------------

RATE, BETA_1, BETA_2, LION_BETA_2, EPSILON, DECAY, RHO = 1e-3, 0.9, 0.999, 0.99, 1e-7, 4e-3, 0.9
BELIEF_EPSILON = 1e-8
# Within the root, as in Keras; PyTorch adds its epsilon to the root.
RMSPROP_EPSILON = EPSILON**2

Updated = tuple[Tensor, list[Tensor]]


def momentum_at(t: Any) -> Any:
    """Nadam's share of the old average in update t, counted from 1."""
    return BETA_1 * (1.0 - 0.5 * 0.96**t)


def adamw(o: Operations, w: Tensor, g: Tensor, slots: Any, t: Any, product: Any) -> Updated:
    m = BETA_1 * slots[0] + (1.0 - BETA_1) * g
    v = BETA_2 * slots[1] + (1.0 - BETA_2) * g * g
    rate = RATE * o.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
    return w - RATE * DECAY * w - rate * m / (o.sqrt(v) + EPSILON), [m, v]


def nadam(o: Operations, w: Tensor, g: Tensor, slots: Any, t: Any, product: Any) -> Updated:
    """`product` is that of `momentum_at` up to t."""
    m = BETA_1 * slots[0] + (1.0 - BETA_1) * g
    v = BETA_2 * slots[1] + (1.0 - BETA_2) * g * g
    now, following = momentum_at(t), momentum_at(t + 1.0)
    ahead = following / (1.0 - product * following) * m + (1.0 - now) / (1.0 - product) * g
    return w - RATE * ahead / (o.sqrt(v / (1.0 - BETA_2**t)) + EPSILON), [m, v]


def lion(o: Operations, w: Tensor, g: Tensor, slots: Any, t: Any, product: Any) -> Updated:
    (m,) = slots
    direction = o.sign(BETA_1 * m + (1.0 - BETA_1) * g)
    return w - RATE * direction, [LION_BETA_2 * m + (1.0 - LION_BETA_2) * g]


def rmsprop(o: Operations, w: Tensor, g: Tensor, slots: Any, t: Any, product: Any) -> Updated:
    v = RHO * slots[0] + (1.0 - RHO) * g * g
    return w - RATE * g / o.sqrt(v + RMSPROP_EPSILON), [v]


def adabelief(o: Operations, w: Tensor, g: Tensor, slots: Any, t: Any, product: Any) -> Updated:
    """Adam by how far gradients are from their average (Zhuang et al. 2020)."""
    m = BETA_1 * slots[0] + (1.0 - BETA_1) * g
    s = BETA_2 * slots[1] + (1.0 - BETA_2) * (g - m) * (g - m) + BELIEF_EPSILON
    rate = RATE * o.sqrt(1.0 - BETA_2**t) / (1.0 - BETA_1**t)
    return w - rate * m / (o.sqrt(s) + BELIEF_EPSILON), [m, s]


UPDATES: dict[str, Callable[..., Updated]] = {
    "AdamW": adamw,
    "Nadam": nadam,
    "Lion": lion,
    "RMSprop": rmsprop,
    "AdaBelief": adabelief,
}
