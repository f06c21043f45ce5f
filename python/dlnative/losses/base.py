"""What all losses share: the base class, rank rules and the reduction to one number."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np

from .. import config
from ..changes import Tracked
from ..graph.tensor import Tensor, Tracing, ValueTensor, apply
from ..hyperparameters import Option
from ..naming import auto_name, object_name
from .labels import check_class_numbers
from .options import checked_arguments, step_arguments

if TYPE_CHECKING:
    from ..graph.types import DTypeLike, Result, Shape, TensorLike

REDUCTIONS = ("sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none", None)
REDUCTION = "sum_over_batch_size"  # the default
FLOATS = ("float32", "float64")

Values: TypeAlias = Tensor | np.ndarray
Given = TypeVar("Given", bound=Values)
Other = TypeVar("Other", bound=Values)


def run_op(name: str, *inputs: Any, **attributes: Any) -> Any:
    """The op `name` on tensors, or on NumPy arrays at once."""
    for value in inputs:
        if isinstance(value, Tensor):
            return apply(name, *inputs, **attributes)
    result: Any = apply(name, *inputs, **attributes)  # a value tensor
    return result.value


def reshape(x: Given, shape: Shape) -> Given:
    """`x` under another shape, as a tensor or as an array."""
    result: Any = apply("reshape", x, shape=shape) if isinstance(x, Tensor) else x.reshape(shape)
    return result


def as_predictions(value: TensorLike) -> Values:
    """Predictions as a tensor or as a float array: float32 and float64 stay as they are."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (list, tuple)):
        return np.asarray(value, config.floatx())
    value = np.asarray(value)
    return value if value.dtype.name in FLOATS else value.astype(config.floatx())


def as_labels(value: TensorLike, dtype: DTypeLike | None) -> Values:
    """Labels or weights as a graph tensor or as an array of `dtype`."""
    if isinstance(value, Tensor):
        return value
    return np.asarray(value, dtype=dtype)


def match_ranks(y_true: Given, y_pred: Other) -> tuple[Given, Other]:
    """Makes ranks equal where they differ by a last axis of size 1, as Keras does.

    (n,) against (n, 1) becomes (n, 1) against (n, 1); (n, d) against (n, d, 1) loses the last axis.
    """
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    if len(true) == len(pred) + 1 and true[-1] == 1:
        if len(pred) == 1:
            y_pred = reshape(y_pred, (*pred, 1))
        else:
            y_true = reshape(y_true, true[:-1])
    elif len(pred) == len(true) + 1 and pred[-1] == 1:
        if len(true) == 1:
            y_true = reshape(y_true, (*true, 1))
        else:
            y_pred = reshape(y_pred, pred[:-1])
    return y_true, y_pred


def match_weight(values: Values, weight: TensorLike) -> Any:
    """`weight` under the shape of `values`.

    Args:
        values: One value per sample, or per position of a sample: (batch, ...).
        weight: One number for all, one per sample, (batch,) or (batch, 1), or one per value.

    Raises:
        ValueError: The shapes do not fit.
    """
    shape = tuple(values.shape)
    weight = as_labels(weight, values.dtype)
    given = tuple(weight.shape)
    if given == shape:
        return weight
    if len(given) == len(shape) + 1 and given[-1] == 1:
        weight = reshape(weight, given[:-1])
        if weight.shape == shape:
            return weight
    lead = tuple(weight.shape)
    if len(lead) == len(shape) and lead[:1] == shape[:1] and all(n == 1 for n in lead[1:]):
        lead = lead[:1]
    if lead != shape[: len(lead)]:
        raise ValueError(
            f"sample_weight: expected one weight per sample, shape {shape[:1]}, or one per value "
            f"of the loss, shape {shape}; received shape {given}"
        )
    weight = reshape(weight, lead + (1,) * (len(shape) - len(lead)))
    if isinstance(weight, Tensor):
        return apply("broadcast_to", weight, shape=shape)
    return np.broadcast_to(weight, shape)


def _check_reduction(loss: object, name: str, reduction: str | None) -> str | None:
    if reduction not in REDUCTIONS:
        raise ValueError(
            f"reduction: expected one of {', '.join(map(repr, REDUCTIONS))}, received {reduction!r}"
        )
    return reduction


