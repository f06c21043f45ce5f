"""The losses as functions of labels and predictions, on NumPy arrays and on graph tensors.

Each returns one loss per sample, of shape y_pred.shape[:-1] and the dtype of the predictions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .. import config, ops
from ..graph.table import table
from ..graph.tensor import Tensor, ValueTensor, apply
from ..ops import arguments
from .arguments import check_smoothing, smoothed
from .base import Values, as_labels, as_predictions, match_ranks, reshape, run_op
from .labels import (
    check_class_numbers,
    check_one_hot,
    check_same_shape,
    check_sparse,
    check_unit_interval,
)

if TYPE_CHECKING:
    import numpy as np

    from ..graph.types import Axes, Result, Shape, TensorLike


Function = TypeVar("Function", bound=Callable[..., Any])


def logits_of(y_pred: Values, activation: str, axis: int = -1) -> Tensor | None:
    """The tensor to which `activation` was applied last to give `y_pred`, or None.

    Losses of probabilities use it inside a compiled model: -log(softmax(z)) computed from z has no
    overflow, needs no clipping, and its gradient is softmax(z) - labels in one pass.
    """
    node = y_pred.node if isinstance(y_pred, Tensor) else None
    if node is None or node.op is not table[activation]:
        return None
    if activation == "softmax":
        along = node.attributes.get("axis", -1)
        if not isinstance(along, int) or (along - axis) % y_pred.ndim:
            return None
    return node.inputs[0]


def takes_class_numbers(function: Function) -> Function:
    """Decorator of losses and metrics: labels are class numbers, int32 in a compiled model."""
    function.sparse_labels = True  # type: ignore[attr-defined]
    return function


def checked_by(check: Callable[..., None]) -> Callable[[Function], Function]:
    """Decorator: `check(labels, shape of predictions, what, **arguments)` sees arrays of labels."""

    def decorate(function: Function) -> Function:
        function.check_labels = check  # type: ignore[attr-defined]
        return function

    return decorate


def in_unit_interval(labels: np.ndarray, predictions: Shape, what: str, **arguments: Any) -> None:
    """Labels of binary cross entropy."""
    check_unit_interval(labels, what)


def in_classes(
    labels: np.ndarray,
    predictions: Shape,
    what: str,
    axis: int = -1,
    ignore_class: int | None = None,
    **arguments: Any,
) -> None:
    """Class numbers, one of which may stand for no class."""
    check_class_numbers(labels, predictions[axis], what, ignore_class)


def class_axis(name: str, axis: Any, y_pred: Values) -> int:
    """The axis of the classes as a non-negative int."""
    if isinstance(axis, bool):
        raise ValueError(f"{name}: expected axis to be an integer, received {axis!r}")
    return arguments.axis(name, axis, len(y_pred.shape))


def _is_last(axis: int, y_pred: Values) -> bool:
    return axis == len(y_pred.shape) - 1


def check_ignore_class(name: str, ignore_class: Any) -> None:
    """Raises unless it is None or a whole number that an int32 can hold."""
    if ignore_class is None:
        return
    value = arguments.integer(name, "ignore_class", ignore_class)
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{name}: expected ignore_class in the range of int32, received {value}")


def _dense(
    name: str, y_true: TensorLike, y_pred: TensorLike, check: Callable[..., None]
) -> tuple[Values, Values]:
    """Labels in the dtype of the predictions, ranks matched, shapes checked."""
    y_pred = as_predictions(y_pred)
    y_true, y_pred = match_ranks(as_labels(y_true, y_pred.dtype), y_pred)
    check(name, y_true, y_pred)
    return y_true, y_pred


def _smoothing(label_smoothing: float) -> dict[str, float]:
    return {"label_smoothing": float(label_smoothing)} if label_smoothing else {}


def mean_squared_error(y_true: TensorLike, y_pred: TensorLike) -> Result:
    """loss = mean((y_true - y_pred)^2) over the last axis.

    Args:
        y_true: Targets, (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Predictions, (batch, ..., outputs).

    Returns:
        One loss per sample, (batch, ...).

    Example:
        >>> from dlnative.losses import mean_squared_error
        >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).tolist()
        [0.5]
    """
    y_true, y_pred = _dense("mean_squared_error", y_true, y_pred, check_same_shape)
    return run_op("mean_squared_error", y_pred, y_true)


def mean_absolute_error(y_true: TensorLike, y_pred: TensorLike) -> Result:
    """loss = mean(|y_true - y_pred|) over the last axis; arguments as for `mean_squared_error`.

    The gradient where a prediction is exact is 0.
    """
    y_true, y_pred = _dense("mean_absolute_error", y_true, y_pred, check_same_shape)
    return run_op("mean_absolute_error", y_pred, y_true)


@checked_by(in_unit_interval)
def binary_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: Axes = -1,
) -> Result:
    """loss = mean(-t log(p) - (1 - t) log(1 - p)) over `axis`.

    t = y_true * (1 - label_smoothing) + label_smoothing / 2. Probabilities p are clipped to
    [epsilon, 1 - epsilon] with `config.epsilon()`; from logits z the loss is
    mean(max(z, 0) - z t + log(1 + exp(-|z|))).

    Args:
        y_true: Labels in [0, 1], (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., outputs).
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1]: how far labels move towards 1/2.
        axis: The axis, or several, over which the mean is taken.

    Returns:
        The losses, of the shape of the predictions without `axis`.

    Differs from Keras: in a compiled model, where `y_pred` is the output of a sigmoid, the loss is
    computed from the sigmoid's input, so that nothing is clipped.
    """
    name = "binary_crossentropy"
    check_smoothing(name, label_smoothing)
    y_pred = as_predictions(y_pred)
    logits = y_pred if from_logits else logits_of(y_pred, "sigmoid")
    source = y_pred if logits is None else logits
    y_true, source = _dense(name, y_true, source, check_same_shape)
    axes = arguments.axes(name, axis, len(source.shape))
    if axes == (len(source.shape) - 1,):
        op = "binary_cross_entropy" if logits is None else "binary_cross_entropy_with_logits"
        if logits is not None or _rows_clip_alike():
            return run_op(op, source, y_true, **_smoothing(label_smoothing))
    t = smoothed(y_true, label_smoothing, 2)
    return ops.mean(ops.binary_crossentropy(t, source, from_logits=logits is not None), axis=axes)


def categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Result:
    """loss = -sum(t log(p)) over `axis`.

    t = y_true * (1 - label_smoothing) + label_smoothing / classes. Probabilities are p = q /
    sum(q), clipped to [epsilon, 1 - epsilon] with `config.epsilon()`; from logits z,
    log(p) = z - log(sum(exp(z))).

    Args:
        y_true: One-hot labels or probabilities, (batch, ..., classes).
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., classes).
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1]: how far labels move towards 1 / classes; as in Keras `classes`
            is here the size of the last axis, whatever `axis` is.
        axis: The axis of the classes.

    Returns:
        One loss per sample: the shape of the predictions without `axis`.

    Raises:
        ValueError: There is one class only, or shapes do not fit.

    Differs from Keras: in a compiled model, where `y_pred` is the output of a softmax, the loss is
    computed from the softmax's input, so that nothing is clipped; one class raises.
    """
    name = "categorical_crossentropy"
    y_pred = as_predictions(y_pred)
    axis = class_axis(name, axis, y_pred)
    check_smoothing(name, label_smoothing)
    check_several_classes(name, y_pred, axis)
    logits = y_pred if from_logits else logits_of(y_pred, "softmax", axis)
    y_true = as_labels(y_true, y_pred.dtype)
    check_one_hot(name, y_true, y_pred)
    source = y_pred if logits is None else logits
    options = _smoothing(label_smoothing)
    if not _is_last(axis, y_pred):
        y_true = smoothed(y_true, label_smoothing, y_true.shape[-1])
        y_true, source, options = ops.moveaxis(y_true, axis, -1), _moved(source, axis), {}
    if logits is None and not _rows_clip_alike():
        labels: Any = y_true
        t = smoothed(labels, options.get("label_smoothing", 0.0), labels.shape[-1])
        return ops.categorical_crossentropy(t, source)
    op = "categorical_cross_entropy" if logits is None else "softmax_cross_entropy"
    return run_op(op, source, y_true, **options)


def _rows_clip_alike() -> bool:
    """Whether the rows of losses of probabilities clip them by `config.epsilon()`: by 1e-7."""
    return config.epsilon() == 1e-7


def check_several_classes(name: str, y_pred: Values, axis: int) -> None:
    """Raises where there is one class only."""
    if y_pred.shape[axis] == 1:
        raise ValueError(
            f"{name}: one output has nothing to choose from; use binary_crossentropy with a "
            f"sigmoid, or more outputs. Received predictions of shape {tuple(y_pred.shape)}."
        )


def _moved(x: Values, axis: int) -> Any:
    """`x` with the classes on its last axis."""
    return x if _is_last(axis, x) else ops.moveaxis(x, axis, -1)


_NO_CLASS = -(2**31)  # what fractions become as class numbers


def class_numbers(
    name: str, y_true: TensorLike, y_pred: Values, ignore_class: int | None = None
) -> Any:
    """Class numbers as int32, (batch, ...); a last axis of size 1 is dropped."""
    labels = as_labels(y_true, None)
    if len(labels.shape) == len(y_pred.shape) and labels.shape[-1] == 1:
        labels = reshape(labels, tuple(labels.shape[:-1]))
    check_sparse(name, labels, y_pred)
    known = labels.value if isinstance(labels, ValueTensor) else labels
    if isinstance(known, Tensor):
        if known.dtype == "int32":
            return known
        numbers = apply("cast", known, dtype="int32")
        if not known.dtype.startswith("float"):
            return numbers
        return ops.where(ops.equal(known, ops.floor(known)), numbers, _NO_CLASS)
    check_class_numbers(known, y_pred.shape[-1], name, ignore_class)
    known = known.astype("int32", copy=False)
    return ValueTensor(known) if isinstance(labels, ValueTensor) else known


@checked_by(in_classes)
@takes_class_numbers
def sparse_categorical_crossentropy(
    y_true: TensorLike,
    y_pred: TensorLike,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Result:
    """loss = -log(p[label]), with p as for `categorical_crossentropy`.

    Args:
        y_true: Class numbers in [0, classes), (batch, ...), or with `axis` of size 1.
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., classes).
        from_logits: Whether `y_pred` are logits.
        ignore_class: A class number, also none of the classes such as -1 or 255, whose samples
            have a loss of 0, and which the mean of a `Loss` does not count.
        axis: The axis of the classes.

    Returns:
        One loss per sample: the shape of the predictions without `axis`.

    Differs from Keras: labels that are no class numbers raise instead of giving NaN; in a compiled
    model, where `y_pred` is the output of a softmax, the loss is computed from the softmax's input,
    so that nothing is clipped.
    """
    name = "sparse_categorical_crossentropy"
    y_pred = as_predictions(y_pred)
    axis = class_axis(name, axis, y_pred)
    check_ignore_class(name, ignore_class)
    logits = y_pred if from_logits else logits_of(y_pred, "softmax", axis)
    op = "sparse_categorical_cross_entropy" if logits is None else "sparse_softmax_cross_entropy"
    source = _moved(y_pred if logits is None else logits, axis)
    y_true = as_labels(y_true, None)
    if len(y_true.shape) == len(source.shape) and y_true.shape[axis] == 1:
        y_true = ops.squeeze(y_true, axis)
    labels = class_numbers(name, y_true, source, ignore_class)
    if ignore_class is None and _is_given(labels):
        return _of_classes(op, source, labels)
    return _of_known_classes(op, source, labels, ignore_class)


def _of_classes(op: str, source: Values, labels: Values) -> Result:
    """The losses where all labels are classes."""
    if op == "sparse_categorical_cross_entropy" and not _rows_clip_alike():
        return ops.sparse_categorical_crossentropy(labels, source)
    return run_op(op, source, labels)


def _is_given(labels: Any) -> bool:
    """Whether the labels are those of a data set, which were checked or will be."""
    if not isinstance(labels, Tensor) or isinstance(labels, ValueTensor):
        return True
    while labels.node is not None and labels.node.op.view:
        labels = labels.node.inputs[0]
    return labels.source is not None


def _of_known_classes(op: str, source: Values, labels: Values, ignore_class: int | None) -> Result:
    """The losses where some labels are no classes: 0 for the ignored, NaN for all others.

    The kernels read the prediction at the place of the label, so that every label is one there.
    """
    known = ops.logical_and(ops.greater_equal(labels, 0), ops.less(labels, source.shape[-1]))
    if ignore_class is not None:
        counts = ops.not_equal(labels, int(ignore_class))
        known = ops.logical_and(known, counts)
        # What is predicted where nothing counts, be it NaN, takes no part in the gradient.
        source = ops.where(ops.expand_dims(counts, -1), source, 1.0)
    losses = _of_classes(op, source, ops.where(known, labels, 0))
    if ignore_class is None:
        return ops.where(known, losses, float("nan"))
    losses = ops.where(known, losses, ops.where(counts, float("nan"), 0.0))
    if isinstance(losses, Tensor):
        losses.mask = counts
    return losses
