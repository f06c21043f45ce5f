"""Metrics per sample; the losses serve as metrics, too.

Shape legend: `pred` (..., classes); the result has one value per sample, `pred.shape[:-1]`.
Dtypes: `pred` float32 or float64 and the result the same; labels as for the losses.
"""

from __future__ import annotations

import numpy as np

from ._arrays import Array, as_array, check_shape


def categorical_accuracy(pred: Array, labels: Array) -> Array:
    """1 where the largest prediction and the largest label are of one class, else 0.

    `[argmax_i pred_i == argmax_i labels_i]`; of equal values the first counts.

    Raises:
        ValueError: `labels` has another shape than `pred`.
    """
    check_shape("categorical_accuracy", "labels", labels, pred.shape)
    return as_array(np.argmax(pred, axis=-1) == np.argmax(labels, axis=-1), pred.dtype)


def sparse_categorical_accuracy(pred: Array, labels: Array) -> Array:
    """1 where the largest prediction is that of the labelled class, else 0.

    `[argmax_i pred_i == label]`; of equal predictions the first counts.
    `labels` are class numbers of shape `pred.shape[:-1]`.

    Raises:
        ValueError: `labels` has another shape than `pred.shape[:-1]`.
    """
    check_shape("sparse_categorical_accuracy", "labels", labels, pred.shape[:-1])
    return as_array(np.argmax(pred, axis=-1) == labels, pred.dtype)


def binary_accuracy(pred: Array, labels: Array, threshold: float = 0.5) -> Array:
    """Share of right yes-or-no answers: `mean_i([pred_i > threshold] == labels_i)`.

    Raises:
        ValueError: `labels` has another shape than `pred`.
    """
    check_shape("binary_accuracy", "labels", labels, pred.shape)
    return as_array(np.mean((pred > threshold) == labels, axis=-1), pred.dtype)
