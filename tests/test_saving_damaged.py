"""Folders that are not as `save` wrote them: what is refused, and what the message says."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from saved_folders import edit, make_model, rewrite_weights, weights_of, with_header

import dlnative
from dlnative import layers
from dlnative.saving import load, save, strict_json, weights


@pytest.fixture
def folder(tmp_path):
    """A folder with a saved model."""
    save(make_model(), tmp_path / "model", classes=["cat", "dog"], training={"epochs": 3})
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(format="other"), "not the configuration of a dlnative model"),
        (lambda c: [1, 2], "not the configuration of a dlnative model"),
        (lambda c: c.update(version=5, dlnative="9.9"), "version 5 .* by dlnative 9.9"),
        (lambda c: c.update(version=True), "expected a version of at least 1, received True"),
        (lambda c: c.update(version="1"), "expected a version of at least 1, received '1'"),
        (lambda c: c.pop("weights"), "damaged: it has no entry 'weights'"),
        (lambda c: c["weights"].update(file="../weights.safetensors"), "expects 'weights' to be"),
        (lambda c: c["weights"].update(file=7), "expects 'weights' to be the name and"),
        (lambda c: c["weights"].pop("sha256"), "expects 'weights' to be the name and the SHA-256"),
        (lambda c: c.update(model=[]), r"expects 'model' to be an object, received \[\]"),
        (lambda c: c.update(classes=3), "expects 'classes' to be a list of integers or of"),
        (lambda c: c.update(classes=["a", 1]), r"expects 'classes' .* received \['a', 1\]"),
        (lambda c: c.update(preprocessing=[]), "expects 'preprocessing' to be an object or null"),
        (lambda c: c["model"].update(class_name="Popen"), "Popen"),
        (lambda c: c["model"].update(module="os", class_name="system"), "Cannot find os.system"),
        (lambda c: c["model"].update(class_name="Dense", module="keras.layers"), "cannot build"),
        (lambda c: c["model"].pop("config"), "expected a model, received 'Sequential'"),
        (lambda c: c["model"]["config"]["layers"][1].update(class_name="os.system"), "os.system"),
        (lambda c: c["model"]["config"]["layers"][3]["config"].update(units=-1), "units"),
        (lambda c: c["model"]["config"]["layers"][3]["config"].update(activation="evil"), "evil"),
        (lambda c: c["model"]["config"]["layers"][5]["config"].update(units=5), r"shape \(4, 5\)"),
        (lambda c: c["model"]["config"]["layers"][3].update(class_name=["x"]), "cannot build"),
        (lambda c: c["model"]["config"]["layers"][3].pop("config"), "cannot build"),
        (lambda c: c["model"]["config"].update(layers=7), "cannot build"),
        (lambda c: c["model"]["config"]["layers"][5]["config"].update(name="hidden"), "'hidden'"),
        (lambda c: c["model"]["config"]["layers"][5]["config"].update(units=10**30), "cannot"),
        (lambda c: c.update(sha252="0" * 64), "damaged: it has an entry 'sha252', which is not"),
        (lambda c: deepen(c["model"]), "cannot build the model: it is nested too deeply"),
        (lambda c: c["model"]["config"]["layers"].pop(), "which the model does not have"),
        (lambda c: c["weights"].update(sha256="0" * 64), "not the weights that config.json"),
    ],
)  # fmt: skip
def test_bad_configuration(folder, change, message):
    edit(folder, lambda c: result if isinstance(result := change(c), list) else None)
    with pytest.raises(ValueError, match=message) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


def deepen(entry):
    """Puts a model into 250 others."""
    for _ in range(250):
        inner = dict(entry)
        entry["config"] = {"name": "model", "layers": [inner]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "damaged"),
        (b"{", "damaged"),
        (b"null", "not the configuration"),
        (b"[" * 100_000, "damaged: it is nested too deeply"),
        (b'{"format": NaN}', "damaged: expected finite numbers, received NaN"),
        (b'{"format": -1e999}', "damaged: expected finite numbers, received -1e999"),
        (b'{"a": 1, "format": "x", "a": 1}', "damaged: the key 'a' stands twice"),
        (b'{"format": "\xff"}', "damaged: .*utf-8"),
        ('{"format": "dlnative-model"}'.encode("utf-16"), "damaged: .*utf-8"),
        (b'{"a": ' + b"9" * 5000 + b"}", "damaged"),
    ],
)  # fmt: skip
def test_configuration_that_is_not_json(folder, content, message):
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=f"config.json: {message}"):
        load(folder)


def test_configuration_that_is_too_long(folder, monkeypatch):
    monkeypatch.setattr("dlnative.saving.store._LONGEST_CONFIG", 100)
    with pytest.raises(ValueError, match="config.json: damaged: it is longer than 100 bytes"):
        load(folder)


def test_edited_configuration(folder):
    """It is refused until whoever edited it says so by removing the checksum."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["classes"] = ["tom", "dog"]
    path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match='config.json: damaged or edited: .*remove .*"sha256"'):
        load(folder)
    del config["sha256"]
    path.write_text(json.dumps(config))
    assert load(folder).classes == ["tom", "dog"]


def test_configuration_in_another_layout_is_the_same(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(dict(reversed(config.items()))).encode())
    assert load(folder).classes == ["cat", "dog"]


