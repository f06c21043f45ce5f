"""The global seed, and seeds derived from it for layers that were given none."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import numpy as np

_state: dict[str, Any] = {"seed": None, "drawn": 0, "streams": 0}
_given: dict[str, int | None] = {"seed": None}  # as it was set, and not drawn
_stream: ContextVar[Iterator[tuple[int, int]] | None] = ContextVar("stream", default=None)


def set_random_seed(seed: int) -> None:
    """Fixes every random number drawn from now on: weights, shuffles, masks.

    Those of Python's `random` and of NumPy's `numpy.random` functions are fixed, too.

    Args:
        seed: An integer in [0, 2**32), the seeds that `numpy.random.seed` takes.

    Raises:
        ValueError: `seed` is none.

    Example:
        >>> import random, dlnative
        >>> dlnative.utils.set_random_seed(3)
        >>> first = random.random()
        >>> dlnative.utils.set_random_seed(3)
        >>> first == random.random()
        True

    Differs from Keras: NumPy's integers are taken; a seed that is out of range changes nothing.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
        raise ValueError(f"set_random_seed: expected an integer in [0, 2**32), received {seed!r}")
    set_stream(int(seed))
    random.seed(int(seed))
    np.random.seed(int(seed))  # noqa: NPY002 (it is for code that uses it)


def set_stream(seed: int) -> None:
    """Begins the global stream of this package with a seed of 64 bits."""
    _state.update(seed=seed, drawn=0, streams=0)
    _given["seed"] = seed


def given() -> int | None:
    """The global seed that was set, or None where it was drawn."""
    return _given["seed"]


def get_state() -> dict[str, Any]:
    """The state of the global stream, for `set_state`."""
    return dict(_state)


def set_state(state: dict[str, Any]) -> None:
    """Makes the global stream what it was when `get_state` returned `state`."""
    _state.update(state)


def next_seed() -> int:
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
def separate_stream() -> Iterator[None]:
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


def _ensure_seed() -> None:
    if _state["seed"] is None:
        entropy: Any = np.random.SeedSequence().entropy
        set_stream(int(entropy % 2**64))
        _given["seed"] = None


def generator(seed: int) -> np.random.Generator:
    """A NumPy generator (Philox) for one draw: the same seed gives the same values everywhere."""
    return np.random.Generator(np.random.Philox(key=seed))
