"""keras.ops: window functions of signal processing."""

from __future__ import annotations

import numpy as np

from .. import config
from ..graph.tensor import Tensor
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, op


def _length(name: str, x: TensorLike) -> int:
    values = arguments.known(name, x, "give the number of points as an int")
    return arguments.at_least(name, "x", values.item() if values.ndim == 0 else values, 0)


def _window(values: np.ndarray) -> Tensor:
    return as_tensor(values, config.floatx())


@op
def bartlett(x: TensorLike) -> Tensor:
    """y[i] = 1 - |2 i / (x - 1) - 1| for i < x: a triangle.

    Args:
        x: The number of points, an int.
    """
    return _window(np.bartlett(_length("bartlett", x)))


@op
def blackman(x: TensorLike) -> Tensor:
    """y[i] = 0.42 - 0.5 cos(2 pi i / (x - 1)) + 0.08 cos(4 pi i / (x - 1)) for i < x.

    Args:
        x: The number of points, an int.
    """
    return _window(np.blackman(_length("blackman", x)))


@op
def hamming(x: TensorLike) -> Tensor:
    """y[i] = 0.54 - 0.46 cos(2 pi i / (x - 1)) for i < x.

    Args:
        x: The number of points, an int.
    """
    return _window(np.hamming(_length("hamming", x)))


@op
def hanning(x: TensorLike) -> Tensor:
    """y[i] = 0.5 - 0.5 cos(2 pi i / (x - 1)) for i < x.

    Args:
        x: The number of points, an int.
    """
    return _window(np.hanning(_length("hanning", x)))


@op
def kaiser(x: TensorLike, beta: TensorLike) -> Tensor:
    """y[i] = I0(beta (1 - (2 i / (x - 1) - 1)^2)^(1/2)) / I0(beta) for i < x.

    Args:
        x: The number of points, an int.
        beta: The form of the window, a number.
    """
    beta = arguments.known("kaiser", beta, "give beta as a number")
    return _window(np.kaiser(_length("kaiser", x), beta.item()))
