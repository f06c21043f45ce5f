"""The global seed, and seeds derived from it for layers that were given none."""

from __future__ import annotations

from typing import Any

import numpy as np

_state: dict[str, Any] = {"seed": None, "drawn": 0}


def set_random_seed(seed):
    """Fixes every random number drawn from now on: weights, shuffles, masks.

    Raises:
        ValueError: `seed` is not an integer in [0, 2**64).
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"set_random_seed: expected an integer in [0, 2**64), received {seed!r}")
    _state["seed"] = int(seed)
    _state["drawn"] = 0


def next_seed():
    """A new 64-bit seed from the global stream."""
    if _state["seed"] is None:
        entropy: Any = np.random.SeedSequence().entropy
        set_random_seed(int(entropy % 2**64))
    sequence = np.random.SeedSequence(_state["seed"], spawn_key=(_state["drawn"],))
    _state["drawn"] += 1
    return int(sequence.generate_state(1, np.uint64)[0])


def generator(seed):
    """A NumPy generator (Philox) for one draw: the same seed gives the same values everywhere."""
    return np.random.Generator(np.random.Philox(key=seed))
