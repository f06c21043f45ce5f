"""Every metric of Keras on streams of batches, with real Keras as the judge."""

from __future__ import annotations

import inspect
import json
import os
import pickle
import subprocess
import sys

import answers
import numpy as np
import pytest
from cases import FOLDER
from metric_streams import FUNCTIONS, RUNS, STREAMS, label, stream, values

from dlnative import metrics

CANCEL = ("R2Score", "PearsonCorrelation", "ConcordanceCorrelation")  # they subtract likes

EXTRA = {"CosineSimilarity": {"axis"}}  # options that Keras does not write


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    """Keras's answers by label."""
    if not answers.installed():
        pytest.skip("needs Keras: pip install 'dlnative[test-peers]'")
    path = tmp_path_factory.mktemp("judge") / "answers.pickle"
    worker = [sys.executable, FOLDER / "keras_metrics_worker.py", path]
    subprocess.run(worker, check=True, env={**os.environ, "KERAS_BACKEND": "numpy"})
    return pickle.loads(path.read_bytes())


@pytest.mark.parametrize("row", STREAMS, ids=label)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_results(judge, row):
    name, options, _ = row
    for how, dtype in RUNS:
        expected = judge["results"][label(row)][how, dtype]
        if expected is None:  # Keras does not take weights of this shape
            assert how is not None
            continue
        if (name, how) == ("FBetaScore", "values"):
            continue  # Keras multiplies each prediction of a sample by all weights of it
        metric = getattr(metrics, name)(**options, dtype=dtype)
        exact = dtype == "float64" and "IoU" not in name  # of which Keras makes float32
        rtol = 1e-12 if exact else 2e-4 if name in CANCEL else 2e-6
        for i, (a, b) in enumerate(zip(stream(metric, row, how, dtype), expected, strict=True)):
            where = f"weights={how}, {dtype}, result {i}"
            np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10, err_msg=where)


@pytest.mark.parametrize("row", FUNCTIONS, ids=label)
def test_functions(judge, row):
    expected = judge["functions"][label(row)]
    np.testing.assert_allclose(values(metrics, row), expected, rtol=2e-6, atol=2e-7)


@pytest.mark.parametrize("row", STREAMS, ids=label)
def test_configurations(judge, row):
    name, options, _ = row
    record, config, again, direction = judge["configurations"][label(row)]
    ours = getattr(metrics, name)(name="own", **options)
    assert ours._direction == direction
    read = metrics.deserialize(record)
    assert type(read) is type(ours)
    for found in (again, json.loads(json.dumps(ours.get_config())), read.get_config()):
        left_out = {"dtype", *EXTRA.get(name, ())}
        assert {k: v for k, v in found.items() if k not in left_out} == {
            k: v for k, v in config.items() if k not in left_out
        }


def test_names_and_arguments(judge):
    public, known = judge["names"]
    missing = [name for name in public if not hasattr(metrics, name)]
    assert not missing, f"names without an implementation: {', '.join(missing)}"
    assert {name: cls.__name__ for name, cls in metrics.KNOWN.items()} == known
    judged = {row[0] for row in (*STREAMS, *FUNCTIONS)}
    elsewhere = {"Metric", "MeanMetricWrapper", "get", "serialize", "deserialize"}
    assert set(public) - judged == elsewhere
    for name, arguments in public.items():
        parameters = inspect.signature(getattr(metrics, name)).parameters
        assert [(k, p.default) for k, p in parameters.items()] == arguments, name
