"""Constraints in training: known KKT points, the update of the multipliers, and what is refused."""

from __future__ import annotations

import copy

import numpy as np
import pytest

import dlnative
from dlnative import ops

EYE = np.eye(2)
TARGET = np.array([[2.0], [1.0]])


def linear(inputs, dtype="float32", **options):
    """A model whose only weights are the unknowns."""
    dense = dlnative.layers.Dense(1, use_bias=False, dtype=dtype, **options)
    return dlnative.Sequential([dlnative.Input((inputs,), dtype=dtype), dense])


def weights(model):
    return model.layers[-1].kernel


def budget(model):
    return ops.sum(weights(model)) - 2.0


def sum_is_one(model):
    return ops.sum(weights(model)) - 1.0


def nonnegative(model):
    return -weights(model)


# loss ((x - 2)^2 + (y - 1)^2) / 2; which constraints; x, y and multipliers at the KKT point
KKT = {
    "active": ({"inequality": budget}, [1.5, 0.5], {"budget": 0.5}),
    "slack": ({"inequality": {"wide": lambda model: budget(model) - 7}}, [2.0, 1.0], {"wide": 0.0}),
    "equality": (
        {"equality": [lambda model: weights(model)[0] - 3 * weights(model)[1]]},
        [2.1, 0.7],
        {"equality_0": -0.1},
    ),
    "both": (
        {"inequality": {"budget": budget}, "equality": {"fixed": lambda model: weights(model)[1]}},
        [2.0, 0.0],
        {"budget": 0.0, "fixed": 1.0},
    ),
    "predictions": (
        {"inequality": [lambda y_pred, y_true: ops.sum(y_pred - y_true, axis=0) + 1.0]},
        [1.5, 0.5],
        {"inequality_0": 0.5},
    ),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("case", list(KKT))
def test_known_points(case, engine):
    constraints, expected, multipliers = KKT[case]
    with dlnative.engine(engine):
        model = linear(2)
        model.compile(dlnative.optimizers.SGD(0.1), "mse", **constraints, constraint_period=25)
        fitted = model.fit(EYE, TARGET, epochs=600, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0].ravel(), expected, atol=2e-4)
    assert fitted.history["constraint_violation"][-1] < 2e-4
    for name, value in multipliers.items():
        np.testing.assert_allclose(fitted.history[f"{name}_multiplier"][-1], value, atol=5e-4)
    loss = np.sum((np.array(expected) - TARGET.ravel()) ** 2) / 2
    results = model.evaluate(EYE, TARGET, verbose=0, return_dict=True)
    assert sorted(results) == ["constraint_violation", "loss"]  # the loss without any penalty
    assert results["loss"] == pytest.approx(loss, abs=5e-4)
    assert results["constraint_violation"] < 2e-4


def on_simplex(w):
    """The nearest point with w >= 0 and sum(w) = 1 (Held, Wolfe and Crowder 1974)."""
    descending = np.sort(w)[::-1]
    excess = (np.cumsum(descending) - 1.0) / np.arange(1, w.size + 1)
    return np.maximum(w - excess[np.flatnonzero(descending > excess)[-1]], 0.0)


@pytest.mark.parametrize("batch_size", [40, 8])
def test_least_squares_on_the_simplex(rng, batch_size):
    x = rng.normal(size=(40, 4))
    y = x @ np.array([0.9, 0.5, -0.4, 0.2])
    expected = np.full(4, 0.25)
    for _ in range(2000):
        expected = on_simplex(expected - 0.3 * (2.0 / 40) * x.T @ (x @ expected - y))
    assert (expected == 0).any() and (expected > 0.1).sum() > 1
    model = linear(4)
    model.compile(
        dlnative.optimizers.SGD(dlnative.optimizers.schedules.InverseTimeDecay(0.1, 300, 1.0)),
        "mse",
        inequality=nonnegative,
        equality=sum_is_one,
    )
    fitted = model.fit(x, y, batch_size=batch_size, epochs=80 * batch_size, verbose=0)
    slack = 1e-3 if batch_size == 40 else 1e-2
    np.testing.assert_allclose(model.get_weights()[0].ravel(), expected, atol=slack)
    lagrange = fitted.history["nonnegative_multiplier"][-1]
    assert lagrange.shape == (4, 1)
    assert (lagrange >= 0).all()
    np.testing.assert_allclose(lagrange.ravel() * expected, 0.0, atol=slack)
    gradient = (2.0 / 40) * x.T @ (x @ expected - y)
    stationary = gradient - lagrange.ravel() + fitted.history["sum_is_one_multiplier"][-1]
    np.testing.assert_allclose(stationary, 0.0, atol=10 * slack)


