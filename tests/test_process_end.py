"""Threads that compute while the process ends or forks."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time

import pytest

# A child that is forked while NumPy multiplies in another thread may wait for its locks for ever.
pytestmark = pytest.mark.native

COMMON = """
import os, sys, threading, time, numpy as np, dlnative
from dlnative import layers, ops

model = dlnative.Sequential([layers.Input((64,)), layers.Dense(64, "relu"), layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.rand(20_000, 64).astype("float32")
y = np.random.rand(20_000, 1).astype("float32")
small, large = np.ones(3, "float32"), np.ones((1500, 1500), "float32")

def forever(f):
    while True:
        f()

def start(f):
    begun = threading.Event()
    def body():
        begun.set()
        forever(f)
    threading.Thread(target=body, daemon=True).start()
    begun.wait()
    time.sleep(0.2)
"""

WORK = {
    "fit": "model.fit(x, y, epochs=10**6, verbose=0)",
    "predict": "model.predict(x, verbose=0)",
    "evaluate": "model.evaluate(x, y, verbose=0)",
    "train_on_batch": "model.train_on_batch(x[:32], y[:32])",
    "call": "model(x[:8])",
    "small op": "ops.relu(small)",
    "large op": "ops.matmul(large, large)",
}


def run(code, timeout=60, before=""):
    return subprocess.run(
        [sys.executable, "-c", before + COMMON + textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.mark.parametrize("work", WORK)
def test_daemon_threads_at_exit(work):
    """Several processes, as what went wrong did not always."""
    for _ in range(4):
        result = run(
            f"""
            start(lambda: {WORK[work]})
            print(time.monotonic(), flush=True)
            """
        )
        ended = time.monotonic()
        assert (result.returncode, result.stderr) == (0, "")
        assert ended - float(result.stdout) < 5.0


def test_exit_functions_may_compute():
    """In the thread that ends the interpreter: also those that run after the library's own."""
    result = run(
        """
        start(lambda: model.fit(x, y, epochs=10**6, verbose=0))
        start(lambda: ops.matmul(large, large))
        other = dlnative.Sequential([layers.Input((64,)), layers.Dense(1)])
        last.append(lambda: print(other(x).shape))
        sys.exit(3)
        """,
        before="import atexit; last = []; atexit.register(lambda: last[0]())",
    )
    assert (result.returncode, result.stdout, result.stderr) == (3, "(20000, 1)\n", "")


@pytest.mark.skipif(sys.platform == "win32", reason="no fork")
@pytest.mark.parametrize("work", ["fit", "predict", "large op"])
def test_a_child_forked_meanwhile_trains(work):
    """It has the model of the parent, and none of the threads that the parent's locks wait for."""
    result = run(
        f"""
        start(lambda: {WORK[work]})
        for _ in range(8):
            child = os.fork()
            if child == 0:
                code = 1
                try:
                    model.predict(x[:64], verbose=0)
                    before = model.get_weights()
                    model.fit(x, y, epochs=1, batch_size=2000, verbose=0)
                    model.predict(x, verbose=0)
                    moved = [(a != b).any() for a, b in zip(before, model.get_weights())]
                    code = 0 if all(moved) else 2
                finally:
                    os._exit(code)
            assert os.waitpid(child, 0)[1] == 0
            time.sleep(0.013)
        print("done")
        """,
        timeout=120,
    )
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr
