"""keras.ops: how far predictions are from targets. The losses are in `dlnative.losses`."""

from __future__ import annotations

from .. import config
from ..graph.dtypes import float_type
from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .encoding import one_hot
from .public import as_tensor, op


def _predictions(name: str, output: TensorLike) -> Tensor:
    x = as_tensor(output, name=name)
    return as_tensor(x, float_type(x.dtype))


def _check_shapes(name: str, target: Tensor, output: Tensor) -> None:
    if target.shape != output.shape:
        raise ValueError(
            f"{name}: expected a target and an output of one shape, received {target.shape} and "
            f"{output.shape}"
        )


def _clipped(p: Tensor) -> Tensor:
    """Probabilities away from 0 and 1, where logarithms are infinite."""
    epsilon = config.epsilon()
    return apply("minimum", apply("maximum", p, epsilon), 1.0 - epsilon)


def _log_probabilities(output: Tensor, from_logits: bool, axis: int) -> Tensor:
    if from_logits:
        return apply("log_softmax", output, axis=axis)
    return apply("log", _clipped(output / apply("sum", output, axis=axis, keepdims=True)))


@op
def binary_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False
) -> Tensor:
    """y = -(target * ln(output) + (1 - target) * ln(1 - output)), element by element.

    Args:
        target: Numbers in [0, 1].
        output: Probabilities, which are clipped to [epsilon, 1 - epsilon] with
            `config.epsilon()`, of the shape of the target.
        from_logits: Whether `output` are logits: probabilities before the sigmoid.
    """
    name = "binary_crossentropy"
    target, output = as_tensor(target, name=name), _predictions(name, output)
    _check_shapes(name, target, output)
    if from_logits:  # -ln(sigmoid(x)) = softplus(-x)
        return target * apply("softplus", -output) + (1.0 - target) * apply("softplus", output)
    p = _clipped(output)
    return -(target * apply("log", p) + (1.0 - target) * apply("log", 1.0 - p))


@op
def categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """y = -sum_k target_k * ln(p_k) along `axis`, p = output / sum(output)

    Args:
        target: The probability of each class.
        output: Probabilities, or what is proportional to them, of the shape of the target; p is
            clipped to [epsilon, 1 - epsilon] with `config.epsilon()`.
        from_logits: Whether `output` are logits: p is their softmax.
        axis: The axis of the classes.
    """
    name = "categorical_crossentropy"
    target, output = as_tensor(target, name=name), _predictions(name, output)
    _check_shapes(name, target, output)
    axis = arguments.axis(name, axis, output.ndim)
    return -apply("sum", target * _log_probabilities(output, from_logits, axis), axis=axis)


@op
def sparse_categorical_crossentropy(
    target: TensorLike, output: TensorLike, from_logits: bool = False, axis: int = -1
) -> Tensor:
    """y = -ln(p_target) along `axis`, p = output / sum(output)

    Args:
        target: Class numbers of the shape of the output without `axis`; or with an axis of size 1
            at the end. Where one is out of range y is 0.
        output: Probabilities, or what is proportional to them; p is clipped to [epsilon,
            1 - epsilon] with `config.epsilon()`.
        from_logits: Whether `output` are logits: p is their softmax.
        axis: The axis of the classes.
    """
    name = "sparse_categorical_crossentropy"
    target, output = as_tensor(target, name=name), _predictions(name, output)
    axis = arguments.axis(name, axis, output.ndim)
    target = as_tensor(target, "int32")
    if target.ndim == output.ndim and target.shape[-1] == 1:
        target = apply("reshape", target, shape=target.shape[:-1])
    if target.shape != output.shape[:axis] + output.shape[axis + 1 :]:
        raise ValueError(
            f"{name}: expected a target of the shape of the output without axis {axis}, received "
            f"{target.shape} and {output.shape}"
        )
    log_p = _log_probabilities(output, from_logits, axis)
    classes = one_hot(target, output.shape[axis], axis=axis, dtype=log_p.dtype)
    return -apply("sum", classes * log_p, axis=axis)


@op
def psnr(x1: TensorLike, x2: TensorLike, max_val: float) -> Tensor:
    """y = 20 log10(max_val) - 10 log10(mean((x1 - x2)^2)): the ratio of signal and noise in dB.

    Args:
        x1, x2: Signals of one shape.
        max_val: The largest value that they may have.

    Differs from Keras: differences of uint8 are taken in floats, as they wrap else.
    """
    x1, x2 = as_tensor(x1, name="psnr"), as_tensor(x2, name="psnr")
    if x1.shape != x2.shape:
        raise ValueError(
            f"psnr: expected two signals of one shape, received {x1.shape} and {x2.shape}"
        )
    dtype = float_type(x1.dtype, x2.dtype)
    error = apply("square", as_tensor(x1, dtype) - as_tensor(x2, dtype))
    peak = apply("log10", as_tensor(max_val, dtype))
    return peak * 20.0 - apply("log10", apply("mean", error)) * 10.0
