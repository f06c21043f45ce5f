"""Gradients by central finite differences, in float64."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

# A central difference errs by h^2 |f'''| / 6 from its form and by eps |f| / h from rounding; the
# sum is smallest near the cube root of eps, and there about 1e-10 for functions of size 1.
STEP = float(np.finfo(np.float64).eps) ** (1 / 3)


def numerical_gradient(function: Callable[[Array], Array], x: Array, dy: Array) -> Array:
    """`dx_i = sum(dy * (function(x + h e_i) - function(x - h e_i))) / 2h`."""
    dx = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[index] += STEP
        down[index] -= STEP
        difference = np.asarray(function(up)) - np.asarray(function(down))
        dx[index] = np.sum(dy * difference) / (up[index] - down[index])
    return dx


def assert_gradient(
    analytic: Array, function: Callable[[Array], Array], x: Array, dy: Array
) -> None:
    """The analytic gradient agrees with the numerical one to about nine digits."""
    expected = numerical_gradient(function, x, dy)
    assert analytic.shape == x.shape
    np.testing.assert_allclose(analytic, expected, rtol=1e-8, atol=1e-9)
