"""evaluate, predict and single batches."""

from __future__ import annotations

import numpy as np
import pytest
from small_training import assert_same, classes, compiled, mlp

import dlnative
from dlnative import layers


def large_product(inputs, outputs):
    """A product whose weights fit no cache, and after it one of few columns."""
    return dlnative.Sequential(
        [layers.Input((inputs,)), layers.Dense(outputs, activation="tanh"), layers.Dense(3)]
    )


def images():
    """Convolutions that Winograd's transform computes for some batches."""
    return dlnative.Sequential(
        [
            layers.Input((8, 8, 32)),
            layers.Conv2D(32, 3, padding="same", activation="tanh"),
            layers.Conv2D(16, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )


@pytest.mark.native  # NumPy's BLAS promises nothing of the kind
@pytest.mark.parametrize("model", [lambda: large_product(3000, 2000), images, mlp])
def test_batch_size_of_predict_is_a_matter_of_rounding(rng, model):
    model = model()
    x = rng.normal(size=(48, *model.input_shape[1:])).astype("float32")
    shuffled = rng.permutation(len(x))
    first = model.predict(x, batch_size=48)
    for size in (1, 2, 3, 6, 16, 48):
        y = model.predict(x, batch_size=size)
        # 3 products in a row, sums of fewer than 3000 products of about 1: far below this bound.
        np.testing.assert_allclose(y, first, rtol=0, atol=1e-4 * np.abs(first).max())
        for threads in (1, 3):
            dlnative.config.set_num_threads(threads)
            assert_same([model.predict(x[shuffled], batch_size=size)], [y[shuffled]])


# --- evaluate and predict -------------------------------------------------------------------------


def test_evaluate(rng):
    x, y = classes(rng, 11)
    model = compiled(metrics=["accuracy"])
    values = model.evaluate(x, y, verbose=0)
    as_dict = model.evaluate(x, y, batch_size=3, verbose=0, return_dict=True)
    np.testing.assert_allclose(list(as_dict.values()), values[::-1], rtol=1e-6)
    assert isinstance(compiled().evaluate(x, y, verbose=0), float)
    assert model.evaluate(x, y, batch_size=3, steps=2, verbose=0) == pytest.approx(
        model.evaluate(x[:6], y[:6], verbose=0)
    )


def test_evaluate_does_not_change_the_model(rng):
    x, y = classes(rng)
    model = compiled("adam")
    before = model.get_weights()
    model.evaluate(x, y, verbose=0)
    model.test_on_batch(x, y)
    model.predict(x, verbose=0)
    assert_same(before, model.get_weights())
    assert model.optimizer.iterations == 0


@pytest.mark.parametrize("batch_size", [None, 1, 4, 7, 32, 1000])
def test_predict(rng, batch_size):
    x, _ = classes(rng)
    model = mlp()
    expected = model(x)
    np.testing.assert_allclose(model.predict(x, batch_size=batch_size), expected, rtol=1e-5)
    assert model.predict(x[:1]).shape == (1, 3)
    np.testing.assert_allclose(model.predict(x, batch_size=4, steps=2), expected[:8], rtol=1e-5)


def test_predict_many_rows(rng):
    x = rng.normal(size=(5000, 4)).astype("float32")
    model = mlp()
    np.testing.assert_allclose(model.predict(x), model.predict(x, batch_size=5000), rtol=1e-5)


def test_predict_sees_new_weights_and_layers(rng):
    x, _ = classes(rng, 3)
    model = mlp()
    before = model.predict(x)
    model.set_weights([w * 0 for w in model.get_weights()])
    assert not np.array_equal(before, model.predict(x))
    model.add(layers.Dense(2))
    assert model.predict(x).shape == (3, 2)


def test_results_are_the_callers(rng):
    """A later call does not overwrite what an earlier one returned."""
    x, _ = classes(rng, 6)
    model = mlp()
    first = model.predict(x[:3])
    copy = first.copy()
    model.predict(x[3:])
    np.testing.assert_array_equal(first, copy)


# --- single batches -------------------------------------------------------------------------------


def test_on_batch(rng):
    x, y = classes(rng, 6)
    model, other = compiled("adam", metrics=["accuracy"]), compiled("adam", metrics=["accuracy"])
    other.set_weights(model.get_weights())
    for _ in range(3):
        before = model.evaluate(x, y, verbose=0)
        assert model.test_on_batch(x, y) == pytest.approx(before)
        assert model.train_on_batch(x, y) == pytest.approx(before)
        other.fit(x, y, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert list(model.train_on_batch(x, y, return_dict=True)) == ["accuracy", "loss"]
    assert isinstance(compiled().train_on_batch(x, y), float)
    np.testing.assert_array_equal(model.predict_on_batch(x), model.predict(x))


def test_on_batch_with_other_shapes_and_labels(rng):
    x, y = classes(rng, 6)
    model = compiled()
    for count in (6, 2, 6, 1):
        model.train_on_batch(x[:count], y[:count])
    model.train_on_batch(x, y[:, None].astype("uint8"))
    model.train_on_batch(x.tolist(), y.tolist())
    model.train_on_batch(x, y, class_weight={0: 2.0})
    assert model.optimizer.iterations == 7


def test_on_batch_without_compiled_numbers_of_another_engine(rng):
    x, y = classes(rng, 6)
    model = compiled()
    first = model.test_on_batch(x, y)
    with dlnative.engine("numpy"):
        assert model.test_on_batch(x, y) == pytest.approx(first, rel=1e-5)
        np.testing.assert_allclose(model.predict(x), model(x), rtol=1e-5)
    assert model.test_on_batch(x, y) == first
