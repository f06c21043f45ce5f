"""What two nodes would compute alike is computed once: equal bits, and nothing else is merged."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import dlnative
from dlnative import Input, Model, Sequential, layers, ops
from dlnative.engines.native import NativeFunction
from dlnative.graph import Graph, Tensor, apply
from dlnative.plan import gradients, make_plan
from dlnative.plan.plan import Plan
from dlnative.plan.subexpressions import merge_common_subexpressions
from dlnative.variables import Variable

pytestmark = pytest.mark.native
fuse = importlib.import_module("dlnative.plan.fuse")  # the package has the function of this name


@contextlib.contextmanager
def plans(merges: bool) -> Iterator[None]:
    """Plans are made with the pass, or without it."""
    with pytest.MonkeyPatch.context() as patch:
        if not merges:
            patch.setattr(fuse, "merge_common_subexpressions", lambda *arguments: arguments)
        yield


def count(plan: Plan, name: str) -> int:
    return [node.op.name for node in plan.instructions].count(name)


def merged(graph: Graph, outputs: list[Tensor]) -> tuple[list[str], list[Tensor]]:
    nodes, found = merge_common_subexpressions(graph.nodes, outputs)
    return [node.op.name for node in nodes], found


def test_two_passes_of_a_model_are_one():
    graph = Graph(training=True)
    x = graph.feed((8, 4), "float32")
    kernel, bias = Variable(np.ones((4, 3), "float32")), Variable(np.ones(3, "float32"))
    first, second = (
        ops.tanh(apply("dense", x, kernel, bias) * apply("exp", graph.constant(np.ones(3, "f4"))))
        for _ in range(2)
    )
    names, (a, b) = merged(graph, [first, second])
    assert names == ["dense", "exp", "multiply", "tanh"] and a is b
    left, right = NativeFunction(make_plan(graph, [first, second, first]))(np.ones((8, 4)))[:2]
    np.testing.assert_array_equal(left, right)
    assert left is not right and not np.shares_memory(left, right)


def test_a_variable_that_is_assigned_between_is_another_value():
    graph = Graph(training=True)
    x = graph.feed((8, 4), "float32")
    kernel = Variable(np.ones((4, 3), "float32"))
    products = []
    for _ in range(2):
        products += [apply("dense", x, kernel, None), apply("dense", x, kernel, None)]
        graph.assign(kernel, graph.variable(kernel) * 2.0)
    graph.commit()
    plan = make_plan(graph, products)
    assert count(plan, "dense") == 2
    results = NativeFunction(plan)(np.ones((8, 4), "float32"))
    assert [float(y[0, 0]) for y in results] == [4.0, 4.0, 8.0, 8.0]
    assert (kernel.numpy() == 4.0).all()


def test_draws_stay_distinct():
    layer = layers.Dropout(0.5)

    class Twice(Model):
        def call(self, x: Any, training: bool = False) -> Any:
            return layer(x, training=training) - layer(x, training=training)

    difference = Twice()(np.ones((4, 100), "float32"), training=True)
    assert np.asarray(difference).any()


def test_draws_of_a_generator_stay_distinct_and_those_of_a_seed_are_one():
    class Draws(Model):
        def __init__(self) -> None:
            super().__init__()
            self.generator = dlnative.random.SeedGenerator(3)

        def call(self, x: Any) -> Any:
            draw = dlnative.random.normal
            by_seed = draw(x.shape, seed=5) - draw(x.shape, seed=5)
            return draw(x.shape, seed=self.generator) - draw(x.shape, seed=self.generator), by_seed

    by_generator, by_seed = Draws().predict(np.ones((4, 100), "float32"), verbose=0)
    assert by_generator.any() and not by_seed.any()


def test_what_differs_is_not_merged():
    graph = Graph()
    x = graph.feed((4,), "float32")
    graph.next_random = 0
    tensors = [
        apply("rescale", x, scale=1.0, offset=0.0),
        apply("rescale", x, scale=1.0, offset=-0.0),
        apply("rescale", x, scale=2.0, offset=0.0),
        apply("subtract", x, graph.constant(np.zeros(4, "float32"))),
        apply("subtract", x, graph.constant(-np.zeros(4, "float32"))),
        apply("subtract", x, graph.constant(np.zeros(1, "float32"))),
        apply("subtract", graph.constant(np.zeros(4, "float32")), x),
        apply("sum", x, axis=None),
        apply("sum", x, axis=0),
    ]
    names, found = merged(graph, tensors)
    assert len(names) == len(tensors) and all(t is u for t, u in zip(tensors, found))


def test_python_functions_run_as_often_as_they_are_called():
    calls = []

    def counted(x: np.ndarray) -> np.ndarray:
        calls.append(1)
        return x + len(calls)

    graph = Graph()
    x = graph.feed((4,), "float32")
    outputs = [dlnative.numpy_function(counted, x) for _ in range(2)]
    function = NativeFunction(make_plan(graph, outputs))
    calls.clear()
    a, b = function(np.zeros(4, "float32"))
    assert len(calls) == 2 and (a != b).all()


def test_a_metric_that_is_the_loss_leaves_loss_and_gradient_one_pass():
    model = Sequential([Input((4,)), layers.Dense(3)])
    model.compile("sgd", "mse", metrics=["mse"])
    profile = model.profile(np.ones((8, 4), "float32"), np.zeros((8, 3), "float32"), batch_size=8)
    assert "mean_squared_error_with_gradient" in [row[1] for row in profile.rows]


class Drawn:
    """A graph of lines, products and updates of variables, of which many come up twice."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.graph = Graph(training=True)
        self.variables = [
            Variable(rng.standard_normal((5, 5)).astype("float32"), name=f"v{i}") for i in range(2)
        ]
        self.feeds = [self.graph.feed(shape, "float32") for shape in ((5, 5), (5,))]
        self.tensors = list(self.feeds[:1])
        for _ in range(int(rng.integers(8, 30))):
            self.tensors.append(self.line())
            if rng.random() < 0.2:
                variable = self.variables[rng.integers(2)]
                self.graph.assign(variable, ops.tanh(self.operand()))

    def operand(self) -> Tensor:
        if self.rng.random() < 0.3:
            return self.graph.variable(self.variables[self.rng.integers(2)])
        return self.tensors[self.rng.integers(min(len(self.tensors), 4))]

    def line(self) -> Tensor:
        a, b = self.operand(), self.operand()
        return [
            lambda: a + b,
            lambda: a * self.feeds[1],
            lambda: ops.tanh(a),
            lambda: apply("matmul", a, b) * 0.2,
            lambda: ops.relu(apply("dense", a, b, self.feeds[1])),
            lambda: a - ops.mean(a, 0, keepdims=True),
            lambda: ops.minimum(a, self.graph.constant(np.ones((5, 5), "float32"))),
            lambda: apply("dropout", a, self.graph.constant(np.float64(0.5)), seed=3),
        ][self.rng.integers(8)]()

    def outputs(self) -> list[Tensor]:
        total = ops.sum(ops.tanh(self.tensors[-1] + self.operand()))
        found = [total, self.tensors[-1], *self.tensors[1:5]]
        found += [g for g in gradients(self.graph, total, self.feeds) if g is not None]
        self.graph.commit()
        return found


