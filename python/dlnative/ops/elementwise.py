"""keras.ops: arithmetic, functions, comparisons and logic, element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..graph.dtypes import FLOATS, INTEGERS, RANGES, float_type
from ..graph.tensor import Tensor, apply
from ..graph.types import TensorLike
from . import arguments
from .public import as_tensor, named, op, operand

_UNARY = {
    # name: (formula, example)
    "exp": "y = e^x",
    "exp2": "y = 2^x",
    "expm1": "y = e^x - 1, accurate near 0",
    "log": "y = ln x",
    "log1p": "y = ln(1 + x), accurate near 0",
    "log2": "y = log2 x",
    "log10": "y = log10 x",
    "sqrt": "y = x^(1/2)",
    "rsqrt": "y = x^(-1/2)",
    "cbrt": "y = x^(1/3), for negative x, too",
    "sin": "y = sin x, x in radians",
    "cos": "y = cos x, x in radians",
    "tan": "y = tan x, x in radians",
    "arcsin": "y = arcsin x in [-pi/2, pi/2]",
    "arccos": "y = arccos x in [0, pi]",
    "arctan": "y = arctan x in [-pi/2, pi/2]",
    "sinh": "y = (e^x - e^-x) / 2",
    "cosh": "y = (e^x + e^-x) / 2",
    "arcsinh": "y = ln(x + (x^2 + 1)^(1/2))",
    "arccosh": "y = ln(x + (x^2 - 1)^(1/2)), x >= 1",
    "arctanh": "y = ln((1 + x) / (1 - x)) / 2, |x| < 1",
    "erf": "y = 2 / pi^(1/2) * the integral of e^(-t^2) from 0 to x",
    "erfc": "y = 1 - erf(x), accurate for large x",
    "erfinv": "y with erf(y) = x, |x| < 1",
    "negative": "y = -x",
    "abs": "y = |x|",
    "sign": "y = -1, 0 or 1 as the sign of x",
    "square": "y = x^2",
    "isnan": "y = whether x is NaN",
    "isinf": "y = whether x is infinite",
    "isfinite": "y = whether x is neither infinite nor NaN",
    "signbit": "y = whether the sign bit of x is set, as for -0 and negative x",
    "logical_not": "y = not x; what is not zero is true",
    "bitwise_not": "y = the bits of x inverted; not x for booleans",
    "i0": "y = the modified Bessel function of the first kind of order 0",
    "tanh": "y = tanh x",
    "floor": "y = the largest integer <= x, as a float",
    "ceil": "y = the smallest integer >= x, as a float",
}

_BINARY = {
    "add": "y = x1 + x2; x1 or x2 for booleans",
    "subtract": "y = x1 - x2",
    "multiply": "y = x1 * x2; x1 and x2 for booleans",
    "divide": "y = x1 / x2, in floats for integers, too",
    "maximum": "y = the larger of x1 and x2, NaN if either is; at ties they share the gradient",
    "minimum": "y = the smaller of x1 and x2, NaN if either is; at ties they share the gradient",
    "power": "y = x1^x2",
    "floor_divide": "y = the largest integer <= x1 / x2",
    "mod": "y = x1 - x2 * floor(x1 / x2), with the sign of x2, also where it is 0",
    "fmod": "y = x1 - x2 * trunc(x1 / x2), with the sign of x1",
    "arctan2": "y = the angle of the point (x2, x1) in (-pi, pi]",
    "hypot": "y = (x1^2 + x2^2)^(1/2), without overflow on the way",
    "logaddexp": "y = ln(e^x1 + e^x2), without overflow on the way",
    "equal": "y = x1 == x2",
    "not_equal": "y = x1 != x2",
    "less": "y = x1 < x2",
    "less_equal": "y = x1 <= x2",
    "greater": "y = x1 > x2",
    "greater_equal": "y = x1 >= x2",
    "logical_and": "y = x1 and x2; what is not zero is true",
    "logical_or": "y = x1 or x2; what is not zero is true",
    "logical_xor": "y = either x1 or x2, not both",
    "bitwise_and": "z = x & y, bit by bit",
    "bitwise_or": "z = x | y, bit by bit",
    "bitwise_xor": "z = x ^ y, bit by bit",
    "left_shift": "z = x * 2^y, integers",
    "right_shift": "z = floor(x / 2^y), integers",
    "gcd": "y = the greatest common divisor of x1 and x2, integers",
    "lcm": "y = the least common multiple of x1 and x2, integers",
}


def _unary(name: str, formula: str) -> Callable[..., Any]:
    def function(x: TensorLike) -> Tensor:
        return apply(name, operand(x))

    function.__doc__ = f"{formula}, element by element.\n\n    Args:\n        x: A tensor or array."
    return named(name)(function)


def _binary(name: str, formula: str) -> Callable[..., Any]:
    def function(x1: TensorLike, x2: TensorLike) -> Tensor:
        return apply(name, operand(x1), operand(x2))

    return _documented(name, formula, function, "x1, x2")


def _bits(name: str, formula: str) -> Callable[..., Any]:
    def function(x: TensorLike, y: TensorLike) -> Tensor:
        return apply(name, operand(x), operand(y))

    return _documented(name, formula, function, "x, y")


def _documented(
    name: str, formula: str, function: Callable[..., Tensor], operands: str
) -> Callable[..., Any]:
    function.__doc__ = (
        f"{formula}, element by element.\n\n    Args:\n        {operands}: Tensors, arrays or "
        "numbers that broadcast together."
    )
    return named(name)(function)


exp = _unary("exp", _UNARY["exp"])
exp2 = _unary("exp2", _UNARY["exp2"])
expm1 = _unary("expm1", _UNARY["expm1"])
log = _unary("log", _UNARY["log"])
log1p = _unary("log1p", _UNARY["log1p"])
log2 = _unary("log2", _UNARY["log2"])
log10 = _unary("log10", _UNARY["log10"])
sqrt = _unary("sqrt", _UNARY["sqrt"])
rsqrt = _unary("rsqrt", _UNARY["rsqrt"])
cbrt = _unary("cbrt", _UNARY["cbrt"])
sin = _unary("sin", _UNARY["sin"])
cos = _unary("cos", _UNARY["cos"])
tan = _unary("tan", _UNARY["tan"])
arcsin = _unary("arcsin", _UNARY["arcsin"])
arccos = _unary("arccos", _UNARY["arccos"])
arctan = _unary("arctan", _UNARY["arctan"])
sinh = _unary("sinh", _UNARY["sinh"])
cosh = _unary("cosh", _UNARY["cosh"])
arcsinh = _unary("arcsinh", _UNARY["arcsinh"])
arccosh = _unary("arccosh", _UNARY["arccosh"])
arctanh = _unary("arctanh", _UNARY["arctanh"])
erf = _unary("erf", _UNARY["erf"])
erfc = _unary("erfc", _UNARY["erfc"])
erfinv = _unary("erfinv", _UNARY["erfinv"])
negative = _unary("negative", _UNARY["negative"])
abs = _unary("abs", _UNARY["abs"])
sign = _unary("sign", _UNARY["sign"])
square = _unary("square", _UNARY["square"])
isnan = _unary("isnan", _UNARY["isnan"])
isinf = _unary("isinf", _UNARY["isinf"])
isfinite = _unary("isfinite", _UNARY["isfinite"])
signbit = _unary("signbit", _UNARY["signbit"])
logical_not = _unary("logical_not", _UNARY["logical_not"])
bitwise_not = _unary("bitwise_not", _UNARY["bitwise_not"])
i0 = _unary("i0", _UNARY["i0"])
tanh = _unary("tanh", _UNARY["tanh"])
floor = _unary("floor", _UNARY["floor"])
ceil = _unary("ceil", _UNARY["ceil"])
add = _binary("add", _BINARY["add"])
subtract = _binary("subtract", _BINARY["subtract"])
multiply = _binary("multiply", _BINARY["multiply"])
divide = _binary("divide", _BINARY["divide"])
maximum = _binary("maximum", _BINARY["maximum"])
minimum = _binary("minimum", _BINARY["minimum"])
power = _binary("power", _BINARY["power"])
floor_divide = _binary("floor_divide", _BINARY["floor_divide"])
mod = _binary("mod", _BINARY["mod"])
fmod = _binary("fmod", _BINARY["fmod"])
arctan2 = _binary("arctan2", _BINARY["arctan2"])
hypot = _binary("hypot", _BINARY["hypot"])
logaddexp = _binary("logaddexp", _BINARY["logaddexp"])
equal = _binary("equal", _BINARY["equal"])
not_equal = _binary("not_equal", _BINARY["not_equal"])
less = _binary("less", _BINARY["less"])
less_equal = _binary("less_equal", _BINARY["less_equal"])
greater = _binary("greater", _BINARY["greater"])
greater_equal = _binary("greater_equal", _BINARY["greater_equal"])
logical_and = _binary("logical_and", _BINARY["logical_and"])
logical_or = _binary("logical_or", _BINARY["logical_or"])
logical_xor = _binary("logical_xor", _BINARY["logical_xor"])
bitwise_and = _bits("bitwise_and", _BINARY["bitwise_and"])
bitwise_or = _bits("bitwise_or", _BINARY["bitwise_or"])
bitwise_xor = _bits("bitwise_xor", _BINARY["bitwise_xor"])
left_shift = _bits("left_shift", _BINARY["left_shift"])
right_shift = _bits("right_shift", _BINARY["right_shift"])
gcd = _binary("gcd", _BINARY["gcd"])
lcm = _binary("lcm", _BINARY["lcm"])


def alias(name: str, function: Any) -> Callable[..., Any]:
    """Another name of a public op."""
    return named(name)(function.__wrapped__)


absolute = alias("absolute", abs)  # the op above, not Python's
true_divide = alias("true_divide", divide)
bitwise_invert = alias("bitwise_invert", bitwise_not)
bitwise_left_shift = alias("bitwise_left_shift", left_shift)
bitwise_right_shift = alias("bitwise_right_shift", right_shift)


@op
def reciprocal(x: TensorLike) -> Tensor:
    """y = 1 / x"""
    return 1.0 / as_tensor(x)


@op
def fabs(x: TensorLike) -> Tensor:
    """y = |x|, as a float."""
    x = as_tensor(x)
    return apply("abs", _floating(x))


def _floating(x: Tensor) -> Tensor:
    """x in its float dtype; integers and booleans as `config.floatx()`."""
    return x if x.dtype in FLOATS else apply("cast", x, dtype=float_type(x.dtype))


@op
def round(x: TensorLike, decimals: int = 0) -> Tensor:
    """y = x rounded to `decimals` places, halves to the even neighbour.

    Args:
        x: A tensor or array. Integers stay integers.
        decimals: Places behind the point; negative ones lie before it.

    Raises:
        TypeError: x is of booleans.
    """
    x = as_tensor(x)
    if x.dtype == "bool":
        raise TypeError("round: expected numbers, received booleans; cast them first")
    if x.dtype in INTEGERS:
        return x if decimals >= 0 else _round_integers(x, 10**-decimals)
    if decimals == 0:
        return apply("round", x)
    scale = 10.0**decimals
    return apply("round", x * scale) / scale


def _round_integers(x: Tensor, scale: int) -> Tensor:
    """The nearest multiple of `scale`, the even one of two, in integers of 64 bits."""
    wide = apply("cast", x, dtype="int64")
    below = wide // scale
    rest = wide - below * scale
    above = (rest * 2 > scale) | ((rest * 2 == scale) & (below % 2 == 1))
    return apply("cast", (below + apply("cast", above, dtype="int64")) * scale, dtype=x.dtype)


@op
def trunc(x: TensorLike) -> Tensor:
    """y = x without its fraction; integers stay as they are."""
    x = as_tensor(x)
    return x if x.dtype not in FLOATS else apply("trunc", x)


@op
def clip(x: TensorLike, x_min: TensorLike | None, x_max: TensorLike | None) -> Tensor:
    """y = min(max(x, x_min), x_max); at the ends x and the bound share the gradient.

    Args:
        x: A tensor or array.
        x_min, x_max: Numbers, tensors or arrays; None for no bound.
    """
    x = as_tensor(x)
    x = x if _beyond(x, x_min, "low") else apply("maximum", x, operand(x_min))
    return x if _beyond(x, x_max, "high") else apply("minimum", x, operand(x_max))


def _beyond(x: Tensor, bound: Any, side: str) -> bool:
    """Whether there is no bound, or an integer that no value of x reaches."""
    if bound is None:
        return True
    if x.dtype not in RANGES or not isinstance(bound, int):
        return False
    low, high = RANGES[x.dtype]
    return bound < low if side == "low" else bound > high


@op
def where(
    condition: TensorLike, x1: TensorLike | None = None, x2: TensorLike | None = None
) -> Tensor | tuple[Tensor, ...]:
    """y = x1 where the condition holds, else x2; without them the indices where it holds.

    Args:
        condition: Booleans, or numbers of which those that are not zero hold.
        x1, x2: Tensors, arrays or numbers that broadcast with it.

    Returns:
        A tensor; without x1 and x2 a tuple of int32 vectors, one for each axis, whose length
        depends on the values, so that it is for arrays only.
    """
    if x1 is None and x2 is None:
        from .searching import nonzero

        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("where: expected both x1 and x2, or neither")
    return apply("where", operand(condition), operand(x1), operand(x2))


@op
def fmax(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = the larger of x1 and x2, at ties x2; where one is NaN the other."""
    return _first_where("greater", x1, x2)


