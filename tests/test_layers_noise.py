"""AlphaDropout, GaussianDropout and GaussianNoise: moments, seeds, threads, files, gradients."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers, saving

COUNT = 400_000
MAKERS = {
    "alpha": lambda seed=1: layers.AlphaDropout(0.3, seed=seed),
    "alpha shared": lambda seed=1: layers.AlphaDropout(0.3, noise_shape=(None, 1), seed=seed),
    "dropout": lambda seed=1: layers.GaussianDropout(0.3, seed=seed),
    "noise": lambda seed=1: layers.GaussianNoise(0.3, seed=seed),
}


def drawn(layer, x):
    return layer(x, training=True).astype("float64")


def normal(*shape):
    return np.random.default_rng(5).standard_normal(shape).astype("float32")


def errors_of_moments(e):
    """Mean, variance, skewness and excess of e, in standard errors of a normal sample."""
    n, z = e.size, (e - e.mean()) / e.std()
    return np.array(
        [
            e.mean() * math.sqrt(n),
            (e.var() - 1) * math.sqrt(n / 2),
            (z**3).mean() * math.sqrt(n / 6),
            ((z**4).mean() - 3) * math.sqrt(n / 24),
        ]
    )


def test_gaussian_noise_is_normal(engine):
    x = normal(COUNT // 4, 4)
    e = (drawn(layers.GaussianNoise(0.25, seed=2), x) - x) / 0.25
    assert np.abs(errors_of_moments(e)).max() < 5
    assert abs(np.corrcoef(e[:, 0], e[:, 1])[0, 1]) < 5 / math.sqrt(len(e))


def test_gaussian_dropout_multiplies_by_normal_numbers(engine):
    x = np.full(COUNT, 2.0, "float32")
    for rate in (0.1, 0.5, 0.9):
        e = (drawn(layers.GaussianDropout(rate, seed=2), x) / x - 1) / math.sqrt(rate / (1 - rate))
        assert np.abs(errors_of_moments(e)).max() < 5


@pytest.mark.parametrize("rate", [0.05, 0.5, 0.9])
def test_alpha_dropout_keeps_mean_and_variance(engine, rate):
    x = normal(COUNT)
    y = drawn(layers.AlphaDropout(rate, seed=2), x)
    least, counts = np.unique(y, return_counts=True)
    share = counts.max() / COUNT
    assert abs(share - rate) < 5 * math.sqrt(rate * (1 - rate) / COUNT)
    prime = -1.6732632423543772 * 1.0507009873554805
    a = ((1 - rate) * (1 + rate * prime**2)) ** -0.5
    b = -a * prime * rate
    np.testing.assert_allclose(least[counts.argmax()], a * prime + b, rtol=1e-6)
    kept = y != least[counts.argmax()]
    np.testing.assert_allclose(y[kept], a * x[kept] + b, rtol=1e-5, atol=1e-6)
    spread = math.sqrt((y**4).mean() / COUNT)
    assert abs(y.mean()) < 5 / math.sqrt(COUNT)
    assert abs(y.var() - 1) < 5 * spread


def test_alpha_dropout_drops_along_an_axis_together(engine):
    x = normal(500, 20)
    y = drawn(layers.AlphaDropout(0.5, noise_shape=(None, 1), seed=3), x)
    dropped = y == y[:, :1]
    assert np.array_equal(dropped.all(axis=1), dropped[:, 1])
    assert 0.4 < dropped.all(axis=1).mean() < 0.6


@pytest.mark.parametrize("name", MAKERS)
def test_seeds_and_inference(engine, name):
    make, x = MAKERS[name], normal(50, 4)
    layer = make()
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    first, second = drawn(layer, x), drawn(layer, x)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, drawn(make(), x))
    assert not np.array_equal(first, drawn(make(seed=2), x))
    assert not np.array_equal(drawn(make(seed=None), x), drawn(make(seed=None), x))
    dlnative.utils.set_random_seed(4)
    once = drawn(make(seed=None), x)
    dlnative.utils.set_random_seed(4)
    np.testing.assert_array_equal(once, drawn(make(seed=None), x))


def test_a_layer_that_is_called_twice_draws_twice(engine):
    x = dlnative.Input((4,))
    layer = layers.GaussianNoise(0.5, seed=1)
    other = layers.GaussianNoise(0.5, seed=1)
    model = dlnative.Model(x, [layer(x), layer(x), other(x)])
    a, b, c = model(normal(6, 4), training=True)
    assert not np.array_equal(a, b)
    assert not np.array_equal(b, c)
    assert not np.array_equal(a, c)


def trained(make, **options):
    dlnative.utils.set_random_seed(3)
    model = dlnative.Sequential(
        [dlnative.Input((4,)), layers.Dense(64, activation="selu"), make(), layers.Dense(1)]
    )
    model.compile(dlnative.optimizers.SGD(0.05), "mse")
    return model


def fit(model, epochs=2):
    x = normal(96, 4)
    model.fit(x, x[:, :1], batch_size=32, epochs=epochs, verbose=0)
    return model.get_weights()


@pytest.mark.native
@pytest.mark.parametrize("name", MAKERS)
def test_any_number_of_threads_has_the_same_bits(name):
    before = dlnative.config.num_threads()
    results = []
    try:
        for threads in (1, 3, 8):
            dlnative.config.set_num_threads(threads)
            results.append(fit(trained(MAKERS[name])))
    finally:
        dlnative.config.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("how", ["saved", "copied", "pickled"])
def test_training_goes_on_with_the_draws_it_would_have_had(name, how, tmp_path):
    whole = trained(lambda: MAKERS[name](seed=None))
    fit(whole, 1)
    if how == "saved":
        saving.save(whole, tmp_path / "model")
        again = saving.load(tmp_path / "model").model
    else:
        again = copy.deepcopy(whole) if how == "copied" else pickle.loads(pickle.dumps(whole))
    for a, b in zip(fit(whole, 2), fit(again, 2), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MAKERS)
def test_the_gradient_is_that_of_what_was_drawn(engine, name):
    """All layers are a factor and an offset for each value: y = factor x + offset."""
    x, d = normal(20, 4), np.random.default_rng(6).standard_normal((20, 4)).astype("float32")
    weight, layer = dlnative.Variable(x), MAKERS[name]()

    def total():
        y = layer(weight * 1.0, training=True)
        return dlnative.ops.sum(y * d), y

    (_, y), (gradient,) = dlnative.value_and_grad(total, [weight], has_aux=True)()
    if name == "noise":
        factor = np.ones_like(x)
    elif name == "dropout":
        factor = y / x
    else:
        prime = -1.6732632423543772 * 1.0507009873554805
        a = (0.7 * (1 + 0.3 * prime**2)) ** -0.5
        dropped = np.isclose(y, a * prime * 0.7, rtol=1e-6)
        assert 0 < dropped.mean() < 1
        factor = np.where(dropped, 0.0, a)
    np.testing.assert_allclose(gradient, factor * d, rtol=1e-4, atol=1e-6)


def test_integers_become_floats_in_training(engine):
    x = np.arange(12, dtype="int32").reshape(3, 4)
    assert layers.GaussianNoise(0.5, seed=1)(x, training=True).dtype == np.float32
    assert layers.AlphaDropout(0.5, seed=1)(x, training=True).dtype == np.float32
