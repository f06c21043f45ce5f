"""Products against the oracle in float64, with the bound of a sum of K products."""

import numpy as np
import pytest

import dlnative
from dlnative import reference
from dlnative.graph import Tensor, table
from dlnative.graph.tensor import apply
from dlnative.ops import rows as ops
from dlnative.ops.rows import matmul

pytestmark = pytest.mark.native

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
    # A single column: whole vectors of products or rows, and what is left of them.
    (64, 1, 1568),
    (5, 1, 33),
    (259, 1, 48),
    (1, 1, 700),
    (3, 1, 15),
    (67, 1, 0),
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
    c = matmul(
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
    assert (np.abs(matmul(a, b) - a64 @ b64) <= bound(a64, b64, "float32")).all()


@pytest.mark.parametrize(
    "m, n, k",
    [(257, 130, 300), (3, 700, 512), (700, 3, 512), (128, 512, 784), (900, 48, 300), (2, 700, 801)]
    # The share of a thread may be one panel of B, or less.
    + [(2, 912, 576), (2, 481, 576), (1, 832, 576)]
    # A single column, and one that is left of several.
    + [(1901, 1, 700), (300, 65, 200)],
)
def test_same_bits_for_any_number_of_threads(threads, rng, m, n, k):
    a, b = draw(rng, (m, k), "float32"), draw(rng, (k, n), "float32")
    results = []
    for n_threads in (1, 2, 3, 5, 6, 8, 16):
        threads(n_threads)
        results.append(matmul(a, b).tobytes())
    assert len(set(results)) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [None, "relu", "tanh", "sigmoid", "gelu", "leaky_relu"])
