"""Functions of one to three arrays against the oracle: every name, dtype and instruction set.

Denormals are left out but for the tests that name them: a run flushes them to zero.
"""

import warnings

import numpy as np
import pytest

from dlnative import _core, reference

pytestmark = pytest.mark.native

FLOATS = ("float32", "float64")
INTEGERS = ("int32", "int64", "uint8")
ALL = (*FLOATS, *INTEGERS, "bool")

# Sizes around the lanes of all vectors, within one row of values.
SIZES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 256)
COUNT = 257

EXACT = 0.0
# Units of the last place in float32, where the values lie, in float64.
UNARY_FLOAT = {
    "negative": (EXACT, None),
    "abs": (EXACT, None),
    "sign": (EXACT, None),
    "square": (EXACT, None),
    "sqrt": (EXACT, None),
    "rsqrt": (1.6, None),
    "exp": (1.1, (-100, 100)),
    "expm1": (2.3, (-40, 90)),
    "exp2": (1.1, (-130, 130)),
    "log": (0.9, (0, 50)),
    "log1p": (1.5, (-1, 50)),
    "log2": (0.9, (0, 50)),
    "log10": (0.9, (0, 50)),
    "sin": (0.9, (-3e6, 3e6)),
    "cos": (0.9, (-3e6, 3e6)),
    "tan": (2.5, (-100, 100)),
    "arcsin": (2.0, (-1, 1)),
    "arccos": (2.0, (-1, 1)),
    "arctan": (2.0, (-50, 50)),
    "sinh": (3.0, (-90, 90)),
    "cosh": (3.0, (-90, 90)),
    "arcsinh": (3.0, (-50, 50)),
    "arccosh": (3.0, (1, 50)),
    "arctanh": (3.0, (-1, 1)),
    "erf": (1.4, (-5, 5)),
    "erfc": (6.0, (-5, 9)),
    "erfinv": (4.0, (-1, 1)),
    "lgamma": (4.0, (3, 200)),
    "digamma": (4.0, (2, 200)),
    "i0": (6.0, (-80, 80)),
    "cbrt": (2.0, (-50, 50)),
    "floor": (EXACT, (-9, 9)),
    "ceil": (EXACT, (-9, 9)),
    "round": (EXACT, (-9, 9)),
    "trunc": (EXACT, (-9, 9)),
    "isnan": (EXACT, None),
    "isinf": (EXACT, None),
    "isfinite": (EXACT, None),
    "signbit": (EXACT, None),
}
BINARY_FLOAT = {
    "add": EXACT,
    "subtract": EXACT,
    "multiply": EXACT,
    "divide": EXACT,
    "maximum": EXACT,
    "minimum": EXACT,
    "power": 1.0,
    "floor_divide": EXACT,
    "mod": EXACT,
    "fmod": EXACT,
    "arctan2": 2.0,
    "hypot": 2.0,
    "logaddexp": 4.0,
}
UNARY_INTEGER = ("negative", "abs", "sign", "square", "bitwise_not")
BINARY_INTEGER = (
    *("add", "subtract", "multiply", "maximum", "minimum", "power", "floor_divide", "mod", "fmod"),
    *("bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm"),
)
BINARY_BOOL = (
    *("add", "multiply", "maximum", "minimum", "bitwise_and", "bitwise_or", "bitwise_xor"),
    *("logical_and", "logical_or", "logical_xor"),
)
COMPARISONS = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")

UNARY = [
    *((name, dtype) for name in UNARY_FLOAT for dtype in FLOATS),
    *((name, dtype) for name in UNARY_INTEGER for dtype in INTEGERS),
    ("bitwise_not", "bool"),
    ("logical_not", "bool"),
]
BINARY = [
    *((name, dtype) for name in BINARY_FLOAT for dtype in FLOATS),
    *((name, dtype) for name in BINARY_INTEGER for dtype in INTEGERS),
    *((name, "bool") for name in BINARY_BOOL),
    *((name, dtype) for name in COMPARISONS for dtype in ALL),
]


