"""Optimizers, step by step, against loops over Python numbers; state ops; the norm of gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from dlnative import reference

STEPS = 7
LEARNING_RATE = 0.05
START = [0.5, -1.5, 2.0, 0.0]


def gradients() -> list[list[float]]:
    rng = np.random.default_rng(17)
    return [(rng.normal(size=4) * [1.0, 10.0, 0.01, 0.0]).tolist() for _ in range(STEPS)]


# The loops below follow one parameter of the net at a time and yield it after each step. They are
# written from the papers' and Keras' equations, apart from the code that they test.


def scalar_sgd(
    p: float, grads: list[float], momentum: float, nesterov: bool, weight_decay: float
) -> Iterator[float]:
    velocity = 0.0
    for g in grads:
        p -= LEARNING_RATE * weight_decay * p
        velocity = momentum * velocity - LEARNING_RATE * g
        if nesterov:
            p = p + momentum * velocity - LEARNING_RATE * g
        else:
            p = p + velocity
        yield p


def scalar_adam(
    p: float,
    grads: list[float],
    beta_1: float,
    beta_2: float,
    epsilon: float,
    amsgrad: bool,
    weight_decay: float,
) -> Iterator[float]:
    m = v = largest = 0.0
    for t, g in enumerate(grads, start=1):
        p -= LEARNING_RATE * weight_decay * p
        m = beta_1 * m + (1 - beta_1) * g
        v = beta_2 * v + (1 - beta_2) * g * g
        largest = max(largest, v)
        rate = LEARNING_RATE * math.sqrt(1 - beta_2**t) / (1 - beta_1**t)
        p -= rate * m / (math.sqrt(largest if amsgrad else v) + epsilon)
        yield p


def run(
    name: str,
    slots: list[float | None],
    numbers: Callable[[int], list[float | None]],
    **options: Any,
) -> list[list[float]]:
    """The parameter after each step of the oracle's optimizer; `None` is a slot not needed."""
    update: Callable[..., Any] = getattr(reference, name)
    state: list[Any] = [np.array(START), *(None if s is None else np.full(4, s) for s in slots)]
    history = []
    for step, grad in enumerate(gradients()):
        given = [None if n is None else np.array(n) for n in numbers(step)]
        results = update(*state, np.array(grad), *given, **options)
        new = iter(results if isinstance(results, tuple) else (results,))
        state = [None if a is None else next(new) for a in state]
        history.append(state[0].tolist())
    return history


def scalars(loop: Callable[..., Iterator[float]], **options: Any) -> list[list[float]]:
    columns = zip(*gradients(), strict=True)
    paths = [list(loop(p, list(g), **options)) for p, g in zip(START, columns, strict=True)]
    return [list(row) for row in zip(*paths, strict=True)]


DECAYS = [0.0, 0.1]


@pytest.mark.parametrize("weight_decay", DECAYS)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd(momentum: float, nesterov: bool, weight_decay: float) -> None:
    slots, numbers = [0.0 if momentum else None], [LEARNING_RATE, momentum, weight_decay or None]
    history = run("sgd", slots, lambda step: numbers, nesterov=nesterov)
    options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    np.testing.assert_allclose(history, scalars(scalar_sgd, **options), rtol=1e-13)


@pytest.mark.parametrize("weight_decay", DECAYS)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad: bool, weight_decay: float) -> None:
    slots = [0.0, 0.0, 0.0 if amsgrad else None]
    options = {"beta_1": 0.8, "beta_2": 0.5, "epsilon": 1e-3}
    history = run(
        "adam",
        slots,
        lambda step: [LEARNING_RATE, *options.values(), step, weight_decay or None],
    )
    expected = scalars(scalar_adam, amsgrad=amsgrad, weight_decay=weight_decay, **options)
    np.testing.assert_allclose(history, expected, rtol=1e-12)


