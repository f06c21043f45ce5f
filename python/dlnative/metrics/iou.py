"""Intersection over union of classes, from a confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, ops
from ..graph.tensor import Tensor
from ..hyperparameters import Flag, Option
from ..losses.base import FLOATS
from ..utils.numbers import finite_number, is_integer
from .base import Metric, library_of, reported
from .thresholds import add_at

if TYPE_CHECKING:
    from ..graph.types import Result, TensorLike

INTEGERS = ("int", "int32", "int64")  # what Keras's configurations say


def _ignored(instance: Any, name: str, value: Any) -> int | None:
    if value is not None and not is_integer(value):
        raise ValueError(
            f"{type(instance).__name__}: expected {name} to be a class number or None, received "
            f"{value!r}"
        )
    return None if value is None else int(value)


class _IoU(Metric):
    """Base of the metrics of a confusion matrix: row is the label, column the prediction."""

    _direction = "up"
    ignore_class = Option(_ignored)
    sparse_y_true = Flag()
    sparse_y_pred = Flag()

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        owner = type(self).__name__
        if dtype is not None and dtype not in (*FLOATS, *INTEGERS):
            raise ValueError(
                f"{owner}: expected dtype to be one of {(*FLOATS, *INTEGERS)}, received {dtype!r}"
            )
        super().__init__(name=name)
        self._dtype = dtype
        if not is_integer(num_classes) or num_classes < 1:
            raise ValueError(
                f"{owner}: expected num_classes to be an integer of at least 1, received "
                f"{num_classes!r}"
            )
        self._num_classes = int(num_classes)
        self.ignore_class = ignore_class
        self.sparse_y_true = sparse_y_true
        self.sparse_y_pred = sparse_y_pred
        self.axis = axis
        self._matrix = self.add_variable((self._num_classes**2,), name="total_confusion_matrix")

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return self._num_classes

    @property
    def total_cm(self) -> Result:
        """The confusion matrix so far, (classes of labels, classes of predictions)."""
        counts = self._matrix.value
        counts = counts if isinstance(counts, Tensor) else counts.copy()
        return library_of(counts).reshape(counts, (self._num_classes, self._num_classes))

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Class numbers; one-hot labels without `sparse_y_true`.
            y_pred: Class numbers; scores of the classes without `sparse_y_pred`.
            sample_weight: Optional weights: one per class number of `y_true`, or one per sample,
                (batch,), or one for all.

        Raises:
            ValueError: The shapes do not fit.
        """
        true, pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        for what, x, sparse in (
            ("labels", true, self.sparse_y_true),
            ("predictions", pred, self.sparse_y_pred),
        ):
            if not sparse and x.shape[self.axis] > self._num_classes:
                raise ValueError(
                    f"metric '{self.name}': expected {what} of at most {self._num_classes} classes "
                    f"in axis {self.axis}, received shape {x.shape}"
                )
        true = true if self.sparse_y_true else ops.argmax(true, axis=self.axis)
        pred = pred if self.sparse_y_pred else ops.argmax(pred, axis=self.axis)
        self._add(true, pred, sample_weight)

    def _add(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any) -> None:
        """Adds class numbers; those that are out of range, or ignored, do not count."""
        if math.prod(y_true.shape) != math.prod(y_pred.shape):
            raise ValueError(
                f"metric '{self.name}': expected a class number of the predictions for each label, "
                f"received shapes {y_true.shape} and {y_pred.shape}"
            )
        weight = _flat_weight(self.name, y_true.shape, sample_weight)
        y_true, y_pred = (ops.cast(ops.reshape(y, (-1,)), "int32") for y in (y_true, y_pred))
        n = self._num_classes
        counts = (y_true >= 0) & (y_true < n) & (y_pred >= 0) & (y_pred < n)
        if self.ignore_class is not None:
            counts = counts & (y_true != self.ignore_class)
        weight = ops.where(counts, 1.0 if weight is None else weight, 0.0)
        add_at(self._matrix, ops.where(counts, y_true * n + y_pred, 0), weight)

    def _mean_iou(self, classes: Sequence[int]) -> Result:
        """The mean over those of `classes` that occur."""
        matrix = self.total_cm
        xp, epsilon = library_of(matrix), config.epsilon()
        hits = xp.diagonal(matrix)[list(classes)]
        union = (xp.sum(matrix, axis=0) + xp.sum(matrix, axis=1))[list(classes)] - hits
        occurs = xp.where(union > 1e-9, 1.0, 0.0)
        iou = occurs * hits / (union + epsilon)
        return reported(xp.sum(iou) / (xp.sum(occurs) + epsilon), self.dtype)

    def _options(self) -> dict[str, Any]:
        return {
            "num_classes": self._num_classes,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }


