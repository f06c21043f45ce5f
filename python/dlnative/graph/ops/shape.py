"""Ops that move values without changing them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..open_shapes import may_agree
from ..table import Op, check_same_dtype, normalize_axis, register
from ..tensor import Node, Spec, Tensor, apply
from ..types import Gradients, Shape


@register
class Reshape(Op):
    """The same values in the same order under another shape (no copy inside a program)."""

    name = "reshape"
    view = True
    open_shapes = True
    dtype_rule: Any = dtypes.own

    def infer(self, x: Tensor, shape: Shape) -> Spec:
        shape = tuple(shape)
        if None not in shape and None not in x.shape and math.prod(shape) != math.prod(x.shape):
            raise ValueError(f"reshape: cannot reshape {x.shape} into {shape}: sizes differ")
        return Spec(shape, x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("reshape", dy, shape=node.inputs[0].shape),)

    def flops(self, node: Node) -> int:
        return 0


class _MoveOp(Op):
    open_shapes = True
    dtype_rule: Any = dtypes.own

    def flops(self, node: Node) -> int:
        return 0


@register
class Concatenate(_MoveOp):
    """The inputs one after the other along `axis`."""

    name = "concatenate"
    dtype_rule = dtypes.common

    def infer(self, *xs: Tensor, axis: int = -1) -> Spec:
        check_same_dtype(self.name, *xs)
        axis = normalize_axis(self.name, axis, xs[0].ndim)
        for x in xs[1:]:
            if not may_agree(x.shape, xs[0].shape, axis):
                raise ValueError(
                    f"concatenate: expected shapes that agree except in axis {axis}, "
                    f"received {[x.shape for x in xs]}"
                )
        sizes = [x.shape[axis] for x in xs]
        # A size that is open in one input is that of another.
        shape = [
            next((n for n in column if n is not None), None)
            for column in zip(*(x.shape for x in xs))
        ]
        shape[axis] = None if None in sizes else sum(sizes)
        return Spec(shape, xs[0].dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        axis = normalize_axis(self.name, node.attributes.get("axis", -1), dy.ndim)
        grads, start = [], 0
        for x, need in zip(node.inputs, needs):
            stop = start + x.shape[axis]
            grads.append(apply("slice", dy, axis=axis, start=start, stop=stop) if need else None)
            start = stop
        return tuple(grads)


@register
class Slice(_MoveOp):
    """x[start:stop] along `axis`."""

    name = "slice"

    def infer(self, x: Tensor, axis: int, start: int, stop: int) -> Spec:
        axis = normalize_axis(self.name, axis, x.ndim)
        size = x.shape[axis]
        if not 0 <= start <= stop or (size is not None and stop > size):
            raise ValueError(
                f"slice: [{start}:{stop}] is out of range for axis {axis} of {x.shape}"
            )
        return Spec(x.shape[:axis] + (stop - start,) + x.shape[axis + 1 :], x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        axis = normalize_axis(self.name, node.attributes["axis"], x.ndim)
        parts = []
        for size in (node.attributes["start"], None, x.shape[axis] - node.attributes["stop"]):
            shape = x.shape[:axis] + (size,) + x.shape[axis + 1 :]
            if size is None:
                parts.append(dy)
            elif size:
                zero = dy.graph.constant(0.0, dy.dtype)
                parts.append(apply("broadcast_to", zero, shape=shape))
        return (parts[0] if len(parts) == 1 else apply("concatenate", *parts, axis=axis),)


@register
class Transpose(_MoveOp):
    """y[i_axes[0], i_axes[1], ...] = x[i_0, i_1, ...]: the dimensions in the order `axes`."""

    name = "transpose"
    permutes = True

    def infer(self, x: Tensor, axes: Sequence[int]) -> Spec:
        axes = tuple(normalize_axis(self.name, a, x.ndim) for a in axes)
        if sorted(axes) != list(range(x.ndim)):
            raise ValueError(f"transpose: expected a permutation of {x.ndim} axes, received {axes}")
        return Spec((x.shape[a] for a in axes), x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        axes = [a % dy.ndim for a in node.attributes["axes"]]
        return (apply("transpose", dy, axes=tuple(axes.index(i) for i in range(len(axes)))),)
