"""Judged calls of sums, products, extrema, quantiles and running sums over axes."""

import numpy as np
from cases import A, Case, V

NAN, INF = float("nan"), float("inf")
UINT32 = "the result is int32: there is no uint32"
AXES = (None, 0, -1, (0, 2), (1, -1))
LISTED = "axes may be a list, as elsewhere; with JAX that raises"
X = A(2, 3, 4)


def over_axes(name, x=X, grad=(0,), **kwargs):
    """An op over all kinds of axes, kept or not."""
    listed = {"axis": [0, 1, 2], **kwargs}
    expected = V(getattr(np, name)(x.make(1))) if name.startswith("nan") else None
    return [
        *(Case(name, (x,), {"axis": axis, **kwargs}, grad=grad) for axis in AXES),
        Case(name, (x,), listed, grad=grad)
        if expected is None
        else Case(name, (x,), listed, differs=LISTED, differs_expect=expected),
        Case(name, (x,), {"axis": (0, 2), "keepdims": True, **kwargs}, grad=grad),
        Case(name, (x,), {"keepdims": True, **kwargs}, grad=grad),
        Case(name, (x,), {"axis": 3, **kwargs}, raises=ValueError),
        Case(name, (x,), {"axis": (0, 0), **kwargs}, raises=ValueError),
    ]


def of_dtypes(name, dtypes, **kwargs):
    return [Case(name, (A(3, 4, dtype=d, low=-9, high=9),), kwargs) for d in dtypes]


NUMBERS = ("float64", "int32", "int64")


SPECIALS = [
    V([[1, NAN, 3], [INF, 2, -INF], [0, -INF, 5], [INF, INF, 1]]),
    V([[NAN, NAN], [NAN, 1], [-0.0, 0.0]]),
    A(1),
    V(3.5),
    V([]),
    A(0, 3),
]


def of_specials(name, arrays=SPECIALS, **kwargs):
    return [Case(name, (x,), kwargs) for x in arrays]


def rows_of_specials(name, arrays=SPECIALS[:2], **kwargs):
    return [Case(name, (x,), {"axis": -1, **kwargs}, grad=(0,)) for x in arrays]


SUMS = [
    *over_axes("sum"),
    *of_dtypes("sum", (*NUMBERS, "bool"), axis=0),
    *of_specials("sum"),
    *rows_of_specials("sum"),
    Case("sum", ([1.5, 2.5],)),
    Case("sum", (V([2**31 - 1, 1], "int32"),)),
    Case("sum", (V([200, 100], "uint8"),), differs=UINT32, differs_expect=V(300, "int32")),
    *over_axes("prod"),
    Case("prod", (V([[0, 2, 3], [0, 0, 5], [1, 2, 4]]),), {"axis": 1}, grad=(0,)),
    *of_dtypes("prod", (*NUMBERS, "bool")),
    *of_specials("prod"),
    Case("prod", (A(4, dtype="int32", low=1, high=4),), {"dtype": "float32"}),
    Case("prod", (A(4, low=1, high=9),), {"dtype": "int32"}),
    Case("prod", (V([200, 2], "uint8"),), differs=UINT32, differs_expect=V(400, "int32")),
    *over_axes("mean"),
    *of_dtypes("mean", (*NUMBERS, "uint8", "bool")),
    Case("mean", (V([1, 2**-40], "float64"),)),
    *of_specials("mean"),
    Case("mean", (A(0, 3),), {"axis": 0}, grad=(0,)),
    *over_axes("var"),
    *of_dtypes("var", (*NUMBERS, "uint8", "bool")),
    *of_specials("var"),
    Case("var", (A(0, 3),), {"axis": 0}),
    *over_axes("std"),
    *of_dtypes("std", (*NUMBERS, "uint8", "bool")),
    *of_specials("std"),
    Case("std", (V([[1, 1, 1], [1, 2, 4]]),), {"axis": 1}, grad=(0,)),
    *of_dtypes("count_nonzero", ("float32", *NUMBERS, "uint8", "bool"), axis=1),
    *of_specials("count_nonzero"),
    Case("count_nonzero", (X,), {"axis": (0, 2)}),
    Case("count_nonzero", (V([[0, -0.0, NAN], [1, 0, 2]]),), {"axis": 0}),
    *over_axes("logsumexp"),
    *of_dtypes("logsumexp", (*NUMBERS, "bool")),
    *of_specials("logsumexp"),
    *rows_of_specials("logsumexp"),
    Case("logsumexp", (V([[1e30, 1e30], [-1e30, 3], [1000, 1001]]),), {"axis": 1}, grad=(0,)),
    Case("logsumexp", (V([[-INF, -INF], [-INF, 3]]),), {"axis": 1}, grad=(0,)),
    Case("average", (X,), grad=(0,)),
    Case("average", (X,), {"axis": 1}, grad=(0,)),
    Case("average", (X,), {"axis": (0, -1)}, grad=(0,)),
    Case("average", (X, 1, A(3, low=1)), grad=(0, 2)),
    Case("average", (X,), {"axis": -1, "weights": A(4, low=1)}, grad=(0, "weights")),
    Case("average", (X,), {"axis": (2, 0), "weights": A(4, 2, low=1)}, grad=(0, "weights")),
    Case("average", (X,), {"weights": A(2, 3, 4, low=1)}, grad=(0, "weights")),
    Case("average", (X,), {"axis": 0, "weights": A(2, 3, 4, low=1)}, grad=(0,)),
    Case("average", (X,), {"weights": A(4)}, raises=ValueError),
    Case("average", (X,), {"axis": 1, "weights": A(4)}, raises=ValueError),
    Case(
        "average", (A(3, dtype="int32", high=9),), {"weights": A(3, dtype="int64", low=1, high=4)}
    ),
    Case("average", (V([1, 2]),), {"weights": V([0, 0])}),
    Case("average", (V([1, 2]),), {"weights": V([1, -1])}),
    *of_dtypes("average", (*NUMBERS, "uint8", "bool")),
]