@op
def fmin(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = the smaller of x1 and x2, at ties x2; where one is NaN the other."""
    return _first_where("less", x1, x2)


def _first_where(name: str, x1: TensorLike, x2: TensorLike) -> Tensor:
    """x1 where the comparison holds or x2 is NaN, else x2."""
    x1, x2 = operand(x1), operand(x2)
    chosen = apply("logical_or", apply(name, x1, x2), apply("not_equal", x2, x2))
    return apply("where", chosen, x1, x2)


@op
def deg2rad(x: TensorLike) -> Tensor:
    """y = x * pi / 180: degrees as radians."""
    return _floating(as_tensor(x)) * (math.pi / 180)


@op
def rad2deg(x: TensorLike) -> Tensor:
    """y = x * 180 / pi: radians as degrees."""
    return _floating(as_tensor(x)) * (180 / math.pi)


@op
def logaddexp2(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = log2(2^x1 + 2^x2), without overflow on the way."""
    ln2 = math.log(2)
    return apply("logaddexp", operand(x1) * ln2, operand(x2) * ln2) / ln2


@op
def ldexp(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = x1 * 2^x2, x2 integers."""
    x2 = as_tensor(x2)
    if x2.dtype in FLOATS:
        raise TypeError(f"ldexp: expected x2 of integers, received {x2.dtype}")
    x1 = _floating(as_tensor(x1))
    # In three factors, so that none of them overflows where the result does not.
    end = 300 if x1.dtype == "float32" else 2200
    x2 = apply("minimum", apply("maximum", apply("cast", x2, dtype="int32"), -end), end)
    third = x2 // 3
    for exponent in (third, third, x2 - third - third):
        x1 = x1 * apply("exp2", apply("cast", exponent, dtype=x1.dtype))
    return x1


@op
def heaviside(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = 0 for x1 < 0, x2 for x1 == 0, 1 for x1 > 0; NaN stays."""
    x1, x2 = operand(x1), operand(x2)
    positive = apply("cast", apply("greater", x1, 0), dtype=apply("divide", x1, 1).dtype)
    y = apply("where", apply("equal", x1, 0), x2, positive)
    return _floating(apply("where", apply("not_equal", x1, x1), x1, y))


@op
def nan_to_num(
    x: TensorLike, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """y = x with NaN and infinities replaced; by default by 0 and the ends of the float range."""
    x = as_tensor(x)
    if x.dtype not in FLOATS:
        return x
    largest = 3.4028234663852886e38 if x.dtype == "float32" else 1.7976931348623157e308
    y = apply("where", apply("isnan", x), nan, x)
    y = apply("where", x == math.inf, largest if posinf is None else posinf, y)
    return apply("where", x == -math.inf, -largest if neginf is None else neginf, y)


@op
def isposinf(x: TensorLike) -> Tensor:
    """y = whether x is infinity."""
    return as_tensor(x) == math.inf


@op
def isneginf(x: TensorLike) -> Tensor:
    """y = whether x is -infinity."""
    return as_tensor(x) == -math.inf


@op
def isclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """y = |x1 - x2| <= atol + rtol |x2|; infinities are close to themselves.

    Args:
        x1, x2: Tensors, arrays or numbers.
        rtol, atol: Relative and absolute tolerance.
        equal_nan: Whether NaN is close to NaN.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    dtype = float_type(x1.dtype, x2.dtype)
    a, b = apply("cast", x1, dtype=dtype), apply("cast", x2, dtype=dtype)
    near = apply("abs", a - b) <= apply("abs", b) * rtol + atol
    near = near & apply("isfinite", a) & apply("isfinite", b)
    near = near | (a == b)
    return near | (apply("isnan", a) & apply("isnan", b)) if equal_nan else near


@op
def allclose(
    x1: TensorLike, x2: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """y = whether all elements are close as `isclose` says; one boolean."""
    return apply("all", isclose(x1, x2, rtol, atol, equal_nan))


@op
def sinc(x: TensorLike) -> Tensor:
    """y = sin(pi x) / (pi x), and 1 at 0."""
    x = _floating(as_tensor(x)) * math.pi
    zero = x == 0
    safe = apply("where", zero, 1.0, x)
    return apply("where", zero, 1.0, apply("sin", safe) / safe)


@op
def divide_no_nan(x1: TensorLike, x2: TensorLike) -> Tensor:
    """y = x1 / x2, and 0 where x2 is 0."""
    zero = apply("equal", operand(x2), 0)
    return apply(
        "where", zero, 0.0, apply("divide", operand(x1), apply("where", zero, 1, operand(x2)))
    )


@op
def real(x: TensorLike) -> Tensor:
    """y = x: there are no complex numbers here."""
    return as_tensor(x)


@op
def imag(x: TensorLike) -> Tensor:
    """y = 0: there are no complex numbers here."""
    x = as_tensor(x)
    return arguments.filled((x,), 0, x.shape, x.dtype)


@op
def isreal(x: TensorLike) -> Tensor:
    """y = True: there are no complex numbers here."""
    x = as_tensor(x)
    return arguments.filled((x,), True, x.shape, "bool")


@op
def angle(x: TensorLike) -> Tensor:
    """y = 0 for x >= 0 and pi for x < 0 and -0: the angle of a real number; NaN stays."""
    x = _floating(as_tensor(x))
    return apply("arctan2", 0.0, x)


conjugate = alias("conjugate", real)
conj = alias("conj", real)
