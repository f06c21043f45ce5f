"""Fusions around convolution: same values as the oracle, and the instructions that remain."""

import numpy as np
import pytest

from dlnative import Variable, config, engines
from dlnative.graph import Graph, apply
from dlnative.plan import gradients

pytestmark = pytest.mark.native


def variables(rng, dtype, **shapes):
    return {
        name: Variable(rng.normal(size=s), dtype=dtype, name=name) for name, s in shapes.items()
    }


def loss_of(y):
    """A scalar whose gradient differs from element to element."""
    weight = np.linspace(-1.0, 1.0, y.size).reshape(y.shape)
    return apply("sum", apply("multiply", y, weight))


def both_engines(build, x):
    """(native results, oracle's results, native function) of build(graph, feed) -> outputs."""
    results = []
    for engine in ("native", "numpy"):
        with config.engine(engine):
            graph = Graph(training=True)
            function = engines.build(graph, build(graph, graph.feed(x.shape, x.dtype.name)))
            results.append(function(x))
            if engine == "native":
                native = function
    return *results, native


def agree(got, expected, dtype):
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    assert len(got) == len(expected)
    for a, b in zip(got, expected):
        scale = np.abs(b).max() + 1e-6
        np.testing.assert_allclose(a / scale, b / scale, rtol=0, atol=tolerance)


def names(function):
    return [n.op.name for n in function.plan.schedule.nodes]


def batch_norm(x, v, i):
    y, mean, variance = apply("batch_norm_training", x, v[f"gamma{i}"], v[f"beta{i}"])
    for name, value in (("mean", mean), ("variance", variance)):
        state = v[f"{name}{i}"]
        y.graph.assign(state, apply("moving_average", state, value, 0.9))
    return y


def norm_shapes(channels, count):
    shapes = {}
    for i in range(count):
        for name in ("gamma", "beta", "mean", "variance"):
            shapes[f"{name}{i}"] = (channels,)
    return shapes


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("projection", [False, True])
@pytest.mark.parametrize("sizes", [(6, 5, 5), (6, 5, 16), (20, 30, 8)])  # the last in three blocks
def test_residual_block(conv_algorithm, rng, dtype, projection, sizes):
    channels = sizes[-1]
    x = rng.normal(size=(3, *sizes)).astype(dtype)
    kernel = (3, 3, channels, channels)
    shapes = dict(
        a=kernel, b=kernel, p=(1, 1, channels, channels), s=kernel, **norm_shapes(channels, 4)
    )
    values = {k: v.numpy() for k, v in variables(rng, dtype, **shapes).items()}
    moving = {}

    def build(graph, feed):
        v = {k: Variable(value, dtype=dtype, name=k) for k, value in values.items()}
        moving[config.current_engine()] = v
        x = apply("relu", batch_norm(apply("conv2d", feed, v["s"], padding="same"), v, 3))
        y = apply("relu", batch_norm(apply("conv2d", x, v["a"], padding="same"), v, 0))
        y = batch_norm(apply("conv2d", y, v["b"], padding="same"), v, 1)
        shortcut = batch_norm(apply("conv2d", x, v["p"]), v, 2) if projection else x
        y = apply("relu", apply("add", y, shortcut))
        wanted = [v[k] for k in ("a", "b", "s", "gamma0", "beta1", "gamma3")]
        wanted += [v["p"]] if projection else []
        grads = gradients(graph, loss_of(y), [graph.variable(w) for w in wanted])
        return [apply("linear", y), *grads]

    native, oracle, function = both_engines(build, x)
    agree(native, oracle, dtype)
    for key in values:
        agree([moving["native"][key].numpy()], [moving["numpy"][key].numpy()], dtype)
    ops = names(function)
    # ReLU, the residual sum and their gradients are parts of the normalisations.
    assert not {"relu", "relu_backward"} & set(ops)
    assert "add" not in ops  # nor are the two gradients of x added in a pass of their own
    assert all(
        n.attributes.get("moments") for n in function.plan.schedule.nodes if n.op.name == "conv2d"
    )
    # The moving statistics change when everything else is done.
    count = ops.count("moving_average")
    assert count == (8 if projection else 6) and ops[-count:] == ["moving_average"] * count


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("window", [((2, 2), (2, 2)), ((3, 3), (2, 2)), ((20, 20), (20, 20))])
def test_relu_behind_max_pooling(conv_algorithm, rng, dtype, window):
    pool_size, strides = window
    x = rng.normal(size=(2, 21, 22, 3)).astype(dtype)
    values = variables(rng, dtype, a=(3, 3, 3, 8), bias=(8,))
    values = {k: v.numpy() for k, v in values.items()}

    def build(graph, feed):
        v = {k: Variable(value, dtype=dtype, name=k) for k, value in values.items()}
        y = apply("relu", apply("conv2d", feed, v["a"], v["bias"], padding="same"))
        y = apply("max_pool2d", y, pool_size=pool_size, strides=strides, padding="same")
        grads = gradients(graph, loss_of(y), [graph.variable(v["a"]), graph.variable(v["bias"])])
        return [apply("linear", y), *grads]

    native, oracle, function = both_engines(build, x)
    agree(native, oracle, dtype)
    ops = names(function)
    if pool_size == (20, 20):  # more positions than a byte can number
        assert "max_pool2d_backward" in ops
    else:
        assert "max_pool2d_backward_indices" in ops
        assert not {"relu", "relu_backward", "bias_backward"} & set(ops)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 8])
