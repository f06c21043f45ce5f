"""A search for calls of ops on which the two engines disagree.

`search(seed, cases, report)` draws ops of the table with random sizes (0 and 1 among them), dtypes,
memory layouts, attributes, infinities and NaN, runs each with a random instruction set and number
of threads, and compares it with the oracle within the bounds of reference/bounds.
Winograd's convolutions have bounds of their own, in tests/test_ops_winograd.py, and are left out.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "helpers"))

from op_cases import CASES, Draw
from op_extremes import edges
from op_runs import disagreement

from dlnative import config
from dlnative.graph import Tensor, table
from dlnative.graph.table import nbytes

DTYPES = ("float32", "float64")
THREADS = (1, 3)
SPECIAL = (np.inf, -np.inf, np.nan)
# Shares of the cases.
WITH_SPECIAL = 0.1
WITH_EDGE = 0.1
MOST_BYTES = 1 << 26


def strided(rng, array):
    """Every second element of every axis of a larger array."""
    large = np.empty(tuple(2 * n for n in array.shape), array.dtype)
    view = large[(*(slice(None, None, 2),) * array.ndim, ...)]
    view[...] = array
    return view


def misaligned(rng, array):
    """A view into bytes that begin where no value of this type may."""
    memory = np.empty(array.nbytes + 1, "uint8")
    view = memory[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


def reversed_view(rng, array):
    back = (*(slice(None, None, -1),) * array.ndim, ...)
    return np.ascontiguousarray(array[back]).reshape(array.shape)[back]


def read_only(rng, array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = (
    lambda rng, array: array,
    lambda rng, array: array.copy(order="F"),
    lambda rng, array: array.astype(array.dtype.newbyteorder()),
    strided,
    misaligned,
    reversed_view,
    read_only,
)


def laid_out(rng, name, inputs):
    """The inputs in random layouts; what the op overwrites stays as it is."""
    result = []
    for i, array in enumerate(inputs):
        keep = array is None or i in table[name].writes
        result.append(array if keep else LAYOUTS[rng.integers(len(LAYOUTS))](rng, array))
    return result


def with_special(rng, inputs, dtype):
    """One element of the first input is infinite or NaN, unless it is empty."""
    if not inputs:  # an op that draws
        return inputs
    first = inputs[0]
    if first is None or first.dtype != dtype or not first.size:
        return inputs
    first = first.copy()
    first.flat[rng.integers(first.size)] = SPECIAL[rng.integers(len(SPECIAL))]
    return [first, *inputs[1:]]


def with_edge(rng, attributes):
    """One attribute has a value at or beyond the edge of its range."""
    if not attributes:
        return attributes
    key = sorted(attributes)[rng.integers(len(attributes))]
    values = list(edges(attributes[key]))
    return {**attributes, key: values[rng.integers(len(values))]}


def is_large(name, inputs, attributes):
    """Whether the call is valid and its result does not fit into MOST_BYTES."""
    tensors = [None if a is None else Tensor(a.shape, a.dtype.name) for a in inputs]
    try:
        specs, _ = table[name].check_call(tensors, attributes)
    except (ValueError, TypeError):
        return False
    specs = specs if isinstance(specs, tuple) else (specs,)
    return any(None not in spec.shape and nbytes(spec) > MOST_BYTES for spec in specs)


def draw(seed, number):
    """(name, inputs, attributes, instruction set, threads) of a case."""
    rng = np.random.default_rng((seed, number))
    names = sorted(CASES)
    name, dtype = names[rng.integers(len(names))], DTYPES[rng.integers(2)]
    inputs, attributes = CASES[name](Draw(rng, dtype, variant=None))
    if rng.random() < WITH_SPECIAL:
        inputs = with_special(rng, inputs, dtype)
    if rng.random() < WITH_EDGE:
        extreme = with_edge(rng, attributes)
        attributes = attributes if is_large(name, inputs, extreme) else extreme
    isas = config.available_isas()
    isa, threads = isas[rng.integers(len(isas))], THREADS[rng.integers(len(THREADS))]
    return name, laid_out(rng, name, inputs), attributes, isa, threads


def search(seed, cases, report, first=0):
    """Runs the cases `first`, ..., `first` + `cases` - 1 of a seed; each is a function of the two.

    Args:
        seed: Which cases.
        cases: How many.
        report: Called with a description of each finding.
        first: Number of the first case: `search(seed, 1, print, first=n)` runs one again.
    """
    from dlnative import _core

    isa, threads, algorithm = _core.isa(), config.num_threads(), config.conv_algorithm()
    config.set_conv_algorithm("direct")
    try:
        for number in range(first, first + cases):
            name, inputs, attributes, *machine = draw(seed, number)
            _core.set_isa(machine[0])
            config.set_num_threads(machine[1])
            try:
                wrong = disagreement(name, inputs, attributes)
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong:
                shapes = [None if a is None else (a.shape, a.dtype.str, a.strides) for a in inputs]
                report(
                    f"ops, seed {seed}, case {number}: {name}({shapes}, {attributes}) "
                    f"on {machine}: {wrong}"
                )
    finally:
        _core.set_isa(isa)
        config.set_num_threads(threads)
        config.set_conv_algorithm(algorithm)
