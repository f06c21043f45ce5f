"""The plan of a program: what is done in which order, and where everything lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import config
from ..graph.tensor import Node, Tensor, is_variable
from .flatten import place_variables
from .fuse import fuse
from .memory import MemoryPlan, Places, plan_memory
from .workspace import workspace_bytes

if TYPE_CHECKING:
    from ..graph.graph import Graph
    from ..variables import Variable
    from .schedule import Schedule


class Plan:
    """A step before anything is allocated; programs are built from it, any number of them.

    Attributes:
        schedule: The fused nodes.
        instructions: Those of them that a program runs; views need nothing to be done.
        feeds: The tensors that the caller gives, in their order.
        outputs: The tensors that the caller receives.
        memory: The MemoryPlan, with workspace for the number of threads that was set.
        variables: The variables that a program reads or overwrites.
        written: Those that it overwrites.
        threads: The number of threads for which there is workspace; programs use no more.

    Example:
        >>> from dlnative.graph import Graph, apply
        >>> graph = Graph()
        >>> x = graph.feed((4, 8), "float32")
        >>> plan = make_plan(graph, [apply("softmax", apply("rescale", x, scale=2.0))])
        >>> [node.op.name for node in plan.instructions], plan.bytes
        (['fma', 'softmax'], 128)
    """

    def __init__(
        self,
        schedule: Schedule,
        feeds: Sequence[Tensor],
        memory: MemoryPlan,
        variables: list[Variable],
        written: list[Variable],
        threads: int,
    ) -> None:
        self.schedule = schedule
        self.feeds = list(feeds)
        self.outputs = schedule.outputs
        self.memory = memory
        self.variables = variables
        self.written = written
        self.threads = threads
        self._written = {id(v) for v in written}
        self.instructions = [
            n for n in schedule.nodes if not (n.op.view and id(n.inputs[0]) in memory.places)
        ]

    @property
    def bytes(self) -> int:
        """What a program takes of its arena."""
        return self.memory.bytes

    def constants(self, node: Node) -> list[int]:
        """Which inputs of a node are variables that a program does not write."""
        return constant_inputs(node, self._written)


def constant_inputs(node: Node, written: set[int]) -> list[int]:
    """Which inputs of a node are variables whose ids are not in `written`."""
    return [
        i
        for i, t in enumerate(node.inputs)
        if t is not None and is_variable(t.source) and id(t.source) not in written
    ]


def make_plan(graph: Graph, outputs: Sequence[Tensor], loops: bool = True) -> Plan:
    """Fuses a graph's nodes and places its tensors.

    Its variables move to their final places, where they stay for good.

    Args:
        graph: A Graph with concrete shapes; it is not changed.
        outputs: List of tensors of the graph. State that its nodes write is kept besides.
        loops: See `fuse`.

    Returns:
        A Plan.

    Raises:
        RuntimeError: A pass has changed the order in which state is read and written.
    """
    variables = place_variables(graph, outputs)
    schedule = fuse(graph, outputs, loops)
    schedule.check_state()
    written = schedule.written_variables()
    ids = {id(v) for v in written}
    known: dict = {}

    def workspace(node: Node, places: Places) -> int:
        if not node.op.has_workspace:
            return 0
        constants = constant_inputs(node, ids)
        return workspace_bytes(node, places, schedule.source_of, constants, known)

    memory = plan_memory(schedule, graph.feeds, workspace)
    return Plan(schedule, graph.feeds, memory, variables, written, config.num_threads())
