"""Saved models: the round trip, and what loading costs."""

from __future__ import annotations

import copy
import hashlib
import json
import os
import pickle
import tracemalloc

import numpy as np
import pytest
from saved_folders import edit, make_model, weights_of

import dlnative
from dlnative import layers
from dlnative import random as seeds
from dlnative.initializers import RandomInitializer
from dlnative.placement import without_memory
from dlnative.saving import load, save
from dlnative.utils.serialization import CustomObjectScope
from dlnative.variables import Variable


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
    assert masks(load(folder).model) == masks(load(folder).model)
    assert [seeds.next_seed(), seeds.next_seed()] == expected

    def to_version_2(config):
        config["version"] = 2
        del config["seeds"]

    edit(folder, to_version_2)
    dlnative.config.set_seed(5)
    first, second = load(folder).model, load(folder).model
    assert [seeds.next_seed(), seeds.next_seed()] == expected
    assert masks(first) != masks(second)
    dlnative.config.set_seed(5)
    assert masks(load(folder).model) == masks(first)  # a seed fixes what the model draws later
    dlnative.config.set_seed(6)
    assert masks(load(folder).model) != masks(first)


class Noise(layers.Layer):
    """Adds noise; the layer owns a generator, and a dropout inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generators = {"noise": seeds.SeedGenerator()}
        self.inner = layers.Dropout(0.3)

    def call(self, x, training=None):
        noise = seeds.normal(x.shape[1:], seed=self.generators["noise"])
        return self.inner(x, training=training) + noise


def model_that_draws():
    inputs = layers.Input((12, 12, 2))
    inner = dlnative.Sequential(
        [layers.Input((12, 12, 2)), layers.RandomRotation(0.2), layers.Dropout(0.5)], name="inner"
    )
    dropout = layers.SpatialDropout2D(0.4, name="dropout")
    h = dropout(inner(layers.RandomFlip()(dropout(inputs))))
    h = Noise(name="noise")(layers.RandomZoom(0.3, seed=4)(h))
    return dlnative.Model(inputs, layers.Flatten()(h))


def copied(model, folder):
    save(model, folder)
    with CustomObjectScope({"Noise": Noise}):
        return load(folder).model


COPIES = {
    "folder": copied,
    "deepcopy": lambda model, folder: copy.deepcopy(model),
    "pickle": lambda model, folder: pickle.loads(pickle.dumps(model)),
}


class Twice(layers.Layer):
    """Two layers of its own, which have no names, in a list and alone, and a weight."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.hidden = [layers.Dense(3, activation="tanh"), layers.Dense(3)]
        self.last = layers.Dense(2)

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="uniform", name="factor")

    def call(self, x):
        return self.last(self.hidden[1](self.hidden[0](x))) * self.factor


def test_layers_that_layers_make_themselves(tmp_path, rng):
    """Their names have numbers of the process."""
    from safetensors.numpy import load_file

    model = dlnative.Sequential([layers.Input((4,)), Twice(name="a"), Twice(name="b")])
    x = rng.normal(size=(5, 4)).astype(np.float32)
    save(model, tmp_path)
    with CustomObjectScope({"Twice": Twice}):
        np.testing.assert_array_equal(load(tmp_path).model.predict(x), model.predict(x))
    names = [
        "factor",
        *(f"{d}/{v}" for d in ("hidden/0", "hidden/1", "last") for v in ("bias", "kernel")),
    ]
    assert sorted(load_file(weights_of(tmp_path))) == sorted(
        f"{m}/{n}" for m in "ab" for n in names
    )


class Words(layers.Layer):
    """Keeps an array besides its weight."""

    words = np.zeros(0, "int64")

    def build(self, shape):
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

    def call(self, inputs):
        return inputs * self.factor

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["words"] = self.words

    def load_own_variables(self, store):
        self.words = store["words"]
        super().load_own_variables({"0": store["0"]})