@pytest.mark.parametrize("seed", range(40))
def test_equal_bits_with_and_without_the_pass(seed):
    results = []
    for merges in (True, False):
        drawn = Drawn(np.random.default_rng(seed))
        with plans(merges):
            plan = make_plan(drawn.graph, drawn.outputs())
        function = NativeFunction(plan)
        rng = np.random.default_rng(1)
        arrays = [rng.standard_normal(t.shape).astype("float32") for t in drawn.feeds]
        for step in range(3):
            results.append([y.copy() for y in function(*arrays, step=step)])
            results[-1] += [v.numpy() for v in drawn.variables]
    for a, b in zip(results[:3], results[3:], strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


class Gan(Model):
    """The generator's images are made for the discriminator's step and again for its own."""

    def __init__(self) -> None:
        super().__init__()
        self.maker = Sequential(
            [Input((4,)), layers.Dense(16, "gelu"), layers.BatchNormalization(), layers.Dense(6)]
        )
        self.judge = Sequential([Input((6,)), layers.Dense(16, "tanh"), layers.Dense(1)])
        self.built = True

    def train_step(self, data: Any) -> dict[str, Any]:
        real, noise = data
        made = self.maker(noise, training=True)
        logs = {}
        for name, part, loss in (
            ("judge", self.judge, lambda: ops.mean(self.judge(made) - self.judge(real))),
            ("maker", self.maker, lambda: -ops.mean(self.judge(self.maker(noise, training=True)))),
        ):
            variables = part.trainable_variables
            logs[name], grads = dlnative.value_and_grad(loss, variables)()
            for variable, grad in zip(variables, grads, strict=True):
                variable.assign(variable - 0.1 * grad)
        return logs


def test_a_gan_makes_its_images_once():
    rng = np.random.default_rng(0)
    real, noise = (rng.standard_normal((16, n)).astype("float32") for n in (6, 4))
    weights, products = [], []
    for merges in (True, False):
        dlnative.utils.set_random_seed(0)
        model = Gan()
        model.compile()
        with plans(merges):
            for _ in range(4):
                model.train_on_batch(real, noise)
            rows = model.profile(real, noise, batch_size=16).rows
        products.append([row[1] for row in rows].count("dense"))
        weights.append(model.get_weights())
    assert products[1] - products[0] == 2
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
