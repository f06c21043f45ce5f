"""The oracle against real Keras, in float64; skipped where Keras and JAX are not installed."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest
from reference_cases import DENSE_LOSSES

from dlnative import reference

# Warnings of the peers are theirs.
pytestmark = pytest.mark.filterwarnings("ignore")

# A power of two: Keras keeps the learning rate in float32, and this one is exact there.
LEARNING_RATE = 2.0**-4
STEPS = 5

OPTIMIZERS: list[tuple[str, list[float | None], dict[str, Any]]] = [
    ("SGD", [None], {}),
    ("SGD", [0.0], {"momentum": 0.9}),
    ("SGD", [0.0], {"momentum": 0.9, "nesterov": True}),
    ("Adam", [0.0, 0.0, None], {}),
    ("Adam", [0.0, 0.0, None], {"beta_1": 0.7, "beta_2": 0.6, "epsilon": 1e-3}),
    ("Adam", [0.0, 0.0, 0.0], {"amsgrad": True, "beta_2": 0.5}),
]


@pytest.mark.parametrize("weight_decay", [None, 0.1])
@pytest.mark.parametrize(("name", "slots", "options"), OPTIMIZERS)
def test_optimizer(
    keras: ModuleType,
    name: str,
    slots: list[float | None],
    options: dict[str, Any],
    weight_decay: float | None,
) -> None:
    rng = np.random.default_rng(21)
    start = rng.normal(size=(3, 2))
    variable = keras.Variable(start, dtype="float64")
    optimizer = getattr(keras.optimizers, name)(
        learning_rate=LEARNING_RATE, weight_decay=weight_decay, **options
    )
    update = getattr(reference, name.lower())
    state: tuple[Any, ...] = (
        start,
        *(None if s is None else np.full_like(start, s) for s in slots),
    )
    numbers: list[Any] = [LEARNING_RATE, options.get("momentum")]
    if name == "Adam":
        betas = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
        numbers = [LEARNING_RATE, *(options.get(k, v) for k, v in betas.items()), 0]
    further = {"nesterov": True} if options.get("nesterov") else {}
    for step in range(STEPS):
        grad = rng.normal(size=start.shape) * [10.0, 0.1]
        optimizer.apply([grad], [variable])
        if name == "Adam":
            numbers[-1] = step
        given = [None if n is None else np.array(n) for n in (*numbers, weight_decay)]
        results = update(*state, grad, *given, **further)
        new = iter(results if isinstance(results, tuple) else (results,))
        state = tuple(None if a is None else next(new) for a in state)
        assert variable.numpy().dtype == np.float64
        np.testing.assert_allclose(state[0], variable.numpy(), rtol=1e-11)


ACTIVATIONS: list[tuple[str, dict[str, Any]]] = [
    ("linear", {}),
    ("relu", {}),
    ("relu", {"negative_slope": 0.3}),
    ("relu", {"max_value": 2.0}),
    ("relu", {"max_value": 6.0}),
    ("relu", {"threshold": 1.0}),
    ("relu", {"threshold": -1.0, "max_value": 2.0}),
    ("relu", {"negative_slope": 0.3, "max_value": 2.0, "threshold": 1.0}),
    ("leaky_relu", {}),
    ("leaky_relu", {"negative_slope": 0.5}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("selu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("sigmoid", {}),
    ("hard_sigmoid", {}),
    ("tanh", {}),
    ("softplus", {}),
    ("softsign", {}),
    ("exponential", {}),
    ("softmax", {}),
    ("softmax", {"axis": 0}),
    ("log_softmax", {}),
    ("log_softmax", {"axis": 0}),
]


def test_activations(keras: ModuleType) -> None:
    import jax

    near, far = np.linspace(-8.0, 8.0, 66), [-np.inf, -1e4, -0.0, 0.0, 1e4, np.inf]
    x_near, x_all = near.reshape(6, 11), np.concatenate([near, far]).reshape(6, 12)
    inputs = [x_near if "softmax" in name else x_all for name, _ in ACTIVATIONS]

    # One compilation for all of them: one each takes seconds.
    @jax.jit
    def all_of_keras(xs: list[Any]) -> list[Any]:
        return [
            getattr(keras.activations, name)(x, **attributes)
            for (name, attributes), x in zip(ACTIVATIONS, xs, strict=True)
        ]

    outputs = all_of_keras(inputs)
    for (name, attributes), x, expected in zip(ACTIVATIONS, inputs, outputs, strict=True):
        with np.errstate(invalid="ignore", over="ignore"):
            y = getattr(reference, name)(x, **attributes)
        # Keras evaluates 1 + erf, which leaves 1e-16 times x of the tail of the exact GELU; and
        # its tanh casts to float32.
        rtol = 1e-6 if name == "tanh" else 1e-12
        message = f"{name} {attributes}"
        np.testing.assert_allclose(y, expected, rtol=rtol, atol=1e-14, err_msg=message)


# Name, Keras' function, its options, and the relative error: Keras takes means in float32.
LOSSES: list[tuple[str, str, dict[str, Any], float]] = [
    ("softmax_cross_entropy", "categorical_crossentropy", {"from_logits": True}, 1e-12),
    ("categorical_cross_entropy", "categorical_crossentropy", {}, 1e-12),
    (
        "sparse_softmax_cross_entropy",
        "sparse_categorical_crossentropy",
        {"from_logits": True},
        1e-12,
    ),
    ("sparse_categorical_cross_entropy", "sparse_categorical_crossentropy", {}, 1e-12),
    ("binary_cross_entropy_with_logits", "binary_crossentropy", {"from_logits": True}, 1e-6),
    ("binary_cross_entropy", "binary_crossentropy", {}, 1e-6),
    ("mean_squared_error", "mean_squared_error", {}, 1e-6),
    ("mean_absolute_error", "mean_absolute_error", {}, 1e-6),
]


def test_losses_and_their_gradients(keras: ModuleType) -> None:
    import jax

    rng = np.random.default_rng(2)
    shape = (2, 3, 4)
    logits, probs = rng.normal(size=shape) * 3, rng.uniform(0.01, 0.99, shape)
    dense, sparse = rng.uniform(size=shape), rng.integers(0, shape[-1], shape[:-1])
    # Certain and wrong answers, which the clip bounds.
    probs[0, 0], dense[0, 0], sparse[0, 0] = [0, 0, 0, 1], [0, 1, 0, 0], 1
    dloss = rng.normal(size=shape[:-1])

    calls = []
    for name, keras_name, options, rtol in LOSSES:
        pred = probs if keras_name.endswith("crossentropy") and not options else logits
        labels = sparse if name.startswith("sparse") else dense
        calls.append((name, keras_name, options, {}, pred, labels, rtol))
        if DENSE_LOSSES.get(name):
            smoothed = {"label_smoothing": 0.2}
            calls.append((name, keras_name, options, smoothed, pred, labels, rtol))

    def all_of_keras(preds: list[Any]) -> list[Any]:
        return [
            getattr(keras.losses, keras_name)(labels, pred, **options, **attributes)
            for (_, keras_name, options, attributes, _, labels, _), pred in zip(
                calls, preds, strict=True
            )
        ]

    # One compilation for all of them: one each takes seconds.
    @jax.jit
    def losses_and_gradients(preds: list[Any]) -> tuple[list[Any], list[Any]]:
        losses, pull_back = jax.vjp(all_of_keras, preds)
        return losses, pull_back([dloss.astype(loss.dtype) for loss in losses])[0]

    losses, gradients = losses_and_gradients([call[4] for call in calls])
    for (name, _, _, attributes, pred, labels, rtol), loss, gradient in zip(
        calls, losses, gradients, strict=True
    ):
        actual = getattr(reference, name)(pred, labels, **attributes)
        np.testing.assert_allclose(actual, loss, rtol=rtol, err_msg=name)
        actual = getattr(reference, f"{name}_backward")(dloss, pred, labels, **attributes)
        np.testing.assert_allclose(actual, gradient, rtol=10 * rtol, atol=1e-12, err_msg=name)


def test_accuracies(keras: ModuleType) -> None:
    rng = np.random.default_rng(4)
    pred = np.round(rng.uniform(size=(40, 3)), 1)  # rounded, so that there are ties
    labels = rng.integers(0, 3, 40)
    one_hot, answers = np.eye(3)[labels], np.round(rng.uniform(size=(40, 3)))
    metrics = keras.metrics
    np.testing.assert_array_equal(
        reference.sparse_categorical_accuracy(pred, labels),
        np.asarray(metrics.sparse_categorical_accuracy(labels, pred)),
    )
    np.testing.assert_array_equal(
        reference.categorical_accuracy(pred, one_hot),
        np.asarray(metrics.categorical_accuracy(one_hot, pred)),
    )
    for threshold in (0.5, 0.3):
        metric = metrics.BinaryAccuracy(threshold=threshold)
        metric.update_state(answers, pred)
        actual = np.mean(reference.binary_accuracy(pred, answers, threshold=threshold))
        np.testing.assert_allclose(actual, float(metric.result()), rtol=1e-6)
