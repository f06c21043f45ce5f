"""Files of Keras 3, and of weights: what is written and read, and what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile

import keras_files as campaign
import numpy as np
import pytest
from keras_archives import edit_config, equal, fitted, small

import dlnative
from dlnative import layers, saving


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


# --- models --------------------------------------------------------------------------------------


def test_doors(rng, path):
    """All names lead to the same file, and back."""
    model = fitted(rng)
    saved = []
    for save in (model.save, lambda p: saving.save_model(model, p), None):
        (save or (lambda p: dlnative.models.save_model(model, str(p))))(path)
        saved.append(campaign.read_archive(path.read_bytes()))
        saved[-1].pop("metadata.json")
    assert saved[0] == saved[1] == saved[2]
    for load in (saving.load_model, dlnative.models.load_model):
        assert equal(load(path), model) and equal(load(str(path)), model)
    folder = path.with_suffix("")
    model.save(folder)
    assert equal(saving.load_model(folder), model)
    assert saving.load_model(folder).compiled
    assert not saving.load_model(folder, compile=False).compiled


def test_an_archive_as_keras_writes_it(rng, path):
    model = fitted(rng)
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        assert {i.filename: i.compress_type for i in archive.infolist()} == {
            "metadata.json": 0,
            "config.json": 0,
            "model.weights.h5": 0,
        }
    members = campaign.read_archive(path.read_bytes())
    config = json.loads(members["config.json"])
    assert (config["module"], config["class_name"]) == ("keras", "Sequential")
    assert config["compile_config"]["loss"] == "mse"
    assert "shared_object_id" not in members["config.json"].decode()
    metadata = json.loads(members["metadata.json"])
    assert metadata["keras_version"].startswith("3.") and metadata["dlnative"]["seeds"] == {}


def test_without_compile(rng, path):
    model = fitted(rng)
    model.save(path)
    loaded = saving.load_model(path, compile=False)
    assert not loaded.compiled and equal(loaded, model)
    bare = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(1)])
    bare.save(path)
    assert not saving.load_model(path).compiled


def test_masks_go_on(rng, path):
    """A model of ours draws what the saved one draws."""

    class Noisy(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.generator = dlnative.random.SeedGenerator()

        def call(self, inputs):
            return inputs + dlnative.random.normal((1, 4), seed=self.generator)

    model = dlnative.Sequential(
        [dlnative.Input((4,)), layers.Dropout(0.5), layers.Dense(4), Noisy(), layers.Dropout(0.5)]
    )
    x = rng.normal(size=(8, 4)).astype("float32")
    model.compile("sgd", "mse")
    model.train_on_batch(x, x)
    model.save(path)
    loaded = saving.load_model(path, {"Noisy": Noisy})
    assert [model.train_on_batch(x, x) for _ in range(3)] == [
        loaded.train_on_batch(x, x) for _ in range(3)
    ]
    assert equal(loaded, model)


def test_a_layer_in_two_models(rng, path):
    dense = layers.Dense(4)
    one = dlnative.Sequential([dlnative.Input((4,)), dense, layers.Dense(3)])
    two = dlnative.Sequential([dlnative.Input((4,)), layers.Dense(4), dense])
    x = dlnative.Input((4,))
    model = dlnative.Model(x, one(two(x)))
    model.save(path)
    loaded = saving.load_model(path)
    assert loaded.layers[2].layers[0] is loaded.layers[1].layers[1]
    assert len(loaded.weights) == len(model.weights) == 6 and equal(loaded, model)


def test_a_nested_model_that_is_compiled(rng, path):
    inner = fitted(rng, names=("a", "b"))
    model = dlnative.Sequential([dlnative.Input((4,)), inner, layers.Dense(1)])
    model.save(path)
    loaded = saving.load_model(path)
    assert loaded.layers[0].compiled and not loaded.compiled
    assert int(loaded.layers[0].optimizer.iterations) == 1
    for a, b in zip(inner.optimizer.variables, loaded.layers[0].optimizer.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())


def test_an_optimizer_that_has_not_been_used(path):
    model = small()
    model.save(path)
    with pytest.warns(UserWarning, match="keeps its state: it has 10 variables.* 2"):
        loaded = saving.load_model(path)
    assert int(loaded.optimizer.iterations) == 0


def test_optimizers_among_the_attributes(path):
    """As of a GAN, in groups of their own."""

    @saving.register_keras_serializable("keras_files")
    class Pair(dlnative.Model):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.hidden = layers.Dense(2)
            self.first_optimizer = dlnative.optimizers.SGD(0.5)

        def call(self, inputs):
            return self.hidden(inputs)

    model = Pair()
    model(np.ones((1, 3), "float32"))
    model.first_optimizer.learning_rate = 0.125
    model.save(path)
    assert float(saving.load_model(path).first_optimizer.learning_rate) == 0.125


def test_own_variables(path):
    """A layer may keep more than its variables, as in Keras."""

    @saving.register_keras_serializable("keras_files")
    class Remembers(layers.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.words = np.zeros(0)

        def call(self, inputs):
            return inputs

        def save_own_variables(self, store):
            store["words"] = np.asarray(self.words)

        def load_own_variables(self, store):
            assert list(store) == ["words"] and "0" not in store
            self.words = store["words"]

    model = dlnative.Sequential([dlnative.Input((2,)), Remembers()])
    model.layers[0].words = np.array([3, 1, 4])
    model.save(path)
    assert saving.load_model(path).layers[0].words.tolist() == [3, 1, 4]
    with pytest.raises(NotImplementedError, match="save_own_variables.*variables only"):
        model.save_weights(path.with_name("m.safetensors"))


def test_classes_of_the_user(path):
    class Twice(layers.Layer):
        def call(self, inputs):
            return inputs * 2.0

    dlnative.Sequential([dlnative.Input((2,)), Twice()]).save(path)
    with pytest.raises(ValueError, match="Twice.*custom_objects") as caught:
        saving.load_model(path)
    assert str(path) in str(caught.value)
    for model in (saving.load_model(path, {"Twice": Twice}), scoped(path, Twice)):
        np.testing.assert_array_equal(model.predict(np.ones((1, 2)), verbose=0), [[2, 2]])


def scoped(path, cls):
    with saving.custom_object_scope({"Twice": cls}):
        return saving.load_model(path)


@pytest.mark.parametrize("safe_mode", [True, False])
def test_code_is_refused(path, safe_mode):
    """A Lambda that Keras has written, with code, and one inside a loss."""
    dlnative.Sequential([dlnative.Input((2,)), layers.Activation("relu", name="act")]).save(path)
    code = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}

    def to_lambda(config):
        layer = config["config"]["layers"][1]
        layer.update(class_name="Lambda", config={"name": "mine", "function": code})

    good = path.read_bytes()
    edit_config(path, to_lambda)
    with pytest.raises(ValueError, match="Lambda 'mine'.*never run"):
        saving.load_model(path, safe_mode=safe_mode)
    path.write_bytes(good)
    edit_config(path, lambda c: c.update(compile_config={"optimizer": "sgd", "loss": code}))
    with pytest.raises(ValueError, match="code of a lambda, which is never run"):
        saving.load_model(path, safe_mode=safe_mode)


def test_a_loss_without_a_name(rng, path):
    model = small()
    model.compile("sgd", lambda y_true, y_pred: dlnative.ops.mean(y_pred))
    with pytest.warns(UserWarning, match="as if it were not compiled"):
        model.save(path)
    loaded = saving.load_model(path)
    assert not loaded.compiled and equal(loaded, model)


def test_a_folder_of_keras(rng, tmp_path):
    """What Keras writes with `zipped=False`."""
    model, path = fitted(rng), tmp_path / "model"
    model.save(tmp_path / "model.keras")
    path.mkdir()
    for name, content in campaign.read_archive((tmp_path / "model.keras").read_bytes()).items():
        (path / name).write_bytes(content)
    loaded = saving.load_model(path)
    assert equal(loaded, model) and int(loaded.optimizer.iterations) == 1
    (path / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"config\.json"):
        saving.load_model(path)


def test_a_lambda_is_not_written(path):
    model = dlnative.Sequential([dlnative.Input((2,)), layers.Lambda(lambda x: x)])
    with pytest.raises(ValueError, match="lambda has no name"):
        model.save(path)
    assert not path.exists()


# --- weights -------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors", ".keras"])
def test_weights(rng, tmp_path, suffix):
    model, other = fitted(rng), small()
    path = tmp_path / f"w{suffix}"
    (model.save if suffix == ".keras" else model.save_weights)(path)
    other.optimizer.build(other.trainable_variables)
    other.load_weights(path)
    assert equal(other, model)
    has_state = suffix != ".safetensors"
    assert int(other.optimizer.iterations) == int(has_state)


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
def test_mismatch(rng, tmp_path, suffix):
    """Nothing is loaded, or all that fits."""
    model, other = fitted(rng), small()
    path = tmp_path / f"w{suffix}"
    model.save_weights(path)
    other = dlnative.Sequential(
        [
            dlnative.Input((4,)),
            layers.Dense(3, name="first"),
            layers.Dense(5, name="second"),
        ]
    )
    before = other.get_weights()
    with pytest.raises(ValueError, match="second") as caught:
        other.load_weights(path)
    assert str(path) in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, other.get_weights(), strict=True))
    with pytest.warns(UserWarning, match="second"):
        other.load_weights(path, skip_mismatch=True)
    np.testing.assert_array_equal(other.layers[0].kernel, model.layers[0].kernel)
    assert np.array_equal(other.layers[1].kernel, before[2])


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
def test_objects_to_skip(rng, tmp_path, suffix):
    model, path = fitted(rng), tmp_path / f"w{suffix}"
    model.save_weights(path)
    other = small()
    before = other.get_weights()
    other.load_weights(path, objects_to_skip=[other.layers[0], other.optimizer])
    assert np.array_equal(other.layers[0].kernel, before[0])
    assert np.array_equal(other.layers[1].kernel, model.layers[1].kernel)
    saving.save_weights(model, path, objects_to_skip=[model.layers[1], model.optimizer])
    with pytest.raises(ValueError, match="second"):
        other.load_weights(path)
    saving.load_weights(other, path, objects_to_skip=[other.layers[1], other.optimizer])
    assert np.array_equal(other.layers[0].kernel, model.layers[0].kernel)


def test_refused_arguments(rng, tmp_path):
    model = fitted(rng)
    for call, message in [
        (lambda: model.save(tmp_path / "m.h5"), "format of Keras 2"),
        (lambda: model.save(tmp_path / "m.pt"), "ends in '.keras'"),
        (lambda: model.save(tmp_path / "m.keras", zipped=False), "zipped=None, or True"),
        (lambda: model.save(tmp_path / "m", zipped=True), "zipped=None, or True"),
        (lambda: saving.load_model(tmp_path / "m.h5"), "format of Keras 2"),
        (lambda: model.save_weights(tmp_path / "m.h5"), "'.weights.h5' or '.safetensors'"),
        (lambda: model.load_weights(tmp_path / "m.h5"), "with Keras"),
        (lambda: model.load_weights(tmp_path / "m.txt"), "or '.keras'"),
        (lambda: model.save_weights(tmp_path / "m.weights.h5", max_shard_size=1), "one file"),
        (lambda: model.load_weights(tmp_path / "m.keras", objects_to_skip=[]), "of weights only"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    for name in ("m.keras", "none"):
        with pytest.raises(FileNotFoundError, match=name):
            saving.load_model(tmp_path / name)
    for name in ("m.weights.h5", "m.safetensors", "m.keras"):
        with pytest.raises(FileNotFoundError, match=name):
            model.load_weights(tmp_path / name)
    late = dlnative.Sequential([layers.Dense(2)])
    for call in (late.save_weights, late.load_weights):
        with pytest.raises(ValueError, match="not built yet"):
            call(tmp_path / "m.weights.h5")
    (tmp_path / "text").write_text("x")
    with pytest.raises(ValueError, match="expected a '.keras' file"):
        saving.load_model(tmp_path / "text")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["text"]


# --- overwriting ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.keras", "folder", "m.weights.h5", "m.safetensors"])
def test_overwrite(rng, tmp_path, name):
    model, path = fitted(rng), tmp_path / name
    save = model.save if name in ("m.keras", "folder") else model.save_weights
    save(path, overwrite=False)
    listing = sorted(os.listdir(tmp_path))
    with pytest.raises(FileExistsError, match="overwrite is False"):
        save(path, overwrite=False)
    save(path)
    assert sorted(os.listdir(tmp_path)) == listing == [name]


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.safetensors"])
def test_an_interruption_leaves_the_old_file(rng, tmp_path, monkeypatch, name):
    model, path = fitted(rng), tmp_path / name
    save = model.save if name == "m.keras" else model.save_weights
    save(path)
    content = path.read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    for target in ("os.replace", "os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(target, stop)
            with pytest.raises(KeyboardInterrupt):
                save(path)
        assert path.read_bytes() == content and os.listdir(tmp_path) == [name]


def test_neither_keras_nor_h5py_is_imported(rng, path):
    fitted(rng).save(path)
    code = (
        "import sys, dlnative; m = dlnative.saving.load_model(sys.argv[1]); m.save(sys.argv[1]);"
        "assert not {'keras', 'h5py', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=True)


@pytest.mark.parametrize("suffix", [".weights.h5", ".safetensors"])
def test_weights_of_layers_that_have_other_automatic_names(rng, tmp_path, suffix):
    def make(extra=0):
        for _ in range(extra):
            layers.Dense(1)
        return dlnative.Sequential(
            [
                dlnative.Input((3,)),
                layers.Dense(4, activation="relu"),
                layers.BatchNormalization(),
                layers.Dense(4),
                dlnative.Sequential([layers.Dense(4), layers.Dense(4)]),
            ]
        )

    first, second = make(), make(extra=7)
    names = [v.path for v in second.variables]
    first(np.ones((2, 3))), second(np.ones((2, 3)))
    for variable in first.variables:
        variable.assign(rng.standard_normal(variable.shape))
    first.save_weights(tmp_path / f"m{suffix}")
    second.load_weights(tmp_path / f"m{suffix}")
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [v.path for v in second.variables][: len(names)] == names
    third = dlnative.Sequential([dlnative.Input((3,)), layers.Dense(5), layers.Dense(4)])
    with pytest.raises(ValueError, match=r"m\..*"):
        third.load_weights(tmp_path / f"m{suffix}")


def with_settings(kind):
    """A model of images that one thing has been set of beside its configuration."""
    dlnative.utils.set_random_seed(3)
    augmentation = [layers.RandomFlip(seed=7), layers.RandomContrast(0.3, value_range=(0, 1))]
    model = dlnative.Sequential(
        [
            dlnative.Input((8, 8, 3)),
            *(augmentation if kind == "augmentation" else ()),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.4),
            layers.Dense(3, activation="softmax"),
        ]
    )
    optimizer = dlnative.optimizers.AdamW(0.01, weight_decay=0.1)
    if kind == "excluded":
        optimizer.exclude_from_weight_decay(var_names=["kernel"])
    if kind == "factor":
        model.get_layer("conv").learning_rate_factor = 0.1
    if kind == "frozen":
        model.get_layer("conv").kernel.trainable = False
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize("kind", ["plain", "augmentation", "excluded", "factor", "frozen"])
@pytest.mark.parametrize("name", ["m.keras", "folder"])
def test_a_loaded_model_goes_on_bit_for_bit(rng, tmp_path, kind, name):
    x, y = rng.random((40, 8, 8, 3)).astype("float32"), rng.integers(0, 3, 40)
    model = with_settings(kind)
    model.fit(x, y, epochs=2, batch_size=16, verbose=0)
    model.save(tmp_path / name)
    loaded = saving.load_model(tmp_path / name)
    histories = [m.fit(x, y, epochs=2, batch_size=16, verbose=0).history for m in (model, loaded)]
    assert histories[0] == histories[1]
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("settings", [5, {}, {"values": {}}, {"values": 3, "steps": 1}])
def test_settings_that_are_none(tmp_path, settings):
    model = with_settings("plain")
    model.save(tmp_path / "m.keras")
    with zipfile.ZipFile(tmp_path / "m.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    metadata = json.loads(members["metadata.json"])
    metadata["dlnative"]["settings"] = settings
    members["metadata.json"] = json.dumps(metadata).encode()
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="m.keras"):
        saving.load_model(tmp_path / "m.keras")
