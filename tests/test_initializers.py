"""Initializers: their distributions, seeds, names and configurations; regularizers likewise."""

from __future__ import annotations

import json

import numpy as np
import pytest

import dlnative
from dlnative import initializers, regularizers
from dlnative.graph import Graph

RANDOM = ["RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "GlorotNormal"]
RANDOM += ["GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Orthogonal"]
CLASSES = ["Zeros", "Ones", "Constant", "Identity", *RANDOM]
SHAPE = (300, 200)  # 60,000 values: the error of a standard deviation is about 0.3 %


# Name, expected standard deviation and largest absolute value, from the definitions.
DISTRIBUTIONS = [
    ("random_normal", 0.05, np.inf),
    ("random_uniform", 0.05 / 3**0.5, 0.05),
    ("truncated_normal", 0.05 * 0.87962566, 0.1),
    ("glorot_uniform", (2 / 500) ** 0.5, (6 / 500) ** 0.5),
    ("glorot_normal", (2 / 500) ** 0.5, 2 * (2 / 500) ** 0.5 / 0.87962566),
    ("he_uniform", (2 / 300) ** 0.5, (6 / 300) ** 0.5),
    ("he_normal", (2 / 300) ** 0.5, 2 * (2 / 300) ** 0.5 / 0.87962566),
    ("lecun_uniform", (1 / 300) ** 0.5, (3 / 300) ** 0.5),
    ("lecun_normal", (1 / 300) ** 0.5, 2 * (1 / 300) ** 0.5 / 0.87962566),
]


@pytest.mark.parametrize(("name", "stddev", "limit"), DISTRIBUTIONS)
def test_distribution(name, stddev, limit):
    values = initializers.get({"class_name": name, "config": {"seed": 7}})(SHAPE, "float64")
    assert values.std() == pytest.approx(stddev, rel=0.015)
    assert abs(values.mean()) < 5 * stddev / 60000**0.5
    assert abs(values).max() <= limit
    if np.isfinite(limit):
        assert abs(values).max() > 0.99 * limit


def test_truncation_redraws_instead_of_clipping():
    values = initializers.TruncatedNormal(stddev=1.0, seed=1)((100_000,), "float64")
    assert np.sum(np.abs(values) > 1.999) < 100  # clipping would put 4,550 values at 2
    assert values.std() == pytest.approx(0.8796, rel=0.01)


@pytest.mark.parametrize("name", RANDOM)
def test_seed_decides_the_values(name):
    cls = getattr(initializers, name)
    first = cls(seed=3)(SHAPE, "float32")
    np.testing.assert_array_equal(first, cls(seed=3)(SHAPE, "float32"))
    assert not np.array_equal(first, cls(seed=4)(SHAPE, "float32"))
    assert not np.array_equal(cls()(SHAPE), cls()(SHAPE))
    same = cls(seed=3)
    np.testing.assert_array_equal(same(SHAPE), same(SHAPE))


@pytest.mark.parametrize("name", RANDOM)
def test_float32_is_rounded_float64(name):
    cls = getattr(initializers, name)
    wide = cls(seed=3)(SHAPE, "float64")
    np.testing.assert_array_equal(cls(seed=3)(SHAPE, "float32"), wide.astype("float32"))


def test_values_are_the_same_on_every_platform():
    values = initializers.GlorotUniform(seed=42)((2, 3), "float64")
    expected = np.random.Generator(np.random.Philox(key=42)).random((2, 3))
    limit = (6 / 5) ** 0.5
    np.testing.assert_allclose(values, expected * 2 * limit - limit, rtol=1e-15)


def test_global_seed():
    dlnative.utils.set_random_seed(5)
    first = [initializers.HeNormal()((4, 4)) for _ in range(2)]
    dlnative.utils.set_random_seed(5)
    second = [initializers.HeNormal()((4, 4)) for _ in range(2)]
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first[0], first[1])


def test_constants():
    np.testing.assert_array_equal(initializers.get("zeros")((2, 3)), np.zeros((2, 3)))
    np.testing.assert_array_equal(initializers.get("ones")((2,)), np.ones(2))
    np.testing.assert_array_equal(initializers.Constant(2.5)((2, 2)), np.full((2, 2), 2.5))
    np.testing.assert_array_equal(initializers.Identity(2.0)((2, 3)), [[2, 0, 0], [0, 2, 0]])
    assert initializers.get("zeros")((2,)).dtype == np.float32
    assert initializers.get("ones")((2,), "float64").dtype == np.float64


@pytest.mark.parametrize("shape", [(5, 5), (7, 3), (3, 7), (2, 2, 4)])
def test_orthogonal(shape):
    w = initializers.Orthogonal(gain=2.0, seed=1)(shape, "float64").reshape(-1, shape[-1])
    small = w.T @ w if w.shape[0] >= w.shape[1] else w @ w.T
    np.testing.assert_allclose(small, 4 * np.eye(len(small)), atol=1e-12)


@pytest.mark.parametrize(
    ("shape", "fans"), [((), (1, 1)), ((5,), (5, 5)), ((3, 4), (3, 4)), ((3, 3, 8, 16), (72, 144))]
)
def test_fans(shape, fans):
    assert initializers.compute_fans(shape) == fans


