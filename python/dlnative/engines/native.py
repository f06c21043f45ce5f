"""The native engine: fuse, plan memory, and hand the instructions to C++."""

from __future__ import annotations

import numpy as np

from .. import _core
from ..graph.table import normalize_axes
from ..graph.tensor import is_variable
from ..plan.flatten import flatten_updates, place_variables
from ..plan.fuse import fuse
from ..plan.memory import plan_memory
from ..variables import place


class NativeFunction:
    """A graph as a C++ program.

    Attributes:
        schedule: The fused nodes.
        instructions: Those of them that the program runs; views need nothing to be done.
        memory: The MemoryPlan; the program takes `memory.bytes` of its arena.
        written: The variables that the program overwrites.
        packed_bytes: What it has allocated besides, for copies of weights that it does not write,
            in the form that the kernels read. Programs share the copies of the same weights.
    """

    def __init__(self, graph, outputs, arena=None):
        place_variables(graph)
        place([t.source for t in outputs if getattr(t.source, "is_graph_variable", False)])
        self.schedule = fuse(graph, outputs)
        self.written = self.schedule.written_variables()
        flatten_updates(self.schedule)
        self.schedule.check_state_order()
        self.memory = plan_memory(self.schedule, graph.feeds)
        self.program = _core.Program(self.memory.bytes, _core.Arena() if arena is None else arena)
        for feed in graph.feeds:
            self.program.add_feed(self._buffer(feed))
        self.instructions = [
            n
            for n in self.schedule.nodes
            if not (n.op.view and id(n.inputs[0]) in self.memory.places)
        ]
        written = {id(v) for v in self.written}
        packed = []  # of each instruction that keeps packed weights, where those lie
        self.packed_bytes = 0
        for node in self.instructions:
            constants = _constants(node, written)
            kept = self.program.add(
                node.op.name,
                [None if t is None else self._buffer(t) for t in node.inputs],
                [self._buffer(t) for t in node.outputs],
                native_attributes(node.op.name, node.inputs, node.attributes),
                node.scope or "",
                bool(node.op.writes) and node.op.name != "accumulate_mean",
                constants,
            )
            if kept:
                self.packed_bytes += kept
                packed.append(_buffers(node.inputs[i].source for i in constants))
        self._changes = _buffers(self.written)
        # Most instructions have theirs in the same buffers.
        self._sources = list(dict.fromkeys(packed))
        self._source_of = [self._sources.index(buffers) for buffers in packed]
        for t in outputs:
            self.program.add_output(self._buffer(t))
        # Bound methods: one attribute look-up less on the way of a single small step.
        self._call = self.program.call
        self._run = self.program.run

    def _buffer(self, tensor):
        if id(tensor) in self.memory.places:
            return self.memory.offset(tensor), tensor.dtype, tensor.shape
        source = tensor.source
        return source if isinstance(source, np.ndarray) else source.array

    def __call__(self, *arrays, step=0):
        """One run on whole arrays, one per feed; returns a tuple of new arrays.

        For augmentation the rows are samples 0, 1, ... of epoch `step`.
        """
        versions = self._start()
        try:
            return self._call(arrays, step, versions)
        finally:
            self._count()

    def run(self, arrays, indices, first, steps, step=0, max_seconds=None, out=None, epoch=0):
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

    def _start(self):
        """The versions of the packed weights. What is about to be written has changed, too: an
        interrupt may come before it is counted afterwards.
        """
        self._count()
        versions = [max([b.version for b in buffers]) for buffers in self._sources]
        return [versions[i] for i in self._source_of]

    def _count(self):
        for buffer in self._changes:
            buffer.changed()


def _buffers(variables):
    return tuple({id(v.buffer): v.buffer for v in variables}.values())


def _constants(node, written):
    """Which inputs of a node are variables whose ids are not in `written`."""
    return [
        i
        for i, t in enumerate(node.inputs)
        if t is not None and is_variable(t.source) and id(t.source) not in written
    ]


def native_attributes(name, inputs, attributes):
    """Attributes as the native kernels take them: axes non-negative, and a list for reductions."""
    if "axis" not in attributes:
        return attributes
    axis = attributes["axis"]
    if axis is None:
        return attributes
    ndim = len(inputs[0].shape)
    if name in ("sum", "mean", "max", "min"):
        return {**attributes, "axis": list(normalize_axes(name, axis, ndim))}
    return {**attributes, "axis": axis % ndim}
