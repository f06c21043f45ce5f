"""Sums, products, means and extrema over axes, running sums, and the order of values."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .. import dtypes
from ..table import Op, add, normalize_axes, normalize_axis, register, same, table
from ..tensor import Node, Spec, Tensor, apply
from ..types import Axes, DTypeRule, Gradients, Shape
from .elementwise import broadcast_shapes, sum_to_shape


def reduced_shape(shape: Shape, axes: Sequence[int], keepdims: bool) -> Shape:
    """The shape after a reduction over `axes`."""
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def _summable(name: str, given: list[str]) -> str:
    """Sums of booleans and uint8 are int32."""
    dtype = dtypes.result_type(*given)
    return "int32" if dtype in ("bool", "uint8") else dtype


class ReductionOp(Op):
    """y = the reduction of x over `axis`: None for all axes, one of them or several."""

    open_shapes = True
    reduces = True

    def __init__(
        self, name: str, rule: DTypeRule, has_empty: bool = True, result: str | None = None
    ) -> None:
        self.name = name
        self.dtype_rule = rule
        self.has_empty = has_empty
        self.result = result

    def infer(self, x: Tensor, axis: Axes = None, keepdims: bool = False) -> Spec:
        axes = normalize_axes(self.name, axis, x.ndim)
        if not self.has_empty and any(x.shape[a] == 0 for a in axes):
            raise ValueError(
                f"{self.name}: an empty axis has no extremum, received shape {x.shape}"
            )
        return Spec(reduced_shape(x.shape, axes, keepdims), self.result or x.dtype)

    def flops(self, node: Node) -> int:
        return node.inputs[0].size

    def spread(self, node: Node, tensor: Tensor) -> Tensor:
        """A result or its cotangent, with the reduced axes kept, at size 1."""
        x = node.inputs[0]
        axes = normalize_axes(self.name, node.attributes.get("axis"), x.ndim)
        kept = reduced_shape(x.shape, axes, True)
        return tensor if tensor.shape == kept else apply("reshape", tensor, shape=kept)


class SumOp(ReductionOp):
    """The sum over axes."""

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("broadcast_to", self.spread(node, dy), shape=node.inputs[0].shape),)


class MeanOp(SumOp):
    """The mean over axes."""

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        axes = normalize_axes(self.name, node.attributes.get("axis"), x.ndim)
        count = math.prod(x.shape[a] for a in axes) or 1  # of no elements there is no gradient
        return super().gradient(node, apply("rescale", dy, scale=1.0 / count), needs)


class ExtremumOp(ReductionOp):
    """Ties share the gradient."""

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x, axes = node.inputs[0], node.attributes.get("axis")
        chosen = apply("cast", x == self.spread(node, node.outputs[0]), dtype=dy.dtype)
        count = apply("sum", chosen, axis=axes, keepdims=True)
        return (chosen * (self.spread(node, dy) / count),)


class ProdOp(ReductionOp):
    """dx[i] = dy * the product of the other factors, also where some are 0.

    The others are what runs up to x[i] from both ends, so no quotient is formed.
    """

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        axes = normalize_axes(self.name, node.attributes.get("axis"), x.ndim)
        order = [i for i in range(x.ndim) if i not in axes] + list(axes)
        moved = apply("transpose", x, axes=tuple(order))
        kept = tuple(x.shape[i] for i in order[: x.ndim - len(axes)])
        count = math.prod(x.shape[a] for a in axes)
        rows = apply("reshape", moved, shape=(*kept, count))
        others = _exclusive(rows, False) * _exclusive(rows, True)
        dx = others * apply("reshape", self.spread(node, dy), shape=(*kept, 1))
        dx = apply("reshape", dx, shape=moved.shape)
        return (apply("transpose", dx, axes=tuple(order.index(i) for i in range(x.ndim))),)


def _exclusive(x: Tensor, reverse: bool) -> Tensor:
    """The running product along the last axis without the value itself."""
    n, last = x.shape[-1], x.ndim - 1
    if n == 0:
        return x
    start, stop = (1, n) if reverse else (0, n - 1)
    rest = apply("slice", x, axis=last, start=start, stop=stop)
    running = apply("cumprod", rest, axis=last, reverse=reverse)
    widths = [0] * x.ndim
    widths[-1] = 1
    low, high = ([0] * x.ndim, widths) if reverse else (widths, [0] * x.ndim)
    return apply("pad", running, low=low, high=high, value=1.0)


add(SumOp("sum", _summable))
add(MeanOp("mean", dtypes.floating))
add(ProdOp("prod", _summable))
add(ExtremumOp("max", dtypes.numeric, has_empty=False))  # of booleans they are `any` and `all`
add(ExtremumOp("min", dtypes.numeric, has_empty=False))
for _name in ("sum", "mean", "max", "min"):
    table[_name].reduction = True
add(ReductionOp("any", dtypes.boolean))
add(ReductionOp("all", dtypes.boolean))


class ArgOp(Op):
    """The index of the first extremum along one axis, int32; NaN counts as the extremum."""

    open_shapes = True
    dtype_rule = dtypes.own

    def __init__(self, name: str) -> None:
        self.name = name

    def infer(self, x: Tensor, axis: int = -1) -> Spec:
        axis = normalize_axis(self.name, axis, x.ndim)
        if x.shape[axis] == 0:
            raise ValueError(f"{self.name}: axis {axis} is empty, received shape {x.shape}")
        return Spec(reduced_shape(x.shape, (axis,), False), "int32")

    def flops(self, node: Node) -> int:
        return node.inputs[0].size


add(ArgOp("argmax"))
add(ArgOp("argmin"))


class ScanOp(Op):
    """y[i] = x[0] op ... op x[i] along `axis`; from the other end with `reverse`."""

    open_shapes = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.dtype_rule = _summable

    def infer(self, x: Tensor, axis: int, reverse: bool = False) -> Spec:
        normalize_axis(self.name, axis, x.ndim)
        return same(x)


@register
class Cumsum(ScanOp):
    """y_i = x_0 + ... + x_i along `axis`, from its end with `reverse`."""

    def __init__(self) -> None:
        super().__init__("cumsum")

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        reverse = not node.attributes.get("reverse", False)
        return (apply("cumsum", dy, axis=node.attributes["axis"], reverse=reverse),)


@register
class Cumprod(ScanOp):
    """y_i = x_0 * ... * x_i along `axis`, from its end with `reverse`."""

    def __init__(self) -> None:
        super().__init__("cumprod")

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        """dx[j] = x[0] ... x[j - 1] s[j] with s[j] = dy[j] + x[j + 1] s[j + 1], without a quotient.

        The recurrence is solved by doubling: log2(n) times, the factor and the sum that lead from
        s[j + d] to s[j] become those that lead there from s[j + 2 d].
        """
        x = node.inputs[0]
        axis = normalize_axis(self.name, node.attributes["axis"], x.ndim)
        reverse, n = node.attributes.get("reverse", False), x.shape[axis]
        order = [i for i in range(x.ndim) if i != axis] + [axis]
        rows = apply("transpose", x, axes=tuple(order))
        total = apply("transpose", dy, axes=tuple(order))
        factor, step = _shifted(rows, 1, reverse), 1
        while step < n:
            total = total + factor * _shifted(total, step, reverse)
            step *= 2
            if step < n:
                factor = factor * _shifted(factor, step // 2, reverse)
        dx = _exclusive(rows, reverse) * total
        return (apply("transpose", dx, axes=tuple(order.index(i) for i in range(x.ndim))),)


def _shifted(x: Tensor, step: int, reverse: bool) -> Tensor:
    """What is `step` places on along the last axis, back with `reverse`; 0 beyond the end."""
    n, last = x.shape[-1], x.ndim - 1
    step = min(step, n)
    start, stop = (0, n - step) if reverse else (step, n)
    rest = apply("slice", x, axis=last, start=start, stop=stop)
    none, widths = [0] * x.ndim, [0] * last + [step]
    low, high = (widths, none) if reverse else (none, widths)
    return apply("pad", rest, low=low, high=high)


@register
class Argsort(Op):
    """The indices, int32, that sort x along `axis`: stable, NaN behind all, -0 equal to 0."""

    name = "argsort"
    open_shapes = True
    dtype_rule = dtypes.own

    def infer(self, x: Tensor, axis: int = -1, descending: bool = False) -> Spec:
        normalize_axis(self.name, axis, x.ndim)
        return Spec(x.shape, "int32")


@register
class Searchsorted(Op):
    """Where values would be inserted into a sorted vector, int32; `side` of equal ones."""

    name = "searchsorted"
    open_shapes = True
    dtype_rule = dtypes.common

    def infer(self, sorted: Tensor, values: Tensor, side: str = "left") -> Spec:
        if sorted.ndim != 1:
            raise ValueError(f"{self.name}: expected a sorted vector, received {sorted.shape}")
        if side not in ("left", "right"):
            raise ValueError(f"{self.name}: expected side 'left' or 'right', received {side!r}")
        return Spec(values.shape, "int32")


@register
class BroadcastTo(Op):
    """y = x repeated along the dimensions where its size is 1."""

    name = "broadcast_to"
    spreads = True
    open_shapes = True
    dtype_rule = dtypes.own

    def infer(self, x: Tensor, shape: Shape) -> Spec:
        if broadcast_shapes(self.name, x.shape, tuple(shape)) != tuple(shape):
            raise ValueError(f"broadcast_to: shape {x.shape} does not broadcast to {tuple(shape)}")
        return Spec(shape, x.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (sum_to_shape(dy, node.inputs[0].shape),)
