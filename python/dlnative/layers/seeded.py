"""Layers that draw random numbers in training: their seed, and a number for each use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import random
from ..changes import ABSENT
from ..graph import apply, table
from ..utils.numbers import is_integer
from . import messages
from .layer import UnaryLayer

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..graph.tensor import Tensor
    from ..graph.types import Shape


class SeededLayer(UnaryLayer):
    """Base of the layers that draw random numbers.

    Args:
        seed: An integer, or None for one from the global stream.
        **kwargs: `name`, `dtype`.

    Where `seed` is None, so it stays in the configuration, and a layer made from that draws other
    numbers, as in Keras. Copies, pickles and saved models keep the seed that was drawn.

    Raises:
        TypeError: `seed` is not an integer.
    """

    _drawn_seed: int  # what the draws are made with, also where `seed` is None

    def __init__(self, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    @property
    def seed(self) -> int | None:
        """The seed that was given; None where it comes from the global stream."""
        return self.__dict__["seed"]

    @seed.setter
    def seed(self, seed: int | None) -> None:
        if seed is not None and not is_integer(seed):
            raise TypeError(
                f"{messages.describe(self)}: expected seed to be an integer, received {seed!r}"
            )
        if seed is not None:
            self.__dict__.update(seed=int(seed), _drawn_seed=int(seed) % 2**64)
        elif self.__dict__.get("seed", ABSENT) is not None:
            self.__dict__.update(seed=None, _drawn_seed=random.next_seed())

    def _key(self, op: str, graph: Graph) -> dict[str, int]:
        """What a random op draws with; each use of a seed in one graph draws independently."""
        uses = sum(
            node.op is table[op] and node.attributes["seed"] == self._drawn_seed
            for node in graph.nodes
        )
        return {"seed": self._drawn_seed, "op_id": uses}

    def _draw(self, op: str, x: Tensor, *numbers: Any, **attributes: Any) -> Tensor:
        """Applies a random op to `x`."""
        return apply(op, x, *numbers, **self._key(op, x.graph), **attributes)

    def _uniform(self, x: Tensor, shape: Shape | None = None) -> Tensor:
        """Uniform numbers of [0, 1) in the shape of `x` or another one, in its dtype of floats."""
        dtype = x.dtype if x.dtype.startswith("float") else self.compute_dtype
        row = table["random_uniform"]
        attributes = {"shape": x.shape if shape is None else shape, "dtype": dtype}
        return x.graph.apply(row, (), {**attributes, **self._key(row.name, x.graph)})

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "seed": self.seed}
