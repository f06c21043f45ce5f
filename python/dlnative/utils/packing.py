"""Data of one batch as one value: x, (x, y) or (x, y, sample_weight)."""

from __future__ import annotations

from typing import Any


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """(x, y, sample_weight) of what a step is given; None for what is not there.

    Args:
        data: x alone, or a tuple or list (x,), (x, y) or (x, y, sample_weight).

    Raises:
        ValueError: A tuple of another length.

    Example:
        >>> import dlnative
        >>> dlnative.utils.unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    if isinstance(data, list):
        data = tuple(data)
    if not isinstance(data, tuple):
        return data, None, None
    if not 1 <= len(data) <= 3:
        raise ValueError(
            "expected x, (x,), (x, y) or (x, y, sample_weight), received a tuple of "
            f"{len(data)} entries"
        )
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """What `unpack_x_y_sample_weight` takes apart: x alone where there is nothing else.

    Example:
        >>> import dlnative
        >>> dlnative.utils.pack_x_y_sample_weight([1, 2], [3, 4])
        ([1, 2], [3, 4])
    """
    if y is None:
        return (x,) if isinstance(x, (tuple, list)) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