def of_oracle(name, *inputs, **attributes):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        return getattr(reference, name)(*inputs, **attributes)


def execute(name, *inputs, like, **attributes):
    y = np.empty(like.shape, like.dtype)
    _core.execute(name, list(inputs), [y], attributes)
    return y


def special(dtype):
    """Values at which functions change their formula or their answer."""
    if dtype == "bool":
        return np.array([False, True])
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        around = [0, 1, 2, 3, 5, 7, 8, 9, 12, 31, 32, 33, 63, 64, 65, info.max - 1, info.max]
        below = [-1, -2, -3, -7, -12, -33, info.min, info.min + 1] if info.min < 0 else []
        return np.array(around + below, dtype)
    info = np.finfo(dtype)
    positive = [0.0, 1.0, 0.5, 1.5, 2.5, 2.0, 3.0, 8.0, 1e-3, 0.1, 1e6, 1e9, 1e30, np.pi, 1e-6]
    values = [*positive, info.max, info.tiny * 2, info.eps, 2.0**-30, np.inf]
    return np.array([*values, *(-v for v in values), np.nan], dtype)


def drawn(rng, dtype, count=COUNT, domain=None):
    """Random values of a domain, with special ones among them."""
    if dtype == "bool":
        return rng.random(count) < 0.5
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        values = rng.integers(info.min, info.max, count, dtype, endpoint=True)
        small = rng.integers(0 if info.min == 0 else -9, 9, count, dtype, endpoint=True)
        values = np.where(rng.random(count) < 0.5, values, small)
    else:
        low, high = domain or (-50, 50)
        values = rng.uniform(low, high, count).astype(dtype)
    some = rng.random(count) < 0.1
    return np.where(some, rng.choice(special(dtype), count), values).astype(dtype)


def check(name, got, inputs, bound):
    """`got` against the oracle: equal, or within `bound` units of the last place."""
    if bound == EXACT or got.dtype.kind != "f":
        expected = of_oracle(name, *inputs)
        np.testing.assert_array_equal(got, flushed(expected), strict=True, err_msg=name)
        return
    inputs = [x.astype("float64") for x in inputs]
    exact = of_oracle(name, *inputs)
    if got.dtype == np.float64:
        bound += 4  # the oracle's own
    info = np.finfo(got.dtype)
    with np.errstate(over="ignore"):
        rounded = exact.astype(got.dtype)
    plain = np.isfinite(rounded) & (np.abs(exact) >= 2 * info.tiny)
    tiny = np.isfinite(rounded) & ~plain
    unusual = ~np.isfinite(rounded)
    np.testing.assert_array_equal(got[unusual], rounded[unusual], err_msg=name)
    assert (np.abs(got[tiny]) <= 2 * info.tiny).all(), name
    size = np.abs(exact)
    if name in ("lgamma", "digamma"):  # which have roots that no number hits
        size = np.maximum(size, 1)
    if name == "logaddexp":  # where it is near 0 its terms cancel
        size = np.maximum(size, np.maximum(*np.abs(inputs)))
    unit = np.ldexp(1.0, np.frexp(size[plain])[1] - info.nmant - 1)
    errors = np.abs(got[plain].astype("float64") - exact[plain]) / unit
    worst = errors.argmax() if errors.size else 0
    assert errors.max(initial=0) <= bound, (
        name,
        [x[plain][worst] for x in np.broadcast_arrays(*inputs)],
        got[plain][worst],
        exact[plain][worst],
    )


def flushed(x):
    """Without denormals."""
    if x.dtype.kind != "f":
        return x
    return np.where(np.abs(x) < np.finfo(x.dtype).tiny, np.copysign(x.dtype.type(0), x), x)


def same_bits(a, b):
    assert a.dtype == b.dtype and a.shape == b.shape
    if a.dtype.kind == "f":  # the bits of a NaN do not matter
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
        a, b = np.nan_to_num(a, nan=1.0), np.nan_to_num(b, nan=1.0)
        np.testing.assert_array_equal(np.signbit(a), np.signbit(b))
    np.testing.assert_array_equal(a, b)


