"""Normalisation: the native kernels against the oracle in float64, with derived bounds."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dlnative
from dlnative import reference
from dlnative.graph import table
from dlnative.ops import rows as ops

pytestmark = pytest.mark.native

DTYPES = ("float32", "float64")
CHANNELS = (1, 3, 16, 17, 64, 130)
ROWS = (1, 2, 255, 256, 257, 5000)
EPSILON = 1e-3
U64 = np.finfo("float64").eps / 2  # means are kept in float64


def draw(rng, shape, dtype, mean=0.0):
    return (mean + rng.standard_normal(shape)).astype(dtype)


def exact(*arrays):
    """The arrays in the precision that stands for exact."""
    return [None if a is None else a.astype("longdouble") for a in arrays]


def statistics(x, axes):
    mean = x.mean(axis=axes, keepdims=True)
    return mean, np.square(x - mean).mean(axis=axes, keepdims=True)


def assert_within(result, expected, bound):
    error = np.abs(result.astype("longdouble") - expected)
    assert result.shape == np.shape(expected)
    assert (error <= bound).all(), float((error / bound).max())


def normalized(x, gamma, beta, axes):
    """y, xhat, mean, variance and standard deviation."""
    mean, variance = statistics(x, axes)
    deviation = np.sqrt(variance + EPSILON)
    xhat = (x - mean) / deviation
    y = xhat if gamma is None else xhat * gamma
    return (y if beta is None else y + beta), xhat, mean, variance, deviation


def unit(dtype):
    return np.finfo(dtype).eps / 2


def deviations(rows):
    """How many roundings the sum of squared deviations of a block of at most 256 rows may show.

    The sum's own roundings (rows / 4 in a row at most, then a few), times (rows + 1) / rows for the
    part that the first row's deviation adds and the formula takes off again.
    """
    block = min(rows, 256)
    return (block / 4 + 16) * min(4 + block / 16, block + 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize("mean", [0.0, 1e4])
def test_batch_norm_training(isa, rng, rows, channels, mean, dtype):
    x, gamma, beta = draw(rng, (rows, channels), dtype, mean), *draw(rng, (2, channels), dtype)
    y, m, v = ops.batch_norm_training(x, gamma, beta, epsilon=EPSILON)
    x_, gamma_, beta_ = exact(x, gamma, beta)
    y_, xhat, m_, v_, deviation = normalized(x_, gamma_, beta_, 0)
    u = unit(dtype)
    assert m.dtype == v.dtype == y.dtype == dtype
    assert_within(m, m_[0], 2 * u * np.abs(m_[0]) + deviations(rows) * u * np.sqrt(v_[0]))
    variance_bound = deviations(rows) * u * v_[0] + np.finfo(dtype).tiny
    assert_within(v, v_[0], variance_bound)
    # xhat: one rounding of x - mean, the mean's error over the deviation, half the variance's.
    bound = deviations(rows) * u * (1 + np.abs(xhat)) + 4 * U64 * np.abs(m_) / deviation
    bound += 0.5 * np.abs(xhat) * variance_bound / (v_ + EPSILON)
    assert_within(y, y_, np.abs(gamma_) * bound + 4 * u * (np.abs(y_) + np.abs(beta_)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", [1, 2, 257, 1200])
@pytest.mark.parametrize(
    "activation, with_residual", [("relu", True), ("relu", False), (None, True)]
)
def test_fused_forward_equals_its_parts(isa, rng, rows, channels, activation, with_residual, dtype):
    """The same bits as one op after the other but for the rounding that fusing saves."""
    x, gamma, beta = draw(rng, (rows, channels), dtype), *draw(rng, (2, channels), dtype)
    residual = draw(rng, (rows, channels), dtype) if with_residual else None
    options = {"epsilon": EPSILON}
    y, mean, variance = ops.batch_norm_training(x, gamma, beta, **options)
    fused = ops.batch_norm_training(x, gamma, beta, residual, activation=activation, **options)
    given = ops.batch_norm(
        x, mean, variance, gamma, beta, residual, activation=activation, **options
    )
    assert (fused[1] == mean).all() and (fused[2] == variance).all()
    expected = y.astype("longdouble") + (residual if with_residual else 0)
    expected = np.maximum(expected, 0) if activation else expected
    bound = 16 * unit(dtype) * (np.abs(y) + np.abs(expected) + np.abs(beta) + 1)
    assert_within(fused[0], expected, bound)
    assert_within(given, expected, bound)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [3, 16, 130])
@pytest.mark.parametrize("blocks, rows", [(1, 5), (4, 64), (9, 200)])
def test_moments_stand_for_the_pass_over_x(isa, rng, channels, blocks, rows, dtype):
    x = draw(rng, (blocks * rows, channels), dtype, mean=1e3)
    parts = x.reshape(blocks, rows, channels).astype("longdouble")
    means = parts.mean(axis=1)
    squares = np.square(parts - means[:, None]).sum(axis=1)
    moments = np.stack([means, squares], axis=1).astype(dtype)
    y, m, v = ops.batch_norm_training(x, None, None, None, moments, epsilon=EPSILON)
    y_, m_, v_ = ops.batch_norm_training(x, epsilon=EPSILON)
    u = unit(dtype)
    assert_within(m, m_, 4 * u * np.abs(m_))
    # The means of the blocks were rounded: |mean| u in each, which adds its square to the variance.
    assert_within(v, v_, 200 * u * v_ + 4 * np.square(u * np.abs(m_)) + 4 * u * np.abs(m_) * 0.5)
    assert_within(y, y_, 400 * u * (1 + np.abs(y_)) + 8 * u * np.abs(m_))
    # They are what counts, not x.
    shifted = moments + np.array([[1.0], [0.0]], dtype)
    assert np.abs(ops.batch_norm_training(x, None, None, None, shifted)[1] - m - 1).max() < 1e-2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0.0, 7.0, 1e4, -3.3])
def test_a_constant_channel_has_no_variance(isa, value, dtype):
    for rows, channels in [(1, 3), (300, 16), (5000, 5), (3, 70)]:
        x = np.full((rows, channels), value, dtype)
        y, mean, variance = ops.batch_norm_training(x, None, np.full(channels, 2.0, dtype))
        assert (mean == x[0]).all() and (variance == 0).all() and (y == 2).all()
        assert np.abs(ops.layer_norm(x)).max() <= 1e-3 * abs(value) * np.finfo(dtype).eps * 1e5
        dx, dgamma, _dbeta = ops.batch_norm_training_backward(x, x, mean, variance)
        assert (dgamma == 0).all() and np.isfinite(dx).all()


def test_an_outlier_in_the_first_row(isa, rng):
    """Sums are taken from the first row; they stay accurate if that row is far from the others."""
    x = draw(rng, (256, 20), "float32")
    x[0] = 1e4
    _, mean, variance = ops.batch_norm_training(x)
    mean_, variance_ = (s[0] for s in statistics(x.astype("float64"), 0))
    assert (np.abs(mean - mean_) <= 1e-5 * np.sqrt(variance_)).all()
    np.testing.assert_allclose(variance, variance_, rtol=1e-3)


def backward_bound(rows, *terms):
    """Roundings of sums over rows in blocks of 256, times the sums of the terms' sizes."""
    return (min(rows, 256) / 4 + 24) * sum(np.abs(t) for t in terms)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(
    "relu, residual", [(False, False), (True, False), (True, True), (False, True)]
)
def test_batch_norm_training_backward(isa, rng, rows, channels, relu, residual, dtype):
    dy, x = draw(rng, (rows, channels), dtype), draw(rng, (rows, channels), dtype, 3.0)
    gamma = draw(rng, (channels,), dtype)
    saved = np.maximum(draw(rng, (rows, channels), dtype), 0) if relu else None
    _, mean, variance = ops.batch_norm_training(x, epsilon=EPSILON)
    results = ops.batch_norm_training_backward(
        dy,
        x,
        mean,
        variance,
        gamma,
        saved,
        epsilon=EPSILON,
        activation="relu" if relu else None,
        residual=residual,
    )
    assert len(results) == 3 + residual
    g, x_, mean_, variance_, gamma_ = exact(dy, x, mean, variance, gamma)
    g = np.where(saved > 0, g, 0) if relu else g
    deviation = np.sqrt(variance_ + EPSILON)
    xhat = (x_ - mean_) / deviation
    dbeta, dgamma = g.sum(axis=0), (g * xhat).sum(axis=0)
    dx = gamma_ / deviation * (g - dbeta / rows - xhat * dgamma / rows)
    u = unit(dtype)
    sizes = np.abs(g).sum(axis=0), np.abs(g * xhat).sum(axis=0)
    assert_within(results[2], dbeta, backward_bound(rows, sizes[0]) * u + 1e-30)
    assert_within(results[1], dgamma, backward_bound(rows, sizes[1]) * u + 1e-30)
    terms = (g, sizes[0] / rows, xhat * sizes[1] / rows)
    bound = np.abs(gamma_) / deviation * backward_bound(rows, *terms) * u
    assert_within(results[0], dx, bound + 1e-30)
    if residual:
        assert (results[3] == g).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("rows", [1, 2, 257, 5000])
