"""Losses per sample, their gradients, and the weighted sum that makes one number of them.

Shape legend: `pred` (logits, probabilities or predictions) (..., classes); the loss and `dloss`
have one value per sample, `pred.shape[:-1]`; dense labels and targets have the shape of `pred`,
sparse labels that of the loss. Dtypes: `pred` float32 or float64 and every result the same; dense
labels of any type, sparse labels int32 or int64.

All losses raise ValueError where the shape of the labels is another than that, or where a sparse
label is not in [0, classes).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ._arrays import Array, as_array, check_shape
from .activations import sigmoid
from .softmax import log_softmax, softmax

# Keras' `epsilon()`: probabilities are clipped to [EPSILON, 1 - EPSILON] before the logarithm.
EPSILON = 1e-7


def _dense_labels(op: str, pred: Array, labels: Array, smoothing: float, classes: int) -> Array:
    """`labels` in the dtype of `pred`, as `t * (1 - smoothing) + smoothing / classes`.

    Reference: Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision",
    section 7.
    """
    check_shape(op, "labels", labels, pred.shape)
    t = as_array(labels, pred.dtype)
    if smoothing == 0.0:
        return t
    return as_array(t * (1.0 - smoothing) + smoothing / classes, pred.dtype)


def _one_hot(op: str, pred: Array, labels: Array) -> Array:
    """Integer labels as rows of zeros with a single one, in the shape and dtype of `pred`."""
    check_shape(op, "labels", labels, pred.shape[:-1])
    classes = pred.shape[-1]
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"{op}: expected labels in [0, {classes}), "
            f"received values from {labels.min()} to {labels.max()}."
        )
    return as_array(labels[..., np.newaxis] == np.arange(classes), pred.dtype)


def _pick(values: Array, one_hot: Array) -> Array:
    """The value of each sample's own class: `values[..., label]`."""
    return as_array(np.sum(np.where(one_hot == 1.0, values, 0.0), axis=-1), values.dtype)


# --- cross-entropies of logits ---------------------------------------------------------------


def softmax_cross_entropy(logits: Array, labels: Array, label_smoothing: float = 0.0) -> Array:
    """Cross-entropy of softmax and dense labels: `loss = -sum_i t_i * log_softmax(z)_i`.

    `t_i = labels_i * (1 - label_smoothing) + label_smoothing / classes`.

    Reference: Goodfellow et al. 2016, "Deep Learning", section 6.2.2.3.
    """
    t = _dense_labels("softmax_cross_entropy", logits, labels, label_smoothing, logits.shape[-1])
    return as_array(-np.sum(t * log_softmax(logits), axis=-1), logits.dtype)


def softmax_cross_entropy_backward(
    dloss: Array, logits: Array, labels: Array, label_smoothing: float = 0.0
) -> Array:
    """Gradient: `dlogits_i = dloss * (softmax(z)_i * sum_j t_j - t_i)`.

    The sum is 1 for labels that are probabilities.
    """
    t = _dense_labels(
        "softmax_cross_entropy_backward", logits, labels, label_smoothing, logits.shape[-1]
    )
    total = np.sum(t, axis=-1, keepdims=True)
    dlogits = dloss[..., np.newaxis] * (softmax(logits) * total - t)
    return as_array(dlogits, logits.dtype)


def sparse_softmax_cross_entropy(logits: Array, labels: Array) -> Array:
    """Cross-entropy of softmax and class numbers: `loss = -log_softmax(z)_label`."""
    one_hot = _one_hot("sparse_softmax_cross_entropy", logits, labels)
    return as_array(-_pick(log_softmax(logits), one_hot), logits.dtype)


def sparse_softmax_cross_entropy_backward(dloss: Array, logits: Array, labels: Array) -> Array:
    """Gradient: `dlogits_i = dloss * (softmax(z)_i - [i == label])`."""
    one_hot = _one_hot("sparse_softmax_cross_entropy_backward", logits, labels)
    dlogits = dloss[..., np.newaxis] * (softmax(logits) - one_hot)
    return as_array(dlogits, logits.dtype)


def binary_cross_entropy_with_logits(
    logits: Array, labels: Array, label_smoothing: float = 0.0
) -> Array:
    """Mean cross-entropy of sigmoids: `mean_i(max(z, 0) - z t + log1p(exp(-|z|)))`.

    Equals `mean_i(-t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z)))`, with
    `t = labels * (1 - label_smoothing) + label_smoothing / 2`.
    """
    t = _dense_labels("binary_cross_entropy_with_logits", logits, labels, label_smoothing, 2)
    losses = np.maximum(logits, 0.0) - logits * t + np.log1p(np.exp(-np.abs(logits)))
    return as_array(np.mean(losses, axis=-1), logits.dtype)


def binary_cross_entropy_with_logits_backward(
    dloss: Array, logits: Array, labels: Array, label_smoothing: float = 0.0
) -> Array:
    """Gradient: `dlogits_i = dloss * (sigmoid(z_i) - t_i) / classes`."""
    t = _dense_labels(
        "binary_cross_entropy_with_logits_backward", logits, labels, label_smoothing, 2
    )
    dlogits = dloss[..., np.newaxis] * (sigmoid(logits) - t) / logits.shape[-1]
    return as_array(dlogits, logits.dtype)


