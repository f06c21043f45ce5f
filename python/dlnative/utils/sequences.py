"""Sequences of several lengths as one array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """An array of sequences of one length: shorter ones are filled, longer ones cut.

    Args:
        sequences: Sequences of numbers, or of arrays of one shape.
        maxlen: The length; that of the longest sequence by default.
        dtype: Dtype of the result.
        padding: Where shorter ones are filled: "pre" before them, "post" behind.
        truncating: Where longer ones are cut: "pre" at their begin, "post" at their end.
        value: What they are filled with.

    Returns:
        An array (sequences, maxlen, ...).

    Raises:
        ValueError: A sequence is none or its items have another shape, "pre" and "post" are
            something else, or a string is to fill an array of numbers.

    Example:
        >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
        array([[0, 1],
               [2, 3],
               [5, 6]], dtype=int32)
    """
    for name, where in (("padding", padding), ("truncating", truncating)):
        if where not in ("pre", "post"):
            raise ValueError(f"pad_sequences: expected {name} 'pre' or 'post', received {where!r}")
    if not hasattr(sequences, "__len__") or isinstance(sequences, (str, bytes)):
        raise ValueError(f"pad_sequences: expected a list of sequences, received {sequences!r}")
    for index, each in enumerate(sequences):
        if not hasattr(each, "__len__"):
            raise ValueError(f"pad_sequences: expected a sequence at {index}, received {each!r}")
    is_text = np.issubdtype(dtype, np.str_) or np.issubdtype(dtype, np.bytes_)
    if isinstance(value, str) and dtype is not object and not is_text:
        raise ValueError(
            f"pad_sequences: {value!r} cannot fill an array of dtype {dtype}; with dtype=object "
            "strings of any length fit"
        )
    shape = next((np.asarray(each).shape[1:] for each in sequences if len(each)), ())
    length = max(map(len, sequences), default=0) if maxlen is None else maxlen
    padded = np.full((len(sequences), length, *shape), value, dtype=dtype)
    for index, each in enumerate(sequences):
        cut = max(0, len(each) - length)
        kept = np.asarray(each[cut:] if truncating == "pre" else each[: len(each) - cut])
        if not len(kept):
            continue
        if kept.shape[1:] != shape:
            raise ValueError(
                f"pad_sequences: expected items of shape {shape} in the sequence at {index}, "
                f"received {kept.shape[1:]}"
            )
        first = length - len(kept) if padding == "pre" else 0
        padded[index, first : first + len(kept)] = kept
    return padded
