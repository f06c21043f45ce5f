"""Builders of calls of the primitives: elementwise, reductions, movement; see `op_cases`."""

from __future__ import annotations

import numpy as np
from op_draw import builds, rows

INTEGERS = ("int32", "int64", "uint8")
FLOAT_UNARY = {
    # name: the range that values are drawn from
    **dict.fromkeys(("exp", "exp2", "expm1", "sinh", "cosh", "erf", "erfc", "tan"), (-1.25, 1.25)),
    **dict.fromkeys(("log", "log2", "log10", "sqrt", "rsqrt", "lgamma", "digamma"), (0.25, 4.0)),
    **dict.fromkeys(("sin", "cos", "arctan", "arcsinh", "cbrt", "i0"), (-3.0, 3.0)),
    **dict.fromkeys(("floor", "ceil", "round", "trunc"), (-8.0, 8.0)),
    **dict.fromkeys(("arcsin", "arccos", "arctanh", "erfinv"), (-0.9, 0.9)),
    "log1p": (-0.5, 3.0),
    "arccosh": (1.25, 4.0),
}
NUMERIC_UNARY = ("negative", "abs", "sign", "square")
PREDICATES = ("isnan", "isinf", "isfinite", "signbit")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")


def integers(d, dtype, *shape, low=0, high=8):
    return d.rng.integers(low, high, shape).astype(dtype)


def booleans(d, *shape):
    return d.rng.integers(0, 2, shape).astype(bool)


def pair_of_shapes(d):
    n, c = d.size("batch", 3), d.size("features", 5)
    return d.one_of(((n, c), (n, c)), ((n, c), (c,)), ((n, 1), (2, 1, c)), ((), (n, c)))


@builds(*FLOAT_UNARY)
def unary(d, name):
    return [d.between(*FLOAT_UNARY[name], *rows(d))], {}


@builds(*NUMERIC_UNARY)
def numeric_unary(d, name):
    shape = rows(d)
    return [d.one_of(d.normal(*shape), integers(d, d.one_of(*INTEGERS), *shape))], {}


@builds(*PREDICATES)
def predicate(d, name):
    return [d.normal(*rows(d))], {}


@builds("logical_not")
def logical_not(d, name):
    return [booleans(d, *rows(d))], {}


@builds("bitwise_not")
def bitwise_not(d, name):
    shape = rows(d)
    return [d.one_of(integers(d, "int32", *shape), booleans(d, *shape))], {}


