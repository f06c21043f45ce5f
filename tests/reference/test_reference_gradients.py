"""Every gradient of the oracle against central finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from reference_cases import DENSE_LOSSES, SPARSE_LOSSES
from reference_gradcheck import assert_gradient

from dlnative import reference

# No kink of any activation below lies within a step of these: kinks are at -3, -1, 0, 1, 2, 3, 6.
POINTS = np.array([[-7.3, -2.1, -0.4, -1.6], [0.3, 1.7, 2.6, 4.9], [8.2, -0.9, 0.8, 3.4]])

FROM_OUTPUT: list[tuple[str, dict[str, Any]]] = [
    ("relu", {}),
    ("relu", {"negative_slope": 0.3}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("leaky_relu", {"negative_slope": 0.0}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("selu", {}),
    ("sigmoid", {}),
    ("hard_sigmoid", {}),
    ("tanh", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("exponential", {}),
]
FROM_INPUT: list[tuple[str, dict[str, Any]]] = [
    ("linear", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("step", {}),
    ("relu", {"max_value": 6.0}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"threshold": -1.0}),
    ("relu", {"threshold": -1.0, "max_value": 2.0}),
    ("relu", {"negative_slope": 0.3, "max_value": 2.0, "threshold": 1.0}),
    ("leaky_relu", {"negative_slope": -0.5}),
]


def cotangent(*shape: int) -> Any:
    return np.random.default_rng(5).normal(size=shape)


@pytest.mark.parametrize(("name", "attributes"), FROM_OUTPUT)
def test_activation_gradient_from_output(name: str, attributes: dict[str, Any]) -> None:
    forward, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    dy = cotangent(*POINTS.shape)
    dx = backward(dy, forward(POINTS, **attributes), **attributes)
    assert_gradient(dx, lambda x: forward(x, **attributes), POINTS, dy)


@pytest.mark.parametrize(("name", "attributes"), FROM_INPUT)
def test_activation_gradient_from_input(name: str, attributes: dict[str, Any]) -> None:
    forward, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    dy = cotangent(*POINTS.shape)
    dx = backward(dy, POINTS, **attributes)
    assert_gradient(dx, lambda x: forward(x, **attributes), POINTS, dy)


@pytest.mark.parametrize("axis", [-1, 0, 1])
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_gradient(name: str, axis: int) -> None:
    forward, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    x, dy = POINTS.reshape(2, 3, 2) / 3, cotangent(2, 3, 2)
    dx = backward(dy, forward(x, axis=axis), axis=axis)
    assert_gradient(dx, lambda v: forward(v, axis=axis), x, dy)


LOSSES = [*DENSE_LOSSES, *SPARSE_LOSSES]


def loss_inputs(name: str, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """Predictions and labels; probabilities keep away from the clip, labels need not sum to 1."""
    rng = np.random.default_rng(3)
    if "logits" in name or "softmax" in name or name.startswith("mean"):
        pred = rng.normal(size=shape)
    else:
        pred = rng.uniform(0.3, 0.8, shape)
    if name in SPARSE_LOSSES:
        return pred, rng.integers(0, shape[-1], shape[:-1])
    return pred, rng.uniform(0.0, 1.0, shape)


@pytest.mark.parametrize("shape", [(5,), (4, 3), (2, 3, 4), (3, 1)])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_gradient(name: str, shape: tuple[int, ...]) -> None:
    forward, backward = getattr(reference, name), getattr(reference, f"{name}_backward")
    pred, labels = loss_inputs(name, shape)
    options = [{}, DENSE_LOSSES[name]] if DENSE_LOSSES.get(name) else [{}]
    for attributes in options:
        dloss = np.asarray(cotangent(*shape[:-1]))
        dpred = backward(dloss, pred, labels, **attributes)
        assert_gradient(dpred, lambda p, a=attributes: forward(p, labels, **a), pred, dloss)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_loss_with_gradient(name: str, weighted: bool) -> None:
    forward = getattr(reference, name)
    with_gradient = getattr(reference, f"{name}_with_gradient")
    pred, labels = loss_inputs(name, (4, 3))
    weight = np.array([1.0, 0.0, 2.5, -0.5]) if weighted else None
    attributes = DENSE_LOSSES.get(name, {})

    def total(p: Any) -> Any:
        losses = forward(p, labels, **attributes)
        return 0.25 * np.sum(losses if weight is None else losses * weight)

    value, dpred = with_gradient(pred, labels, weight, 0.25, **attributes)
    assert value.shape == ()
    np.testing.assert_allclose(value, total(pred), rtol=1e-14)
    assert_gradient(dpred, total, pred, np.array(1.0))


@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.0, -2.0])])
def test_weighted_sum_gradient(weight: Any) -> None:
    losses, dtotal = np.array([0.5, 1.5, 2.5]), np.array(0.7)
    dlosses = reference.weighted_sum_backward(dtotal, losses, weight, 3.0)
    assert_gradient(dlosses, lambda x: reference.weighted_sum(x, weight, 3.0), losses, dtotal)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (2, 4, 3), (0, 3)])
def test_dense_gradients(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(8)
    x, kernel, bias = rng.normal(size=shape), rng.normal(size=(3, 2)), rng.normal(size=2)
    dy = cotangent(*shape[:-1], 2)
    assert_gradient(
        reference.dense_backward_input(dy, kernel),
        lambda v: reference.dense(v, kernel, bias),
        x,
        dy,
    )
    dkernel = reference.dense_backward_kernel(x, dy)
    assert_gradient(dkernel, lambda v: reference.dense(x, v, bias), kernel, dy)
    dbias = reference.bias_backward(dy)
    assert_gradient(dbias, lambda v: reference.dense(x, kernel, v), bias, dy)
    for fused, alone in zip(
        reference.dense_backward_kernel(x, dy, bias=True), (dkernel, dbias), strict=True
    ):
        np.testing.assert_array_equal(fused, alone)


@pytest.mark.parametrize(
    ("activation", "attributes", "saves_output"),
    [
        ("relu", {}, True),
        ("leaky_relu", {"negative_slope": 0.4}, True),
        ("gelu", {"approximate": True}, False),
        ("softmax", {}, True),
    ],
)
def test_dense_gradient_through_the_activation_before_it(
    activation: str, attributes: dict[str, Any], saves_output: bool
) -> None:
    rng = np.random.default_rng(9)
    z, kernel = rng.normal(size=(4, 3)), rng.normal(size=(3, 2))
    forward = getattr(reference, activation)
    dy = cotangent(4, 2)
    saved = forward(z, **attributes) if saves_output else z
    dz = reference.dense_backward_input(dy, kernel, saved, activation, **attributes)
    assert_gradient(dz, lambda v: reference.dense(forward(v, **attributes), kernel), z, dy)


def test_dropout_is_its_own_gradient() -> None:
    x, dy = POINTS, cotangent(*POINTS.shape)
    options = {"rate": 0.4, "seed": 3, "op_id": 1, "step": 7}
    dx = reference.dropout(dy, **options)
    assert 0 < np.count_nonzero(dx) < dx.size
    assert_gradient(dx, lambda v: reference.dropout(v, **options), x, dy)


def test_finite_differences_notice_a_wrong_gradient() -> None:
    dy = cotangent(*POINTS.shape)
    wrong = reference.tanh_backward(dy, reference.tanh(POINTS)) * (1 + 1e-6)
    with pytest.raises(AssertionError):
        assert_gradient(wrong, reference.tanh, POINTS, dy)
