"""What one loop would write only for others is computed again: equal bits, fewer arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dlnative import config, engines, ops
from dlnative.engines.native import NativeFunction
from dlnative.graph import Graph, Tensor, apply
from dlnative.plan import gradients, loops, make_plan
from dlnative.plan.plan import Plan
from dlnative.variables import Variable

pytestmark = pytest.mark.native


def hard_swish(x: Tensor) -> Tensor:
    return x * ops.minimum(ops.maximum(x + 3.0, 0.0), 6.0) / 6.0


def deep_step(activation: Any, units: int = 64, batch: int = 256, layers: int = 6) -> Plan:
    """The plan of the gradients of a chain of dense layers."""
    graph = Graph(training=True)
    h = graph.feed((batch, units), "float32")
    kernels = [Variable(np.zeros((units, units), "float32")) for _ in range(layers)]
    for kernel in kernels:
        h = activation(apply("dense", h, kernel, None))
    leaves = [graph.variable(kernel) for kernel in kernels]
    return make_plan(graph, gradients(graph, ops.sum(h), leaves))


def loops_of(plan: Plan) -> list[Any]:
    return [node for node in plan.instructions if node.op.name == "loop" and node.outputs[0].shape]


def test_an_activation_keeps_its_input_and_its_output(monkeypatch):
    """Each forward loop writes y alone; each backward loop reads dy and x, and writes dx."""
    plan = deep_step(hard_swish)
    found = [
        (sum(t.shape == (256, 64) for t in node.inputs), len(node.outputs))
        for node in loops_of(plan)
    ]
    assert found[:5] == [(1, 1)] * 5 and found[-5:] == [(2, 1)] * 5
    monkeypatch.setattr(loops, "recompute", lambda groups: None)
    assert plan.bytes < 0.75 * deep_step(hard_swish).bytes


def test_what_costs_more_than_memory_is_kept():
    def written_tanh(x: Tensor) -> Tensor:
        return (ops.exp(x + x) - 1.0) / (ops.exp(x + x) + 1.0)

    plan = deep_step(written_tanh)
    names = [name for node in loops_of(plan)[6:] for name in node.attributes["maps"].split()]
    assert "divide" in names and "exp" not in names


def test_no_large_array_is_kept_in_the_place_of_a_small_one():
    """The gradient needs where x was positive, a byte per element; x has four."""
    plan = deep_step(lambda x: ops.where(x > 0.0, x, 0.0) + 1.0)
    backward = [node for node in plan.instructions if node.op.name == "where"]
    assert [node.inputs[0].dtype for node in backward] == ["bool"] * 5


def test_random_numbers_are_kept():
    graph = Graph(training=True)
    x, dy = graph.feed((64, 48), "float32"), graph.feed((64, 48), "float32")
    noisy = apply("dropout", x, graph.constant(np.float64(0.5)), seed=3)
    y = hard_swish(noisy)
    (dx,) = gradients(graph, ops.cumsum(y, 0), [x], dy)
    plan = make_plan(graph, [ops.cumsum(y, 0), dx])
    assert [node.op.name for node in plan.instructions].count("dropout") == 2  # and its gradient


def test_what_is_read_again_is_read_before_it_is_written(rng):
    """A variable is read by the loop that computes a value again; both are written by the step."""
    graph = Graph(training=True)
    start, factor = rng.standard_normal((2, 30, 30)).astype("float32")
    v, w = Variable(start.copy(), name="v"), Variable(np.zeros((30, 30), "float32"), name="w")
    old = graph.variable(v)
    graph.assign(v, old + 1.0)  # the first to write, if nothing is known of who reads v
    y = old * 2.0 + 1.0
    product = apply("matmul", ops.tanh(y), graph.constant(factor))
    graph.variable(w)
    graph.assign(w, product * y)
    graph.commit()
    plan = make_plan(graph, [])
    (writer,) = [node for node in loops_of(plan) if "multiply" in node.attributes["maps"]]
    assert "fma" in writer.attributes["maps"] and any(t.source is v for t in writer.inputs)
    plan.schedule.check_state()
    function = NativeFunction(plan)
    for _ in range(3):
        given = v.numpy() * np.float32(2) + np.float32(1)
        function()
        np.testing.assert_allclose(w.numpy(), np.tanh(given) @ factor * given, 1e-4, 1e-3)
    one = np.float32(1)
    np.testing.assert_array_equal(v.numpy(), start + one + one + one)


class Drawn:
    """A graph of stages of random lines; each stage waits for a product of the one before it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.graph = Graph(training=True)
        self.size = int(rng.integers(3, 40))
        shapes = [(self.size, self.size)] * 2 + [(self.size, 1), (self.size,), ()]
        self.feeds = [self.graph.feed(shape, "float32") for shape in shapes]
        self.arrays = [rng.standard_normal(shape).astype("float32") for shape in shapes]
        self.tensors = [self.feeds[0] * 1.5, self.feeds[1] + 0.25]
        for _ in range(int(rng.integers(2, 4))):
            product = apply("matmul", self.tensors[-1], self.tensors[0])
            self.tensors.append(ops.tanh(product * 0.1))
            for _ in range(int(rng.integers(2, 9))):
                self.tensors.append(self.line())

    def operand(self) -> Tensor:
        return self.tensors[self.rng.integers(len(self.tensors))]

    def line(self) -> Tensor:
        a, b = self.operand(), self.operand()
        small = self.feeds[self.rng.integers(2, 5)]
        return [
            lambda: a + small,
            lambda: a * b,
            lambda: ops.maximum(a, small),
            lambda: ops.where(a > b, a, small),
            lambda: ops.cast(ops.cast(a * 8.0, "int32"), "float32") + b,
            lambda: ops.cast(a <= small, "float32") - b,
            lambda: ops.cast(ops.cast(a, "float64") * 0.3, "float32"),
            lambda: ops.abs(a) - ops.sum(b, -1, keepdims=True),
            lambda: ops.minimum(a, b) * ops.broadcast_to(small, a.shape),
            lambda: ops.exp(ops.minimum(a, 1.0)),
        ][self.rng.integers(10)]()

    def outputs(self) -> list[Tensor]:
        total = ops.sum(self.tensors[-1])
        return [total, self.operand(), *gradients(self.graph, total, self.feeds[:2])]


