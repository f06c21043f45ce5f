"""Random graphs over the primitives: their numbers, and their gradients in float64.

`search(seed, cases, report)` checks graphs as tests/test_random_graphs_of_primitives.py does.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "helpers"))

from graph_checks import NOT_SMOOTH, wrong_gradient, wrong_numbers
from primitive_graphs import Drawing, RandomChoices

from dlnative import config


def search(seed: int, cases: int, report: Callable[[str], None], first: int = 0) -> None:
    """Runs the cases `first`, ..., `first` + `cases` - 1 of a seed; each is a function of the two.

    Args:
        seed: Which cases.
        cases: How many; every second is about gradients.
        report: Called with a description of each finding.
        first: Number of the first case: `search(seed, 1, print, first=n)` runs one again.
    """
    floatx = config.floatx()
    try:
        for number in range(first, first + cases):
            smooth = number % 2 == 1
            config.set_floatx("float64" if smooth else floatx)
            choices = RandomChoices(np.random.default_rng((seed, number)))
            try:
                wrong = (wrong_gradient if smooth else wrong_numbers)(Drawing(choices, smooth))
            except Exception as error:
                wrong = f"{type(error).__name__}: {error}"
            if wrong not in (None, NOT_SMOOTH):
                report(f"graphs, seed {seed}, case {number}: {wrong}")
    finally:
        config.set_floatx(floatx)
