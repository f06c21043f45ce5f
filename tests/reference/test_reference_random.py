"""Philox against the known answers of Random123, and the masks of dropout."""

from __future__ import annotations

import math
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from dlnative import reference

# Salmon et al., Random123, tests/kat_vectors, "philox4x32 10": key, counter, four words.
KNOWN_ANSWERS = [
    ("00000000 00000000", "00000000 " * 4, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff", "ffffffff " * 4, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "a4093822 299f31d0",
        "243f6a88 85a308d3 13198a2e 03707344",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("key", "counter", "expected"), KNOWN_ANSWERS)
def test_known_answers(key: str, counter: str, expected: str) -> None:
    result = reference.philox4x32(words(key), words(counter))
    assert result.dtype == np.uint32
    assert result.tolist() == words(expected)


def test_philox_works_on_many_counters_and_keys_at_once() -> None:
    keys = [words(key) for key, _, _ in KNOWN_ANSWERS]
    counters = [words(counter) for _, counter, _ in KNOWN_ANSWERS]
    expected = [words(answer) for _, _, answer in KNOWN_ANSWERS]
    assert reference.philox4x32(keys, counters).tolist() == expected
    table = reference.philox4x32(np.array(keys)[:, np.newaxis], counters)
    assert table.shape == (3, 3, 4)
    assert [table[i, i].tolist() for i in range(3)] == expected
    assert reference.philox4x32([0, 0], np.zeros((0, 4))).shape == (0, 4)


def scalar_dropout(x: list[float], rate: float, seed: int, op_id: int, step: int) -> list[float]:
    """Dropout one element at a time, with Philox written on Python's integers."""
    low = 0xFFFFFFFF
    result = []
    for i, value in enumerate(x):
        c0, c1, c2, c3 = (i // 4) & low, (i // 4) >> 32, step & low, step >> 32
        k0, k1 = (seed & low) ^ op_id, seed >> 32
        for _ in range(10):
            a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
            c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & low, (a >> 32) ^ c3 ^ k1, a & low
            k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
        word = (c0, c1, c2, c3)[i % 4]
        result.append(value / (1.0 - rate) if word >= round(rate * 2**32) else 0.0)
    return result


@pytest.mark.parametrize(
    ("rate", "seed", "op_id", "step"),
    [(0.5, 0, 0, 0), (0.3, 7, 2, 5), (0.9, 2**63 + 12345, 2**31 + 1, 2**40 + 3), (0.0, 1, 1, 1)],
)
def test_dropout_element_by_element(rate: float, seed: int, op_id: int, step: int) -> None:
    x = np.arange(1.0, 24.0)
    y = reference.dropout(x, rate=rate, seed=seed, op_id=op_id, step=step)
    assert y.tolist() == scalar_dropout(x.tolist(), rate, seed, op_id, step)


def test_first_elements_of_dropout() -> None:
    # Words 6627e8d5 e169c58d bc57ac4c 9b00dbd8 of key 0 and counter 0: only the first is < 2^31.
    y = reference.dropout(np.array([1.0, 2.0, 3.0, 4.0]), rate=0.5, seed=0, op_id=0)
    assert y.tolist() == [0.0, 4.0, 6.0, 8.0]


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(
    st.floats(0.0, 0.99),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**48),
)
def test_keep_rate(rate: float, seed: int, op_id: int, step: int) -> None:
    n = 20000
    y = reference.dropout(np.ones(n), rate=rate, seed=seed, op_id=op_id, step=step)
    kept = y != 0.0
    # Six standard deviations of a binomial: once in 5e8 examples.
    bound = 6 * math.sqrt(n * rate * (1 - rate))
    assert abs(np.count_nonzero(kept) - n * (1 - rate)) <= bound + 1e-9
    np.testing.assert_array_equal(y[kept], 1.0 / (1.0 - rate))


def mask(shape: Any = 4001, **options: Any) -> Any:
    defaults = {"rate": 0.5, "seed": 3, "op_id": 1, "step": 0}
    return reference.dropout(np.ones(shape), **{**defaults, **options}) != 0.0


def test_mask_depends_on_the_index_alone() -> None:
    np.testing.assert_array_equal(mask(100), mask(4001)[:100])
    np.testing.assert_array_equal(mask((3, 5, 7)).ravel(), mask(105))
    single = reference.dropout(np.ones(105, np.float32), rate=0.5, seed=3, op_id=1) != 0.0
    np.testing.assert_array_equal(single, mask(105))


@pytest.mark.parametrize(
    "change", [{"seed": 4}, {"seed": 3 + 2**32}, {"op_id": 2}, {"step": 1}, {"step": 2**32}]
)
def test_masks_of_other_keys_and_counters_are_independent(change: dict[str, int]) -> None:
    agreement = np.count_nonzero(mask() == mask(**change))
    assert abs(agreement - 4001 / 2) < 6 * math.sqrt(4001 / 4)


def test_bounds_of_the_rate() -> None:
    x = np.array([1.0, -2.0, np.inf])
    np.testing.assert_array_equal(reference.dropout(x, rate=0.0, seed=1, op_id=1), x)
    np.testing.assert_array_equal(reference.dropout(x, rate=1.0, seed=1, op_id=1), [0, 0, 0])
    np.testing.assert_array_equal(reference.dropout(x, rate=-0.1, seed=1, op_id=1), x)
    np.testing.assert_array_equal(reference.dropout(x, rate=1.1, seed=1, op_id=1), [0, 0, 0])
    assert np.isnan(reference.dropout(x, rate=math.nan, seed=1, op_id=1)).all()


def test_small_sizes() -> None:
    for shape in ((), (0,), (1,), (2, 0, 3)):
        y = reference.dropout(np.ones(shape), rate=0.25, seed=1, op_id=1)
        assert y.shape == shape
