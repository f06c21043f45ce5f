"""softmax(x)_i = exp(x_i) / sum_j exp(x_j) and log_softmax along one axis."""

from __future__ import annotations

from collections.abc import Sequence

from ..table import Op, add, check_same_dtype, link, normalize_axis, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients


class SoftmaxOp(Op):
    """y = softmax(x) or log_softmax(x) along `axis`."""

    inplace = {0: 0}

    def __init__(self, name: str) -> None:
        self.name = name

    def infer(self, x: Tensor, axis: int = -1) -> Spec:
        normalize_axis(self.name, axis, x.ndim)
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply(self.name + "_backward", dy, node.outputs[0], **node.attributes),)

    def flops(self, node: Node) -> int:
        return 12 * node.outputs[0].size


class SoftmaxBackwardOp(Op):
    """dx from dy and y."""

    inplace = {0: 0}

    def __init__(self, name: str) -> None:
        self.name = name

    def infer(self, dy: Tensor, y: Tensor, axis: int = -1) -> Spec:
        check_same_dtype(self.name, dy, y)
        if dy.shape != y.shape:
            raise ValueError(f"{self.name}: expected dy of shape {y.shape}, received {dy.shape}")
        normalize_axis(self.name, axis, y.ndim)
        return same(y)

    def gradient(self, node: Node, ddx: Tensor, needs: Sequence[bool]) -> Gradients:
        dy, y = node.inputs
        axis = node.attributes.get("axis", -1)

        def along(x: Tensor) -> Tensor:
            return apply("sum", x, axis=axis, keepdims=True)

        if self.name == "softmax_backward":  # dx = y (dy - sum(dy y)), symmetric in dy and ddx
            ddy = apply(self.name, ddx, y, axis=axis) if needs[0] else None
            return ddy, ddx * (dy - along(dy * y)) - dy * along(ddx * y) if needs[1] else None
        weights = ddx * apply("exp", y)  # dx = dy - exp(y) sum(dy)
        return ddx - along(weights) if needs[0] else None, -weights * along(dy) if needs[
            1
        ] else None

    def flops(self, node: Node) -> int:
        return 4 * node.outputs[0].size


for _name in ("softmax", "log_softmax"):
    link(add(SoftmaxOp(_name)), add(SoftmaxBackwardOp(_name + "_backward")))
