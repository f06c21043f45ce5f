"""Optimizer updates with the formulas of Keras 3, and the norm of gradients.

Shapes: parameter, gradient and slots (momentum, velocity ...) of one call have the same shape and
dtype, float32 or float64. The numbers of a step (learning rate ...) are float64 scalars, None where
they are 0; `iterations` counts the updates before this one, so this is update
`t = iterations + 1`.

An update returns a tuple in the order of its inputs: the new parameter, then the new slots. A slot
that the options do not need is None and has no result.

`weight_decay` is decoupled: `param -= param * weight_decay * learning_rate` comes before the update
(Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization").
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array


def _decayed(param: Array, learning_rate: float, weight_decay: Array | None) -> Array:
    """The parameter after decoupled weight decay."""
    if weight_decay is None:
        return param
    return param - param * (float(weight_decay) * learning_rate)


def sgd(
    param: Array,
    momentum: Array | None,
    grad: Array,
    learning_rate: Array,
    share: Array | None = None,
    weight_decay: Array | None = None,
    nesterov: bool = False,
) -> Array | tuple[Array, Array]:
    """Stochastic gradient descent; `share` is how much of the momentum a step keeps.

    Without momentum: `param -= learning_rate * grad`. Otherwise
    `momentum = share * momentum - learning_rate * grad` and `param += momentum`, or with `nesterov`
    `param += share * momentum - learning_rate * grad`.

    Reference: Polyak 1964, "Some Methods of Speeding Up the Convergence of Iteration Methods";
    Sutskever et al. 2013, "On the Importance of Initialization and Momentum in Deep Learning".
    """
    dtype = param.dtype
    rate = float(learning_rate)
    decayed = _decayed(param, rate, weight_decay)
    if momentum is None:
        return as_array(decayed - rate * grad, dtype)
    mu = 0.0 if share is None else float(share)
    momentum = as_array(mu * momentum - rate * grad, dtype)
    change = mu * momentum - rate * grad if nesterov else momentum
    return as_array(decayed + change, dtype), momentum


def adam(
    param: Array,
    momentum: Array,
    velocity: Array,
    velocity_hat: Array | None,
    grad: Array,
    learning_rate: Array,
    beta_1: Array,
    beta_2: Array,
    epsilon: Array,
    iterations: Array,
    weight_decay: Array | None = None,
) -> tuple[Array, ...]:
    """Adam; with `velocity_hat` that is AMSGrad.

    `momentum += (grad - momentum) * (1 - beta_1)`;
    `velocity += (grad^2 - velocity) * (1 - beta_2)`;
    `alpha = learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t)`, in float64;
    `param -= alpha * momentum / (sqrt(velocity) + epsilon)`.
    With AMSGrad, `velocity_hat = max(velocity_hat, velocity)` takes the place of `velocity` in the
    last line.

    Reference: Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", the form before
    section 2.1; Reddi et al. 2018, "On the Convergence of Adam and Beyond".
    """
    dtype = param.dtype
    rate, first, second = (np.float64(n) for n in (learning_rate, beta_1, beta_2))
    t = int(iterations) + 1
    alpha = rate * np.sqrt(1.0 - second**t) / (1.0 - first**t)
    momentum = as_array(momentum + (grad - momentum) * (1.0 - first), dtype)
    velocity = as_array(velocity + (grad**2 - velocity) * (1.0 - second), dtype)
    slots = [momentum, velocity]
    if velocity_hat is not None:
        slots.append(as_array(np.maximum(velocity_hat, velocity), dtype))
    change = alpha * momentum / (np.sqrt(slots[-1]) + float(epsilon))
    return as_array(_decayed(param, rate, weight_decay) - change, dtype), *slots


def global_norm(*gs: Array) -> Array:
    """Euclidean norm of all elements of all arrays, `sqrt(sum g^2)`, shape (); summed in float64.

    Reference: Pascanu et al. 2013, "On the Difficulty of Training Recurrent Neural Networks".
    """
    squares = [np.sum(as_array(g, np.float64) ** 2) for g in gs]
    return as_array(np.sqrt(np.sum(squares)), gs[0].dtype)


def checked_rate(x: Array, what: str) -> Array:
    """`x`, the value of a learning rate for one step.

    Raises:
        ValueError: It is negative, NaN or infinite.
    """
    if not 0.0 <= x < np.inf:
        raise ValueError(f"{what} is {float(x):g}: expected a finite number, 0 or greater")
    return np.array(x)