def bound_of(name):
    return UNARY_FLOAT[name][0] if name in UNARY_FLOAT else BINARY_FLOAT.get(name, EXACT)


def result_dtype(name, dtype):
    questions = (*COMPARISONS, "isnan", "isinf", "isfinite", "signbit", "where_bool")
    return np.dtype("bool" if name in questions else dtype)


def blank(name, dtype, shape):
    return np.empty(shape, result_dtype(name, dtype))


@pytest.mark.parametrize("name, dtype", UNARY)
def test_unary(isa, rng, name, dtype):
    domain = UNARY_FLOAT[name][1] if name in UNARY_FLOAT and dtype in FLOATS else None
    x = drawn(rng, dtype, domain=domain)
    x[: special(dtype).size] = special(dtype)
    y = execute(name, x, like=blank(name, dtype, COUNT))
    check(name, y, [x], bound_of(name) if dtype in FLOATS else EXACT)
    for n in SIZES:  # the same whatever the size and the place
        same_bits(execute(name, x[:n].copy(), like=y[:n]), y[:n])
        same_bits(execute(name, x[COUNT - n :].copy(), like=y[:n]), y[COUNT - n :])
    if y.dtype.itemsize == x.dtype.itemsize:
        over = x.copy().view(y.dtype)
        _core.execute(name, [over.view(x.dtype)], [over], {})
        same_bits(over, y)


@pytest.mark.parametrize("name, dtype", BINARY)
def test_binary(isa, rng, name, dtype):
    domain = (-9, 9) if name in ("power", "logaddexp") else None
    values = special(dtype)
    a = np.concatenate([np.repeat(values, values.size), drawn(rng, dtype, domain=domain)])
    b = np.concatenate([np.tile(values, values.size), drawn(rng, dtype, domain=domain)])
    bound = bound_of(name) if dtype in FLOATS else EXACT
    y = execute(name, a, b, like=blank(name, dtype, a.size))
    check(name, y, [a, b], bound)
    for n in SIZES:
        same_bits(execute(name, a[:n].copy(), b[:n].copy(), like=y[:n]), y[:n])
        ends = a[a.size - n :].copy(), b[a.size - n :].copy()
        same_bits(execute(name, *ends, like=y[:n]), y[a.size - n :])
    for k in (0, 1, 5, a.size - 1):  # a scalar operand on either side, or on both
        left, right, all_a = a[k : k + 1].copy(), b[k : k + 1].copy(), np.full_like(a, a[k])
        of_left = execute(name, left, b, like=y)
        same_bits(of_left, execute(name, all_a, b, like=y))
        of_right = execute(name, a, right, like=y)
        same_bits(of_right, execute(name, a, np.full_like(b, b[k]), like=y))
        np.testing.assert_array_equal(execute(name, left, right, like=y[:9]), y[k].repeat(9))
    if y.dtype.itemsize == a.dtype.itemsize:
        for side in (0, 1):
            operands = [a.copy(), b.copy()]
            _core.execute(name, operands, [operands[side].view(y.dtype)], {})
            same_bits(operands[side].view(y.dtype), y)


def test_special_values_of_powers(isa):
    """What IEEE 754 says of pow, with the signs of zeros."""
    inf, nan = np.inf, np.nan
    cases = [
        *[(0.0, 0.0, 1.0), (nan, 0.0, 1.0), (1.0, nan, 1.0), (-1.0, inf, 1.0), (-1.0, -inf, 1.0)],
        *[(-0.0, -1.0, -inf), (-0.0, -2.0, inf), (-0.0, -1.5, inf), (-0.0, 3.0, -0.0)],
        *[(-0.0, 2.0, 0.0), (-0.0, 0.5, 0.0), (0.0, -3.0, inf), (-inf, 3.0, -inf)],
        *[(-inf, 2.0, inf), (-inf, 0.5, inf), (-inf, -3.0, -0.0), (-inf, -2.0, 0.0)],
        *[(-8.0, 1.5, nan), (-2.0, 3.0, -8.0), (-2.0, -2.0, 0.25), (0.5, inf, 0.0)],
        *[(0.5, -inf, inf), (-2.0, inf, inf), (-0.5, inf, 0.0), (nan, 1.0, nan), (2.0, nan, nan)],
        *[(10.0, 2.0, 100.0), (2.0, 0.5, 2.0**0.5), (-1.0, 1e30, 1.0), (-1.0, 2.0**24 - 1, -1.0)],
    ]
    for dtype in FLOATS:
        a, b, expected = (np.array(column, dtype) for column in zip(*cases))
        same_bits(execute("power", a, b, like=a), expected)


