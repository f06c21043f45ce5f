"""The vector functions behind the activations, on every instruction set.

Errors are in units of the last place. The reference is NumPy in the next wider type: its own errors
are below 1e-3 of the units counted here. Results below the smallest normal number may be flushed to
zero.
"""

import numpy as np
import pytest

from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

# Where the method or the answer changes: 0, the smallest numbers, ln2 / 2 and its odd multiples,
# where the integer part of x / ln2 steps; tanh's and sigmoid's changes of method; overflow and
# underflow.
THRESHOLDS = np.concatenate(
    [
        [
            0.0,
            1.2e-38,
            1e-30,
            1.0,
            0.549,
            0.5493061,
            10.0,
            9.01,
            16.28,
            16.64,
            17.33,
            20.0,
            40.0,
            80.0,
        ],
        [87.33654, 88.02969, 88.37626, 88.72283, 88.7229, 103.3, 104.0, 1e30],
        (np.arange(-128, 129) + 0.5) * np.log(2.0),
    ]
)


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1 + e)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@pytest.fixture(scope="module")
def floats():
    """Every 4099th float32 by its bits, with NaN and infinities, and 201 around each threshold."""
    every = np.arange(0, 2**32, 4099, dtype="int64")
    near = np.concatenate([THRESHOLDS, -THRESHOLDS]).astype("float32").view("int32").astype("int64")
    near = (near[:, None] + np.arange(-100, 101)).ravel() % 2**32
    return np.concatenate([every, near]).astype("uint32").view("float32")


def ulps(y, exact):
    """The errors of y against `exact` in units of its last place; NaN and inf must agree."""
    info = np.finfo(y.dtype)
    with np.errstate(over="ignore", under="ignore"):
        rounded = exact.astype(y.dtype)
    special = ~np.isfinite(rounded)
    np.testing.assert_array_equal(y[special], rounded[special])
    assert np.isfinite(y[~special]).all()
    y, exact = y[~special].astype(exact.dtype), exact[~special]
    tiny = np.abs(exact) < info.tiny
    assert (np.abs(y[tiny]) <= info.tiny).all()
    y, exact = y[~tiny], exact[~tiny]
    unit = np.ldexp(np.ones_like(exact), np.frexp(exact)[1] - info.nmant - 1)
    return np.abs(y - exact) / unit


@pytest.mark.parametrize(
    "op, exact", [(ops.exponential, np.exp), (ops.tanh, np.tanh), (ops.sigmoid, sigmoid)]
)
def test_float32_within_2_ulp_over_all_floats(isa, floats, op, exact):
    with np.errstate(all="ignore"):
        expected = exact(floats.astype("float64"))
    assert ulps(op(floats), expected).max() <= 2.0


@pytest.mark.parametrize(
    "op, exact, bound",
    [
        (ops.softplus, softplus, 4.0),
        (ops.elu, lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))), 4.0),
        (ops.silu, lambda x: x * sigmoid(x), 4.0),
    ],
)
def test_float32_within_4_ulp_over_all_floats(isa, floats, op, exact, bound):
    # silu(x) = x sigmoid(x) is flushed with sigmoid, from -87.3 on.
    x = floats[np.isfinite(floats) & ((floats > -87) | (op is not ops.silu))]
    with np.errstate(all="ignore"):
        expected = exact(x.astype("float64"))
    assert ulps(op(x), expected).max() <= bound


@pytest.mark.skipif(np.finfo(np.longdouble).eps > 1e-18, reason="needs a type wider than float64")
@pytest.mark.parametrize(
    "op, exact",
    [
        (ops.exponential, np.exp),
        (ops.tanh, np.tanh),
        (ops.sigmoid, sigmoid),
        (ops.softplus, softplus),
    ],
)
def test_float64_within_4_ulp(isa, rng, op, exact):
    x = np.concatenate(
        [
            rng.uniform(-1, 1, 50000),
            rng.uniform(-40, 40, 50000),
            rng.uniform(-760, 760, 50000),
            rng.choice([-1.0, 1.0], 20000) * np.exp2(rng.uniform(-300, 0, 20000)),
            [0.0, -0.0, np.inf, -np.inf, np.nan, 709.78, 709.79, -708.39, -708.4, -745.2],
        ]
    )
    with np.errstate(all="ignore"):
        expected = exact(x.astype(np.longdouble))
    assert ulps(op(x), expected).max() <= 4.0


