"""The losses as functions of labels and predictions, on NumPy arrays and on graph tensors.

Each returns one loss per sample, of shape y_pred.shape[:-1] and the dtype of the predictions.
"""

from __future__ import annotations

from ..graph.table import table
from ..graph.tensor import Tensor, ValueTensor
from ..utils.numbers import as_float
from .base import as_labels, as_predictions, match_ranks, reshape, run_op
from .labels import check_class_numbers, check_one_hot, check_same_shape, check_sparse


def logits_of(y_pred, activation):
    """The tensor to which `activation` was applied last to give `y_pred`, or None.

    Losses of probabilities use it inside a compiled model: -log(softmax(z)) computed from z has no
    overflow, needs no clipping, and its gradient is softmax(z) - labels in one pass.
    """
    node = y_pred.node if isinstance(y_pred, Tensor) else None
    if node is None or node.op is not table[activation]:
        return None
    if activation == "softmax" and node.attributes.get("axis", -1) not in (-1, y_pred.ndim - 1):
        return None
    return node.inputs[0]


def takes_class_numbers(function):
    """Decorator of losses and metrics: labels are class numbers, int32 in a compiled model."""
    function.sparse_labels = True
    return function


def check_last_axis(name, axis, y_pred):
    if isinstance(axis, bool) or axis not in (-1, len(y_pred.shape) - 1):
        raise ValueError(
            f"{name}: expected axis=-1, the last axis of the predictions, received {axis!r}"
        )


def check_smoothing(name, label_smoothing):
    if not 0.0 <= as_float(name, "label_smoothing", label_smoothing) <= 1.0:
        raise ValueError(
            f"{name}: expected label_smoothing in [0, 1], received {label_smoothing!r}"
        )


def check_ignore_class(name, ignore_class):
    if ignore_class is not None:
        raise ValueError(
            f"{name}: ignore_class is not available; give samples of that class a sample_weight of "
            f"0. Received ignore_class={ignore_class!r}."
        )


def _dense(name, y_true, y_pred, check):
    """Labels in the dtype of the predictions, ranks matched, shapes checked."""
    y_pred = as_predictions(y_pred)
    y_true, y_pred = match_ranks(as_labels(y_true, y_pred.dtype), y_pred)
    check(name, y_true, y_pred)
    return y_true, y_pred


def _smoothing(label_smoothing):
    return {"label_smoothing": float(label_smoothing)} if label_smoothing else {}


def mean_squared_error(y_true, y_pred):
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


def mean_absolute_error(y_true, y_pred):
    """loss = mean(|y_true - y_pred|) over the last axis; arguments as for `mean_squared_error`.

    The gradient where a prediction is exact is 0.
    """
    y_true, y_pred = _dense("mean_absolute_error", y_true, y_pred, check_same_shape)
    return run_op("mean_absolute_error", y_pred, y_true)


def binary_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """loss = mean(-t log(p) - (1 - t) log(1 - p)) over the last axis.

    t = y_true * (1 - label_smoothing) + label_smoothing / 2. Probabilities p are clipped to
    [1e-7, 1 - 1e-7]; from logits z the loss is mean(max(z, 0) - z t + log(1 + exp(-|z|))).

    Args:
        y_true: Labels in [0, 1], (batch, ..., outputs); (batch,) where there is one output.
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., outputs).
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1]: how far labels move towards 1/2.
        axis: Only -1.

    Returns:
        One loss per sample, (batch, ...).

    Differs from Keras: in a compiled model, where `y_pred` is the output of a sigmoid, the loss is
    computed from the sigmoid's input, so that nothing is clipped.
    """
    check_last_axis(
        "binary_crossentropy", axis, y_pred if hasattr(y_pred, "shape") else as_predictions(y_pred)
    )
    check_smoothing("binary_crossentropy", label_smoothing)
    logits = y_pred if from_logits else logits_of(y_pred, "sigmoid")
    source = y_pred if logits is None else logits
    y_true, source = _dense("binary_crossentropy", y_true, source, check_same_shape)
    op = "binary_cross_entropy" if logits is None else "binary_cross_entropy_with_logits"
    return run_op(op, source, y_true, **_smoothing(label_smoothing))


