"""dlnative.random: distributions, seeds, and draws within programs."""

from __future__ import annotations

import math
import random as python_random

import numpy as np
import pytest

import dlnative
from dlnative import random, reference

N = 20000
LIMIT = 1.95 / math.sqrt(N)  # of Kolmogorov and Smirnov's statistic, for a level of 0.001


def normal_cdf(x, mean=0.0, stddev=1.0):
    return 0.5 * (1 + np.vectorize(math.erf)((x - mean) / stddev / math.sqrt(2)))


def truncated_cdf(x):
    low, high = normal_cdf(-2.0), normal_cdf(2.0)
    return np.clip((normal_cdf(x) - low) / (high - low), 0, 1)


def distance(sample, cdf):
    """The largest distance of the distribution of a sample from a distribution function."""
    expected = cdf(np.sort(sample.astype("float64")))
    steps = np.arange(len(sample) + 1) / len(sample)
    return max(np.abs(expected - steps[1:]).max(), np.abs(expected - steps[:-1]).max())


CONTINUOUS = {
    "uniform": (
        lambda **o: random.uniform((N,), -1.0, 3.0, **o),
        lambda x: (x + 1) / 4,
        1,
        16 / 12,
    ),
    "normal": (
        lambda **o: random.normal((N,), 2.0, 3.0, **o),
        lambda x: normal_cdf(x, 2.0, 3.0),
        2,
        9,
    ),
    "truncated_normal": (
        lambda **o: random.truncated_normal((N,), **o),
        truncated_cdf,
        0,
        1 - 4 * math.exp(-2) / math.sqrt(2 * math.pi) / math.erf(math.sqrt(2)),
    ),
    "gamma of 1": (lambda **o: random.gamma((N,), 1.0, **o), lambda x: 1 - np.exp(-x), 1, 1),
    "gamma of 2": (
        lambda **o: random.gamma((N,), 2.0, **o),
        lambda x: 1 - np.exp(-x) * (1 + x),
        2,
        2,
    ),
    "beta of 1": (
        lambda **o: random.beta((N,), 1.0, 3.0, **o),
        lambda x: 1 - (1 - x) ** 3,
        1 / 4,
        3 / 80,
    ),
    "beta of 2": (
        lambda **o: random.beta((N,), 2.0, 2.0, **o),
        lambda x: 3 * x**2 - 2 * x**3,
        1 / 2,
        1 / 20,
    ),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_distribution(name, dtype, engine):
    draw, cdf, mean, variance = CONTINUOUS[name]
    with dlnative.engine(engine):
        sample = draw(dtype=dtype, seed=5)
    assert sample.dtype == dtype
    assert distance(sample, cdf) < LIMIT
    sample = sample.astype("float64")
    assert abs(sample.mean() - mean) < 4 * math.sqrt(variance / N)
    fourth = np.mean((sample - mean) ** 4)
    assert abs(sample.var() - variance) < 4 * math.sqrt((fourth - variance**2) / N)


def test_the_test_of_distributions_tells_them_apart():
    sample = random.normal((N,), 0.0, 1.05, seed=5)
    assert distance(sample, normal_cdf) > LIMIT


def shares_agree(counts, shares):
    counts, shares = np.asarray(counts), np.asarray(shares)
    deviation = np.sqrt(counts.sum() * shares * (1 - shares))
    return (np.abs(counts - counts.sum() * shares) <= 4 * deviation).all()


def test_randint():
    sample = random.randint((N,), -2, 4, seed=3)
    assert shares_agree(np.bincount(sample + 2, minlength=6), np.full(6, 1 / 6))
    wide = random.randint((1000,), -(2**62), -(2**62) + 2**52, dtype="int64", seed=3)
    assert wide.min() >= -(2**62) and wide.max() < -(2**62) + 2**52
    assert len(np.unique(wide)) == 1000


def test_binomial():
    sample = random.binomial((N,), 4, 0.3, seed=3).astype(int)
    shares = [math.comb(4, k) * 0.3**k * 0.7 ** (4 - k) for k in range(5)]
    assert shares_agree(np.bincount(sample, minlength=5), shares)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_categorical(dtype):
    shares = np.array([[0.1, 0.2, 0.7], [0.5, 0.5, 0.0]])
    with np.errstate(divide="ignore"):
        logits = (np.log(shares) + [[3.0], [-5.0]]).astype(dtype)
    sample = random.categorical(logits, N, seed=4)
    assert sample.shape == (2, N)
    for row, expected in zip(sample, shares):
        assert shares_agree(np.bincount(row, minlength=3), expected)
    assert (sample[0] != sample[1]).any()


def test_dropout():
    x = np.full((200, 100), 3.0, "float32")
    y = random.dropout(x, 0.25, seed=4)
    assert shares_agree([(y == 0).sum(), (y == 4).sum()], [0.25, 0.75])
    rows = random.dropout(x, 0.25, (None, 1), seed=4)
    assert (rows == rows[:, :1]).all()
    assert shares_agree([(rows[:, 0] == 0).sum(), (rows[:, 0] == 4).sum()], [0.25, 0.75])


def test_dropped_values_need_not_be_finite():
    x = np.array([np.nan, np.inf] * 50, "float32")
    for noise_shape in (None, (1,)):
        kept = [random.dropout(x, 0.5, noise_shape, seed=s) for s in range(8)]
        assert any((y[::2] == 0).any() for y in kept)
        assert all(np.isnan(y[::2][y[::2] != 0]).all() for y in kept)


@pytest.mark.parametrize("noise_shape", [None, (4, 1)])
def test_the_gradient_of_dropout_has_its_mask(noise_shape):
    x = np.ones((4, 50), "float32")
    y, pullback = dlnative.vjp(lambda t: random.dropout(t, 0.5, noise_shape, seed=2), x)
    (dx,), _ = pullback(np.full_like(x, 3.0))
    assert set(np.unique(y).tolist()) == {0.0, 2.0}
    np.testing.assert_array_equal(dx, 3 * y)


def test_shuffle():
    x = np.arange(6000).reshape(3, 1000, 2)
    y = random.shuffle(x, axis=1, seed=7)
    np.testing.assert_array_equal(np.sort(y, axis=1), x)
    assert (y[0, :, 0] - x[0, :, 0] != y[1, :, 1] - x[1, :, 1]).any()
    orders = [tuple(random.shuffle(np.arange(3), seed=s)) for s in range(1200)]
    counts = [orders.count(order) for order in sorted(set(orders))]
    assert shares_agree(counts, np.full(6, 1 / 6))


# --- seeds ----------------------------------------------------------------------------------------

DRAWS = {
    "uniform": lambda **o: random.uniform((40,), **o),
    "normal": lambda **o: random.normal((40,), **o),
    "truncated_normal": lambda **o: random.truncated_normal((40,), **o),
    "randint": lambda **o: random.randint((40,), 0, 10**6, **o),
    "gamma": lambda **o: random.gamma((40,), 0.5, **o),
    "beta": lambda **o: random.beta((40,), 0.5, 2.0, **o),
    "binomial": lambda **o: random.binomial((40,), 10**6, 0.5, **o),
    "categorical": lambda **o: random.categorical(np.zeros((1, 1000), "float32"), 40, **o),
    "dropout": lambda **o: random.dropout(np.ones(40, "float32"), 0.5, **o),
    "shuffle": lambda **o: random.shuffle(np.arange(40), **o),
    "elastic_transform": lambda **o: dlnative.ops.image.elastic_transform(
        np.arange(25.0, dtype="float32").reshape(5, 5, 1), **o
    ),
}


@pytest.mark.parametrize("name", DRAWS)
def test_seeds(name):
    def same(a, b):
        return np.array_equal(a, b)

    draw = DRAWS[name]
    assert same(draw(seed=3), draw(seed=3))
    assert not same(draw(seed=3), draw(seed=4))
    assert not same(draw(seed=3), draw(seed=3 + 2**32))
    first, second = (random.SeedGenerator(3) for _ in range(2))
    drawn = [draw(seed=first) for _ in range(3)]
    assert same(drawn[0], draw(seed=3))
    assert not same(drawn[0], drawn[1]) and not same(drawn[1], drawn[2])
    assert all(same(d, draw(seed=second)) for d in drawn)
    assert first.state.numpy().tolist() == [3, 3]
    random.set_random_seed(9)
    from_global = [draw() for _ in range(2)]
    assert not same(*from_global)
    random.set_random_seed(9)
    assert all(same(d, draw()) for d in from_global)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_engines_draw_the_same_bits(dtype):
    results = []
    for threads in (1, 3):
        dlnative.config.set_num_threads(threads)
        results.append(random.uniform((3, 50001), dtype=dtype, seed=11))
    with dlnative.engine("numpy"):
        results.append(random.uniform((3, 50001), dtype=dtype, seed=11))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
    assert len(np.unique(results[0])) > 0.98 * results[0].size


def test_uniform_numbers_by_hand():
    words = reference.philox4x32([5 ^ 1, 0], [[0, 0, 2, 0]])[0].astype(object)
    single = reference.random_uniform(shape=(3,), dtype="float32", seed=5, op_id=1, step=2)
    assert single.tolist() == [(w >> 8) / 2**24 for w in words[:3]]
    double = reference.random_uniform(shape=(2,), dtype="float64", seed=5, op_id=1, step=2)
    pairs = (words[:2], words[2:])
    assert double.tolist() == [((a >> 5) * 2**26 + (b >> 6)) / 2**53 for a, b in pairs]


def test_uniform_does_not_reach_its_bound():
    y = random.uniform((200000,), 4096.0, 4097.0, seed=1)
    assert y.min() >= 4096 and y.max() < 4097


def from_all_generators():
    """A number of Python's generator, of NumPy's, and a seed of the package's."""
    return python_random.random(), np.random.random(), random.next_seed()  # noqa: NPY002


@pytest.mark.parametrize("set_seed", [dlnative.utils.set_random_seed, dlnative.config.set_seed])
def test_the_global_seed_is_that_of_python_and_numpy_too(set_seed):
    set_seed(7)
    of_python, of_numpy, _ = from_all_generators()
    assert of_python == python_random.Random(7).random()
    assert of_numpy == np.random.RandomState(7).random_sample()


@pytest.mark.parametrize("seed", [-1, 2**32, 2**64, 1.0, True, "1", None])
def test_a_seed_that_numpy_does_not_take_changes_nothing(seed):
    random.set_random_seed(7)
    expected = from_all_generators()
    random.set_random_seed(7)
    with pytest.raises(ValueError, match=r"expected an integer in \[0, 2\*\*32\), received"):
        random.set_random_seed(seed)
    assert from_all_generators() == expected
    random.set_random_seed(np.int64(2**32 - 1))


def test_seed_generator():
    seeds = random.SeedGenerator(2**64 - 1, name="mine")
    assert seeds.get_config() == {"seed": 2**64 - 1, "name": "mine"}
    again = random.SeedGenerator.from_config(seeds.get_config())
    assert np.array_equal(random.normal((3,), seed=seeds), random.normal((3,), seed=again))
    random.set_random_seed(1)
    first = random.SeedGenerator().state.numpy()
    random.set_random_seed(1)
    assert np.array_equal(first, random.SeedGenerator().state.numpy())


# --- programs -------------------------------------------------------------------------------------


class Noise(dlnative.layers.Layer):
    """x + noise."""

    def __init__(self, draw):
        super().__init__()
        self.draw = draw

    def call(self, x):
        return x + self.draw(x)


IN_PROGRAMS = {
    "uniform": lambda x, **o: random.uniform(x.shape, **o),
    "normal": lambda x, **o: random.normal(x.shape, 1.0, 2.0, **o),
    "truncated_normal": lambda x, **o: random.truncated_normal(x.shape, **o),
    "randint": lambda x, **o: dlnative.ops.cast(random.randint(x.shape, 0, 99999, **o), "float32"),
    "gamma": lambda x, **o: random.gamma(x.shape, 0.5, **o),
    "gamma of tensors": lambda x, **o: random.gamma(x.shape, x[:, :1] + 0.5, **o),
    "beta": lambda x, **o: random.beta(x.shape, 2.0, np.full(10, 0.5), **o),
    "binomial": lambda x, **o: random.binomial(x.shape, 10**6, 0.25, **o),
    "categorical": lambda x, **o: random.categorical(x * 0, 9, **o)[:, :1] * 1.0,
    "dropout": lambda x, **o: random.dropout(x, 0.5, **o),
    "shuffle": lambda x, **o: random.shuffle(x, **o),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", IN_PROGRAMS)
def test_programs_draw_anew_at_each_step(name, engine):
    draw = IN_PROGRAMS[name]
    x = np.arange(60, dtype="float32").reshape(6, 10)
    with dlnative.engine(engine):
        for seed in (None, random.SeedGenerator(1)):
            layer = Noise(lambda t, seed=seed: draw(t, seed=seed))
            results = [layer(x) for _ in range(3)]
            assert not np.array_equal(results[0], results[1])
            assert not np.array_equal(results[1], results[2])
        layer = Noise(lambda t: draw(t, seed=3))
        results = [layer(x) for _ in range(2)]
        assert np.array_equal(results[0], results[1])
        np.testing.assert_allclose(results[0], layer.draw(x) + x, rtol=1e-6)


def test_draws_of_one_program_are_independent():
    seeds = random.SeedGenerator(1)
    layer = Noise(
        lambda x: random.normal((20000,), seed=seeds) * random.normal((20000,), seed=seeds)
    )
    assert abs(layer(np.zeros(20000, "float32")).mean()) < 4 / math.sqrt(20000)


def test_noise_in_training_is_the_same_for_both_engines_and_any_threads():
    losses = []
    for engine, threads in (("native", 1), ("native", 3), ("numpy", 1)):
        dlnative.config.set_num_threads(threads)
        random.set_random_seed(4)
        with dlnative.engine(engine):
            seeds = random.SeedGenerator(2)
            model = dlnative.Sequential(
                [
                    dlnative.Input((3,)),
                    Noise(lambda x, seeds=seeds: random.normal(x.shape, seed=seeds)),
                    dlnative.layers.Dense(1),
                ]
            )
            model.compile("sgd", "mse")
            x = np.arange(24, dtype="float32").reshape(8, 3) / 24
            history = model.fit(x, x[:, :1], epochs=3, batch_size=4, verbose=0)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]
    np.testing.assert_allclose(losses[0], losses[2], rtol=1e-5)
    assert len(set(losses[0])) == 3


def test_elastic_transform_as_a_layer():
    inputs = dlnative.Input((8, 9, 2))
    model = dlnative.Model(inputs, dlnative.ops.image.elastic_transform(inputs, sigma=1.0))
    x = np.random.default_rng(0).random((3, 8, 9, 2)).astype("float32")
    first, second = model(x), model(x)
    assert first.shape == x.shape
    assert not np.array_equal(first, second)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: random.uniform((2,), seed=True), "uniform: expected seed to be an integer"),
        (lambda: random.normal((2,), seed=1.5), "normal: expected seed to be an integer"),
        (lambda: random.SeedGenerator("a"), "SeedGenerator: expected seed to be an integer"),
        (lambda: random.normal((2,), dtype="int32"), "normal: expected a float dtype"),
        (lambda: random.normal((2,), np.zeros(3)), "expected mean to broadcast to shape"),
        (lambda: random.randint((2,), 0, 5, "float32"), "randint: expected an integer dtype"),
        (lambda: random.randint((2,), 5, 5), "randint: expected minval < maxval"),
        (lambda: random.randint((2,), 0, 2**53, "int64"), "fewer than 2"),
        (lambda: random.randint((2,), 0, 257, "uint8"), "within uint8"),
        (lambda: random.gamma((2,), 0.0), "gamma: expected alpha above 0"),
        (lambda: random.beta((2,), 1.0, -1.0), "beta: expected beta above 0"),
        (lambda: random.beta((2,), 1.0, np.ones(3)), "expected beta to broadcast"),
        (lambda: random.binomial((2,), 1.5, 0.5), "binomial: expected counts to be whole"),
        (lambda: random.binomial((2,), 3, 1.5), "binomial: expected probabilities in"),
        (lambda: random.categorical(np.zeros(3), 2), "categorical: expected logits of shape"),
        (lambda: random.categorical(np.zeros((2, 3)), -1), "num_samples of at least 0"),
        (lambda: random.dropout(np.zeros(3), 1.5), "dropout: expected rate to be a number"),
        (lambda: random.dropout(np.zeros((3, 2)), 0.5, (1,)), "a size for each axis"),
        (lambda: random.shuffle(np.zeros(3), 1), "shuffle: axis 1 is out of range"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
