"""Saved models: the round trip, and what loading costs."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import tracemalloc

import numpy as np
import pytest
from saved_folders import edit, make_model, weights_of

import dlnative
from dlnative import layers
from dlnative import random as seeds
from dlnative.initializers import RandomInitializer
from dlnative.saving import load, save
from dlnative.variables import Variable, without_memory


@pytest.fixture
def folder(tmp_path):
    """A folder with a saved model."""
    save(make_model(), tmp_path / "model", classes=["cat", "dog"], training={"epochs": 3})
    return tmp_path / "model"


# --- round trip -----------------------------------------------------------------------------------


def test_round_trip(folder, rng):
    saved = load(folder)
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        saved.model.predict(x, verbose=0), make_model().predict(x, verbose=0)
    )
    assert saved.classes == ["cat", "dog"]
    assert saved.training == {"epochs": 3}
    assert saved.preprocessing is None
    stored = json.loads((folder / "config.json").read_text())["model"]
    assert json.loads(json.dumps(saved.model.get_config())) == stored["config"]
    assert type(saved.model).__name__ == stored["class_name"] == "Sequential"


def test_functional_round_trip(tmp_path, rng):
    inputs = layers.Input((4,), name="in")
    shared = layers.Dense(4, activation="tanh", name="shared")
    outputs = layers.Add()([shared(inputs), shared(shared(inputs))])
    model = dlnative.Model(inputs, layers.Dense(3)(outputs))
    save(model, tmp_path)
    x = rng.normal(size=(5, 4)).astype(np.float32)
    np.testing.assert_array_equal(
        load(tmp_path).model.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_weights_are_named_by_layer_and_readable_by_others(folder):
    from safetensors.numpy import load_file

    tensors = load_file(weights_of(folder))
    model = load(folder).model
    output = model.layers[-1].name
    assert set(tensors) == {
        "hidden/kernel", "hidden/bias", f"{output}/kernel", f"{output}/bias",
    }  # fmt: skip
    np.testing.assert_array_equal(
        tensors["hidden/kernel"], model.get_layer("hidden").kernel.numpy()
    )


def test_nested_models_with_equal_names_inside(tmp_path, rng):
    def block(name):
        return dlnative.Sequential([layers.Input((3,)), layers.Dense(3, name="dense")], name=name)

    inputs = layers.Input((3,))
    first = block("first")
    model = dlnative.Model(inputs, block("second")(first(first(inputs))))
    save(model, tmp_path)
    x = rng.normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        load(tmp_path).model.predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_saving_again_replaces_and_keeps_other_files(folder):
    (folder / "notes.txt").write_text("mine")
    save(make_model(seed=1), folder, files={"more.txt": "text"})
    assert sorted(os.listdir(folder)) == [
        "config.json", "more.txt", "notes.txt", weights_of(folder).name,
    ]  # fmt: skip
    assert load(folder).classes is None


def test_weights_are_named_by_their_digest(folder):
    path = weights_of(folder)
    assert path.name == f"weights-{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}.safetensors"
    save(load(folder).model, folder)  # the same weights, while the old ones may be read
    assert weights_of(folder).name == f"{path.stem}-2.safetensors"
    assert not path.exists()


def test_folders_of_version_1(folder, rng):
    """As dlnative wrote them before weights had names of their own."""
    config = json.loads((folder / "config.json").read_text())
    weights_of(folder).rename(folder / "weights.safetensors")
    del config["sha256"]
    config["version"], config["weights"]["file"] = 1, "weights.safetensors"
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    x = rng.normal(size=(5, 2, 3)).astype(np.float32)
    np.testing.assert_array_equal(
        load(folder).model.predict(x, verbose=0), make_model().predict(x, verbose=0)
    )
    save(make_model(seed=1), folder)
    assert sorted(os.listdir(folder)) == ["config.json", weights_of(folder).name]


def test_loaded_models_can_be_trained_and_copied(folder, rng):
    def train(model):
        dlnative.config.set_seed(3)
        model.compile("adam", "mse")
        model.fit(x, y, epochs=2, shuffle=False, verbose=0)
        return model.get_weights()

    x, y = rng.normal(size=(6, 2, 3)), rng.normal(size=(6, 2))
    loaded = load(folder).model
    for layer in loaded.layers:
        if isinstance(layer, layers.Dropout):
            layer.rate = 0.0
    copied = copy.deepcopy(loaded)
    for a, b in zip(train(loaded), train(copied), strict=True):
        np.testing.assert_array_equal(a, b)
    assert all(
        (a != b).any() for a, b in zip(load(folder).model.get_weights(), copied.get_weights())
    )


# --- what loading costs ---------------------------------------------------------------------------


def test_shapes_are_compared_before_memory_is_taken(folder):
    edit(folder, lambda c: c["model"]["config"]["layers"][3]["config"].update(units=100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"'hidden/kernel' of shape \(6, 100000000\)"):
            load(folder)
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


def test_no_initial_value_is_drawn(tmp_path, monkeypatch):
    @dlnative.utils.register_keras_serializable("test_saving")
    def initializer(shape, dtype=None):
        nonlocal calls
        calls += 1
        return np.ones(shape, dtype)

    calls = 0
    model = dlnative.Sequential(
        [layers.Input((3,)), layers.Dense(4, kernel_initializer=initializer), layers.Dense(2)]
    )
    assert calls == 1
    save(model, tmp_path)
    monkeypatch.setattr(RandomInitializer, "draw", lambda *_: pytest.fail("drawn"))
    loaded = load(tmp_path).model
    assert calls == 1
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_loading_leaves_the_global_stream_of_seeds(folder):
    def masks(model):
        return next(x for x in model.layers if isinstance(x, layers.Dropout))._drawn_seed

    dlnative.config.set_seed(5)
    expected = [seeds.next_seed(), seeds.next_seed()]
    dlnative.config.set_seed(5)
    first, second = load(folder).model, load(folder).model
    assert [seeds.next_seed(), seeds.next_seed()] == expected
    assert masks(first) != masks(second)
    dlnative.config.set_seed(5)
    assert masks(load(folder).model) == masks(first)  # a seed fixes what the model draws later
    dlnative.config.set_seed(6)
    assert masks(load(folder).model) != masks(first)


def test_values_that_do_not_fit_into_memory(folder, monkeypatch):
    def fail(self):
        raise MemoryError("Unable to allocate")

    monkeypatch.setattr(Variable, "allocate", fail)
    with pytest.raises(ValueError, match="weights-.*: too large for the memory: Unable"):
        load(folder)


def test_models_that_take_forever_to_connect(tmp_path):
    def twice(inner):
        inputs = layers.Input((3,))
        return dlnative.Model(inputs, inner(inner(inputs)))

    save(twice(twice(layers.Activation("relu"))), tmp_path)

    def nest(config):
        for _ in range(40):
            outer = copy.deepcopy(config["model"])
            entry = outer["config"]["layers"][1]
            entry["config"] = {**config["model"]["config"], "name": entry["name"]}
            config["model"] = outer

    edit(tmp_path, nest)
    with pytest.raises(ValueError, match="has [0-9]+ calls of layers, more than 100000"):
        load(tmp_path)


def test_weights_without_memory():
    with without_memory():
        dense = layers.Dense(3)
        dense.build((None, 10**12))
        small = layers.Dense(2)
        small.build((None, 2))
    assert dense.kernel.shape == (10**12, 3)
    np.testing.assert_array_equal(small.kernel.numpy(), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="read-only"):
        small.kernel.array[:] = 1
    small.kernel.assign([[1, 2], [3, 4]])
    np.testing.assert_array_equal(small(np.ones((1, 2), np.float32)), [[4, 6]])
    assert layers.Dense(2).dtype == small.kernel.dtype
