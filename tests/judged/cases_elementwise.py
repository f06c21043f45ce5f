"""Judged calls of the elementwise functions: values, dtypes, kinks, NaN and infinities."""

from __future__ import annotations

from math import erf, inf, nan, sqrt
from typing import Any

from cases import A, Array, Case, V

DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool")
EDGES = (nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5, 100.0, -100.0)

# Functions of floats, and the numbers for which they are judged with their gradients.
FLOATS = {
    "arccos": (-1, 1),
    "arccosh": (1, 4),
    "arcsin": (-1, 1),
    "arcsinh": (-4, 4),
    "arctan": (-4, 4),
    "arctanh": (-1, 1),
    "cbrt": (-4, 4),
    "cos": (-9, 9),
    "cosh": (-4, 4),
    "deg2rad": (-400, 400),
    "erf": (-3, 3),
    "erfc": (-3, 3),
    "erfinv": (-1, 1),
    "exp": (-9, 9),
    "exp2": (-9, 9),
    "expm1": (-3, 3),
    "log": (0, 9),
    "log10": (0, 9),
    "log1p": (-1, 3),
    "log2": (0, 9),
    "rad2deg": (-9, 9),
    "reciprocal": (-3, 3),
    "rsqrt": (0, 9),
    "sin": (-9, 9),
    "sinc": (-3, 3),
    "sinh": (-4, 4),
    "sqrt": (0, 9),
    "tan": (-1.5, 1.5),
    "tanh": (-3, 3),
}
# Functions of numbers of every dtype.
NUMBERS = ("abs", "absolute", "ceil", "fabs", "floor", "negative", "round", "sign", "square")
NUMBERS += ("trunc", "real", "imag", "conj", "conjugate", "nan_to_num")
TESTS = ("isfinite", "isinf", "isnan", "isneginf", "isposinf", "isreal", "logical_not", "signbit")


WHOLE = (V([-3, -1, 0, 1, 2, 7], "int32"), V([0, 1, 2, 7], "uint8"), V([-3, 1, 2, 0], "int64"))
WHOLE += (V([True, False], "bool"),)

# Edges where answers differ on purpose: the reason, and (x, y), or (x, y, dx).
ODD_EDGES: dict[str, tuple[str, list[tuple[float, ...]]]] = {
    "arccosh": (
        "the gradient at -1, which is outside of the domain, is -infinity; with JAX infinity",
        [(-1.0, nan, -inf)],
    ),
    "i0": ("infinity at infinities, where JAX has NaN", [(inf, inf), (-inf, inf)]),
}
NO_BOOLEANS = ("negative", "sign", "round")
FLOATS_ONLY = {"erf": erf, "rsqrt": lambda x: 1 / sqrt(x) if x > 0 else inf if x == 0 else nan}


def unary(op: str, low: float, high: float, grad: bool = True) -> list[Case]:
    """A function of floats on numbers of a range, at the edges, of all dtypes and sizes."""
    chosen = (0,) if grad else ()
    why, odd = ODD_EDGES.get(op, ("", []))
    edges = [x for x in EDGES if x not in [x for x, *_ in odd]]
    columns = list(map(list, zip(*odd)))
    return [
        Case(op, (A(3, 4, low=low, high=high),), grad=chosen),
        Case(op, (A(3, 4, low=low, high=high, dtype="float64"),), grad=chosen),
        *(Case(op, (V(edges, d),), grad=chosen, signs=True) for d in ("float32", "float64")),
        *(
            Case(
                op,
                (V(columns[0], dtype),),
                grad=chosen,
                differs=why,
                differs_expect=V(columns[1], dtype),
                differs_gradients=tuple(V(dx, dtype) for dx in columns[2:]),
            )
            for dtype in ("float32", "float64")
            if odd
        ),
        *(whole(op, x) for x in WHOLE),
        Case(op, (A(low=low, high=high),)),
        Case(op, (A(2, 0, 3),), grad=chosen),
        *(whole(op, number, values=False) for number in (1, True)),
        *(Case(op, (number,), values=False) for number in (0.5, [0.5, 2])),
    ]


