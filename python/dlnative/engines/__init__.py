"""The two engines: native hands a plan to C++, numpy walks the same graph with the oracle."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from .. import config
from .cache import ProgramCache

if TYPE_CHECKING:
    from .._core import ArenaPool
    from ..graph.graph import Graph
    from ..graph.tensor import Tensor
    from .native import NativeFunction
    from .numpy import NumpyFunction

__all__ = ["Function", "ProgramCache", "build"]

Function: TypeAlias = "NativeFunction | NumpyFunction"  # a step that can be run


def build(
    graph: Graph,
    outputs: Sequence[Tensor],
    engine: str | None = None,
    arenas: ArenaPool | None = None,
) -> Function:
    """Makes a Function that computes `outputs` and all state updates of `graph`.

    Args:
        graph: A Graph with concrete shapes.
        outputs: List of tensors of the graph.
        engine: "native", "numpy", or None for the one that is set.
        arenas: Where its tensors lie, with those of other Functions; by default in a pool of its
            own.

    Returns:
        A Function: call it with one array per feed, or `run` many steps over a data set.
    """
    graph.commit()
    name = engine or config.current_engine()
    if name == "numpy":
        from .numpy import NumpyFunction

        return NumpyFunction(graph, outputs)
    from ..plan import make_plan
    from .native import NativeFunction

    return NativeFunction(make_plan(graph, outputs), arenas)