def test_what_layers_keep_besides_their_variables(tmp_path):
    inner = dlnative.Sequential([layers.Input((3,)), Words(name="words")], name="inner")
    model = dlnative.Sequential([layers.Input((3,)), inner, layers.Dense(2)])
    words = inner.layers[0]
    words.words, _ = np.array([3, 1, 4]), words.factor.assign(2.5)
    save(model, tmp_path)
    with CustomObjectScope({"Words": Words}):
        loaded = load(tmp_path).model.layers[0].layers[0]
        assert loaded.words.tolist() == [3, 1, 4]
        assert float(loaded.factor) == 2.5

        words.words = np.array(["a", "b"])
        with pytest.raises(ValueError, match="'words': expected save_own_variables to keep arrays"):
            save(model, tmp_path)
        words.words = np.zeros(2)
        model.layers[-1].name = "output"
        save(model, tmp_path)
        edit(
            tmp_path,
            lambda c: c["model"]["config"]["layers"][1]["config"]["layers"].pop() and None,
        )
        with pytest.raises(
            ValueError, match="holds 'inner/words/factor'.*; holds 'inner/words/own:"
        ):
            load(tmp_path)


@pytest.mark.parametrize(
    ("way", "is_used"),
    [("folder", False), *((way, used) for way in ("deepcopy", "pickle") for used in (False, True))],
)
def test_copies_go_on_with_the_draws(tmp_path, rng, way, is_used):
    dlnative.config.set_seed(11)
    model = model_that_draws()
    x = rng.normal(size=(3, 12, 12, 2)).astype("float32")
    if is_used:
        model(x, training=True)
    copies = [COPIES[way](model, tmp_path) for _ in range(2)]
    expected = np.asarray(model(x, training=True))
    assert not np.array_equal(expected, model_that_draws()(x, training=True))
    for each in copies:
        dlnative.config.set_seed(12)  # what is drawn does not depend on it
        np.testing.assert_array_equal(each(x, training=True), expected)


def test_generators_of_random_layers_of_images(tmp_path, rng):
    """They draw outside of programs; up to version 3 there were none."""
    model = dlnative.Sequential([layers.Input((6, 6, 3)), layers.RandomBrightness(0.3, name="b")])
    x = rng.uniform(0, 255, size=(2, 6, 6, 3)).astype("float32")

    def drawn(model):
        return model.get_layer("b").get_random_transformation(x, training=True)["rgb_delta"]

    drawn(model)
    save(model, tmp_path)
    others = [load(tmp_path).model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    expected = drawn(model)
    for other in others:
        np.testing.assert_array_equal(drawn(other), expected)

    def to_version_3(config):
        config["version"] = 3
        del config["compile"], config["state"], config["seeds"]["b/_generator"]

    edit(tmp_path, to_version_3)
    np.testing.assert_array_equal(load(tmp_path).model(x, training=True), model(x, training=True))


def test_configurations_and_clones_draw_seeds_of_their_own(rng):
    """As in Keras, where `seed` is in the configuration as it was given."""
    x = rng.normal(size=(3, 40)).astype("float32")
    for seed, is_same in ((None, False), (7, True)):
        model = dlnative.Sequential([layers.Input((40,)), layers.Dropout(0.5, seed=seed)])
        config = model.get_config()
        first = np.asarray(model(x, training=True))
        for other in (
            dlnative.Sequential.from_config(config),
            dlnative.models.clone_model(model),
            layers.Dropout.from_config(model.layers[0].get_config()),
        ):
            given = other.layers[0] if isinstance(other, dlnative.Sequential) else other
            assert given.get_config()["seed"] == given.seed == seed
            assert np.array_equal(other(x, training=True), first) == is_same


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("seeds"), "it has no entry 'seeds'"),
        (lambda c: c["seeds"].clear(), r"expected seeds of \['dropout.*'\], .* those of \[\]"),
        (lambda c: c["seeds"].update(other=1), "those of .*'other'"),
        (lambda c: c.update(seeds=[1]), "expects 'seeds' to be the seeds of layers, or null"),
        *(
            (lambda c, bad=bad: c["seeds"].update(dict.fromkeys(c["seeds"], bad)), "seed")
            for bad in (-1, 2**64, 1.0, True, "1", None, [1], [1, 2, 3], [1, 2**63], [1, 2])
        ),
    ],
)  # fmt: skip
def test_seeds_that_are_damaged(folder, change, message):
    edit(folder, lambda c: change(c) and None)
    with pytest.raises(ValueError, match=message) as caught:
        load(folder)
    assert "config.json" in str(caught.value)


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
