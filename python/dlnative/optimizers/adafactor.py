"""Adafactor: Adam without momentum, whose mean squares are kept by rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import ops
from ..hyperparameters import Flag, StepNumber
from .optimizer import Optimizer

if TYPE_CHECKING:
    from ..graph.tensor import Tensor
    from ..variables import Variable
    from .learning_rate import Rate


class Adafactor(Optimizer):
    """Adafactor: s = g^2 + epsilon_1; b = 1 - t^beta_2_decay;
    r = b * r + (1 - b) * (mean of s along rows); c = b * c + (1 - b) * (mean along columns);
    v = r / mean(r) * c; u = g / sqrt(v); u = u / max(1, rms(u) / clip_threshold);
    w = w - max(epsilon_2, rms(w)) * min(lr, 1 / sqrt(t)) * u.

    t counts updates from 1. Vectors and scalars have v = b * v + (1 - b) * s. Of more than two
    axes the last two are rows and columns.

    Args:
        learning_rate: lr, 0 or greater: the largest relative step.
        beta_2_decay: The exponent of t, 0 or less.
        epsilon_1: Added to the squares, as in the paper and in PyTorch.
        epsilon_2: The least size that a parameter counts for.
        clip_threshold: The largest root mean square of an update, greater than 0.
        relative_step: Whether a constant lr is at most 1 / sqrt(t). As in Keras it never is more,
            so that nothing depends on it.
        **options: See `Optimizer`.

    Differs from Keras: see `Optimizer`; vectors have no placeholders of zeros among `variables`.
    In PyTorch lr decays with `relative_step` only by min(lr, 1 / sqrt(t)), too, and v is written
    as the outer product without being kept.

    Reference: Shazeer and Stern 2018, "Adafactor: Adaptive Learning Rates with Sublinear Memory
    Cost".
    """

    beta_2_decay = StepNumber(high=0.0)
    epsilon_1 = StepNumber(0.0)
    epsilon_2 = StepNumber(0.0)
    clip_threshold = StepNumber(0.0, above=True)
    relative_step = Flag()

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, **options)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def build(self, variables: Sequence[Variable]) -> None:
        super().build(variables)
        for v in variables:
            if v.ndim >= 2:
                self.add_slot(v, "row", v.shape[:-1], name=v.name)
                self.add_slot(v, "column", (*v.shape[:-2], v.shape[-1]), name=v.name)
            self.add_optimizer_variables([v], "velocity")

    def _saved_variables(self) -> list[Variable | None]:
        velocities = self._slots.get("velocity", {})
        unfactored = [id(v) for v in velocities.values() if v.ndim < 2]
        saved: list[Variable | None] = []
        for v in self.variables:
            saved += [None, None, v] if id(v) in unfactored else [v]
        return saved

    def update_step(self, gradient: Tensor, variable: Variable, learning_rate: Tensor) -> None:
        t = self.iterations + 1
        rate = ops.minimum(learning_rate, 1.0 / ops.sqrt(t))
        share = t**self.beta_2_decay  # 1 - b
        squares = gradient * gradient + self.epsilon_1
        (velocity,) = self.slots_of(variable, "velocity")
        if variable.ndim >= 2:
            row, column = self.slots_of(variable, "row", "column")
            row.assign((1.0 - share) * row + share * ops.mean(squares, axis=-1))
            column.assign((1.0 - share) * column + share * ops.mean(squares, axis=-2))
            relative = row / ops.mean(row, axis=-1, keepdims=True)
            velocity.assign(ops.expand_dims(relative, -1) * ops.expand_dims(column, -2))
        else:
            velocity.assign((1.0 - share) * velocity + share * squares)
        change = gradient / ops.sqrt(velocity)
        change = change / ops.maximum(_rms(change) / self.clip_threshold, 1.0)
        size = ops.maximum(_rms(variable.value), self.epsilon_2)
        variable.assign(variable - rate * size * change)


def _rms(x: Tensor) -> Tensor:
    return ops.sqrt(ops.mean(x * x))
