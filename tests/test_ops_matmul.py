"""Products against the oracle in float64, with the bound of a sum of K products."""

import numpy as np
import pytest

from dlnative import reference
from dlnative.ops import rows as ops

DTYPES = ("float32", "float64")
# Tile edges of every instruction set: 1, lanes +- 1, tile + 1, primes, several blocks of k, empty.
SHAPES = [
    (1, 1, 1),
    (1, 10, 784),
    (2, 3, 1),
    (4, 8, 2),
    (5, 16, 7),
    (6, 15, 31),
    (7, 17, 64),
    (12, 33, 65),
    (13, 64, 129),
    (31, 63, 5),
    (37, 101, 53),
    (25, 130, 257),
    (193, 31, 300),
    (200, 257, 513),
    (1, 300, 700),
    (300, 1, 40),
    (0, 5, 3),
    (5, 0, 3),
    (3, 4, 0),
    (241, 1030, 9),
    # A few panels of B under long rows of A: whole panels, several rounds of k, no products at all.
    (310, 48, 576),
    (290, 40, 700),
    (500, 17, 130),
    (150, 80, 0),
    # More panels under longer rows, in one block and in two, and rows with gaps between rounds.
    (600, 150, 300),
    (700, 300, 130),
    (400, 100, 700),
    # Tiles of three to five rows of a packed A; panels of B that few tiles copy, or too few.
    (7, 300, 70),
    (8, 210, 40),
    (9, 300, 71),
    (13, 230, 33),
    (14, 100, 260),
    (20, 800, 61),
    (32, 512, 300),
    # One or two rows under a B that is read in order.
    (1, 512, 300),
    (2, 133, 1001),
    (1, 1001, 130),
]


def bound(a, b, dtype):
    """|fl(sum of K products) - exact| <= (K + 2) u |a| |b| (Higham 2002, section 3.1), doubled."""
    k = a.shape[-1]
    return 2 * (k + 2) * np.finfo(dtype).eps / 2 * (np.abs(a) @ np.abs(b)) + np.finfo(dtype).tiny


def draw(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m, n, k", SHAPES)
@pytest.mark.parametrize("ta, tb", [(False, False), (True, False), (False, True), (True, True)])
def test_matmul(isa, rng, m, n, k, ta, tb, dtype):
    a, b = draw(rng, (m, k), dtype), draw(rng, (k, n), dtype)
    c = ops.matmul(
        np.ascontiguousarray(a.T) if ta else a,
        np.ascontiguousarray(b.T) if tb else b,
        transpose_a=ta,
        transpose_b=tb,
    )
    a64, b64 = a.astype("float64"), b.astype("float64")
    assert c.shape == (m, n) and c.dtype == dtype
    exact = (a.astype("longdouble") @ b.astype("longdouble")) if dtype == "float64" else a64 @ b64
    assert (np.abs(c - exact) <= bound(a64, b64, dtype)).all()


@pytest.mark.parametrize("k", [82945, 82946, 82947])
def test_last_round_of_one_to_three_products(isa, threads, rng, k):
    # With AVX2 all rows of A are outside, and rounds are 144 times 576 products. Those of AVX-512
    # are longer: it would take 261,121 products.
    threads(1)
    a, b = draw(rng, (220, k), "float32"), draw(rng, (k, 10), "float32")
    a64, b64 = a.astype("float64"), b.astype("float64")
    assert (np.abs(ops.matmul(a, b) - a64 @ b64) <= bound(a64, b64, "float32")).all()


@pytest.mark.parametrize(
    "m, n, k",
    [(257, 130, 300), (3, 700, 512), (700, 3, 512), (128, 512, 784), (900, 48, 300), (2, 700, 801)]
    # The share of a thread may be one panel of B, or less.
    + [(2, 912, 576), (2, 481, 576), (1, 832, 576)],
)
def test_same_bits_for_any_number_of_threads(threads, rng, m, n, k):
    a, b = draw(rng, (m, k), "float32"), draw(rng, (k, n), "float32")
    results = []
    for n_threads in (1, 2, 3, 5, 6, 8, 16):
        threads(n_threads)
        results.append(ops.matmul(a, b).tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "gelu", "leaky_relu"])
