"""Matrix product and the dense layer: forward, and the gradients of input, kernel and bias.

Shape legend: `x` (..., in), `kernel` (in, out), `bias` (out,), `y` and `dy` (..., out).
Dtypes: float32 or float64, the same for all arrays of a call.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import activations
from ._arrays import Array, as_array
from .softmax import log_softmax, log_softmax_backward, softmax, softmax_backward

_ACTIVATIONS: dict[str, tuple[Callable[..., Array], Callable[..., Array]]] = {
    forward.__name__: (forward, backward)
    for forward, backward in (
        (activations.linear, activations.linear_backward),
        (activations.relu, activations.relu_backward),
        (activations.leaky_relu, activations.leaky_relu_backward),
        (activations.elu, activations.elu_backward),
        (activations.selu, activations.selu_backward),
        (activations.gelu, activations.gelu_backward),
        (activations.silu, activations.silu_backward),
        (activations.sigmoid, activations.sigmoid_backward),
        (activations.hard_sigmoid, activations.hard_sigmoid_backward),
        (activations.tanh, activations.tanh_backward),
        (activations.softplus, activations.softplus_backward),
        (activations.softsign, activations.softsign_backward),
        (activations.exponential, activations.exponential_backward),
        (activations.step, activations.step_backward),
        (softmax, softmax_backward),
        (log_softmax, log_softmax_backward),
    )
}


def _activation(op: str, name: str) -> tuple[Callable[..., Array], Callable[..., Array]]:
    """The activation of this name and its gradient."""
    if name not in _ACTIVATIONS:
        raise ValueError(
            f"{op}: expected 'activation' to be None or one of {sorted(_ACTIVATIONS)}, "
            f"received {name!r}."
        )
    return _ACTIVATIONS[name]


def _rows(x: Array) -> Array:
    """View (..., n) as a matrix (rows, n)."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def matmul(a: Array, b: Array, transpose_a: bool = False, transpose_b: bool = False) -> Array:
    """Matrix product `y = op(a) @ op(b)`, where `op` swaps the last two axes if asked to.

    `op(a)` (..., m, k), `op(b)` (..., k, n), `y` (..., m, n): the axes in front broadcast. A
    vector (k,) is a row on the left and a column on the right. Integers wrap; for booleans `y` is
    whether any pair of factors is true.
    """
    left = np.swapaxes(a, -1, -2) if transpose_a else a
    right = np.swapaxes(b, -1, -2) if transpose_b else b
    return as_array(np.matmul(left, right), a.dtype)


def dense(
    x: Array,
    kernel: Array,
    bias: Array | None = None,
    activation: str | None = None,
    pre_activation: bool = False,
    **attributes: Any,
) -> Array | tuple[Array, Array]:
    """Fully connected layer: `z = x @ kernel + bias`, `y = activation(z)`.

    `attributes` are those of the activation, such as `negative_slope`. With `pre_activation`
    the result is `(y, z)`, for activations whose gradient needs their input.

    Raises:
        ValueError: There is no activation of this name.
    """
    z = as_array(x @ kernel, x.dtype)
    if bias is not None:
        z = as_array(z + bias, x.dtype)
    y = z if activation is None else _activation("dense", activation)[0](z, **attributes)
    return (y, np.array(z)) if pre_activation else y


def dense_backward_input(
    dy: Array,
    kernel: Array,
    saved: Array | None = None,
    activation: str | None = None,
    **attributes: Any,
) -> Array:
    """Gradient of `x @ kernel` for `x`: `dx = dy @ kernel^T`, shape (..., in).

    With `activation`, the gradient passes on through the activation that made `x`:
    `dx = activation_backward(dy @ kernel^T, saved, **attributes)`, `saved` (..., in).

    Raises:
        ValueError: There is no activation of this name.
    """
    dx = as_array(dy @ kernel.T, dy.dtype)
    if activation is None:
        return dx
    return _activation("dense_backward_input", activation)[1](dx, saved, **attributes)


def dense_backward_kernel(x: Array, dy: Array, bias: bool = False) -> Array | tuple[Array, Array]:
    """Gradient of `x @ kernel` for `kernel`: `dkernel = x^T @ dy`, shape (in, out).

    All axes but the last of `x` and `dy` are summed over. With `bias` the result is
    `(dkernel, bias_backward(dy))`.
    """
    dkernel = as_array(_rows(x).T @ _rows(dy), dy.dtype)
    return (dkernel, bias_backward(dy)) if bias else dkernel


def bias_backward(dy: Array) -> Array:
    """Gradient of `y + bias` for `bias`: `dbias = sum of dy over all axes but the last`."""
    return as_array(np.sum(_rows(dy), axis=0), dy.dtype)
