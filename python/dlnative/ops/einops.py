"""keras.ops: axes moved, split and joined as a pattern says."""

from __future__ import annotations

import math
import re
from typing import Any

from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, op


@op
def rearrange(tensor: TensorLike, pattern: str, **axes_lengths: Any) -> Tensor:
    """y = the tensor with its axes moved, split and joined as `pattern` says.

    Args:
        tensor: A tensor or array.
        pattern: Such as "b (h p) c -> b h (c p)": a name for each axis, with those in brackets side
            by side in one axis. Both sides have the same names.
        **axes_lengths: Sizes of names in brackets; one in each pair of brackets is found.

    Raises:
        ValueError: The pattern does not fit the shape.

    Reference: Rogozhnikov, Einops: Clear and reliable tensor manipulations with Einstein-like
    notation, ICLR 2022.
    """
    x = as_tensor(tensor, name="rearrange")
    left, right = _sides(pattern)
    if len(left) != x.ndim:
        raise ValueError(
            f"rearrange: pattern {pattern!r} has {len(left)} axes, received shape {x.shape}"
        )
    sizes = {}
    for group, n in zip(left, x.shape):
        sizes.update(_group_sizes(pattern, group, n, axes_lengths))
    unknown = sorted(set(axes_lengths) - set(sizes))
    if unknown:
        raise ValueError(f"rearrange: pattern {pattern!r} has no axis {unknown[0]!r}")
    names = [name for group in left for name in group]
    order = [names.index(name) for group in right for name in group]
    x = apply("reshape", x, shape=tuple(sizes[name] for name in names))
    x = apply("transpose", x, axes=tuple(order))
    return apply("reshape", x, shape=tuple(math.prod(sizes[n] for n in g) for g in right))


def _sides(pattern: str) -> list[list[list[str]]]:
    """The groups of names on both sides of the arrow."""
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: expected one '->' in the pattern, received {pattern!r}")
    groups = []
    for side in sides:
        if re.sub(r"\([\w\s]*\)|\w+|\s", "", side):
            raise ValueError(f"rearrange: expected names and brackets, received {pattern!r}")
        found = re.findall(r"\([\w\s]*\)|\w+", side)
        groups.append([re.findall(r"\w+", group) for group in found])
    left, right = ([name for group in side for name in group] for side in groups)
    if sorted(left) != sorted(right) or len(set(left)) != len(left):
        raise ValueError(
            f"rearrange: expected each name once on both sides, received pattern {pattern!r}"
        )
    return groups


def _group_sizes(pattern: str, group: list[str], n: int, given: dict[str, int]) -> dict[str, int]:
    """The sizes of the names that share an axis of size n."""
    sizes = {k: arguments.at_least("rearrange", k, given[k], 0) for k in group if k in given}
    missing = [name for name in group if name not in sizes]
    product = math.prod(sizes.values())
    if len(missing) > 1:
        raise ValueError(
            f"rearrange: expected sizes of all but one of {', '.join(group)} in {pattern!r}"
        )
    if missing and product and n % product == 0:
        sizes[missing[0]] = n // product
    elif missing or product != n:
        raise ValueError(f"rearrange: sizes {sizes} do not fit an axis of size {n} in {pattern!r}")
    return sizes