@pytest.mark.parametrize("dtype", ALL)
def test_where(isa, rng, dtype):
    a, b = drawn(rng, dtype), drawn(rng, dtype)
    condition = rng.random(COUNT) < 0.5
    for n in SIZES:
        c, left, right = condition[:n].copy(), a[:n].copy(), b[:n].copy()
        for operands in (
            (c, left, right),
            *[(c, a[:1].copy(), right), (c, left, b[:1].copy()), (c, a[:1].copy(), b[:1].copy())],
            *[(np.array(v), left, right) for v in (False, True)],
            *[(np.array(v), left, b[:1].copy()) for v in (False, True)],
        ):
            got = execute("where", *operands, like=left)
            expected = np.broadcast_to(of_oracle("where", *operands), (n,))
            np.testing.assert_array_equal(
                got.view(f"u{got.itemsize}"),
                np.ascontiguousarray(expected).view(f"u{got.itemsize}"),
            )
        for k, into in ((1, left.copy()), (2, right.copy())):
            operands = [c, left, right]
            operands[k] = into
            expected = of_oracle("where", *operands)
            _core.execute("where", operands, [into], {})
            np.testing.assert_array_equal(into, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64"])
def test_where_moves_bits(isa, rng, dtype):
    """Denormals and NaN as they are, so that integers pass through vectors of floats."""
    width = np.dtype(dtype).itemsize
    bits = rng.integers(0, 2 ** (8 * width), 66, f"u{width}")
    bits[::3] = rng.integers(0, 2**20, 22)
    x = bits.view(dtype)
    c = rng.random(66) < 0.5
    for a, b in ((x, x[::-1].copy()), (x[3:4].copy(), x), (x, x[6:7].copy())):
        got = execute("where", c, a, b, like=x)
        expected = np.where(c, a.view(bits.dtype), b.view(bits.dtype))
        np.testing.assert_array_equal(got.view(bits.dtype), expected)


@pytest.mark.parametrize("source", ALL)
@pytest.mark.parametrize("target", ALL)
def test_cast(rng, source, target):
    x = np.concatenate([special(source), drawn(rng, source)])
    if source in FLOATS:
        ends = [np.iinfo(t) for t in INTEGERS]
        edges = [float(v) for e in ends for v in (e.min, e.max)] + [
            255.5,
            256.0,
            -0.5,
            -1.0,
            -300.0,
        ]
        edges = np.array(edges, source)
        x = np.concatenate(
            [x, edges, np.nextafter(edges, np.array(np.inf, source)), np.nextafter(edges, -np.inf)]
        ).astype(source)
    x = flushed(x)
    expected = flushed(of_oracle("cast", x, dtype=target))
    got = execute("cast", x, like=expected, dtype=target)
    np.testing.assert_array_equal(got, expected, strict=True)
    one = execute("cast", x[2 % x.size :][:1].copy(), like=np.empty(5, target), dtype=target)
    np.testing.assert_array_equal(one, expected[2 % x.size].repeat(5))
    if x.itemsize == expected.itemsize:
        over = x.copy()
        _core.execute("cast", [over], [over.view(target)], {"dtype": target})
        np.testing.assert_array_equal(over.view(target), expected)


def test_cast_by_hand():
    x = np.array([1.9, -1.9, np.nan, np.inf, -np.inf, 3e9, 300.0, -3.0], "float32")
    largest, smallest = 2**31 - 1, -(2**31)
    for target, expected in (
        ("int32", [1, -1, 0, largest, smallest, largest, 300, -3]),
        ("uint8", [1, 0, 0, 255, 0, 255, 255, 0]),
        ("bool", [True] * 8),
    ):
        got = execute("cast", x, like=np.empty(8, target), dtype=target)
        np.testing.assert_array_equal(got, expected)
    wrapped = execute("cast", np.array([-1, 256, 511], "int64"), like=np.empty(3, "uint8"))
    np.testing.assert_array_equal(wrapped, [255, 0, 255])


SHAPES = [
    ((), (), ()),
    ((7,), (), (7,)),
    ((4, 5), (5,), (4, 5)),
    ((4, 5), (4, 1), (4, 5)),
    ((4, 1), (1, 5), (4, 5)),
    ((2, 3, 70), (3, 1), (2, 3, 70)),
    ((2, 1, 33), (1, 3, 1), (2, 3, 33)),
    ((5, 1, 1, 2), (3, 4, 1), (5, 3, 4, 2)),
    ((1, 1), (2, 3), (2, 3)),
    ((3, 1, 2), (1, 2), (3, 1, 2)),
    ((0, 3), (3,), (0, 3)),
    ((1, 3), (0, 1), (0, 3)),
    ((300, 3), (3,), (300, 3)),
    ((300, 3), (300, 1), (300, 3)),
    ((2, 300, 1), (2, 1, 3), (2, 300, 3)),
    ((3, 1, 1), (1, 700, 2), (3, 700, 2)),
    ((4, 1, 1), (2000, 31), (4, 2000, 31)),
    ((7, 5, 1), (7, 1, 20), (7, 5, 20)),
]


@pytest.mark.parametrize("a_shape, b_shape, shape", SHAPES)
@pytest.mark.parametrize(
    "name, dtype",
    [
        *[("add", "float32"), ("subtract", "float64"), ("less", "float32"), ("power", "float32")],
        *[("subtract", "int32"), ("mod", "int64"), ("greater", "uint8"), ("logical_or", "bool")],
    ],
)
def test_broadcasting(isa, rng, name, dtype, a_shape, b_shape, shape):
    a = drawn(rng, dtype, int(np.prod(a_shape)), (-9, 9)).reshape(a_shape)
    b = drawn(rng, dtype, int(np.prod(b_shape)), (-9, 9)).reshape(b_shape)
    bound = bound_of(name) if dtype in FLOATS else EXACT
    for left, right in ((a, b), (b, a)):
        got = execute(name, left, right, like=blank(name, dtype, shape))
        check(name, got, np.broadcast_arrays(left, right), bound)


@pytest.mark.parametrize("dtype", ALL)
def test_broadcasting_of_where(isa, rng, dtype):
    for shapes in (
        ((4, 1), (4, 5), (5,)),
        ((2, 3, 5), (3, 1), ()),
        ((3, 1), (2, 1, 5), (1, 3, 1)),
        ((), (2, 1), (1, 9)),
        ((300, 1), (300, 3), (3,)),
        ((300, 1), (), (300, 3)),
        ((2, 1, 5), (400, 1), (2, 400, 5)),
    ):
        c = rng.random(shapes[0]) < 0.5
        a, b = (drawn(rng, dtype, int(np.prod(s))).reshape(s) for s in shapes[1:])
        shape = np.broadcast_shapes(*shapes)
        got = execute("where", np.asarray(c), a, b, like=np.empty(shape, dtype))
        np.testing.assert_array_equal(got, np.broadcast_to(np.where(c, a, b), shape))


@pytest.mark.parametrize(
    "name, dtype",
    [
        *[("add", "float32"), ("less", "float64"), ("power", "float32"), ("mod", "float64")],
        *[("multiply", "int64"), ("gcd", "int32"), ("equal", "uint8"), ("logical_xor", "bool")],
    ],
)
def test_threads_do_not_matter(isa, threads, rng, name, dtype):
    n = 200_003
    a, b = drawn(rng, dtype, n, (-9, 9)), drawn(rng, dtype, n, (-9, 9))
    grid, row = drawn(rng, dtype, 3 * 40_000).reshape(3, 40_000), drawn(rng, dtype, 3).reshape(3, 1)
    threads(1)
    y = execute(name, a, b, like=blank(name, dtype, n))
    of_rows = execute(name, grid, row, like=blank(name, dtype, grid.shape))
    check(name, y, [a, b], bound_of(name) if dtype in FLOATS else EXACT)
    threads(3)
    same_bits(execute(name, a, b, like=y), y)
    same_bits(execute(name, grid, row, like=of_rows), of_rows)


@pytest.mark.parametrize("name", ["exp", "sin", "lgamma", "isnan", "floor"])
def test_threads_do_not_matter_to_one_operand(isa, threads, rng, name):
    x = drawn(rng, "float32", 200_003, (0, 30))
    y = blank(name, "float32", x.size)
    threads(1)
    one = execute(name, x, like=y)
    threads(3)
    same_bits(execute(name, x, like=y), one)


@pytest.mark.parametrize("dtype", FLOATS)
def test_denormals_count_as_zero_where_they_are_compared(isa, dtype):
    tiny = np.array([np.finfo(dtype).smallest_subnormal, -np.finfo(dtype).tiny / 2] * 9, dtype)
    zero = np.zeros_like(tiny)
    assert execute("equal", tiny, zero, like=np.empty(18, bool)).all()
    assert not execute("not_equal", tiny, zero, like=np.empty(18, bool)).any()
    assert (execute("sign", tiny, like=tiny) == 0).all()
    assert (execute("exp", tiny, like=tiny) == 1).all()
    assert (execute("log", np.abs(tiny), like=tiny) == -np.inf).all()
    assert (execute("add", tiny, zero, like=tiny) == 0).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["sin", "cos", "tan"])
