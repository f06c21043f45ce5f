"""Pickle files read as plain data: what is in them, and that nothing of it is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from dlnative.datasets import pickles


class Evil:
    """An object whose pickle runs a command when it is loaded the usual way."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


def recipe(function, *arguments):
    """An object whose pickle calls a function."""
    return type("Recipe", (), {"__reduce__": lambda self: (function, arguments)})()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_run_nothing(tmp_path, protocol):
    path = tmp_path / "evil"
    for content in (Evil(tmp_path / "done"), {"data": [Evil(tmp_path / "done")]}):
        path.write_bytes(pickle.dumps(content, protocol))
        with pytest.raises(ValueError, match=f"names {os.system.__module__}.system, which is not"):
            pickles.read(path)
    assert not (tmp_path / "done").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (recipe(eval, "1"), "names (builtins|__builtin__).eval"),
        (recipe(np.fromfile, "x"), "fromfile"),
        (recipe(np.dtype, "O"), "dtype 'O' is not one of numbers"),
        (recipe(np.dtype, "V8"), "dtype 'V8' is not one of numbers"),
        (np.array([{}], object), "dtype 'O8' is not one of numbers"),
        (np.zeros(2, [("a", "i4")]), "is not one of numbers"),
        (Path("x"), "names pathlib"),
        (complex(1, 2), "complex"),
    ],
)
def test_pickles_hold_plain_data_only(tmp_path, value, message):
    path = tmp_path / "file"
    path.write_bytes(pickle.dumps({"data": value}))
    with pytest.raises(ValueError, match=message):
        pickles.read(path)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("dtype", ["u1", ">i2", "f4", "?", "f8"])
def test_pickles_of_arrays(tmp_path, protocol, dtype):
    path = tmp_path / "file"
    rows = np.arange(6).reshape(2, 3).astype(dtype)
    value = {"c": rows, "f": np.asfortranarray(rows), "e": rows[:0], "l": [b"a", "b", 1, None]}
    path.write_bytes(pickle.dumps(value, protocol))
    loaded = pickles.read(path)
    for name in "cfe":
        np.testing.assert_array_equal(loaded[name], value[name])
        assert loaded[name].dtype == np.dtype(dtype)
    assert loaded["l"] == value["l"]


def test_pickles_of_the_wrong_length(tmp_path):
    content = pickle.dumps(np.zeros(300, np.uint8), 2).replace(b"M,\x01\x85", b"M\xff\x7f\x85")
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(ValueError, match="300 bytes for an array of shape .32767,."):
        pickles.read(tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="no such file"):
        pickles.read(tmp_path / "none")