def whole(op: str, x: Any, values: bool = True) -> Case:
    """A function of whole numbers or booleans: V(...) or one of Python's."""
    dtype = x.dtype if isinstance(x, Array) else type(x).__name__
    if op in NO_BOOLEANS and dtype == "bool":
        return Case(op, (x,), raises=TypeError)
    if op in FLOATS_ONLY:
        given = x.values if isinstance(x, Array) else x
        expected = [FLOATS_ONLY[op](v) for v in given] if isinstance(given, list) else given
        why = "integers and booleans become floats, as in other functions; with JAX they raise"
        return Case(op, (x,), values=values, differs=why, differs_expect=V(expected))
    return Case(op, (x,), values=values)


ADDITIVE = ("add", "subtract", "multiply", "maximum", "minimum")
DIVISIONS = ("divide", "true_divide", "mod", "floor_divide", "fmod", "divide_no_nan")
FLOAT_PAIRS = ("arctan2", "hypot", "logaddexp", "logaddexp2")
ARITHMETIC = (*ADDITIVE, *DIVISIONS, *FLOAT_PAIRS, "power", "fmax", "fmin", "heaviside")
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "isclose")
LOGIC = ("logical_and", "logical_or", "logical_xor")
BITS = ("bitwise_and", "bitwise_or", "bitwise_xor")
SHIFTS = ("left_shift", "right_shift", "bitwise_left_shift", "bitwise_right_shift")
DIVISORS = ("gcd", "lcm")
FLAT = ("floor_divide", "heaviside")  # no gradient to speak of

PAIR_EDGES = (nan, inf, -inf, 0.0, -0.0, 1.0, -1.0, 2.5, -2.5)
FIRST = [a for a in PAIR_EDGES for _ in PAIR_EDGES]
SECOND = list(PAIR_EDGES) * len(PAIR_EDGES)
NUMBERS_BESIDE = (True, 2, -1, 2.5)

OF_INTEGERS = (*BITS, *SHIFTS, *DIVISORS)
IN_FLOATS = ("divide", "true_divide", "divide_no_nan", "heaviside", "isclose", *FLOAT_PAIRS)
NEGATIVE = "a negative number beside uint8 raises, as it does not fit; with JAX it wraps"


def pairs(op: str) -> list[Case]:
    """The dtypes of the results for all pairs of dtypes, and beside Python's numbers."""
    dtypes = [(a, b) for a in DTYPES for b in DTYPES]
    beside = [(dtype, number) for dtype in DTYPES for number in NUMBERS_BESIDE]
    beside = [two if i % 2 == 0 else two[::-1] for i, two in enumerate(beside)]
    return [pair(op, a, b) for a, b in [*dtypes, *beside]]


def pair(op: str, a: Any, b: Any) -> Case:
    """One of them; a and b are dtypes or numbers."""
    args = tuple(A(3, dtype=x) if isinstance(x, str) else x for x in (a, b))
    kinds = {x if isinstance(x, str) else type(x).__name__ for x in (a, b)}
    floats = any(kind.startswith("float") for kind in kinds)
    if (op in OF_INTEGERS and floats) or (op in (*DIVISORS, "subtract") and kinds == {"bool"}):
        return Case(op, args, values=False, raises=TypeError)
    if (a, b) == ("uint8", -1) and op not in (*IN_FLOATS, *LOGIC):
        return Case(op, args, values=False, differs=NEGATIVE, differs_expect=ValueError)
    return Case(op, args, values=False)


def shapes(op: str, dtype: str = "float32", grad: tuple[int, ...] = ()) -> list[Case]:
    """Operands that are broadcast, and some that cannot be."""
    sizes = [((3, 1), (1, 4)), ((), ()), ((1, 0, 3), (2, 1, 1))]
    if op in ("multiply", "maximum", "power", "divide"):
        sizes += [((4,), (2, 3, 4)), ((2, 3, 4), (3, 1)), ((), (3,)), ((1,), ()), ((1, 1), (1,))]
    return [
        *(
            Case(op, tuple(A(*s, dtype=dtype, low=1, high=5) for s in two), grad=grad)
            for two in sizes
        ),
        Case(op, (A(3, 4, dtype=dtype), A(3, dtype=dtype)), raises=ValueError),
        Case(op, (A(0, dtype=dtype), A(3, dtype=dtype)), raises=ValueError),
    ]