ARITHMETIC = ("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "mod", "fmod")
ARITHMETIC += ("floor_divide", "arctan2", "hypot", "logaddexp")


@builds(*ARITHMETIC)
def binary(d, name):
    shapes = pair_of_shapes(d)
    if name == "power":
        return [d.positive(*shapes[0]), d.normal(*shapes[1])], {}
    return [d.normal(*shapes[0]), d.positive(*shapes[1])], {}


@builds("fma", "fnma", "lerp", "maximum_gradient", "minimum_gradient")
def of_three(d, name):
    shapes = pair_of_shapes(d)
    return [d.normal(*shapes[i]) for i in (0, 1, d.one_of(0, 1))], {}


@builds(*COMPARISONS)
def comparison(d, name):
    shapes = pair_of_shapes(d)
    if d.one_of(True, False):
        return [d.normal(*shape) for shape in shapes], {}
    return [integers(d, "int64", *shape, high=3) for shape in shapes], {}


@builds("logical_and", "logical_or", "logical_xor")
def logical(d, name):
    return [booleans(d, *shape) for shape in pair_of_shapes(d)], {}


@builds("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm")
def of_integers(d, name):
    dtype = d.one_of(*INTEGERS)
    return [integers(d, dtype, *shape) for shape in pair_of_shapes(d)], {}


@builds("where")
def where(d, name):
    shapes = pair_of_shapes(d)
    return [booleans(d, *shapes[0]), d.normal(*shapes[1]), d.normal(*shapes[0])], {}


@builds("cast")
def cast(d, name):
    dtype = d.one_of("int32", "float64", "bool", "uint8", "float32", "int64")
    return [d.between(0, 9, *rows(d))], {"dtype": dtype}


@builds("rescale")
def rescale(d, name):
    return [d.normal(*rows(d))], d.one_of({"scale": 2.5, "offset": -1.0}, {"scale": -0.5}, {})


@builds("stop_gradient")
def stop_gradient(d, name):
    return [d.normal(*rows(d))], {}


@builds("custom_gradient")
def custom_gradient(d, name):
    x = d.normal(*rows(d))
    return [x, x], {"rule": _no_gradient}


def _no_gradient(dy):
    return (None,)


@builds("numpy_function")
def numpy_function(d, name):
    x = d.normal(*rows(d))
    return [x], {"function": np.negative, "shapes": (x.shape,), "dtypes": (x.dtype.name,)}


# --- reductions -----------------------------------------------------------------------------------


def reduced(d):
    axis = d.one_of(None, 1, (0, 2), -1, (), [0])
    return {"axis": axis, "keepdims": d.one_of(False, True)}


def cube(d):
    return d.size("batch", 3), d.size("middle", 2), d.size("features", 5)


@builds("sum", "mean", "max", "min", "prod")
def reduction(d, name):
    return [d.normal(*cube(d))], reduced(d)


@builds("any", "all")
def any_all(d, name):
    return [booleans(d, *cube(d))], reduced(d)


@builds("argmax", "argmin")
def arg_extremum(d, name):
    return [d.normal(d.size("batch", 3), d.size("features", 5))], d.one_of({}, {"axis": 0})


@builds("cumsum", "cumprod")
def scan(d, name):
    return [d.normal(*cube(d))], {"axis": d.one_of(-1, 0, 1), "reverse": d.one_of(False, True)}


@builds("argsort")
def argsort(d, name):
    return [d.normal(*cube(d))], {"axis": d.one_of(-1, 0), "descending": d.one_of(False, True)}


@builds("searchsorted")
def searchsorted(d, name):
    values = np.sort(d.normal(d.size("features", 5)))
    return [values, d.normal(d.size("batch", 3))], {"side": d.one_of("left", "right")}


@builds("broadcast_to")
def broadcast_to(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    shape = d.one_of((n, 1), (c,), (1, c))
    return [d.normal(*shape)], {"shape": d.one_of((n, c), (2, n, c), (n, c))}


# --- movement -------------------------------------------------------------------------------------


@builds("reshape")
def reshape(d, name):
    n, c = d.size("batch", 3), d.size("features", 4)
    return [d.normal(n, c)], {"shape": d.one_of((c, n), (n * c,), (n, 1, c))}


@builds("concatenate")
def concatenate(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    widths = d.one_of((c, d.size("other", 2)), (c,), (1, c, d.size("other", 2)))
    if d.one_of(True, False):
        return [d.normal(n, width) for width in widths], {}
    return [d.normal(width, n) for width in widths], {"axis": 0}


@builds("slice")
def slice_(d, name):
    c = d.size("features", 5)
    start, stop = d.one_of((0, c), (min(1, c), c), (c // 2, c // 2))
    return [d.normal(d.size("batch", 3), c)], {
        "axis": d.one_of(-1, 1),
        "start": start,
        "stop": stop,
    }


@builds("strided_slice")
def strided_slice(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    step = d.one_of(1, 2, -1, -2)
    count = -(-c // abs(step))
    start = 0 if step > 0 else max(c - 1, 0)
    attributes = {"starts": (0, start), "sizes": (n, count), "steps": (1, step)}
    return [d.normal(n, c)], attributes


@builds("pad")
def pad(d, name):
    x = d.normal(d.size("batch", 3), d.size("features", 5))
    attributes = {"low": d.one_of((0, 1), (2, 0)), "high": (1, 0), "value": d.one_of(0.0, -1.5)}
    return [x], {**attributes, **d.one_of({}, {"interior": (0, 2)})}


@builds("transpose")
def transpose(d, name):
    return [d.normal(*cube(d))], {"axes": d.one_of((1, 0, 2), (2, 1, 0), (0, -1, 1))}


@builds("take")
def take(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    count = d.size("other", 4) if c else 0
    indices = integers(d, d.one_of("int32", "int64"), count, low=-c, high=max(c, 1))
    return [d.normal(n, c), indices], {"axis": d.one_of(1, -1)}


@builds("take_along_axis")
def take_along_axis(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    count = d.size("other", 4) if c else 0
    indices = integers(d, "int32", n, count, low=-c, high=max(c, 1))
    return [d.normal(n, c), indices], {"axis": 1}


@builds("scatter")
def scatter(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    count = d.size("other", 4) if n else 0
    indices = integers(d, "int32", count, low=-n, high=max(n, 1))
    mode = d.one_of("add", "set", "max", "min", "multiply")
    return [d.normal(n, c), indices, d.normal(count, c)], {"mode": mode}


@builds("scatter_along_axis")
def scatter_along_axis(d, name):
    n, c = d.size("batch", 3), d.size("features", 5)
    count = d.size("other", 4) if c else 0
    indices = integers(d, "int32", n, count, low=-c, high=max(c, 1))
    mode = d.one_of("add", "set")
    return [d.normal(n, c), indices, d.normal(n, count)], {"axis": 1, "mode": mode}


# --- random numbers -------------------------------------------------------------------------------


@builds("random_uniform")
def random_uniform(d, name):
    attributes = {"dtype": d.one_of("float32", "float64"), "seed": 7, "op_id": 3, "step": 2}
    return [], {"shape": rows(d), **attributes}


@builds("random_gamma")
def random_gamma(d, name):
    shape = rows(d)
    attributes = {"dtype": d.one_of("float32", "float64"), "log": d.one_of(False, True)}
    alpha = d.one_of(np.array(0.25), 4 * d.positive(*shape).astype("float64"))
    return [alpha], {"shape": shape, **attributes, "seed": 7, "op_id": 3, "step": 2}


@builds("random_binomial")
def random_binomial(d, name):
    shape = rows(d)
    attributes = {"dtype": d.one_of("float32", "float64"), "seed": 7, "op_id": 3, "step": 2}
    counts = d.one_of(np.array(100.0), np.ceil(40 * d.positive(*shape)).astype("float64"))
    chances = d.one_of(np.array(0.4), np.full(shape, 0.75))
    return [counts, chances], {"shape": shape, **attributes}
