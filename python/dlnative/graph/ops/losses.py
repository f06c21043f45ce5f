"""Losses, one value per sample, their gradients, and the weighted sum that makes one number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..table import Op, add, check_same_dtype, link, register, same, table
from ..tensor import Node, Spec, Tensor, apply
from ..types import Attributes, Gradients


def check_predictions(name: str, pred: Tensor) -> None:
    """ValueError unless there is a last axis, of at least one class or output."""
    if pred.ndim < 1 or pred.shape[-1] == 0:
        raise ValueError(
            f"{name}: expected predictions with at least one class or output on their last axis, "
            f"received shape {pred.shape}"
        )


class LossOp(Op):
    """losses[i] = loss(pred[i], labels[i]), reduced over the last axis; shape pred.shape[:-1]."""

    epilogue = frozenset({"loss_sum"})

    def __init__(
        self, name: str, sparse: bool = False, smoothing: bool = False, flops_per_element: int = 4
    ) -> None:
        self.name = name
        self.sparse = sparse
        self.index_inputs = {1: (0, -1)} if sparse else {}
        self.smoothing = smoothing
        self.flops_per_element = flops_per_element

    def check(self, name: str, pred: Tensor, labels: Tensor, attributes: Attributes) -> None:
        """ValueError or TypeError unless labels and attributes suit the predictions."""
        for key in attributes:
            if key != "label_smoothing" or not self.smoothing:
                raise TypeError(f"{name}: unexpected argument {key!r}")
        check_predictions(name, pred)
        if self.sparse:
            if labels.dtype != "int32":
                raise ValueError(f"{name}: expected int32 labels, received {labels.dtype}")
            if labels.shape != pred.shape[:-1]:
                raise ValueError(
                    f"{name}: expected labels of shape {pred.shape[:-1]} for predictions "
                    f"{pred.shape}, received {labels.shape}"
                )
            return
        check_same_dtype(name, pred, labels)
        if labels.shape != pred.shape:
            raise ValueError(
                f"{name}: expected labels of shape {pred.shape}, received {labels.shape}"
            )

    def infer(self, pred: Tensor, labels: Tensor, **attributes: Any) -> Spec:
        self.check(self.name, pred, labels, attributes)
        return Spec(pred.shape[:-1], pred.dtype)

    def gradient(self, node: Node, dloss: Tensor, needs: Sequence[bool]) -> Gradients:
        pred, labels = node.inputs
        return apply(self.name + "_backward", dloss, pred, labels, **node.attributes), None

    def flops(self, node: Node) -> int:
        return self.flops_per_element * node.inputs[0].size


class LossBackwardOp(Op):
    """dpred[i] = dloss[i] * d losses[i] / d pred[i]"""

    def __init__(self, forward: LossOp) -> None:
        self.name = forward.name + "_backward"
        self.index_inputs = {2: (1, -1)} if forward.sparse else {}
        link(forward, self)

    def infer(self, dloss: Tensor, pred: Tensor, labels: Tensor, **attributes: Any) -> Spec:
        self.forward.check(self.name, pred, labels, attributes)
        if dloss.shape != pred.shape[:-1]:
            raise ValueError(
                f"{self.name}: expected dloss of shape {pred.shape[:-1]}, received {dloss.shape}"
            )
        return same(pred)

    def flops(self, node: Node) -> int:
        return self.forward.flops_per_element * node.outputs[0].size


class LossWithGradientOp(Op):
    """total = scale * sum_i weight[i] losses[i] and dpred = d total / d pred, in one pass."""

    inplace = {1: 0}

    def __init__(self, loss: LossOp) -> None:
        self.name = loss.name + "_with_gradient"
        self.index_inputs = loss.index_inputs
        self.loss = loss
        loss.fused = self

    def infer(
        self,
        pred: Tensor,
        labels: Tensor,
        weight: Tensor | None = None,
        scale: float = 1.0,
        **attributes: Any,
    ) -> tuple[Spec, ...]:
        self.loss.check(self.name, pred, labels, attributes)
        if weight is not None and weight.shape != pred.shape[:-1]:
            raise ValueError(
                f"{self.name}: expected a weight of shape {pred.shape[:-1]}, "
                f"received {weight.shape}"
            )
        return Spec((), pred.dtype), same(pred)

    def flops(self, node: Node) -> int:
        return 2 * self.loss.flops_per_element * node.inputs[0].size


LOSSES = {
    op.name: op
    for op in (
        LossOp("softmax_cross_entropy", smoothing=True, flops_per_element=12),
        LossOp("sparse_softmax_cross_entropy", sparse=True, flops_per_element=12),
        LossOp("categorical_cross_entropy", smoothing=True, flops_per_element=14),
        LossOp("sparse_categorical_cross_entropy", sparse=True, flops_per_element=4),
        LossOp("binary_cross_entropy_with_logits", smoothing=True, flops_per_element=24),
        LossOp("binary_cross_entropy", smoothing=True, flops_per_element=24),
        LossOp("mean_squared_error"),
        LossOp("mean_absolute_error"),
    )
}

for _op in LOSSES.values():
    add(_op)
    add(LossBackwardOp(_op))
    add(LossWithGradientOp(_op))


def _check_weight(name: str, losses: Tensor, weight: Tensor | None) -> None:
    check_same_dtype(name, losses, weight)
    if weight is not None and weight.shape != losses.shape:
        raise ValueError(
            f"{name}: expected a weight of shape {losses.shape}, received {weight.shape}"
        )


@register
class WeightedSum(Op):
    """total = scale * sum_i weight[i] losses[i], a scalar."""

    name = "weighted_sum"
    fusion = "loss_sum"

    def infer(self, losses: Tensor, weight: Tensor | None = None, scale: float = 1.0) -> Spec:
        _check_weight(self.name, losses, weight)
        return Spec((), losses.dtype)

    def gradient(self, node: Node, dtotal: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("weighted_sum_backward", dtotal, *node.inputs, **node.attributes),) + (
            None,
        ) * (len(node.inputs) - 1)


@register
class WeightedSumBackward(Op):
    """dlosses[i] = dtotal * scale * weight[i]"""

    name = "weighted_sum_backward"

    def infer(
        self, dtotal: Tensor, losses: Tensor, weight: Tensor | None = None, scale: float = 1.0
    ) -> Spec:
        _check_weight(self.name, losses, weight)
        return same(losses)


link(table["weighted_sum"], table["weighted_sum_backward"])
