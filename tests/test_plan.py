"""Differentiation, fusion, memory and both engines, on graphs built by hand and at random."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlnative import engines, ops, optimizers
from dlnative.engines.native import NativeFunction
from dlnative.graph import Graph, apply, table
from dlnative.plan import fuse, gradients, make_plan, plan_memory
from dlnative.plan.flatten import FlatTensor, place_variables
from dlnative.plan.schedule import Schedule, live_nodes
from dlnative.variables import Variable


def mlp_step(
    rng, dtype="float64", batch=8, units=(5, 7, 3), activation="tanh", optimizer="Adam", seed=0
):
    """One training step of an MLP; returns (graph, outputs, variables, gradients)."""
    rng = np.random.default_rng(seed)
    graph = Graph(training=True)
    h = graph.feed((batch, units[0]), dtype, "x")
    labels = graph.feed((batch,), "int32", "y")
    variables = []
    for i, n in enumerate(units[1:]):
        kernel = Variable(
            rng.standard_normal((h.shape[-1], n)) / 2,
            dtype=dtype,
            name=f"kernel{i}",
            path=f"{i}/kernel",
        )
        bias = Variable(rng.standard_normal(n) / 2, dtype=dtype, name=f"bias{i}", path=f"{i}/bias")
        variables += [kernel, bias]
        graph.scope = f"dense{i}"
        h = apply("dense", h, kernel, bias)
        if i < len(units) - 2:
            h = apply(activation, h)
    graph.scope = None
    losses = apply("sparse_softmax_cross_entropy", h, labels)
    total = apply("weighted_sum", losses, scale=1.0 / batch)
    leaves = [graph.variable(v) for v in variables]
    grads = gradients(graph, total, leaves)
    update = optimizers.get({"class_name": optimizer, "config": {"learning_rate": 0.1}})
    update.build(variables)
    update.apply_nodes(graph, variables, grads)
    graph.commit()
    return graph, [total], variables, grads


def batch_of(rng, rows=8, features=5, classes=3):
    return rng.standard_normal((rows, features)), rng.integers(0, classes, rows)


def names(schedule):
    return [n.op.name for n in schedule.nodes]


def test_fusion_of_a_step(rng):
    graph, outputs, _, _ = mlp_step(rng)
    place_variables(graph)
    schedule = fuse(graph, outputs)
    assert names(schedule) == [
        "dense",
        "dense",
        "sparse_softmax_cross_entropy_with_gradient",
        "dense_backward_kernel",
        "dense_backward_input",
        "dense_backward_kernel",
        "adam",
        "add",  # the count of updates
    ]
    assert schedule.nodes[0].attributes["activation"] == "tanh"
    assert schedule.nodes[4].attributes["activation"] == "tanh"
    assert len(schedule.nodes[3].outputs) == 2


def test_the_input_gradient_of_the_first_layer_is_not_computed(rng):
    graph, outputs, _, _ = mlp_step(rng, units=(5, 7, 6, 3))
    assert sum(n.op.name == "dense_backward_input" for n in live_nodes(graph.nodes, outputs)) == 2


@pytest.mark.parametrize(
    "activation", ["tanh", "relu", "gelu", "silu", "softplus", "elu", "hard_sigmoid"]
)
@pytest.mark.parametrize("optimizer", ["Adam", "SGD", "RMSprop"])
def test_engines_agree_step_by_step(rng, activation, optimizer):
    x, y = rng.standard_normal((64, 5)), rng.integers(0, 3, 64)
    order = rng.permutation(64)
    runs = {}
    for name in ("native", "numpy"):
        graph, outputs, variables, _ = mlp_step(rng, activation=activation, optimizer=optimizer)
        function = engines.build(graph, outputs, engine=name)
        losses = []
        for s in range(8):
            losses.append(function(x[order[8 * s : 8 * s + 8]], y[order[8 * s : 8 * s + 8]])[0])
        assert function.run([x, y], order, 0, 8) == 8
        runs[name] = losses, [v.numpy() for v in variables]
    assert np.allclose(runs["native"][0], runs["numpy"][0], rtol=1e-12, atol=1e-12)
    for a, b in zip(runs["native"][1], runs["numpy"][1]):
        assert np.allclose(a, b, rtol=1e-10, atol=1e-12)


def test_many_steps_in_one_call_are_the_same_steps(rng):
    x, y = rng.standard_normal((64, 5)), rng.integers(0, 3, 64)
    results = []
    for calls in (1, 4, 16):
        graph, outputs, variables, _ = mlp_step(rng, dtype="float32")
        function = engines.build(graph, outputs, engine="native")
        order = np.arange(64)[::-1].copy()
        for c in range(calls):
            assert (
                function.run([x, y], np.concatenate([order, order]), c * 128 // calls, 16 // calls)
                == 16 // calls
            )
        results.append(b"".join(v.numpy().tobytes() for v in variables))
    assert len(set(results)) == 1


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "int8",
        "uint8",
        "int16",
        "uint16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        "float32",
        "float64",
    ],
)
def test_feeds_take_any_dtype_and_strides(rng, dtype):
    graph = Graph()
    x = graph.feed((3, 4, 2), "float32")
    function = engines.build(graph, [apply("rescale", x, scale=2.0)], engine="native")
    data = (rng.random((10, 4, 2)) * 2).astype(dtype)
    for view in (
        data,
        data[::-1],
        np.asfortranarray(data),
        np.repeat(data, 2, axis=2)[:, :, ::2],
        data.transpose(0, 1, 2),
    ):
        out = np.empty((3, 4, 2), "float32")
        indices = np.array([7, 0, 3])
        function.run([view], indices, 0, 1, out=[out])
        assert (out == 2 * view[indices].astype("float32")).all()


def test_rows_that_do_not_exist_are_refused(rng):
    graph = Graph()
    function = engines.build(graph, [apply("relu", graph.feed((3, 2), "float32"))], engine="native")
    data = np.zeros((5, 2))
    for indices, first, steps, message in [
        (None, 0, 2, "too few rows"),
        (None, 3, 1, "too few rows"),
        (np.array([0, 1, 5]), 0, 1, "out of range"),
        (np.array([0, -1, 2]), 0, 1, "out of range"),
        (np.array([0]), 0, 1, "too few indices"),
        (None, -1, 1, "expected first >= 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            function.run([data], indices, first, steps)
    with pytest.raises(ValueError, match="shape of a row"):
        function.run([np.zeros((5, 3))], None, 0, 1)
    with pytest.raises(TypeError, match="numeric"):
        function.run([np.zeros((5, 2), "complex64")], None, 0, 1)


def overlaps(plan):
    """Pairs of storages that live at the same time in the same place."""
    s = plan.storages
    return [
        (a.name, b.name)
        for i, a in enumerate(s)
        for b in s[i + 1 :]
        if a.start <= b.end
        and b.start <= a.end
        and a.offset < b.offset + b.bytes
        and b.offset < a.offset + a.bytes
    ]


def test_memory_plan(rng):
    graph, outputs, _, _ = mlp_step(rng, batch=64, units=(50, 40, 30, 10))
    function = engines.build(graph, outputs, engine="native")
    plan = function.plan.memory
    assert not overlaps(plan)
    assert plan.bytes == function.program.arena_bytes
    assert plan.bytes == max(s.offset + s.bytes for s in plan.storages)
    assert plan.bytes < sum(s.bytes for s in plan.storages)
    flat = [t for n in function.plan.schedule.nodes for t in n.inputs if isinstance(t, FlatTensor)]
    assert len(flat) == 1 and len(flat[0].parts) == 6


def test_gradients_of_early_layers_take_no_memory_yet(rng):
    """A part of the flat gradients lives from its own first node; others use its place before."""
    graph, outputs, _, _ = mlp_step(rng, batch=64, units=(300, 300, 300, 10))
    function = engines.build(graph, outputs, engine="native")
    plan = function.plan.memory
    assert not overlaps(plan)
    (flat,) = (
        t for n in function.plan.schedule.nodes for t in n.inputs if isinstance(t, FlatTensor)
    )
    parts = [plan.places[id(part)][0] for part, _ in flat.parts]
    starts = [plan.offset(part) - plan.offset(flat) for part, _ in flat.parts]
    assert starts == [8 * offset for _, offset in flat.parts]  # float64
    assert len({part.start for part in parts}) > 2 and len({part.end for part in parts}) == 1
    first = min(parts, key=lambda part: part.offset)  # of the first layer: written last
    assert any(
        s.end < first.start and s.offset < first.offset + first.bytes and s not in parts
        for s in plan.storages
    )


def test_shared_gradient_paths_add_up():
    """The sum over all paths: d (x*x + 3 x) / dx = 2 x + 3."""
    graph = Graph()
    x = graph.feed((3,), "float64")
    y = apply("sum", x * x + 3.0 * x)
    (dx,) = gradients(graph, y, [x])
    function = engines.build(graph, [dx], engine="native")
    assert np.allclose(function(np.array([1.0, 2, 3]))[0], [5, 7, 9])


def test_ops_without_gradient_are_named():
    graph = Graph()
    graph.scope = "top"
    x = graph.feed((3,), "float64")
    y = apply("sum", apply("i0", x))
    with pytest.raises(ValueError, match="'i0' of layer 'top' has no gradient"):
        gradients(graph, y, [x])


def random_graph(draw, graph, x, w):
    """A DAG of 2 to 12 nodes over tensors of one shape."""
    tensors = [x, apply("dense", x, w)]
    for _ in range(draw(st.integers(1, 10))):
        kind = draw(
            st.sampled_from(
                [
                    "tanh",
                    "sigmoid",
                    "gelu",
                    "softplus",
                    "add",
                    "multiply",
                    "subtract",
                    "dense",
                    "concat",
                    "softmax",
                ]
            )
        )
        a = draw(st.sampled_from(tensors))
        b = draw(st.sampled_from(tensors))
        if kind in ("add", "multiply", "subtract"):
            t = apply(kind, a, b)
        elif kind == "dense":
            t = apply("dense", a, w)
        elif kind == "concat":
            both = apply("concatenate", a, b, axis=1)
            t = apply("slice", both, axis=1, start=1, stop=1 + a.shape[1])
        else:
            t = apply(kind, a)
        tensors.append(t)
    return apply("mean", apply("tanh", tensors[-1]))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_graphs(data):
    """Native equals the oracle, fused or not, and the gradient equals finite differences."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    values = rng.standard_normal((2, 3)) / 2
    w = rng.standard_normal((3, 3)) / 2
    graph = Graph()
    x, kernel = graph.feed((2, 3), "float64"), graph.feed((3, 3), "float64")
    y = random_graph(data.draw, graph, x, kernel)
    dx, dw = (
        g if g is not None else t * 0.0
        for g, t in zip(gradients(graph, y, [x, kernel]), [x, kernel])
    )
    outputs = [y, dx, dw]
    native = engines.build(graph, outputs, engine="native")
    assert not overlaps(native.plan.memory)
    results = native(values, w)
    for a, b in zip(results, engines.build(graph, outputs, engine="numpy")(values, w)):
        assert np.allclose(a, b, rtol=1e-11, atol=1e-13)
    h = 1e-6
    for array, grad in ((values, results[1]), (w, results[2])):
        for i in np.ndindex(array.shape):
            before = array[i]
            array[i] = before + h
            up = native(values, w)[0]
            array[i] = before - h
            down = native(values, w)[0]
            array[i] = before
            assert abs((up - down) / (2 * h) - grad[i]) < 1e-7