def test_large_angles(isa, rng, name, dtype):
    """Beyond 1e6, where the multiples of pi / 2 are subtracted bit by bit."""
    x = np.exp(rng.uniform(13, np.log(np.finfo(dtype).max), 5000)).astype(dtype)
    x = np.concatenate([x, -x, np.array([999999.94, 1e6, 1e22, 1.6e38], dtype)])
    check(name, execute(name, x, like=x), [x], bound_of(name))


def test_angles_of_points(isa):
    """Zeros and infinities with their signs, as IEEE 754 has atan2."""
    values = [0.0, 1.0, 1e-30, 3e38, np.inf]
    for dtype in FLOATS:
        each = np.array([*values, *(-v for v in values), np.nan], dtype)
        y, x = np.repeat(each, each.size), np.tile(each, each.size)
        got, expected = execute("arctan2", y, x, like=y), np.arctan2(y, x)
        np.testing.assert_allclose(got, expected, rtol=4 * np.finfo(dtype).eps, atol=1e-37)
        number = ~np.isnan(expected)
        np.testing.assert_array_equal(np.signbit(got[number]), np.signbit(expected[number]))


def test_signs_of_zeros(isa):
    for dtype in FLOATS:
        zero = np.array([-0.0, 0.0], dtype)
        for name in (
            "sin",
            "tan",
            "arcsin",
            "sinh",
            "expm1",
            "log1p",
            "erf",
            "erfinv",
            "sqrt",
            "cbrt",
        ):
            same_bits(execute(name, zero, like=zero), zero)
        for name in ("floor", "ceil", "round", "trunc", "sign", "arctan", "arcsinh", "arctanh"):
            same_bits(execute(name, zero, like=zero), zero)
        near = np.array([-0.3, 0.3], dtype)
        for name in ("round", "trunc"):
            same_bits(execute(name, near, like=near), zero)
        same_bits(execute("negative", zero, like=zero), zero[::-1])
        same_bits(execute("abs", zero, like=zero), np.abs(zero))
        # -0 lies below 0, wherever they stand.
        a, b = np.repeat(zero, 2 * 9), np.tile(zero, 2 * 9)
        same_bits(execute("minimum", a, b, like=a), np.where(np.signbit(a), a, b))
        same_bits(execute("maximum", a, b, like=a), np.where(np.signbit(a), b, a))


