"""Gamma, beta and binomial numbers: distributions, streams, both engines."""

from __future__ import annotations

import math

import numpy as np
import pytest

import dlnative
from dlnative import ops, random, reference
from dlnative.ops import rows

N = 20000
LIMIT = 1.95 / math.sqrt(N)  # of Kolmogorov and Smirnov's statistic, for a level of 0.001


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("alpha", [1e-2, 0.3, 0.999, 1.0, 2.5, 40.0, 1e6])
def test_gamma_has_its_distribution(alpha, engine):
    stats = pytest.importorskip("scipy.stats")
    with dlnative.engine(engine):
        sample = random.gamma((N,), alpha, dtype="float64", seed=5)
    assert stats.kstest(sample, stats.gamma(alpha).cdf).statistic < LIMIT


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize(("a", "b"), [(1e-2, 1e-2), (0.5, 3.0), (1.0, 1.0), (50.0, 2.0)])
def test_beta_has_its_distribution(a, b, engine):
    """Also where numbers of both gamma distributions underflow."""
    stats = pytest.importorskip("scipy.stats")
    with dlnative.engine(engine):
        sample = random.beta((N,), a, b, dtype="float64", seed=6)
    inside = (sample > 1e-15) & (sample < 1 - 1e-15)
    expected = stats.beta(a, b)
    between = expected.cdf(1 - 1e-15) - expected.cdf(1e-15)
    assert abs(inside.mean() - between) < 4 * math.sqrt(between * (1 - between) / N) + 1e-9
    low = (sample <= 1e-15).mean()
    below = expected.cdf(1e-15)
    assert abs(low - below) < 4 * math.sqrt(below * (1 - below) / N) + 1e-9
    cdf = lambda x: (expected.cdf(x) - below) / between  # noqa: E731
    assert stats.kstest(sample[inside], cdf).statistic < 1.95 / math.sqrt(inside.sum())


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize(
    ("n", "p"),
    [
        *((1, 0.3), (7, 0.5), (30, 0.05), (12, 0.9)),  # by inversion
        *((10**9, 1e-9), (2**50, 2.0**-49)),
        *((20, 0.5), (25, 0.4), (40, 0.3), (100, 0.9), (10**4, 0.002)),  # by rejection
    ],
)
def test_binomial_has_its_distribution(n, p, engine):
    """Pearson's statistic of the counts of all values of which enough are expected."""
    stats = pytest.importorskip("scipy.stats")
    with dlnative.engine(engine):
        sample = random.binomial((N,), n, p, dtype="float64", seed=7)
    assert ((sample >= 0) & (sample <= n) & (sample == np.floor(sample))).all()
    values, seen = np.unique(sample, return_counts=True)
    support = np.arange(values[0], values[-1] + 1)
    expected = N * stats.binom(n, p).pmf(support)
    observed = np.zeros(len(support))
    observed[(values - values[0]).astype(int)] = seen
    many = expected >= 10
    rest = N - expected[many].sum()
    statistic = ((observed - expected)[many] ** 2 / expected[many]).sum()
    if rest > 10:
        statistic += (observed[~many].sum() - rest) ** 2 / rest
    assert statistic < stats.chi2(many.sum()).ppf(0.9999)


@pytest.mark.parametrize(("n", "p"), [(10**6, 0.5), (10**12, 0.3), (2**53, 0.75)])
def test_binomial_of_large_counts(n, p):
    """Scaled they are normal up to about 1 / sqrt(n p (1 - p))."""
    stats = pytest.importorskip("scipy.stats")
    sample = random.binomial((N,), n, p, dtype="float64", seed=7)
    scaled = (sample - n * p) / math.sqrt(n * p * (1 - p))
    assert stats.kstest(scaled, stats.norm.cdf).statistic < LIMIT + 1e-3


def test_the_tests_of_distributions_tell_them_apart():
    stats = pytest.importorskip("scipy.stats")
    sample = random.gamma((N,), 2.5, dtype="float64", seed=5)
    assert stats.kstest(sample, stats.gamma(2.6).cdf).statistic > LIMIT


def test_certain_trials_and_none():
    counts = np.array([0, 5, 2**53, 9, 1000.0])
    np.testing.assert_array_equal(random.binomial((5,), counts, 0.0, "float64", 1), 0 * counts)
    np.testing.assert_array_equal(random.binomial((5,), counts, 1.0, "float64", 1), counts)


DRAWS = {
    "gamma": lambda shape, **o: random.gamma(shape, np.linspace(0.1, 3.0, shape[-1]), **o),
    "beta": lambda shape, **o: random.beta(shape, 0.5, np.linspace(0.1, 3.0, shape[-1]), **o),
    "binomial": lambda shape, **o: random.binomial(
        shape, np.arange(shape[-1]), np.linspace(0, 1, shape[-1]), **o
    ),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DRAWS)
