"""Activation functions, on tensors of a graph and on NumPy arrays alike.

Each is a function of an array (computed at once) or of a tensor (a node of the graph). A name, a
function or a layer may be given wherever an `activation` is asked for; a function of one's own
maps a tensor to a tensor by means of these functions and `dlnative.ops`.
"""

from __future__ import annotations

from .graph import Tensor, apply
from .graph.tensor import ValueTensor
from .naming import unknown


def _run(name, *inputs, **attributes):
    if isinstance(inputs[0], Tensor):
        return apply(name, *inputs, **attributes)
    result = apply(name, *inputs, **attributes)
    return result.value if isinstance(result, ValueTensor) else result


def linear(x):
    """y = x"""
    return x


def relu(x, negative_slope=0.0, max_value=None, threshold=0.0):
    """y = max(x, 0); its gradient at 0 is 0.

    With the other arguments: y = max_value where x >= max_value, x where threshold <= x, and
    negative_slope * (x - threshold) below the threshold.
    """
    if negative_slope == 0.0 and max_value is None and threshold == 0.0:
        return _run("relu", x)
    return _run("relu", x, negative_slope=negative_slope, max_value=max_value, threshold=threshold)


def relu6(x):
    """y = min(max(x, 0), 6)"""
    return _run("relu", x, max_value=6.0)


def leaky_relu(x, negative_slope=0.2):
    """y = x where x > 0, else negative_slope * x"""
    return _run("leaky_relu", x, negative_slope=negative_slope)


def elu(x, alpha=1.0):
    """y = x where x > 0, else alpha * (exp(x) - 1)

    Reference:
        Clevert et al. 2016, "Fast and accurate deep network learning by exponential linear units".
    """
    return _run("elu", x, alpha=alpha)


def celu(x, alpha=1.0):
    """y = x where x > 0, else alpha * (exp(x / alpha) - 1)"""
    return _run("rescale", elu(_run("rescale", x, scale=1.0 / alpha)), scale=alpha)


def selu(x):
    """y = 1.0507 * elu(x, alpha=1.6733): keeps mean 0 and variance 1 from layer to layer.

    Reference:
        Klambauer et al. 2017, "Self-normalizing neural networks".
    """
    return _run("selu", x)


def gelu(x, approximate=False):
    """y = x * P(X <= x), X standard normal; with `approximate` by its tanh form.

    Reference:
        Hendrycks and Gimpel 2016, "Gaussian error linear units".
    """
    return _run("gelu", x, approximate=approximate)


def silu(x):
    """y = x * sigmoid(x); also called swish"""
    return _run("silu", x)


def hard_silu(x):
    """y = x * hard_sigmoid(x); also called hard swish"""
    return _run("multiply", x, hard_sigmoid(x))


def mish(x):
    """y = x * tanh(softplus(x))"""
    return _run("multiply", x, tanh(softplus(x)))


def sigmoid(x):
    """y = 1 / (1 + exp(-x))"""
    return _run("sigmoid", x)


def hard_sigmoid(x):
    """y = min(max(x / 6 + 1/2, 0), 1)"""
    return _run("hard_sigmoid", x)


def log_sigmoid(x):
    """y = log(sigmoid(x)) = -softplus(-x)"""
    return _run("rescale", softplus(_run("rescale", x, scale=-1.0)), scale=-1.0)


def tanh(x):
    """y = tanh(x)"""
    return _run("tanh", x)


def hard_tanh(x):
    """y = min(max(x, -1), 1)"""
    shifted = _run("rescale", x, offset=1.0)
    return _run("rescale", _run("relu", shifted, max_value=2.0), offset=-1.0)


def tanh_shrink(x):
    """y = x - tanh(x)"""
    return _run("subtract", x, tanh(x))


def soft_shrink(x, threshold=0.5):
    """y = x - threshold where x > threshold, x + threshold where x < -threshold, else 0"""
    above = _run("relu", _run("rescale", x, offset=-threshold))
    below = _run("relu", _run("rescale", x, scale=-1.0, offset=-threshold))
    return _run("subtract", above, below)


def softplus(x):
    """y = log(1 + exp(x))"""
    return _run("softplus", x)


def softsign(x):
    """y = x / (1 + |x|)"""
    return _run("softsign", x)


def exponential(x):
    """y = exp(x)"""
    return _run("exponential", x)


def step(x):
    """y = 1 where x > 0, else 0; its gradient is 0 everywhere, so nothing before it learns."""
    return _run("step", x)


def softmax(x, axis=-1):
    """y_i = exp(x_i) / sum_j exp(x_j) along `axis`"""
    return _run("softmax", x, axis=axis)


def log_softmax(x, axis=-1):
    """y_i = x_i - log(sum_j exp(x_j)) along `axis`"""
    return _run("log_softmax", x, axis=axis)


swish = silu
hard_swish = hard_silu

_KNOWN = {
    "celu": celu,
    "elu": elu,
    "exponential": exponential,
    "gelu": gelu,
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
    "step": step,
    "swish": swish,
    "tanh": tanh,
    "tanh_shrink": tanh_shrink,
}

__all__ = [*_KNOWN, "deserialize", "get", "serialize"]


def serialize(activation):
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
    from .utils.serialization import serialize_keras_object

    return serialize_keras_object(activation)


def deserialize(config, custom_objects=None):
    """The activation of a name or a configuration."""
    from .utils.serialization import deserialize_keras_object

    return deserialize_keras_object(config, custom_objects, module_objects=_KNOWN)


def get(identifier):
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
    if isinstance(identifier, str):
        from .utils.serialization import get_registered_object

        found = get_registered_object(identifier, module_objects=_KNOWN)
        if found is None:
            raise unknown("activation", identifier, _KNOWN)
        return found
    if isinstance(identifier, dict):
        identifier = deserialize(identifier)
    if callable(identifier):
        return identifier
    raise TypeError(
        f"An activation must be a name, a function of a tensor or a layer, received {identifier!r}"
    )