def test_batch_norm_with_given_statistics(isa, rng, rows, channels, dtype):
    x, dy = draw(rng, (rows, channels), dtype, 2.0), draw(rng, (rows, channels), dtype)
    mean, gamma, beta = draw(rng, (3, channels), dtype)
    variance = rng.uniform(0.1, 2.0, channels).astype(dtype)
    u = unit(dtype)
    x_, dy_, mean_, variance_, gamma_, beta_ = exact(x, dy, mean, variance, gamma, beta)
    deviation = np.sqrt(variance_ + EPSILON)
    xhat = (x_ - mean_) / deviation
    y = ops.batch_norm(x, mean, variance, gamma, beta, epsilon=EPSILON)
    assert_within(y, xhat * gamma_ + beta_, 8 * u * (np.abs(xhat * gamma_) + np.abs(beta_)))
    dx, dgamma, dbeta = ops.batch_norm_backward(dy, x, mean, variance, gamma, epsilon=EPSILON)
    assert_within(dx, dy_ * gamma_ / deviation, 8 * u * np.abs(dy_ * gamma_ / deviation))
    sizes = np.abs(dy_).sum(axis=0), np.abs(dy_ * xhat).sum(axis=0)
    assert_within(dbeta, dy_.sum(axis=0), backward_bound(rows, sizes[0]) * u)
    assert_within(dgamma, (dy_ * xhat).sum(axis=0), backward_bound(rows, sizes[1]) * u)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize(
    "shape, axes",
    [
        ((1, 1), 1),
        ((5, 3), 1),
        ((257, 16), 1),
        ((33, 130), 1),
        ((2, 5, 17), 2),
        ((3, 4, 5, 7), 3),
        ((7, 5000), 1),
        ((40, 4099), 1),
    ],
)
def test_layer_norm(isa, rng, shape, axes, mean, dtype):
    x, dy = draw(rng, shape, dtype, mean), draw(rng, shape, dtype)
    gamma, beta = draw(rng, (2, *shape[-axes:]), dtype)
    y = ops.layer_norm(x, gamma, beta, axes=axes, epsilon=EPSILON)
    grads = ops.layer_norm_backward(dy, x, gamma, axes=axes, epsilon=EPSILON)
    last = tuple(range(len(shape) - axes, len(shape)))
    first = tuple(range(len(shape) - axes))
    check_sample_norm(x, dy, gamma, beta, y, grads, last, first, dtype)


