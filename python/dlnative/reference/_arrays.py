"""What every file of the oracle shares: the array type, and the dtype and shape promises."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

Array = NDArray[Any]


def as_array(value: ArrayLike, dtype: DTypeLike) -> Array:
    """Return `value` as an array of `dtype`.

    NumPy turns results without dimensions into scalars and may widen float32 where a scalar of
    another type takes part; both end here, so that every op returns an array of its input's dtype.
    """
    return np.asarray(value, dtype=dtype)


def check_shape(op: str, name: str, array: Array, expected: tuple[int, ...]) -> None:
    """Raise ValueError unless `array` has exactly the `expected` shape.

    Used where NumPy's broadcasting would accept a wrong shape in silence.
    """
    if array.shape != expected:
        raise ValueError(f"{op}: expected '{name}' of shape {expected}, received {array.shape}.")
