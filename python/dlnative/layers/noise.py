"""Layers that add or multiply noise in training only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..graph import apply
from ..hyperparameters import StepNumber, is_on
from ..random.distributions import standard_normal
from .seeded import SeededLayer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor


class GaussianNoise(SeededLayer):
    """In training: y = x + stddev e, e of the normal distribution. Otherwise: y = x.

    The noise is a function of seed, step and place of the value. It does not depend on threads, and
    a run that is resumed continues with the noise that it would have had.

    Args:
        stddev: Standard deviation of the noise, in [0, 1].
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `stddev` is not a number, `seed` not an integer.
        ValueError: `stddev` is not in [0, 1].

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import GaussianNoise
        >>> y = GaussianNoise(0.5, seed=1)(np.ones((100, 100)), training=True)
        >>> print(round(float(y.std()), 1))
        0.5
    """

    stddev = StepNumber(0.0, 1.0, switch=True)

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.stddev = stddev
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not is_on(self, "stddev"):
            return inputs
        return inputs + standard_normal(self._uniform(inputs)) * self.stddev

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev}


class GaussianDropout(SeededLayer):
    """In training: y = x (1 + (rate / (1 - rate))^(1/2) e), e of the normal distribution.
    Otherwise: y = x.

    Mean and variance of y are those that Dropout gives with the same rate.

    Args:
        rate: Share that Dropout would drop, in [0, 1).
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Raises:
        TypeError: `rate` is not a number, `seed` not an integer.
        ValueError: `rate` is not in [0, 1).

    Example:
        >>> import numpy as np
        >>> from dlnative.layers import GaussianDropout
        >>> y = GaussianDropout(0.5, seed=1)(np.ones((100, 100)), training=True)
        >>> print(round(float(y.std()), 1))
        1.0

    Differs from Keras: a rate of 1, whose noise would have no bound, is refused at once; in Keras
    the first call in training raises.

    Reference:
        Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting",
        section 10.
    """

    rate = StepNumber(0.0, 1.0, below=True, switch=True)

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = rate
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool = False) -> Tensor:
        if not training or not is_on(self, "rate"):
            return inputs
        deviation = apply("sqrt", self.rate / (1.0 - self.rate))
        return inputs * (standard_normal(self._uniform(inputs)) * deviation + 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