def test_gelu_keeps_its_digits_in_the_lower_tail(isa):
    """x Phi(x) at x << 0, where 1 + erf(x / sqrt 2) cancels; Phi from 40-digit arithmetic."""
    x = np.array([-1.0, -3.0, -5.0, -8.0, -12.0])
    cdf = np.array(
        [
            0.15865525393145705141,
            1.3498980316300945267e-3,
            2.8665157187919391167e-7,
            6.2209605742717841235e-16,
            1.7764821120776789977e-33,
        ]
    )
    for dtype, bound in (("float32", 8.0), ("float64", 10.0)):
        y = ops.gelu(x.astype(dtype))
        assert (np.abs(y / (x * cdf) - 1) <= bound * np.finfo(dtype).eps).all()


@pytest.mark.parametrize("op", [ops.exponential, ops.tanh, ops.sigmoid, ops.gelu, ops.softplus])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_value_does_not_depend_on_its_place(isa, rng, op, dtype):
    """The masked vector at the end of an array gives the bits of the main loop."""
    x = (4 * rng.standard_normal(70)).astype(dtype)
    whole = op(x)
    for start in range(3):
        for stop in range(start, x.size):
            np.testing.assert_array_equal(op(x[start:stop]), whole[start:stop])


@pytest.mark.parametrize("op", [ops.tanh, ops.elu, ops.selu, ops.softsign, ops.gelu, ops.silu])
def test_negative_zero_stays(isa, op):
    y = op(np.array([-0.0, 0.0] * 9, dtype="float32"))
    np.testing.assert_array_equal(np.signbit(y), [True, False] * 9)


@pytest.mark.parametrize(
    "op, exact, bound",
    [
        (ops.sin, np.sin, 0.95),
        (ops.cos, np.cos, 0.95),
        (ops.tan, np.tan, 2.5),
        (ops.arcsin, np.arcsin, 1.5),
        (ops.arccos, np.arccos, 1.3),
        (ops.arctan, np.arctan, 1.8),
        (ops.sinh, np.sinh, 1.8),
        (ops.cosh, np.cosh, 1.8),
        (ops.arcsinh, np.arcsinh, 1.9),
        (ops.arccosh, np.arccosh, 2.0),
        (ops.arctanh, np.arctanh, 2.1),
        (ops.cbrt, np.cbrt, 1.1),
        (ops.log, np.log, 0.9),
        (ops.log2, np.log2, 0.9),
        (ops.log10, np.log10, 0.9),
    ],
)
def test_functions_of_float32_over_all_floats(isa, floats, op, exact, bound):
    x = floats[(floats == 0) | ~(np.abs(floats) < np.finfo("float32").tiny)]
    with np.errstate(all="ignore"):
        expected = exact(x.astype("float64"))
    assert ulps(op(x), expected).max() <= bound


@pytest.mark.parametrize("op, exact", [(ops.sin, np.sin), (ops.cos, np.cos), (ops.tan, np.tan)])
def test_angles_next_to_multiples_of_a_quarter_turn(isa, op, exact):
    """Where all leading digits cancel, up to and beyond the change of method."""
    near = (np.arange(1, 12000) * (np.pi / 2)).astype("float32")
    x = np.concatenate(
        [near, np.nextafter(near, np.float32(0)), np.nextafter(near, np.float32(1e9))]
    )
    assert ulps(op(x), exact(x.astype("float64"))).max() <= 2.5


def test_powers_of_float32(isa, rng):
    """Results over the whole range of float32, bases near 1 and at the ends of their intervals."""
    bases = [
        np.exp2(rng.uniform(-126, 128, 100_000)),
        rng.uniform(0.69, 1.41, 100_000),
        1 + np.exp2(rng.uniform(-23, -2, 50_000)) * rng.choice([-1, 1], 50_000),
        (np.arange(0x3F330000, 0x3FB40000, 1 << 19, dtype="uint32")[:, None] + np.arange(-50, 50))
        .astype("uint32")
        .view("float32")
        .ravel(),
    ]
    x = np.concatenate(bases).astype("float32")
    x = x[(x > 0) & np.isfinite(x) & (x != 1)]
    with np.errstate(over="ignore", under="ignore"):
        y = (rng.uniform(-126, 128, x.size) / np.log2(x.astype("float64"))).astype("float32")
        expected = x.astype("float64") ** y.astype("float64")
        assert ulps(ops.power(x, y), expected).max() <= 1.0
        whole = np.rint(rng.uniform(-9, 9, x.size)).astype("float32")
        expected = (-x).astype("float64") ** whole.astype("float64")
        assert ulps(ops.power(-x, whole), expected).max() <= 1.0