def test_first_steps_by_hand() -> None:
    param, grad, zero = np.array([1.0]), np.array([2.0]), np.zeros(1)
    rate = half = np.array(0.5)
    assert reference.sgd(param, None, grad, rate) == 0.0
    assert reference.sgd(param, None, grad, rate, None, half) == -0.25
    assert reference.sgd(param, np.array([4.0]), grad, rate, half) == (2.0, 1.0)
    assert reference.sgd(param, np.array([4.0]), grad, rate, half, nesterov=True) == (0.5, 1.0)
    numbers = (rate, half, np.array(0.75), np.array(0.0), np.array(0))
    # The first step of Adam is the learning rate, whatever the gradient: m_hat / sqrt(v_hat) = 1.
    assert reference.adam(param, zero, zero, None, grad, *numbers) == (0.5, 1.0, 1.0)


def test_amsgrad_keeps_the_largest_second_moment() -> None:
    one, numbers = np.ones(1), [np.array(n) for n in (1.0, 0.9, 0.999, 1e-7, 0)]
    _, _, v, largest = reference.adam(
        one, np.zeros(1), np.zeros(1), np.array([100.0]), one, *numbers
    )
    assert v[0] < 1.0
    assert largest[0] == 100.0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_of_zero_moves_nothing(dtype: str) -> None:
    param, zero = np.array([1.0, -2.0], dtype), np.zeros(2, dtype)
    numbers = [np.array(n) for n in (0.1, 0.9, 0.999, 1e-7, 0)]
    np.testing.assert_array_equal(reference.sgd(param, None, zero, numbers[0]), param)
    moved = reference.adam(param, zero, zero, None, zero, *numbers)[0]
    np.testing.assert_array_equal(moved, param)


def test_global_norm() -> None:
    g = np.array([3.0, 4.0])
    assert reference.global_norm(g) == 5.0
    assert reference.global_norm(g, np.array([[12.0]])) == 13.0


@pytest.mark.parametrize("rate", [-1.0, np.inf, np.nan])
def test_rates_that_are_none(rate: float) -> None:
    assert reference.checked_rate(np.array(0.5), "the rate") == 0.5
    with pytest.raises(ValueError, match="the rate is .*: expected a finite number, 0 or greater"):
        reference.checked_rate(np.array(rate), "the rate")


def test_global_norm_does_not_overflow() -> None:
    g = np.array([3e30, 4e30], dtype=np.float32)
    np.testing.assert_allclose(reference.global_norm(g), 5e30, rtol=1e-6)


def test_accumulate_mean() -> None:
    state = reference.accumulate_mean(np.zeros(2), np.array([1.0, 2.0, 6.0], np.float32))
    np.testing.assert_array_equal(state, [9.0, 3.0])
    state = reference.accumulate_mean(state, np.array([10.0, 20.0]), np.array([0.5, 0.0]))
    np.testing.assert_array_equal(state, [14.0, 3.5])
    same = reference.accumulate_mean(state, np.zeros(0))
    np.testing.assert_array_equal(same, state)
    state = reference.accumulate_mean(state, np.array(2.0))
    np.testing.assert_array_equal(state, [16.0, 4.5])
    with pytest.raises(ValueError, match=r"accumulate_mean: expected 'weight' of shape \(2,\)"):
        reference.accumulate_mean(state, np.ones(2), np.ones(1))


def test_accumulate_mean_sums_in_float64() -> None:
    # In float32, 2^24 + 1 is 2^24.
    values = np.array([2.0**24, 1.0, 1.0], np.float32)
    state = reference.accumulate_mean(np.zeros(2), values, values)
    np.testing.assert_array_equal(state, [2.0**48 + 2, 2.0**24 + 2])


def test_assign() -> None:
    value = np.array([3.0, 4.0])
    variable = reference.assign(np.zeros(2, np.float32), value)
    np.testing.assert_array_equal(variable, value)
    assert variable.dtype == np.float32
    for condition in (False, True):
        result = reference.assign(np.zeros(2), value, np.array(condition))
        np.testing.assert_array_equal(result, value if condition else 0)
    with pytest.raises(
        ValueError, match=r"assign: expected 'value' of shape \(2,\), received \(1,"
    ):
        reference.assign(np.zeros(2), np.zeros(1))