def test_threads_and_engines_draw_the_same(name, dtype):
    results = []
    for threads in (1, 3):
        dlnative.config.set_num_threads(threads)
        results.append(DRAWS[name]((30, 1001), dtype=dtype, seed=11))
    np.testing.assert_array_equal(results[1], results[0])
    with dlnative.engine("numpy"):
        oracle = DRAWS[name]((30, 1001), dtype=dtype, seed=11)
    assert oracle.dtype == results[0].dtype == dtype
    np.testing.assert_allclose(results[0], oracle, rtol=3e-7 if dtype == "float32" else 1e-12)


@pytest.mark.parametrize("row", ["random_gamma", "random_binomial"])
def test_an_element_is_a_function_of_its_place(row):
    """Whatever the others need: elements of a longer array, and of another shape, are the same."""
    parameters = (np.array(0.7),) if row == "random_gamma" else (np.array(50.0), np.array(0.4))
    draw = getattr(rows, row)
    long = draw(*parameters, shape=(5000,), seed=3, op_id=2, step=4)
    np.testing.assert_array_equal(draw(*parameters, shape=(7,), seed=3, op_id=2, step=4), long[:7])
    square = draw(*parameters, shape=(50, 100), seed=3, op_id=2, step=4)
    np.testing.assert_array_equal(square.ravel(), long)
    full = draw(*(np.full(5000, p) for p in parameters), shape=(5000,), seed=3, op_id=2, step=4)
    np.testing.assert_array_equal(full, long)
    for change in ({"seed": 4}, {"op_id": 3}, {"step": 5}, {"step": 4 + 2**32}):
        other = draw(*parameters, shape=(5000,), **{"seed": 3, "op_id": 2, "step": 4, **change})
        assert abs(np.corrcoef(other, long)[0, 1]) < 4 / math.sqrt(5000)


def test_a_gamma_number_by_hand():
    """The first attempt of element 2 for alpha = 2, from its words."""
    w = reference.philox4x32([5 ^ 1, 0], [[2, 0, 9, 0]])[0].astype(object)
    u1 = ((w[0] >> 5) * 2**26 + (w[1] >> 6) + 0.5) / 2**53
    x = math.sqrt(-2 * math.log(u1)) * math.cos(2 * math.pi * (w[2] + 0.5) / 2**32)
    d = 2 - 1 / 3
    v = (1 + x / math.sqrt(9 * d)) ** 3
    assert math.log((w[3] + 0.5) / 2**32) < x * x / 2 + d * (1 - v + math.log(v))
    options = {"shape": (3,), "dtype": "float64", "seed": 5, "op_id": 1, "step": 9}
    for drawn in (rows.random_gamma, reference.random_gamma):
        assert drawn(np.array(2.0), **options)[2] == pytest.approx(d * v, rel=1e-13)


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_parameters_that_only_a_program_knows_give_nan(engine):
    class Draw(dlnative.layers.Layer):
        def call(self, x):
            return ops.concatenate(
                [
                    random.gamma(x.shape, x, seed=1),
                    random.beta(x.shape, 1.0, x, seed=1),
                    random.binomial(x.shape, 4, x, seed=1),
                    random.binomial(x.shape, x, 0.5, seed=1),
                ],
                axis=-1,
            )

    x = np.array([[-1.0, 0.5, np.nan]], "float32")
    with dlnative.engine(engine):
        drawn = Draw()(x)
    wrong = [True, False, True] * 3 + [True, True, True]
    np.testing.assert_array_equal(np.isnan(drawn[0]), wrong)


def test_functional_models_and_open_sizes():
    class Draw(dlnative.layers.Layer):
        def call(self, x):
            g = random.gamma(x.shape, np.array([0.5, 2.0, 9.0], "float32"), seed=1)
            return x + g + random.beta(x.shape, 0.5, 2.0) + random.binomial(x.shape, 4, 0.5)

    inputs = dlnative.Input((3,))
    model = dlnative.Model(inputs, Draw()(inputs))
    assert model.output_shape == (None, 3)
    x = np.zeros((500, 3), "float32")
    y = model.predict(x, verbose=0)
    assert (y > 0).all() and y[:, 2].mean() > y[:, 0].mean() + 5


def test_no_gradient_is_refused_by_name():
    def loss(a):
        return ops.sum(random.gamma((3,), a, seed=1))

    with pytest.raises(ValueError, match="op 'random_gamma' has no gradient"):
        dlnative.vjp(loss, np.ones(3, "float32"))[1](1.0)
