"""Files of Keras that are damaged or malicious: refused by name, and by little memory."""

from __future__ import annotations

import struct
import tracemalloc
import warnings
import zipfile

import keras_files as campaign
import numpy as np
import pytest
from keras_archives import edit, edit_config, fitted

import dlnative
from dlnative import layers, saving

SMALL = 1 << 20  # bytes, far less than what a hostile file announces


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


def refused(path, match, load=saving.load_model):
    """Checks that a file is refused by name, and by little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=match) as caught:
            load(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert peak < SMALL + 8 * path.stat().st_size


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_bombs(rng, path, name):
    fitted(rng).save(path)
    members = campaign.read_archive(path.read_bytes())
    members[name] = bytes(2**28)
    path.write_bytes(campaign.write_archive(members.items(), zipfile.ZIP_DEFLATED))
    refused(path, f"{name} announces 268435456 bytes")


def test_a_bomb_that_announces_little(rng, path):
    fitted(rng).save(path)
    members = campaign.read_archive(path.read_bytes())
    members["model.weights.h5"] = bytes(2**28)
    content = bytearray(campaign.write_archive(members.items(), zipfile.ZIP_DEFLATED))
    entry = content.rfind(b"PK\1\2")
    struct.pack_into("<I", content, entry + 24, 5000)
    path.write_bytes(content)
    refused(path, "model.weights.h5 has not the 5000 bytes|CRC")


def test_archives(rng, path):
    fitted(rng).save(path)
    good = path.read_bytes()
    members = campaign.read_archive(good)
    for name in ("config.json", "model.weights.h5"):
        edit(path, **{name.replace(".", "__"): None})
        refused(path, f"has no {name}")
        path.write_bytes(good)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path.write_bytes(campaign.write_archive([*members.items(), ("config.json", b"{}")]))
    refused(path, "same name")
    more = [(f"../{i}", b"") for i in range(10_001)]
    path.write_bytes(campaign.write_archive([*members.items(), *more]))
    refused(path, "more than 10000")
    path.write_bytes(campaign.write_archive(members.items(), zipfile.ZIP_BZIP2))
    refused(path, "method 12")
    path.write_bytes(campaign.write_archive(members.items(), zipfile.ZIP_DEFLATED))
    assert saving.load_model(path).compiled  # compressed by others, and within bounds
    path.write_bytes(good[: len(good) // 2])
    refused(path, "not a zip file")
    flipped = bytearray(good)
    flipped[good.find(b"\x89HDF") + 300] ^= 1
    path.write_bytes(flipped)
    refused(path, "CRC")
    path.unlink()
    path.mkdir()
    (path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="not the configuration of a dlnative model"):
        saving.load_model(path)


def test_shapes_that_are_not_in_the_file(rng, path):
    """A configuration that asks for more weights than there are costs no memory."""
    fitted(rng).save(path)
    edit_config(path, lambda c: c["config"]["layers"][1]["config"].update(units=10**9))
    refused(path, "expected values of shape|do not fit")


@pytest.mark.parametrize(
    ("op", "args", "options"),
    [
        ("OneHot", [], {"num_classes": 10**9, "axis": -1, "dtype": "float32", "sparse": False}),
        ("one_hot", [10**9], {}),
        ("linspace", [1.0, 10**9], {}),
        ("multi_hot", [10**9], {}),
    ],
)
def test_arrays_that_are_not_in_the_file(path, op, args, options):
    """An op that would make a large array while the model is built."""
    x = dlnative.Input((4,), dtype="int32")
    dlnative.Model(x, dlnative.ops.one_hot(x, 3)).save(path)

    def change(config):
        layer = config["config"]["layers"][1]
        layer["config"].update(options)
        if op != "OneHot":
            layer.update(module="dlnative.layers", class_name="OpLayer")
            layer["config"] = {"name": layer["name"], "op": op}
            layer["inbound_nodes"][0]["args"] += args

    edit_config(path, change)
    refused(path, "at most 1000000, received 1000000000")


def test_a_call_without_tensors(path):
    """It would be computed at once."""
    x = dlnative.Input((4,))
    dlnative.Model(x, dlnative.ops.repeat(x, 2, axis=1)).save(path)

    def change(config):
        layer = config["config"]["layers"][1]
        layer["config"]["repeats"] = 10**9
        layer["inbound_nodes"][0]["args"] = [[1.0, 2.0]]

    edit_config(path, change)
    refused(path, "'repeat' is called without a tensor")


def test_bytes_that_are_referred_to_often(rng, tmp_path):
    """Ten thousand names of one array: read once, or refused."""
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "m.weights.h5"
    stack = dlnative.Sequential(
        [dlnative.Input((64,)), *(layers.Dense(64, use_bias=False) for _ in range(60))]
    )
    with h5py.File(path, "w") as file:
        file["layers/dense/vars/0"] = np.zeros((64, 64), "float32")
        for i in range(1, 60):
            file[f"layers/dense_{i}/vars/0"] = file["layers/dense/vars/0"]
    refused(path, "same bytes too often", stack.load_weights)


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (8, b"\2", "version 2 of HDF5's superblock"),
        (13, b"\4", "superblock"),
        (40, b"\0" * 8, None),
        (40, b"\xff" * 8, "expected 18446744073709551615 bytes"),
        (64, b"\xff" * 8, "refers to byte"),
        (0, b"\0", "not an HDF5 file"),
    ],
)
def test_superblocks(rng, tmp_path, at, value, message):
    model, path = fitted(rng), tmp_path / "m.weights.h5"
    model.save_weights(path)
    content = bytearray(path.read_bytes())
    content[at : at + len(value)] = value
    path.write_bytes(content)
    if message is None:
        model.load_weights(path)
    else:
        refused(path, message, model.load_weights)


def test_damaged_files():
    findings: list[str] = []
    campaign.search(20260101, 300, findings.append)
    assert findings == []


def test_the_search_finds_something(monkeypatch):
    def broken(path):
        raise IndexError("list index out of range")

    monkeypatch.setattr(campaign, "load_model", broken)
    findings: list[str] = []
    campaign.search(1, 8, findings.append)
    assert findings and "IndexError" in findings[0]
