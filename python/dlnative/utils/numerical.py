"""Arrays into other arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> np.ndarray:
    """One-hot rows from class numbers: y[..., c] = 1 where c == x[...], else 0.

    Args:
        x: Integers of any shape, from 0 to num_classes - 1; a last axis of size 1 is dropped.
        num_classes: Number of classes; the largest label + 1 by default.

    Returns:
        A float64 array of shape `x.shape + (num_classes,)`.

    Raises:
        TypeError: The labels are not whole numbers.
        ValueError: A label is negative or not below `num_classes`, or there are no labels and
            `num_classes` is not given.

    Example:
        >>> to_categorical([0, 2], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.]])
    """
    labels = np.asarray(x)
    if labels.dtype.kind == "f" and np.array_equal(labels, np.trunc(labels)):
        labels = labels.astype(np.int64)
    if labels.dtype.kind not in "iub":
        raise TypeError(f"to_categorical: expected whole numbers, received dtype {labels.dtype}")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if not labels.size and not num_classes:
        raise ValueError("to_categorical: without labels, num_classes must be given")
    classes = int(num_classes or labels.max() + 1)
    labels = labels.astype(np.int64)
    bad = labels[(labels < 0) | (labels >= classes)]
    if bad.size:
        raise ValueError(
            f"to_categorical: expected labels from 0 to {classes - 1} for {classes} classes, "
            f"received {int(bad.flat[0])}"
        )
    one_hot = np.zeros((*labels.shape, classes))
    np.put_along_axis(one_hot, labels[..., None], 1.0, axis=-1)
    return one_hot


def normalize(x: ArrayLike, axis: int = -1, order: int = 2) -> np.ndarray:
    """y = x / |x|, each vector along an axis divided by its norm; zero vectors stay zero.

    Args:
        x: Numbers of any shape.
        axis: Along which the vectors lie.
        order: p of the norm |x| = (sum |x|^p)^(1/p).

    Returns:
        An array of the shape of x, at least one axis.

    Example:
        >>> normalize([[3.0, 4.0], [0.0, 0.0]])
        array([[0.6, 0.8],
               [0. , 0. ]])
    """
    values = np.asarray(x)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"normalize: expected numbers, received dtype {values.dtype}")
    norms = np.atleast_1d(np.linalg.norm(values, order, axis))
    norms[norms == 0] = 1
    return values / np.expand_dims(norms, axis)