# --- cross-entropies of probabilities --------------------------------------------------------


def _clip(p: Array) -> Array:
    """`min(max(p, EPSILON), 1 - EPSILON)`."""
    return as_array(np.clip(p, EPSILON, 1.0 - EPSILON), p.dtype)


def _is_clipped(p: Array) -> Array:
    """Where clipping changes `p` and so stops its gradient; not where `p` is NaN."""
    low, high = as_array([EPSILON, 1.0 - EPSILON], p.dtype)
    return as_array((p < low) | (p > high), bool)


def _log_normalized(probs: Array) -> Array:
    """`log(clip(q))` with `q = p / sum(p)`."""
    q = as_array(probs / np.sum(probs, axis=-1, keepdims=True), probs.dtype)
    return as_array(np.log(_clip(q)), probs.dtype)


def _log_normalized_backward(dlog: Array, probs: Array) -> Array:
    """Gradient of `log(clip(p / S))`, `S = sum(p)`: `dp_i = (dq_i - sum_j dq_j q_j) / S`.

    `dq_i = dlog_i / q_i`, or 0 where `q_i` lies outside of the bounds of the clip.
    """
    total = np.sum(probs, axis=-1, keepdims=True)
    q = as_array(probs / total, probs.dtype)
    dq = np.where(_is_clipped(q), 0.0, dlog / _clip(q))
    return as_array((dq - np.sum(dq * q, axis=-1, keepdims=True)) / total, probs.dtype)


def categorical_cross_entropy(probs: Array, labels: Array, label_smoothing: float = 0.0) -> Array:
    """Cross-entropy of probabilities and dense labels: `loss = -sum_i t_i * log(clip(q)_i)`.

    `q = probs / sum(probs)`, clipped to [EPSILON, 1 - EPSILON] as in Keras;
    `t_i = labels_i * (1 - label_smoothing) + label_smoothing / classes`.
    """
    t = _dense_labels("categorical_cross_entropy", probs, labels, label_smoothing, probs.shape[-1])
    return as_array(-np.sum(t * _log_normalized(probs), axis=-1), probs.dtype)


def categorical_cross_entropy_backward(
    dloss: Array, probs: Array, labels: Array, label_smoothing: float = 0.0
) -> Array:
    """Gradient: `dprobs_i = dloss * (dq_i - sum_j dq_j q_j) / sum(probs)`.

    `dq_i = -t_i / q_i`, or 0 where `q_i` lies outside of the bounds of the clip.
    """
    t = _dense_labels(
        "categorical_cross_entropy_backward", probs, labels, label_smoothing, probs.shape[-1]
    )
    return as_array(dloss[..., np.newaxis] * _log_normalized_backward(-t, probs), probs.dtype)


def sparse_categorical_cross_entropy(probs: Array, labels: Array) -> Array:
    """Cross-entropy of probabilities and class numbers: `loss = -log(clip(q)_label)`.

    `q = probs / sum(probs)`, clipped to [EPSILON, 1 - EPSILON] as in Keras.
    """
    one_hot = _one_hot("sparse_categorical_cross_entropy", probs, labels)
    return as_array(-_pick(_log_normalized(probs), one_hot), probs.dtype)


def sparse_categorical_cross_entropy_backward(dloss: Array, probs: Array, labels: Array) -> Array:
    """Gradient of the dense form for one-hot labels: `t_i = [i == label]`."""
    one_hot = _one_hot("sparse_categorical_cross_entropy_backward", probs, labels)
    dprobs = _log_normalized_backward(-one_hot, probs)
    return as_array(dloss[..., np.newaxis] * dprobs, probs.dtype)


def binary_cross_entropy(probs: Array, labels: Array, label_smoothing: float = 0.0) -> Array:
    """Mean cross-entropy of probabilities: `mean_i(-t log(p) - (1 - t) log(1 - p))`.

    `p` is `probs` clipped to [EPSILON, 1 - EPSILON] as in Keras;
    `t = labels * (1 - label_smoothing) + label_smoothing / 2`.
    """
    t = _dense_labels("binary_cross_entropy", probs, labels, label_smoothing, 2)
    p = _clip(probs)
    losses = -t * np.log(p) - (1.0 - t) * np.log1p(-p)
    return as_array(np.mean(losses, axis=-1), probs.dtype)


def binary_cross_entropy_backward(
    dloss: Array, probs: Array, labels: Array, label_smoothing: float = 0.0
) -> Array:
    """Gradient: `dprobs_i = dloss * (p_i - t_i) / (p_i (1 - p_i)) / classes`.

    It is 0 where `probs_i` lies outside of the bounds of the clip.
    """
    t = _dense_labels("binary_cross_entropy_backward", probs, labels, label_smoothing, 2)
    p = _clip(probs)
    slope = np.where(_is_clipped(probs), 0.0, (p - t) / (p * (1.0 - p)))
    return as_array(dloss[..., np.newaxis] * slope / probs.shape[-1], probs.dtype)


