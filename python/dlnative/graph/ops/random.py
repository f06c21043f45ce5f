"""Ops with random numbers from Philox, keyed by seed and op, counted by step and element."""

from __future__ import annotations

from collections.abc import Sequence

from ..dtypes import FLOATS
from ..table import Op, register, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape


@register
class Dropout(Op):
    """y = x / (1 - rate) where the element is kept, else 0; kept with probability 1 - rate.

    The mask is a function of (seed, op_id, step, element index), so the backward op draws it again
    instead of storing it.
    """

    name = "dropout"
    inplace = {0: 0}
    random = True

    def infer(
        self, x: Tensor, rate: float, seed: int = 0, op_id: int = 0, step: int | None = None
    ) -> Spec:
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"dropout: expected a rate in [0, 1), received {rate}")
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("dropout", dy, **node.attributes),)


@register
class RandomUniform(Op):
    """y[i] = uniform numbers of [0, 1), multiples of 2^-24 in float32 and of 2^-53 in float64.

    They are a function of (seed, op_id, step, i). With an attribute `step` they are the same at
    every step.
    """

    name = "random_uniform"
    random = True

    def infer(
        self,
        shape: Shape,
        dtype: str = "float32",
        seed: int = 0,
        op_id: int = 0,
        step: int | None = None,
    ) -> Spec:
        if dtype not in FLOATS:
            raise ValueError(f"random_uniform: expected a float dtype, received {dtype}")
        return Spec(shape, dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return ()
