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
        _check_dtype(self.name, dtype)
        return Spec(shape, dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return ()


@register
class RandomGamma(Op):
    """y[i] = a number of the gamma distribution of shape alpha[i], or with `log` its logarithm.

    alpha has the shape of y or is one number. y is a function of (seed, op_id, step, i), and NaN
    where alpha is not above 0.
    """

    name = "random_gamma"
    random = True
    input_dtypes = {0: "float64"}

    def infer(
        self,
        alpha: Tensor,
        shape: Shape,
        dtype: str = "float32",
        log: bool = False,
        seed: int = 0,
        op_id: int = 0,
        step: int | None = None,
    ) -> Spec:
        _check_dtype(self.name, dtype)
        _check_parameter(self.name, "alpha", alpha, shape)
        return Spec(shape, dtype)

    def flops(self, node: Node) -> int:
        return 100 * node.outputs[0].size


@register
class RandomBinomial(Op):
    """y[i] = how many of counts[i] trials succeed, each with the probability probabilities[i].

    Both have the shape of y or are one number. y is a function of (seed, op_id, step, i), and NaN
    where the count is no whole number of [0, 2^53] or the probability not in [0, 1].
    """

    name = "random_binomial"
    random = True
    input_dtypes = {0: "float64", 1: "float64"}

    def infer(
        self,
        counts: Tensor,
        probabilities: Tensor,
        shape: Shape,
        dtype: str = "float32",
        seed: int = 0,
        op_id: int = 0,
        step: int | None = None,
    ) -> Spec:
        _check_dtype(self.name, dtype)
        _check_parameter(self.name, "counts", counts, shape)
        _check_parameter(self.name, "probabilities", probabilities, shape)
        return Spec(shape, dtype)

    def flops(self, node: Node) -> int:
        return 100 * node.outputs[0].size


def _check_dtype(name: str, dtype: str) -> None:
    if dtype not in FLOATS:
        raise ValueError(f"{name}: expected a float dtype, received {dtype}")


def _check_parameter(name: str, what: str, parameter: Tensor, shape: Shape) -> None:
    if parameter.shape not in ((), tuple(shape)) and None not in shape:
        raise ValueError(
            f"{name}: expected {what} to be a scalar or of shape {tuple(shape)}, received shape "
            f"{parameter.shape}"
        )
