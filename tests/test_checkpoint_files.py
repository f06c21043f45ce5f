"""Files of checkpoints: what is read is what was written, and any damage is noticed."""

from __future__ import annotations

import os

import numpy as np
import pytest

from dlnative.saving.checkpoints import CheckpointFolder

VALUES = {"a": [1, 2.5, None, float("inf")], "text": "이름"}


def arrays_of(size, seed=0):
    draws = np.random.default_rng(seed)
    return {
        "floats": draws.normal(size=size).astype("float32"),
        "matrix": draws.normal(size=(3, size)),
        "counter": np.array(7, "int64"),
        "empty": np.zeros((0, 4), "float32"),
        "flag": np.array(True),
    }


def newest(path):
    with CheckpointFolder(path) as folder:
        return next(folder.newest(), None)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_is_read_as_it_was_written(keep, tmp_path):
    with CheckpointFolder(tmp_path, keep) as folder:
        for number, size in enumerate([5, 9000, 40, 1, 9000, 511, 512, 513]):
            folder.write(arrays_of(size, number), {**VALUES, "number": number})
            assert folder.number == number + 1
            found, values = next(folder.newest())
            assert values == {**VALUES, "number": number}
            for name, array in arrays_of(size, number).items():
                np.testing.assert_array_equal(found[name], array)
                assert found[name].dtype == array.dtype
            files = list(tmp_path.glob("*.safetensors"))
            assert len(files) == min(keep, number + 1)
        assert len(list(folder.newest())) == keep


def test_arrays_of_callbacks_are_among_the_others(tmp_path):
    packed = {"base64": "AACAPwAAAEA=", "dtype": "float32", "shape": [2]}
    values = {"callbacks": [{"best": [packed, packed]}]}
    with CheckpointFolder(tmp_path) as folder:
        folder.write(arrays_of(3), values)
    found, read = newest(tmp_path)
    assert read == values and found.keys() == arrays_of(3).keys()


def test_every_damage_is_noticed(tmp_path):
    with CheckpointFolder(tmp_path) as folder:
        folder.write(arrays_of(3000), VALUES)
    (path,) = tmp_path.glob("*.safetensors")
    content = path.read_bytes()
    draws = np.random.default_rng(0)
    for place in [0, 7, 8, len(content) - 1, *draws.integers(0, len(content), 60)]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(draws.integers(8))
        path.write_bytes(damaged)
        with pytest.warns(UserWarning, match="not a whole checkpoint"):
            assert newest(tmp_path) is None
    for cut in (0, 3, 4096, len(content) - 4096, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.warns(UserWarning, match="not a whole checkpoint"):
            assert newest(tmp_path) is None
    blocks = bytearray(content)
    blocks[-8192:-4096], blocks[-4096:] = content[-4096:], content[-8192:-4096]
    path.write_bytes(blocks)
    with pytest.warns(UserWarning, match="not a whole checkpoint"):
        assert newest(tmp_path) is None
    path.write_bytes(content)
    assert newest(tmp_path) is not None


def test_what_a_killed_writer_has_left_goes(tmp_path):
    with CheckpointFolder(tmp_path) as folder:
        folder.write(arrays_of(3), VALUES)
    left = tmp_path / ".checkpoint-00000002-0123456789abcdef.safetensors.01234567.dlnative"
    left.write_bytes(b"half")
    (tmp_path / ".mine").write_text("mine")
    assert newest(tmp_path) is not None
    assert not left.exists() and (tmp_path / ".mine").exists()


def test_an_error_leaves_a_whole_checkpoint(tmp_path, monkeypatch):
    with CheckpointFolder(tmp_path) as folder:
        for number in range(3):
            folder.write(arrays_of(3), {"number": number})

        def full(handle):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                folder.write(arrays_of(3), {"number": 3})
        assert next(folder.newest())[1] == {"number": 2}
        folder.write(arrays_of(3), {"number": 4})
        assert [values["number"] for _, values in folder.newest()] == [4, 2]
    assert not list(tmp_path.glob(".checkpoint*"))