def categorical_crossentropy(y_true, y_pred, from_logits=False, label_smoothing=0.0, axis=-1):
    """loss = -sum(t log(p)) over the last axis.

    t = y_true * (1 - label_smoothing) + label_smoothing / classes. Probabilities are p = q /
    sum(q), clipped to [1e-7, 1 - 1e-7]; from logits z, log(p) = z - log(sum(exp(z))).

    Args:
        y_true: One-hot labels or probabilities, (batch, ..., classes).
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., classes).
        from_logits: Whether `y_pred` are logits.
        label_smoothing: In [0, 1]: how far labels move towards 1 / classes.
        axis: Only -1.

    Returns:
        One loss per sample, (batch, ...).

    Differs from Keras: in a compiled model, where `y_pred` is the output of a softmax, the loss is
    computed from the softmax's input, so that nothing is clipped.
    """
    y_pred = as_predictions(y_pred)
    check_last_axis("categorical_crossentropy", axis, y_pred)
    check_smoothing("categorical_crossentropy", label_smoothing)
    if y_pred.shape[-1] == 1:
        raise ValueError(
            "categorical_crossentropy: one output has nothing to choose from; use "
            "binary_crossentropy with a sigmoid, or more outputs. Received predictions of shape "
            f"{tuple(y_pred.shape)}."
        )
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    y_true = as_labels(y_true, y_pred.dtype)
    check_one_hot("categorical_crossentropy", y_true, y_pred)
    if logits is None:
        return run_op("categorical_cross_entropy", y_pred, y_true, **_smoothing(label_smoothing))
    return run_op("softmax_cross_entropy", logits, y_true, **_smoothing(label_smoothing))


def class_numbers(name, y_true, y_pred):
    """Class numbers as int32, (batch, ...); a last axis of size 1 is dropped."""
    labels = as_labels(y_true, None)
    if len(labels.shape) == len(y_pred.shape) and labels.shape[-1] == 1:
        labels = reshape(labels, tuple(labels.shape[:-1]))
    check_sparse(name, labels, y_pred)
    known = labels.value if isinstance(labels, ValueTensor) else labels
    if isinstance(known, Tensor):
        return labels
    check_class_numbers(known, y_pred.shape[-1], name)
    known = known.astype("int32", copy=False)
    return ValueTensor(known) if isinstance(labels, ValueTensor) else known


@takes_class_numbers
def sparse_categorical_crossentropy(y_true, y_pred, from_logits=False, ignore_class=None, axis=-1):
    """loss = -log(p[label]), with p as for `categorical_crossentropy`.

    Args:
        y_true: Class numbers in [0, classes), (batch, ...) or (batch, ..., 1).
        y_pred: Probabilities, or logits with `from_logits`, (batch, ..., classes).
        from_logits: Whether `y_pred` are logits.
        ignore_class: Only None.
        axis: Only -1.

    Returns:
        One loss per sample, (batch, ...).

    Differs from Keras: labels that are no class numbers raise instead of giving NaN; `ignore_class`
    is not available; in a compiled model, where `y_pred` is the output of a softmax, the loss is
    computed from the softmax's input, so that nothing is clipped.
    """
    y_pred = as_predictions(y_pred)
    check_last_axis("sparse_categorical_crossentropy", axis, y_pred)
    check_ignore_class("sparse_categorical_crossentropy", ignore_class)
    logits = y_pred if from_logits else logits_of(y_pred, "softmax")
    labels = class_numbers("sparse_categorical_crossentropy", y_true, y_pred)
    if logits is None:
        return run_op("sparse_categorical_cross_entropy", y_pred, labels)
    return run_op("sparse_softmax_cross_entropy", logits, labels)
