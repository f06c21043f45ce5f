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


# Single calls that take seconds: an op, all of a step, and what comes before the first step.
# Instructions of the oldest kind make them slow with little memory.
LONG_CALLS = {
    "matmul": """
        a = np.random.rand(3072, 3072)
        run = lambda: ops.matmul(a, a)
    """,
    "tall matmul": """
        a, b = np.random.rand(200_000, 512), np.random.rand(512, 256)
        run = lambda: ops.matmul(a, b)
    """,
    "convolution": """
        x, kernel = np.random.rand(24, 96, 96, 64), np.random.rand(3, 3, 64, 64)
        run = lambda: ops.conv2d(x, kernel, padding="same")
    """,
    "gradient of a kernel": """
        x = np.random.rand(24, 96, 96, 64)
        run = lambda: ops.conv2d_backward_kernel(x, x, kernel_size=(3, 3), padding="same")
    """,
    "predict": """
        stack = [layers.Dense(2048, activation="relu"), layers.Dense(2048), layers.Dense(1)]
        model = dlnative.Sequential([layers.Input((2048,)), *stack])
        x = np.random.rand(8192, 2048).astype("float32")
        model.predict(x[:1], verbose=0)
        run = lambda: model.predict(x, batch_size=8192, verbose=0)
    """,
    "first step": """
        stack = [layers.Dense(2048, activation="relu"), layers.Dense(2048), layers.Dense(1)]
        model = dlnative.Sequential([layers.Input((2048,)), *stack])
        model.compile("adam", "mse")
        x, y = np.random.rand(4096, 2048).astype("float32"), np.random.rand(4096, 1)
        before = model.get_weights()
        def run():
            try:
                model.fit(x, y, batch_size=4096, epochs=10**6, verbose=0)
            finally:
                steps = int(model.optimizer.iterations)
                same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights())]
                assert all(same) if steps == 0 else not any(same)
    """,
    "large layer": """
        run = lambda: dlnative.Sequential([layers.Input((20_000,)), layers.Dense(5_000)])
    """,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("call", LONG_CALLS)
def test_ctrl_c_within_a_call(call, threads):
    """The call is made again and again, so that the interrupt comes within one."""
    prologue = "from dlnative import config\nfrom dlnative.ops import rows as ops\n"
    prologue += "config.set_conv_algorithm('direct')\n"
    epilogue = """
ready()
try:
    while True:
        run()
except KeyboardInterrupt:
    stopped()
print("usable", ops.relu(np.ones(1))[0], flush=True)
"""
    code = COMMON + prologue + textwrap.dedent(LONG_CALLS[call]) + epilogue
    interrupt(code, {"DLNATIVE_ISA": "baseline", "DLNATIVE_NUM_THREADS": str(threads)}, wait=0.4)


def test_a_handler_of_ones_own_does_not_disturb():
    """What it interrupts goes on to its end, with the right result."""
    code = """
import signal, threading, time, numpy as np
from dlnative.ops import rows as ops
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(time.monotonic()))
rng = np.random.default_rng(0)
a = rng.standard_normal((1536, 1536))
expected = ops.matmul(a, a)
threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGINT)).start()
while not seen:
    assert np.array_equal(ops.matmul(a, a), expected)
print("right")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout == "right\n", run.stderr


def test_what_overwrites_its_input_is_not_left_half_done():
    """An update of an optimizer by an op, or a result that takes the place of an input."""
    code = """
import signal, threading, numpy as np
from dlnative.ops import rows as ops
param, gradient = np.zeros(50_000_000, "float32"), np.ones(50_000_000, "float32")
updates = 0
threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
try:
    while True:
        ops.add(param, gradient, out=param)
        updates += 1
except KeyboardInterrupt:
    assert param[0] in (updates, updates + 1)
    assert (param == param[0]).all()
print("whole")
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.stdout == "whole\n", run.stderr


@pytest.mark.parametrize("program", PROGRAMS)
def test_ctrl_c(program):
    interrupt(COMMON + textwrap.dedent(PROGRAMS[program]) + AFTER, {}, wait=0.7)


def interrupt(code, environment, wait):
    """Runs a program that says when it is ready, and so long after that sends Ctrl-C."""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        try:
            first = process.stdout.readline()
            if first == "ready\n":
                time.sleep(wait)
                sent = time.monotonic()
                process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert first == "ready\n", errors
    assert "usable" in output, errors
    latency = float(output.split("stopped ")[1].split()[0]) - sent
    # A machine with more to do than it has cores may give the process no time for longer.
    assert latency < (0.2 if os.getloadavg()[0] < os.cpu_count() else 1.0)
