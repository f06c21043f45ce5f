"""Seeds of single draws: integers, SeedGenerators, or the global stream."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from ..changes import used
from ..graph.tensor import Tracing, traced_graph
from ..naming import auto_name
from ..variables import Variable
from .seeds import next_seed

_USE = 40  # the bits of the second number that count draws outside of programs


class SeedGenerator:
    """A sequence of seeds: each draw that is given the generator takes the next one.

    Draws at once with `SeedGenerator(3)` are the same in every process, and the first one is that
    of the integer 3. In a program each use draws other numbers at each step, which follow from the
    seed, the number of the use and that of the step: the state stays as it is.

    Args:
        seed: An integer, or None for one from the global stream.
        name: A name; by default "seed_generator", with a number if taken.

    Attributes:
        state: A Variable of the seed and the number of draws so far.

    Raises:
        ValueError: `seed` is no integer.

    Example:
        >>> import dlnative
        >>> seeds = dlnative.random.SeedGenerator(3)
        >>> a, b = (dlnative.random.normal((2,), seed=seeds) for _ in range(2))
        >>> bool((a == b).any())
        False

    Differs from Keras: `backend` is no argument.
    """

    def __init__(self, seed: int | None = None, name: str | None = None) -> None:
        self.name = auto_name("SeedGenerator") if name is None else name
        self._initial_seed = seed
        start = next_seed() if seed is None else checked_seed("SeedGenerator", seed)
        # The same bits as a signed number, which a Variable can hold.
        start = start - 2**64 if start >= 2**63 else start
        self.state = Variable(
            [start, 0], dtype="int64", name="seed_generator_state", trainable=False
        )

    def next(self, ordered: bool = True) -> np.ndarray:
        """The state as an array, which is the next seed; afterwards the state has moved on.

        In a program that is being made it is the seed of one use, whatever was drawn before.

        Args:
            ordered: Whether the state moves on by counting; otherwise by a congruence of both of
                its numbers.
        """
        graph = traced_graph()
        with Tracing(None):
            if graph is not None:
                used(self.state)
                return np.array([self.state.numpy()[0], graph.next_use(self) << _USE])
            seed = self.state.numpy()
            with np.errstate(over="ignore"):
                moved = seed + [0, 1] if ordered else (seed + 1) * 5387 % 933199
            self.state.assign(moved)
        return seed

    def get_config(self) -> dict[str, Any]:
        """The arguments that make another generator of the same seed."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SeedGenerator:
        """A generator from what `get_config` has returned."""
        return cls(**config)


# Of a draw: the same numbers in every call, those of a sequence, or of the global stream.
Seed: TypeAlias = int | SeedGenerator | None


def checked_seed(name: str, seed: Any) -> int:
    """An integer as the 64 bits that it is; ValueError where it is none."""
    if isinstance(seed, (bool, np.bool_)) or not isinstance(seed, (int, np.integer)):
        raise ValueError(
            f"{name}: expected seed to be an integer, a SeedGenerator or None, received {seed!r}"
        )
    return int(seed) % 2**64


def key_of(name: str, seed: Seed) -> tuple[int, bool]:
    """The 64 bits that key a draw, and whether it is the same draw at every step.

    Args:
        name: The function that draws, for messages.
        seed: An integer: the same numbers in every call. A SeedGenerator: its next seed. None: the
            next seed of the global stream.

    Raises:
        ValueError: It is none of these.
    """
    if seed is None:
        return next_seed(), False
    if isinstance(seed, SeedGenerator):
        start, count = (int(n) % 2**64 for n in seed.next())
    else:
        start, count = checked_seed(name, seed), 0
    state = np.random.SeedSequence(start + (count << 64)).generate_state(1, np.uint64)
    return int(state[0]), not isinstance(seed, SeedGenerator)
