"""The plan of a program: what is done in which order, and where everything lies."""

from __future__ import annotations

from .flatten import flatten_updates, place_variables
from .fuse import fuse
from .memory import plan_memory


class Plan:
    """A step before anything is allocated; programs are built from it, any number of them.

    Attributes:
        schedule: The fused nodes.
        instructions: Those of them that a program runs; views need nothing to be done.
        feeds: The tensors that the caller gives, in their order.
        outputs: The tensors that the caller receives.
        memory: The MemoryPlan.
        written: The variables that a program overwrites.

    Example:
        >>> from dlnative.graph import Graph, apply
        >>> graph = Graph()
        >>> x = graph.feed((4, 8), "float32")
        >>> plan = make_plan(graph, [apply("relu", apply("rescale", x, scale=2.0))])
        >>> [node.op.name for node in plan.instructions], plan.bytes
        (['rescale', 'relu'], 128)
    """

    def __init__(self, schedule, feeds, memory, written):
        self.schedule = schedule
        self.feeds = list(feeds)
        self.outputs = schedule.outputs
        self.memory = memory
        self.written = written
        self.instructions = [
            n for n in schedule.nodes if not (n.op.view and id(n.inputs[0]) in memory.places)
        ]

    @property
    def bytes(self):
        """What a program takes of its arena."""
        return self.memory.bytes


def make_plan(graph, outputs):
    """Fuses a graph's nodes, merges its updates and places its tensors.

    Its variables move to their final places, where they stay for good.

    Args:
        graph: A Graph with concrete shapes; it is not changed.
        outputs: List of tensors of the graph. State that its nodes write is kept besides.

    Returns:
        A Plan.

    Raises:
        RuntimeError: A pass has changed the order in which state is read and written.
    """
    place_variables(graph, outputs)
    schedule = fuse(graph, outputs)
    written = schedule.written_variables()  # a merged update writes memory, and names no variable
    flatten_updates(schedule)
    schedule.check_state_order()
    return Plan(schedule, graph.feeds, plan_memory(schedule, graph.feeds), written)
