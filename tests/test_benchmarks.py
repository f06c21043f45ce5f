"""The benchmarks' case lists build, and describe the models and operations that dlnative runs."""

from __future__ import annotations

import importlib
import math
from pathlib import Path

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