# --- regression ------------------------------------------------------------------------------


def _difference(op: str, pred: Array, target: Array) -> Array:
    """`pred - target` in the dtype of `pred`."""
    check_shape(op, "target", target, pred.shape)
    return as_array(pred - as_array(target, pred.dtype), pred.dtype)


def mean_squared_error(pred: Array, target: Array) -> Array:
    """Mean squared error over the last axis: `loss = mean_i((pred_i - target_i)^2)`."""
    difference = _difference("mean_squared_error", pred, target)
    return as_array(np.mean(difference**2, axis=-1), pred.dtype)


def mean_squared_error_backward(dloss: Array, pred: Array, target: Array) -> Array:
    """Gradient: `dpred_i = dloss * 2 * (pred_i - target_i) / outputs`."""
    difference = _difference("mean_squared_error_backward", pred, target)
    return as_array(dloss[..., np.newaxis] * 2.0 * difference / pred.shape[-1], pred.dtype)


def mean_absolute_error(pred: Array, target: Array) -> Array:
    """Mean absolute error over the last axis: `loss = mean_i(|pred_i - target_i|)`."""
    difference = _difference("mean_absolute_error", pred, target)
    return as_array(np.mean(np.abs(difference), axis=-1), pred.dtype)


def mean_absolute_error_backward(dloss: Array, pred: Array, target: Array) -> Array:
    """Gradient: `dpred_i = dloss * sign(pred_i - target_i) / outputs`, with `sign(0) = 0`."""
    difference = _difference("mean_absolute_error_backward", pred, target)
    return as_array(dloss[..., np.newaxis] * np.sign(difference) / pred.shape[-1], pred.dtype)


# --- from losses to one number ---------------------------------------------------------------


def weighted_sum(losses: Array, weight: Array | None = None, scale: float = 1.0) -> Array:
    """One number from losses per sample: `total = scale * sum(losses * weight)`, shape ().

    `weight` has the shape of `losses`; None counts every sample once. With `scale = 1 / n`
    this is Keras' reduction "sum_over_batch_size", with 1 it is "sum".

    Raises:
        ValueError: `weight` has another shape than `losses`.
    """
    if weight is not None:
        check_shape("weighted_sum", "weight", weight, losses.shape)
        losses = losses * weight
    return as_array(scale * np.sum(losses), losses.dtype)


def weighted_sum_backward(
    dtotal: Array, losses: Array, weight: Array | None = None, scale: float = 1.0
) -> Array:
    """Gradient for the losses: `dlosses = dtotal * scale * weight`, the shape of `losses`.

    Raises:
        ValueError: `weight` has another shape than `losses`.
    """
    if weight is None:
        weight = np.ones_like(losses)
    check_shape("weighted_sum_backward", "weight", weight, losses.shape)
    return as_array(dtotal * scale * weight, losses.dtype)


LossFunction = Callable[..., Array]


def _with_gradient(
    loss: LossFunction, loss_backward: LossFunction
) -> Callable[..., tuple[Array, Array]]:
    """Compose a loss, `weighted_sum` and their gradients into one function."""

    def total_and_gradient(
        pred: Array,
        labels: Array,
        weight: Array | None = None,
        scale: float = 1.0,
        **attributes: Any,
    ) -> tuple[Array, Array]:
        losses = loss(pred, labels, **attributes)
        total = weighted_sum(losses, weight, scale)
        dlosses = weighted_sum_backward(np.ones_like(total), losses, weight, scale)
        return total, loss_backward(dlosses, pred, labels, **attributes)

    total_and_gradient.__name__ = total_and_gradient.__qualname__ = f"{loss.__name__}_with_gradient"
    total_and_gradient.__doc__ = f"""Weighted sum of `{loss.__name__}` and its gradient.

    `total = weighted_sum({loss.__name__}(pred, labels), weight, scale)`, shape (), and
    `dpred = d total / d pred`, the shape of `pred`. Attributes are those of the loss.
    """
    return total_and_gradient


softmax_cross_entropy_with_gradient = _with_gradient(
    softmax_cross_entropy, softmax_cross_entropy_backward
)
sparse_softmax_cross_entropy_with_gradient = _with_gradient(
    sparse_softmax_cross_entropy, sparse_softmax_cross_entropy_backward
)
binary_cross_entropy_with_logits_with_gradient = _with_gradient(
    binary_cross_entropy_with_logits, binary_cross_entropy_with_logits_backward
)
categorical_cross_entropy_with_gradient = _with_gradient(
    categorical_cross_entropy, categorical_cross_entropy_backward
)
sparse_categorical_cross_entropy_with_gradient = _with_gradient(
    sparse_categorical_cross_entropy, sparse_categorical_cross_entropy_backward
)
binary_cross_entropy_with_gradient = _with_gradient(
    binary_cross_entropy, binary_cross_entropy_backward
)
mean_squared_error_with_gradient = _with_gradient(mean_squared_error, mean_squared_error_backward)
mean_absolute_error_with_gradient = _with_gradient(
    mean_absolute_error, mean_absolute_error_backward
)
