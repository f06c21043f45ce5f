"""The memory plan is exact: what a program allocates is its arena, its tables and packed weights.

C++ counts what the core allocates (`_core.memory_count`); once a program is built, running it
allocates nothing.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from op_cases import CASES, Draw

import dlnative
from dlnative import applications, layers, losses
from dlnative.graph import Spec, Tensor, table
from dlnative.models.inspection import _planned_step

pytestmark = pytest.mark.native
_core = pytest.importorskip("dlnative._core")

Net = Callable[[], dlnative.Model]
SOURCES = Path(__file__).parents[1] / "csrc"


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """What earlier tests leave behind is not given back while bytes are counted."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def compiled(net: dlnative.Model, loss: str = "mse", **options: object) -> dlnative.Model:
    net.compile(loss=loss, **{"optimizer": "adam", **options})
    return net


def image_net(*inner: layers.Layer, size: int = 12, channels: int = 8) -> dlnative.Model:
    image = dlnative.Input((size, size, channels))
    return compiled(dlnative.Sequential([image, *inner, layers.Flatten(), layers.Dense(3)]))


def mlp() -> dlnative.Model:
    hidden = (layers.Dense(300, activation="relu") for _ in range(2))
    net = dlnative.Sequential([dlnative.Input((200,)), *hidden, layers.Dense(10)])
    return compiled(net, optimizer=dlnative.optimizers.SGD(global_clipnorm=1.0))


def attention() -> dlnative.Model:
    x = dlnative.Input((40, 32))
    a, b = layers.Dense(32)(x), layers.Dense(32)(x)
    scores = dlnative.ops.matmul(a, layers.Permute((2, 1))(b))
    y = dlnative.ops.matmul(dlnative.ops.softmax(scores), x)
    return compiled(dlnative.Model(x, layers.LayerNormalization()(y)))


NETWORKS: dict[str, Net] = {
    "mlp": mlp,
    "lenet5": lambda: compiled(applications.lenet5(), "sparse_categorical_crossentropy"),
    "vgg6": lambda: compiled(applications.vgg6(), "sparse_categorical_crossentropy"),
    "resnet20": lambda: compiled(applications.resnet20(), "sparse_categorical_crossentropy"),
    "depthwise": lambda: image_net(
        layers.DepthwiseConv2D(3, padding="same", activation="tanh"),
        layers.DepthwiseConv2D(3, depth_multiplier=3),
        layers.SeparableConv2D(16, 3),
    ),
    "normalization": lambda: image_net(
        layers.BatchNormalization(),
        layers.GroupNormalization(2),
        layers.Conv2D(8, 3),
        layers.LayerNormalization(),
        layers.BatchNormalization(),
    ),
    "images": lambda: image_net(
        layers.RandomContrast(0.5),
        layers.RandomFlip(),
        layers.MaxPooling2D(3, 2),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.Conv2D(4, 5, strides=2),
        layers.AveragePooling2D(2),
        channels=3,
    ),
    "attention": attention,
    "transposed": lambda: image_net(layers.Conv2DTranspose(6, 3, strides=2)),
    **{f"{n} channels": lambda n=n: image_net(layers.Conv2D(n, 3), channels=n) for n in (3, 64)},
}


def check_step(net: dlnative.Model, batch: int) -> None:
    """Builds the step of a model, compares what was allocated with its plan, and runs it."""
    before, _ = _core.memory_count()
    step = _planned_step(net, batch)
    function = step.function
    held, allocations = _core.memory_count()
    plan = net.memory_plan(batch)
    assert plan.arena_bytes == function.plan.bytes and plan.table_bytes == function.table_bytes
    assert held - before == plan.arena_bytes + plan.table_bytes + plan.packed_bytes
    feeds = [np.zeros(feed.shape, feed.dtype) for feed in function.plan.feeds]
    _, allocations = _core.memory_count()
    function(*feeds)
    function.run(feeds, None, 0, 1)
    spread = [np.zeros((*feed.shape, 2), "float64")[..., 0] for feed in function.plan.feeds]
    function.run(spread, np.arange(batch)[::-1].copy(), 0, 1)
    assert _core.memory_count() == (held, allocations)


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_step_allocates_what_its_plan_says(
    name: str, count: int, threads: Callable[[int], None]
) -> None:
    threads(count)
    check_step(NETWORKS[name](), 16)


@pytest.mark.parametrize("name", ["mlp", "lenet5", "vgg6", "resnet20", "depthwise"])
def test_a_prediction_step_allocates_what_its_plan_says(
    name: str, threads: Callable[[int], None]
) -> None:
    """With weights that are kept packed."""
    threads(3)
    net = NETWORKS[name]()
    net.compile()
    check_step(net, 16)


LOSSES = sorted(
    name
    for name, value in vars(losses).items()
    if isinstance(value, type) and issubclass(value, losses.Loss)
    if value not in (losses.Loss, losses.LossFunctionWrapper)
)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_allocates_what_its_plan_says(name: str) -> None:
    net = dlnative.Sequential([dlnative.Input((7,)), layers.Dense(5, activation="sigmoid")])
    net.compile("sgd", getattr(losses, name)())
    check_step(net, 40_000)


