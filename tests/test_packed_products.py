"""Dense layers keep weights packed that a program does not change: nothing shows but speed."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import layers

pytestmark = pytest.mark.native

# (rows, inputs, units): one row and a few, widths on both sides of panels and vectors, products
# beyond a block of k, parts for several threads.
SHAPES = [
    (1, 1, 1),
    (1, 300, 10),
    (1, 784, 512),
    (1, 1500, 200),
    (2, 33, 129),
    (3, 700, 64),
    (5, 40, 65),
    (6, 1100, 96),
    (7, 1100, 130),
    (32, 784, 257),
    (150, 600, 300),
    (300, 64, 1025),
    (3, 20000, 1),
]


def dense(inputs, units, dtype, activation):
    return dlnative.Sequential(
        [
            dlnative.Input((inputs,), dtype=dtype),
            layers.Dense(units, activation=activation, dtype=dtype),
        ]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", [None, "relu", "tanh"])
@pytest.mark.parametrize(("rows", "inputs", "units"), SHAPES)
def test_packed_weights_give_the_same_bits(
    rng, isa, threads, rows, inputs, units, activation, dtype
):
    """The first run with new weights reads them where they lie, the second packs them."""
    model = dense(inputs, units, dtype, activation)
    kernel, bias = rng.standard_normal((inputs, units)), rng.standard_normal(units)
    model.set_weights([kernel, bias])
    x = rng.standard_normal((rows, inputs)).astype(dtype)
    results = []
    for count in (1, 3):
        threads(count)
        results += [model.predict_on_batch(x) for _ in range(3)]
        model.set_weights([kernel, bias])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])
    k, b, a = (v.astype(np.float64) for v in (*model.get_weights(), x))
    expected, bound = a @ k + b, np.abs(a) @ np.abs(k) + np.abs(b)
    if activation == "relu":
        expected = np.maximum(expected, 0)
    elif activation == "tanh":
        expected = np.tanh(expected)
    error = (inputs + 8) * np.finfo(dtype).eps * bound + 8 * np.finfo(dtype).eps
    assert (np.abs(results[0] - expected) <= error).all()


def test_packed_weights_follow_every_change(rng):
    model = dense(300, 70, "float32", None)
    x = rng.standard_normal((4, 300)).astype("float32")
    for scale in (1.0, 2.0, -3.0):
        model.layers[0].kernel.assign(np.full((300, 70), scale))
        for _ in range(3):
            np.testing.assert_allclose(
                model.predict_on_batch(x), np.tile(scale * x.sum(1), (70, 1)).T, atol=1e-3
            )


def test_packed_weights_stay_inside_of_their_columns(rng):
    """Values past the last column are zeros of the copy, not what lies behind the weights."""
    model = dense(9000, 3, "float32", None)
    assert model.memory_plan(batch_size=1).packed_bytes > 0
    kernel = np.full((9000, 3), np.nan, "float32")
    kernel[:, 1] = 1.0
    model.set_weights([kernel, np.zeros(3)])
    x = rng.standard_normal((1, 9000)).astype("float32")
    for _ in range(3):
        result = model.predict_on_batch(x)
        assert np.isnan(result[0, [0, 2]]).all()
        assert np.isfinite(result[0, 1])


def test_dense_copies_are_counted_and_shared():
    model = dense(300, 70, "float32", None)
    plan = model.memory_plan(batch_size=8)
    assert plan.packed_bytes >= 300 * 70 * 4
    assert dense(20, 20, "float32", None).memory_plan(batch_size=1).packed_bytes == 0
    wide = dense(3000, 3000, "float32", None)  # 36 MB come from memory in either form
    assert wide.memory_plan(batch_size=1).packed_bytes == 0
