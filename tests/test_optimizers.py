"""Optimizers: the formula step by step, Keras as the judge, options, state, bare arrays."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import optimizers
from dlnative.variables import Variable

# --- formulas, written down once more -------------------------------------------------------------


def sgd(w, g, s, t, lr):
    return w - lr * g


def sgd_momentum(w, g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) - lr * g
    return w + s["v"]


def sgd_nesterov(w, g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) - lr * g
    return w + 0.9 * s["v"] - lr * g


def adagrad(w, g, s, t, lr):
    s["a"] = s.get("a", 0.1) + g * g
    return w - lr * g / np.sqrt(s["a"] + 1e-7)


def rmsprop(w, g, s, t, lr):
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g * g
    return w - lr * g / np.sqrt(s["v"] + 1e-7)


def rmsprop_centered_momentum(w, g, s, t, lr):
    s["v"] = 0.8 * s.get("v", 0.0) + 0.2 * g * g
    s["m"] = 0.8 * s.get("m", 0.0) + 0.2 * g
    s["b"] = 0.5 * s.get("b", 0.0) + lr * g / np.sqrt(s["v"] - s["m"] ** 2 + 1e-7)
    return w - s["b"]


def adam(w, g, s, t, lr):
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g * g
    alpha = lr * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
    return w - alpha * s["m"] / (np.sqrt(s["v"]) + 1e-7)


def adam_amsgrad(w, g, s, t, lr):
    s["m"] = 0.8 * s.get("m", 0.0) + 0.2 * g
    s["v"] = 0.9 * s.get("v", 0.0) + 0.1 * g * g
    s["h"] = np.maximum(s.get("h", 0.0), s["v"])
    alpha = lr * np.sqrt(1 - 0.9**t) / (1 - 0.8**t)
    return w - alpha * s["m"] / (np.sqrt(s["h"]) + 1e-7)


FORMULAS = [
    (sgd, "SGD", {}),
    (sgd_momentum, "SGD", {"momentum": 0.9}),
    (sgd_nesterov, "SGD", {"momentum": 0.9, "nesterov": True}),
    (adagrad, "Adagrad", {}),
    (rmsprop, "RMSprop", {}),
    (rmsprop_centered_momentum, "RMSprop", {"rho": 0.8, "momentum": 0.5, "centered": True}),
    (adam, "Adam", {}),
    (adam_amsgrad, "Adam", {"beta_1": 0.8, "beta_2": 0.9, "amsgrad": True}),
]


def gradients(rng, step, shapes, dtype):
    """Gradients of changing size, so that maxima and averages matter."""
    return [rng.normal(size=s).astype(dtype) * (3.0 if step % 5 == 2 else 1.0) for s in shapes]


@pytest.mark.parametrize(
    ("formula", "name", "options"), FORMULAS, ids=lambda v: getattr(v, "__name__", None)
)
def test_formula_step_by_step(formula, name, options, rng):
    lr = 0.05
    shapes = [(3, 4), (4,), (1,)]
    arrays = [rng.normal(size=s) for s in shapes]
    expected = [a.copy() for a in arrays]
    slots = [{} for _ in shapes]
    optimizer = getattr(optimizers, name)(learning_rate=lr, **options)
    for step in range(20):
        grads = gradients(rng, step, shapes, "float64")
        optimizer.apply(grads, arrays)
        for i, g in enumerate(grads):
            expected[i] = formula(expected[i], g, slots[i], step + 1, lr)
            np.testing.assert_allclose(arrays[i], expected[i], rtol=1e-10, atol=1e-12)
    assert optimizer.iterations == 20


# --- Keras ----------------------------------------------------------------------------------------

KERAS_OPTIONS = [
    *[(name, options) for _, name, options in FORMULAS],
    ("SGD", {"weight_decay": 0.1}),
    ("SGD", {"momentum": 0.5, "clipnorm": 0.7}),
    ("Adam", {"clipvalue": 0.2}),
    ("Adam", {"global_clipnorm": 0.5, "weight_decay": 0.01}),
    ("RMSprop", {"clipnorm": 1.0, "momentum": 0.3}),
    ("RMSprop", {"centered": True, "weight_decay": 0.02}),
    ("Adagrad", {"initial_accumulator_value": 0.5, "epsilon": 1e-3, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("name", "options"), KERAS_OPTIONS)
def test_as_keras(keras, name, options, rng):
    shapes = [(5, 3), (3,)]
    values = [rng.normal(size=s).astype("float32") for s in shapes]
    ours = getattr(optimizers, name)(learning_rate=0.05, **options)
    theirs = getattr(keras.optimizers, name)(learning_rate=0.05, **options)
    own = [Variable(v, name=f"v{i}") for i, v in enumerate(values)]
    other = [keras.Variable(v, name=f"v{i}") for i, v in enumerate(values)]
    for step in range(20):
        if step == 10:
            ours.learning_rate = 0.02
            theirs.learning_rate = 0.02
        grads = gradients(rng, step, shapes, "float32")
        ours.apply(grads, own)
        theirs.apply([keras.ops.convert_to_tensor(g) for g in grads], other)
    # Keras has Adam's 1 - beta_2^t in float32: at first eps / (1 - beta_2) = 6e-5 of a step off.
    atol = 2e-5 if name == "Adam" else 2e-6
    for a, b in zip(own, other, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=2e-5, atol=atol)
    assert [v.shape for v in ours.variables] == [tuple(v.shape) for v in theirs.variables]
    assert [v.name for v in ours.variables] == [v.name for v in theirs.variables]
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a.numpy(), np.asarray(b), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", sorted(optimizers.CLASSES))
def test_arguments_as_keras(keras, name):
    """Keras's parameters in Keras's order, without those that are documented as missing."""
    import inspect

    missing = {
        "use_ema",
        "ema_momentum",
        "ema_overwrite_frequency",
        "loss_scale_factor",
        "gradient_accumulation_steps",
        "kwargs",
    }
    ours = inspect.signature(getattr(optimizers, name).__init__).parameters
    theirs = inspect.signature(getattr(keras.optimizers, name).__init__).parameters
    expected = [(p.name, p.default) for p in theirs.values() if p.name not in missing]
    assert [(p.name, p.default) for p in ours.values()] == expected


# --- options and state ----------------------------------------------------------------------------


def test_clipping():
    def step(grads, **options):
        arrays = [np.zeros(2), np.zeros(1)]
        optimizers.SGD(learning_rate=1.0, **options).apply(grads, arrays)
        return [-a for a in arrays]

    grads = [np.array([3.0, 4.0]), np.array([12.0])]
    first, second = step(grads, clipnorm=1.0)
    np.testing.assert_allclose(first, [0.6, 0.8])
    np.testing.assert_allclose(second, [1.0])
    first, second = step(grads, clipvalue=3.5)
    np.testing.assert_allclose(first, [3.0, 3.5])
    first, second = step(grads, global_clipnorm=1.0)
    np.testing.assert_allclose([*first, *second], np.array([3.0, 4.0, 12.0]) / 13)
    np.testing.assert_allclose(step(grads, clipnorm=100.0)[1], [12.0])


def test_what_lies_between_bare_arrays_is_not_touched():
    """Arrays at the distance that Variables in one buffer have, as chance or a view makes them."""
    flat = np.full(16, 5.0)
    first, second = flat[:2], flat[8:9]
    optimizer = optimizers.SGD(learning_rate=1.0, weight_decay=0.5, clipnorm=100.0)
    optimizer.apply([np.ones(2), np.ones(1)], [first, second])
    np.testing.assert_array_equal(first, second[0])
    assert first[0] != 5.0
    assert (flat[2:8] == 5.0).all() and (flat[9:] == 5.0).all()


def test_weight_decay_leaves_out_what_is_excluded():
    kernel, bias = (
        Variable([1.0], "float64", name="kernel"),
        Variable([1.0], "float64", name="bias"),
    )
    other = Variable([1.0], "float64", name="other")
    optimizer = optimizers.SGD(learning_rate=0.5, weight_decay=0.2)
    optimizer.exclude_from_weight_decay(var_list=[other], var_names=["bias"])
    optimizer.apply([np.zeros(1)] * 3, [kernel, bias, other])
    assert (kernel.value[0], bias.value[0], other.value[0]) == (0.9, 1.0, 1.0)


def test_learning_rate_is_a_number_that_can_be_set():
    optimizer = optimizers.SGD(learning_rate=0.5)
    w = np.array([1.0])
    optimizer.apply([np.array([1.0])], [w])
    optimizer.learning_rate = optimizer.learning_rate * 0.1
    assert float(optimizer.learning_rate) == 0.05
    optimizer.apply([np.array([1.0])], [w])
    optimizer.learning_rate.assign(1.0)
    optimizer.apply([np.array([1.0])], [w])
    np.testing.assert_allclose(w, [1.0 - 0.5 - 0.05 - 1.0])
    assert f"{optimizer.learning_rate:.2f}" == "1.00"
    assert optimizer.learning_rate > 0.5
    assert int(optimizer.iterations) == 3


def test_updates_in_place_and_by_pairs(rng):
    arrays = [rng.normal(size=(4, 3)).astype("float32"), rng.normal(size=3)]
    before = [a.copy() for a in arrays]
    optimizer = optimizers.Adam()
    assert optimizer.apply_gradients(zip([np.ones((4, 3)), np.ones(3)], arrays, strict=True)) == 1
    assert all((a < b).all() for a, b in zip(arrays, before, strict=True))
    assert (arrays[0].dtype, arrays[1].dtype) == (np.float32, np.float64)


def test_none_leaves_a_parameter_alone():
    a, b = np.ones(2), np.ones(2)
    optimizer = optimizers.SGD(learning_rate=1.0, momentum=0.5)
    optimizer.apply([None, np.ones(2)], [a, b])
    optimizer.apply([np.ones(2), None])
    np.testing.assert_allclose(a, 0.0)
    np.testing.assert_allclose(b, 0.0)


def test_state_can_be_moved(rng):
    """set_weights of another optimizer's variables continues its training exactly."""
    shapes = [(3,)]
    w = [rng.normal(size=3)]
    first = optimizers.Adam(learning_rate=0.1)
    for step in range(5):
        first.apply(gradients(rng, step, shapes, "float64"), w)
    copy = [w[0].copy()]
    second = optimizers.Adam.from_config(first.get_config())
    second.build([Variable(copy[0])])
    second.set_weights([v.numpy() for v in first.variables])
    variable = second._trainable[0]
    grad = rng.normal(size=3)
    first.apply([grad], w)
    second.apply([grad])
    np.testing.assert_array_equal(variable.value, w[0])


