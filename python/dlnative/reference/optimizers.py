"""Optimizer updates with the formulas of Keras 3, and gradient clipping.

Shapes: parameter, gradient and slots (velocity, moments ...) of one call have the same shape and
dtype, float32 or float64. `hyper` (1,) float64 holds the learning rate `lr`; `iterations`
(1,) int64 counts the updates before this one, so this is update `t = iterations + 1`.

An update returns a tuple in the order of its inputs: the new parameter, then the new slots. A slot
that the options do not need has its place all the same, as None in the inputs and in the result; a
missing or a needless slot raises ValueError.

`weight_decay` is decoupled: `param -= param * weight_decay * lr` comes before the update
(Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization").
"""

from __future__ import annotations

import math

import numpy as np

from ._arrays import Array, as_array


def _learning_rate(hyper: Array, param: Array) -> Array:
    """The learning rate in the dtype of the parameter."""
    return as_array(hyper[0], param.dtype)


def _decayed(param: Array, lr: Array, weight_decay: float) -> Array:
    """The parameter after decoupled weight decay."""
    return param - param * weight_decay * lr if weight_decay != 0.0 else param


def _check_slot(op: str, name: str, slot: Array | None, option: str, needed: bool) -> None:
    """Raise ValueError unless an optional slot is there exactly if an option needs it."""
    if (slot is not None) != needed:
        expected = "an array" if needed else "None"
        received = "None" if slot is None else f"an array of shape {slot.shape}"
        raise ValueError(
            f"{op}: expected '{name}' to be {expected} with {option}, received {received}."
        )


def sgd(
    param: Array,
    velocity: Array | None,
    grad: Array,
    hyper: Array,
    iterations: Array,
    momentum: float = 0.0,
    nesterov: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Array, Array | None]:
    """Stochastic gradient descent; `velocity` exists where `momentum` is not 0.

    Without momentum: `param -= lr * grad`. Otherwise
    `velocity = momentum * velocity - lr * grad` and `param += velocity`, or with `nesterov`
    `param += momentum * velocity - lr * grad`.

    Reference: Polyak 1964, "Some Methods of Speeding Up the Convergence of Iteration Methods";
    Sutskever et al. 2013, "On the Importance of Initialization and Momentum in Deep Learning".
    """
    _check_slot("sgd", "velocity", velocity, f"momentum={momentum}", momentum != 0.0)
    dtype = param.dtype
    lr = _learning_rate(hyper, param)
    change = -lr * grad
    if velocity is not None:
        velocity = as_array(momentum * velocity - lr * grad, dtype)
        change = momentum * velocity - lr * grad if nesterov else velocity
    return as_array(_decayed(param, lr, weight_decay) + change, dtype), velocity


def adagrad(
    param: Array,
    accumulator: Array,
    grad: Array,
    hyper: Array,
    iterations: Array,
    epsilon: float = 1e-7,
    weight_decay: float = 0.0,
) -> tuple[Array, Array]:
    """Adagrad: `accumulator += grad^2`; `param -= lr * grad / sqrt(accumulator + epsilon)`.

    Reference: Duchi et al. 2011, "Adaptive Subgradient Methods for Online Learning and Stochastic
    Optimization".
    """
    dtype = param.dtype
    lr = _learning_rate(hyper, param)
    accumulator = as_array(accumulator + grad**2, dtype)
    change = lr * grad / np.sqrt(accumulator + epsilon)
    return as_array(_decayed(param, lr, weight_decay) - change, dtype), accumulator