def _flat_weight(name: str, shape: tuple[int, ...], weight: Any) -> Tensor | None:
    """One weight per label, or None; `shape` is that of the labels."""
    if weight is None:
        return None
    weight = ops.convert_to_tensor(weight)
    count, size = math.prod(shape), math.prod(weight.shape)
    if size in (1, count):
        return ops.reshape(weight, (size,))
    if len(shape) == 0 or size != shape[0]:
        raise ValueError(
            f"metric '{name}': expected sample_weight of shape {tuple(shape)}, ({shape[0]},) or "
            f"(), received {tuple(weight.shape)}"
        )
    weight = ops.broadcast_to(ops.reshape(weight, (size, 1)), (size, count // size))
    return ops.reshape(weight, (count,))


_ARGS = """    Args:
        num_classes: How many classes there are. Larger numbers in labels or predictions, and
            negative ones, do not count.{targets}
        name: Name in logs.
        dtype: "float32", "float64" or an integer dtype, which changes nothing.
        ignore_class: A class number of labels that does not count.{sparse_y_true}
        sparse_y_pred: Whether predictions are class numbers, not scores of the classes.
        axis: The axis of the classes in what are no class numbers.
"""
_TARGETS = """
        target_class_ids: The classes whose mean is reported."""
_SPARSE = """
        sparse_y_true: Whether labels are class numbers, not one-hot."""
_DIFFERS = """
    Differs from Keras: counts are float64 whatever the dtype, so weights are not cut to integers;
    weights of samples, (batch,), are for all positions of the sample; `result` is a Python float.
    """


def _targets(instance: Any, name: str, value: Any) -> list[int]:
    owner, n = type(instance).__name__, instance.num_classes
    several = isinstance(value, (list, tuple, range, np.ndarray))
    classes = list(value) if several else [value]
    if not several or not classes or not all(is_integer(c) and 0 <= c < n for c in classes):
        raise ValueError(
            f"{owner}: expected {name} to be a list of class numbers in [0, {n}), received "
            f"{value!r}"
        )
    return [int(c) for c in classes]


class IoU(_IoU):
    __doc__ = f"""The mean of intersection over union of some classes: TP / (TP + FP + FN).

    Classes that occur in neither labels nor predictions are left out of the mean.

{_ARGS.format(targets=_TARGETS, sparse_y_true=_SPARSE)}
    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.IoU(num_classes=2, target_class_ids=[0])
        >>> round(metric([0, 0, 1, 1], [0, 1, 0, 1]), 4)
        0.3333
{_DIFFERS}"""
    target_class_ids = Option(_targets)

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, sparse_y_true, sparse_y_pred, axis)
        self.target_class_ids = target_class_ids

    def result(self) -> Result:
        """The mean so far."""
        return self._mean_iou(self.target_class_ids)

    def get_config(self) -> dict[str, Any]:
        own = {**self._options(), "target_class_ids": self.target_class_ids}
        return {**super().get_config(), **own}


class BinaryIoU(IoU):
    """The mean of intersection over union of the classes 0 and 1, of predictions of class 1.

    Args:
        target_class_ids: The classes whose mean is reported: [0], [1] or both.
        threshold: Predictions of at least this are of class 1.
        name: Name in logs.
        dtype: "float32", "float64" or an integer dtype, which changes nothing.

    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.BinaryIoU(threshold=0.3)
        >>> round(metric([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 4)
        0.3333

    Differs from Keras: as `IoU`.
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: str | None = None,
    ) -> None:
        super().__init__(2, target_class_ids, name=name, dtype=dtype)
        self.threshold = finite_number("BinaryIoU", "threshold", threshold)

    def update_state(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> None:
        """Adds a batch.

        Args:
            y_true: Labels 0 and 1.
            y_pred: Predictions of class 1, of the same shape.
            sample_weight: Optional weights, as for `IoU`.

        Raises:
            ValueError: The shapes do not fit.
        """
        positive = ops.convert_to_tensor(y_pred) >= self.threshold
        self._add(ops.convert_to_tensor(y_true), ops.cast(positive, "int32"), sample_weight)

    def get_config(self) -> dict[str, Any]:
        config = Metric.get_config(self)
        return {
            **config,
            "target_class_ids": self.target_class_ids,
            "threshold": self.threshold,
        }


class MeanIoU(_IoU):
    __doc__ = f"""The mean of intersection over union of all classes: TP / (TP + FP + FN).

    Classes that occur in neither labels nor predictions are left out of the mean.

{_ARGS.format(targets="", sparse_y_true=_SPARSE)}
    Example:
        >>> import dlnative
        >>> round(dlnative.metrics.MeanIoU(num_classes=2)([0, 0, 1, 1], [0, 1, 0, 1]), 4)
        0.3333
{_DIFFERS}"""

    def result(self) -> Result:
        """The mean so far."""
        return self._mean_iou(range(self.num_classes))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._options()}


class OneHotIoU(IoU):
    __doc__ = f"""The mean of intersection over union of some classes, of one-hot labels.

{_ARGS.format(targets=_TARGETS, sparse_y_true="")}
    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.OneHotIoU(num_classes=3, target_class_ids=[0, 2])
        >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
        >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
        >>> round(metric(y_true, y_pred), 4)
        0.1667
{_DIFFERS}"""

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes, target_class_ids, name, dtype, ignore_class, False, sparse_y_pred, axis
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config


class OneHotMeanIoU(MeanIoU):
    __doc__ = f"""The mean of intersection over union of all classes, of one-hot labels.

{_ARGS.format(targets="", sparse_y_true="")}
    Example:
        >>> import dlnative
        >>> metric = dlnative.metrics.OneHotMeanIoU(num_classes=3)
        >>> y_true = [[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 0]]
        >>> y_pred = [[0.2, 0.3, 0.5], [0.1, 0.2, 0.7], [0.5, 0.3, 0.1], [0.1, 0.4, 0.5]]
        >>> round(metric(y_true, y_pred), 4)
        0.1111
{_DIFFERS}"""

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: str | None = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(num_classes, name, dtype, ignore_class, False, sparse_y_pred, axis)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["sparse_y_true"]
        return config
