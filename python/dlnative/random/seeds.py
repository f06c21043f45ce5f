"""The global seed, and seeds derived from it for layers that were given none."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

_state: dict[str, Any] = {"seed": None, "drawn": 0, "streams": 0}
_stream: ContextVar[Iterator[tuple[int, int]] | None] = ContextVar("stream", default=None)


def set_random_seed(seed):
    """Fixes every random number drawn from now on: weights, shuffles, masks.

    Raises:
        ValueError: `seed` is not an integer in [0, 2**64).
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**64:
        raise ValueError(f"set_random_seed: expected an integer in [0, 2**64), received {seed!r}")
    _state.update(seed=int(seed), drawn=0, streams=0)


def get_state() -> dict[str, Any]:
    """The state of the global stream, for `set_state`."""
    return dict(_state)


def set_state(state: dict[str, Any]) -> None:
    """Makes the global stream what it was when `get_state` returned `state`."""
    _state.update(state)


def next_seed():
    """A new 64-bit seed from the global stream, or from that of the `separate_stream` block."""
    _ensure_seed()
    stream = _stream.get()
    if stream is None:
        key: tuple[int, ...] = (_state["drawn"],)
        _state["drawn"] += 1
    else:
        key = next(stream)
    sequence = np.random.SeedSequence(_state["seed"], spawn_key=key)
    return int(sequence.generate_state(1, np.uint64)[0])


@contextlib.contextmanager
def separate_stream():
    """A `with` block whose seeds come from a stream of its own.

    What is drawn afterwards is what would be drawn without the block. The stream follows from the
    global seed and the number of such blocks since it was set.
    """
    _ensure_seed()
    number = _state["streams"]
    _state["streams"] += 1
    token = _stream.set(zip(itertools.repeat(number), itertools.count()))
    try:
        yield
    finally:
        _stream.reset(token)


def _ensure_seed():
    if _state["seed"] is None:
        entropy: Any = np.random.SeedSequence().entropy
        set_random_seed(int(entropy % 2**64))


def generator(seed):
    """A NumPy generator (Philox) for one draw: the same seed gives the same values everywhere."""
    return np.random.Generator(np.random.Philox(key=seed))