def test_copies_go_their_own_way(rng):
    import copy
    import pickle

    variable = Variable(rng.normal(size=3), name="w")
    optimizer = optimizers.Adam(learning_rate=0.1)
    optimizer.apply([np.ones(3)], [variable])
    for same in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        assert same.iterations == 1
        other = same._trainable[0]
        other.assign(variable)
        same.learning_rate = 0.2
        assert float(optimizer.learning_rate) == 0.1
        same.apply([np.ones(3)])
        assert (same.iterations, optimizer.iterations) == (2, 1)
        assert not np.array_equal(other.value, variable.value)


@pytest.mark.parametrize(("name", "options"), [(n, o) for _, n, o in FORMULAS])
def test_configuration(name, options):
    optimizer = getattr(optimizers, name)(
        learning_rate=0.125, clipnorm=2.0, weight_decay=0.5, **options
    )
    same = optimizers.deserialize(optimizers.serialize(optimizer))
    assert type(same) is type(optimizer)
    assert same.get_config() == optimizer.get_config()
    assert float(same.learning_rate) == 0.125


def test_get():
    assert isinstance(optimizers.get("ADAM"), optimizers.Adam)
    assert optimizers.get(None) is None
    optimizer = optimizers.SGD()
    assert optimizers.get(optimizer) is optimizer


def test_whole_training_is_the_same_on_both_engines(rng):
    """An update of many parameters at once, as C++ and as the oracle do it."""
    pytest.importorskip("dlnative._core")
    results = []
    grads = [gradients(rng, step, [(7, 5), (5,)], "float32") for step in range(6)]
    start = [rng.normal(size=(7, 5)).astype("float32"), rng.normal(size=5).astype("float32")]
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            arrays = [a.copy() for a in start]
            optimizer = optimizers.Adam(learning_rate=0.1, weight_decay=0.1)
            for each in grads:
                optimizer.apply(each, arrays)
        results.append(arrays)
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