@pytest.mark.parametrize(
    "name, a, b, expected",
    [
        ("floor_divide", [7, -7, 7, -7, 5, -(2**31), 0], [2, 2, -2, -2, 0, -1, 3], None),
        ("floor_divide", [7, -7, 7, -7, 5, 0], [2, 2, -2, -2, 0, 3], [3, -4, -4, 3, 0, 0]),
        ("mod", [7, -7, 7, -7, 5, -(2**31)], [2, 2, -2, -2, 0, -1], [1, 1, -1, -1, 0, 0]),
        ("fmod", [7, -7, 7, -7, 5, -(2**31)], [2, 2, -2, -2, 0, -1], [1, -1, 1, -1, 0, 0]),
        ("power", [2, -1, -1, 1, 0, 3, 0, 2, -2], [-1, -3, -2, -9, -1, 0, 0, 33, 31], None),
        ("power", [2, -1, -1, 1, 0, 3, 0, 2, -3], [-1, -3, -2, -9, -1, 0, 0, 5, 3],
         [0, -1, 1, 1, 0, 1, 1, 32, -27]),
        ("left_shift", [1, 1, 1, -1, 3], [31, 32, -1, 4, 1], [-(2**31), 0, 0, -16, 6]),
        ("right_shift", [8, 8, -8, -8, 8], [1, 32, 32, 1, -1], [4, 0, -1, -4, 0]),
        ("gcd", [12, -12, 0, 0], [18, 18, 0, 5], [6, 6, 0, 5]),
        ("lcm", [12, -12, 0, 4], [18, 18, 5, 6], [36, 36, 0, 12]),
        ("add", [2**31 - 1], [1], [-(2**31)]),
        ("multiply", [2**30], [4], [0]),
    ],
)  # fmt: skip
def test_integers_by_hand(name, a, b, expected):
    a, b = np.array(a, "int32"), np.array(b, "int32")
    got = execute(name, a, b, like=a)
    np.testing.assert_array_equal(got, of_oracle(name, a, b))
    if expected is not None:
        np.testing.assert_array_equal(got, expected)


