"""Calls of every op with empty arrays, attributes at and beyond the edge of their ranges, NaN.

    python op_extremes.py KIND SHARD SHARDS FIRST

runs the calls of one kind (see KINDS) of every SHARDS-th op from call FIRST on, prints
the number of each before it runs, and what is wrong with it after. So whoever started this process
knows which call ended it.
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys

import numpy as np
from op_cases import CASES, Draw
from op_runs import disagreement

from dlnative.graph.ops.convolution import GEOMETRY

DTYPES = ("float32", "float64")
VARIANTS = 3
SECONDS = 30  # for one call, of a few microseconds
MEMORY = 4 << 30  # bytes of address space: what asks for more gets a MemoryError
HUGE = 2**62

# Instead of an attribute, or of one of its elements.
NUMBERS = (0, -1, 1, 2, 300, -300, 2**31, HUGE, -HUGE, 2**63, -(2**63), 2**64, 1.5, -0.5)
OTHERS = (None, True, False, "", "nope", float("nan"), float("inf"), -float("inf"))
WHOLE = (
    (),
    [],
    (0,),
    (1,),
    (-1,),
    (1, 1),
    (1,) * 9,
    (HUGE, HUGE),
    (HUGE,) * 4,
    (0, 0, 0, 0),
    [1, 2],
)


def draw(name, dtype, variant, zero=()):
    return Draw(np.random.default_rng(11), dtype, variant, zero)


def pairs(things):
    """Each alone, and each two of them."""
    return [(t,) for t in things] + list(itertools.combinations(things, 2))


def emptied(inputs, axes):
    """The inputs with these (input, axis) of size 0."""
    result = list(inputs)
    for i, axis in axes:
        keep = [slice(None)] * result[i].ndim
        keep[axis] = slice(0)
        result[i] = result[i][tuple(keep)]
    return result


def empty_calls(name):
    """(label, inputs, attributes): sizes by name, then axes of inputs, alone and in pairs."""
    for dtype, variant in itertools.product(DTYPES, range(VARIANTS)):
        given = draw(name, dtype, variant)
        inputs, attributes = CASES[name](given)
        for zero in pairs(sorted(given.sizes)):
            label = f"{name} {dtype} variant {variant}, {' and '.join(zero)} = 0"
            yield label, *CASES[name](draw(name, dtype, variant, zero))
        axes = [(i, a) for i, x in enumerate(inputs) if x is not None for a in range(x.ndim)]
        for chosen in pairs(axes):
            label = f"{name} {dtype} variant {variant}, empty (input, axis) {chosen}"
            yield label, emptied(inputs, chosen), attributes


def edges(value):
    """What to try in the place of an attribute."""
    yield from NUMBERS + OTHERS + WHOLE
    if isinstance(value, (tuple, list)):
        for i, edge in itertools.product(range(len(value)), NUMBERS + OTHERS):
            yield type(value)((*value[:i], edge, *value[i + 1 :]))
        yield from (value[:-1], (*value, 1), list(value))


def edge_calls(name):
    """(label, inputs, attributes): each attribute at its edges, and one that no op has."""
    for dtype, variant in ((DTYPES[0], 0), (DTYPES[1], 1)):
        inputs, attributes = CASES[name](draw(name, dtype, variant))
        yield f"{name}: an unknown attribute", inputs, {**attributes, "nonsense": 1}
        for key, value in attributes.items():
            for edge in edges(value):
                yield f"{name} {dtype} {key}={edge!r}", inputs, {**attributes, key: edge}
            rest = {k: v for k, v in attributes.items() if k != key}
            yield f"{name} {dtype} without {key}", inputs, rest


# Moments, which the planner makes, and a vector that must stay sorted.
GIVEN_AS_THEY_ARE = {("batch_norm_training", 4), ("searchsorted", 0)}


def special_calls(name):
    """(label, inputs, attributes): one infinity or NaN at a random place of each input in turn."""
    for dtype, variant in itertools.product(DTYPES, range(2 * VARIANTS)):
        inputs, attributes = CASES[name](draw(name, dtype, variant))
        places = np.random.default_rng(variant)
        floats = [i for i, x in enumerate(inputs) if x is not None and x.dtype == dtype and x.size]
        for i, value in itertools.product(floats, (np.inf, -np.inf, np.nan)):
            changed = list(inputs)
            changed[i] = inputs[i].copy()
            at = places.integers(inputs[i].size)
            changed[i].flat[at] = value
            label = f"{name} {dtype} variant {variant}, {value} at {at} of {i}"
            if i == 1 and "conv" in name:  # behind an activation see op_runs.meets_padding
                changed[2:] = [None] * len(changed[2:])
                yield label, changed, linear_part(attributes)
            elif (name, i) not in GIVEN_AS_THEY_ARE:
                yield label, changed, attributes


def linear_part(attributes):
    """The attributes of a convolution that has no activation."""
    kept = (*GEOMETRY, "input_shape", "kernel_size", "groups", "bias", "output_padding")
    return {k: v for k, v in attributes.items() if k in kept}


MAY_REFUSE = {"check_finite", "checked_rate"}  # numbers that are not finite
KINDS = {"sizes": empty_calls, "attributes": edge_calls, "specials": special_calls}


def main(kind, shard, shards, first):
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # a call that hangs ends the process, too
    if "asan" not in os.environ.get("LD_PRELOAD", ""):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    calls = (call for name in sorted(CASES)[shard::shards] for call in KINDS[kind](name))
    for number, (label, inputs, attributes) in enumerate(calls):
        if number < first:
            continue
        print(f"{number}\t{label}", flush=True)
        signal.alarm(SECONDS)
        try:
            name = label.split()[0].rstrip(":")
            wrong = disagreement(
                name, inputs, attributes, valid=kind == "specials" and name not in MAY_REFUSE
            )
        except Exception as error:
            wrong = f"{type(error).__name__}: {error}"
        if wrong:
            print(f"WRONG\t{label}: {wrong}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], *(int(a) for a in sys.argv[2:5]))
