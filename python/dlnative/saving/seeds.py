"""Seeds that are in no configuration: a loaded model draws with those of the saved one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..layers import tracking
from ..layers.seeded import SeededLayer
from ..random import SeedGenerator
from .names import named_layers, unique

__all__ = ["is_seeds", "read_seeds", "write_seeds"]


def read_seeds(model: Any) -> dict[str, Any]:
    """The drawn seeds of a model's layers, by the way to them through the layers.

    A layer that was given no seed has 64 bits, a SeedGenerator among the attributes of a layer a
    list of its state: the seed and the number of draws.
    """
    return {
        name: owner._drawn_seed if isinstance(owner, SeededLayer) else owner.state.numpy().tolist()
        for name, owner in _named(model).items()
    }


def write_seeds(model: Any, seeds: dict[str, Any], path: Path, version: int = 4) -> None:
    """Gives a model the seeds that `read_seeds` returned.

    Args:
        model: The model.
        seeds: The seeds.
        path: Where they were read, for messages.
        version: That of the format. Up to 3 random layers of images had no generator.

    Raises:
        ValueError: They are not those of the layers of this model.
    """
    owners = _named(model)
    if version < 4:
        owners = {n: o for n, o in owners.items() if not n.endswith("/_generator") or n in seeds}
    if seeds.keys() != owners.keys():
        raise ValueError(
            f"{path}: expected seeds of {sorted(owners)}, which draw numbers, received those of "
            f"{sorted(seeds)}"
        )
    for name, owner in owners.items():
        seed = seeds[name]
        if isinstance(owner, SeededLayer) != isinstance(seed, int):
            raise ValueError(
                f"{path}: expected the seed of '{name}' to be "
                f"{'an integer' if isinstance(owner, SeededLayer) else 'a list of two integers'}, "
                f"received {seed!r}"
            )
        if isinstance(owner, SeededLayer):
            owner._drawn_seed = seed
        else:
            owner.state.assign(seed)


def is_seeds(value: Any) -> bool:
    """Whether an entry of a configuration may be what `read_seeds` has returned."""
    return isinstance(value, dict) and all(
        _is_within(seed, 0, 2**64)
        or (
            isinstance(seed, list)
            and len(seed) == 2
            and all(_is_within(number, -(2**63), 2**63) for number in seed)
        )
        for seed in value.values()
    )


def _is_within(number: Any, low: int, high: int) -> bool:
    return type(number) is int and low <= number < high


def _named(model: Any) -> dict[str, SeededLayer | SeedGenerator]:
    """What draws numbers by a seed of its own, by names that are the same when it is built anew."""
    seen: set[int] = set()

    def owners() -> Iterator[tuple[str, SeededLayer | SeedGenerator]]:
        for path, layer in named_layers(model):
            found: list[tuple[tuple[str, ...], SeededLayer | SeedGenerator]] = []
            if isinstance(layer, SeededLayer) and layer.seed is None:
                found.append((path, layer))
            found += [((*path, a), g) for a, g in tracking.seed_generators(layer)]
            for way, owner in found:
                if id(owner) not in seen:
                    seen.add(id(owner))
                    yield "/".join(way), owner

    return unique(owners())
