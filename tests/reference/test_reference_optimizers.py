"""Optimizers, step by step, against loops over Python numbers; state ops; gradient clipping."""

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


def scalar_adagrad(
    p: float, grads: list[float], epsilon: float, weight_decay: float
) -> Iterator[float]:
    accumulator = 0.1
    for g in grads:
        p -= LEARNING_RATE * weight_decay * p
        accumulator += g * g
        p -= LEARNING_RATE * g / math.sqrt(accumulator + epsilon)
        yield p


def scalar_rmsprop(
    p: float,
    grads: list[float],
    rho: float,
    momentum: float,
    epsilon: float,
    centered: bool,
    weight_decay: float,
) -> Iterator[float]:
    mean_square = mean = buffer = 0.0
    for g in grads:
        p -= LEARNING_RATE * weight_decay * p
        mean_square = rho * mean_square + (1 - rho) * g * g
        mean = rho * mean + (1 - rho) * g
        variance = mean_square - mean * mean if centered else mean_square
        buffer = momentum * buffer + LEARNING_RATE * g / math.sqrt(variance + epsilon)
        p -= buffer
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


def run(name: str, slots: list[float | None], **options: Any) -> list[list[float]]:
    """The parameter after each step of the oracle's optimizer; `None` is a slot not needed."""
    update: Callable[..., tuple[Any, ...]] = getattr(reference, name)
    state: tuple[Any, ...] = (
        np.array(START),
        *(None if s is None else np.full(4, s) for s in slots),
    )
    iterations, history = np.array([0]), []
    for grad in gradients():
        state = update(*state, np.array(grad), np.array([LEARNING_RATE]), iterations, **options)
        (iterations,) = reference.increment(iterations)
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
    options = {"momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay}
    history = run("sgd", [0.0 if momentum else None], **options)
    np.testing.assert_allclose(history, scalars(scalar_sgd, **options), rtol=1e-13)


@pytest.mark.parametrize("weight_decay", DECAYS)
@pytest.mark.parametrize("epsilon", [1e-7, 0.01])
def test_adagrad(epsilon: float, weight_decay: float) -> None:
    options = {"epsilon": epsilon, "weight_decay": weight_decay}
    history = run("adagrad", [0.1], **options)
    np.testing.assert_allclose(history, scalars(scalar_adagrad, **options), rtol=1e-13)


@pytest.mark.parametrize("weight_decay", DECAYS)
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_rmsprop(momentum: float, centered: bool, weight_decay: float) -> None:
    options = {
        "rho": 0.85,
        "momentum": momentum,
        "epsilon": 1e-3,
        "centered": centered,
        "weight_decay": weight_decay,
    }
    history = run("rmsprop", [0.0, 0.0 if momentum else None, 0.0 if centered else None], **options)
    np.testing.assert_allclose(history, scalars(scalar_rmsprop, **options), rtol=1e-12)


@pytest.mark.parametrize("weight_decay", DECAYS)
@pytest.mark.parametrize("amsgrad", [False, True])
def test_adam(amsgrad: bool, weight_decay: float) -> None:
    options = {
        "beta_1": 0.8,
        "beta_2": 0.5,
        "epsilon": 1e-3,
        "amsgrad": amsgrad,
        "weight_decay": weight_decay,
    }
    history = run("adam", [0.0, 0.0, 0.0 if amsgrad else None], **options)
    np.testing.assert_allclose(history, scalars(scalar_adam, **options), rtol=1e-12)


def test_defaults_are_those_of_keras() -> None:
    for name, slots, explicit in (
        ("sgd", [None], {"momentum": 0.0}),
        ("adagrad", [0.1], {"epsilon": 1e-7}),
        ("rmsprop", [0.0, None, None], {"rho": 0.9, "momentum": 0.0, "epsilon": 1e-7}),
        ("adam", [0.0, 0.0, None], {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}),
    ):
        assert run(name, slots) == run(name, slots, weight_decay=0.0, **explicit)


def test_first_steps_by_hand() -> None:
    param, grad = np.array([1.0]), np.array([2.0])
    hyper, first, zero = np.array([0.5]), np.array([0]), np.zeros(1)
    end = (grad, hyper, first)
    assert reference.sgd(param, None, *end) == (0.0, None)
    assert reference.sgd(param, None, *end, weight_decay=0.5) == (-0.25, None)
    assert reference.sgd(param, np.array([4.0]), *end, momentum=0.5) == (2.0, 1.0)
    assert reference.sgd(param, np.array([4.0]), *end, momentum=0.5, nesterov=True) == (0.5, 1.0)
    assert reference.adagrad(param, np.array([12.0]), *end, epsilon=9.0) == (0.8, 16.0)
    assert reference.rmsprop(param, zero, None, None, *end, rho=0.75, epsilon=3.0) == (
        0.5,
        1.0,
        None,
        None,
    )
    param_1, m, v, vhat = reference.adam(
        param, zero, zero, None, *end, beta_1=0.5, beta_2=0.75, epsilon=0.0
    )
    # The first step of Adam is the learning rate, whatever the gradient: m_hat / sqrt(v_hat) = 1.
    assert (param_1, m, v, vhat) == (0.5, 1.0, 1.0, None)


def test_amsgrad_keeps_the_largest_second_moment() -> None:
    large = np.array([100.0])
    _, _, v, vhat = reference.adam(
        np.ones(1),
        np.zeros(1),
        np.zeros(1),
        large,
        np.ones(1),
        np.ones(1),
        np.array([0]),
        amsgrad=True,
    )
    assert v[0] < 1.0
    assert vhat is not None
    assert vhat[0] == 100.0


def test_centered_rmsprop_survives_a_constant_gradient() -> None:
    # mean(g^2) - mean(g)^2 tends to 0, and in float32 rounding takes it below -epsilon.
    state: tuple[Any, ...] = (
        np.ones(3, np.float32),
        np.zeros(3, np.float32),
        None,
        np.zeros(3, np.float32),
    )
    grad = np.array([123.4, 1000.1, 77.7], np.float32)
    for t in range(400):
        state = reference.rmsprop(
            *state, grad, np.array([1e-3]), np.array([t]), centered=True, rho=0.9
        )
        assert np.all(np.isfinite(state[0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradient_of_zero_moves_nothing(dtype: str) -> None:
    param, zero = np.array([1.0, -2.0], dtype), np.zeros(2, dtype)
    end = (zero, np.array([0.1]), np.array([0]))
    for result in (
        reference.sgd(param, None, *end),
        reference.adagrad(param, zero + 1, *end),
        reference.rmsprop(param, zero, None, None, *end),
        reference.adam(param, zero, zero, None, *end),
    ):
        np.testing.assert_array_equal(result[0], param)


@pytest.mark.parametrize(
    ("name", "slots", "options", "message"),
    [
        ("sgd", [1], {}, "sgd: expected 'velocity' to be None with momentum=0.0"),
        ("sgd", [None], {"momentum": 0.9}, "sgd: expected 'velocity' to be an array with"),
        ("rmsprop", [1, 1, None], {}, "rmsprop: expected 'momentum_buffer' to be None"),
        (
            "rmsprop",
            [1, None, None],
            {"centered": True},
            "rmsprop: expected 'average_grad' to be an",
        ),
        ("adam", [1, 1, None], {"amsgrad": True}, "adam: expected 'vhat' to be an array with"),
    ],
)
def test_slots_must_fit_the_options(
    name: str, slots: list[float | None], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(name, slots, **options)


def test_clip_by_value() -> None:
    g = np.array([-np.inf, -3.0, -0.5, 0.0, 2.0, np.nan])
    np.testing.assert_array_equal(
        reference.clip_by_value(g, limit=1.5), [-1.5, -1.5, -0.5, 0, 1.5, np.nan]
    )


def test_clip_by_norm() -> None:
    g = np.array([3.0, 4.0])
    assert reference.global_norm(g) == 5.0
    assert reference.global_norm(g, np.array([[12.0]])) == 13.0
    np.testing.assert_allclose(reference.clip_by_norm(g, limit=1.0), [0.6, 0.8])
    np.testing.assert_allclose(reference.clip_by_norm(g, limit=10.0), g)
    np.testing.assert_array_equal(reference.clip_by_norm(np.zeros(2), limit=1.0), [0, 0])
    norm = np.array(13.0)
    np.testing.assert_allclose(reference.scale_by_global_norm(g, norm, limit=6.5), [1.5, 2.0])
    np.testing.assert_array_equal(reference.scale_by_global_norm(g, norm, limit=20.0), g)
    np.testing.assert_array_equal(reference.scale_by_global_norm(g, np.array(0.0), limit=1.0), g)


def test_global_norm_does_not_overflow() -> None:
    g = np.array([3e30, 4e30], dtype=np.float32)
    np.testing.assert_allclose(reference.global_norm(g), 5e30, rtol=1e-6)


@pytest.mark.parametrize("norm", [np.inf, np.nan])
def test_a_norm_that_is_not_finite_is_seen(norm: float) -> None:
    with np.errstate(invalid="ignore"):
        scaled = reference.scale_by_global_norm(np.ones(2), np.array(norm), limit=1.0)
    assert np.isnan(scaled).all()


def test_accumulate_mean() -> None:
    (state,) = reference.accumulate_mean(np.zeros(2), np.array([1.0, 2.0, 6.0], np.float32))
    np.testing.assert_array_equal(state, [9.0, 3.0])
    (state,) = reference.accumulate_mean(state, np.array([10.0, 20.0]), np.array([0.5, 0.0]))
    np.testing.assert_array_equal(state, [14.0, 3.5])
    (same,) = reference.accumulate_mean(state, np.zeros(0))
    np.testing.assert_array_equal(same, state)
    (state,) = reference.accumulate_mean(state, np.array(2.0))
    np.testing.assert_array_equal(state, [16.0, 4.5])
    with pytest.raises(ValueError, match=r"accumulate_mean: expected 'weight' of shape \(2,\)"):
        reference.accumulate_mean(state, np.ones(2), np.ones(1))


def test_accumulate_mean_sums_in_float64() -> None:
    # In float32, 2^24 + 1 is 2^24.
    values = np.array([2.0**24, 1.0, 1.0], np.float32)
    (state,) = reference.accumulate_mean(np.zeros(2), values, values)
    np.testing.assert_array_equal(state, [2.0**48 + 2, 2.0**24 + 2])


def test_increment_and_assign() -> None:
    (counter,) = reference.increment(np.array([2**40], np.int64))
    assert counter.tolist() == [2**40 + 1]
    value = np.array([3.0, 4.0])
    (variable,) = reference.assign(np.zeros(2, np.float32), value)
    np.testing.assert_array_equal(variable, value)
    assert variable.dtype == np.float32
    with pytest.raises(
        ValueError, match=r"assign: expected 'value' of shape \(2,\), received \(1,"
    ):
        reference.assign(np.zeros(2), np.zeros(1))
