"""Shape rules with open axes, written once: a rule is asked for two sizes of each open axis.

Where the results agree the size does not depend on the open axes, and where they differ it is open,
too (so does Keras with JAX). Rows whose rule computes with None by itself say `open_shapes = True`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .tensor import Spec, Tensor
from .types import Attributes, Shape, Specs

if TYPE_CHECKING:
    from .table import Op

SIZES = (720, 1440)  # which sizes of other axes divide, where they are reshaped together


class Open(int):
    """A size that stands for an open one: messages show it as None."""

    def __repr__(self) -> str:
        return "None"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "None"


def infer_open(op: Op, inputs: Sequence[Tensor | None], attributes: Attributes) -> Specs:
    """What `op.infer` says of inputs with axes of size None: Specs in which sizes may be None."""
    results: list[Any] = []
    for size in SIZES:
        closed = [None if x is None else Tensor(with_size(x.shape, size), x.dtype) for x in inputs]
        results.append(op.infer(*closed, **attributes))
    if isinstance(results[0], Spec):
        return agreed(*results)
    return tuple(agreed(a, b) for a, b in zip(*results, strict=True))


def with_size(shape: Shape, size: int) -> list[int]:
    """The shape with a size that stands for the open ones."""
    return [Open(size) if n is None else n for n in shape]


def agreed(a: Tensor | Spec, b: Tensor | Spec) -> Spec:
    """Shape and dtype of two results, or Specs, of different sizes: None where these differ."""
    shape = [None if n is None or n != m else int(n) for n, m in zip(a.shape, b.shape, strict=True)]
    return Spec(shape, a.dtype)


def with_open_sizes(run: Callable[[int | None], list[Any]]) -> list[Any]:
    """What `run(size)` returns where sizes are open: a flat list of tensors or Specs.

    With None for the open sizes, or, where code computes with them, with two sizes in turn.

    Args:
        run: A function of None, or of the size that stands for each open one.
    """
    try:
        return run(None)
    except TypeError:  # arithmetic on None
        try:
            results = [run(size) for size in SIZES]
        except (TypeError, ValueError):
            results = None
        if results is None:
            raise
    return [agreed(a, b) for a, b in zip(*results, strict=True)]
