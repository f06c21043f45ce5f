"""The native engine: hands a plan to C++."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core

if TYPE_CHECKING:
    import numpy as np

    from ..graph.tensor import Tensor
    from ..plan import Plan
    from ..variables import Variable


class NativeFunction:
    """A plan as a C++ program.

    Args:
        plan: A Plan, which may be that of other programs, too.
        arena: Where the program takes `plan.bytes`; by default an arena of its own.

    Attributes:
        plan: The Plan.
        packed_bytes: What it has allocated besides, for copies of weights that it does not write,
            in the form that the kernels read. Programs share the copies of the same weights.
    """

    def __init__(self, plan: Plan, arena: _core.Arena | None = None) -> None:
        self.plan = plan
        arena = _core.Arena() if arena is None else arena
        self.program = _core.Program(plan.bytes, arena, plan.threads)
        for feed in plan.feeds:
            self.program.add_feed(self._buffer(feed))
        packed = []  # of each instruction that keeps packed weights, where those lie
        self.packed_bytes = 0
        for node in plan.instructions:
            constants = plan.constants(node)
            condition = plan.schedule.conditions.get(id(node))
            kept = self.program.add(
                node.op.name,
                [None if t is None else self._buffer(t) for t in node.inputs],
                [self._buffer(t) for t in node.outputs],
                node.op.native_attributes(node.inputs, node.attributes),
                node.scope or "",
                plan.schedule.commits(node),
                constants,
                plan.memory.workspace(node),
                None if condition is None else self._buffer(condition),
            )
            if kept:
                self.packed_bytes += kept
                packed.append(_buffers(node.inputs[i].source for i in constants))
        self._changes = _buffers(plan.written)
        # Most instructions have theirs in the same buffers.
        self._sources = list(dict.fromkeys(packed))
        self._source_of = [self._sources.index(buffers) for buffers in packed]
        for t in plan.outputs:
            self.program.add_output(self._buffer(t))
        # Bound methods: one attribute look-up less on the way of a single small step.
        self._call = self.program.call
        self._run = self.program.run

    @property
    def table_bytes(self) -> int:
        """What its instructions have allocated for tables that they only read."""
        return self.program.table_bytes

    def _buffer(self, tensor: Tensor) -> Any:
        memory = self.plan.memory
        if id(tensor) in memory.places:
            return memory.offset(tensor), tensor.dtype, tensor.shape
        return self.plan.schedule.array_of(tensor)

    def __call__(self, *arrays: np.ndarray, step: int = 0) -> tuple[np.ndarray, ...]:
        """One run on whole arrays, one per feed; returns a tuple of new arrays.

        For augmentation the rows are samples 0, 1, ... of epoch `step`.
        """
        versions = self._start()
        try:
            return self._call(arrays, step, versions)
        finally:
            self._count()

    def run(
        self,
        arrays: Sequence[np.ndarray],
        indices: np.ndarray | None,
        first: int,
        steps: int,
        step: int = 0,
        max_seconds: float | None = None,
        out: Sequence[np.ndarray] | None = None,
        epoch: int = 0,
    ) -> int:
        """Runs up to `steps` steps over rows of data sets in one call, without the GIL.

        Args:
            arrays: One array per feed with rows on axis 0, of any numeric dtype and strides.
            indices: int64 row numbers, or None for consecutive rows.
            first: Position of the first row of the first step; step s reads the feed's number of
                rows from position first + s * rows on.
            steps: How many steps at most.
            step: Number of the first step, for random masks.
            max_seconds: Stop after this time; at least one step is run.
            out: None, or one array per output that receives the rows of each step at their
                position.
            epoch: Number of the epoch, for augmentation, which is a function of it and of the
                numbers of the rows.

        Returns:
            How many steps were run.
        """
        versions = self._start()
        try:
            return self._run(
                arrays, indices, first, steps, step, max_seconds or 0.0, out, epoch, versions
            )
        finally:
            self._count()

    def _start(self) -> list[int]:
        """The versions of the packed weights. What is about to be written has changed, too: an
        interrupt may come before it is counted afterwards.
        """
        self._count()
        versions = [max([b.version for b in buffers]) for buffers in self._sources]
        return [versions[i] for i in self._source_of]

    def _count(self) -> None:
        for buffer in self._changes:
            buffer.changed()


def _buffers(variables: Iterable[Variable]) -> tuple[Any, ...]:
    return tuple({id(v.buffer): v.buffer for v in variables}.values())
