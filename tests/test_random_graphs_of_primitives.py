"""Random graphs over the primitives: each node, the planned whole, and its gradients."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from graph_checks import NOT_SMOOTH, wrong_gradient, wrong_numbers
from hypothesis import given, settings
from hypothesis import strategies as st
from primitive_graphs import MAKERS, Drawing, RandomChoices

from dlnative import config, reference
from dlnative.graph import table
from dlnative.graph.ops import elementwise, movement, reductions, shape
from dlnative.plan import memory


class Drawn:
    """Decisions that Hypothesis makes, and makes simpler where a graph is wrong."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw

    def one_of(self, options: Any) -> Any:
        return options[self.integer(0, len(options) - 1)]

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))


@pytest.fixture(scope="module")
def wide():
    """float64 wherever no dtype decides."""
    before = config.floatx()
    config.set_floatx("float64")
    yield
    config.set_floatx(before)


def check_numbers(data: st.DataObject) -> None:
    wrong = wrong_numbers(Drawing(Drawn(data.draw)))
    assert wrong is None, wrong


def check_gradient(data: st.DataObject) -> None:
    wrong = wrong_gradient(Drawing(Drawn(data.draw), smooth=True))
    assert wrong in (None, NOT_SMOOTH), wrong


@pytest.mark.native
@settings(max_examples=90, deadline=None)
@given(st.data())
def test_numbers(data):
    check_numbers(data)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_gradients(wide, data):
    check_gradient(data)


@pytest.mark.native
@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_many_numbers(data):
    check_numbers(data)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_many_gradients(wide, data):
    check_gradient(data)


# --- that they find something ---------------------------------------------------------------------


def found(check, smooth, count=60):
    """How often each answer comes of graphs that do not change."""
    choices = (RandomChoices(np.random.default_rng((5, n))) for n in range(count))
    return Counter(check(Drawing(each, smooth)) for each in choices)


def test_every_primitive_is_drawn():
    modules = [module.__name__ for module in (elementwise, movement, reductions, shape)]
    rows = {name for name, op in table.items() if type(op).__module__ in modules}
    assert set(MAKERS) == rows | {"matmul"}


def test_most_graphs_are_smooth(wide):
    assert found(wrong_gradient, True)[None] > 30


def test_a_wrong_gradient_is_found(wide, monkeypatch):
    """That of the sine, of which most graphs have some, is too large by a thousandth."""

    def rule(dy, y, x):
        return (lambda: dy * elementwise.apply("cos", x) * 1.001,)

    monkeypatch.setattr(table["sin"], "rule", rule)
    assert sum(n for answer, n in found(wrong_gradient, True).items() if "feed" in str(answer)) > 10


@pytest.mark.native
def test_a_wrong_number_is_found(monkeypatch):
    """The sine of the oracle is too large by many units in the last place."""
    right = reference.sin
    monkeypatch.setattr(reference, "sin", lambda x: right(x) * (1 + 1e-5))
    assert sum(n for answer, n in found(wrong_numbers, False).items() if answer) > 10


@pytest.mark.native
def test_a_plan_that_loses_a_value_is_found(monkeypatch):
    """A result may overwrite an operand that is needed later."""
    monkeypatch.setattr(memory, "_last_uses", lambda schedule: {})
    assert sum(n for answer, n in found(wrong_numbers, False).items() if answer) > 5