@pytest.mark.parametrize(
    "shape, units", [((4, 3), 5), ((2, 3, 7), 17), ((130, 65), 33), ((1, 784), 10), ((0, 4), 3)]
)
def test_dense(isa, rng, shape, units, activation, dtype):
    x, kernel, bias = (
        draw(rng, shape, dtype),
        draw(rng, (shape[-1], units), dtype),
        draw(rng, (units,), dtype),
    )
    y = ops.dense(x, kernel, bias, activation=activation)
    z = reference.dense(*(v.astype("float64") for v in (x, kernel, bias)))
    expected = z if activation is None else getattr(reference, activation)(z)
    # Every activation here has a slope of at most 1.2, and rounds its result by a few ulp.
    tolerance = 1.2 * (
        bound(
            np.abs(x.reshape(-1, shape[-1]).astype("float64")),
            np.abs(kernel.astype("float64")),
            dtype,
        )
        + np.finfo(dtype).eps * np.abs(bias)
    ).reshape(expected.shape)
    assert (
        np.abs(y - expected) <= tolerance + 8 * np.finfo(dtype).eps * np.abs(expected) + 1e-30
    ).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, inputs, units", [(37, 53, 29), (610, 270, 290)])
def test_fused_equals_unfused(isa, rng, rows, inputs, units, dtype):
    """The epilogue's activations have the bits of the ops."""
    x, kernel, bias = (
        draw(rng, (rows, inputs), dtype),
        draw(rng, (inputs, units), dtype),
        draw(rng, (units,), dtype),
    )
    z = ops.dense(x, kernel, bias)
    for name in ("relu", "tanh", "sigmoid", "elu", "softplus", "silu", "gelu", "hard_sigmoid"):
        assert (ops.dense(x, kernel, bias, activation=name) == getattr(ops, name)(z)).all(), name
    y, pre = ops.dense(x, kernel, bias, activation="silu", pre_activation=True)
    assert (pre == z).all() and (y == ops.silu(z)).all()
    dy, saved = draw(rng, (rows, units), dtype), draw(rng, (rows, inputs), dtype)
    dx = ops.dense_backward_input(dy, kernel)
    for name in ("relu", "tanh", "gelu", "elu"):
        fused = ops.dense_backward_input(dy, kernel, saved, activation=name)
        assert (fused == getattr(ops, name + "_backward")(dx, saved)).all(), name


def test_relu_keeps_nan_and_zero(isa):
    x = np.array([[np.nan, -1.0, 0.0, 2.0]], "float32").T @ np.ones((1, 1), "float32")
    y = ops.dense(x, np.eye(1, dtype="float32"), activation="relu")
    assert np.isnan(y[0, 0]) and (y[1:, 0] == [0, 0, 2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows, m, n", [(1, 3, 2), (4, 2, 8), (130, 65, 33), (33, 784, 10)])
def test_backward(isa, rng, rows, m, n, dtype):
    x, dy, kernel = (
        draw(rng, (rows, m), dtype),
        draw(rng, (rows, n), dtype),
        draw(rng, (m, n), dtype),
    )
    x64, dy64, kernel64 = (v.astype("float64") for v in (x, dy, kernel))
    dkernel, dbias = ops.dense_backward_kernel(x, dy, bias=True)
    assert (np.abs(dkernel - x64.T @ dy64) <= bound(x64.T, dy64, dtype)).all()
    assert (np.abs(dbias - dy64.sum(0)) <= bound(np.ones((1, rows)), dy64, dtype)).all()
    assert (dkernel == ops.dense_backward_kernel(x, dy)).all() and (
        dbias == ops.bias_backward(dy)
    ).all()
    dx = ops.dense_backward_input(dy, kernel)
    assert (np.abs(dx - dy64 @ kernel64.T) <= bound(dy64, kernel64.T, dtype)).all()


def test_margins_are_not_read(isa, rng):
    """NaN around the operands must not reach the result."""

    def framed(shape):
        whole = np.full((shape[0] + 2, shape[1]), np.nan, "float32")
        whole[1:-1] = rng.standard_normal(shape)
        return whole[1:-1]

    for m, n, k in [(7, 9, 11), (6, 16, 256), (13, 130, 70)]:
        a, b = framed((m, k)), framed((k, n))
        assert np.isfinite(ops.matmul(a, b)).all()
        assert np.isfinite(ops.matmul(framed((k, m)), b, transpose_a=True)).all()
        assert np.isfinite(ops.matmul(a, framed((n, k)), transpose_b=True)).all()


def test_strides(rng):
    a, b = rng.standard_normal((6, 10))[::2, ::-1], rng.standard_normal((5, 10)).T
    assert np.allclose(ops.matmul(a, b), a @ b)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda a: ops.matmul(a, a), "inner sizes differ, 3 and 2"),
        (lambda a: ops.matmul(a, a[0]), "expected two matrices"),
        (lambda a: ops.dense(a, a), "expected input of shape"),
        (lambda a: ops.dense(a, a.T, np.zeros(3)), "expected a bias of shape"),
        (lambda a: ops.matmul(a, a.T, out=np.zeros((1, 1))), "expected out of shape"),
    ],
)
def test_bad_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((2, 3)))
