"""Layers of the user's whose configuration or constructor leaves the name out, in models."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import dlnative
from dlnative import saving

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore:__array__", "ignore:Skipping nested container"
)

ONE = np.ones((1, 3), "float32")


def classes(library):
    """Classes without a name in `get_config`, with weights, and with one that is not taken."""
    base, ops = library.layers.Layer, library.ops
    register = library.saving.register_keras_serializable("names")

    @register
    class Times(base):
        def __init__(self, k):
            super().__init__()
            self.k = k

        def call(self, x):
            return ops.multiply(x, self.k)

        def compute_output_shape(self, input_shape):
            return input_shape

        def get_config(self):
            return {"k": self.k}

    class Weighted(base):
        def build(self, input_shape):
            self.w = self.add_weight(shape=(input_shape[-1],), name="w", initializer="ones")

        def call(self, x):
            return x * self.w

        def compute_output_shape(self, input_shape):
            return input_shape

    @register
    class Scale(Weighted):
        def __init__(self):
            super().__init__()

        def get_config(self):
            return {}

    @register
    class Deaf(Scale):
        def __init__(self, name=None):
            super().__init__()

        def get_config(self):
            return {"name": "no name of a layer"}

    @register
    class Automatic(Weighted):  # Keras knows `**kwargs` by that word only, and leaves the name out
        def __init__(self, **k):
            super().__init__(**k)

    return {"Times": Times, "Scale": Scale, "Deaf": Deaf, "Automatic": Automatic}


def branches(library, kind):
    """A model whose branches run through two layers of a class, the second made first."""
    layers = library.layers
    cls = classes(library)[kind]
    make = (lambda k: cls(k)) if kind == "Times" else (lambda k: cls())
    first, second = make(2.0), make(3.0)
    entry = layers.Input((3,))
    twice = first(second(first(entry)))  # shared, at two depths
    return library.Model(entry, layers.Concatenate()([second(entry), first(entry), twice]))


def stack(library, kind):
    cls = classes(library)[kind]
    made = [cls(k) for k in (2.0, 3.0)] if kind == "Times" else [cls(), cls()]
    return library.Sequential([library.layers.Input((3,)), made[1], made[0]])


def nested(library, kind):
    layers = library.layers
    entry = layers.Input((3,))
    inner, row = branches(library, kind), stack(library, kind)
    return library.Model(entry, layers.Concatenate()([row(entry), inner(entry), row(entry)]))


def open_stack(library, kind):
    """One without an Input, whose layers its configuration builds."""
    model = library.Sequential(stack(library, kind).layers)
    model(ONE)
    return model


MODELS = {"branches": branches, "stack": stack, "nested": nested, "open stack": open_stack}
KINDS = ("Times", "Scale", "Deaf", "Automatic")


def spread(model, rng):
    """Gives each weight values of its own."""
    model.set_weights([rng.standard_normal(w.shape) for w in model.get_weights()])


def every_layer(model):
    for layer in model.layers:
        yield layer
        yield from every_layer(layer) if hasattr(layer, "layers") else ()


def names(model):
    return [layer.name for layer in every_layer(model)]


@pytest.mark.parametrize("way", ["m.keras", "m", "from_config", "json", "clone", "copy"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_made_anew_is_wired_as_before(tmp_path, rng, name, kind, way):
    model = MODELS[name](dlnative, kind)
    spread(model, rng)
    expected = model.predict(ONE, verbose=0)
    if "m" in way.split("."):
        model.save(tmp_path / way)
    for _ in range(2):  # when there are other automatic names, too
        if "m" in way.split("."):
            made = saving.load_model(tmp_path / way)
        elif way == "from_config":
            made = type(model).from_config(model.get_config())
        elif way == "json":
            made = dlnative.models.model_from_json(model.to_json())
        elif way == "clone":
            made = dlnative.models.clone_model(model)
        else:
            made = copy.deepcopy(model)
        if way in ("from_config", "json", "clone"):
            made(ONE)
            made.set_weights(model.get_weights())
        np.testing.assert_array_equal(made.predict(ONE, verbose=0), expected)
        assert names(made) == names(model)
        if name == "branches":
            assert [v.path for v in made.variables] == [v.path for v in model.variables]
        dlnative.utils.clear_session()


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
@pytest.mark.parametrize("name", MODELS)
def test_weights_alone_go_to_the_same_layers(tmp_path, rng, name, suffix):
    model = MODELS[name](dlnative, "Scale")
    spread(model, rng)
    model.save_weights(tmp_path / f"w{suffix}")
    for made in (
        dlnative.models.clone_model(model),
        dlnative.models.model_from_json(model.to_json()),
    ):
        made(ONE)
        made.load_weights(tmp_path / f"w{suffix}")
        np.testing.assert_array_equal(made.predict(ONE, verbose=0), model.predict(ONE, verbose=0))


@pytest.mark.parametrize("target", ["m.keras", "m"])
@pytest.mark.parametrize("name", ["branches", "stack", "nested"])
def test_settings_and_seeds_stay_with_their_layers(tmp_path, name, target):
    """What is frozen, factors of learning rates and drawn seeds go by the names."""

    @saving.register_keras_serializable("names")
    class Noisy(classes(dlnative)["Scale"]):
        def __init__(self):
            super().__init__()
            self.drop = dlnative.layers.Dropout(0.5)

        def call(self, x, training=None):
            return self.drop(super().call(x), training=training)

    def made():
        return Noisy(), Noisy()

    first, second = made()
    entry = dlnative.Input((3,))
    model = dlnative.Sequential([entry.source, second, first])
    if name != "stack":
        model = dlnative.Model(entry, dlnative.layers.Add()([second(entry), first(entry)]))
    if name == "nested":
        outer = dlnative.Input((3,))
        model = dlnative.Model(outer, model(outer))
    second.trainable = False
    first.learning_rate_factor = 0.5
    model.compile("adam", "mse")
    x, y = np.ones((8, 3), "float32"), np.zeros((8, 3), "float32")
    model.fit(x, y, verbose=0, shuffle=False)
    model.save(tmp_path / target)
    dlnative.utils.clear_session()
    loaded = saving.load_model(tmp_path / target)
    by_name = {layer.name: layer for layer in every_layer(loaded)}
    for layer in (first, second):
        found = by_name[layer.name]
        assert found.trainable == layer.trainable
        assert found.learning_rate_factor == layer.learning_rate_factor
        assert found.drop._drawn_seed == layer.drop._drawn_seed
    for each in (model, loaded):
        each.fit(x, y, verbose=0, shuffle=False)
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("direction", ["ours", "Keras's"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["branches", "stack", "nested"])
def test_files_of_the_other_library(keras, rng, tmp_path, name, kind, direction):
    library, other = (dlnative, keras) if direction == "ours" else (keras, dlnative)
    model = MODELS[name](library, kind)
    classes(other)
    spread(model, rng)
    model.save(tmp_path / "m.keras")
    for _ in range(2):
        loaded = other.saving.load_model(tmp_path / "m.keras")
        np.testing.assert_allclose(
            np.asarray(loaded.predict(ONE, verbose=0)),
            np.asarray(model.predict(ONE, verbose=0)),
            rtol=1e-6,
        )
        if name == "branches" and direction == "Keras's":
            assert names(loaded) == names(model)


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("a/b", ValueError, "must not be empty or contain '/'"),
        ("", ValueError, "must not be empty"),
        (3, TypeError, "name to be a string, received 3"),
        ("concatenate", ValueError, "'concatenate' is not a layer of its own"),
    ],
)
def test_names_that_no_layer_can_have(name, error, message):
    config = json.loads(json.dumps(branches(dlnative, "Times").get_config()))
    entry = next(e for e in config["layers"] if e["class_name"] == "Times")
    other = next(e for e in config["layers"] if e["class_name"] == "Concatenate")
    other["name"] = other["config"]["name"] = "concatenate"
    entry["name"] = name
    with pytest.raises(error, match=message):
        dlnative.Model.from_config(config)


def test_configurations_of_keras_classes_have_no_other_entries():
    model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(2)])
    assert all("name" not in entry for entry in model.get_config()["layers"])