def reduce_values(
    values: Values,
    weight: TensorLike | None = None,
    reduction: str | None = "sum_over_batch_size",
    factor: float = 1.0,
) -> Any:
    """One number from the values per sample.

    total = factor * scale * sum(values * weight); scale = 1 / (number of values) for
    "sum_over_batch_size", also where there are weights, 1 / sum(weight) for
    "mean_with_sample_weight", and 1 for "sum". None and "none" leave one value per sample.

    Where the values have a mask (`Tensor.mask`) those that it leaves out are not counted: their
    weight is 0, and the number of values is that of the others.

    Args:
        values: (batch, ...), or () from a loss that is one number already.
        weight: None, or weights as for `match_weight`.
        reduction: One of `REDUCTIONS`.
        factor: The weight of this loss among several.
    """
    mask = getattr(values, "mask", None)
    weights: Any = None  # as they are given, of which "mean_with_sample_weight" takes the sum
    if weight is not None:
        weights = _in_dtype(weight, values.dtype)
        if tuple(values.shape) == () and tuple(weights.shape) != ():
            values = run_op("broadcast_to", values, shape=tuple(weights.shape))
        weight = match_weight(values, weights)
    if mask is not None:
        mask = _in_dtype(mask, values.dtype)
        weights = weight = mask if weight is None else run_op("multiply", weight, mask)
    if reduction in (None, "none"):
        if weight is None:
            return values
        weighted = run_op("multiply", values, weight)
        column = len(values.shape) == 1 and weights is not None and len(weights.shape) == 2
        return reshape(weighted, tuple(weights.shape)) if column else weighted
    if weight is None and tuple(values.shape) == ():
        return values if factor == 1.0 else run_op("rescale", values, scale=factor)
    if reduction == "mean_with_sample_weight" and weights is not None:
        return _divided(values, weight, weights, factor)
    if reduction != "sum" and mask is not None:
        return _divided(values, weight, mask, factor)
    if None in values.shape:  # of a functional model: the size of the batch is open
        product = values if weight is None else run_op("multiply", values, weight)
        total = run_op("sum" if reduction == "sum" else "mean", product)
        return total if factor == 1.0 else run_op("rescale", total, scale=factor)
    count = math.prod(values.shape)
    scale = factor if reduction == "sum" else factor / max(count, 1)
    if weight is None:
        return run_op("weighted_sum", values, scale=scale)
    return run_op("weighted_sum", values, weight, scale=scale)


def _in_dtype(weight: TensorLike, dtype: DTypeLike) -> Any:
    """Weights as a tensor or an array of `dtype`."""
    if not isinstance(weight, Tensor):
        return np.asarray(weight, dtype=dtype)
    return weight if weight.dtype == dtype else apply("cast", weight, dtype=dtype)


def _divided(values: Values, weight: Any, counted: Values, factor: float) -> Any:
    """factor * sum(values * weight) / sum(counted); 0 where nothing is counted."""
    total = run_op("sum", run_op("multiply", values, weight))
    count = run_op("sum", counted)
    nothing = run_op("equal", count, 0)
    mean = run_op("divide", total, run_op("where", nothing, 1, count))
    return run_op("multiply", run_op("where", nothing, 0, mean), factor)


def loss_values(loss: Loss, y_true: Tensor, y_pred: Tensor) -> Tensor:
    """What `loss.call` returns: on tensors it becomes part of their program, and is a tensor.

    Raises:
        TypeError: It is none, so it was computed once and for all.
    """
    if isinstance(y_pred, ValueTensor) or y_pred.is_symbolic:
        values = loss.call(y_true, y_pred)
        return values if isinstance(values, Tensor) else ValueTensor(values)
    with Tracing(y_pred.graph):
        return y_pred.graph.result(loss.call(y_true, y_pred), f"loss '{loss.name}'")


