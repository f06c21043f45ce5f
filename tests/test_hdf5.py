"""HDF5 as Keras writes it, written and read without libhdf5."""

from __future__ import annotations

import io

import keras_files as campaign
import numpy as np
import pytest
from keras_archives import fitted

from dlnative.saving import hdf5_read, hdf5_write

COUNTS = [0, 1, 7, 8, 9, 16, 255, 256, 257, 8191, 8192, 8193]  # around what fills a node
DTYPES = ["bool", "uint8", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"]


def opened(content):
    return hdf5_read.HDF5File(io.BytesIO(content), len(content)).root


@pytest.mark.parametrize("count", COUNTS)
def test_hdf5(rng, count):
    """Written, read, and read by h5py."""
    arrays = {
        str(i): rng.normal(0, 9, rng.integers(0, 4, i % 4)).astype(DTYPES[i % len(DTYPES)])
        for i in range(count)
    }
    tree = {"many": arrays, "none": {}, "\u00fc b": {"c": {"d": np.float32(3)}}}
    content = bytes(hdf5_write.hdf5_bytes(tree))
    root = opened(content)
    assert set(root) == set(tree) and root.group("none/x") is None
    assert root.group("\u00fc b/c").array("d") == 3
    many = root.group("many")
    assert len(many) == count and sorted(many) == sorted(arrays)
    for name, array in arrays.items():
        found = many.array(name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    h5py = pytest.importorskip("h5py")
    with h5py.File(io.BytesIO(content)) as file:
        assert list(file["many"]) == sorted(arrays)
        for name, array in arrays.items():
            assert file["many"][name].dtype == array.dtype
            np.testing.assert_array_equal(file["many"][name][()], array)


def test_hdf5_of_h5py(rng):
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    arrays = {d: rng.normal(0, 9, (2, 3)).astype(d) for d in [*DTYPES, ">f4", ">i8"]}
    with h5py.File(stream, "w") as file:
        for name, array in arrays.items():
            file[f"a/b/{name}"] = array
            file[f"a/b/{name}"].attrs["note"] = "x" * 100
        for i in range(2000):
            file[f"n/{i}"] = i
        file["compact"] = h5py.Empty("f4")
    root = opened(stream.getvalue())
    for name, array in arrays.items():
        found = root.group("a/b").array(name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)
    assert [int(root.group("n").array(str(i))) for i in range(2000)] == list(range(2000))


@pytest.mark.parametrize("kind", sorted(set(campaign.HDF5) - {"more", "deleted", "hard loop"}))
def test_what_hdf5_may_also_hold(rng, tmp_path, kind):
    """What is no array of the right shape in one piece is refused by name."""
    h5py = pytest.importorskip("h5py")
    model, path = fitted(rng), tmp_path / "m.weights.h5"
    model.save_weights(path)
    before = model.get_weights()
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/0"]
        campaign.HDF5[kind](file, "layers/dense/vars/0", (4, 3))
    if kind in ("float16", "integers", "booleans", "not finite"):  # numbers like others
        model.load_weights(path)
        return
    with pytest.raises(ValueError, match="'first' do not fit") as caught:
        model.load_weights(path)
    assert str(path) in str(caught.value)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def test_kinds_of_numbers(rng, tmp_path):
    h5py = pytest.importorskip("h5py")
    model, path = fitted(rng), tmp_path / "m.weights.h5"
    model.save_weights(path)
    with h5py.File(path, "a") as file:
        del file["optimizer/vars/0"]
        file["optimizer/vars/0"] = 2.5
    with pytest.raises(ValueError, match=r"iteration.*expected values of dtype int64.*float64"):
        model.load_weights(path)
