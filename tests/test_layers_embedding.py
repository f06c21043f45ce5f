"""Embedding: gradients of repeated indices, dtypes of indices, optimizers, threads, files."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers, saving

TABLE = np.arange(12.0, dtype="float32").reshape(4, 3)


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "float32", "bool"])
def test_indices_of_any_dtype(engine, dtype):
    layer = layers.Embedding(4, 3, weights=[TABLE])
    x = np.array([[1, 0], [1, 1]], dtype)
    np.testing.assert_array_equal(layer(x), TABLE[x.astype(int)])
    assert layer.weights[0].name == "embeddings"
    assert layer.weights[0].path == f"{layer.name}/embeddings"


def test_negative_indices_count_from_the_end(engine):
    x = np.array([-1, -4])
    np.testing.assert_array_equal(layers.Embedding(4, 3, weights=TABLE)(x), TABLE[x])


def test_repeated_indices_add_up(engine):
    layer = layers.Embedding(4, 3, weights=TABLE)
    x = np.array([[2, 0, 2], [2, -1, 0]])
    factors = np.random.default_rng(0).standard_normal((2, 3, 3)).astype("float32")

    def total():
        return dlnative.ops.sum(layer(x) * factors)

    _, (gradient,) = dlnative.value_and_grad(total, layer.weights)()
    expected = np.zeros((4, 3))
    np.add.at(expected, x, factors.astype("float64"))
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-6)
    assert np.all(gradient[1] == 0)


def model_of(library, **options):
    model = library.Sequential(
        [
            library.Input((5,), dtype="int32"),
            library.layers.Embedding(50, 8, **options),
            library.layers.GlobalAveragePooling1D(),
            library.layers.Dense(1),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") for w in model.get_weights()])
    return model


DATA = np.random.default_rng(1).integers(0, 40, (64, 5)).astype("int32")
Y = np.random.default_rng(2).standard_normal((64, 1)).astype("float32")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "optimizer",
    [
        lambda k: k.optimizers.SGD(0.1, momentum=0.9),
        lambda k: k.optimizers.Adam(0.01),
        lambda k: k.optimizers.AdamW(0.01, weight_decay=0.1),
        lambda k: k.optimizers.RMSprop(0.01),
    ],
)
def test_training_is_that_of_keras(keras, engine, optimizer):
    """Rows that do not occur (40 to 49) are moved by momentum and decay, as there."""
    options = {"embeddings_regularizer": "l2", "embeddings_constraint": "max_norm"}
    models = [model_of(library, **options) for library in (dlnative, keras)]
    for library, model in zip((dlnative, keras), models, strict=True):
        model.compile(optimizer(library), "mse")
        model.fit(DATA, Y, batch_size=16, epochs=2, shuffle=False, verbose=0)
    ours, theirs = (model.get_weights() for model in models)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.native
def test_any_number_of_threads_has_the_same_bits():
    rng = np.random.default_rng(3)
    x, y = rng.integers(0, 300, (256, 200)), rng.standard_normal((256, 1)).astype("float32")
    before, results = dlnative.config.num_threads(), []
    try:
        for threads in (1, 3, 8):
            dlnative.config.set_num_threads(threads)
            dlnative.utils.set_random_seed(1)
            model = dlnative.Sequential(
                [layers.Embedding(300, 64), layers.GlobalAveragePooling1D(), layers.Dense(1)]
            )
            model.compile("adam", "mse")
            model.fit(x, y, batch_size=64, verbose=0)
            results.append(model.get_weights())
    finally:
        dlnative.config.set_num_threads(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_copies_pickles_and_files(tmp_path):
    model = model_of(dlnative)
    model.compile("adam", "mse")
    model.fit(DATA, Y, verbose=0)
    saving.save(model, tmp_path / "model")
    again = [
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        saving.load(tmp_path / "model").model,
    ]
    expected = model.predict(DATA, verbose=0)
    for other in again:
        np.testing.assert_array_equal(other.predict(DATA, verbose=0), expected)
    model.fit(DATA, Y, verbose=0, shuffle=False)
    again[0].fit(DATA, Y, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), again[0].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_an_index_out_of_range_leaves_everything_as_it_was(engine):
    model = model_of(dlnative)
    model.compile("adam", "mse")
    model.train_on_batch(DATA, Y)
    before = model.get_weights()
    wrong = np.where(DATA.max() == DATA, 50, DATA)
    with pytest.raises(ValueError, match="index 50 is out of range for axis 0 of size 50"):
        model.train_on_batch(wrong, Y)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_input_length_has_no_effect():
    with pytest.warns(UserWarning, match="input_length has no effect"):
        layers.Embedding(4, 3, input_length=7)


def test_one_index_and_one_value(engine):
    layer = layers.Embedding(1, 1, embeddings_initializer="ones")
    np.testing.assert_array_equal(layer(np.zeros((1, 1), "int32")), [[[1.0]]])
    assert layer(np.zeros((0, 3), "int32")).shape == (0, 3, 1)
