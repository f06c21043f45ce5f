"""Ctrl-C stops a running `fit` within 200 ms, and the model stays usable."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process")

COMMON = """
import sys, time, numpy as np, dlnative
from dlnative import layers

def ready():
    print("ready", flush=True)

def stopped():
    print("stopped", time.monotonic(), flush=True)

least = 2  # steps until the interrupt
"""

# A long epoch of tiny steps, many tiny epochs, large steps, a step of seconds that has to be left
# between two of its instructions, and an evaluation.
PROGRAMS = {
    "long epoch": """
        stack = [layers.Input((2,)), layers.Dense(8, activation="tanh"), layers.Dense(1)]
        model = dlnative.Sequential(stack)
        x, y = np.random.rand(2_000_000, 2).astype("float32"), np.random.rand(2_000_000, 1)
        run = lambda: model.fit(x, y, batch_size=1, epochs=1000, verbose=0)
    """,
    "short epochs": """
        model = dlnative.Sequential([layers.Input((2,)), layers.Dense(1)])
        x, y = np.random.rand(4, 2), np.random.rand(4, 1)
        run = lambda: model.fit(x, y, epochs=10**9, verbose=0)
    """,
    "progress bar": """
        model = dlnative.Sequential([layers.Input((2,)), layers.Dense(8), layers.Dense(1)])
        x, y = np.random.rand(2_000_000, 2).astype("float32"), np.random.rand(2_000_000, 1)
        run = lambda: model.fit(x, y, batch_size=1, epochs=1000, verbose=1)
    """,
    "large steps": """
        stack = [layers.Input((512,)), layers.Dense(512, activation="relu"), layers.Dense(1)]
        model = dlnative.Sequential(stack)
        x, y = np.random.rand(4096, 512).astype("float32"), np.random.rand(4096, 1)
        run = lambda: model.fit(x, y, batch_size=2048, epochs=10**6, verbose=0)
    """,
    "long step": """
        stack = [layers.Dense(512, activation="relu") for _ in range(24)]
        model = dlnative.Sequential([layers.Input((512,)), *stack, layers.Dense(1)])
        x, y = np.random.rand(4096, 512).astype("float32"), np.random.rand(4096, 1)
        least = 1
        def run():
            before = model.get_weights()
            try:
                model.fit(x, y, batch_size=4096, epochs=10**6, verbose=0)
            finally:
                if int(model.optimizer.iterations) == 1:
                    assert all(map(np.array_equal, before, model.get_weights()))
    """,
    "evaluate": """
        model = dlnative.Sequential([layers.Input((2,)), layers.Dense(8), layers.Dense(1)])
        repeat = np.lib.stride_tricks.as_strided
        x = repeat(np.ones((1, 2), "float32"), (100_000_000, 2), (0, 4))
        y = repeat(np.ones((1, 1), "float32"), (100_000_000, 1), (0, 4))
        run = lambda: model.evaluate(x, y, batch_size=1, verbose=0)
    """,
}

AFTER = """
model.compile("adam", "mse")
model.fit(x[:4], y[:4], epochs=1, verbose=0)
ready()
try:
    run()
except KeyboardInterrupt:
    stopped()
steps = int(model.optimizer.iterations)
weights = model.get_weights()
assert all(np.isfinite(w).all() for w in weights)
assert "loss" in model.history.history or steps >= least
model.fit(x[:4], y[:4], epochs=2, batch_size=4, verbose=0)
assert int(model.optimizer.iterations) == steps + 2
assert len(model.history.history["loss"]) == 2
assert np.isfinite(model.predict(x[:4])).all()
print("usable", flush=True)
"""


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c(program):
    code = COMMON + textwrap.dedent(PROGRAMS[program]) + AFTER
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        try:
            first = process.stdout.readline()
            if first == "ready\n":
                time.sleep(0.7)
                sent = time.monotonic()
                process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert first == "ready\n", errors
    assert "usable" in output, errors
    latency = float(output.split("stopped ")[1].split()[0]) - sent
    # A machine with more to do than it has cores may give the process no time for longer.
    assert latency < (0.2 if os.getloadavg()[0] < os.cpu_count() else 2.0)