def test_array_and_function_as_initializer():
    values = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(initializers.get(values)((2, 3)), values)
    with pytest.raises(ValueError, match=r"expected an array of shape \(3, 2\)"):
        initializers.get(values)((3, 2))
    layer = dlnative.layers.Dense(3, kernel_initializer=lambda shape, dtype: np.full(shape, 7.0))
    layer.build((None, 2))
    np.testing.assert_array_equal(layer.kernel.numpy(), np.full((2, 3), 7.0))
    assert layer.kernel.dtype == "float32"


@pytest.mark.parametrize("name", CLASSES)
def test_configuration_round_trip(name):
    cls = getattr(initializers, name)
    one = cls(seed=9) if name in RANDOM else cls()
    config = json.loads(json.dumps(initializers.serialize(one)))
    other = initializers.deserialize(config)
    assert type(other) is cls
    np.testing.assert_array_equal(one((4, 4)), other((4, 4)))
    assert type(one.clone()) is cls


@pytest.mark.parametrize("name", CLASSES)
def test_configuration_is_that_of_keras(keras, name):
    ours = initializers.serialize(getattr(initializers, name)())
    theirs = keras.initializers.serialize(getattr(keras.initializers, name)())
    if name == "Identity":
        ours["config"].pop("gain")  # Keras forgets it
    assert ours == theirs
    assert type(initializers.deserialize(theirs)).__name__ == name


@pytest.mark.parametrize("name", [d[0] for d in DISTRIBUTIONS])
def test_distribution_is_that_of_keras(keras, name):
    dlnative.utils.set_random_seed(1)
    keras.utils.set_random_seed(1)
    ours = initializers.get(name)(SHAPE, "float32")
    theirs = np.asarray(keras.initializers.get(name)(SHAPE, dtype="float32"))
    assert ours.std() == pytest.approx(theirs.std(), rel=0.02)
    assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=0.15)
    quantiles = np.linspace(0.05, 0.95, 19)
    difference = np.quantile(ours, quantiles) - np.quantile(theirs, quantiles)
    assert abs(difference).max() < 0.04 * ours.std()


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: initializers.get("glorot_unifrom"), ValueError, "'glorot_uniform'"),
        (lambda: initializers.get(3.5), TypeError, "3.5"),
        (lambda: initializers.RandomNormal(seed="a"), TypeError, "seed"),
        (lambda: initializers.RandomNormal(seed=1.5), TypeError, "seed"),
        (lambda: initializers.VarianceScaling(scale=0.0), ValueError, "scale"),
        (lambda: initializers.VarianceScaling(mode="fan_inn"), ValueError, "'fan_in'"),
        (lambda: initializers.VarianceScaling(distribution="x"), ValueError, "distribution"),
        (lambda: initializers.Constant("a"), TypeError, "number"),
        (lambda: initializers.Identity()((2, 2, 2)), ValueError, "matrix"),
        (lambda: initializers.Orthogonal()((2,)), ValueError, "two dimensions"),
        (lambda: initializers.Zeros()((None, 2)), ValueError, "known sizes"),
        (lambda: regularizers.get("l3"), ValueError, "'l2'"),
        (lambda: regularizers.get(3.5), TypeError, "3.5"),
        (lambda: regularizers.L2(-1.0), ValueError, "l2 of at least 0, received -1"),
        (lambda: regularizers.L2(float("nan")), ValueError, "l2 of at least 0, received nan"),
        (lambda: regularizers.L1("a"), TypeError, "number"),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=words):
        call()


# --- regularizers --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["l1", "l2", "l1_l2", "L1", "L2", "L1L2"])
def test_regularizer_names(name):
    assert regularizers.get(name).get_config()


def penalty(regularizer, w):
    graph = Graph(training=True)
    result = regularizer(graph.feed(w.shape, "float64"))
    return dlnative.engines.build(graph, [result])(w)[0].item()


@pytest.mark.parametrize(
    ("regularizer", "expected"),
    [
        (regularizers.L1(0.1), 0.1 * 3.5),
        (regularizers.L2(0.1), 0.1 * 5.25),
        (regularizers.L1L2(0.1, 0.2), 0.35 + 0.2 * 5.25),
        (regularizers.L1L2(), 0.0),
    ],
)
def test_penalty(regularizer, expected):
    w = np.array([[1.0, -2.0], [0.0, 0.5]])
    assert regularizer(w) == pytest.approx(expected)
    with dlnative.engine("numpy"):
        assert penalty(regularizer, w) == pytest.approx(expected)


def test_penalty_has_a_gradient():
    w = np.array([[1.0, -2.0], [0.0, 0.5]])
    with dlnative.engine("numpy"):
        total, pullback = dlnative.vjp(regularizers.L1L2(0.1, 0.2), w)
        (gradient,), _ = pullback(np.ones_like(total))
    np.testing.assert_allclose(gradient, 0.1 * np.sign(w) + 0.4 * w)


def test_regularizers_are_those_of_keras(keras):
    w = np.linspace(-1, 1, 12).reshape(3, 4)
    for name in ("L1", "L2", "L1L2"):
        theirs = getattr(keras.regularizers, name)(0.03)
        ours = regularizers.deserialize(keras.regularizers.serialize(theirs))
        assert regularizers.serialize(ours) == keras.regularizers.serialize(theirs)
        assert ours(w) == pytest.approx(float(theirs(keras.ops.convert_to_tensor(w))), rel=1e-6)
