"""Operators, conversions and protocols of tensors: the graph's answer, or an error that helps."""

from __future__ import annotations

import copy
import math
import operator

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, losses, metrics, ops
from dlnative.graph import Graph

X = np.array([[1.0, -2.0], [3.0, 0.5]], dtype="float32")


def tensors():
    """A tensor of a graph and one of a functional model."""
    return {"graph": Graph().feed((2, 2), "float32"), "functional": Input((2,))}


@pytest.fixture(params=["graph", "functional"])
def tensor(request):
    return tensors()[request.param]


REFUSED = {
    "if t == 1": lambda t: 1 if t == 1 else 0,
    "== in a tuple": lambda t: (t,) == (t * 1,),
    "min()": lambda t: min(t, 1),
    "max()": lambda t: max(t, t * 2),
    "sorted()": lambda t: sorted([t, t]),
    "divmod()": lambda t: divmod(t, 2),
    "round()": round,
    "math.trunc()": math.trunc,
    "math.floor()": math.floor,
    "math.ceil()": math.ceil,
    "in": lambda t: 1 in t,
    "in a list": lambda t: t in [1, 2],
    "list.index": lambda t: [0, t].index(1),
    "list.remove": lambda t: [t].remove(1),
    "bool()": bool,
    "and": lambda t: t and t,
    "not": lambda t: not t,
    "any()": lambda t: any([t]),
    "float()": float,
    "math.exp": math.exp,
    "int()": int,
    "complex()": complex,
    "an index": operator.index,
    "range()": range,
    "list[t]": lambda t: [1, 2][t],
    "format": lambda t: f"{t:.3f}",
    "np.asarray": np.asarray,
    "np.array of a list": lambda t: np.array([t, t]),
    "np.array of objects": lambda t: np.array([t], dtype=object),
    "np.exp": np.exp,
    "np.sum": np.sum,
    "np.mean": np.mean,
    "np.where": lambda t: np.where(t, 1, 0),
    "np.isnan": np.isnan,
    "np.stack": lambda t: np.stack([t, t]),
    "np.add.reduce": np.add.reduce,
    "array item": lambda t: np.ones(2).__setitem__(slice(None), t),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_op_raises(name, tensor):
    with pytest.raises(TypeError, match="symbolic tensor"):
        REFUSED[name](tensor)


@pytest.mark.parametrize(
    ("expression", "remedy"),
    [
        (lambda t: 1 if t == 1 else 0, r"truth value: .*dlnative\.ops\.where"),
        (lambda t: 1 in t, r"`in` of .*any\(t is x for t in tensors\)"),
        (round, r"dlnative\.ops\.round"),
        (np.exp, r"NumPy of .*dlnative\.ops"),
        (lambda t: f"{t:.2f}", r"format '\.2f' of"),
    ],
)
def test_the_error_says_what_to_write(expression, remedy, tensor):
    with pytest.raises(TypeError, match=remedy):
        expression(tensor)


def test_identity_is_what_sets_and_dicts_use(tensor):
    other = tensors()["graph"]
    assert {tensor: 1, other: 2}[tensor] == 1
    assert len({tensor, other, tensor}) == 2
    assert hash(tensor) == hash(tensor)
    assert copy.copy(tensor) is tensor
    assert (tensor, None) == (tensor, None)


class Weighted(layers.Layer):
    """A layer whose call is given."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.w = self.add_weight((2, 2), "ones", name="w")
        self.other = layers.Dense(2, kernel_initializer="ones")

    def build(self, shape):
        self.other.build(shape)

    def call(self, x):
        return self.function(self, x)


W = np.array([[1.0, 2.0], [-3.0, 4.0]], dtype="float32")
ARRAY = np.array([2.0, -0.5], dtype="float32")
ANSWERED = {
    "array * t": (lambda s, x: ARRAY * x, lambda x: ARRAY * x),
    "float64 array + t": (lambda s, x: ARRAY.astype("float64") + x, lambda x: ARRAY + x),
    "array - t": (lambda s, x: ARRAY - x, lambda x: ARRAY - x),
    "array / t": (lambda s, x: ARRAY / x, lambda x: ARRAY / x),
    "array @ t": (lambda s, x: W @ x, lambda x: W @ x),
    "t @ array": (lambda s, x: x @ W, lambda x: x @ W),
    "np.float32 * t": (lambda s, x: np.float32(3) * x, lambda x: 3 * x),
    "np.float64 - t": (lambda s, x: np.float64(3) - x, lambda x: 3 - x),
    "sum()": (lambda s, x: sum([x, x]), lambda x: 2 * x),
    "+t": (lambda s, x: +x, lambda x: x + 0),
    "w * t": (lambda s, x: s.w * x, lambda x: W * x),
    "w + 1, t": (lambda s, x: (s.w + 1) * x, lambda x: (W + 1) * x),
    "2 - w, t": (lambda s, x: x * (2 - s.w), lambda x: x * (2 - W)),
    "array * w": (lambda s, x: x + ARRAY * s.w, lambda x: x + ARRAY * W),
    "w * w": (lambda s, x: x + s.w * s.w, lambda x: x + W * W),
    "-w": (lambda s, x: x - -s.w, lambda x: x + W),
    "w @ w": (lambda s, x: x @ (s.w @ s.w), lambda x: x @ (W @ W)),
    "w.value": (lambda s, x: x + 2.0 * s.w.value, lambda x: x + 2 * W),
    "ops of w": (lambda s, x: x + ops.relu(s.w), lambda x: x + np.maximum(W, 0)),
    "activations of w": (
        lambda s, x: x + dlnative.activations.relu(s.w),
        lambda x: x + np.maximum(W, 0),
    ),
    "layer of w": (lambda s, x: x + layers.Activation("relu")(s.w), lambda x: x + np.maximum(W, 0)),
    "a weight": (lambda s, x: s.w, lambda x: W),
    "== 1": (lambda s, x: x * (x == 1), lambda x: x * (x == 1)),
    "1 !=": (lambda s, x: x * (np.float32(1) != x), lambda x: x * (x != 1)),
    "< and": (lambda s, x: x * ((x < 2) & (x > -3)), lambda x: x * ((x < 2) & (x > -3))),
    "array <=": (lambda s, x: x * operator.le(ARRAY, x), lambda x: x * (x >= ARRAY)),
    "or, not": (lambda s, x: x * (~(x >= 2) | (x == 3)), lambda x: x * (~(x >= 2) | (x == 3))),
    "^": (lambda s, x: x * ((x > 0) ^ (x > 2)), lambda x: x * ((x > 0) ^ (x > 2))),
    "** 2": (lambda s, x: x**2, lambda x: x * x),
    "2 **": (lambda s, x: 2**x, lambda x: 2**x),
    "//, %": (lambda s, x: x // 2 + x % 2 + 7 % (x * x), lambda x: x // 2 + x % 2 + 7 % (x * x)),
    "abs": (lambda s, x: abs(x), abs),
    "[]": (
        lambda s, x: x[0] + x[:, ::-1] + x[:, None, 1],
        lambda x: x[0] + x[:, ::-1] + x[:, None, 1],
    ),
    "[array]": (
        lambda s, x: x[[1, 0]] + x[..., np.array([1, 1])],
        lambda x: x[[1, 0]] + x[:, [1, 1]],
    ),
    "for": (lambda s, x: x * sum(row for row in x), lambda x: x * sum(x)),
    "unpacking": (lambda s, x: (lambda a, b: x + a * b)(*x), lambda x: x + x[0] * x[1]),
    "len": (lambda s, x: x * len(x), lambda x: x * 2),
    "w == 1": (lambda s, x: x * (s.w == 1), lambda x: x * (W == 1)),
    "w[0]": (lambda s, x: x * s.w[0], lambda x: x * W[0]),
    "w ** 2": (lambda s, x: x * s.w**2, lambda x: x * W**2),
    "for w": (lambda s, x: x * sum(s.w), lambda x: x * sum(W)),
}


@pytest.mark.parametrize("engine", ["native", "numpy"])
@pytest.mark.parametrize("name", ANSWERED)
def test_operators_extend_the_graph(name, engine):
    """A Variable is read when the program runs: its values while it is made are others."""
    function, expected = ANSWERED[name]
    layer = Weighted(function)
    with dlnative.engine(engine):
        layer(X)
        layer.w.assign(W)
        np.testing.assert_allclose(layer(X), expected(X), rtol=2e-6)


def test_a_layer_of_constants_follows_its_weights():
    layer = Weighted(lambda s, x: x + s.other(np.eye(2)))
    layer(X)
    layer.other.kernel.assign(W)
    np.testing.assert_allclose(layer(X), X + W, rtol=1e-6)


def test_gradients_reach_a_variable_in_an_expression():
    layer = Weighted(lambda s, x: x * (ops.relu(s.w) * 2.0 + 1.0))
    layer.build((None, 2))
    layer.w.assign(W)
    _, grads = dlnative.value_and_grad(layer, "mse")(X, np.zeros((2, 2)))
    y = X * (np.maximum(W, 0) * 2 + 1)
    expected = 2 * y / y.size * X * 2 * (W > 0)
    np.testing.assert_allclose(grads["w"], expected, rtol=1e-5)


TRACED = {
    "in": lambda s, x: x * (1.0 in s.w),
    "bool": lambda s, x: x if s.w else -x,
    "float": lambda s, x: x * float(s.other.bias[0]),
    "numpy()": lambda s, x: x * s.w.numpy(),
    "np.asarray": lambda s, x: x * np.asarray(s.w),
    "np.exp": lambda s, x: x * np.exp(s.w),
    "format": lambda s, x: x * len(f"{s.w}"),
}


@pytest.mark.parametrize("name", TRACED)
def test_values_of_variables_are_not_fixed_in_a_program(name):
    layer = Weighted(TRACED[name])
    layer.build((None, 2))
    before = layer.w.numpy()
    with pytest.raises(TypeError, match="symbolic tensor|Variable '"):
        layer(X)
    np.testing.assert_array_equal(layer.w.numpy(), before)


def test_build_reads_and_writes_values():
    class Scaled(layers.Layer):
        def build(self, shape):
            self.w = self.add_weight((2,), "ones", name="w")
            self.w.assign(self.w * 3 + float(self.w[0]))

        def call(self, x):
            return x * self.w

    model = Sequential([Scaled()])
    np.testing.assert_array_equal(model.predict(X, verbose=0), X * 4)


def test_values_do_not_take_the_place_of_a_variable():
    def counting(self, x):
        self.w += 1
        return x

    layer = Weighted(counting)
    with pytest.raises(RuntimeError, match=r"w is a Variable.*w\.assign\(\.\.\.\)"):
        layer(X)
    with pytest.raises(RuntimeError, match=r"w is a Variable"):
        layer.w *= 0.5
    np.testing.assert_array_equal(layer.w.numpy(), np.ones((2, 2)))
    assert any(v is layer.w for v in layer.weights)


def test_a_tensor_of_another_call_is_refused():
    class Keeps(layers.Layer):
        before = None

        def call(self, x):
            kept, self.before = self.before, [x]
            return x if kept is None else x + kept[0]

    layer = Keeps()
    layer(X)
    with pytest.raises(TypeError, match="belongs to another call"):
        layer(np.ones((3, 2)))
    outer = Input((2,))
    with pytest.raises(TypeError, match="belongs to another call|of one graph"):
        Weighted(lambda s, x: x + outer)(X)


# --- losses, metrics, penalties that are not made of tensors --------------------------------------


def one_if_equal(y_true, y_pred):
    return ops.mean(y_pred, axis=-1) if y_true == 1 else ops.mean(y_pred * 2, axis=-1)


LOSSES = {
    "if ==": (one_if_equal, r"bool\(\) of the symbolic tensor"),
    "in": (lambda y, p: ops.mean(p) if 1 in y else ops.mean(p * p), "`in` of"),
    "a number": (lambda y, p: 1.0, "loss 'lambda' must return tensors, it returned float"),
    "an array": (lambda y, p: np.ones(4), "must return tensors, it returned ndarray"),
    "None": (lambda y, p: None, "must return tensors, it returned NoneType"),
    "labels only": (lambda y, p: ops.mean(y * y, axis=-1), "does not depend on the predictions"),
    "branch": (lambda y, p: ops.mean(p) if (p > 0) else ops.sum(p), r"bool\(\) of"),
    "np": (lambda y, p: np.abs(y - p), "NumPy of the symbolic tensor"),
}


class Plain(Model):
    """A model whose outputs are not known when it is compiled."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, x):
        return self.dense(x)


def functional():
    return Sequential([Input((2,)), layers.Dense(1)])


@pytest.mark.parametrize("make", [functional, Plain])
@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_that_is_no_tensor_raises_before_training(name, make):
    loss, message = LOSSES[name]
    model = make()
    model.predict(X, verbose=0)
    before = model.get_weights()

    def train():
        model.compile("sgd", loss)
        model.fit(X, np.ones((2, 1)), verbose=0)

    with pytest.raises((TypeError, ValueError), match=message):
        train()
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_as_value_and_grad_takes_it():
    with pytest.raises(TypeError, match=r"bool\(\) of the symbolic tensor"):
        dlnative.value_and_grad(functional(), one_if_equal)(X, np.ones((2, 1)))
    with pytest.raises(TypeError, match="must return tensors, it returned float"):
        dlnative.value_and_grad(functional(), lambda y, p: 2.0)(X, np.ones((2, 1)))


class Counts(metrics.Metric):
    """Counts in Python, which a program does not run."""

    def __init__(self):
        super().__init__(name="counts")
        self.n = 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.n += 1

    def result(self):
        return float(self.n)


METRICS = {
    "if ==": (one_if_equal, r"bool\(\) of the symbolic tensor"),
    "a number": (lambda y, p: 1.0, "metric 'lambda' must return tensors, it returned float"),
    "an array": (lambda y, p: np.ones(2), "must return tensors, it returned ndarray"),
    "counting in Python": (Counts(), "metric 'counts': its update_state changes no state"),
}


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_that_a_program_cannot_keep_raises(name):
    metric, message = METRICS[name]
    model = functional()
    model.compile("sgd", "mse", metrics=[metric])
    before = model.get_weights()
    with pytest.raises(TypeError, match=message):
        model.fit(X, np.ones((2, 1)), verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before[0])


def test_a_metric_made_of_metrics_starts_anew_each_epoch():
    class Largest(metrics.Metric):
        def __init__(self):
            super().__init__(name="both")
            self.mean = metrics.Mean()

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.mean.update_state(y_true)

        def result(self):
            return self.mean.result()

    model = functional()
    metric = Largest()
    model.compile("sgd", "mse", metrics=[metric])
    first = model.fit(X, np.ones((2, 1)), verbose=0, batch_size=1).history["both"]
    second = model.fit(X, 3 * np.ones((2, 1)), verbose=0, batch_size=1).history["both"]
    assert (first, second) == ([1.0], [3.0])
    assert len(metric.variables) == 1


def test_a_penalty_that_is_no_tensor_raises():
    model = Sequential([Input((2,)), layers.Dense(1, kernel_regularizer=lambda w: 0.5)])
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match="regularizer of '.*dense.*/kernel' must return tensors"):
        model.fit(X, np.ones((2, 1)), verbose=0)


def test_a_loss_of_its_own_reads_a_variable_each_step():
    scale = dlnative.variables.Variable(1.0, dtype="float32", name="scale", trainable=False)

    def scaled(y_true, y_pred):
        return losses.mean_squared_error(y_true, y_pred) * (scale * 2.0)

    model = functional()
    model.compile(dlnative.optimizers.SGD(0.0), scaled)
    y = np.ones((2, 1), dtype="float32")
    first = model.train_on_batch(X, y)
    scale.assign(3.0)
    np.testing.assert_allclose(model.train_on_batch(X, y), 3 * first, rtol=1e-6)