NUMBERS_OF_EDGES = (0.0, -0.0, 1.0, -1.0, 2.5, -2.5)
_BESIDE_INFINITY = [(x, inf) for x in NUMBERS_OF_EDGES]
_BESIDE_INFINITIES = [(x, i) for x in NUMBERS_OF_EDGES for i in (inf, -inf)]
_LOGADDEXP = [
    (
        "the gradient of a number beside infinity is 0; with JAX it is e^x",
        [(x, i, inf, 0, 1) for x, i in _BESIDE_INFINITY]
        + [(i, x, inf, 1, 0) for x, i in _BESIDE_INFINITY],
    )
]
# Pairs of edges where answers differ on purpose: reasons, and (a, b, y), or (a, b, y, da, db).
ODD_PAIRS: dict[str, list[tuple[str, list[tuple[float, ...]]]]] = {
    "floor_divide": [
        (
            "a quotient of 0 has the sign of x1 / x2, as with NumPy",
            [(-0.0, b, -0.0 if b > 0 else 0.0) for b in (inf, -inf, 1, -1, 2.5, -2.5)]
            + [(-1, -inf, 0.0), (-1, -2.5, 0.0), (-2.5, -inf, 0.0)],
        )
    ],
    "mod": [
        (
            "a remainder of 0 has the sign of x2, as with NumPy",
            [(0.0, b, -0.0, 1, 0) for b in (-inf, -1, -2.5)]
            + [(-0.0, b, 0.0, 1, 0) for b in (inf, 1, 2.5)]
            + [(a, -a, -0.0 if a > 0 else 0.0, 1, 1) for a in (1, -1, 2.5, -2.5)],
        ),
        (
            "where the remainder of an infinity is NaN, the gradient of x2 is, too; with JAX it is "
            "infinite",
            [(a, b, nan, 1, nan) for a in (inf, -inf) for b in (1, -1, 2.5, -2.5)],
        ),
    ],
    "hypot": [
        (
            "the gradient of a number beside an infinity is 0; with JAX it is NaN",
            [(x, i, inf, 0, nan) for x, i in _BESIDE_INFINITIES]
            + [(i, x, inf, nan, 0) for x, i in _BESIDE_INFINITIES],
        )
    ],
    "logaddexp": _LOGADDEXP,
    "logaddexp2": _LOGADDEXP,
    "power": [
        (
            "the gradient of x1 in x1^0 is 0 everywhere; with JAX it is NaN at 0 and at NaN",
            [(a, b, 1, 0, 0) for a in (0.0, -0.0) for b in (0.0, -0.0)]
            + [(nan, b, 1, 0, nan) for b in (0.0, -0.0)],
        )
    ],
}


def edges(op: str, grad: tuple[int, ...]) -> list[Case]:
    """A binary function of floats for all pairs of edges."""
    signs = op != "logaddexp2"  # of which some are those of a rounding error
    odd = ODD_PAIRS.get(op, [])
    # As text, in which NaN equals itself and 0 is not -0.
    known = {str((float(a), float(b))) for _, rows in odd for a, b, *_ in rows}
    even = [two for two in zip(FIRST, SECOND) if str(two) not in known]
    cases = [Case(op, tuple(map(V, map(list, zip(*even)))), grad=grad, signs=signs)]
    for why, rows in odd:
        a, b, y, *gradients = (V(list(column)) for column in zip(*rows))
        expected = {"differs_expect": y, "differs_gradients": tuple(gradients)}
        cases.append(Case(op, (a, b), grad=grad, signs=signs, differs=why, **expected))
    return cases


