"""Activation functions, on tensors of a graph and on NumPy arrays alike.

Those that Keras has as ops, too, are the functions of `dlnative.ops`; what has other arguments or
is no op is written here. A name, a function or a layer may be given wherever an `activation` is
asked for; a function of one's own maps a tensor to a tensor by means of these functions and
`dlnative.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from .graph import Tensor, apply
from .graph.tensor import ValueTensor
from .ops import activations as _ops
from .ops.activations import (
    celu,
    elu,
    glu,
    hard_shrink,
    hard_sigmoid,
    hard_silu,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_shrink,
    softmax,
    softplus,
    softsign,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh_shrink,
    threshold,
)
from .ops.elementwise import multiply, tanh
from .utils.serialization import (
    Identifier,
    deserialize_keras_object,
    resolve,
    serialize_keras_object,
)

if TYPE_CHECKING:
    from .graph.types import Result, TensorLike

# As in Keras these are two names of one function.
swish, hard_swish = silu, hard_silu


def _run(name: str, x: TensorLike, **attributes: Any) -> Result:
    """A row of the op table on `x`, which is an array, a Variable or a tensor."""
    result = apply(name, x, **attributes)
    if isinstance(result, ValueTensor) and not isinstance(x, Tensor):
        return result.value
    return result


def linear(x: TensorLike) -> Result:
    """y = x"""
    return x


def relu(
    x: TensorLike,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Result:
    """y = max(x, 0); its gradient at 0 is 0.

    With the other arguments: y = max_value where x >= max_value, x where x > threshold, and
    negative_slope * (x - threshold) else.
    """
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return _ops.relu(x)
    return _run("relu", x, negative_slope=negative_slope, max_value=max_value, threshold=threshold)


def gelu(x: TensorLike, approximate: bool = False) -> Result:
    """y = x * P(X <= x), X standard normal; with `approximate` by its tanh form, as `ops.gelu`."""
    return _ops.gelu(x, approximate=approximate)


def mish(x: TensorLike) -> Result:
    """y = x * tanh(softplus(x))

    Reference:
        Misra 2019, "Mish: a self regularized non-monotonic activation function".
    """
    return multiply(x, tanh(softplus(x)))


def exponential(x: TensorLike) -> Result:
    """y = e^x"""
    return _run("exponential", x)


def step(x: TensorLike) -> Result:
    """y = 1 where x > 0, else 0; its gradient is 0 everywhere, so nothing before it learns."""
    return _run("step", x)


_KNOWN = {
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
    "glu": glu,
    "hard_shrink": hard_shrink,
    "hard_sigmoid": hard_sigmoid,
    "hard_silu": hard_silu,
    "hard_swish": hard_swish,
    "hard_tanh": hard_tanh,
    "leaky_relu": leaky_relu,
    "linear": linear,
    "log_sigmoid": log_sigmoid,
    "log_softmax": log_softmax,
    "mish": mish,
    "relu": relu,
    "relu6": relu6,
    "selu": selu,
    "sigmoid": sigmoid,
    "silu": silu,
    "soft_shrink": soft_shrink,
    "softmax": softmax,
    "softplus": softplus,
    "softsign": softsign,
    "sparse_plus": sparse_plus,
    "sparse_sigmoid": sparse_sigmoid,
    "sparsemax": sparsemax,
    "squareplus": squareplus,
    "step": step,
    "swish": swish,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
    "threshold": threshold,
}

__all__ = [*_KNOWN, "deserialize", "get", "serialize"]


def serialize(activation: Callable[..., Any]) -> Any:
    """The name of a built-in activation, else its configuration.

    Raises:
        ValueError: A lambda, which has no name to be found by.

    Example:
        >>> serialize(relu)
        'relu'
    """
    name = getattr(activation, "__name__", "")
    if _KNOWN.get(name) is activation:
        return name
    return serialize_keras_object(activation)


def deserialize(
    config: dict[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """The activation of a name or a configuration."""
    return deserialize_keras_object(config, custom_objects, module_objects=_KNOWN)


def get(identifier: Identifier) -> Callable[..., Any]:
    """The activation that `identifier` means.

    Args:
        identifier: A name, a function of a tensor, a layer, a configuration, or None for linear.

    Returns:
        A function from a tensor to a tensor.

    Raises:
        ValueError: A name that is not known; the nearest are offered.
        TypeError: None of these.

    Example:
        >>> get("relu") is relu
        True
    """
    if identifier is None:
        return linear
    return resolve(identifier, "activation", _KNOWN, "a name, a function of a tensor or a layer")
