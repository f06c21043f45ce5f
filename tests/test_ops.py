"""Every op of the table: the native kernel against the oracle in float64."""

import numpy as np
import pytest

import dlnative
from dlnative import reference
from dlnative.graph import table
from dlnative.graph.ops.activations import ACTIVATIONS
from dlnative.graph.ops.losses import LOSSES
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")
SIZES = (0, 1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100, 1021)


def close(result, expected, dtype, ulps, scale=0.0):
    """Within `ulps` of the exact value, or of `scale` where cancellation makes that the unit."""
    eps = np.finfo(dtype).eps
    expected = np.asarray(expected, "float64")
    error = np.abs(np.asarray(result, "float64") - expected)
    limit = ulps * eps * np.maximum(np.abs(expected), scale) + np.finfo(dtype).tiny
    same = (result == expected) | (np.isnan(result) & np.isnan(expected))
    assert (same | (error <= limit)).all(), (error / limit)[~same].max()


def test_the_table_is_complete():
    """Every row has a kernel and an oracle of its name, and every kernel has a row."""
    from dlnative import _core

    kernels = set(_core.op_names())
    own = {name for name, op in table.items() if not (op.view or op.calls_python)}
    assert own <= kernels
    assert kernels <= {*table, "loop"}  # which only plans make
    for name in table:
        assert callable(getattr(reference, name)), name


