"""Random graphs over the primitives: rows of elementwise, reductions, movement, shape, matmul.

A graph is drawn node by node, so that every call is valid. `Choices` makes the decisions: those of
Hypothesis, which shrinks what it finds, or a generator's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from op_cases_primitives import ARITHMETIC, COMPARISONS, FLOAT_UNARY, NUMERIC_UNARY, PREDICATES

from dlnative.graph import Graph, Tensor, apply
from dlnative.graph.dtypes import DTYPES, FLOATS, INTEGERS

SIZES = (0, 1, 1, 2, 3, 3, 4, 5, 7)
LARGE = ((40_000,), (300, 150), (7, 1, 9000))  # several chunks of the kernels
MOST_RANK = 4
MOST_ELEMENTS = 4096  # of what several tensors broadcast to, unless one has more already
SPECIAL = (np.nan, np.inf, -np.inf, -0.0, 1e30, 1e-30)
# Their oracles take microseconds to milliseconds for each element.
SLOW_ORACLES = {"erf", "erfc", "erfinv", "lgamma", "digamma", "i0"}
WITHOUT_GRADIENT = {"digamma", "i0", "stop_gradient"}
BOUNDED_OPERANDS = {  # the ranges where a binary op has a value, and is smooth but for its kinks
    "divide": (None, (0.5, 2.0)),
    "power": ((0.5, 2.0), (-2.0, 2.0)),
    "mod": (None, (0.5, 2.0)),
    "fmod": (None, (0.5, 2.0)),
    "floor_divide": (None, (0.5, 2.0)),
    "arctan2": (None, (0.5, 2.0)),
    "hypot": (None, (0.5, 2.0)),
}


class Choices(Protocol):
    """Where the decisions come from."""

    def one_of(self, options: Sequence[Any]) -> Any: ...

    def integer(self, low: int, high: int) -> int: ...


class RandomChoices:
    """Those of a generator."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def one_of(self, options: Sequence[Any]) -> Any:
        return options[self.rng.integers(len(options))]

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high, endpoint=True))


MAKERS: dict[str, Callable[[Drawing, str], Any]] = {}  # name of a row -> what applies it


