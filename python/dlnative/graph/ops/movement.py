"""Primitives that pick, pad and scatter values.

An index out of range raises before the step commits anything; negative ones count from the end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..open_shapes import Open
from ..table import Op, check_same_dtype, normalize_axis, register, same
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape


class MoveOp(Op):
    """What the ops that pick, pad and scatter share: they move values of any dtype."""

    open_shapes = True
    may_fail = True
    dtype_rule: Any = dtypes.own

    def flops(self, node: Node) -> int:
        return 0


def zeros(x: Tensor, shape: Shape) -> Tensor:
    """Zeros of the dtype of x."""
    return apply("broadcast_to", apply("cast", x.graph.constant(0), dtype=x.dtype), shape=shape)


def _check_indices(name: str, indices: Tensor) -> None:
    if indices.dtype not in ("int32", "int64"):
        raise TypeError(f"{name}: expected int32 or int64 indices, received {indices.dtype}")


@register
class StridedSlice(MoveOp):
    """y[i, ...] = x[starts[0] + i * steps[0], ...] with `sizes[0]` indices, and so on by axis."""

    name = "strided_slice"

    def infer(
        self, x: Tensor, starts: Sequence[int], sizes: Sequence[int], steps: Sequence[int]
    ) -> Spec:
        if not len(starts) == len(sizes) == len(steps) == x.ndim:
            raise ValueError(f"{self.name}: expected one start, size and step for each axis")
        for axis, (start, count, step, n) in enumerate(zip(starts, sizes, steps, x.shape)):
            if n is None or count is None or isinstance(n, Open):
                continue
            last = start + (count - 1) * step
            if step == 0 or (count and not (0 <= start < n and 0 <= last < n)):
                raise ValueError(
                    f"{self.name}: {count} indices from {start} by steps of {step} do not fit "
                    f"axis {axis} of {x.shape}"
                )
        return Spec(sizes, x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        starts, sizes, steps = (node.attributes[k] for k in ("starts", "sizes", "steps"))
        if 0 in sizes:
            return (zeros(x, x.shape),)
        if any(step < 0 for step in steps):
            ends = [n - 1 if step < 0 else 0 for n, step in zip(sizes, steps)]
            signs = [-1 if step < 0 else 1 for step in steps]
            dy = apply("strided_slice", dy, starts=ends, sizes=list(sizes), steps=signs)
        firsts = [min(a, a + (n - 1) * s) for a, n, s in zip(starts, sizes, steps)]
        lasts = [max(a, a + (n - 1) * s) for a, n, s in zip(starts, sizes, steps)]
        high = [n - 1 - last for n, last in zip(x.shape, lasts)]
        interior = [abs(step) - 1 if n > 1 else 0 for n, step in zip(sizes, steps)]
        return (apply("pad", dy, low=firsts, high=high, interior=interior),)


@register
class Pad(MoveOp):
    """x with `low` and `high` values around it, and `interior` ones between neighbours."""

    name = "pad"

    def infer(
        self,
        x: Tensor,
        low: Sequence[int],
        high: Sequence[int],
        interior: Sequence[int] | None = None,
        value: float = 0.0,
    ) -> Spec:
        interior = (0,) * x.ndim if interior is None else interior
        if not len(low) == len(high) == len(interior) == x.ndim:
            raise ValueError(f"{self.name}: expected one width for each axis of {x.shape}")
        sizes = (
            None if n is None else a + n + b + max(n - 1, 0) * c
            for n, a, b, c in zip(x.shape, low, high, interior)
        )
        return Spec(sizes, x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        interior = node.attributes.get("interior") or (0,) * x.ndim
        starts = [a if n else 0 for a, n in zip(node.attributes["low"], x.shape)]
        steps = [c + 1 for c in interior]
        return (apply("strided_slice", dy, starts=starts, sizes=list(x.shape), steps=steps),)


@register
class Take(MoveOp):
    """y[.., i, ..] = x[.., indices[i], ..]: `axis` is replaced by the axes of `indices`."""

    name = "take"

    def infer(self, x: Tensor, indices: Tensor, axis: int) -> Spec:
        _check_indices(self.name, indices)
        axis = normalize_axis(self.name, axis, x.ndim)
        if x.shape[axis] == 0 and indices.size != 0:
            raise ValueError(f"{self.name}: axis {axis} of {x.shape} is empty")
        return Spec(x.shape[:axis] + indices.shape + x.shape[axis + 1 :], x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, indices = node.inputs
        axis = normalize_axis(self.name, node.attributes["axis"], x.ndim)
        if axis and math.prod(x.shape[axis + 1 :]) >= _LONG_ROW:
            return _put_rows(x, indices, dy, axis), None
        rank, end = indices.ndim, dy.ndim
        if axis:
            order = [*range(axis, axis + rank), *range(axis), *range(axis + rank, end)]
            dy = apply("transpose", dy, axes=tuple(order))
        rest = x.shape[:axis] + x.shape[axis + 1 :]
        dx = _sum_rows(dy, indices, x.shape[axis], rest)
        if axis:
            dx = apply("transpose", dx, axes=(*range(1, axis + 1), 0, *range(axis + 1, x.ndim)))
        return dx, None


_LONG_ROW = 16  # values behind an axis, from which on rows are added where they lie


def _sum_rows(dy: Tensor, indices: Tensor, size: int, rest: Shape) -> Tensor:
    """y[i] = the sum of the rows of dy whose index is i, each of the shape `rest`."""
    count = math.prod(indices.shape)
    updates = apply("reshape", dy, shape=(count, *rest))
    flat = apply("reshape", indices, shape=(count,))
    return apply("scatter", zeros(dy, (size, *rest)), flat, updates, mode="add")


def _put_rows(x: Tensor, indices: Tensor, dy: Tensor, axis: int) -> Tensor:
    """The gradient of `take` without a transpose: the axes before `axis` and it are one of rows."""
    n, lead = x.shape[axis], math.prod(x.shape[:axis])
    wide = apply("cast", indices, dtype="int64" if lead * n >= 2**31 else indices.dtype)
    inside = apply("where", wide < 0, wide + n, wide)
    first = x.graph.constant(np.arange(lead).reshape(lead, *(1,) * indices.ndim) * n, wide.dtype)
    rest = x.shape[axis + 1 :]
    return apply("reshape", _sum_rows(dy, first + inside, lead * n, rest), shape=x.shape)


@register
class TakeAlongAxis(MoveOp):
    """y[.., i, ..] = x[.., indices[.., i, ..], ..] along `axis`; the other sizes agree."""

    name = "take_along_axis"

    def infer(self, x: Tensor, indices: Tensor, axis: int) -> Spec:
        _check_indices(self.name, indices)
        axis = normalize_axis(self.name, axis, x.ndim)
        _check_along(self.name, x, indices, axis)
        return Spec(indices.shape, x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, indices = node.inputs
        start = zeros(dy, x.shape)
        axis = node.attributes["axis"]
        return apply("scatter_along_axis", start, indices, dy, axis=axis, mode="add"), None


def _check_along(name: str, x: Tensor, indices: Tensor, axis: int) -> None:
    if indices.ndim != x.ndim or any(
        n != m for i, (n, m) in enumerate(zip(x.shape, indices.shape)) if i != axis
    ):
        raise ValueError(
            f"{name}: expected indices that agree with {x.shape} except in axis {axis}, "
            f"received {indices.shape}"
        )


MODES = ("add", "set", "max", "min", "multiply")


@register
class Scatter(MoveOp):
    """y = x, then y[indices[i], ...] op= updates[i, ...] for i = 0, 1, ...; op as `mode` says."""

    name = "scatter"
    dtype_rule = dtypes.common
    keeps_dtype = (1,)
    inplace = {0: 0}

    def infer(self, x: Tensor, indices: Tensor, updates: Tensor, mode: str = "add") -> Spec:
        _check_indices(self.name, indices)
        check_same_dtype(self.name, x, updates)
        if mode not in MODES:
            raise ValueError(f"{self.name}: expected a mode of {MODES}, received {mode!r}")
        if x.ndim < 1 or indices.ndim != 1 or updates.shape != indices.shape + x.shape[1:]:
            raise ValueError(
                f"{self.name}: expected indices of shape (n,) and updates of shape "
                f"{('n', *x.shape[1:])}, received {indices.shape} and {updates.shape}"
            )
        return same(x)

    @property
    def differentiable(self) -> bool:
        return True

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, indices, updates = node.inputs
        mode = node.attributes.get("mode", "add")
        taken = apply("take", dy, indices, axis=0)
        if mode == "add":
            return dy, None, taken
        if mode == "set":
            zero = zeros(dy, updates.shape)
            return apply("scatter", dy, indices, zero, mode="set"), None, _last(node, taken)
        if mode == "multiply":
            raise ValueError("scatter: mode 'multiply' has no gradient")
        # Extremum: all that are equal to the result share the cotangent.
        y = node.outputs[0]
        chosen = apply("cast", updates == apply("take", y, indices, axis=0), dtype=dy.dtype)
        own = apply("cast", x == y, dtype=dy.dtype)
        count = apply("scatter", own, indices, chosen, mode="add")
        share = dy / count
        return own * share, None, chosen * apply("take", share, indices, axis=0)


def _last(node: Node, taken: Tensor) -> Tensor:
    """The cotangents of the updates that remain: of several to one row that is the last."""
    x, indices, _ = node.inputs
    count = indices.shape[0]
    numbers = x.graph.constant(range(count), "int32")
    last = apply("scatter", zeros(numbers, x.shape[:1]), indices, numbers, mode="set")
    kept = apply("take", last, indices, axis=0) == numbers
    kept = apply("reshape", kept, shape=(count,) + (1,) * (x.ndim - 1))
    return apply("where", kept, taken, 0.0)


@register
class ScatterAlongAxis(MoveOp):
    """y = x, then y[.., indices[.., i, ..], ..] op= updates[.., i, ..] along `axis`."""

    name = "scatter_along_axis"
    dtype_rule = dtypes.common
    keeps_dtype = (1,)
    inplace = {0: 0}

    def infer(
        self, x: Tensor, indices: Tensor, updates: Tensor, axis: int, mode: str = "add"
    ) -> Spec:
        _check_indices(self.name, indices)
        check_same_dtype(self.name, x, updates)
        axis = normalize_axis(self.name, axis, x.ndim)
        _check_along(self.name, x, indices, axis)
        if mode not in ("add", "set") or updates.shape != indices.shape:
            raise ValueError(
                f"{self.name}: expected mode 'add' or 'set' and updates of shape {indices.shape}, "
                f"received {mode!r} and {updates.shape}"
            )
        return same(x)

    @property
    def differentiable(self) -> bool:
        return True

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        indices = node.inputs[1]
        axis, mode = node.attributes["axis"], node.attributes.get("mode", "add")
        taken = apply("take_along_axis", dy, indices, axis=axis)
        if mode == "add":
            return dy, None, taken
        raise ValueError("scatter_along_axis: mode 'set' has no gradient")