OF_BOOLEANS = {
    "subtract": {"raises": TypeError},
    "floor_divide": {
        "differs": "integers divided by 0 give 0; with JAX -1 or -2",
        "differs_expect": V([0, 0, 0, 1], "int32"),
    },
    "fmod": {
        "differs": "the remainder of integers divided by 0 is 0; with JAX it is x1",
        "differs_expect": V([0, 0, 0, 0], "int32"),
    },
}


def arithmetic(op: str) -> list[Case]:
    """A binary function of numbers."""
    grad = () if op in FLAT else (0, 1)
    return [
        *pairs(op),
        *shapes(op, grad=grad),
        Case(op, (A(5, 7), A(5, 7)), grad=grad),
        Case(op, (A(5, 7, dtype="float64"), A(5, 7, dtype="float64")), grad=grad),
        *edges(op, grad),
        Case(op, (A(6), 2.0), grad=grad[:1]),
        Case(op, (2, A(6)), grad=grad[1:] and (1,)),
        *(
            Case(op, (V([7, 0, 3, 1], dtype), V([2, 1, 3, 5], dtype)))
            for dtype in ("int32", "int64", "uint8")
        ),
        Case(op, (V([0, 0, 1, 1], "bool"), V([0, 1, 0, 1], "bool")), **OF_BOOLEANS.get(op, {})),
    ]


SIGNED = (
    V([7, -7, 7, -7, 6, -6, 0, 2**31 - 1, -(2**31), 5], "int32"),
    V([2, 2, -2, -2, 3, -3, 5, -1, 7, -(2**31)], "int32"),
)
TIES = (V([1, 2, 3, 0.0, -0.0, nan, 1]), V([1, 3, 2, -0.0, 0.0, 1, nan]))

