"""Shape rules with open axes, written once: a rule is asked for two sizes of each open axis.

Where the results agree the size does not depend on the open axes, and where they differ it is open,
too (so does Keras with JAX). Rows whose rule computes with None by itself say `open_shapes = True`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .tensor import Spec, Tensor
from .types import Attributes, Shape, Size, Specs

if TYPE_CHECKING:
    from .table import Op

SIZES = (720, 1440)  # which sizes of other axes divide, where they are reshaped together


def _computed(name: str) -> Callable[..., Any]:
    """An operator of integers whose results are `Open`."""
    operator = getattr(int, name)

    def method(self: Open, *others: Any) -> Any:
        result = operator(self, *others)
        return Open(result) if type(result) is int else result

    return method


class Open(int):
    """A size that stands for an open one: messages show it as None.

    What is computed of it is open, too, so that nothing that lasts, such as a weight, is made in
    that size: `unless_open` tells.
    """

    __add__ = __radd__ = _computed("__add__")
    __mul__ = __rmul__ = _computed("__mul__")
    __sub__ = _computed("__sub__")
    __rsub__ = _computed("__rsub__")
    __floordiv__ = _computed("__floordiv__")
    __rfloordiv__ = _computed("__rfloordiv__")
    __neg__ = _computed("__neg__")

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


def unless_open(size: Size) -> Size:
    """The size, None where it stands for an open one."""
    return None if isinstance(size, Open) else size


def total(sizes: Iterable[Size]) -> Size:
    """The product of sizes, None where one is open."""
    sizes = list(sizes)
    return None if None in sizes else math.prod(sizes)


def may_agree(a: Sequence[Size], b: Sequence[Size], but: int | None = None) -> bool:
    """Whether two shapes are equal but for the axis `but`, as far as their sizes are known."""
    return len(a) == len(b) and all(
        n == m or n is None or m is None or i == but for i, (n, m) in enumerate(zip(a, b))
    )


def with_size(shape: Shape, size: int) -> list[int]:
    """The shape with a size that stands for the open ones."""
    return [Open(size) if n is None else n for n in shape]


def agreed(a: Tensor | Spec, b: Tensor | Spec) -> Spec:
    """Shape and dtype of two results, or Specs, of different sizes: None where these differ."""
    shape = [None if n is None or n != m else int(n) for n, m in zip(a.shape, b.shape, strict=True)]
    return Spec(shape, a.dtype)


def with_open_sizes(
    run: Callable[[int | None], list[Any]], by_sizes_first: bool = False
) -> list[Any]:
    """What `run(size)` returns where sizes are open: a flat list of tensors or Specs.

    With None for the open sizes, or, where code computes with them, with two sizes in turn.

    Args:
        run: A function of None, or of the size that stands for each open one.
        by_sizes_first: Whether None is only tried where two sizes do not do, as an open size may
            have to be one that is known elsewhere.

    Raises:
        ValueError, TypeError: What `run` raises, the first error where both ways fail.
    """

    def by_sizes() -> list[Any]:
        results = [run(size) for size in SIZES]
        return [agreed(a, b) for a, b in zip(*results, strict=True)]

    def by_none() -> list[Any]:
        return run(None)

    first, second = (by_sizes, by_none) if by_sizes_first else (by_none, by_sizes)
    expected = (TypeError, ValueError) if by_sizes_first else TypeError  # arithmetic on None
    try:
        return first()
    except expected as error:
        try:
            return second()
        except (TypeError, ValueError) as other:
            raise _clearer(error, other) from None


def _clearer(error: Exception, other: Exception) -> Exception:
    """Which of two errors to raise: what refuses open sizes says more than arithmetic on None."""
    return other if isinstance(error, TypeError) and isinstance(other, ValueError) else error