@pytest.mark.parametrize("residual", [None, "a convolution", "the input", "the input, kept"])
def test_inference_folds_batch_norm(conv_algorithm, rng, dtype, channels, residual):
    if residual and "input" in residual:
        channels = 8
    x = rng.normal(size=(2, 7, 7, channels)).astype(dtype)
    kernel, other = rng.normal(size=(2, 3, 3, channels, 8))
    mean, variance, gamma, beta = rng.normal(size=(4, 8))

    def build(graph, feed):
        y = apply("conv2d", feed, kernel, padding="same")
        z = apply("batch_norm", y, mean, variance**2, gamma, beta, epsilon=1e-3)
        if residual == "a convolution":
            z = apply("add", z, apply("conv2d", feed, other, padding="same"))
        elif residual:
            z = apply("add", z, feed)
        z = apply("relu", z)
        return [z, apply("linear", feed)] if residual == "the input, kept" else [z]

    native, oracle, function = both_engines(build, x)
    agree(native, oracle, dtype)
    others = {"a convolution": ["conv2d"], "the input, kept": ["linear"]}.get(residual, [])
    assert sorted(names(function)) == ["conv2d", *others]


def test_gradient_of_an_activation_in_the_convolution(conv_algorithm, rng):
    x = rng.normal(size=(2, 9, 9, 4)).astype("float32")
    kernels = variables(rng, "float64", a=(3, 3, 4, 8), b=(5, 5, 8, 6))
    values = {k: v.numpy() for k, v in kernels.items()}

    def build(graph, feed):
        v = {k: Variable(value, dtype="float32", name=k) for k, value in values.items()}
        y = apply("tanh", apply("conv2d", feed, v["a"], padding="same"))
        y = apply("gelu", apply("conv2d", y, v["b"]))
        grads = gradients(graph, loss_of(y), [graph.variable(v["a"]), graph.variable(v["b"])])
        return [apply("linear", y), *grads]

    native, oracle, function = both_engines(build, x)
    agree(native, oracle, "float32")
    assert "tanh_backward" not in names(function) and "gelu" not in names(function)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 17])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_gradient_that_is_added_to_another(conv_algorithm, rng, dtype, channels, activation):
    """Of an image that a convolution and something else read, with an activation before it."""
    x = rng.normal(size=(5, 9, 10, channels)).astype(dtype)
    values = {"scale": rng.normal(size=channels), "k": rng.normal(size=(4, 4, channels, 16))}

    def build(graph, feed):
        v = {k: Variable(value, dtype=dtype, name=k) for k, value in values.items()}
        image = apply(activation, apply("multiply", feed, v["scale"]))
        y = apply("conv2d", image, v["k"], strides=(2, 2), padding="same")
        loss = apply("add", loss_of(y), loss_of(apply("exp", image)))
        return gradients(graph, loss, [graph.variable(v["scale"]), graph.variable(v["k"])])

    native, oracle, function = both_engines(build, x)
    agree(native, oracle, dtype)
    (adjoint,) = (n for n in function.plan.schedule.nodes if n.op.name == "conv2d_backward_input")
    assert len(adjoint.inputs) == 4