CASES = [
    *(case for op, (low, high) in FLOATS.items() for case in unary(op, low, high)),
    *(case for op in NUMBERS for case in unary(op, -3, 3)),
    *(case for op in TESTS for case in unary(op, -3, 3, grad=False)),
    *(case for op in ("angle",) for case in unary(op, -3, 3)),
    *(case for op in ("i0",) for case in unary(op, -3, 3, grad=False)),
    *(case for op in ARITHMETIC for case in arithmetic(op)),
    *(case for op in COMPARISONS for case in [*pairs(op), *shapes(op)]),
    *(Case(op, (V(FIRST), V(SECOND))) for op in (*COMPARISONS, *LOGIC)),
    *(case for op in LOGIC for case in [*pairs(op), *shapes(op)]),
    *(case for op in (*BITS, *DIVISORS) for case in [*pairs(op), *shapes(op, "int32")]),
    *(case for op in SHIFTS for case in [*pairs(op), *shapes(op, "int32")]),
    # Whole numbers: signs, the ends of the range, and all of 8 bits.
    *(Case(op, SIGNED) for op in (*ADDITIVE, "floor_divide", "mod", "fmod", "divide", *BITS)),
    *(Case(op, SIGNED) for op in (*COMPARISONS, "fmax", "fmin")),
    *(
        Case(op, (V([12, -12, 0, 0, 7, 2**31 - 1], dtype), V([18, 8, 5, 0, -7, 3], dtype)))
        for op in DIVISORS  # JAX does not come to an end for -2^31
        for dtype in ("int32", "int64")
    ),
    *(
        Case(op, (V([200, 255, 0, 7], "uint8"), V([100, 255, 1, 9], "uint8")))
        for op in (*ADDITIVE, *DIVISIONS, *BITS, *COMPARISONS, "gcd", "lcm", "power")
    ),
    *(
        Case(op, (V([200, -(2**62), 2**62 + 1, 7], "int64"), V([100, 3, 2**62, 9], "int64")))
        for op in (*ADDITIVE, "floor_divide", "mod", *BITS, *COMPARISONS)
    ),
    *(
        Case(op, (V([1, -1, 5, -(2**31), 3], "int32"), V([0, 1, 31, 3, 4], "int32")))
        for op in SHIFTS
    ),
    *(Case(op, (V([1, 3, 255, 128], "uint8"), V([7, 1, 4, 0], "uint8"))) for op in SHIFTS),
    *(Case(op, (V([0, 0, 1, 1], "bool"), V([0, 1, 0, 1], "bool"))) for op in (*BITS, *LOGIC)),
    *(
        Case(op, (V(values, dtype),))
        for op in ("bitwise_not", "bitwise_invert")
        for values, dtype in [
            ([0, -1, 2**31 - 1, 5], "int32"),
            ([0, -1, 2**62], "int64"),
            ([0, 7, 255], "uint8"),
            ([True, False], "bool"),
        ]
    ),
    Case("bitwise_not", (A(3),), raises=TypeError),
    Case("bitwise_and", (A(3), A(3, dtype="int32")), raises=TypeError),
    Case("left_shift", (A(3, dtype="int32"), 1.5), raises=TypeError),
    Case("gcd", (A(3), A(3)), raises=TypeError),
    # Kinks.
    *(Case(op, TIES, grad=(0, 1), signs=True) for op in ("maximum", "minimum", "fmax", "fmin")),
    *(Case(op, (V([-1, 0, 1]), 0.0), grad=(0,)) for op in ("maximum", "minimum", "fmax", "fmin")),
    Case("abs", (V([-1, 0.0, -0.0, 1]),), grad=(0,)),
    Case("sqrt", (V([0, 1, 4]),), grad=(0,)),
    Case("power", (V([0, 0, 2, -2, -2, 1, 0]), V([1, 2, 0, 3, 0.5, nan, -1])), grad=(0, 1)),
    Case("power", (V([0, 0.0, 2, -1]), 2), grad=(0,)),
    Case("power", (V([0.0, 2, -1]), 0), grad=(0,)),
    Case("power", (V([0.0, 2, -1]), 0.5), grad=(0,)),
    Case("power", (V([2, -2, 0, 5], "int32"), V([3, 3, 0, 1], "int32"))),
    Case("power", (2.0, V([0, 1, -1])), grad=(1,)),
    Case("power", (0, V([0.0, 1, 2])), grad=(1,)),
    Case("power", (V([3, 2], "int32"), 2)),
    Case("power", (V([3, 2], "uint8"), V([7, 9], "uint8"))),
    Case("divide_no_nan", (V([1, 0, -1, inf]), V([0, 0, 2, 0.0])), grad=(0, 1)),
    Case("hypot", (V([0, 3]), V([0, -4])), grad=(0, 1)),
    Case(
        "hypot",
        (V([3e30]), V([4e30])),
        grad=(0, 1),
        differs="the gradient of x2 is x2 / y for large numbers, too; with JAX another",
        differs_expect=V([5e30]),
        differs_gradients=(V([0.6]), V([0.8])),
    ),
    Case("logaddexp", (V([1000, -1000, 0]), V([999, -1000, 0])), grad=(0, 1)),
    Case("arctan2", (V([0, 0, -0.0, 1]), V([1, -1, -1, 0])), grad=(0, 1)),
    Case("sinc", (V([0, 1e-5, 1, -0.5]),), grad=(0,)),
    # Arguments beside x.
    *(
        Case("clip", (A(4, 5), low, high), grad=(0,))
        for low, high in [(-1, 1), (-0.5, 0.5), (1, -1)]
    ),
    Case("clip", (V([-2, -1, 0, 1, 2, nan, inf, -inf]), -1.0, 1.0), grad=(0,)),
    Case("clip", (A(4, 5), A(5, low=-1, high=0), A(4, 1, low=0, high=1)), grad=(0, 1, 2)),
    *(Case("clip", (V([-5, 0, 5, 9], dtype), -1, 6)) for dtype in ("int32", "int64", "float64")),
    Case("clip", (V([0, 5, 9], "uint8"), 2, 6)),
    Case("clip", (V([0, 5, 9], "int32"), 0.5, 6.5)),
    Case("clip", (V([True, False], "bool"), 0, 1)),
    Case("clip", (A(4, 5), None, 0.5), grad=(0,)),
    Case("clip", (A(4, 5), -0.5, None), grad=(0,)),
    Case("clip", (A(4, 5), A(3), 1), raises=ValueError),
    *(
        Case("round", (A(4, 5, dtype=dtype, low=-50, high=50), decimals), grad=(0,))
        for dtype in ("float32", "float64")
        for decimals in (0, 1, -1)
    ),
    Case("round", (V([0.5, 1.5, 2.5, -0.5, -1.5]),), signs=True),
    Case("round", (V([14, 15, 25, -15, -26], "int32"), -1)),
    Case("round", (V([14, 15], "int32"), 1)),
    *(
        Case("nan_to_num", (V([nan, inf, -inf, 1]),), kwargs, grad=(0,))
        for kwargs in ({"nan": 7.0}, {"posinf": 8.0}, {"neginf": -8.0}, {"nan": 1, "posinf": 2})
    ),
    Case("isclose", (V([1, 1.1, nan, inf]), V([1, 1, nan, inf])), {"rtol": 0.2}),
    Case("isclose", (V([1, 1.1, nan, inf]), V([1, 1, nan, inf])), {"atol": 0.2, "rtol": 0.0}),
    Case("isclose", (V([1, 1.1, nan, inf]), V([1, 1, nan, -inf])), {"equal_nan": True}),
    Case("allclose", (V([1, 2.0]), V([1, 2.00001]))),
    Case("allclose", (V([1, 2.0]), V([1, 2.1]))),
    Case("allclose", (V([1, 2.0]), V([1, 2.1])), {"atol": 0.2}),
    Case("allclose", (V([1, nan]), V([1, nan])), {"equal_nan": True}),
    Case("allclose", (V([1, nan]), V([1, nan]))),
    Case("allclose", (V([1, 2], "int32"), 1)),
    Case("ldexp", (A(4), V([0, 1, -3, 10], "int32")), grad=(0,)),
    Case("ldexp", (A(2, 1), V([1, 2, 3], "int32")), grad=(0,)),
    Case("ldexp", (A(3, dtype="float64"), V([1, 2, 3], "int64")), grad=(0,)),
    Case("ldexp", (V([1, 2, 3], "int32"), V([1, 2, 3], "int32"))),
    Case("ldexp", (A(3), V([1, 2, 3], "uint8"))),
    Case("ldexp", (A(3), A(3)), raises=TypeError),
    # where
    *(
        Case("where", (A(3, dtype="bool"), A(3, dtype=a), A(3, dtype=b)), values=False)
        for a in DTYPES
        for b in DTYPES
    ),
    *(
        Case("where", (A(3, dtype="bool"), A(3, dtype=a), b), values=False)
        for a in DTYPES
        for b in NUMBERS_BESIDE
        if (a, b) != ("uint8", -1)
    ),
    Case(
        "where",
        (A(3, dtype="bool"), A(3, dtype="uint8"), -1),
        differs=NEGATIVE,
        differs_expect=ValueError,
    ),
    Case("where", (A(3, 4, dtype="bool"), A(3, 4), A(3, 4)), grad=(1, 2)),
    Case("where", (A(3, 1, dtype="bool"), A(4), A(2, 1, 1)), grad=(1, 2)),
    Case("where", (A(4, dtype="bool"), A(4), 0.0), grad=(1,)),
    Case("where", (V([0, 2, -1], "int32"), A(3), A(3)), grad=(1, 2)),
    Case("where", (V([0, nan, -0.0, 1]), A(4), A(4)), grad=(1, 2)),
    Case("where", (True, A(3), A(3)), grad=(1, 2)),
    Case("where", (A(3, dtype="bool"), 1, 2)),
    Case("where", (A(3, dtype="bool"), 1.0, 2)),
    Case("where", (A(3, dtype="bool"), A(4), 0.0), raises=ValueError),
    Case("where", (A(3, dtype="bool"), A(3)), raises=ValueError),
    Case("where", (V([[1, 0], [0, 1]], "bool"),), graph=False),
    Case("where", (V([1, 0, 2]),), graph=False),
]