def test_what_is_not_defined_is_refused():
    x, y = np.ones(3, "float32"), np.ones(3, "int32")
    out = np.empty(3, "float32")
    for name, inputs, outputs, message in (
        ("add", [x, y], [out], "add: expected operands of one dtype, received float32 and int32"),
        ("add", [x], [out], "add: expected 2 operands, received 1"),
        ("exp", [y], [np.empty(3, "int32")], "exp: not defined for int32"),
        ("subtract", [x > 0, x > 0], [np.empty(3, bool)], "subtract: not defined for bool"),
        ("gcd", [x, x], [out], "gcd: not defined for float32"),
        ("less", [x, x], [out], "less: expected y of 3 elements of bool"),
        ("where", [x, x, x], [out], "where: expected a condition of bool, received float32"),
        ("where", [x > 0, x, y], [out], "where: expected operands of one dtype"),
        ("add", [x, np.ones(2, "float32")], [out], "does not broadcast to"),
        ("add", [x, x[:1].copy()], [np.empty((2, 2), "float32")], "does not broadcast to"),
        ("add", [x.astype("int16"), x.astype("int16")], [np.empty(3, "int16")], "not defined for"),
        ("cast", [x.astype("int16")], [out], "cast: cannot convert int16 to float32"),
    ):
        with pytest.raises(ValueError, match=message):
            _core.execute(name, inputs, outputs, {})
    with pytest.raises(ValueError, match="cast: expected an output of int64, received float32"):
        _core.execute("cast", [x], [out], {"dtype": "int64"})
    square = np.ones((3, 3), "float32")
    with pytest.raises(ValueError, match="cannot write .* over a"):
        _core.execute("add", [square.ravel()[:3], square], [square], {})


def test_every_name_is_tested_here():
    names = {name for name, _ in (*UNARY, *BINARY)} | {"where", "cast"}
    assert names <= set(_core.op_names())
    assert all(hasattr(reference, name) for name in names)
