"""Workspace is part of the memory plan: what instructions need in between lies in the arena."""

import subprocess
import sys

import numpy as np
import pytest

from dlnative import config
from dlnative.engines.native import NativeFunction
from dlnative.graph import Graph, apply
from dlnative.plan import gradients, make_plan
from dlnative.plan.memory import MemoryPlan
from dlnative.variables import Variable

pytestmark = pytest.mark.native


@pytest.fixture
def algorithm():
    yield config.set_conv_algorithm
    config.set_conv_algorithm("auto")


@pytest.fixture
def threads():
    before = config.num_threads()
    yield config.set_num_threads
    config.set_num_threads(before)


def convolutions(batch=8, size=12, channels=24, taps=3, strides=(1, 1)):
    """Two convolutions and their gradients: (graph, outputs, arrays)."""
    rng = np.random.default_rng(0)
    graph = Graph(training=True)
    x = graph.feed((batch, size, size, channels), "float32")
    kernels = [graph.feed((taps, taps, channels, channels), "float32") for _ in range(2)]
    y = x
    for kernel in kernels:
        y = apply("conv2d", y, kernel, strides=strides, padding="same")
        y = apply("max_pool2d", apply("tanh", y), pool_size=(2, 2))
    outputs = [y, *gradients(graph, apply("sum", y), [x, *kernels])]
    return graph, outputs, [rng.standard_normal(t.shape).astype("float32") / 9 for t in graph.feeds]


def collisions(plan: MemoryPlan):
    """Pairs of pieces that live at the same time in the same place."""
    pieces = plan.storages
    return [
        (a.name, b.name)
        for i, a in enumerate(pieces)
        for b in pieces[i + 1 :]
        if a.start <= b.end and b.start <= a.end
        if a.offset < b.offset + b.bytes and b.offset < a.offset + a.bytes
    ]


@pytest.mark.parametrize("name", ["direct", "winograd"])
@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
def test_workspace_lies_beside_what_lives(name, strides, algorithm):
    algorithm(name)
    graph, outputs, _ = convolutions(strides=strides)
    plan = make_plan(graph, outputs)
    rows = [row for row in plan.memory.rows() if row[0].endswith("(workspace)")]
    assert len(rows) >= 3
    for _, size, _, start, end in rows:
        assert size > 0 and start == end
    assert not collisions(plan.memory)
    function = NativeFunction(plan)
    assert function.program.arena_bytes == plan.bytes


def test_weights_that_are_kept_packed_take_no_workspace(algorithm):
    algorithm("direct")
    graph = Graph()
    x = graph.feed((4, 8, 8, 16), "float32")
    y = apply("conv2d", x, Variable(np.ones((3, 3, 16, 16), "float32"), dtype="float32"))
    assert not make_plan(graph, [y]).memory.workspaces


def test_one_plan_makes_many_programs(algorithm):
    """On arenas of their own, which hold other values meanwhile."""
    algorithm("winograd")
    graph, outputs, arrays = convolutions()
    plan = make_plan(graph, outputs)
    first, second = NativeFunction(plan), NativeFunction(plan)
    expected = first(*arrays)
    second(*(2 * array for array in arrays))
    for a, b, c in zip(expected, second(*arrays), first(*arrays), strict=True):
        assert np.array_equal(a, b) and np.array_equal(a, c)
        assert np.isfinite(a).all() and a.any()


@pytest.mark.parametrize("name", ["direct", "winograd"])
@pytest.mark.parametrize(("planned", "run"), [(1, 4), (4, 1), (2, 3)])
def test_other_threads_than_planned(name, planned, run, algorithm, threads):
    """A program runs with any number of threads, in the workspace that it has."""
    algorithm(name)
    graph, outputs, arrays = convolutions(batch=2)
    threads(planned)
    function = NativeFunction(make_plan(graph, outputs))
    expected = function(*arrays)
    threads(run)
    for a, b in zip(expected, function(*arrays), strict=True):
        assert np.array_equal(a, b)


def test_a_workspace_outside_of_the_arena_is_refused():
    core = pytest.importorskip("dlnative._core")
    program = core.Program(64, core.Arena())
    with pytest.raises(ValueError, match="outside the arena"):
        program.add("relu", [(0, "float32", (4,))], [(0, "float32", (4,))], {}, workspace=(32, 64))


def test_too_little_workspace_is_refused(algorithm):
    algorithm("direct")
    core = pytest.importorskip("dlnative._core")
    program = core.Program(1 << 16, core.Arena())
    x, kernel = (0, "float32", (1, 4, 4, 8)), (1024, "float32", (3, 3, 8, 8))
    y = (8192, "float32", (1, 2, 2, 8))
    with pytest.raises(RuntimeError, match="conv2d: the workspace is smaller"):
        program.add("conv2d", [x, kernel], [y], {}, workspace=(16384, 64))
    size = core.workspace_bytes("conv2d", [x, kernel], [y], {})
    assert size >= 9 * 8 * 8 * 4
    program.add("conv2d", [x, kernel], [y], {}, workspace=(16384, size))


MEASURED = """
import numpy as np, dlnative
from dlnative import config, layers
config.set_num_threads(1)
config.set_conv_algorithm("direct")

def resident():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096

def model(channels):
    net = dlnative.Sequential([
        dlnative.Input((8, 8, channels)),
        layers.Conv2D(channels, 3, padding="same", activation="relu"),
        layers.Conv2D(channels, 3, padding="same"),
        layers.GlobalAveragePooling2D(),
    ])
    net.compile(optimizer="sgd", loss="mse")
    return net

def train(net, channels):
    x = np.ones((32, 8, 8, channels), "float32")
    net.train_on_batch(x, np.zeros((32, channels), "float32"))

train(model(4), 4)
net = model(160)
x, y = np.ones((32, 8, 8, 160), "float32"), np.zeros((32, 160), "float32")
before = resident()
net.train_on_batch(x, y)
grown = resident() - before
plan = net.memory_plan(32)
workspace = sum(row[1] for row in plan.rows if "workspace" in row[0])
print(grown, plan.arena_bytes, plan.table_bytes, workspace)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_step_takes_the_memory_of_its_plan():
    """Partial sums of 7 MB are in the plan, so the process grows by no more than that says."""
    result = subprocess.run([sys.executable, "-c", MEASURED], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    grown, arena, tables, workspace = map(int, result.stdout.split())
    assert workspace > 7e6
    assert grown < arena + tables + 4e6
