"""The examples give with dlnative what they give with Keras, from the same source."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import example_runs
import numpy as np
import pytest

pytestmark = [
    pytest.mark.native,  # the oracle would take minutes
    pytest.mark.timeout(400),  # the first test waits for all runs of Keras
    pytest.mark.skipif(find_spec("sklearn") is None, reason="needs scikit-learn, for its digits"),
]

WORKER = Path(example_runs.__file__)


@pytest.fixture(scope="module")
def of_keras(tmp_path_factory) -> dict[str, Any]:
    """The results of all runs with Keras on PyTorch, in a process of their own."""
    for peer in ("keras", "torch"):
        if find_spec(peer) is None:
            pytest.skip(f"needs {peer}")
    path = tmp_path_factory.mktemp("keras") / "results"
    done = subprocess.run(
        [sys.executable, WORKER, path],
        env=os.environ | {"KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads(path.read_bytes())


def named(value: Any, name: str = "") -> dict[str, np.ndarray]:
    """The numbers in nested dicts and lists by their place."""
    if isinstance(value, dict):
        parts = value.items()
    elif isinstance(value, (list, tuple)):
        parts = enumerate(value)
    else:
        return {name: np.asarray(value, "float64")}
    return {place: a for key, part in parts for place, a in named(part, f"{name}/{key}").items()}


@pytest.mark.parametrize("run", example_runs.EXACT, ids=lambda run: run.__name__)
def test_histories_and_weights(run, of_keras):
    theirs = of_keras[run.__name__]
    assert not isinstance(theirs, str), theirs
    expected = named(theirs)
    received = named(example_runs.run_exact(run, "dlnative"))
    assert received.keys() == expected.keys()
    for name, values in expected.items():
        scale = np.abs(values).max(initial=0)
        np.testing.assert_allclose(
            received[name], values, rtol=1e-4, atol=1e-5 * scale + 1e-12, err_msg=name
        )


@pytest.mark.parametrize("run", example_runs.DRAWING, ids=lambda run: run.__name__)
def test_spread_of_losses(run, of_keras):
    """The mean of the last losses of five seeds is that of Keras, as far as their spread tells."""
    theirs = of_keras[run.__name__]
    assert not isinstance(theirs, str), theirs
    ours = example_runs.run_drawing(run, "dlnative")
    assert ours[0].keys() == theirs[0].keys()
    for name in theirs[0]:
        received, expected = (np.array([logs[name] for logs in side]) for side in (ours, theirs))
        assert len(set(received)) > 1, f"{name} is the same for all seeds"
        error = np.sqrt((received.var(ddof=1) + expected.var(ddof=1)) / len(received))
        assert abs(received.mean() - expected.mean()) < 4 * error, (name, received, expected)