def test_every_damaged_byte_of_the_configuration_is_noticed(folder):
    path = folder / "config.json"
    content = path.read_bytes()
    value = json.loads(content)
    for at in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[at] ^= 4
        try:
            if strict_json.loads(bytes(damaged)) == value:
                continue  # white space became another
        except ValueError:
            pass
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="config.json"):
            load(folder)


TENSOR = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"12345678", b"\xff" * 8 + b"{}", b"PK\x03\x04", with_header(b"[]"), with_header(b"{"),
        with_header(b"[" * 100_000), with_header(b'{"a": 1, "a": 1}'), with_header({"a": 7}),
        with_header({"a": {**TENSOR, "dtype": "F33"}}, bytes(8)),
        with_header({"a": {**TENSOR, "dtype": []}}, bytes(8)),
        with_header({"a": {**TENSOR, "shape": [3]}}, bytes(8)),
        with_header({"a": {**TENSOR, "shape": [-2]}}, bytes(8)),
        with_header({"a": {**TENSOR, "shape": [2.0]}}, bytes(8)),
        with_header({"a": {**TENSOR, "shape": [1] * 100 + [2]}}, bytes(8)),
        with_header({"a": {**TENSOR, "data_offsets": [8, 16]}}, bytes(16)),
        with_header({"a": {**TENSOR, "data_offsets": [0, 4]}}, bytes(4)),
        with_header({"a": {**TENSOR, "data_offsets": [8]}}, bytes(8)),
        with_header({"a": TENSOR, "b": TENSOR}, bytes(8)),
    ],
)  # fmt: skip
def test_weights_that_are_not_safetensors(folder, content):
    rewrite_weights(folder, content)
    with pytest.raises(ValueError, match="weights-.*: not a safetensors file: its"):
        load(folder)


def test_truncated_weights(folder):
    path = weights_of(folder)
    content = path.read_bytes()
    for end in range(0, len(content), 9):
        path.write_bytes(content[:end])
        with pytest.raises(ValueError, match="weights-.*: (damaged: expected|not a safetensors)"):
            load(folder)
    path.write_bytes(content + b"x")
    with pytest.raises(ValueError, match=f"expected {len(content)} bytes.*received"):
        load(folder)


def test_weights_that_become_shorter_meanwhile(folder, monkeypatch):
    def check(self, variables, beside):
        os.truncate(self.path, 100_000)

    save(dlnative.Sequential([layers.Input((300,)), layers.Dense(300)]), folder)
    monkeypatch.setattr(weights.Weights, "check_fits", check)
    with pytest.raises(ValueError, match="it became shorter while it was read"):
        load(folder)


def test_damaged_values(folder):
    path = weights_of(folder)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged, or not the weights that config.json"):
        load(folder)


def test_weights_of_another_model(folder):
    from safetensors.numpy import load_file
    from safetensors.numpy import save as to_bytes

    tensors = load_file(weights_of(folder))
    name = "hidden/kernel"
    rewrite_weights(folder, to_bytes({**tensors, name: tensors[name].astype(np.float64)}))
    with pytest.raises(ValueError, match=r"dtype float32, received \(6, 4\) and float64"):
        load(folder)
    rewrite_weights(folder, to_bytes({k: v for k, v in tensors.items() if k != name}))
    with pytest.raises(ValueError, match="lacks .hidden/kernel. of shape"):
        load(folder)


def test_missing_files(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load(tmp_path / "none")
    weights_of(folder).unlink()
    with pytest.raises(FileNotFoundError, match="not a complete model, it has no weights-"):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="not a saved model, it has no config.json"):
        load(folder)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/dev/zero", path),
                                  lambda path: os.symlink(path, path)])  # fmt: skip
@pytest.mark.parametrize("find", [weights_of, lambda folder: folder / "config.json"])
def test_something_else_in_the_place_of_a_file(folder, make, find):
    path = find(folder)
    path.unlink()
    make(path)
    with pytest.raises(ValueError, match=f"{path.name}: expected a file, received something else"):
        load(folder)


def test_array_of_other_things_than_numbers(folder):
    def change(config):
        array = {"class_name": "__numpy__", "config": {"value": ["a"], "dtype": "S999999999"}}
        config["model"]["config"]["layers"][1]["config"]["scale"] = array

    edit(folder, change)
    with pytest.raises(ValueError, match="Expected an array of numbers in the configuration"):
        load(folder)


def test_configuration_that_cannot_be_json(tmp_path):
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save(make_model(), tmp_path / "model", training={"function": print})
    with pytest.raises(ValueError, match="cannot be written as JSON"):
        save(make_model(), tmp_path / "model", training={"rate": float("nan")})
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors", "a/b", "", ".."])
def test_names_of_further_files(tmp_path, name):
    with pytest.raises(ValueError, match="expected the name of a further file"):
        save(make_model(), tmp_path / "model", files={name: "text"})
    assert not (tmp_path / "model").exists()


def test_what_could_not_be_loaded_is_not_saved(tmp_path):
    with pytest.raises(
        ValueError, match="expects 'classes' to be a list of integers or of strings"
    ):
        save(make_model(), tmp_path / "model", classes=[0.5, 1.5])
    with pytest.raises(ValueError, match="the key '1' stands twice"):
        save(make_model(), tmp_path / "model", training={1: "a", "1": "b"})
    nested: list = []
    for _ in range(10_000):
        nested = [nested]
    with pytest.raises(ValueError, match="nested too deeply"):
        save(make_model(), tmp_path / "model", training={"x": nested})
    assert not (tmp_path / "model").exists()