ACTIVATION_CASES = [
    ("linear", {}),
    ("relu", {}),
    ("relu", {"max_value": 1.5}),
    ("relu", {"negative_slope": 0.1, "threshold": 0.5}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.01}),
    ("elu", {}),
    ("elu", {"alpha": 0.5}),
    ("selu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("sigmoid", {}),
    ("hard_sigmoid", {}),
    ("tanh", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("exponential", {}),
    ("step", {}),
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name, attributes", ACTIVATION_CASES)
def test_activations(isa, rng, name, attributes, dtype):
    special = np.array(
        [0.0, -0.0, 1e-20, -1e-20, 1e4, -1e4, np.inf, -np.inf, np.nan, 30, -30, 88, -88]
    )
    for n in SIZES:
        x = np.concatenate([3 * rng.standard_normal(n), special[: n // 4]]).astype(dtype)
        dy = rng.standard_normal(x.size).astype(dtype)
        with np.errstate(all="ignore"):
            expected = getattr(reference, name)(x.astype("float64"), **attributes)
            y = getattr(ops, name)(x, **attributes)
            # gelu and silu cancel near their zeros: the unit is that of their terms.
            close(
                y,
                expected,
                dtype,
                8,
                scale=1e-2 if name in ("gelu", "silu", "elu", "selu") else 0.0,
            )
            finite = np.isfinite(x) & (np.abs(x) < 1e3)
            x, dy = x[finite], dy[finite]
            y = getattr(ops, name)(x, **attributes)
            saved = x if ACTIVATIONS[name].saves_of(attributes) == "input" else y
            exact = getattr(reference, name + "_backward")(
                dy.astype("float64"), saved.astype("float64"), **attributes
            )
            dx = getattr(ops, name + "_backward")(dy, saved, **attributes)
            # gelu' has the term x (1 + 0.13 x^2) (1 - tanh^2): its last factor's error is absolute.
            condition = 1 + np.abs(x) + 0.2 * np.abs(x) ** 3 if name == "gelu" else 1.0
            close(dx, exact, dtype, 16, scale=np.abs(dy) * condition)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape, axis",
    [((4, 10), -1), ((3, 1), -1), ((5, 7), 0), ((2, 33, 4), 1), ((6, 1000), 1), ((0, 3), -1)],
)
def test_softmax(isa, rng, shape, axis, dtype):
    x = (5 * rng.standard_normal(shape)).astype(dtype)
    dy = rng.standard_normal(shape).astype(dtype)
    n = shape[axis]
    for name in ("softmax", "log_softmax"):
        y = getattr(ops, name)(x, axis=axis)
        close(
            y,
            getattr(reference, name)(x.astype("float64"), axis=axis),
            dtype,
            8 + n,
            scale=1.0 if "log" in name else 0,
        )
        dx = getattr(ops, name + "_backward")(dy, y, axis=axis)
        exact = getattr(reference, name + "_backward")(
            dy.astype("float64"), y.astype("float64"), axis=axis
        )
        close(dx, exact, dtype, 8 + n, scale=np.abs(dy).sum(axis=axis, keepdims=True) if n else 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "maximum", "minimum"])
@pytest.mark.parametrize(
    "a, b",
    [
        ((17,), (17,)),
        ((4, 5), (5,)),
        ((4, 5), (4, 1)),
        ((3, 1, 7), (2, 1)),
        ((), (9,)),
        ((2, 33), ()),
        ((0, 3), (3,)),
    ],
)
def test_binary(isa, rng, name, a, b, dtype):
    x, y = rng.standard_normal(a).astype(dtype), rng.standard_normal(b).astype(dtype)
    result = getattr(ops, name)(x, y)
    assert result.dtype == dtype and (result == getattr(reference, name)(x, y)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape, axis",
    [
        ((17,), None),
        ((4, 9), 0),
        ((4, 9), -1),
        ((3, 4, 5), (0, 2)),
        ((3, 4, 5), 1),
        ((1, 1000), None),
    ],
)
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions(isa, rng, shape, axis, keepdims, dtype):
    x = rng.standard_normal(shape).astype(dtype)
    wide = x.astype("float64")
    for name in ("sum", "mean", "max", "min"):
        expected = getattr(reference, name)(wide, axis=axis, keepdims=keepdims)
        result = getattr(ops, name)(x, axis=axis, keepdims=keepdims)
        assert result.shape == expected.shape
        close(result, expected, dtype, 2 + x.size, scale=np.abs(wide).sum() / x.size)
    if not isinstance(axis, tuple) and axis is not None:
        assert (ops.argmax(x, axis=axis) == np.argmax(x, axis=axis)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_shapes(rng, dtype):
    x, y = (
        rng.standard_normal((3, 4, 5)).astype(dtype),
        rng.standard_normal((3, 2, 5)).astype(dtype),
    )
    assert (ops.concatenate(x, y, axis=1) == np.concatenate([x, y], 1)).all()
    assert (ops.concatenate(x, x, axis=-1) == np.concatenate([x, x], -1)).all()
    assert (ops.slice(x, axis=1, start=1, stop=3) == x[:, 1:3]).all()
    assert (ops.transpose(x, axes=(2, 0, 1)) == x.transpose(2, 0, 1)).all()
    assert (
        ops.broadcast_to(x[:, :1], shape=(3, 4, 5)) == np.broadcast_to(x[:, :1], (3, 4, 5))
    ).all()
    assert (ops.reshape(x, shape=(12, 5)) == x.reshape(12, 5)).all()
    assert (ops.rescale(x, scale=2.0, offset=-1.0) == x * x.dtype.type(2) - x.dtype.type(1)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("classes", [1, 2, 3, 8, 10, 17, 100])
@pytest.mark.parametrize("rows", [1, 5, 33])
@pytest.mark.parametrize("name", list(LOSSES))
def test_losses(isa, rng, name, rows, classes, dtype):
    op = LOSSES[name]
    pred = rng.standard_normal((rows, classes)).astype(dtype) * 3
    if "logits" not in name and "softmax" not in name and "mean" not in name:
        pred = ops.softmax(pred) if "categorical" in name else ops.sigmoid(pred)
    if op.sparse:
        labels = rng.integers(0, classes, rows).astype("int32")
    else:
        labels = (
            ops.softmax(rng.standard_normal((rows, classes)).astype(dtype))
            if "mean" not in name
            else pred + 1
        )
    wide = labels if op.sparse else labels.astype("float64")
    weight = rng.random(rows).astype(dtype)
    for attributes in [{}, {"label_smoothing": 0.1}] if op.smoothing else [{}]:
        losses = getattr(ops, name)(pred, labels, **attributes)
        exact = getattr(reference, name)(pred.astype("float64"), wide, **attributes)
        size = np.abs(pred).max() + 20
        close(losses, exact, dtype, 8 + 2 * classes, scale=size)
        dloss = rng.standard_normal(rows).astype(dtype)
        dpred = getattr(ops, name + "_backward")(dloss, pred, labels, **attributes)
        exact_d = getattr(reference, name + "_backward")(
            dloss.astype("float64"), pred.astype("float64"), wide, **attributes
        )
        spread = np.abs(exact_d).max(axis=-1, keepdims=True) + np.abs(dloss)[:, None]
        close(dpred, exact_d, dtype, 16 + 2 * classes, scale=spread)
        for w in (None, weight):
            total, d = getattr(ops, name + "_with_gradient")(
                pred, labels, w, scale=0.5, **attributes
            )
            rows_weight = np.ones(rows) if w is None else w.astype("float64")
            close(
                total,
                0.5 * (exact * rows_weight).sum(),
                dtype,
                8 + 2 * classes + rows,
                scale=rows * size,
            )
            seed = (0.5 * rows_weight).astype(dtype)
            again = getattr(ops, name + "_backward")(seed, pred, labels, **attributes)
            close(d, again, dtype, 4, scale=np.abs(again).max())


def test_large_logits_stay_finite(isa):
    logits = np.array([[1e4, -1e4, 0.0]], "float32")
    for labels in ([0], [1]):
        total, d = ops.sparse_softmax_cross_entropy_with_gradient(logits, np.array(labels, "int32"))
        assert np.isfinite(total) and np.isfinite(d).all()
    assert ops.sparse_softmax_cross_entropy(logits, np.array([1], "int32"))[0] == 2e4


@pytest.mark.parametrize("label", [-1, 3])
def test_labels_out_of_range(label):
    with pytest.raises(ValueError, match=r"expected labels in \[0, 3\)"):
        ops.sparse_softmax_cross_entropy(np.zeros((1, 3)), np.array([label]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_accuracies(isa, rng, dtype):
    for classes in (2, 3, 10, 33):
        pred = rng.standard_normal((21, classes)).astype(dtype)
        sparse = rng.integers(0, classes, 21).astype("int32")
        one_hot = np.eye(classes, dtype=dtype)[sparse]
        expected = reference.sparse_categorical_accuracy(pred, sparse)
        assert (ops.sparse_categorical_accuracy(pred, sparse) == expected).all()
        assert (ops.categorical_accuracy(pred, one_hot) == expected).all()
        assert np.allclose(
            ops.binary_accuracy(pred, one_hot, threshold=0.25),
            reference.binary_accuracy(pred, one_hot, threshold=0.25),
        )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 5, 33, 70001])
def test_optimizers(isa, rng, n, dtype):
    """Five steps of each optimizer with each option."""
    rate, share, decay = np.array(0.01), np.array(0.9), np.array(0.1)
    betas = [np.array(0.9), np.array(0.999), np.array(1e-7)]
    cases = [
        ("sgd", [None], lambda t: (rate, None, None), {}),
        ("sgd", [0], lambda t: (rate, share, None), {}),
        ("sgd", [0], lambda t: (rate, share, None), {"nesterov": True}),
        ("sgd", [None], lambda t: (rate, None, decay), {}),
        ("adam", [0, 0, None], lambda t: (rate, *betas, np.array(t), None), {}),
        ("adam", [0, 0, 0], lambda t: (rate, *betas, np.array(t), decay), {}),
    ]
    for name, slots, numbers, attributes in cases:
        arrays = [rng.standard_normal(n), *(None if s is None else np.zeros(n) for s in slots)]
        state = [None if a is None else a.astype(dtype) for a in arrays]
        wide = [None if a is None else a.astype("float64") for a in state]
        for t in range(5):
            grad = rng.standard_normal(n).astype(dtype)
            found = getattr(ops, name)(*state, grad, *numbers(t), **attributes)
            wanted = getattr(reference, name)(
                *wide, grad.astype("float64"), *numbers(t), **attributes
            )
            found = iter(found if isinstance(found, tuple) else (found,))
            wanted = iter(wanted if isinstance(wanted, tuple) else (wanted,))
            state = [None if a is None else next(found) for a in state]
            wide = [None if a is None else next(wanted) for a in wide]
            for a, w in zip(state, wide):
                if a is not None:
                    close(a, w, dtype, 24 * (t + 1), scale=1e-2)


def test_dropout_mask_is_the_oracles(isa, rng):
    for n in (1, 3, 4, 5, 31, 4096, 70001):
        x = rng.standard_normal(n).astype("float32") + 10
        for step in (0, 1, 2**33 + 5):
            attributes = {"seed": 2**63 + 12345, "op_id": 7, "step": step}
            y, expected = ops.dropout(x, 0.3, **attributes), reference.dropout(x, 0.3, **attributes)
            assert ((y == 0) == (expected == 0)).all()
            close(y, expected, "float32", 2)


def test_accumulate_mean_and_assign(rng):
    values = rng.random(10).astype("float32")
    state = ops.accumulate_mean(np.zeros(2), values)
    state = ops.accumulate_mean(state, values, np.full(10, 2, "float32"))
    assert np.allclose(state, [3 * values.sum(), 30])
    target, source = np.zeros(3, "float32"), np.arange(3, dtype="float32")
    ops.assign(target, source, np.array(False))
    assert (target == 0).all()
    ops.assign(target, source)
    assert (target == source).all()


def test_global_norm(isa, rng):
    g = rng.standard_normal(1000).astype("float32")
    norm = np.sqrt((g.astype("float64") ** 2).sum())
    total = ops.global_norm(g, g[:10])
    assert np.isclose(total, np.sqrt(norm**2 + (g[:10].astype("float64") ** 2).sum()))


@pytest.mark.parametrize("rate", [np.nan, np.inf, -1.0])
def test_rates_that_are_none(rate):
    with pytest.raises(ValueError, match="the rate is .*: expected a finite number, 0 or greater"):
        ops.checked_rate(np.array(rate), what="the rate")


@pytest.mark.parametrize(
    "name, n", [("tanh", 300_000), ("softmax", 3_000), ("sum", 500_001), ("gelu", 200_003)]
)
def test_same_bits_for_any_number_of_threads(threads, rng, name, n):
    x = rng.standard_normal((n, 11) if name == "softmax" else n).astype("float32")
    results = set()
    for count in (1, 2, 3):
        threads(count)
        results.add(np.asarray(getattr(ops, name)(x)).tobytes())
    assert len(results) == 1


def test_integers_and_other_dtypes_are_converted():
    assert ops.sigmoid([-1, 2]).dtype == ops.relu([-1, 2]).dtype == "float32"
    assert dlnative.ops.sigmoid([-1, 2]).dtype == "float32"
    assert dlnative.ops.relu([-1, 2]).dtype == "int32"
    assert ops.add(np.ones(2, "float32"), np.ones(2)).dtype == "float64"
    assert ops.tanh(np.ones(2, "float16")).dtype == "float32"
    with pytest.raises(TypeError, match="expected numbers"):
        ops.relu(np.array(["a"]))
    with pytest.raises(AttributeError, match="relu"):
        _ = ops.rellu
    with pytest.raises(AttributeError, match=r"no op 'expp'\. Did you mean 'exp'"):
        _ = dlnative.ops.expp


def test_arrays_of_any_layout(rng):
    """Other byte orders, strides and subclasses give what plain arrays give."""
    x = rng.standard_normal((6, 8)).astype("float32")
    expected = ops.tanh(x)
    wide = np.empty((12, 16), "float32")
    wide[::2, ::2] = x
    for same in (x.astype(">f4"), wide[::2, ::2], np.asfortranarray(x), x.view(np.matrix)):
        result = ops.tanh(same)
        assert type(result) is np.ndarray and result.dtype == "float32"
        np.testing.assert_array_equal(result, expected)
