"""Ops with random numbers from Philox, keyed by seed and op, counted by step and element."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..dtypes import FLOATS
from ..table import Op, check_scalar, register, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape


@register
class Dropout(Op):
    """y = x / (1 - rate) where the element is kept, else 0; kept with probability 1 - rate.

    The mask is a function of (seed, op_id, step, element index), so the backward op draws it again
    instead of storing it. The rate is a number of the step: one below 0 counts as 0, one above 1 as
    1, and NaN gives NaN.
    """

    name = "dropout"
    inplace = {0: 0}
    random = True
    input_dtypes = {1: "float64"}

    def check_constant(self, index: int, value: Any, dtype: str) -> None:
        if index == 1 and not 0.0 <= value < 1.0:
            raise ValueError(f"dropout: expected a rate in [0, 1), received {value}")

    def infer(
        self, x: Tensor, rate: Tensor, seed: int = 0, op_id: int = 0, step: int | None = None
    ) -> Spec:
        check_scalar(self.name, "rate", rate)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return apply("dropout", dy, node.inputs[1], **node.attributes), None


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