def test_unfused_and_fused_have_the_same_bits(rng):
    graph, outputs, variables, _ = mlp_step(rng, dtype="float32", batch=33, units=(20, 30, 4))
    before = [v.numpy() for v in variables]
    x, y = rng.standard_normal((33, 20)).astype("float32"), rng.integers(0, 4, 33)
    fused = engines.build(graph, outputs, engine="native")(x, y)[0]
    after = [v.numpy() for v in variables]
    graph, outputs, variables, _ = mlp_step(rng, dtype="float32", batch=33, units=(20, 30, 4))
    assert all((a == v.numpy()).all() for a, v in zip(before, variables))
    # As graph outputs, the intermediates cannot be merged away.
    inner = [t for n in graph.nodes for t in n.outputs if t.dtype == "float32" and not n.op.view]
    plain = engines.build(graph, outputs + inner, engine="native")
    assert len(plain.plan.schedule.nodes) > 12
    assert plain(x, y)[0] == fused
    assert all((a == v.numpy()).all() for a, v in zip(after, variables))


def test_plan_of_nothing():
    schedule = Schedule([], [])
    assert plan_memory(schedule, []).bytes == 0


LINES = [name for name, op in table.items() if op.fusion == "activation" and op.map]


@pytest.mark.native
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LINES)
def test_activations_are_lines_of_loops(name, dtype, rng):
    """A formula around an activation and its gradient: one loop, with the bits of seven nodes."""
    graph = Graph()
    x, dy = graph.feed((70, 130), dtype), graph.feed((70, 130), dtype)
    y = x * apply(name, x * 1.5)
    (dx,) = gradients(graph, y, [x], dy)
    arrays = [rng.standard_normal((70, 130)).astype(dtype) for _ in range(2)]
    arrays[0].flat[:5] = np.nan, np.inf, -np.inf, 0.0, -0.0
    fused = make_plan(graph, [y, dx])
    assert [node.op.name for node in fused.instructions] == ["loop"]
    plain = make_plan(graph, [y, dx], loops=False)
    assert len(plain.instructions) > 4
    for a, b in zip(NativeFunction(fused)(*arrays), NativeFunction(plain)(*arrays), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.native
def test_updates_that_read_the_same_arrays_are_one_loop():
    """Lion's momentum and parameter need nothing of each other but the gradient."""
    graph = Graph(training=True)
    variables = [Variable(np.ones(shape), name="w") for shape in ((4, 3), (3,))]
    optimizer = optimizers.Lion(0.1)
    optimizer.build(variables)
    x = graph.feed((5, 4), "float64")
    y = apply("dense", x, *variables)
    leaves = [graph.variable(v) for v in variables]
    optimizer.apply_nodes(graph, variables, gradients(graph, apply("sum", y), leaves))
    graph.commit()
    plan = make_plan(graph, [])
    loops = [n for n in plan.instructions if n.op.name == "loop" and n.outputs[0].shape]
    assert len(loops) == 1 and len(loops[0].outputs) == 2


def test_equal_scalars_are_computed_once():
    graph = Graph()
    x = graph.feed((), "float32", "x")
    assert apply("exp", x * 2.0) is apply("exp", x * 2.0)
    assert apply("exp", x * 2.0) is not apply("exp", x * -2.0)
    assert graph.constant(0.0) is not graph.constant(-0.0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [3, 10, 16, 50])
def test_sums_that_lie_side_by_side_are_of_any_dtype_and_size(rng, count, dtype):
    """float64 totals of float32 values: these begin elsewhere in the arena than the totals do."""
    graph = Graph(training=True)
    x = graph.feed((count, 4), dtype, "x")
    totals = [Variable(np.zeros(count), name=name) for name in ("a", "b", "c")]
    for i, total in enumerate(totals):
        values = ops.sum(x * float(i + 1), axis=1)
        graph.assign(
            total, apply("add", graph.variable(total), apply("cast", values, dtype="float64"))
        )
    graph.commit()
    function = engines.build(graph, [], engine="native")
    values = rng.integers(-9, 9, (count, 4)).astype(dtype)
    for _ in range(2):
        function(values)
    for i, total in enumerate(totals):
        np.testing.assert_array_equal(total.numpy(), 2 * (i + 1) * values.sum(axis=1))


@pytest.mark.native
@pytest.mark.parametrize("rows", [(3, 700), (40, 9)])
def test_gradients_of_activations_take_a_cotangent_per_row(rows, rng):
    """A column beside whole arrays: long rows see it as a scalar, short ones spread."""
    graph = Graph()
    x, dy = graph.feed(rows, "float32"), graph.feed((rows[0], 1), "float32")
    spread = apply("broadcast_to", dy, shape=rows)
    (dx,) = gradients(graph, apply("softplus", x) * 2.0, [x], spread)
    arrays = [rng.standard_normal(t.shape).astype("float32") for t in (x, dy)]
    (fused,) = NativeFunction(make_plan(graph, [dx]))(*arrays)
    (plain,) = NativeFunction(make_plan(graph, [dx], loops=False))(*arrays)
    np.testing.assert_array_equal(fused, plain)
