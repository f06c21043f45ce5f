"""keras.random: random choices of what is given."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ..graph.dtypes import FLOATS, INTEGERS, standard_dtype
from ..graph.tensor import Tensor, apply
from ..graph.types import DTypeLike, TensorLike
from ..ops import arguments
from ..ops.public import as_tensor
from ..utils.numbers import is_number
from .draws import arrays_or_tensors, draw_options, uniform_numbers
from .seed_generator import Seed


@arrays_or_tensors
def categorical(
    logits: TensorLike, num_samples: int, dtype: DTypeLike | None = "int32", seed: Seed = None
) -> Tensor:
    """Classes, each drawn with the probability softmax(logits): argmax of logits + Gumbel noise.

    Args:
        logits: Shape (batch, classes): logarithms of probabilities, which need not sum to 1.
        num_samples: How many classes are drawn for each row.
        dtype: "int32", "int64" or "uint8".
        seed: An integer for the same numbers in every call, a `SeedGenerator`, or None for the
            global stream.

    Returns:
        Integers of shape (batch, num_samples).

    Reference: Gumbel 1954, "Statistical theory of extreme values and some practical applications".
    """
    dtype = "int32" if dtype is None else standard_dtype(dtype, "categorical: dtype")
    if dtype not in INTEGERS:
        raise ValueError(f"categorical: expected an integer dtype, received {dtype}")
    logits = as_tensor(logits, name="categorical")
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(
            f"categorical: expected logits of shape (batch, classes), received {logits.shape}"
        )
    logits = logits if logits.dtype in FLOATS else as_tensor(logits, "float32")
    count = arguments.at_least("categorical", "num_samples", num_samples, 0)
    batch, classes = logits.shape
    u = uniform_numbers("categorical", (batch, count, classes), logits.dtype, seed)
    smallest = 2.0**-25 if logits.dtype == "float32" else 2.0**-54  # 0 is infinite noise
    waiting = -apply("log1p", -apply("maximum", u, as_tensor(smallest, u.dtype)))
    rows = apply("reshape", logits, shape=(batch, 1, classes))
    drawn = apply("argmax", rows - apply("log", waiting), axis=-1)
    return drawn if drawn.dtype == dtype else apply("cast", drawn, dtype=dtype)


def _noise_shape(inputs: Tensor, noise_shape: Sequence[int | None] | None) -> tuple[int, ...]:
    """The shape of the mask; None stands for the size of the inputs."""
    if noise_shape is None:
        return inputs.shape
    if not isinstance(noise_shape, (list, tuple)) or len(noise_shape) != inputs.ndim:
        raise ValueError(
            f"dropout: expected a noise_shape with a size for each axis of {inputs.shape}, "
            f"received {noise_shape}"
        )
    sizes = [n if m is None else m for n, m in zip(inputs.shape, noise_shape)]
    shape = arguments.sizes("dropout", "noise_shape", sizes)
    if any(m not in (1, n) for n, m in zip(inputs.shape, shape)):
        raise ValueError(
            f"dropout: expected a noise_shape that broadcasts to {inputs.shape}, received "
            f"{noise_shape}"
        )
    return shape


@arrays_or_tensors
def dropout(
    inputs: TensorLike,
    rate: float | Tensor,
    noise_shape: Sequence[int | None] | None = None,
    seed: Seed = None,
) -> Tensor:
    """y = inputs / (1 - rate) where a value is kept, else 0; kept with probability 1 - rate.

    Args:
        inputs: A tensor or array of floats.
        rate: A number in [0, 1], or a scalar tensor of a program: there what is below 0 counts as
            0, above 1 as 1, and NaN gives NaN.
        noise_shape: The shape of the mask, None for the size of an axis of the inputs; along axes
            of size 1 the values are kept or dropped together.
        seed: An integer for the same mask in every call, a `SeedGenerator`, or None for the global
            stream.

    Reference: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".
    """
    inputs = as_tensor(inputs, name="dropout")
    if inputs.dtype not in FLOATS:
        raise TypeError(f"dropout: expected inputs of a float dtype, received {inputs.dtype}")
    shape = _noise_shape(inputs, noise_shape)
    zeros = arguments.filled((inputs,), 0, inputs.shape, inputs.dtype)
    if not isinstance(rate, Tensor):
        if not is_number(rate) or not 0 <= rate <= 1:
            raise ValueError(f"dropout: expected rate to be a number in [0, 1], received {rate!r}")
        if rate in (0, 1):
            return zeros if rate else inputs
    options = draw_options("dropout", seed)
    if shape == inputs.shape:
        return apply("dropout", inputs, rate, **options)
    ones = arguments.filled((inputs,), 1, shape, inputs.dtype)
    scale = apply("dropout", ones, rate, **options)
    return apply("where", scale != 0, inputs * scale, zeros)


@arrays_or_tensors
def shuffle(x: TensorLike, axis: int = 0, seed: Seed = None) -> Tensor:
    """y = x with its values in a random order along an axis, another one for each other index.

    Args:
        x: A tensor or array.
        axis: An int.
        seed: An integer for the same order in every call, a `SeedGenerator`, or None for the global
            stream.
    """
    x = as_tensor(x, name="shuffle")
    axis = arguments.axis("shuffle", axis, x.ndim)
    if math.prod(x.shape) == 0:
        return x
    order = apply("argsort", uniform_numbers("shuffle", x.shape, "float64", seed), axis=axis)
    return apply("take_along_axis", x, order, axis=axis)
