"""Kernels that are frozen and adapted by a product of low rank (LoRA)."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import dlnative
from dlnative import layers, saving
from dlnative.models.training_state import TrainingState

RNG = np.random.default_rng(0)
X = RNG.standard_normal((16, 6)).astype("float32")
Y = RNG.standard_normal((16, 3)).astype("float32")


MAKERS = {
    "kernel": (lambda **k: layers.Dense(3, **k), (6,), "float32"),
    "kernel of images": (lambda **k: layers.Conv2D(3, 2, **k), (5, 5, 2), "float32"),
    "kernel of sequences": (lambda **k: layers.Conv1D(4, 3, groups=2, **k), (5, 2), "float32"),
    "embeddings": (lambda **k: layers.Embedding(7, 3, **k), (4,), "int32"),
}


def factors(layer, name):
    return (getattr(layer, f"lora_{name}_{which}") for which in "ab")


@pytest.mark.parametrize("kind", MAKERS)
def test_the_product_is_added(engine, kind):
    make, shape, dtype = MAKERS[kind]
    name = kind.split()[0]
    x = (np.abs(RNG.standard_normal((3, *shape))) * 2).astype(dtype)
    layer = make(lora_rank=2, lora_alpha=5.0)
    plain = make()
    before = layer(x)
    plain(x)
    weight = getattr(layer, name)
    a, b = factors(layer, name)
    assert a.shape == (*weight.shape[:-1], 2) and b.shape == (2, weight.shape[-1])
    assert not weight.trainable and a.trainable and b.trainable
    assert np.all(b.numpy() == 0) and np.any(a.numpy() != 0)
    b.assign(RNG.standard_normal(b.shape))
    rest = [layer.bias.numpy()] if name == "kernel" else []
    plain.set_weights([weight.numpy() + 2.5 * (a.numpy() @ b.numpy()), *rest])
    np.testing.assert_allclose(layer(x), plain(x), rtol=1e-5, atol=1e-5)
    assert not np.allclose(layer(x), before)


@pytest.mark.parametrize("kind", MAKERS)
def test_it_is_enabled_once_on_a_built_layer_without_constraint(kind):
    make, shape, _ = MAKERS[kind]
    name = kind.split()[0]
    with pytest.raises(ValueError, match="must be built before enable_lora"):
        make().enable_lora(2)
    layer = make()
    layer.build((None, *shape))
    count = len(layer.weights)
    with pytest.raises(TypeError, match="rank to be an integer"):
        layer.enable_lora(2.5)
    assert not layer.lora_enabled and len(layer.weights) == count
    layer.enable_lora(2, lora_alpha=4)
    assert layer.lora_enabled and (layer.lora_rank, layer.lora_alpha) == (2, 4)
    assert len(layer.weights) == count + 2
    with pytest.raises(ValueError, match="enable_lora may be called once"):
        layer.enable_lora(2)
    with pytest.raises(AttributeError, match="lora_rank is fixed"):
        layer.lora_rank = 3
    constrained = make(**{f"{name}_constraint": "max_norm"})
    constrained.build((None, *shape))
    with pytest.raises(ValueError, match=f"Remove {name}_constraint"):
        constrained.enable_lora(2)
    with pytest.raises(ValueError, match="lora_rank of at least 1"):
        make(lora_rank=0)
    with pytest.raises(ValueError, match="quantization_config to be None"):
        make(quantization_config="int8")


def test_a_trained_model_is_adapted_saved_and_goes_on(engine, tmp_path):
    dlnative.utils.set_random_seed(1)
    model = dlnative.Sequential(
        [dlnative.Input((6,)), layers.Dense(8, "relu"), layers.Dense(3, name="head")]
    )
    model.compile("adam", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    expected = model.predict(X, verbose=0)
    head = model.get_layer("head")
    model.layers[0].trainable = False
    head.enable_lora(1)
    np.testing.assert_allclose(model.predict(X, verbose=0), expected, rtol=1e-6)
    model.compile("adam", "mse")
    kernel = head.kernel.numpy()
    losses = model.fit(X, Y, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    np.testing.assert_array_equal(head.kernel.numpy(), kernel)
    expected = model.predict(X, verbose=0)
    saving.save(model, tmp_path / "model")
    for again in (
        saving.load(tmp_path / "model").model,
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(again.predict(X, verbose=0), expected)
        assert not again.get_layer("head").kernel.trainable
        again.compile("adam", "mse")
        again.fit(X, Y, verbose=0)
        np.testing.assert_array_equal(again.get_layer("head").kernel.numpy(), kernel)


def test_setting_alpha_counts(engine):
    layer = layers.Dense(3, lora_rank=2)
    layer(X)
    _, b = factors(layer, "kernel")
    b.assign(np.ones(b.shape))
    one = layer(X) - X @ layer.kernel.numpy()
    layer.lora_alpha = 6.0
    np.testing.assert_allclose(layer(X) - X @ layer.kernel.numpy(), 3 * one, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("direction", ["ours", "Keras's"])
def test_files_of_keras_have_the_sum(keras, tmp_path, kind, direction):
    library, other = (dlnative, keras) if direction == "ours" else (keras, dlnative)
    name = type(MAKERS[kind][0]()).__name__
    arguments = {"Dense": (3,), "Conv2D": (3, 2), "Conv1D": (4, 3), "Embedding": (7, 3)}[name]
    _, shape, dtype = MAKERS[kind]
    layer = getattr(library.layers, name)(*arguments, lora_rank=2)
    model = library.Sequential([library.Input(shape, dtype=dtype), layer])
    rng = np.random.default_rng(2)
    model.set_weights([rng.standard_normal(w.shape).astype("float32") for w in model.get_weights()])
    model.save(tmp_path / "model.keras")
    x = (np.abs(rng.standard_normal((3, *shape))) * 2).astype(dtype)
    expected = np.asarray(model.predict(x, verbose=0))
    for each in (library, other):
        again = each.models.load_model(tmp_path / "model.keras")
        np.testing.assert_allclose(again.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-4)
        assert len(again.trainable_weights) == len(model.trainable_weights)
    one = dlnative.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match="variables.*received 7"):
        one.layers[0].load_own_variables({str(i): np.zeros(1) for i in range(7)})


def low_rank_model(kind, adapt):
    """A model with LoRA that has been trained, whose layer is adapted by `adapt`."""
    make, shape, dtype = MAKERS[kind]
    dlnative.utils.set_random_seed(1)
    layer = make(lora_rank=2, lora_alpha=3.0) if adapt == "constructor" else make()
    model = dlnative.Sequential(
        [dlnative.Input(shape, dtype=dtype), layer, layers.Flatten(), layers.Dense(2)]
    )
    model.compile("adam", "mse")
    x = (np.abs(RNG.standard_normal((8, *shape))) * 2).astype(dtype)
    y = RNG.standard_normal((8, 2)).astype("float32")
    if adapt != "constructor":
        model.fit(x, y, epochs=2, verbose=0)
        layer.enable_lora(2)
        model.compile(adapt, "mse")
    model.fit(x, y, epochs=2, verbose=0)
    return model, x, y


def copy_of(model, path, kind):
    """The model, loaded from a file that it or a copy of it has written."""
    source = {"copy": copy.deepcopy, "pickle": lambda m: pickle.loads(pickle.dumps(m))}
    source.get(kind, lambda m: m)(model).save(path)
    return saving.load_model(path)


@pytest.mark.parametrize("source", ["model", "copy", "pickle"])
@pytest.mark.parametrize("adapt", ["constructor", "sgd", "adam"])
@pytest.mark.parametrize("kind", MAKERS)
def test_our_own_file_of_keras_goes_on_bit_for_bit(tmp_path, kind, adapt, source):
    model, x, y = low_rank_model(kind, adapt)
    loaded = copy_of(model, tmp_path / "m.keras", source)
    for part in ("weights", "trainable_weights", "non_trainable_weights"):
        pairs = list(zip(getattr(model, part), getattr(loaded, part), strict=True))
        assert [a.name for a, _ in pairs] == [b.name for _, b in pairs]
        for a, b in pairs:
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    for a, b in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    losses = [each.fit(x, y, epochs=3, verbose=0).history["loss"] for each in (model, loaded)]
    assert losses[0] == losses[1]
    again = copy_of(loaded, tmp_path / "again.keras", source)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))


@pytest.mark.parametrize("kind", MAKERS)
def test_weights_of_low_rank_alone(tmp_path, kind):
    model, x, _ = low_rank_model(kind, "adam")
    expected = model.predict(x, verbose=0)
    model.save_weights(tmp_path / "m.weights.h5")
    same, _, _ = low_rank_model(kind, "adam")
    same.load_weights(tmp_path / "m.weights.h5")
    for a, b in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    # Of another rank, and without: the sum counts.
    make, shape, dtype = MAKERS[kind]
    for layer in (make(), make(lora_rank=1), make(lora_rank=3)):
        other = dlnative.Sequential(
            [dlnative.Input(shape, dtype=dtype), layer, layers.Flatten(), layers.Dense(2)]
        )
        other.load_weights(tmp_path / "m.weights.h5")
        np.testing.assert_allclose(other.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("adapt", ["constructor", "adam"])
@pytest.mark.parametrize("kind", MAKERS)
def test_keras_loads_the_sum_and_its_file_goes_back(keras, tmp_path, kind, adapt):
    model, x, _ = low_rank_model(kind, adapt)
    expected = model.predict(x, verbose=0)
    model.save(tmp_path / "ours.keras")
    theirs = keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    ours, judge = ([v.name for v in each.trainable_weights] for each in (model, theirs))
    assert ours == judge
    for a, b in zip(model.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(a, "float32"), np.asarray(b, "float32"))
    theirs.save(tmp_path / "theirs.keras")
    back = saving.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(back.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)
    model.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    np.testing.assert_allclose(theirs.predict(x, verbose=0), expected, rtol=1e-4, atol=1e-5)


@saving.register_keras_serializable("low_rank")
class Counting(layers.Dense):
    """A layer that keeps a number besides what its base class saves."""

    count = 0

    def save_own_variables(self, store):
        super().save_own_variables(store)
        store["count"] = np.array(self.count)

    def load_own_variables(self, store):
        self.count = int(store["count"])
        super().load_own_variables({k: store[k] for k in store if k != "count"})


@pytest.mark.parametrize("way", ["m.keras", "folder", "state"])
def test_a_class_that_keeps_more_goes_on_bit_for_bit(tmp_path, way):
    def make():
        dlnative.utils.set_random_seed(1)
        model = dlnative.Sequential([dlnative.Input((6,)), Counting(3, lora_rank=2)])
        model.compile("adam", "mse")
        return model

    model = make()
    model.fit(X, Y, epochs=2, verbose=0)
    model.layers[0].count = 5
    if way == "state":
        loaded = make()
        TrainingState.of(model).put_back(loaded)
    else:
        model.save(tmp_path / way)
        loaded = saving.load_model(tmp_path / way)
    assert loaded.layers[0].count == 5
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    losses = [each.fit(X, Y, epochs=3, verbose=0).history["loss"] for each in (model, loaded)]
    assert losses[0] == losses[1]
