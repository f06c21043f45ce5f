"""Arrays as users have them: at odd addresses, packed in records, in another byte order."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers
from dlnative.ops import rows as ops

NUMERIC = [np.dtype(kind) for kind in "?bBhHiIqQefd"]


def at_an_odd_address(array):
    """A view of the same values that begins one byte into a buffer."""
    memory = np.zeros(array.nbytes + 1, "uint8")
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    assert array.itemsize == 1 or not view.flags.aligned
    return view


def in_a_packed_record(array):
    """A field behind a byte: unaligned, and with gaps between the rows."""
    records = np.zeros(len(array), [("tag", "u1"), ("row", array.dtype, array.shape[1:])])
    records["row"] = array
    return records["row"]


def in_a_file(array, folder):
    """A file that is mapped from byte 1 on."""
    path = folder / f"{array.ndim} axes.bin"
    path.write_bytes(b"x" + array.tobytes())
    return np.memmap(path, array.dtype, "r", offset=1, shape=array.shape)


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def layouts(array, folder):
    return [
        at_an_odd_address(array),
        in_a_packed_record(array),
        in_a_file(array, folder),
        swapped(array),
        np.asfortranarray(array),
        array[::-1].copy()[::-1],
    ]


def values(rng, shape, dtype):
    return (rng.random(shape) * (2 if dtype.kind == "b" else 100)).astype(dtype)


def network():
    inputs = layers.Input((3, 5))
    outputs = layers.Dense(2, "tanh", kernel_initializer="ones")(layers.Flatten()(inputs))
    model = dlnative.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("dtype", NUMERIC, ids=str)
def test_models_read_them(isa, rng, tmp_path, dtype):
    x, y = values(rng, (19, 3, 5), dtype), values(rng, (19, 2), dtype)
    model = network()
    weights = model.get_weights()

    def results(x, y):
        model.set_weights(weights)
        predicted = model.predict(x, batch_size=8, verbose=0)
        model.fit(x, y, batch_size=8, epochs=1, shuffle=False, verbose=0)
        return [predicted, model.train_on_batch(x, y), *model.get_weights()]

    expected = results(x, y)
    for of_x, of_y in zip(layouts(x, tmp_path), layouts(y, tmp_path), strict=True):
        for result, plain in zip(results(of_x, of_y), expected, strict=True):
            np.testing.assert_array_equal(result, plain)


@pytest.mark.parametrize("dtype", NUMERIC, ids=str)
def test_ops_read_them(isa, rng, tmp_path, dtype):
    x = values(rng, (7, 5), dtype)
    expected = ops.softsign(x), ops.concatenate(x, x), ops.sum(x, axis=0)
    for given in layouts(x, tmp_path):
        result = ops.softsign(given), ops.concatenate(given, given), ops.sum(given, axis=0)
        for found, plain in zip(result, expected, strict=True):
            np.testing.assert_array_equal(found, plain)


def test_gradients_of_an_update_may_lie_anywhere(rng, tmp_path):
    param, grad = rng.standard_normal((2, 7, 5)).astype("float32")
    numbers = np.array(0.5), None, None
    expected = ops.sgd(param, None, grad, *numbers)
    for given in layouts(grad, tmp_path):
        np.testing.assert_array_equal(ops.sgd(param, None, given, *numbers), expected)


@pytest.mark.parametrize("unfit", [at_an_odd_address, swapped, np.asfortranarray])
def test_what_an_op_overwrites_must_be_plain(rng, unfit):
    param = rng.standard_normal((4, 3)).astype("float32")
    with pytest.raises(ValueError, match="contiguous, aligned and writable"):
        ops.assign(unfit(param), param)
    with pytest.raises(ValueError, match="contiguous, aligned and writable"):
        ops.relu(param, out=unfit(param))
