"""Results that no cache holds, which are written past the caches."""

from __future__ import annotations

import numpy as np
import pytest

from dlnative import _core, config

SIZE = 3_000_011  # 72 MB with two operands of float64


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shift", [0, 1])
def test_what_no_cache_holds(rng, shift, threads):
    """Wherever the result begins, and nothing around it."""
    before = config.num_threads()
    config.set_num_threads(threads)
    try:
        a, b = rng.standard_normal((2, SIZE))
        for name, expected in (("subtract", a - b), ("less", a < b)):
            y = np.ones(SIZE + 2, expected.dtype)
            _core.execute(name, [a, b], [y[shift : SIZE + shift]], {})
            np.testing.assert_array_equal(y[shift : SIZE + shift], expected)
            assert (y[:shift] == 1).all() and (y[SIZE + shift :] == 1).all()
        into = b.copy()
        _core.execute("subtract", [a, into], [into], {})
        np.testing.assert_array_equal(into, a - b)
    finally:
        config.set_num_threads(before)


def _moved(name, x, attributes, expected):
    """Runs one op into arrays that begin anywhere."""
    for shift in (0, 1):
        y = np.full(expected.size + 2, -1, expected.dtype)
        to = y[shift : expected.size + shift].reshape(expected.shape)
        _core.execute(name, x, [to], attributes)
        np.testing.assert_array_equal(to, expected)
        assert (y[:shift] == -1).all() and (y[expected.size + shift :] == -1).all()


@pytest.mark.parametrize("threads", [1, 3])
def test_what_is_moved_and_no_cache_holds(isa, rng, threads):
    """Transposes, copies of rows, rows by their numbers, and broadcasts of more than 64 MB."""
    before = config.num_threads()
    config.set_num_threads(threads)
    try:
        x = rng.integers(0, 2**31, (4096, 2064), "int32")
        _moved("transpose", [x], {"axes": [1, 0]}, x.T)
        _moved("transpose", [x[:, :2063].copy()], {"axes": [1, 0]}, x[:, :2063].T)
        boxes = x[:, :2048].reshape(32, 128, 16, 128)
        _moved("transpose", [boxes.copy()], {"axes": [0, 2, 1, 3]}, boxes.transpose(0, 2, 1, 3))
        _moved("concatenate", [x, x[:, :77].copy()], {"axis": 1}, np.hstack([x, x[:, :77]]))
        at = rng.permutation(4096).astype("int32")
        _moved("take", [x, at], {"axis": 0}, x[at])
        part = {"starts": [1, 3], "sizes": [4095, 2060], "steps": [1, 1]}
        _moved("strided_slice", [x], part, x[1:, 3:2063])
        for shape, of in (((4096, 2064), x[:1]), ((4096, 2064), x[:, :1])):
            _moved("broadcast_to", [of.copy()], {}, np.broadcast_to(of, shape))
        for width in (3, 16):
            rows = x.size // width
            column, row = x.reshape(-1, 1)[:rows].copy(), x[:1, :width].copy()
            for of in (column, row, x[:1, :1].copy()):
                _moved("broadcast_to", [of], {}, np.broadcast_to(of, (rows, width)))
    finally:
        config.set_num_threads(before)
