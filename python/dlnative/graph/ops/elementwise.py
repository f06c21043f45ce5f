"""Elementwise primitives with NumPy's broadcasting: y[i] = f(a[i], b[i], ...).

Each is one line: its name, how dtypes meet, and its gradient rule in terms of other primitives, so
that gradients can be differentiated again. At kinks the gradients are those of Keras with JAX.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..dtypes import FLOATS, INTEGERS
from ..table import Op, add, check_same_dtype, register, same, table
from ..tensor import Node, Spec, Tensor, apply
from ..types import DTypeRule, Gradients, Shape, Size, TensorLike


def broadcast_shapes(name: str, *shapes: Sequence[Size]) -> Shape:
    """The broadcast shape; an open size, None, becomes that of what it meets."""
    rank = max(map(len, shapes))
    result = []
    for i in range(-rank, 0):
        size = 1
        for shape in shapes:
            n = shape[i] if len(shape) >= -i else 1
            if n == size or n == 1 or (n is None and size != 1):
                continue
            if size not in (1, None):
                listed = " and ".join(str(tuple(s)) for s in shapes)
                raise ValueError(f"{name}: shapes {listed} cannot be broadcast together")
            size = n
        result.append(size)
    return tuple(result)


def sum_to_shape(x: Tensor, shape: Shape) -> Tensor:
    """Sums `x` over the dimensions along which `shape` was broadcast."""
    if x.shape == shape:
        return x
    lead = x.ndim - len(shape)
    axes = tuple(range(lead)) + tuple(
        lead + i for i, n in enumerate(shape) if n == 1 and x.shape[lead + i] != 1
    )
    x = apply("sum", x, axis=axes, keepdims=True)
    return x if x.shape == shape else apply("reshape", x, shape=shape)


class Elementwise(Op):
    """y[i] = f(operands[i]).

    Args:
        name: Name of the op.
        count: Number of operands.
        rule: The dtype rule, a function of `graph.dtypes`.
        gradient: None, or a function (dy, y, *operands) that returns one cotangent for each operand
            before it is summed to the operand's shape: a tensor, a function without arguments
            that makes it, or None.
        result: Dtype of y; that of the operands by default.
        flops: Per element.
    """

    open_shapes = True
    elementwise = True
    inplace = {0: 0}

    def __init__(
        self,
        name: str,
        count: int,
        rule: DTypeRule,
        gradient: Callable[..., Any] | None = None,
        result: str | None = None,
        flops: int = 1,
    ) -> None:
        self.name = self.map = name
        self.count = count
        self.dtype_rule = rule
        self.rule: Any = gradient
        self.result = result
        self.flops_per_element = flops

    def infer(self, *operands: Tensor) -> Spec:
        if len(operands) != self.count:
            raise TypeError(
                f"{self.name}: expected {self.count} operands, received {len(operands)}"
            )
        check_same_dtype(self.name, *operands)
        shape = broadcast_shapes(self.name, *(x.shape for x in operands))
        return Spec(shape, self.result or operands[0].dtype)

    @property
    def differentiable(self) -> bool:
        return self.rule is not None

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        parts = self.rule(dy, node.outputs[0], *node.inputs)
        return tuple(
            sum_to_shape(part() if callable(part) else part, x.shape)
            if need and part is not None
            else None
            for part, x, need in zip(parts, node.inputs, needs, strict=True)
        )

    def flops(self, node: Node) -> int:
        return self.flops_per_element * node.outputs[0].size


class DivisionOp(Elementwise):
    """A quotient or remainder: a constant that divides integers must not be 0."""

    def check_constant(self, index: int, value: Any, dtype: str) -> None:
        super().check_constant(index, value, dtype)
        if index == 1 and dtype in INTEGERS and not np.all(value):
            raise ValueError(f"{self.name}: division of integers by the constant 0")


def zeros_like(x: Tensor) -> Tensor:
    """0 in the shape and dtype of x, also where that is infinite or NaN."""
    return apply("broadcast_to", x.graph.constant(0, x.dtype), shape=x.shape)


def unary(
    name: str,
    gradient: Callable[..., Any] | None = None,
    rule: DTypeRule = dtypes.floating,
    result: str | None = None,
    flops: int = 1,
) -> None:
    """Adds y = f(x); `gradient(dy, y, x)` is its one cotangent."""
    own = None if gradient is None else lambda dy, y, x: (lambda: gradient(dy, y, x),)
    add(Elementwise(name, 1, rule, own, result, flops))


def binary(
    name: str,
    da: Callable[..., Any] | None = None,
    db: Callable[..., Any] | None = None,
    rule: DTypeRule = dtypes.numeric,
    result: str | None = None,
    flops: int = 1,
    kind: type[Elementwise] = Elementwise,
) -> None:
    """Adds y = f(a, b); `da(dy, y, a, b)` and `db(dy, y, a, b)` are its cotangents."""

    own = (
        None
        if da is None or db is None
        else lambda dy, y, a, b: ((lambda: da(dy, y, a, b)), (lambda: db(dy, y, a, b)))
    )
    add(kind(name, 2, rule, own, result, flops))


def select(mask: Tensor, a: TensorLike, b: TensorLike) -> Tensor:
    """a where the mask is true, else b."""
    return apply("where", mask, a, b)


def _share(x: Tensor, y: Tensor) -> Tensor:
    """e^x / e^y for x <= y, and 1 where both are infinity."""
    return apply("exp", select((x == math.inf) & (x == y), 0.0, x - y))


# --- arithmetic -----------------------------------------------------------------------------------

binary("add", lambda dy, y, a, b: dy, lambda dy, y, a, b: dy, rule=dtypes.common)
binary("subtract", lambda dy, y, a, b: dy, lambda dy, y, a, b: -dy)
binary("multiply", lambda dy, y, a, b: dy * b, lambda dy, y, a, b: dy * a, rule=dtypes.common)
binary(
    "divide",
    lambda dy, y, a, b: dy / b,
    lambda dy, y, a, b: -(dy / b * a / b),
    rule=dtypes.floating,
)
for _name in ("maximum", "minimum"):
    binary(
        _name,
        lambda dy, y, a, b, rule=f"{_name}_gradient": apply(rule, dy, a, b),
        lambda dy, y, a, b, rule=f"{_name}_gradient": apply(rule, dy, b, a),
        rule=dtypes.common,
    )
binary(
    "power",
    # b a^(b - 1), and 0 where b is 0; log(a) y, and 0 where a is 0
    lambda dy, y, a, b: select(b == 0, 0.0, dy * b * a ** select(b == 0, 1.0, b - 1)),
    lambda dy, y, a, b: dy * y * apply("log", select(a == 0, 1.0, a)),
    rule=dtypes.counting,
    flops=20,
)
binary(
    "floor_divide",
    lambda dy, y, a, b: zeros_like(dy),
    lambda dy, y, a, b: zeros_like(dy),
    rule=dtypes.counting,
    kind=DivisionOp,
)
binary(
    "mod",
    lambda dy, y, a, b: dy,
    # Not the floor of a / b: that is 0 for 1 / -inf, and above it where the quotient is rounded up.
    lambda dy, y, a, b: -dy * apply("floor_divide", a, b),
    rule=dtypes.counting,
    kind=DivisionOp,
)
binary(
    "fmod",
    lambda dy, y, a, b: dy,
    lambda dy, y, a, b: -dy * apply("trunc", a / b),
    rule=dtypes.counting,
    kind=DivisionOp,
)
binary(
    "arctan2",
    lambda dy, y, a, b: dy * b / (a * a + b * b),
    lambda dy, y, a, b: -dy * a / (a * a + b * b),
    rule=dtypes.floating,
    flops=20,
)
binary(
    "hypot",
    # At (0, 0) as if it were max(|a|, |b|), with the kink of abs.
    lambda dy, y, a, b: dy * select(y == 0, 0.5, a / y),
    lambda dy, y, a, b: dy * select(y == 0, 0.5, b / y),
    rule=dtypes.floating,
    flops=5,
)
binary(
    "logaddexp",
    lambda dy, y, a, b: dy * _share(a, y),
    lambda dy, y, a, b: dy * _share(b, y),
    rule=dtypes.floating,
    flops=20,
)

unary("negative", lambda dy, y, x: -dy, rule=dtypes.numeric)
unary("abs", lambda dy, y, x: select(x >= 0, dy, -dy), rule=dtypes.common)
unary("sign", lambda dy, y, x: zeros_like(dy), rule=dtypes.numeric)
unary("square", lambda dy, y, x: dy * (x * 2), rule=dtypes.counting)

for _name, _role in {
    "add": "add",
    "subtract": "difference",
    "multiply": "product",
    "square": "square",
}.items():
    table[_name].fusion = _role

# a b + c, c - a b, a + t (b - a)
for _op in (
    Elementwise("fma", 3, dtypes.floating, lambda dy, y, a, b, c: (dy * b, dy * a, dy)),
    Elementwise("fnma", 3, dtypes.floating, lambda dy, y, a, b, c: (-dy * b, -dy * a, dy)),
    Elementwise(
        "lerp",
        3,
        dtypes.floating,
        lambda dy, y, a, b, t: (dy * (1.0 - t), dy * t, dy * (b - a)),
        flops=3,
    ),
):
    add(_op)
FMA, FNMA, LERP = (table[_name] for _name in ("fma", "fnma", "lerp"))

# The cotangent dy of a where a is the extremum of a and b, half of it where they are equal, else 0.
for _name in ("maximum_gradient", "minimum_gradient"):
    add(
        Elementwise(
            _name,
            3,
            dtypes.floating,
            lambda d, y, dy, a, b, name=_name: (apply(name, d, a, b), None, None),
        )
    )

# --- functions of floats --------------------------------------------------------------------------

unary("sqrt", lambda dy, y, x: dy * 0.5 / y)
unary("rsqrt", lambda dy, y, x: dy * -0.5 * y / x)
unary("cbrt", lambda dy, y, x: dy / (3.0 * y * y), flops=20)
unary("exp", lambda dy, y, x: dy * y, flops=10)
unary("exp2", lambda dy, y, x: dy * y * math.log(2), flops=10)
unary("expm1", lambda dy, y, x: dy * (y + 1.0), flops=10)
unary("log", lambda dy, y, x: dy / x, flops=10)
unary("log1p", lambda dy, y, x: dy / (x + 1.0), flops=10)
unary("log2", lambda dy, y, x: dy / (x * math.log(2)), flops=10)
unary("log10", lambda dy, y, x: dy / (x * math.log(10)), flops=10)
unary("sin", lambda dy, y, x: dy * apply("cos", x), flops=15)
unary("cos", lambda dy, y, x: -dy * apply("sin", x), flops=15)
unary("tan", lambda dy, y, x: dy * (y * y + 1.0), flops=20)
unary("arcsin", lambda dy, y, x: dy * apply("rsqrt", 1.0 - x * x), flops=20)
unary("arccos", lambda dy, y, x: -dy * apply("rsqrt", 1.0 - x * x), flops=20)
unary("arctan", lambda dy, y, x: dy / (x * x + 1.0), flops=20)
unary("sinh", lambda dy, y, x: dy * apply("cosh", x), flops=20)
unary("cosh", lambda dy, y, x: dy * apply("sinh", x), flops=20)
unary("arcsinh", lambda dy, y, x: dy * apply("rsqrt", x * x + 1.0), flops=20)
unary("arccosh", lambda dy, y, x: dy * apply("rsqrt", (x - 1.0) * (x + 1.0)), flops=20)
unary("arctanh", lambda dy, y, x: dy / (1.0 - x * x), flops=20)
_TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)
unary("erf", lambda dy, y, x: dy * (_TWO_OVER_ROOT_PI * apply("exp", -x * x)), flops=20)
unary("erfc", lambda dy, y, x: dy * (-_TWO_OVER_ROOT_PI * apply("exp", -x * x)), flops=20)
unary("erfinv", lambda dy, y, x: dy * (apply("exp", y * y) / _TWO_OVER_ROOT_PI), flops=30)
unary("lgamma", lambda dy, y, x: dy * apply("digamma", x), flops=30)
unary("digamma", flops=30)
unary("i0", flops=30)
for _name in ("floor", "ceil", "round", "trunc"):
    unary(_name, lambda dy, y, x: zeros_like(dy))

# --- comparisons and logic ------------------------------------------------------------------------

for _name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    binary(_name, rule=dtypes.common, result="bool")
for _name in ("logical_and", "logical_or", "logical_xor"):
    binary(_name, rule=dtypes.boolean)
for _name in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    binary(_name, rule=dtypes.bitwise)
for _name in ("left_shift", "right_shift"):
    binary(_name, rule=dtypes.integral)
for _name in ("gcd", "lcm"):
    binary(_name, rule=dtypes.whole)
unary("logical_not", rule=dtypes.boolean)
unary("bitwise_not", rule=dtypes.bitwise)
for _name in ("isnan", "isinf", "isfinite", "signbit"):
    unary(_name, result="bool")


@register
class Where(Op):
    """y[i] = a[i] where condition[i], else b[i]; the three are broadcast together."""

    name = map = "where"
    open_shapes = True
    elementwise = True
    input_dtypes = {0: "bool"}
    dtype_rule = dtypes.common

    def infer(self, condition: Tensor, a: Tensor, b: Tensor) -> Spec:
        check_same_dtype(self.name, a, b)
        shapes = condition.shape, a.shape, b.shape
        return Spec(broadcast_shapes(self.name, *shapes), a.dtype)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        condition, a, b = node.inputs
        da = sum_to_shape(select(condition, dy, 0), a.shape) if needs[1] else None
        db = sum_to_shape(select(condition, 0, dy), b.shape) if needs[2] else None
        return None, da, db


@register
class Cast(Op):
    """y[i] = x[i] as another dtype.

    Floats become integers towards zero, at the ends of the range where they lie beyond, and NaN
    becomes 0; integers wrap; what is not zero is true.
    """

    name = map = "cast"
    open_shapes = True
    elementwise = True
    dtype_rule = dtypes.own
    inplace = {0: 0}

    def infer(self, x: Tensor, dtype: str) -> Spec:
        return Spec(x.shape, dtypes.standard_dtype(dtype, "cast: dtype"))

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        x = node.inputs[0]
        return (apply("cast", dy, dtype=x.dtype) if x.dtype in FLOATS else None,)


@register
class Rescale(Op):
    """y = x * scale + offset"""

    name = "rescale"
    fusion = "rescale"
    open_shapes = True
    elementwise = True
    dtype_rule = dtypes.floating
    inplace = {0: 0}

    def infer(self, x: Tensor, scale: float = 1.0, offset: float = 0.0) -> Spec:
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (apply("rescale", dy, scale=node.attributes.get("scale", 1.0)),)


@register
class StopGradient(Op):
    """y = x, through which no gradient goes."""

    name = "stop_gradient"
    open_shapes = True
    dtype_rule = dtypes.own
    view = True

    def infer(self, x: Tensor) -> Spec:
        return same(x)

    def gradient(self, node: Node, dy: Tensor, needs: Sequence[bool]) -> Gradients:
        return (None,)

    def flops(self, node: Node) -> int:
        return 0
