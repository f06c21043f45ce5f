"""The benchmarks' case lists build, and describe the models and operations that dlnative runs."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dlnative import applications

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
SCRIPTS = sorted(path.stem for path in BENCHMARKS.glob("bench_*.py"))

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="the benchmarks are not here")


@pytest.fixture(autouse=True)
def benchmarks_importable(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_imports(script):
    assert callable(importlib.import_module(script).main)


def test_names_of_training_runs_are_unique_and_steps_whole():
    runs = importlib.import_module("bench_train_step").RUNS
    models = importlib.import_module("common.models")
    names = [run.name(2) for run in runs]
    assert len(set(names)) == len(names)
    for run in runs:
        assert models.training_steps(run.spec) >= 2
        assert models.step_flops(run.spec["model"], run.spec["batch"]) > 0


@pytest.mark.parametrize("name", ["lenet", "lenet5", "vgg6", "resnet20", "resnet18"])
def test_networks_are_those_of_applications(name):
    networks = importlib.import_module("common.networks")
    shapes = importlib.import_module("common.shapes")
    keras_networks = importlib.import_module("workers.keras_networks")
    description = networks.networks()[name]
    expected = shapes.parameters(description)
    shape = tuple(description["input"])
    model = getattr(applications, name)(input_shape=shape, classes=10)
    assert model.count_params() == sum(math.prod(p.shape) for p in expected)
    variables = keras_networks.order_variables(description, model.weights)
    assert [tuple(v.shape) for v in variables] == [p.shape for p in expected]
    assert [v.trainable for v in variables] == [p.trainable for p in expected]


def test_variables_of_another_network_are_an_error():
    networks = importlib.import_module("common.networks")
    keras_networks = importlib.import_module("workers.keras_networks")
    with pytest.raises(ValueError, match="lenet5"):
        keras_networks.order_variables(networks.lenet5(), applications.lenet().weights)


def test_flops_of_convolutions():
    operations = importlib.import_module("common.operations")
    options = {"batch": 2, "size": 8, "channels": 4, "filters": 6}
    plain = operations.convolution("forward", **options)
    assert plain["y"] == [2, 8, 8, 6]
    assert operations.convolution_flops(plain) == 2 * 2 * 8 * 8 * 6 * 9 * 4
    strided = operations.convolution("backward_kernel", **options, strides=2)
    assert strided["y"] == [2, 4, 4, 6]


def small_operations():
    """Every operation of bench_conv, bench_pool and bench_norm on small images."""
    for which in ("forward", "backward_input", "backward_kernel"):
        options = {"batch": 2, "size": 6, "channels": 8, "filters": 8}
        for more in ({}, {"strides": 2}, {"kernel": 5}, {"kernel": 1}, {"groups": 8}):
            yield "convolution", (which,), {**options, **more}
    for which in ("forward", "backward"):
        for kind in ("max", "max with positions", "average"):
            yield "pooling", (kind, which, [2, 6, 6, 8]), {}
        for op, relu, residual in (
            ("relu", False, False),
            ("batch_norm_training", False, False),
            ("batch_norm_training", True, False),
            ("batch_norm_training", True, True),
            ("layer_norm", False, False),
            ("group_norm", False, False),
        ):
            options = {"relu": relu, "residual": residual}
            yield "elementwise", (op, which, [2, 6, 6, 8]), options
    yield "elementwise", ("batch_norm", "forward", [2, 6, 6, 8]), {"relu": True}


@pytest.mark.native
@pytest.mark.parametrize(("make", "arguments", "options"), list(small_operations()))
def test_operations_run_as_programs(make, arguments, options):
    operations = importlib.import_module("common.operations")
    ours = importlib.import_module("workers.dlnative_operations")
    task = ours.operation(getattr(operations, make)(*arguments, **options))
    task.run()
    assert np.isfinite(task.check) and task.check > 0


def numpy_operations():
    """What the formulas of the benchmarks use, in NumPy's terms."""
    names = "abs add broadcast_to clip concatenate exp greater log max maximum mean minimum"
    names += " multiply power sign sin sqrt sum take tanh transpose where log2 log1p cos tan"
    names += " arctan sinh arcsinh cumsum"
    return SimpleNamespace(
        **{name: getattr(np, name) for name in names.split()},
        cast=lambda x, dtype: x.astype(dtype),
        erf=np.vectorize(math.erf),
        rsqrt=lambda x: 1.0 / np.sqrt(x),
        sigmoid=lambda x: 1.0 / (1.0 + np.exp(-x)),
        softplus=lambda x: np.logaddexp(x, 0.0),
    )


@pytest.mark.native
def test_primitives_are_what_they_are_called():
    specs = importlib.import_module("common.formulas")
    ours = importlib.import_module("workers.dlnative_formulas")
    formulas = importlib.import_module("workers.formulas")
    data = importlib.import_module("workers.data")
    assert specs.PRIMITIVES.keys() == formulas.PRIMITIVES.keys()
    for name in specs.PRIMITIVES:
        spec = specs.primitive(name, rows=4)
        expected = formulas.PRIMITIVES[name](numpy_operations(), data.primitive_arguments(spec))
        result = ours.primitive_function(spec)()[0]
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6, err_msg=name)
        assert ours.primitive(spec).note  # none is only another view of its operand
        # Each array once, which the specification counts by the element.
        arrays = [a for a in data.primitive_arguments(spec) if isinstance(a, np.ndarray)]
        if name == "slice":  # what it leaves out is not read
            arrays = [result]
        counted = sum(a.nbytes for a in [*arrays, result] if a.size > specs.COLUMNS)
        assert spec["moved"] == counted, name