def extremum(name, plain=True):
    ties = V([[1, 3, 3, 2], [-5, -5, -5, -5], [0.0, -0.0, 0, 1]])
    cases = [
        *over_axes(name),
        *of_dtypes(name, (*NUMBERS, "uint8", "bool"), axis=0),
        *of_specials(name, SPECIALS[:4]),
        Case(name, (ties,), {"axis": 1}, grad=(0,)),
        Case(name, (ties,), {"axis": 0}, grad=(0,)),
        Case(name, (V([]),), raises=ValueError),
        Case(name, (A(3, 0),), {"axis": 1}, raises=ValueError),
        Case(name, (A(0, 3),), {"axis": 1}),
    ]
    if plain:
        cases += [
            Case(name, (ties,), {"axis": 1, "initial": 3}, grad=(0,)),
            Case(name, (ties,), {"axis": 1, "initial": -5.0, "keepdims": True}, grad=(0,)),
            Case(name, (A(3, dtype="int32", high=9),), {"initial": 4}),
            Case(name, (A(3, dtype="float64"),), {"initial": 0.1}),
            Case(name, (A(0, 3),), {"axis": 0, "initial": 1}),
            Case(name, (A(2, 0, dtype="int32"),), {"axis": 1, "initial": 7, "keepdims": True}),
            Case(name, (V([]),), {"initial": -INF}),
        ]
    return cases


EXTREMA = [
    *extremum("max"),
    *extremum("min"),
    *extremum("amax", False),
    *extremum("amin", False),
    *over_axes("ptp"),
    *of_dtypes("ptp", (*NUMBERS, "uint8")),
    Case("ptp", (V([[1, 2, 3], [4, 4, 4]]),), {"axis": 1}, grad=(0,)),
    Case(
        "ptp",
        (V([[1, NAN, 3]]),),
        {"axis": 1},
        grad=(0,),
        differs="where one is NaN the gradient is NaN, too, as for max; compiled by JAX it is 0",
        differs_expect=V([NAN]),
        differs_gradients=(V([[NAN, NAN, NAN]]),),
    ),
    Case("ptp", (A(3, dtype="bool"),), raises=TypeError),
    Case("ptp", (V([]),), raises=ValueError),
    *over_axes("any", A(2, 3, 4, dtype="bool"), ()),
    *over_axes("all", A(2, 3, 4, dtype="bool"), ()),
    *of_dtypes("any", ("float32", *NUMBERS, "uint8"), axis=0),
    *of_dtypes("all", ("float32", *NUMBERS, "uint8"), axis=0),
    *of_specials("any"),
    *of_specials("all"),
]

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def quantile(name, whole):
    x = A(5, 6)
    some = V([0, 1, 0.5, 0.3, 0.75]) if whole == 1 else V([0, 50, 30, 75])
    return [
        *(Case(name, (x, some, 1, m), grad=(0, 1)) for m in METHODS),
        *(Case(name, (X, 0.6 * whole, a), grad=(0,)) for a in AXES),
        Case(name, (x, V([0.1 * whole, 0.9 * whole]), (0, 1), "linear", True), grad=(0, 1)),
        Case(name, (x, V([0.5 * whole])), {"keepdims": True}),
        Case(name, (x, [0.25 * whole, 0.5 * whole]), {"axis": 0}),
        Case(name, (V([[1, 1, 2, 2], [3, 3, 3, 3]]), 0.5 * whole), {"axis": 1}, grad=(0,)),
        Case(name, (x, 0.5), {"method": "cubic"}, raises=ValueError),
        Case(name, (x, A(2, 2)), raises=ValueError),
        Case(name, (x, 0.5), {"axis": 2}, raises=ValueError),
        Case(name, (A(0, 3), 0.5), {"axis": 0}, raises=ValueError),
        Case(name, (V([[1, NAN, 3], [INF, 2, -INF], [4, 1, 9]]), 0.5 * whole), {"axis": 1}),
        Case(name, (A(7, dtype="int32", high=99), 0.5 * whole)),
        Case(name, (A(7, dtype="uint8", high=99), 0.3 * whole)),
        Case(name, (A(7, dtype="float64"), V([0.3 * whole], "float64"))),
    ]