def check_sample_norm(x, dy, gamma, beta, y, grads, axes, outer, dtype):
    """Statistics are over `axes`, gradients of gamma and beta are summed over `outer`."""

    def mean(v):
        return v.mean(axis=axes, keepdims=True)

    x, dy, gamma, beta = exact(x, dy, gamma, beta)
    y_, xhat, _, _, deviation = normalized(x, gamma, beta, axes)
    n = math.prod(x.shape[a] for a in axes)
    # Sums of a few accumulators: n / 16 additions in a row and a tree, in blocks.
    roundings = (min(n, 2048) / 16 + 32) * unit(dtype)
    shift = 4 * U64 * np.abs(mean(x)) / deviation  # of xhat, as the mean is rounded
    bound = roundings * (np.abs(gamma) * (1 + np.abs(xhat)) + np.abs(beta)) + shift * np.abs(gamma)
    assert_within(y, y_.reshape(y.shape), bound.reshape(y.shape) + 1e-30)
    g = dy * gamma
    dx = (g - mean(g) - xhat * mean(g * xhat)) / deviation
    sizes = np.abs(g) + mean(np.abs(g)) + (1 + np.abs(xhat)) * (1 + mean(np.abs(g * xhat)))
    bound = (4 * roundings + shift) * sizes / deviation
    assert_within(grads[0], dx.reshape(y.shape), bound.reshape(y.shape) + 1e-30)
    rows = math.prod(x.shape[a] for a in outer)
    for result, terms in ((grads[1], dy * xhat), (grads[2], dy)):
        expected = terms.sum(axis=outer).reshape(result.shape)
        size = np.abs(terms) + np.abs(dy)
        bound = backward_bound(rows, size) * unit(dtype) + (roundings + shift) * size
        assert_within(result, expected, bound.sum(axis=outer).reshape(result.shape) + 1e-30)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mean", [0.0, 1e4])