@pytest.mark.native
def test_compositions_and_their_gradients():
    specs = importlib.import_module("common.formulas")
    ours = importlib.import_module("workers.dlnative_formulas")
    formulas = importlib.import_module("workers.formulas")
    data = importlib.import_module("workers.data")
    names = [*specs.ACTIVATIONS, *specs.LOSSES]
    assert len(names) == 20 and set(names) == formulas.COMPOSITIONS.keys()
    o = numpy_operations()
    for name in names:
        spec = specs.composition(name, rows=2)
        first, second = (a.astype(np.float64) for a in data.composition_arrays(spec))
        formula, step = formulas.COMPOSITIONS[name], 1e-6
        if spec["loss"]:
            y = formula(o, first, second).mean()
            above, below = (formula(o, first, second + s).mean() for s in (step, -step))
        else:
            y = formula(o, first)
            above, below = (np.sum(second * formula(o, first + s)) for s in (step, -step))
        result, dx = ours.composition_function(spec)()
        np.testing.assert_allclose(result, y, rtol=1e-5, atol=1e-6, err_msg=name)
        # Along (1, ..., 1): the sum of the gradient; no value lies within a step of a kink.
        expected = (above - below) / (2 * step)
        sizes = np.abs(dx).sum()
        np.testing.assert_allclose(dx.sum(), expected, atol=1e-5 * sizes, err_msg=name)


@pytest.mark.native
def test_updates_are_those_of_the_formulas():
    specs = importlib.import_module("common.formulas")
    ours = importlib.import_module("workers.dlnative_formulas")
    formulas = importlib.import_module("workers.formulas")
    data = importlib.import_module("workers.data")
    o = numpy_operations()
    for name, count in specs.OPTIMIZERS.items():
        spec = specs.update(name, rows=8)
        weights, grads = data.update_arrays(spec)
        function, variables = ours.update_function(weights, grads, name)
        expected = [w.astype(np.float64) for w in weights]
        slots, product = [[np.zeros(w.shape)] * count for w in weights], 1.0
        for t in (1.0, 2.0, 3.0):
            function.run([], None, 0, 1)
            product *= formulas.momentum_at(t)
            for i, (w, g) in enumerate(zip(expected, grads, strict=True)):
                expected[i], slots[i] = formulas.UPDATES[name](o, w, g, slots[i], t, product)
        for variable, w in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable.value, w, atol=2e-6, err_msg=name)


@pytest.mark.native
def test_written_parts_train_as_the_built_in_ones():
    steps = importlib.import_module("workers.dlnative_steps")
    models = importlib.import_module("common.models")
    model = models.mlp("8-16-4", [8, 16, 4], "relu", "sparse_softmax_cross_entropy")
    spec = models.training_spec(model, samples=64, batch=16)
    bounds = importlib.import_module("bench_elementwise").STEP_BOUNDS
    assert {"built-in", *bounds} == steps.VARIANTS.keys()
    tasks = {name: steps.written_step(spec, name) for name in steps.VARIANTS}
    expected = tasks["built-in"].check
    for name, task in tasks.items():
        task.reset()
        assert np.isfinite(task.run()), name
        assert task.check is None or math.isclose(task.check, expected, rel_tol=1e-4), name


@pytest.mark.native
def test_many_models_are_the_same_side_by_side_and_in_turn():
    bench = importlib.import_module("bench_fit_many")
    ours = importlib.import_module("workers.dlnative_worker")
    spec = bench.many(models=3, rows=40, epochs=2)
    variants = ours.Worker.variants["fit_many"]
    tasks = [ours.Worker(2).prepare_fit_many(spec, variant) for variant in variants]
    side_by_side, in_turn = (task.run() for task in tasks)
    assert len(in_turn) == 3
    assert [f.history for f in side_by_side] == [f.history for f in in_turn]
    assert in_turn[0].history["loss"][1] < in_turn[0].history["loss"][0]
    assert [array.shape for array in in_turn[0].weights] == [(8, 16), (16,), (16, 1), (1,)]


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
def test_products_are_those_of_numpy(transpose_a, transpose_b):
    ours = importlib.import_module("workers.dlnative_worker")
    data = importlib.import_module("workers.data")
    spec = {"m": 5, "n": 4, "k": 3, "dtype": "float64", "seed": 0}
    spec.update(transpose_a=transpose_a, transpose_b=transpose_b)
    a, b = data.factors(spec)
    expected = (a.T if transpose_a else a) @ (b.T if transpose_b else b)
    np.testing.assert_allclose(ours.Worker(2).prepare_matmul(spec, "").run()[0], expected)
