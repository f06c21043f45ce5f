"""Random functional models compute what NumPy computes, also after a round trip through JSON."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import dlnative
from dlnative import Input, Model, layers
from dlnative.models import clone_model, model_from_json

KINDS = ("dense", "shared", "add", "multiply", "concatenate", "tanh", "scalar")
WIDTH = 3


@st.composite
def recipes(draw):
    """A list of (kind, places of the tensors it works on)."""
    steps = []
    for size in range(2, 2 + draw(st.integers(1, 10))):
        place = st.integers(0, size - 1)
        steps.append((draw(st.sampled_from(KINDS)), draw(place), draw(place)))
    return steps


def build(steps):
    """The model of a recipe, and the function that computes the same in NumPy."""
    inputs = [Input((WIDTH,), name="a"), Input((WIDTH,), name="b")]
    tensors, rules = list(inputs), []
    shared = layers.Dense(WIDTH, name="shared")
    for kind, i, j in steps:
        a, b = tensors[i], tensors[j]
        if kind in ("dense", "shared"):
            layer = shared if kind == "shared" else layers.Dense(WIDTH, bias_initializer="ones")
            tensors.append(layer(a))
            rules.append(
                (i, j, lambda x, y, layer=layer: x @ layer.kernel.value + layer.bias.value)
            )
        elif kind == "add":
            tensors.append(layers.Add()([a, b]))
            rules.append((i, j, lambda x, y: x + y))
        elif kind == "multiply":
            tensors.append(a * b)
            rules.append((i, j, lambda x, y: x * y))
        elif kind == "concatenate":
            wide = layers.Concatenate()([a, b])
            layer = layers.Dense(WIDTH)
            tensors.append(layer(wide))
            rules.append((i, j, lambda x, y, layer=layer: np.hstack([x, y]) @ layer.kernel.value))
        elif kind == "tanh":
            tensors.append(layers.Activation("tanh")(a))
            rules.append((i, j, lambda x, y: np.tanh(x)))
        else:
            tensors.append(1.0 - 0.5 * a)
            rules.append((i, j, lambda x, y: 1.0 - 0.5 * x))

    def compute(a, b):
        results = [a, b]
        for i, j, rule in rules:
            results.append(rule(results[i], results[j]))
        return results

    ends = [layers.Add(name="end")([tensors[-1], *inputs]), tensors[-1]]
    return Model(inputs, ends), compute


@settings(max_examples=25, deadline=None)
@given(recipes())
def test_random_graph(steps):
    model, compute = build(steps)
    a, b = np.random.Generator(np.random.PCG64(1)).uniform(-1, 1, (2, 4, WIDTH))
    results = compute(a, b)
    expected = [results[-1] + a + b, results[-1]]
    again = model_from_json(model.to_json())
    assert again.to_json() == model.to_json()
    copy = clone_model(model)
    with dlnative.engine("numpy"):
        for each in (model, again, copy):
            each.set_weights(model.get_weights())
            for result, value in zip(each([a, b]), expected, strict=True):
                np.testing.assert_allclose(result, value, rtol=1e-3, atol=1e-4)
