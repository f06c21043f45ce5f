"""Accuracies, one value per sample: shape pred.shape[:-1]."""

from __future__ import annotations

from ..table import Op, check_same_dtype, register
from ..tensor import Spec, Tensor
from .losses import check_predictions


@register
class CategoricalAccuracy(Op):
    """1 where argmax(pred) == argmax(labels), else 0."""

    name = "categorical_accuracy"

    def infer(self, pred: Tensor, labels: Tensor) -> Spec:
        check_predictions(self.name, pred)
        check_same_dtype(self.name, pred, labels)
        if pred.shape != labels.shape:
            raise ValueError(
                f"{self.name}: expected labels of shape {pred.shape}, received {labels.shape}"
            )
        return Spec(pred.shape[:-1], pred.dtype)


@register
class SparseCategoricalAccuracy(Op):
    """1 where argmax(pred) == label, else 0."""

    name = "sparse_categorical_accuracy"
    index_inputs = {1: (0, -1)}

    def infer(self, pred: Tensor, labels: Tensor) -> Spec:
        check_predictions(self.name, pred)
        if labels.dtype != "int32" or labels.shape != pred.shape[:-1]:
            raise ValueError(
                f"{self.name}: expected int32 labels of shape {pred.shape[:-1]}, "
                f"received {labels.dtype} {labels.shape}"
            )
        return Spec(pred.shape[:-1], pred.dtype)


@register
class BinaryAccuracy(Op):
    """The mean over the last axis of (pred > threshold) == label."""

    name = "binary_accuracy"

    def infer(self, pred: Tensor, labels: Tensor, threshold: float = 0.5) -> Spec:
        check_predictions(self.name, pred)
        check_same_dtype(self.name, pred, labels)
        if pred.shape != labels.shape:
            raise ValueError(
                f"{self.name}: expected labels of shape {pred.shape}, received {labels.shape}"
            )
        return Spec(pred.shape[:-1], pred.dtype)
