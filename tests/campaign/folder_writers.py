"""Writers that are killed, interrupted and read from while they save; each check returns findings.

As a program: `folder_writers.py CHECK FOLDER SEED COUNT` prints them, one a line. It forks, which a
process with threads should not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import dlnative
from dlnative import layers
from dlnative.saving import load, save

UNITS = 300  # 360 kB of weights: long enough to be interrupted in the midst of writing


def make_model():
    """A compiled model whose arrays are all the same number, see `numbered_save`."""
    model = dlnative.Sequential([layers.Input((UNITS,)), layers.Dense(UNITS)], name="model")
    model.compile(dlnative.optimizers.SGD(momentum=0.9), "mse")
    model.optimizer.prepare(model.trainable_variables)
    return model


def numbered_save(model, folder, number):
    """Saves a model that can be told from others.

    Weights, the state of the optimizer, classes and a file have its number.
    """
    for variable in [*model.variables, *(model.optimizer.variables if model.compiled else ())]:
        variable.assign(np.full(variable.shape, number, variable.dtype))
    save(model, folder, classes=[number], files={"notes.txt": f"{number}\n"})


def number_of(folder):
    """The number of the model in a folder, or a description of what is wrong with it."""
    try:
        saved = load(folder)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    arrays = [variable.numpy() for variable in saved.model.variables]
    if saved.state is not None:
        arrays += [a for name, a in saved.state.arrays.items() if name.startswith("optimizer")]
    numbers = {float(number) for array in arrays for number in np.unique(array)}
    if numbers != {float(saved.classes[0])}:
        return f"weights {numbers} beside classes {saved.classes}"
    return saved.classes[0]


def expect_clean(folder, model):
    """A finding if the next `save` leaves anything but one model."""
    numbered_save(model, folder, 0)
    names = sorted(os.listdir(folder))
    kinds = [name.partition("-")[0] for name in names]
    state = ["state"] if model.compiled else []
    if kinds != ["config.json", "notes.txt", *state, "weights"]:
        yield f"left-over files: {names}"
    if number_of(folder) != 0:
        yield f"after the last save: {number_of(folder)}"


def kills(folder, seed, count):
    """`kill -9` at any moment of a loop that saves."""
    draw, model = random.Random(seed), make_model()
    numbered_save(model, folder, 0)
    for case in range(count):
        before = number_of(folder)
        writer = _fork(lambda first=before + 1: _save_forever(model, folder, first))
        time.sleep(draw.uniform(0.001, 0.03))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        found = number_of(folder)
        if not isinstance(found, int) or found < before:
            yield f"kill {case} of seed {seed}: {found}, before {before}"
            numbered_save(model, folder, 0)
    yield from expect_clean(folder, model)


def interrupts(folder, seed, count):
    """Ctrl-C at any moment of a `save`."""
    draw, model = random.Random(seed), make_model()
    numbered_save(model, folder, 0)
    start = time.perf_counter()
    numbered_save(model, folder, 0)
    longest = 1.5 * (time.perf_counter() - start)
    former = signal.signal(signal.SIGALRM, signal.default_int_handler)
    for case in range(1, count + 1):
        before = number_of(folder)
        try:
            signal.setitimer(signal.ITIMER_REAL, draw.uniform(1e-5, longest))
            numbered_save(model, folder, case)
            signal.setitimer(signal.ITIMER_REAL, 0)
            allowed = {case}
        except KeyboardInterrupt:
            allowed = {before, case}
        found = number_of(folder)
        if found not in allowed:
            yield f"interrupt {case} of seed {seed}: {found}, expected one of {allowed}"
            numbered_save(model, folder, 0)
    signal.signal(signal.SIGALRM, former)
    yield from expect_clean(folder, model)


def readers(folder, seed, count):
    """Readers beside two writers."""
    model = make_model()
    numbered_save(model, folder, 0)
    writers = [_fork(lambda first=first: _save_forever(model, folder, first)) for first in (1, 1)]
    for case in range(count):
        found = number_of(folder)
        if not isinstance(found, int):
            yield f"reader {case} of seed {seed}: {found}"
    for writer in writers:
        os.kill(writer, signal.SIGTERM)
        os.waitpid(writer, 0)
    if not isinstance(number_of(folder), int):
        yield f"after two writers of seed {seed}: {number_of(folder)}"
    yield from expect_clean(folder, model)


def run(check, folder, seed, count):
    """The findings of a check that ran in a process of its own."""
    command = [sys.executable, __file__, check.__name__, str(folder), str(seed), str(count)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    findings = [f"{check.__name__}: {line}" for line in result.stdout.splitlines()]
    if result.returncode:
        findings.append(f"{check.__name__}: status {result.returncode}: {result.stderr[-2000:]}")
    return findings


def _fork(function):
    child = os.fork()
    if child:
        return child
    try:
        function()
    finally:
        os._exit(1)


def _save_forever(model, folder, first):
    number = first
    while True:
        numbered_save(model, folder, number)
        number = number % 10**6 + 1  # float32 holds it


if __name__ == "__main__":
    check, folder, seed, count = sys.argv[1:]
    for finding in globals()[check](Path(folder), int(seed), int(count)):
        print(finding, flush=True)
