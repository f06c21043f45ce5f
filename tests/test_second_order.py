"""Gradients of gradients, against central differences of first gradients in float64."""

import numpy as np
import pytest

import dlnative
from dlnative import vjp
from dlnative.graph.ops.activations import ACTIVATIONS
from dlnative.graph.tensor import apply
from dlnative.plan import gradients

OPTIONS = {
    "relu": ({}, {"negative_slope": 0.25}, {"max_value": 1.0, "threshold": 0.5}),
    "leaky_relu": ({}, {"negative_slope": 0.5}),
    "elu": ({}, {"alpha": 0.5}),
    "gelu": ({}, {"approximate": True}),
    "softmax": ({}, {"axis": 0}),
    "log_softmax": ({}, {"axis": 0}),
}
NAMES = [*ACTIVATIONS, "softmax", "log_softmax"]
CALLS = [(name, options) for name in NAMES for options in OPTIONS.get(name, ({},))]


def slope(y, x):
    """d sum(y) / dx as a tensor, 0 where y does not depend on x."""
    (result,) = gradients(x.graph, apply("sum", y), [x])
    return x * 0.0 if result is None else result


def differences(function, arrays, i, weights, h=1e-5):
    """d <weights, function> / d arrays[i] by central differences."""
    result = np.zeros(arrays[i].shape)
    for at in np.ndindex(result.shape):
        ends = []
        for step in (h, -h):
            moved = [a.copy() for a in arrays]
            moved[i][at] += step
            ends.append((function(*moved) * weights).sum())
        result[at] = (ends[0] - ends[1]) / (2 * h)
    return result


@pytest.mark.parametrize("name, options", CALLS)
def test_activations(rng, name, options):
    """Of dy f'(x), by x and by dy."""

    def first(x, dy):
        return slope(apply(name, x, **options) * dy, x)

    arrays = [2 * rng.standard_normal((3, 5)), rng.standard_normal((3, 5))]
    w = rng.standard_normal((3, 5))
    found, _ = vjp(first, *arrays)[1](w)
    for i in range(2):
        expected = differences(lambda *a: vjp(first, *a)[0], arrays, i, w)
        np.testing.assert_allclose(found[i], expected, rtol=0, atol=2e-8)


@pytest.mark.parametrize("name", ["gelu", "silu", "tanh", "sigmoid", "elu", "selu", "softplus"])
def test_a_third_derivative(rng, name):
    def second(x):
        return slope(slope(apply(name, x), x), x)

    x, w = rng.standard_normal(6), rng.standard_normal(6)
    (found,), _ = vjp(second, x)[1](w)
    expected = differences(lambda x: vjp(second, x)[0], [x], 0, w)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", CALLS)
def test_far_from_zero_it_is_finite(name, options, dtype):
    """The curvature of each dies out there, but where the activation itself overflows."""
    if name == "exponential":
        pytest.skip("it grows without end")
    x = np.array([-1e30, -1e4, -200.0, 200.0, 1e4, 1e30], dtype)
    (found,), _ = vjp(lambda x: slope(apply(name, x, **options), x), x)[1](np.ones_like(x))
    np.testing.assert_allclose(found, np.zeros_like(x), rtol=0, atol=1e-6)


KINKS = [
    ("elu", 1.0),
    ("softsign", 0.0),
    ("relu", 0.0),
    ("leaky_relu", 0.0),
    ("gelu", 0.7978845608),
]


@pytest.mark.parametrize("name, expected", KINKS)
def test_at_zero_it_is_that_of_jax(name, expected):
    x = np.zeros(1)
    (found,), _ = vjp(lambda x: slope(apply(name, x), x), x)[1](np.ones(1))
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


@pytest.mark.parametrize("shape", [(4, 3), (2, 2, 3)])
@pytest.mark.parametrize("by", ["x", "kernel", "bias"])
def test_penalties_of_dense(rng, shape, by):
    """|d sum(tanh(dense)^2) / d `by`|^2 by x, kernel and bias."""
    at = ["x", "kernel", "bias"].index(by)

    def penalty(*operands):
        y = apply("tanh", apply("dense", *operands))
        (g,) = gradients(y.graph, apply("sum", y * y), [operands[at]])
        return apply("sum", g * g)

    arrays = [rng.standard_normal(s) for s in (shape, (3, 5), (5,))]
    found, _ = vjp(penalty, *arrays)[1](1.0)
    for i in range(3):
        expected = differences(lambda *a: vjp(penalty, *a)[0], arrays, i, 1.0)
        np.testing.assert_allclose(found[i], expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", "gelu", "silu", "elu", "softplus", "sigmoid"]
)
def test_a_gradient_penalty_of_layers_agrees_with_the_oracle(rng, activation):
    """Two Dense layers with a fused activation: both engines give the gradients of the penalty."""
    model = dlnative.Sequential(
        [
            dlnative.Input((3,)),
            dlnative.layers.Dense(7, activation=activation),
            dlnative.layers.Dense(6, activation=activation),
            dlnative.layers.Dense(1),
        ]
    )

    def penalty(x):
        g = slope(model(x), x)
        return apply("mean", (apply("sum", g * g, axis=-1) - 1.0) * 1.0)

    x = rng.standard_normal((5, 3)).astype("float32")
    found = []
    for engine in ("native", "numpy"):
        with dlnative.config.engine(engine):
            (dx,), by_path = vjp(penalty, x)[1](1.0)
            found.append([dx, *(by_path[path] for path in sorted(by_path))])
    assert len(found[0]) >= 6
    for ours, oracle in zip(*found, strict=True):
        np.testing.assert_allclose(ours, oracle, rtol=2e-5, atol=2e-6)
    assert any(np.abs(g).max() > 1e-3 for g in found[1][1:])


def test_what_has_no_second_order_rule_says_so(rng):
    def first(x):
        return slope(apply("layer_norm", x, None, None) ** 2, x)

    x = rng.standard_normal((3, 5))
    with pytest.raises(ValueError, match="op 'layer_norm_backward' has no gradient"):
        vjp(first, x)[1](x)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_gradients_at_ties_keep_their_dtype(name):
    """Also where numbers alone would be of another one."""
    x = np.array([1.0, 2.0], "float32")
    before = dlnative.config.floatx()
    dlnative.config.set_floatx("float64")
    try:
        _, pullback = dlnative.vjp(lambda a: getattr(dlnative.ops, name)(a, x), x)
        (slope,), *_ = pullback(np.ones(2, "float32"))
    finally:
        dlnative.config.set_floatx(before)
    assert slope.dtype == np.float32
    np.testing.assert_array_equal(slope, [0.5, 0.5])