def makes(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator: applies these rows; it is given the name after the Drawing."""

    def add(maker: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            assert name not in MAKERS, name
            MAKERS[name] = maker
        return maker

    return add


class Drawing:
    """A graph, and the arrays that it is fed.

    Args:
        choices: Where the decisions come from.
        smooth: For finite differences: floats are float64, arguments stay where functions are
            smooth, and rows without a gradient are left out.

    Attributes:
        graph: The Graph.
        arrays: One for each of its feeds.
        tensors: Leaves and results, in the order in which they came.
    """

    def __init__(self, choices: Choices, smooth: bool = False) -> None:
        self.choices = choices
        self.smooth = smooth
        self.graph = Graph()
        self.arrays: list[np.ndarray] = []
        self.tensors: list[Tensor] = []
        self.rng = np.random.default_rng(choices.integer(0, 2**32 - 1))
        self.floats = ("float64",) if smooth else FLOATS
        self.dtypes = tuple(d for d in DTYPES if d not in FLOATS or d in self.floats)
        large = not smooth and choices.integer(0, 11) == 11
        shape = choices.one_of(LARGE) if large else self.shape()
        self.feed(shape, choices.one_of(self.floats))
        if choices.integer(0, 1):
            self.feed(self.shape(), choices.one_of(self.dtypes))
        names = sorted(MAKERS)
        for _ in range(choices.integer(3, 12)):
            self.step(choices.one_of(names))

    def step(self, name: str) -> None:
        slow = name in SLOW_ORACLES and max(t.size for t in self.tensors) > MOST_ELEMENTS
        if slow or (self.smooth and name in WITHOUT_GRADIENT):
            name = "sin"
        self.tensors.append(MAKERS[name](self, name))

    # --- leaves -----------------------------------------------------------------------------------

    def shape(self, rank: int | None = None) -> tuple[int, ...]:
        rank = self.choices.integer(0, MOST_RANK) if rank is None else rank
        return tuple(self.choices.one_of(SIZES) for _ in range(rank))

    def values(self, shape: tuple[int, ...], dtype: str) -> np.ndarray:
        """Numbers of a feed or constant, with ties, zeros and the ends of the range among them."""
        kind = self.choices.one_of(("plain", "plain", "small", "edges"))
        if dtype == "bool":
            return self.rng.integers(0, 2, shape).astype("bool")
        if dtype in FLOATS:
            if kind == "small":
                return np.asarray(self.rng.integers(-3, 4, shape)).astype(dtype)
            values = np.asarray(self.rng.standard_normal(shape)).astype(dtype)
            if kind == "edges" and values.size and not self.smooth:
                values.flat[self.rng.integers(values.size)] = self.choices.one_of(SPECIAL)
            return values
        info = np.iinfo(dtype)
        if kind == "edges":
            return self.rng.choice(np.array([info.min, info.max, 0, 1, 3], dtype), shape)
        return np.asarray(self.rng.integers(0 if dtype == "uint8" else -4, 9, shape)).astype(dtype)

    def feed(self, shape: tuple[int, ...], dtype: str, values: Any = None) -> Tensor:
        array = np.asarray(self.values(shape, dtype) if values is None else values, dtype)
        self.arrays.append(array)
        tensor = self.graph.feed(array.shape, dtype)
        self.tensors.append(tensor)
        return tensor

    def leaf(self, shape: tuple[int, ...], dtype: str, values: Any = None) -> Tensor:
        """A feed or a constant."""
        if self.choices.integer(0, 1):
            return self.feed(shape, dtype, values)
        return self.graph.constant(self.values(shape, dtype) if values is None else values, dtype)

    def indices(self, size: int, shape: tuple[int, ...]) -> Tensor:
        """A leaf of places along an axis of `size`, which is not 0 unless the shape is empty."""
        values = self.rng.integers(-size, max(size, 1), shape)
        return self.leaf(shape, self.choices.one_of(("int32", "int64")), values)

    # --- operands ---------------------------------------------------------------------------------

    def operand(self, dtypes: Sequence[str] = DTYPES, least_rank: int = 0) -> Tensor:
        """One of the tensors; one of another dtype or of too few axes is cast and reshaped."""
        x = self.choices.one_of(self.tensors)
        if x.dtype not in dtypes:
            allowed = [d for d in dtypes if d in self.dtypes]
            x = apply("cast", x, dtype=self.choices.one_of(allowed))
        if x.ndim < least_rank:
            x = apply("reshape", x, shape=(1,) * (least_rank - x.ndim) + x.shape)
        return x

    def partner(self, *others: Tensor, dtypes: Sequence[str] = DTYPES) -> Tensor:
        """Another operand that broadcasts with these: a tensor, or a new leaf."""
        shape = np.broadcast_shapes(*(t.shape for t in others))
        fitting = [t for t in self.tensors if t.dtype in dtypes and self.broadcast(shape, t.shape)]
        if fitting and self.choices.integer(0, 2):
            return self.choices.one_of(fitting)
        allowed = [d for d in dtypes if d in self.dtypes]
        return self.leaf(self.near(shape), self.choices.one_of(allowed))

    def broadcast(self, *shapes: tuple[int, ...]) -> bool:
        """Whether shapes broadcast, to one that is not too large."""
        try:
            result = np.broadcast_shapes(*shapes)
        except ValueError:
            return False
        return math.prod(result) <= max(MOST_ELEMENTS, *map(math.prod, shapes))

    def near(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that broadcasts with `shape`."""
        part = shape[self.choices.integer(0, len(shape)) :]
        sizes = tuple(
            self.choices.one_of((n, n, 1)) if n != 1 else self.choices.one_of((1, 1, 2))
            for n in part
        )
        if len(sizes) == len(shape) < MOST_RANK and self.choices.integer(0, 3) == 3:
            sizes = (self.choices.one_of((0, 1, 2)), *sizes)
        return sizes if self.broadcast(shape, sizes) else shape

    def axis(self, x: Tensor) -> int:
        return self.choices.integer(-x.ndim, x.ndim - 1)

    def within(self, x: Tensor, limits: tuple[float, float] | None) -> Tensor:
        """x, or values between the limits that depend on it."""
        if limits is None or not (self.smooth or self.choices.integer(0, 3)):
            return x
        low, high = limits
        waves = apply("sin", x)
        return apply("rescale", waves, scale=(high - low) / 2, offset=(high + low) / 2)


# --- elementwise ----------------------------------------------------------------------------------


@makes(*FLOAT_UNARY)
def unary(g: Drawing, name: str) -> Tensor:
    return apply(name, g.within(g.operand(), FLOAT_UNARY[name]))


@makes(*NUMERIC_UNARY)
def numeric_unary(g: Drawing, name: str) -> Tensor:
    return apply(name, g.operand((*INTEGERS, *FLOATS)))


@makes(*PREDICATES)
def predicate(g: Drawing, name: str) -> Tensor:
    return apply(name, g.operand())


@makes("logical_not", "stop_gradient")
def of_any(g: Drawing, name: str) -> Tensor:
    return apply(name, g.operand())


@makes("bitwise_not")
def bitwise_not(g: Drawing, name: str) -> Tensor:
    return apply(name, g.operand((*INTEGERS, "bool")))


@makes("rescale")
def rescale(g: Drawing, name: str) -> Tensor:
    scale, offset = g.choices.one_of(((2.5, -1.0), (-0.5, 0.0), (1 / 3, 0.1)))
    return apply(name, g.operand(), scale=scale, offset=offset)


@makes("fma", "fnma", "lerp", "maximum_gradient", "minimum_gradient")
def of_three(g: Drawing, name: str) -> Tensor:
    a = g.operand(FLOATS)
    b = g.partner(a, dtypes=(a.dtype,))
    return apply(name, a, b, g.partner(a, b, dtypes=(a.dtype,)))


@makes(*ARITHMETIC)
def binary(g: Drawing, name: str) -> Tensor:
    dtypes = DTYPES if name in ("add", "multiply", "maximum", "minimum") else (*INTEGERS, *FLOATS)
    a = g.operand(dtypes)
    limits = BOUNDED_OPERANDS.get(name, (None, None))
    if g.choices.integer(0, 5) == 5:
        whole = 3 if a.dtype == "uint8" else -3  # which uint8 does not hold
        number = g.choices.one_of((2, whole, 0.5) if limits[1] is None else (2, 1.5))
        return apply(name, g.within(a, limits[0]), number)
    b = g.partner(a, dtypes=dtypes)
    if a.dtype in FLOATS or b.dtype in FLOATS or g.smooth:
        a, b = g.within(a, limits[0]), g.within(b, limits[1])
    if g.choices.integer(0, 1) and limits == (None, None):
        a, b = b, a
    return apply(name, a, b)


@makes(*COMPARISONS, "logical_and", "logical_or", "logical_xor")
def question(g: Drawing, name: str) -> Tensor:
    a = g.operand()
    return apply(name, a, g.partner(a))


@makes("bitwise_and", "bitwise_or", "bitwise_xor")
def bitwise(g: Drawing, name: str) -> Tensor:
    a = g.operand((*INTEGERS, "bool"))
    return apply(name, a, g.partner(a, dtypes=(*INTEGERS, "bool")))


@makes("left_shift", "right_shift", "gcd", "lcm")
def of_integers(g: Drawing, name: str) -> Tensor:
    a = g.operand(INTEGERS)
    return apply(name, a, g.partner(a, dtypes=INTEGERS))


@makes("where")
def where(g: Drawing, name: str) -> Tensor:
    a = g.operand()
    b = g.partner(a)
    return apply(name, g.partner(a, b, dtypes=("bool",)), a, b)


@makes("cast")
def cast(g: Drawing, name: str) -> Tensor:
    return apply(name, g.operand(), dtype=g.choices.one_of(g.dtypes))


# --- reductions -----------------------------------------------------------------------------------


@makes("sum", "prod", "mean", "max", "min", "any", "all")
def reduction(g: Drawing, name: str) -> Tensor:
    x = g.operand((*INTEGERS, *FLOATS) if name in ("max", "min") else DTYPES)
    axes = [a for a in range(x.ndim) if x.shape[a] or name not in ("max", "min")]
    chosen = [a for a in axes if g.choices.integer(0, 1)]
    if g.choices.integer(0, 1):
        chosen = [a - x.ndim for a in chosen]
    axis = None if len(axes) == x.ndim and g.choices.integer(0, 3) == 3 else tuple(chosen)
    if isinstance(axis, tuple) and len(axis) == 1 and g.choices.integer(0, 1):
        axis = axis[0]
    return apply(name, x, axis=axis, keepdims=bool(g.choices.integer(0, 1)))


@makes("argmax", "argmin")
def position(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    axis = g.axis(x)
    if x.shape[axis] == 0:
        return apply("argsort", x, axis=axis)
    return apply(name, x, axis=axis)


@makes("cumsum", "cumprod")
def scan(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    return apply(name, x, axis=g.axis(x), reverse=bool(g.choices.integer(0, 1)))


@makes("argsort")
def argsort(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    return apply(name, x, axis=g.axis(x), descending=bool(g.choices.integer(0, 1)))


@makes("searchsorted")
def searchsorted(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    values = np.sort(g.values((g.choices.one_of(SIZES),), x.dtype))
    order = g.leaf(values.shape, x.dtype, values)
    return apply(name, order, x, side=g.choices.one_of(("left", "right")))


@makes("broadcast_to")
def broadcast_to(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    return apply(name, x, shape=np.broadcast_shapes(x.shape, g.near(x.shape)))


# --- movement -------------------------------------------------------------------------------------


@makes("reshape")
def reshape(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    shapes = [(x.size,), tuple(reversed(x.shape))]
    if x.ndim < MOST_RANK:
        at = g.choices.integer(0, x.ndim)
        shapes.append((*x.shape[:at], 1, *x.shape[at:]))
    if x.ndim > 1:
        shapes.append((x.shape[0] * x.shape[1], *x.shape[2:]))
    return apply(name, x, shape=g.choices.one_of(shapes))


@makes("transpose")
def transpose(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    left = list(range(x.ndim))
    axes = tuple(left.pop(g.choices.integer(0, len(left) - 1)) for _ in range(x.ndim))
    return apply(name, x, axes=axes)


@makes("concatenate")
def concatenate(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    if x.size > MOST_ELEMENTS:
        return apply("negative", apply("cast", x, dtype=g.choices.one_of(g.floats)))
    axis = g.axis(x)
    shape = list(x.shape)
    shape[axis] = g.choices.one_of((0, 1, 2))
    others = [g.leaf(tuple(shape), g.choices.one_of(g.dtypes)), x]
    given = [x, *others[: g.choices.integer(0, 2)]]
    return apply(name, *(reversed(given) if g.choices.integer(0, 1) else given), axis=axis)


@makes("slice")
def slice_(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    axis = g.axis(x)
    start = g.choices.integer(0, x.shape[axis])
    return apply(name, x, axis=axis, start=start, stop=g.choices.integer(start, x.shape[axis]))


@makes("strided_slice")
def strided_slice(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    starts, sizes, steps = [], [], []
    for n in x.shape:
        step = g.choices.one_of((1, 1, 2, 3, -1, -2))
        count = g.choices.integer(min(n, 1), -(-n // abs(step)))
        reach = (count - 1) * abs(step)
        start = g.choices.integer(0, n - 1 - reach) if count else 0
        starts.append(start + reach if step < 0 and count else start)
        sizes.append(count)
        steps.append(step)
    return apply(name, x, starts=tuple(starts), sizes=tuple(sizes), steps=tuple(steps))


@makes("pad")
def pad(g: Drawing, name: str) -> Tensor:
    x = g.operand()
    if x.size > MOST_ELEMENTS:
        return apply("stop_gradient", x)
    low, high, interior = (
        tuple(g.choices.integer(0, 2) if g.choices.integer(0, 1) else 0 for _ in x.shape)
        for _ in range(3)
    )
    value = g.choices.one_of((0.0, 1.0) if x.dtype in ("bool", "uint8") else (0.0, 3.0, -2.0))
    return apply(name, x, low=low, high=high, interior=interior, value=value)


@makes("take")
def take(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    axis = g.axis(x)
    n = x.shape[axis]
    if n == 0:
        return apply(name, x, g.indices(0, (0,)), axis=axis)
    rank = g.choices.integer(0, 2 if x.ndim < MOST_RANK else 1)
    shape = tuple(g.choices.one_of((0, 1, 2, 3)) for _ in range(rank))
    positions = [t for t in g.tensors if t.dtype == "int32" and t.ndim == rank and t.size <= 9]
    if positions and g.choices.integer(0, 1):
        return apply(name, x, apply("mod", g.choices.one_of(positions), n), axis=axis)
    return apply(name, x, g.indices(n, shape), axis=axis)


def along(g: Drawing, x: Tensor) -> tuple[Tensor, int]:
    """Indices along an axis of x, and the axis."""
    axis = g.axis(x)
    if g.choices.integer(0, 2) == 2:
        return apply("argsort", x, axis=axis), axis
    shape = list(x.shape)
    shape[axis] = g.choices.one_of((0, 1, 2, 5)) if x.shape[axis] else 0
    return g.indices(x.shape[axis], tuple(shape)), axis


@makes("take_along_axis")
def take_along_axis(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    indices, axis = along(g, x)
    return apply(name, x, indices, axis=axis)


@makes("scatter")
def scatter(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    count = g.choices.one_of((0, 1, 2, 5)) if x.shape[0] else 0
    updates = g.leaf((count, *x.shape[1:]), g.choices.one_of((x.dtype, *g.dtypes)))
    modes = ("add", "set", "max", "min") if g.smooth else ("add", "set", "max", "min", "multiply")
    return apply(name, x, g.indices(x.shape[0], (count,)), updates, mode=g.choices.one_of(modes))


@makes("scatter_along_axis")
def scatter_along_axis(g: Drawing, name: str) -> Tensor:
    x = g.operand(least_rank=1)
    indices, axis = along(g, x)
    updates = g.leaf(indices.shape, g.choices.one_of((x.dtype, *g.dtypes)))
    mode = "add" if g.smooth else g.choices.one_of(("add", "set"))
    return apply(name, x, indices, updates, axis=axis, mode=mode)


@makes("matmul")
def matmul(g: Drawing, name: str) -> Tensor:
    """A tensor times a leaf, or a leaf times it."""
    x = g.operand(least_rank=1)
    swapped, first = bool(g.choices.integer(0, 1)) and x.ndim > 1, bool(g.choices.integer(0, 1))
    inner = x.shape[-1] if x.ndim == 1 or first != swapped else x.shape[-2]
    batch = g.choices.one_of(((), (), x.shape[:-2], tuple(1 for _ in x.shape[:-2])))
    width = g.choices.one_of((0, 1, 2, 5, 17) if x.size <= MOST_ELEMENTS else (1, 2))
    vector, turned = g.choices.integer(0, 3) == 3, bool(g.choices.integer(0, 1))
    matrix = (inner, width) if first != turned else (width, inner)
    shape = (inner,) if vector else (*batch, *matrix)
    other = g.leaf(shape, g.choices.one_of((x.dtype, *g.dtypes)))
    turned = turned and not vector
    if first:
        return apply(name, x, other, transpose_a=swapped, transpose_b=turned)
    return apply(name, other, x, transpose_a=turned, transpose_b=swapped)
