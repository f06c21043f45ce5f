"""State in plans: variables are read as they were before the step, and written last."""

import numpy as np
import pytest

from dlnative import engines
from dlnative.graph import Graph, apply
from dlnative.plan import fuse
from dlnative.plan.flatten import place_variables
from dlnative.plan.schedule import Schedule
from dlnative.variables import Variable


def stateful_graph():
    """Two variables that change places, one that both read, and what is made of its new value."""
    graph = Graph(training=True)
    a, b, c = (
        Variable(np.full(3, n), name=name) for n, name in ((1.0, "a"), (2.0, "b"), (3.0, "c"))
    )
    graph.assign(a, apply("multiply", graph.variable(b), 10.0))
    graph.assign(b, apply("add", graph.leaf(a), graph.variable(c)))
    graph.assign(c, apply("subtract", graph.variable(c), 1.0))
    output = apply("multiply", graph.variable(c), 2.0)
    graph.commit()
    return graph, [a, b, c], output


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_every_variable_is_read_as_it_was_before_the_step(engine):
    graph, variables, output = stateful_graph()
    function = engines.build(graph, [output], engine=engine)
    assert (function()[0] == 4.0).all()
    assert [v.numpy()[0] for v in variables] == [20.0, 4.0, 2.0]
    assert (function()[0] == 2.0).all()
    assert [v.numpy()[0] for v in variables] == [40.0, 22.0, 1.0]


def test_assigned_values_are_computed_in_place_where_that_is_possible():
    """Of two variables that are made of each other one is copied."""
    graph, _, output = stateful_graph()
    place_variables(graph)
    schedule = fuse(graph, [output])
    assert sum(node.op.name == "assign" for node in schedule.nodes) == 1
    schedule.check_state()


def test_a_pass_that_moves_a_read_behind_a_write_or_loses_a_write_is_found():
    graph, _, output = stateful_graph()
    schedule = Schedule(graph.nodes, [output])
    schedule.check_state()
    writes = [n for n in schedule.nodes if n.op.writes]
    rest = [n for n in schedule.nodes if not n.op.writes]
    schedule._set_order(writes + rest)
    with pytest.raises(RuntimeError, match="plan: variable '[abc]' is no longer read before"):
        schedule.check_state()
    schedule._set_order(rest + writes[1:])
    with pytest.raises(RuntimeError, match="plan: variable 'a' is no longer"):
        schedule.check_state()


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_what_is_assigned_under_a_condition_counts_where_it_is_true(engine):
    graph = Graph(training=True)
    x = graph.feed((), "bool", "x")
    a, b = Variable(np.arange(4.0), name="a"), Variable(np.ones(4), name="b")
    with graph.only_where(x):
        graph.assign(a, apply("add", apply("multiply", graph.variable(a), 3.0), 1.0))
        inside = graph.variable(a)
        assert graph.assigned[id(a)][1] is inside
    graph.assign(b, apply("add", graph.variable(b), graph.variable(a)))  # a as it is afterwards
    function = engines.build(graph, [], engine=engine)
    expected_a, expected_b = np.arange(4.0), np.ones(4)
    for condition in (False, True, True, False):
        function(np.array(condition))
        expected_a = 3 * expected_a + 1 if condition else expected_a
        expected_b = expected_b + expected_a
        assert (a.numpy() == expected_a).all() and (b.numpy() == expected_b).all()


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_what_has_a_condition_waits_for_it(engine):
    """Also where the condition is computed in one loop with a count that is written."""
    graph = Graph(training=True)
    count, factor, a = (
        Variable(np.full(shape, value, dtype), name=name)
        for shape, value, dtype, name in (
            ((), 0, "int64", "count"),
            ((), 2.0, "float64", "factor"),
            ((1,), 1.0, "float32", "a"),
        )
    )
    after = apply("add", graph.variable(count), 1)
    is_last = apply("greater_equal", after, 2)
    graph.assign(count, apply("where", is_last, 0, after))
    scale = apply("cast", graph.variable(factor), dtype="float32")
    with graph.only_where(is_last):
        graph.assign(a, apply("multiply", graph.variable(a), scale))
    graph.commit()
    function = engines.build(graph, [], engine=engine)
    for expected in (1.0, 2.0, 2.0, 4.0):
        function()
        assert a.numpy() == [expected]


@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_nothing_is_written_before_the_last_check(engine):
    """Also not what a loop writes that computes what is checked."""
    graph = Graph(training=True)
    x = graph.feed((), "float64", "x")
    total = Variable(np.array(1.0), name="total")
    after = apply("add", graph.variable(total), x)
    graph.assign(total, after)
    rate = apply("checked_rate", apply("multiply", after, 2.0), what="the rate")
    graph.commit()
    function = engines.build(graph, [rate], engine=engine)
    assert function(np.array(1.5))[0] == 5.0
    with pytest.raises(ValueError, match="the rate is -10"):
        function(np.array(-7.5))
    assert total.numpy() == 2.5


@pytest.mark.parametrize("kind", ["feed", "constant", "row", "computed"])
@pytest.mark.parametrize("engine", ["native", "numpy"])
def test_variables_that_are_updated_by_one_array(engine, kind):
    """Their updates are not one over both: each element meets its own of the array."""
    graph = Graph(training=True)
    x = graph.feed((5, 5), "float32")
    values = np.arange(25, dtype="float32").reshape(5, 5)
    factor = {
        "feed": x,
        "constant": graph.constant(values),
        "row": graph.constant(values[1]),
        "computed": apply("matmul", x, graph.constant(np.eye(5, dtype="float32"))),
    }[kind]
    variables = [Variable(np.full((5, 5), n, "float32"), name=f"v{n}") for n in (1, 2)]
    for v in variables:
        graph.assign(v, apply("multiply", graph.variable(v), factor))
    graph.commit()
    engines.build(graph, [], engine=engine)(values)
    for n, v in enumerate(variables, 1):
        np.testing.assert_array_equal(
            v.numpy(), n * np.broadcast_to(values[1] if kind == "row" else values, (5, 5))
        )