def by_hand(steps, rate, period, penalty, growth, penalty_max):
    """Gradient descent on the augmented Lagrangian, step by step, in float64."""
    w, lam, nu = np.array([0.3, -0.2]), np.zeros(2), 0.0
    previous, values = np.inf, []
    for step in range(steps):
        g, h = w - 0.75, w.sum() - 3.0
        values.append((g, h))
        gradient = (w - TARGET.ravel()) + np.maximum(lam + penalty * g, 0.0) + (nu + penalty * h)
        w = w - rate * gradient
        if (step + 1) % period == 0:
            late = values[-(period - period // 2) :]
            g, h = (np.mean([v[i] for v in late], axis=0) for i in range(2))
            measure = max(np.abs(np.maximum(g, -lam / penalty)).max(), abs(h))
            lam, nu = np.maximum(lam + penalty * g, 0.0), nu + penalty * h
            if measure > 0.5 * previous and measure > 1e-4:
                penalty = min(penalty * growth, penalty_max)
            previous = measure
    return w, lam, nu, penalty


@pytest.mark.parametrize("period", [1, 5, 8])
def test_the_method_step_by_step(period):
    """Also with constraints that contradict each other: multipliers and the penalty grow."""
    model = linear(2, "float64")
    model.set_weights([np.array([[0.3], [-0.2]])])
    model.compile(
        dlnative.optimizers.SGD(0.05),
        "mse",
        inequality={"upper": lambda model: weights(model)[:, 0] - 0.75},
        equality={"three": lambda model: ops.sum(weights(model)) - 3.0},
        constraint_period=period,
        constraint_penalty=0.5,
        constraint_growth=1.5,
        constraint_penalty_max=4.0,
    )
    for _ in range(20):
        model.train_on_batch(EYE, TARGET)
    fitted = model.fit(EYE, TARGET, epochs=23, verbose=0)
    w, upper, three, penalty = by_hand(43, 0.05, period, 0.5, 1.5, 4.0)
    np.testing.assert_allclose(model.get_weights()[0].ravel(), w, rtol=1e-12)
    np.testing.assert_allclose(fitted.history["upper_multiplier"][-1], upper, rtol=1e-12)
    assert fitted.history["three_multiplier"][-1] == pytest.approx(three, rel=1e-12)
    assert float(model._trainer.objectives.constraints.penalty) == penalty
    assert penalty > 0.5 and upper.min() > 0


def test_the_violation_is_that_of_the_means_over_the_batches():
    model = linear(1, kernel_initializer="ones")
    x = np.array([1.0, 2.0, 6.0])[:, None]
    model.compile(
        dlnative.optimizers.SGD(0.0),
        "mse",
        equality={"mean": lambda y_pred: ops.mean(y_pred) - 1.0},
        inequality={"low": lambda y_true, y_pred: ops.mean(y_pred - y_true, axis=0) - 50.0},
    )
    logs = model.evaluate(x, x, batch_size=2, verbose=0, return_dict=True)
    assert logs["constraint_violation"] == pytest.approx(2.0)
    fitted = model.fit(x, x, batch_size=2, epochs=2, validation_data=(x * 2, x), verbose=0)
    assert fitted.history["constraint_violation"] == pytest.approx([2.0] * 2)
    assert fitted.history["val_constraint_violation"] == pytest.approx([5.0] * 2)
    assert set(fitted.history) >= {"mean_multiplier", "low_multiplier"}
    assert "val_mean_multiplier" not in fitted.history
    assert model.metrics[-1].name == "constraint_violation"
    assert len(model.train_on_batch(x, x)) == len(model.train_on_batch(x, x)) == 2


def test_two_outputs_and_a_call_of_the_model(rng):
    inputs = dlnative.Input((2,))
    heads = [dlnative.layers.Dense(1, name=name)(inputs) for name in ("a", "b")]
    model = dlnative.Model(inputs, heads)
    x = rng.normal(size=(16, 2)).astype("float32")
    y = [x[:, :1] + 1.0, x[:, 1:]]

    def same_mean(y_pred):
        return ops.mean(y_pred[0]) - ops.mean(y_pred[1])

    def at_zero(model):
        return model(np.zeros((1, 2), "float32"))[0]

    model.compile(dlnative.optimizers.SGD(0.05), "mse", equality=[same_mean, at_zero])
    fitted = model.fit(x, y, batch_size=16, epochs=3000, verbose=0)
    assert fitted.history["constraint_violation"][-1] < 1e-3
    a, b = model.predict(x, verbose=0)
    assert abs(a.mean() - b.mean()) < 1e-3
    assert abs(model.predict(np.zeros((1, 2)), verbose=0)[0].item()) < 1e-3


def test_copies_and_configurations():
    model = linear(2)
    dlnative.utils.register_keras_serializable("constrained")(budget)
    model.compile(dlnative.optimizers.SGD(0.1), "mse", inequality=[budget], constraint_period=7)
    model.fit(EYE, TARGET, epochs=50, verbose=0)
    twin = copy.deepcopy(model)
    ours, theirs = (m.fit(EYE, TARGET, epochs=50, verbose=0).history for m in (model, twin))
    assert ours == theirs
    same = linear(2)
    same.compile_from_config(model.get_compile_config())
    constraints = same._trainer.objectives.constraints
    assert [c.name for c in constraints.all] == ["budget"]
    assert constraints.period == 7
    plain = linear(2)
    plain.compile("sgd", "mse")
    assert not any("constraint" in key for key in plain.get_compile_config())


def test_the_memory_plan_has_the_constraints():
    totals = []
    for options in ({}, {"inequality": lambda y_true, y_pred: ops.mean(y_true - y_pred, axis=0)}):
        model = linear(2)
        model.compile("sgd", "mse", **options)
        totals.append(model.memory_plan(4).total_bytes)
        model.fit(EYE, TARGET, verbose=0)
    assert totals[1] > totals[0]


AT_COMPILE = {
    "no function": ({"inequality": 0.5}, TypeError, "functions of any of .* received 0.5"),
    "parameter": ({"equality": lambda w: w}, TypeError, "'equality_0' takes 'w'"),
    "same names": (
        {"equality": [budget, budget]},
        ValueError,
        "two constraints are called 'budget'",
    ),
    "period": ({"equality": budget, "constraint_period": 0}, ValueError, "constraint_period"),
    "penalty": ({"constraint_penalty": 0.0}, ValueError, "constraint_penalty greater than 0"),
    "growth": ({"constraint_growth": 0.5}, ValueError, "constraint_growth of at least 1"),
    "max": ({"constraint_penalty_max": 0.5}, ValueError, "constraint_penalty_max of at least 1"),
}


@pytest.mark.parametrize("case", list(AT_COMPILE))
def test_refused_by_compile(case):
    options, error, words = AT_COMPILE[case]
    with pytest.raises(error, match=words):
        linear(2).compile("sgd", "mse", **options)


AT_FIT = {
    "number": (lambda model: 1.0, TypeError, "'own' must return tensors, it returned float"),
    "array": (lambda model: weights(model).numpy(), TypeError, "numpy"),
    "integers": (
        lambda model: ops.cast(weights(model) > 0, "int32"),
        TypeError,
        "'own': expected a tensor of floats, it returned int32",
    ),
    "labels only": (lambda y_true: ops.mean(y_true), ValueError, "'own': .* no trainable weight"),
    "steps": (
        lambda model: ops.cast(weights(model) > 0, "float32"),
        ValueError,
        "'own': .* only in steps",
    ),
    "per sample": (
        lambda y_pred: y_pred[:, 0],
        ValueError,
        r"'own': .* received \(2,\) for 2 samples and \(3,\) for 3",
    ),
    "nan": (
        lambda model: ops.log(weights(model) - 100.0),
        ValueError,
        "absolute values of the inequality constraint 'own' is nan",
    ),
}


@pytest.mark.parametrize("case", list(AT_FIT))
def test_refused_by_fit(case):
    function, error, words = AT_FIT[case]
    model = linear(2)
    model.compile(dlnative.optimizers.SGD(0.1), "mse", inequality={"own": function})
    before = model.get_weights()
    with pytest.raises(error, match=words):
        model.fit(EYE, TARGET, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
    assert model.optimizer.iterations == 0


def test_a_step_that_raises_changes_no_state():
    """Weights, multipliers and means stay as the last whole step left them."""
    model = linear(2)

    def until_small(model):
        return ops.log(ops.sum(weights(model)) - 2.5) - 1.0  # NaN on the way to a sum of 2

    model.set_weights([np.array([[9.0], [7.0]])])
    model.compile(dlnative.optimizers.SGD(0.5), "mse", inequality=until_small, constraint_period=3)
    target = np.array([[1.0], [1.0]])
    model.evaluate(EYE, target, verbose=0)
    (constraint,) = model._trainer.objectives.constraints.all
    for _ in range(5):
        model.train_on_batch(EYE, target)
    before = [v.numpy() for v in (*model.weights, *model.optimizer.variables)]
    kept = (constraint.multiplier.numpy(), constraint.total.numpy())
    with pytest.raises(ValueError, match="'until_small' is nan"):
        model.train_on_batch(EYE, target)
    after = [v.numpy() for v in (*model.weights, *model.optimizer.variables)]
    assert all((a == b).all() for a, b in zip(after, before, strict=True))
    assert (constraint.multiplier.numpy(), constraint.total.numpy()) == kept
    assert kept[0] > 0 and kept[1] != 0
    assert all(v.numpy() == 0 for v in model.metrics[-1].variables)  # a new mean has begun


def test_names_in_the_logs_are_free():
    model = linear(2)
    metric = dlnative.metrics.MeanSquaredError(name="budget_multiplier")
    model.compile("sgd", "mse", metrics=[metric], inequality=budget)
    with pytest.raises(ValueError, match="'budget_multiplier' is the name of what constraints"):
        model.fit(EYE, TARGET, verbose=0)
    stop = dlnative.callbacks.EarlyStopping("constraint_violation", patience=2)
    model = linear(2)
    model.compile(dlnative.optimizers.SGD(0.0), "mse", inequality=budget)
    assert len(model.fit(EYE, TARGET, epochs=9, verbose=0, callbacks=[stop]).epoch) == 3
