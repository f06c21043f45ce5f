"""Saved models: the round trip, what is refused, and files that are whole or absent."""

from __future__ import annotations

import hashlib
import json
import os
import stat

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.saving import atomic_write, load, save


def make_model(seed: int = 0):
    dlnative.config.set_seed(seed)
    return dlnative.Sequential(
        [
            layers.Input((2, 3)),
            layers.Rescaling(0.5),
            layers.Flatten(),
            layers.Dense(4, activation="relu", name="hidden"),
            layers.Dropout(0.5),
            layers.Dense(2),
        ]
    )


@pytest.fixture
def folder(tmp_path):
    """A folder with a saved model."""
    save(make_model(), tmp_path / "model", classes=["cat", "dog"], training={"epochs": 3})
    return tmp_path / "model"


def edit(folder, change):
    """Applies a function to the configuration in a folder."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(change(config) or config))


def rewrite_weights(folder, content: bytes):
    """Replaces the weights and makes the configuration vouch for them."""
    (folder / "weights.safetensors").write_bytes(content)
    edit(folder, lambda c: c["weights"].update(sha256=hashlib.sha256(content).hexdigest()))


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

    tensors = load_file(folder / "weights.safetensors")
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
        "config.json", "more.txt", "notes.txt", "weights.safetensors",
    ]  # fmt: skip
    assert load(folder).classes is None


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format="other"), "not the configuration of a dlnative model"),
        (lambda c: [1, 2], "not the configuration of a dlnative model"),
        (lambda c: c.update(version=2, dlnative="9.9"), "version 2 .* by dlnative 9.9"),
        (lambda c: c.update(version="1"), "expected a version of at least 1, received '1'"),
        (lambda c: c.pop("weights"), "'weights' is missing"),
        (lambda c: c.update(model=[]), "'model' is missing or of the wrong type"),
        (lambda c: c.update(classes=3), "'classes' is missing or of the wrong type"),
        (lambda c: c["model"].update(class_name="Popen"), "Popen"),
        (lambda c: c["model"].update(module="os", class_name="system"), "Cannot find os.system"),
        (lambda c: c["model"].update(class_name="Dense", module="keras.layers"), "cannot build"),
        (lambda c: c["model"].pop("config"), "expected a model, received 'Sequential'"),
        (lambda c: c["model"]["config"]["layers"][1].update(class_name="os.system"), "os.system"),
        (lambda c: c["model"]["config"]["layers"][3]["config"].update(units=-1), "units"),
        (lambda c: c["model"]["config"]["layers"][3]["config"].update(activation="evil"), "evil"),
        (lambda c: c["model"]["config"]["layers"][5]["config"].update(units=5), r"shape \(4, 5\)"),
        (lambda c: c["model"]["config"]["layers"].pop(), "which the model does not have"),
        (lambda c: c["weights"].update(sha256="0" * 64), "not the weights that config.json"),
    ],
)  # fmt: skip
def test_bad_configuration(folder, change, message):
    edit(folder, lambda c: result if isinstance(result := change(c), list) else None)
    with pytest.raises(ValueError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "null", "[" * 100_000, '{"format": NaN}'])
def test_configuration_that_is_not_json(folder, content):
    (folder / "config.json").write_text(content)
    with pytest.raises(ValueError, match="config.json: (damaged|not the configuration)"):
        load(folder)


@pytest.mark.parametrize("content", [b"", b"12345678", b"\xff" * 8 + b"{}", b"PK\x03\x04"])
def test_weights_that_are_not_safetensors(folder, content):
    rewrite_weights(folder, content)
    with pytest.raises(ValueError, match="not a safetensors file"):
        load(folder)


def test_truncated_weights(folder):
    path = folder / "weights.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged, or not the weights"):
        load(folder)


def test_weights_of_another_model(folder):
    from safetensors.numpy import load_file
    from safetensors.numpy import save as to_bytes

    tensors = load_file(folder / "weights.safetensors")
    name = "hidden/kernel"
    rewrite_weights(folder, to_bytes({**tensors, name: tensors[name].astype(np.float64)}))
    with pytest.raises(ValueError, match=r"dtype float32, received \(6, 4\) and float64"):
        load(folder)
    rewrite_weights(folder, to_bytes({k: v for k, v in tensors.items() if k != name}))
    with pytest.raises(ValueError, match="lacks the weights of .*hidden/kernel"):
        load(folder)


def test_missing_files(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(tmp_path / "none")
    (folder / "weights.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="not a complete model, it has no weights"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="not a saved model, it has no config.json"):
        load(folder)


def test_configuration_that_cannot_be_json(tmp_path):
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save(make_model(), tmp_path / "model", training={"function": print})
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save(make_model(), tmp_path / "model", training={"rate": float("nan")})
    assert not (tmp_path / "model").exists()


# --- files ----------------------------------------------------------------------------------------


def test_atomic_write_keeps_the_old_file_when_it_fails(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic_write(path, "old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        atomic_write(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_save_keeps_the_old_model_when_it_is_interrupted(folder, monkeypatch):
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save(make_model(seed=1), folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_atomic_write_obeys_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        atomic_write(tmp_path / "file", b"content")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