def test_random_graphs_have_the_same_bits(monkeypatch):
    """With recomputation, without it, and without loops, on one thread and on three."""
    before, again = config.num_threads(), 0
    for seed in range(60):
        drawn = Drawn(np.random.default_rng((7, seed)))
        outputs = [t for t in drawn.outputs() if t is not None]
        graph = drawn.graph
        plain = NativeFunction(make_plan(graph, outputs, loops=False))(*drawn.arrays)
        fused = make_plan(graph, outputs)
        with monkeypatch.context() as patch:
            patch.setattr(loops, "recompute", lambda groups: None)
            kept = make_plan(graph, outputs)
        again += stored(fused) < stored(kept)
        for plan in (fused, kept):
            for threads in (1, 3):
                config.set_num_threads(threads)
                try:
                    got = NativeFunction(plan)(*drawn.arrays)
                finally:
                    config.set_num_threads(before)
                for a, b in zip(got, plain, strict=True):
                    np.testing.assert_array_equal(a, b, err_msg=f"seed {seed}")
    assert again > 30


def stored(plan: Plan) -> int:
    return sum(t.size for node in loops_of(plan) for t in node.outputs)


def test_a_loop_that_is_computed_again_everywhere_is_gone(rng):
    """Two products wait between the loops that use the value, and neither takes it in."""
    graph = Graph()
    x = graph.feed((20, 20), "float32")
    shifted = x + 1.0
    first = apply("matmul", x, x) * shifted
    second = apply("matmul", first, x) * shifted
    plan = make_plan(graph, [second])
    assert [node.op.name for node in plan.instructions] == ["matmul", "loop", "matmul", "loop"]
    a = rng.standard_normal((20, 20)).astype("float32")
    (got,) = NativeFunction(plan)(a)
    (expected,) = engines.build(graph, [second], "numpy")(a)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_a_line_that_reads_a_sum_is_not_put_into_its_loop():
    """Two groups are not joined by a line that reads what one of them ends in."""
    graph = Graph(training=False)
    x, y = (graph.feed((1, 1), "float64") for _ in range(2))
    a, b = apply("exp", x), apply("tanh", y)
    total = apply("sum", a, axis=(0, 1), keepdims=True)
    out = apply("fma", b, a, total)
    (value,) = engines.build(graph, [out], "native")(np.array([[0.5]]), np.array([[0.2]]))
    np.testing.assert_allclose(value, np.tanh(0.2) * np.exp(0.5) + np.exp(0.5), rtol=1e-15)
