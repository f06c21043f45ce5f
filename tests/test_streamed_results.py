"""Results of functions over arrays that no cache holds, which are written past the caches."""

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