class Loss(Tracked):
    """Base class of losses. A subclass gives `call(y_true, y_pred)`: one loss per sample.

    `call` is made of `dlnative.ops` (or of functions of `dlnative.losses`); it sees graph tensors
    while a model is compiled, and tensors that have values when the loss is called on arrays.

    Args:
        name: Name in logs and messages; the class's in snake case by default.
        reduction: "sum_over_batch_size" (also "mean"): the sum over the batch divided by the number
            of values; "mean_with_sample_weight": divided by the sum of the weights, where there
            are any; "sum"; "none" or None: one loss per sample, not for training.
        dtype: "float32" or "float64", in which labels, predictions and weights are computed with.
            By default the dtype of the predictions.

    Attributes:
        sparse_labels: Set to True in a subclass whose labels are class numbers; `call` then gets
            them as int32 instead of in the dtype of the predictions.

    Example:
        >>> import dlnative
        >>> class Quartic(dlnative.losses.Loss):
        ...     def call(self, y_true, y_pred):
        ...         square = (y_pred - y_true) * (y_pred - y_true)
        ...         return dlnative.ops.mean(square * square, axis=-1)
        >>> import numpy as np
        >>> float(Quartic()(np.zeros((2, 1)), np.array([[1.0], [2.0]])))
        8.5

    Differs from Keras: without `dtype` the loss is computed in the dtype of the predictions, so
    float64 arrays give a float64 loss. A `dtype` that is given to one of the losses here is part of
    its configuration.
    """

    sparse_labels = False
    reduction = Option(_check_reduction)

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: str | None = None,
    ) -> None:
        if dtype is not None and dtype not in FLOATS:
            raise ValueError(
                f"{type(self).__name__}: expected dtype of {FLOATS}, received {dtype!r}"
            )
        self.name = name or auto_name(type(self).__name__)
        self.reduction = reduction
        self._dtype = dtype

    @property
    def dtype(self) -> str:
        """The dtype asked for, or the default dtype."""
        return self._dtype or config.floatx()

    def __call__(
        self, y_true: TensorLike, y_pred: TensorLike, sample_weight: TensorLike | None = None
    ) -> Result:
        """The loss of a batch: a number, or one per sample where there is no reduction.

        Args:
            y_true: Labels, (batch, ...).
            y_pred: Predictions, (batch, ...).
            sample_weight: Optional weights, (batch,) or one per value.
        """
        if not isinstance(y_pred, Tensor):
            predictions = np.asarray(as_predictions(y_pred), self._dtype)
            labels = as_labels(y_true, None if self.sparse_labels else predictions.dtype)
            values = loss_values(self, ValueTensor(labels), ValueTensor(predictions))
            return reduce_values(values, sample_weight, self.reduction).value
        return reduce_values(self._values(y_true, y_pred), sample_weight, self.reduction)

    def _values(self, y_true: TensorLike, y_pred: Tensor) -> Tensor:
        """One loss per sample of tensors, computed in `dtype`."""
        y_pred = _in_dtype(y_pred, self._dtype or y_pred.dtype)
        labels: Any = y_true if self.sparse_labels else _in_dtype(y_true, y_pred.dtype)
        return loss_values(self, labels, y_pred)

    def _label_dtype(self, predictions: str) -> str:
        """The dtype in which labels become part of a program, beside predictions of a dtype."""
        return "int32" if self.sparse_labels else self._dtype or predictions

    def _label_shape(self, predictions: Shape) -> Shape:
        """A shape that labels may have beside predictions of a shape."""
        return tuple(predictions[:-1] if self.sparse_labels else predictions)

    def _check_labels(self, labels: np.ndarray, predictions: Shape, what: str = "y_true") -> None:
        """Raises ValueError where the values of an array of labels cannot be right.

        Args:
            labels: The array.
            predictions: The shape of the predictions, the batch first.
            what: What to call the labels in the message.
        """
        if self.sparse_labels:
            check_class_numbers(labels, predictions[-1], what)

    @property
    def _looks_at_labels(self) -> bool:
        """Whether `_check_labels` does anything."""
        return self.sparse_labels

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        """One loss per sample, shape (batch, ...)."""
        raise NotImplementedError(f"{type(self).__name__} does not implement call(y_true, y_pred)")

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments that make the same loss again."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """The loss of a configuration that `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


class LossFunctionWrapper(Loss):
    """A loss from a function `fn(y_true, y_pred, **kwargs)` that gives one loss per sample."""

    _public_module = "keras.src.losses.losses"

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.fn = fn
        self.sparse_labels = getattr(fn, "sparse_labels", False)
        self._fn_kwargs = checked_arguments(self, kwargs)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Any:
        if not self.sparse_labels:
            y_true, y_pred = match_ranks(y_true, y_pred)
        return self.fn(y_true, y_pred, **step_arguments(self))

    def _label_shape(self, predictions: Shape) -> Shape:
        if not self.sparse_labels:
            return tuple(predictions)
        axis = self._fn_kwargs.get("axis", -1) % len(predictions)
        return (*predictions[:axis], *predictions[axis + 1 :])

    def _check_labels(self, labels: np.ndarray, predictions: Shape, what: str = "y_true") -> None:
        check = getattr(self.fn, "check_labels", None)
        if check is None:
            super()._check_labels(labels, predictions, what)
        else:
            check(labels, predictions, what, **self._fn_kwargs)

    @property
    def _looks_at_labels(self) -> bool:
        return self.sparse_labels or hasattr(self.fn, "check_labels")

    def get_config(self) -> dict[str, Any]:
        from ..utils.serialization import serialize_keras_object

        arguments = serialize_keras_object(self._fn_kwargs)
        return {**self._common_config(), "fn": serialize_keras_object(self.fn), **arguments}

    def _common_config(self) -> dict[str, Any]:
        dtype = {} if self._dtype is None else {"dtype": self._dtype}
        return {**Loss.get_config(self), **dtype}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LossFunctionWrapper:
        from ..utils.serialization import deserialize_keras_object

        return cls(**(deserialize_keras_object(config) if "fn" in config else config))

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({object_name(self.fn)}, kwargs={self._fn_kwargs})>"


class FunctionLoss(LossFunctionWrapper):
    """Base of the losses that have a class and a function: arguments are options of the class.

    Attributes:
        unsaved: Options that Keras leaves out of its configurations; here they are in them where
            they are not the default.
    """

    _public_module = "keras.losses"
    unsaved: dict[str, Any] = {}

    def get_config(self) -> dict[str, Any]:
        options = {
            name: value
            for name, value in self._fn_kwargs.items()
            if name not in self.unsaved or value != self.unsaved[name]
        }
        return {**self._common_config(), **options}
