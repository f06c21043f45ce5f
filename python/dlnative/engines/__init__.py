"""The two engines: native hands a plan to C++, numpy walks the same graph with the oracle."""

from __future__ import annotations

from .. import config
from .cache import ProgramCache

__all__ = ["ProgramCache", "build"]


def build(graph, outputs, engine=None, arena=None):
    """Makes a Function that computes `outputs` and all state updates of `graph`.

    Args:
        graph: A Graph with concrete shapes.
        outputs: List of tensors of the graph.
        engine: "native", "numpy", or None for the one that is set.
        arena: Where its tensors lie, with those of other Functions that run by turns with it; by
            default an arena of its own.

    Returns:
        A Function: call it with one array per feed, or `run` many steps over a data set.
    """
    graph.commit()
    name = engine or config.current_engine()
    if name == "numpy":
        from .numpy import NumpyFunction

        return NumpyFunction(graph, outputs, arena)
    from ..plan import make_plan
    from .native import NativeFunction

    return NativeFunction(make_plan(graph, outputs), arena)
