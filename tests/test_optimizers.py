"""Optimizers: the formula step by step, options, state, bare arrays."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative import optimizers
from dlnative.variables import Variable

# Those to which gradients can be given.
GIVEN = sorted(name for name, cls in optimizers.CLASSES.items() if not cls.full_batch)

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


def adadelta(w, g, s, t, lr):
    s["a"] = 0.9 * s.get("a", 0.0) + 0.1 * g * g
    d = np.sqrt(s.get("x", 0.0) + 1e-3) / np.sqrt(s["a"] + 1e-3) * g
    s["x"] = 0.9 * s.get("x", 0.0) + 0.1 * d * d
    return w - lr * d


def adamax(w, g, s, t, lr):
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["u"] = np.maximum(0.5 * s.get("u", 0.0), np.abs(g))
    return w - lr / (1 - 0.9**t) * s["m"] / (s["u"] + 1e-7)


def nadam(w, g, s, t, lr):
    u, ahead = (0.9 * (1 - 0.5 * 0.96**k) for k in (t, t + 1))
    s["p"] = s.get("p", 1.0) * u
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g * g
    m = ahead * s["m"] / (1 - s["p"] * ahead) + (1 - u) * g / (1 - s["p"])
    return w - lr * m / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)


def lion(w, g, s, t, lr):
    m = s.get("m", 0.0)
    s["m"] = 0.99 * m + 0.01 * g
    return w - lr * np.sign(0.9 * m + 0.1 * g)


def lamb(w, g, s, t, lr):
    s["m"] = 0.9 * s.get("m", 0.0) + 0.1 * g
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g * g
    r = s["m"] / (1 - 0.9**t) / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-7)
    sizes = np.linalg.norm(w), np.linalg.norm(r)
    return w - lr * (sizes[0] / sizes[1] if all(sizes) else 1.0) * r


def ftrl(w, g, s, t, lr):
    n = s.get("n", 0.1)
    s["n"] = n + g * g
    sigma = (s["n"] ** 0.4 - n**0.4) / lr
    z = s["z"] = s.get("z", 0.0) + g + 2 * 0.02 * w - sigma * w
    scale = (0.5 + s["n"] ** 0.4 * 1.0) / lr + 2 * 0.1
    return np.where(np.abs(z) <= 1.5, 0.0, (np.sign(z) * 1.5 - z) / scale)


def muon(w, g, s, t, lr):
    if w.ndim != 2:
        return adam(w, g, s, t, lr * 0.5)
    s["m"] = 0.95 * s.get("m", 0.0) + g
    u = g + 0.95 * s["m"]
    u = u / (np.linalg.norm(u) + 1e-7)
    for _ in range(5):
        a = u @ u.T
        u = 3.4445 * u + (-4.7750 * a + 2.0315 * a @ a) @ u
    return w - lr * 0.2 * np.sqrt(max(w.shape)) * u


def adafactor(w, g, s, t, lr):
    b, squares = 1 - t**-0.8, g * g + 1e-30
    if w.ndim < 2:
        v = s["v"] = b * s.get("v", 0.0) + (1 - b) * squares
    else:
        r = s["r"] = b * s.get("r", 0.0) + (1 - b) * squares.mean(-1)
        c = s["c"] = b * s.get("c", 0.0) + (1 - b) * squares.mean(-2)
        v = (r / r.mean(-1, keepdims=True))[..., None] * c[..., None, :]
    u = g / np.sqrt(v)
    u = u / max(1.0, np.sqrt((u * u).mean()) / 0.9)
    return w - max(1e-3, np.sqrt((w * w).mean())) * min(lr, t**-0.5) * u


def schedule_free(w, g, s, t, lr):
    """With x, the average, kept beside z."""
    z, x = s.get("z", w), s.get("x", w)
    s["v"] = 0.999 * s.get("v", 0.0) + 0.001 * g * g
    lr = lr * min(t / 4, 1)
    s["z"] = z - lr * g / (np.sqrt(s["v"] / (1 - 0.999**t)) + 1e-8)
    s["x"] = (1 - 1 / t) * x + s["z"] / t
    return 0.2 * s["z"] + 0.8 * s["x"]


FORMULAS = [
    (sgd, "SGD", {}),
    (sgd_momentum, "SGD", {"momentum": 0.9}),
    (sgd_nesterov, "SGD", {"momentum": 0.9, "nesterov": True}),
    (adagrad, "Adagrad", {}),
    (rmsprop, "RMSprop", {}),
    (rmsprop_centered_momentum, "RMSprop", {"rho": 0.8, "momentum": 0.5, "centered": True}),
    (adam, "Adam", {}),
    (adam_amsgrad, "Adam", {"beta_1": 0.8, "beta_2": 0.9, "amsgrad": True}),
    (adadelta, "Adadelta", {"rho": 0.9, "epsilon": 1e-3}),
    (adamax, "Adamax", {"beta_2": 0.5}),
    (nadam, "Nadam", {}),
    (lion, "Lion", {}),
    (lamb, "Lamb", {}),
    (
        ftrl,
        "Ftrl",
        {
            "learning_rate_power": -0.4,
            "l1_regularization_strength": 1.5,
            "l2_regularization_strength": 0.1,
            "l2_shrinkage_regularization_strength": 0.02,
            "beta": 0.5,
        },
    ),
    (muon, "Muon", {"adam_lr_ratio": 0.5, "weight_decay": None, "adam_weight_decay": None}),
    (adafactor, "Adafactor", {"clip_threshold": 0.9}),
    (schedule_free, "ScheduleFreeAdamW", {"beta_1": 0.8, "warmup_steps": 4}),
]


def gradients(rng, step, shapes, dtype):
    """Gradients of changing size, so that maxima and averages matter."""
    return [rng.normal(size=s).astype(dtype) * (3.0 if step % 5 == 2 else 1.0) for s in shapes]


@pytest.mark.parametrize(
    ("formula", "name", "options"), FORMULAS, ids=lambda v: getattr(v, "__name__", None)
)
def test_formula_step_by_step(formula, name, options, rng):
    lr = 0.05
    shapes = [(3, 4), (4,), (1,), (2, 3, 4), (5, 2)]
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
        Variable([1.0], dtype="float64", name="kernel"),
        Variable([1.0], dtype="float64", name="bias"),
    )
    other = Variable([1.0], dtype="float64", name="other")
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
    variable = second._trainable_variables[0]
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
        other = same._trainable_variables[0]
        other.assign(variable)
        same.learning_rate = 0.2
        assert float(optimizer.learning_rate) == 0.1
        same.apply([np.ones(3)])
        assert (same.iterations, optimizer.iterations) == (2, 1)
        assert not np.array_equal(other.value, variable.value)


@pytest.mark.parametrize("name", GIVEN)
def test_copies_have_all_state(name, rng):
    """Slots, products, and what is excluded from weight decay by Variable."""
    import copy
    import pickle

    values = [rng.normal(size=s) for s in [(3, 4), (4,)]]
    parameters = [Variable(v, name=f"w{i}") for i, v in enumerate(values)]
    optimizer = getattr(optimizers, name)(learning_rate=0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=parameters[:1])
    steps = [[rng.normal(size=v.shape) for v in values] for _ in range(4)]
    for grads in steps[:2]:
        optimizer.apply(grads, parameters)
    others = [copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
    for each in (optimizer, *others):
        for grads in steps[2:]:
            each.apply(grads)
    for each in others:
        for a, b in zip(
            [*parameters, *optimizer.variables],
            [*each._trainable_variables, *each.variables],
            strict=True,
        ):
            assert a is not b
            np.testing.assert_array_equal(a.numpy(), b.numpy())


@pytest.mark.parametrize(("name", "options"), [(n, o) for _, n, o in FORMULAS])
def test_configuration(name, options):
    optimizer = getattr(optimizers, name)(
        **{"learning_rate": 0.125, "clipnorm": 2.0, "weight_decay": 0.5, **options}
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


@pytest.mark.native
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", GIVEN)
def test_parameters_of_one_element_and_of_none(name, dtype):
    """Beside others: their shapes are those of what all updates share, such as conditions."""
    results = []
    shapes = [(), (), (1, 1), (1,), (1, 7), (0, 3), (33, 1), (2, 1, 5)]
    options = {"gradient_accumulation_steps": 2, "use_ema": True, "weight_decay": 0.1}
    for engine in ("native", "numpy"):
        rng = np.random.default_rng(3)
        with dlnative.engine(engine):
            optimizer = getattr(optimizers, name)(0.05, **options, clipvalue=1.0)
            own = [
                Variable(rng.normal(size=s), dtype=dtype, name=f"v{i}")
                for i, s in enumerate(shapes)
            ]
            own[1].learning_rate_factor = own[3].learning_rate_factor = 0.5
            for _ in range(6):
                optimizer.apply([rng.normal(size=s).astype(dtype) for s in shapes], own)
        assert all(np.isfinite(v.numpy()).all() for v in own)
        # A mean over none of the rows of Adafactor's squares is NaN.
        results.append([v.numpy() for v in (*own, *optimizer.variables)])
    tolerance = 2e-5 if dtype == "float32" else 1e-12
    for a, b in zip(*results, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", GIVEN)
def test_accumulated_gradients_with_biases(name):
    """What only some steps need is left out of the others as a whole, in any order of the nodes."""
    x, y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
    weights = []
    for engine in ("native", "numpy"):
        with dlnative.engine(engine):
            dlnative.utils.set_random_seed(1)
            model = dlnative.Sequential([dlnative.Input((3,)), dlnative.layers.Dense(1)])
            optimizer = getattr(optimizers, name)(0.01, gradient_accumulation_steps=2)
            model.compile(optimizer, "mse")
            model.fit(x, y, batch_size=2, epochs=3, verbose=0)
            weights.append(model.get_weights())
    for a, b in zip(*weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