def median(name):
    return [
        *over_axes(name),
        Case(name, (A(5),), grad=(0,)),
        Case(name, (A(6),), grad=(0,)),
        Case(name, (V([[1, 1, 2, 2], [3, 3, 3, 1]]),), {"axis": 1}, grad=(0,)),
        Case(name, (V([[1, NAN, 3], [INF, 2, -INF], [4, 1, 9]]),), {"axis": 1}, grad=(0,)),
        Case(name, (V([]),), raises=ValueError),
        Case(name, (A(6, dtype="int32", high=99),)),
        Case(name, (A(6, dtype="uint8", high=99),)),
        Case(name, (A(6, dtype="float64"),)),
    ]


HOLES = V([[1, NAN, 3, 2], [NAN, NAN, NAN, NAN], [5, INF, NAN, -1], [2, 2, 7, NAN]])

TO_SIX = V([[1, 2, 3, 4, 5, 6]])

QUANTILES = [
    *quantile("quantile", 1),
    *quantile("percentile", 100),
    *quantile("nanquantile", 1),
    *quantile("nanpercentile", 100),
    *(Case("percentile", (TO_SIX, V([100]), 1, m)) for m in ("linear", "higher", "nearest")),
    *(
        Case(
            "percentile",
            (TO_SIX, V([100]), 1, m),
            differs="percentile 100 is the largest value; JAX's rounding ends one below",
            differs_expect=V([[6]]),
        )
        for m in ("lower", "midpoint")
    ),
    *(Case("nanquantile", (HOLES, 0.4, 1, m), grad=(0,)) for m in METHODS),
    *(Case("nanquantile", (HOLES, V([0.3, 0.8]), 0, m), grad=(0,)) for m in METHODS),
    Case("nanquantile", (HOLES, V([0.3, 0.8])), {"keepdims": True}),
    Case("nanpercentile", (HOLES, V([30, 80])), {"axis": 1}, grad=(0,)),
    *median("median"),
    *median("nanmedian"),
    Case("nanmedian", (HOLES,), {"axis": 0}, grad=(0,)),
    Case("nanmedian", (HOLES,), {"axis": 1, "keepdims": True}),
    Case("nanmedian", (HOLES,)),
]


def with_holes(name, dtypes=("float64", "int32", "int64", "uint8", "bool")):
    return [
        *over_axes(name),
        Case(name, (HOLES,), {"axis": 1}, grad=(0,)),
        Case(name, (HOLES,), {"axis": 0, "keepdims": True}, grad=(0,)),
        Case(name, (HOLES,)),
        *of_dtypes(name, dtypes, axis=0),
    ]


NAN_REDUCTIONS = [
    *with_holes("nansum", ("float64", "int32", "int64", "bool")),
    Case("nansum", (V([200, 100], "uint8"),), differs=UINT32, differs_expect=V(300, "int32")),
    *with_holes("nanprod", ("float64", "int32", "int64", "bool")),
    Case("nanprod", (V([200, 2], "uint8"),), differs=UINT32, differs_expect=V(400, "int32")),
    *with_holes("nanmax"),
    *with_holes("nanmin"),
    Case("nanmax", (V([]),), raises=ValueError),
    Case("nanmin", (A(2, 0),), {"axis": 1}, raises=ValueError),
    Case("nanmax", (V([[-INF, NAN], [-INF, -INF]]),), {"axis": 1}),
    *with_holes("nanmean"),
    *with_holes("nanvar"),
    *with_holes("nanstd"),
    *of_specials("nanmean", SPECIALS[3:]),
    *of_specials("nanvar", SPECIALS[3:]),
]