@pytest.mark.parametrize(
    "shape, groups",
    [
        ((2, 1), 1),
        ((3, 12), 4),
        ((2, 5, 7, 16), 4),
        ((3, 9, 17), 17),
        ((2, 16, 16, 64), 32),
        ((130, 4, 4, 6), 2),
        ((2, 48, 50, 66), 3),
        ((1, 300, 3), 1),
    ],
)
def test_group_norm(isa, rng, shape, groups, mean, dtype):
    x, dy = draw(rng, shape, dtype, mean), draw(rng, shape, dtype)
    gamma, beta = draw(rng, (2, shape[-1]), dtype)
    y = ops.group_norm(x, gamma, beta, groups=groups, epsilon=EPSILON)
    grads = ops.group_norm_backward(dy, x, gamma, groups=groups, epsilon=EPSILON)
    inner = (shape[0], math.prod(shape[1:-1]), groups, shape[-1] // groups)
    gamma, beta = gamma.reshape(inner[2:]), beta.reshape(inner[2:])
    x, dy = x.reshape(inner), dy.reshape(inner)
    check_sample_norm(x, dy, gamma, beta, y, grads, (1, 3), (0, 1), dtype)


def calls(rng, dtype, rows=600, channels=24):
    """Every op once, as (name, inputs, attributes)."""
    x, dy, other = (draw(rng, (rows // 6, 2, 3, channels), dtype) for _ in range(3))
    mean, gamma, beta = draw(rng, (3, channels), dtype)
    variance = rng.uniform(0.5, 2, channels).astype(dtype)
    saved = np.maximum(other, 0)
    relu = {"activation": "relu"}
    return [
        ("batch_norm", (x, mean, variance, gamma, beta, other), relu),
        ("batch_norm_backward", (dy, x, mean, variance, gamma), {}),
        ("batch_norm_training", (x, gamma, beta), {}),
        ("batch_norm_training", (x, gamma, beta, other), relu),
        ("batch_norm_training_backward", (dy, x, mean, variance, gamma), {}),
        (
            "batch_norm_training_backward",
            (dy, x, mean, variance, gamma, saved),
            {**relu, "residual": True},
        ),
        ("layer_norm", (x, gamma, beta), {}),
        ("layer_norm", (x, gamma + np.zeros_like(x[0]), None), {"axes": 3}),
        ("layer_norm_backward", (dy, x, gamma), {}),
        ("group_norm", (x, gamma, beta), {"groups": 4}),
        ("group_norm_backward", (dy, x, gamma), {"groups": 6}),
    ]


def run(name, inputs, attributes):
    results = getattr(ops, name)(*inputs, **attributes)
    return results if isinstance(results, tuple) else (results,)


def test_same_bits_for_any_number_of_threads(threads, rng):
    cases = calls(rng, "float32", rows=30000) + calls(rng, "float32", rows=252, channels=3000)
    for case in cases:
        seen = set()
        for count in (1, 2, 3, 5):
            threads(count)
            seen.add(b"".join(r.tobytes() for r in run(*case)))
        assert len(seen) == 1, case[0]


@pytest.mark.parametrize("channels", [1, 16, 17, 130])
def test_outputs_may_take_their_inputs_places(isa, rng, channels):
    """As the table's `inplace` says: the same bits."""
    from dlnative import _core

    for name, inputs, attributes in calls(rng, "float32", 612, channels * 12):
        op = table[name]
        copies = [None if a is None else a.copy() for a in inputs]
        expected = run(name, inputs, attributes)
        outputs = [np.empty_like(e) for e in expected]
        for output, source in op.inplace.items():
            if output < len(outputs):
                outputs[output] = copies[source]
        _core.execute(name, copies, outputs, attributes)
        for result, value in zip(outputs, expected):
            assert (result == value).all(), name


def test_margins_are_not_touched(isa, rng):
    """NaN around the arrays reaches no result, and nothing is written there."""
    from dlnative import _core

    def framed(a):
        if a is None:
            return None
        whole = np.full(a.size + 64, np.nan, a.dtype)
        whole[32 : 32 + a.size] = a.reshape(-1)
        return whole[32 : 32 + a.size].reshape(a.shape)

    for channels in (1, 3, 17, 33, 70, 1030):
        for name, inputs, attributes in calls(rng, "float32", 42, channels * 12):
            expected = run(name, inputs, attributes)
            outputs = [framed(np.zeros_like(e)) for e in expected]
            _core.execute(name, [framed(a) for a in inputs], outputs, attributes)
            for result, value in zip(outputs, expected):
                assert (result == value).all(), name
                base = result.base.reshape(-1)
                assert np.isnan(base[:32]).all() and np.isnan(base[32 + value.size :]).all(), name


def test_large_arrays_are_streamed_with_the_same_bits(isa, rng):
    """Outputs that no cache can hold are stored past the caches."""
    x = draw(rng, (368_643, 16), "float32")
    mean, gamma, beta = draw(rng, (3, 16), "float32")
    variance = np.ones(16, "float32")
    y = ops.batch_norm(x, mean, variance, gamma, beta, x, activation="relu")
    parts = [
        ops.batch_norm(part, mean, variance, gamma, beta, part, activation="relu")
        for part in np.array_split(x, 6)
    ]
    assert (y == np.concatenate(parts)).all()
    grads = ops.batch_norm_training_backward(x, x, mean, variance, gamma, y, activation="relu")
    both = ops.batch_norm_training_backward(
        x, x, mean, variance, gamma, y, activation="relu", residual=True
    )
    assert all((a == b).all() for a, b in zip(grads, both[:3]))
    assert (both[3] == np.where(y > 0, x, 0)).all()
    plain = ops.batch_norm_training_backward(x, x, mean, variance, gamma)
    both = ops.batch_norm_training_backward(x, x, mean, variance, gamma, residual=True)
    assert all((a == b).all() for a, b in zip((*plain, x), both, strict=True))
    y = ops.layer_norm(x, gamma)
    assert (
        y == np.concatenate([ops.layer_norm(part, gamma) for part in np.array_split(x, 6)])
    ).all()
    dx = ops.layer_norm_backward(y, x, gamma)[0]
    parts = zip(np.array_split(y, 6), np.array_split(x, 6), strict=True)
    assert (dx == np.concatenate([ops.layer_norm_backward(*p, gamma)[0] for p in parts])).all()


def test_moving_average(isa, rng):
    for n in (0, 1, 5, 130):
        state, value = draw(rng, (2, n), "float64")
        expected = reference.moving_average(state, value, 0.9)
        result = ops.moving_average(state, value, 0.9)
        np.testing.assert_allclose(result, expected, rtol=1e-15, atol=1e-16)
        assert (ops.moving_average(state, value, 0.0) == value).all()


def test_nothing_to_normalise(isa):
    empty, gamma = np.zeros((0, 2, 3), "float32"), np.ones(3, "float32")
    y, mean, variance = ops.batch_norm_training(empty, gamma)
    assert y.shape == empty.shape and (mean == 0).all() and (variance == 0).all()
    for grads in (
        ops.batch_norm_training_backward(empty, empty, mean, gamma),
        ops.batch_norm_backward(empty, empty, mean, gamma),
        ops.layer_norm_backward(empty, empty, gamma),
        ops.group_norm_backward(empty, empty, gamma, groups=3),
    ):
        assert grads[0].shape == empty.shape and (grads[1] == 0).all() and (grads[2] == 0).all()
    assert ops.layer_norm(empty).shape == ops.group_norm(empty, groups=1).shape == empty.shape


def test_the_engines_agree(rng):
    """Each native op against the oracle under the same name, in float64."""
    for name, inputs, attributes in calls(rng, "float64"):
        results = run(name, inputs, attributes)
        with dlnative.engine("numpy"):
            expected = run(name, inputs, attributes)
        for result, value in zip(results, expected, strict=True):
            assert result.dtype == value.dtype and result.shape == value.shape
            np.testing.assert_allclose(result, value, rtol=1e-10, atol=1e-11, err_msg=name)


def test_infinities_and_nan_stay_in_their_channel(isa, rng):
    x = draw(rng, (300, 20), "float32")
    x[7, 3], x[299, 17] = np.nan, np.inf
    y, mean, variance = ops.batch_norm_training(x)
    bad = np.isnan(y).any(axis=0)
    assert (np.flatnonzero(bad) == [3, 17]).all()
    assert np.isnan(mean[3]) and np.isnan(variance[[3, 17]]).all()
