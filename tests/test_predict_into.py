"""predict(out=...): outputs go into arrays that are there already."""

from __future__ import annotations

import numpy as np
import pytest
from batch_sources import BATCH, Loader, X, generator, make_dataset
from small_training import mlp

import dlnative
from dlnative import layers

ENDS = pytest.mark.filterwarnings("ignore:The .* ran out of data:UserWarning")


def two_headed():
    x = dlnative.Input((4,))
    return dlnative.Model(
        x, {"left": layers.Dense(1, name="left")(x), "right": layers.Dense(3, name="right")(x)}
    )


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_arrays(engine):
    with dlnative.engine(engine):
        model = mlp()
        expected = model.predict(X, verbose=0)
        out = np.full((37, 3), -1, "float32")
        result = model.predict(X, BATCH, verbose=0, out=out)
    assert np.shares_memory(result, out)
    np.testing.assert_array_equal(out, expected)


def test_a_memory_map(tmp_path):
    model = mlp()
    out = np.memmap(tmp_path / "out", dtype="float32", mode="w+", shape=(37, 3))
    model.predict(X, verbose=0, out=out)
    out.flush()
    read = np.fromfile(tmp_path / "out", "float32").reshape(37, 3)
    np.testing.assert_array_equal(read, model.predict(X, verbose=0))
    with pytest.raises(ValueError, match="out: expected a writable array"):
        model.predict(
            X, verbose=0, out=np.memmap(tmp_path / "out", "float32", mode="r", shape=(37, 3))
        )


@ENDS
@pytest.mark.parametrize("source", [generator, Loader, make_dataset])
def test_sources(source):
    """There may be room for more rows; those that were written are returned."""
    model = mlp()
    expected = model.predict(X, verbose=0)
    out = np.full((50, 3), -1, "float32")
    result = model.predict(source(), verbose=0, out=out)
    assert np.shares_memory(result, out)
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert (out[37:] == -1).all()
    with pytest.raises(ValueError, match="out: expected room for all rows, received 20 rows"):
        model.predict(source(), verbose=0, out=out[:20])


def test_several_outputs():
    model = two_headed()
    expected = model.predict(X, verbose=0)
    out = {"left": np.empty((37, 1), "float32"), "right": np.empty((37, 3), "float32")}
    result = model.predict(X, verbose=0, out=out)
    for name in out:
        assert np.shares_memory(result[name], out[name])
        np.testing.assert_array_equal(out[name], expected[name])
    with pytest.raises(ValueError, match="out: expected 2 arrays, one per output"):
        model.predict(X, verbose=0, out=out["left"])
    with pytest.raises(ValueError, match=r"out\[1\]: expected shape \(37, 3\), received \(37, 1\)"):
        model.predict(X, verbose=0, out={"left": out["left"], "right": out["left"]})


def test_steps():
    model = mlp()
    out = np.empty((2 * BATCH, 3), "float32")
    model.predict(X, BATCH, verbose=0, steps=2, out=out)
    np.testing.assert_array_equal(out, model.predict(X, BATCH, verbose=0)[: 2 * BATCH])


def test_a_step_of_the_models_own():
    class Doubled(dlnative.Model):
        def __init__(self):
            super().__init__()
            self.head = layers.Dense(3)

        def call(self, x):
            return self.head(x)

        def predict_step(self, data):
            return 2.0 * self(data)

    model = Doubled()
    expected = model.predict(X, BATCH, verbose=0)
    out = np.empty((37, 3), "float32")
    model.predict(X, BATCH, verbose=0, out=out)
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_allclose(expected, 2 * model.head(X), rtol=1e-6)


@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (np.empty((36, 3), "float32"), ValueError, r"out: expected shape \(37, 3\), .* \(36, 3\)"),
        (np.empty((37, 4), "float32"), ValueError, r"out: expected shape \(37, 3\), .* \(37, 4\)"),
        (np.empty((37, 3)), TypeError, "out: expected dtype float32, received float64"),
        (np.empty((37, 6), "float32")[:, ::2], ValueError, "out: expected a C-contiguous array"),
        ("file", TypeError, "out: expected an array, received str"),
    ],
)
def test_arrays_that_do_not_fit(out, error, message):
    model = mlp()
    with pytest.raises(error, match=message):
        model.predict(X, verbose=0, out=out)
    if isinstance(out, np.ndarray) and len(out) == 37:
        with pytest.raises(error, match=message.replace("37, 3", "rows, 3")):
            model.predict(Loader(), verbose=0, out=out)


def square():
    dlnative.utils.set_random_seed(5)
    return dlnative.Sequential([dlnative.Input((4,)), layers.Dense(4, activation="tanh")])


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("shift", [0, 1, 4, -1, -4])
def test_an_array_that_overlaps_the_input(engine, shift):
    """Only the very same rows may be overwritten."""
    memory = np.tile(X, (2, 1))
    x, out = memory[4:30], memory[4 + shift : 30 + shift]
    with dlnative.engine(engine):
        model = square()
        expected = model.predict(x, 8, verbose=0)
        before = memory.copy()
        if shift == 0:
            model.predict(x, 8, verbose=0, out=out)
            np.testing.assert_array_equal(out, expected)
            return
        with pytest.raises(ValueError, match="out: expected memory that x does not use"):
            model.predict(x, 8, verbose=0, out=out)
    np.testing.assert_array_equal(memory, before)


def test_inputs_that_share_memory_in_other_ways():
    """Columns, and rows of another size, are not read row by row as they are written."""
    model = square()
    wide = np.zeros((20, 8), "float32")
    with pytest.raises(ValueError, match="out: expected memory that x does not use"):
        model.predict(wide[:, :4], 8, verbose=0, out=wide.reshape(40, 4)[:20])
    apart = np.zeros((40, 4), "float32")
    model.predict(apart[:20], 8, verbose=0, out=apart[20:])


@ENDS
@pytest.mark.parametrize("shift", [0, 1])
def test_batches_that_are_parts_of_the_array(shift):
    model = square()
    memory = np.tile(X, (2, 1))
    out = memory[: 4 * 8]
    expected = model.predict(memory[shift : shift + 32], 8, verbose=0)
    if shift:
        with pytest.raises(ValueError, match="out: expected memory that x does not use"):
            model.predict(Views(memory, shift), verbose=0, out=out)
        return
    model.predict(Views(memory, shift), verbose=0, out=out)
    np.testing.assert_allclose(out, expected, rtol=1e-6)


class Views:
    """Batches of 8 rows that are no copies."""

    def __init__(self, memory, shift):
        self.memory, self.shift = memory, shift

    def __iter__(self):
        for i in range(self.shift, 32 + self.shift, 8):
            yield (self.memory[i : i + 8],)


def test_outputs_that_share_memory():
    model = two_headed()
    memory = np.empty(37 * 4, "float32")
    out = {"left": memory[:37].reshape(37, 1), "right": memory[36 : 36 + 111].reshape(37, 3)}
    with pytest.raises(ValueError, match=r"out\[1\]: expected memory of its own, .* out\[0\]"):
        model.predict(X, verbose=0, out=out)
    out["right"] = memory[37:].reshape(37, 3)
    model.predict(X, verbose=0, out=out)
