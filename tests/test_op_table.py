"""Every op of the table at its edges: empty arrays, extreme attributes, infinities and NaN."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from op_cases import CASES

from dlnative.graph import table
from dlnative.reference.bounds import BOUNDS

HELPERS = Path(__file__).parent / "helpers"
SHARDS = 4


def test_every_op_has_a_call_and_a_bound():
    assert set(CASES) == set(table)
    assert set(BOUNDS) == set(table)


def findings(kind, shard, shards=SHARDS):
    """What is wrong with the calls of a kind; those that end their process are named, too."""
    wrong, first = [], 0
    path = os.pathsep.join([str(HELPERS), *sys.path])
    while True:
        done = subprocess.run(
            [sys.executable, HELPERS / "op_extremes.py", kind, str(shard), str(shards), str(first)],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=600,
        )
        lines = done.stdout.splitlines()
        wrong += [line for line in lines if line.startswith("WRONG")]
        if done.returncode == 0:
            return wrong
        begun = [line for line in lines if line[:1].isdigit()]
        assert begun, done.stderr
        number, label = begun[-1].split("\t")
        wrong.append(f"{label} ended the process with {done.returncode}: {done.stderr[-300:]}")
        first = int(number) + 1


@pytest.mark.parametrize("shard", range(SHARDS))
def test_empty_arrays_have_an_answer_or_an_error(shard):
    """The same from both engines: an answer, or ValueError."""
    wrong = findings("sizes", shard)
    assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:30])


@pytest.mark.parametrize("shard", range(SHARDS))
def test_extreme_attributes_have_an_answer_or_an_error(shard):
    wrong = findings("attributes", shard)
    assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:30])


@pytest.mark.parametrize("shard", range(SHARDS))
def test_infinities_and_nan_reach_what_they_reach_in_the_oracle(shard):
    """One of them in one input: infinite and NaN in the same places, and the rest within bounds."""
    wrong = findings("specials", shard)
    assert not wrong, f"{len(wrong)} calls:\n" + "\n".join(wrong[:30])