def rmsprop(
    param: Array,
    velocity: Array,
    momentum_buffer: Array | None,
    average_grad: Array | None,
    grad: Array,
    hyper: Array,
    iterations: Array,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array | None, Array | None]:
    """RMSprop; `momentum_buffer` exists where `momentum > 0`, `average_grad` if `centered`.

    `velocity = rho * velocity + (1 - rho) * grad^2`;
    `average_grad = rho * average_grad + (1 - rho) * grad`;
    `variance = velocity`, or if centered `max(velocity - average_grad^2, 0)`;
    `change = lr * grad / sqrt(variance + epsilon)`; `param -= change`, or with momentum
    `momentum_buffer = momentum * momentum_buffer + change` and `param -= momentum_buffer`.

    Differs from Keras: the variance cannot become negative by rounding.

    Reference: Tieleman and Hinton 2012, "Neural Networks for Machine Learning", lecture 6e;
    centered: Graves 2013, "Generating Sequences With Recurrent Neural Networks", section 4.2.
    """
    _check_slot(
        "rmsprop", "momentum_buffer", momentum_buffer, f"momentum={momentum}", momentum > 0.0
    )
    _check_slot("rmsprop", "average_grad", average_grad, f"centered={centered}", centered)
    dtype = param.dtype
    lr = _learning_rate(hyper, param)
    velocity = as_array(rho * velocity + (1.0 - rho) * grad**2, dtype)
    variance = velocity
    if average_grad is not None:
        average_grad = as_array(rho * average_grad + (1.0 - rho) * grad, dtype)
        variance = np.maximum(velocity - average_grad**2, 0.0)
    change = lr * grad / np.sqrt(variance + epsilon)
    if momentum_buffer is not None:
        change = momentum_buffer = as_array(momentum * momentum_buffer + change, dtype)
    param = as_array(_decayed(param, lr, weight_decay) - change, dtype)
    return param, velocity, momentum_buffer, average_grad


def adam(
    param: Array,
    m: Array,
    v: Array,
    vhat: Array | None,
    grad: Array,
    hyper: Array,
    iterations: Array,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    weight_decay: float = 0.0,
) -> tuple[Array, Array, Array, Array | None]:
    """Adam; `vhat` exists if `amsgrad`.

    `m += (grad - m) * (1 - beta_1)`; `v += (grad^2 - v) * (1 - beta_2)`;
    `alpha = lr * sqrt(1 - beta_2^t) / (1 - beta_1^t)`, in float64;
    `param -= alpha * m / (sqrt(v) + epsilon)`.
    With `amsgrad`, `vhat = max(vhat, v)` takes the place of `v` in the last line.

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", the form before
    section 2.1; Reddi et al. 2018, "On the Convergence of Adam and Beyond".
    """
    _check_slot("adam", "vhat", vhat, f"amsgrad={amsgrad}", amsgrad)
    dtype = param.dtype
    lr = _learning_rate(hyper, param)
    t = int(iterations[0]) + 1
    alpha = float(lr) * math.sqrt(1.0 - beta_2**t) / (1.0 - beta_1**t)
    m = as_array(m + (grad - m) * (1.0 - beta_1), dtype)
    v = as_array(v + (grad**2 - v) * (1.0 - beta_2), dtype)
    second_moment = v
    if vhat is not None:
        second_moment = vhat = as_array(np.maximum(vhat, v), dtype)
    change = alpha * m / (np.sqrt(second_moment) + epsilon)
    return as_array(_decayed(param, lr, weight_decay) - change, dtype), m, v, vhat


def clip_by_value(g: Array, limit: float) -> Array:
    """Clip each element: `y = min(max(g, -limit), limit)`."""
    return as_array(np.clip(g, -limit, limit), g.dtype)


def global_norm(*gs: Array) -> Array:
    """Euclidean norm of all elements of all arrays, `sqrt(sum g^2)`, shape (); summed in float64.

    Reference: Pascanu et al. 2013, "On the Difficulty of Training Recurrent Neural Networks".
    """
    squares = [np.sum(as_array(g, np.float64) ** 2) for g in gs]
    return as_array(np.sqrt(np.sum(squares)), gs[0].dtype)


def clip_by_norm(g: Array, limit: float) -> Array:
    """Shrink to a norm of at most `limit`: `y = g * limit / max(norm, limit)`."""
    return as_array(g * limit / np.maximum(global_norm(g), limit), g.dtype)


def scale_by_global_norm(g: Array, norm: Array, limit: float) -> Array:
    """Shrink by a norm taken over several arrays: `y = g * limit / max(norm, limit)`.

    If `norm` is not finite the result is NaN, as in Keras, so that divergence is seen.
    """
    scale = limit / np.maximum(norm, limit) + (norm - norm)
    return as_array(g * scale, g.dtype)