def test_tables_are_in_the_plan() -> None:
    net = NETWORKS["resnet20"]()
    plan = net.memory_plan(8)
    parts = plan.arena_bytes, plan.packed_bytes, plan.variable_bytes, plan.optimizer_bytes
    assert plan.table_bytes > 100_000
    assert plan.total_bytes == sum(parts) + plan.table_bytes
    assert f"tables     {plan.table_bytes:>14,} bytes" in str(plan)


def test_another_number_of_threads_makes_another_plan(threads: Callable[[int], None]) -> None:
    threads(1)
    net, x = mlp(), np.ones((64, 200), "float32")
    expected = net.predict(x, verbose=0)
    one = net.memory_plan(64).arena_bytes
    threads(4)
    assert net.memory_plan(64).arena_bytes > one
    np.testing.assert_array_equal(net.predict(x, verbose=0), expected)


def test_a_program_uses_the_threads_that_it_has_workspace_for(
    threads: Callable[[int], None],
) -> None:
    """Whatever is set when it is built or run."""
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(s).astype("float32") for s in ((300, 200), (200, 400)))
    expected = x @ kernel
    for planned, built, run in ((1, 4, 4), (4, 1, 4), (4, 4, 1)):
        threads(planned)
        y = np.empty((300, 400), "float32")
        size = _core.workspace_bytes("dense", [x, kernel], [y], {})
        threads(built)
        program = _core.Program(size, _core.Arena(), threads=planned)
        program.add("dense", [x, kernel], [y], {}, workspace=(0, size))
        threads(run)
        program.call([])
        np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    threads(4)
    program = _core.Program(size, _core.Arena(), threads=4)
    with pytest.raises(RuntimeError, match="dense: the workspace is smaller"):
        program.add("dense", [x, kernel], [y], {}, workspace=(0, size // 64 // 2 * 64))


class Large(Draw):
    """Sizes that make several parts and tasks of what one pass over a few values is otherwise."""

    def size(self, name: str, default: int, most: int = 33) -> int:
        return self.sizes.setdefault(name, most)


MARGIN = 4096


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("name", _core.op_names_with_workspace())
def test_an_instruction_leaves_alone_what_lies_beside_its_workspace(
    name: str, count: int, threads: Callable[[int], None]
) -> None:
    if name not in CASES:  # the loops have a test of their own, fused losses are in networks
        pytest.skip("an op of the planner")
    threads(count)
    op, tried = table[name], 0
    for dtype in ("float32", "float64"):
        for draw in (Draw, Large):
            for variant in range(4):
                inputs, attributes = CASES[name](
                    draw(np.random.default_rng(variant), dtype, variant), name
                )
                given = [None if a is None else Tensor(a.shape, a.dtype.name) for a in inputs]
                try:
                    specs, checked = op.check_call(given, attributes)
                except ValueError:
                    continue
                specs = (specs,) if isinstance(specs, Spec) else specs
                run_between_margins(op, inputs, specs, checked)
                tried += 1
    assert tried >= 8


def run_between_margins(op: object, inputs: list, specs: tuple, attributes: dict) -> None:
    """Twice, with other values in the workspace: the results are the same, the margins as well."""
    results = []
    native = op.native_attributes(inputs, attributes)
    for fill in (0, 255):
        outputs = [np.full(s.shape, 1, s.dtype) for s in specs]
        size = _core.workspace_bytes(op.name, inputs, outputs, native)
        program = _core.Program(size + 2 * MARGIN, _core.Arena())
        for at, length in ((0, MARGIN), (MARGIN, size), (MARGIN + size, MARGIN)):
            program.add_feed((at, "uint8", (length,)))
        for at in (0, MARGIN + size):
            program.add_output((at, "uint8", (MARGIN,)))
        program.add(op.name, inputs, outputs, native, workspace=(MARGIN, size))
        margin = np.full(MARGIN, 171, "uint8")
        after = program.call([margin, np.full(size, fill, "uint8"), margin])
        assert all((kept == margin).all() for kept in after), (op.name, attributes)
        results.append([y.tobytes() for y in outputs])
    assert results[0] == results[1], (op.name, attributes)


def test_ops_keep_their_arrays_in_tables() -> None:
    """A vector or buffer of their own would be in no plan."""
    kinds = r"(std::vector<|std::string|AlignedBuffer )"
    own = re.compile(rf"^ +(mutable )?{kinds}.*\w_(\[.*\])?( = .*)?;")
    found = [
        f"{path.name}: {line.strip()}"
        for path in sorted([*SOURCES.glob("ops/*.h"), *SOURCES.glob("program/make_*.cpp")])
        for line in path.read_text().splitlines()
        if own.match(line) and path.name != "packed_weights.h"
    ]
    # The compiler of loops and the reader of their attributes are gone when the program is built.
    assert found == ["make_loop.cpp: std::vector<std::int64_t> all_;"]