def scan(name):
    zeros = V([[2, 0, 3, 4], [1, 2, 0, 0], [3, 2, 1, 5]])
    return [
        Case(name, (X,), grad=(0,)),
        *(Case(name, (X,), {"axis": axis}, grad=(0,)) for axis in (0, 1, -1)),
        Case(name, (zeros,), {"axis": 1}, grad=(0,)),
        Case(name, (V([[1, NAN, 3], [INF, 2, -INF]]),), {"axis": 1}),
        Case(name, (X,), {"axis": 3}, raises=ValueError),
        *of_dtypes(name, (*NUMBERS, "bool"), axis=0),
        Case(name, (A(4, dtype="uint8", high=200),)),
        Case(name, (A(4, dtype="int32", high=3),), {"dtype": "float32"}),
        Case(name, (A(4, low=1, high=9),), {"dtype": "int32", "axis": 0}),
        Case(name, (A(0, 3),), {"axis": 0}),
        Case(name, (A(2, 0),)),
        Case(name, (V(2.5),)),
    ]


SCANS = [
    *scan("cumsum"),
    *scan("cumprod"),
    *scan("nancumsum"),
    *scan("nancumprod"),
    Case("nancumsum", (HOLES,), {"axis": 1}, grad=(0,)),
    Case("nancumprod", (HOLES,), {"axis": 0}, grad=(0,)),
    Case("nancumsum", (HOLES,)),
    Case("diff", (X,), grad=(0,)),
    *(Case("diff", (X, n, axis), grad=(0,)) for n, axis in ((1, 0), (2, 1), (3, -1))),
    Case("diff", (X, 0)),
    Case("diff", (A(3), 5)),
    Case("diff", (V([]),)),
    Case("diff", (X, -1), raises=ValueError),
    Case("diff", (X,), {"axis": 3}, raises=ValueError),
    *of_dtypes("diff", (*NUMBERS, "uint8", "bool")),
    Case("trapezoid", (X,), grad=(0,)),
    Case("trapezoid", (X,), {"dx": 0.5, "axis": 0}, grad=(0,)),
    Case("trapezoid", (X,), {"x": A(3), "axis": 1}, grad=(0,)),
    Case("trapezoid", (X, A(4)), grad=(0, 1)),
    Case("trapezoid", (X, A(2, 3, 4)), {"axis": 0}, grad=(0, 1)),
    Case("trapezoid", (A(4, dtype="int32", high=9),), {"dx": 2}),
    Case("trapezoid", (A(4, dtype="float64"),), {"x": A(4, dtype="float64")}),
    Case("trapezoid", (X,), {"axis": 3}, raises=ValueError),
]

SINGULAR = "no norms by singular values"
ORDERS = (None, 0, 1, 2, 3, 0.5, -1, -2, INF, -INF)
NORMS = [
    Case("norm", (X,), grad=(0,)),
    Case("norm", (X,), {"keepdims": True}, grad=(0,)),
    *(Case("norm", (X,), {"ord": o, "axis": 1}, grad=() if o == 0 else (0,)) for o in ORDERS),
    *(Case("norm", (A(5),), {"ord": o, "keepdims": True}) for o in ORDERS),
    *(
        Case("norm", (X,), {"ord": o, "axis": axes, "keepdims": keepdims}, grad=(0,))
        for o in (None, "fro", 1, -1, INF, -INF)
        for axes in ((0, 1), (-1, 0))
        for keepdims in (False, True)
    ),
    Case("norm", (A(3, 4), "fro"), grad=(0,)),
    Case("norm", (X,), {"ord": 2}, raises=ValueError),
    Case("norm", (A(3), "fro"), raises=ValueError),
    Case("norm", (A(3, 4), 3), raises=ValueError),
    Case("norm", (X,), {"axis": 3}, raises=ValueError),
    *(
        Case("norm", (A(3, 4), o), differs=SINGULAR, differs_expect=ValueError)
        for o in (2, -2, "nuc")
    ),
    *of_dtypes("norm", (*NUMBERS, "uint8", "bool")),
    Case("norm", (V([0, 0]),), grad=(0,)),
    Case("norm", (V([[0, 0], [0, 3]]),), {"axis": 1, "ord": 1}, grad=(0,)),
    Case("norm", (V([NAN, 1]),), {"ord": INF}),
]

CASES = [*SUMS, *EXTREMA, *QUANTILES, *NAN_REDUCTIONS, *SCANS, *NORMS]