@pytest.mark.parametrize(
    "shape, units",
    [((4, 3), 5), ((2, 3, 7), 17), ((130, 65), 33), ((1, 784), 10), ((0, 4), 3), ((9, 70), 1)],
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
@pytest.mark.parametrize("rows, inputs, units", [(37, 53, 29), (610, 270, 290), (37, 70, 1)])
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
@pytest.mark.parametrize(
    "rows, m, n", [(1, 3, 2), (4, 2, 8), (130, 65, 33), (33, 784, 10), (33, 300, 1)]
)
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

    for m, n, k in [(7, 9, 11), (6, 16, 256), (13, 130, 70), (13, 1, 70)]:
        a, b = framed((m, k)), framed((k, n))
        assert np.isfinite(matmul(a, b)).all()
        assert np.isfinite(matmul(framed((k, m)), b, transpose_a=True)).all()
        assert np.isfinite(matmul(a, framed((n, k)), transpose_b=True)).all()


BATCHES = [
    # one product of all rows
    ((5, 7, 11), (11, 13)),
    ((2, 3, 4, 6), (6, 5)),
    ((2, 3, 4, 6), (6,)),
    # of each entry its own
    ((5, 7, 11), (5, 11, 13)),
    ((7, 11), (5, 11, 13)),
    ((11,), (5, 11, 13)),
    ((3, 1, 7, 11), (4, 11, 2)),
    ((1, 4, 7, 11), (3, 1, 11, 2)),
    ((64, 37, 16), (64, 16, 41)),
    ((2, 120, 130), (2, 130, 140)),
    ((9, 90, 70), (9, 70, 80)),
    # vectors, and nothing
    ((11,), (11,)),
    ((11,), (11, 3)),
    ((7, 11), (11,)),
    ((0, 7, 11), (11, 13)),
    ((1, 7, 11), (0, 11, 13)),
    ((3, 7, 0), (3, 0, 13)),
    ((3, 0, 5), (3, 5, 2)),
]


def swapped(x):
    return np.ascontiguousarray(np.swapaxes(x, -1, -2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ta, tb", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("shape_a, shape_b", BATCHES)
def test_batches(isa, rng, shape_a, shape_b, ta, tb, dtype):
    if (ta and len(shape_a) < 2) or (tb and len(shape_b) < 2):
        pytest.skip("a vector has no transpose")
    a, b = draw(rng, shape_a, dtype), draw(rng, shape_b, dtype)
    a64, b64 = a.astype("float64"), b.astype("float64")
    c = matmul(swapped(a) if ta else a, swapped(b) if tb else b, transpose_a=ta, transpose_b=tb)
    exact = np.matmul(a.astype("longdouble"), b.astype("longdouble"))
    assert c.shape == exact.shape and c.dtype == dtype
    assert (np.abs(c - exact) <= bound(a64, b64, dtype)).all()


@pytest.mark.parametrize(
    "shape_a, shape_b",
    [
        ((400, 8, 9), (400, 9, 7)),
        ((12, 90, 70), (12, 70, 80)),
        ((3, 150, 160), (3, 160, 170)),
        ((2, 300, 200), (200, 90)),
    ],
)
def test_batches_have_the_bits_of_their_entries(threads, rng, shape_a, shape_b):
    a, b = draw(rng, shape_a, "float32"), draw(rng, shape_b, "float32")
    threads(1)
    entries = [matmul(x, y) for x, y in zip(a, b if b.ndim == 3 else [b] * len(a))]
    for n_threads in (1, 2, 3, 5, 16):
        threads(n_threads)
        assert matmul(a, b).tobytes() == np.array(entries).tobytes()


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "bool"])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize(
    "shape_a, shape_b", [*BATCHES[:8], *BATCHES[11:], ((150, 170), (170, 130))]
)
def test_integers_wrap_and_booleans_meet(threads, rng, shape_a, shape_b, n_threads, dtype):
    threads(n_threads)
    low, high = {"uint8": (0, 256), "bool": (0, 2)}.get(dtype, (-(2**30), 2**30))
    a = rng.integers(low, high, shape_a).astype(dtype)
    b = rng.integers(low, high, shape_b).astype(dtype)
    exact = np.matmul(a, b)
    assert exact.dtype == dtype  # NumPy's integers wrap, too
    ta, tb = a.ndim > 1, b.ndim > 1
    for swap_a, swap_b in {(False, False), (ta, False), (False, tb), (ta, tb)}:
        c = matmul(
            swapped(a) if swap_a else a,
            swapped(b) if swap_b else b,
            transpose_a=swap_a,
            transpose_b=swap_b,
        )
        assert c.dtype == dtype and c.shape == exact.shape and (c == exact).all()


def test_operands_of_several_dtypes(rng):
    a, b = rng.integers(-9, 9, (2, 3)), draw(rng, (3, 4), "float32")
    assert matmul(a.astype("int32"), b).dtype == "float32"
    assert matmul(a.astype("int32"), a.T.astype("int64")).dtype == "int64"
    assert matmul(a.astype("int32") > 0, a.T.astype("int32")).dtype == "int32"


@pytest.mark.parametrize("ta, tb", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("shape_a, shape_b", [s for s in BATCHES if np.prod(s[0]) < 600])
def test_gradients_of_batches(rng, shape_a, shape_b, ta, tb):
    """<w, dC> = <dA, A'> + <dB, B'> for C bilinear: C(A', B) and C(A, B') are exact directions."""
    if (ta and len(shape_a) < 2) or (tb and len(shape_b) < 2):
        pytest.skip("a vector has no transpose")
    a, b, da, db = (rng.standard_normal(s) for s in (shape_a, shape_b) * 2)

    def product(a, b):
        return apply("matmul", a, b, transpose_a=ta, transpose_b=tb)

    def operands(a, b):
        return swapped(a) if ta else a, swapped(b) if tb else b

    y, pullback = dlnative.vjp(product, *operands(a, b))
    w = rng.standard_normal(y.shape)
    (grad_a, grad_b), _ = pullback(w)
    moved_a, moved_b = operands(da, db)
    assert grad_a.shape == moved_a.shape and grad_b.shape == moved_b.shape
    assert np.isclose((grad_a * moved_a).sum(), (w * np.matmul(da, b)).sum(), 1e-10, 1e-10)
    assert np.isclose((grad_b * moved_b).sum(), (w * np.matmul(a, db)).sum(), 1e-10, 1e-10)


def test_open_sizes_meet():
    """Sizes of None broadcast and multiply with whatever they may become."""
    for shape_a, shape_b, expected in [
        ((None, 3), (3, 4), (None, 4)),
        ((None, 5, 3), (3, 4), (None, 5, 4)),
        ((None, 5, 3), (None, 3, 4), (None, 5, 4)),
        ((2, None), (3, 4), (2, 4)),
        ((None, 3), (3,), (None,)),
    ]:
        spec = table["matmul"].infer(Tensor(shape_a, "float32"), Tensor(shape_b, "float32"))
        assert spec.shape == expected


def test_strides(rng):
    a, b = rng.standard_normal((6, 10))[::2, ::-1], rng.standard_normal((5, 10)).T
    assert np.allclose(matmul(a, b), a @ b)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda a: matmul(a, a), "inner sizes differ, 3 and 2"),
        (lambda a: matmul(a, a[0, 0]), r"expected a matrix or a vector on the right.*\(\)"),
        (
            lambda a: matmul(a, a[0], transpose_b=True),
            "a matrix on the right to transpose",
        ),
        (lambda a: matmul(a[0], a, transpose_a=True), "a matrix on the left to transpose"),
        (lambda a: matmul(a[None] + a[:, :1, None], a.T[None].repeat(3, 0)), "broadcast"),
        (lambda a: ops.dense(a, a), "expected input of shape"),
        (lambda a: ops.dense(a, a.T, np.zeros(3)), "expected a bias of shape"),
        (lambda a: matmul(a, a.T, out=np.zeros((1, 1))), "expected out of shape"),
    ],
)
def test_bad_shapes(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((2, 3)))
