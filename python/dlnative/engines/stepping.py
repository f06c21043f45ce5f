"""Many steps over data sets, for functions that compute one step at a time in Python."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def run_steps(
    once: Callable[[Sequence[Any], int, int, Any], tuple],
    rows: Sequence[int],
    arrays: Sequence[Any],
    indices: Any,
    first: int,
    steps: int,
    step: int = 0,
    max_seconds: float | None = None,
    out: Any = None,
    epoch: int = 0,
) -> int:
    """Runs up to `steps` steps; see `NativeFunction.run`.

    Args:
        once: Function (arrays of a batch, step, epoch, numbers of the samples) that runs one step
            and returns its outputs.
        rows: Rows of a step, for each array.
        arrays: One array per feed, with rows on axis 0.
        indices, first, steps, step, max_seconds, out, epoch: As of `NativeFunction.run`.

    Returns:
        How many steps were run.
    """
    start = time.monotonic()
    for s in range(steps):
        batch, samples = [], None
        for count, array in zip(rows, arrays, strict=True):
            span = slice(first + s * count, first + (s + 1) * count)
            batch.append(np.asarray(array[span if indices is None else indices[span]]))
            if samples is None:
                numbers = np.arange(span.start, span.stop)
                samples = numbers if indices is None else np.asarray(indices)[span]
        results = once(batch, step + s, epoch, samples)
        for target, result in zip(out or (), results, strict=False):
            count = result.shape[0]
            target[first + s * count : first + (s + 1) * count] = result
        if max_seconds is not None and time.monotonic() - start >= max_seconds:
            return s + 1
    return steps
