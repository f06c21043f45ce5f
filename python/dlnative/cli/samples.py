"""Inputs and targets, and how some are held out of training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Samples", "hold_out"]


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs and targets of one set.

    Attributes:
        x: Inputs of shape `(n, ...)`, n at least 1, numeric.
        y: Targets of shape `(n,)`: integers, floats, or strings as they stand in the file.
    """

    x: np.ndarray
    y: np.ndarray


def hold_out(samples: Samples, share: float, seed: int) -> tuple[Samples, Samples | None]:
    """Takes a random share of a training set for validation, whatever its order.

    Raises:
        ValueError: If nothing would be left to train on.
    """
    total = len(samples.x)
    count = round(total * share)
    if count == 0:
        return samples, None
    if count == total:
        raise ValueError(f"--validation-split {share} leaves nothing of {total} samples")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(total)
    # In the file's order on both sides: training shuffles for itself.
    held_out, kept = np.sort(order[:count]), np.sort(order[count:])
    return (
        Samples(samples.x[kept], samples.y[kept]),
        Samples(samples.x[held_out], samples.y[held_out]),
    )
