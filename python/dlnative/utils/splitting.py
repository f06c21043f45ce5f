"""Data sets in two parts."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import tree
from ..random import next_seed
from .numbers import is_integer


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Any, Any]:
    """The first and the last samples of a data set, such as to train and to test with.

    Args:
        dataset: An array, or a list, tuple or dict of arrays of one length.
        left_size: How many samples the first part has, or which share of them; what the other
            leaves by default.
        right_size: The same for the second part.
        shuffle: Whether to draw samples without an order.
        seed: A seed for that; drawn by default, as `set_random_seed` says.
        preferred_backend: None.

    Returns:
        Two data sets, nested as the one.

    Raises:
        TypeError: What is not made of arrays, or sizes that are not numbers.
        ValueError: No size, arrays of several lengths, sizes that leave a part empty or are more
            than there is, or another backend.

    Example:
        >>> import numpy as np
        >>> left, right = split_dataset((np.arange(10), np.arange(10.0)), left_size=0.8)
        >>> right
        (array([8, 9]), array([8., 9.]))

    Differs from Keras: the parts are arrays, while there they are data sets of TensorFlow or
    PyTorch.
    """
    if preferred_backend is not None:
        raise ValueError(f"split_dataset: there is no backend {preferred_backend!r} to split with")
    arrays = [np.asarray(each) for each in tree.flatten(dataset)]
    if not arrays or any(not each.ndim or each.dtype.kind == "O" for each in arrays):
        raise TypeError(f"split_dataset: expected arrays, received {type(dataset).__name__}")
    count = len(arrays[0])
    if any(len(each) != count for each in arrays):
        raise ValueError(
            f"split_dataset: expected arrays of one length, received {[len(a) for a in arrays]}"
        )
    left, right = _counts(count, left_size, right_size)
    order = np.arange(count)
    if shuffle:
        np.random.default_rng(next_seed() if seed is None else seed).shuffle(order)
    parts = order[:left], order[count - right :]
    first, second = (tree.pack_sequence_as(dataset, [a[part] for a in arrays]) for part in parts)
    return first, second


def _counts(count: int, left: float | None, right: float | None) -> tuple[int, int]:
    """How many samples both parts have."""
    if left is None and right is None:
        raise ValueError("split_dataset: expected left_size or right_size, received neither")
    first, second = _count("left_size", left, count), _count("right_size", right, count)
    if isinstance(left, float) and isinstance(right, float) and left + right > 1.0:
        raise ValueError(
            f"split_dataset: expected shares of 1 together at most, received {left} and {right}"
        )
    first = count - second if first is None else first  # type: ignore[operator]
    second = count - first if second is None else second
    if first + second > count or first < 1 or second < 1:
        raise ValueError(
            f"split_dataset: expected two parts of {count} samples, received left_size={left}, "
            f"right_size={right}, which makes {first} and {second}"
        )
    return first, second


def _count(name: str, size: Any, count: int) -> int | None:
    if size is None:
        return None
    if is_integer(size):
        return int(size)
    if isinstance(size, (float, np.floating)):
        if not 0 < size < 1:
            raise ValueError(f"split_dataset: expected a share between 0 and 1, received {size}")
        return round(size * count)
    raise TypeError(
        f"split_dataset: expected {name} to be a number, received {size!r} of type "
        f"{type(size).__name__}"
    )
