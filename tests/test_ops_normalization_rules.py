"""Gradients, shapes and errors of the normalisation ops."""

from __future__ import annotations

import numpy as np
import pytest

import dlnative
from dlnative.graph import Graph, Spec, Tensor, table
from dlnative.ops import rows as ops


@pytest.mark.parametrize("activation, with_residual", [(None, False), ("relu", True)])
def test_gradient_rules(rng, activation, with_residual):
    """vjp through each forward op against finite differences of the op itself."""
    x = rng.standard_normal((4, 3, 4))
    gamma, beta = rng.standard_normal((2, 4))
    residual = rng.standard_normal(x.shape)
    extra = {"activation": activation}

    def training(x, gamma, beta, *rest):
        return ops.batch_norm_training(x, gamma, beta, *rest, **extra)[0]

    def given(x, gamma, beta, *rest):
        return ops.batch_norm(x, beta, ops.exp(beta), gamma, None, *rest, **extra)

    functions = [training, given]
    if not with_residual:
        functions += [
            lambda x, gamma, beta: ops.layer_norm(x, gamma, beta),
            lambda x, gamma, beta: ops.group_norm(x, gamma, beta, groups=2),
        ]
    for function in functions:
        inputs = [x, gamma, beta, *([residual] if with_residual else [])]
        weight = rng.standard_normal(x.shape)
        _, pullback = dlnative.vjp(function, *inputs)
        grads = pullback(weight)[0]
        for i, array in enumerate(inputs):
            numeric = np.empty_like(array)
            for index in np.ndindex(array.shape):
                values = []
                for step in (1e-6, -1e-6):
                    moved = [a.copy() for a in inputs]
                    moved[i][index] += step
                    values.append((function(*moved) * weight).sum())
                numeric[index] = (values[0] - values[1]) / 2e-6
            np.testing.assert_allclose(grads[i], numeric, rtol=1e-6, atol=1e-7)


def test_only_what_is_needed_is_emitted():
    """A frozen layer's input gradient is one scaling of dy."""
    from dlnative.plan.differentiate import gradients

    graph = Graph(training=True)
    x = graph.feed((8, 4), "float64")
    rest = [graph.feed((4,), "float64") for _ in range(4)]
    y = dlnative.graph.apply("batch_norm", x, *rest)
    before = len(graph.nodes)
    gradients(graph, y, [x], graph.feed((8, 4), "float64"))
    assert [n.op.name for n in graph.nodes[before:]] == ["batch_norm"]


def shapes(name, *inputs, **attributes):
    specs = table[name].infer(
        *(None if s is None else Tensor(s, "float32") for s in inputs), **attributes
    )
    return [s.shape for s in ((specs,) if isinstance(specs, Spec) else specs)]


def test_shape_rules_with_an_open_batch():
    x = (None, 4, 4, 6)
    assert shapes("batch_norm", x, (6,), (6,)) == [x]
    assert shapes("batch_norm_training", x, (6,), (6,), x) == [x, (6,), (6,)]
    grads = shapes("batch_norm_training_backward", x, x, (6,), (6,), None, x, activation="relu")
    assert grads == [x, (6,), (6,)]
    assert shapes("layer_norm", x, (4, 6), axes=2) == [x]
    assert shapes("group_norm_backward", x, x, (6,), groups=3) == [x, (6,), (6,)]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda x, c: ops.batch_norm(c, c, c), r"shape \(batch, ..., channels\), received \(3,\)"),
        (lambda x, c: ops.batch_norm(x, c, c[:2]), r"variance of shape \(3,\).*received \(2,\)"),
        (
            lambda x, c: ops.batch_norm(x, c, c, epsilon=-1.0),
            "'epsilon' to be a finite number of at least 0",
        ),
        (lambda x, c: ops.batch_norm(x, c, c, activation="tanh"), "None or 'relu'"),
        (lambda x, c: ops.batch_norm_training(x, c, c, c), r"residual of shape \(4, 3\)"),
        (
            lambda x, c: ops.batch_norm_training(x, None, None, None, np.ones((3, 2, 3))),
            "3 blocks for 4 rows",
        ),
        (lambda x, c: ops.batch_norm_training(x, None, None, None, x), r"\(blocks, 2, 3\)"),
        (lambda x, c: ops.batch_norm_backward(x[:2], x, c, c), "dy of shape"),
        (
            lambda x, c: ops.batch_norm_training_backward(x, x, c, c, activation="relu"),
            "'saved', the output",
        ),
        (lambda x, c: ops.moving_average(c, c[:1].copy(), 0.9), "value of shape"),
        (lambda x, c: ops.moving_average(c, c, 1.5), r"momentum in \[0, 1\]"),
        (lambda x, c: ops.layer_norm(x, axes=2), r"axes.*in \[1, 2\)"),
        (lambda x, c: ops.layer_norm(x, x), "gamma of shape"),
        (lambda x, c: ops.group_norm(x, groups=2), "multiple of 2 groups, received 3"),
        (lambda x, c: ops.group_norm(x, groups=0), "'groups' to be an integer of at least 1"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call(np.zeros((4, 3)), np.ones(3))


def test_statistics_have_no_gradient(rng):
    with pytest.raises(ValueError, match="mean and variance have no gradient"):
        dlnative.vjp(lambda x: ops.batch_norm_training(x)[1], rng.standard_normal((4, 3)))[1](
            np.ones(3)
        )
