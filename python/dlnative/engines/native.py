"""The native engine: hands a plan to C++."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from .. import _core
from .._core import FeedError
from ..placement import locks_of
from .feeding import check_ranges

if TYPE_CHECKING:
    import numpy as np

    from ..graph.tensor import Tensor
    from ..plan import Plan
    from ..variables import Variable


SPARE = 4 << 20  # bytes of programs that may be waiting for Python's collector

_held = 0  # bytes of all programs after the last collection, or fewer since


def collect_dropped() -> None:
    """Has Python collect models that nobody holds any more, where their programs have come to much.

    A model and its layers refer to each other. Python's collector, which frees such circles, comes
    by the number of objects, and does not know how much memory of C++ hangs on them.
    """
    global _held
    held = _core.memory_count()[0]
    if held > _held + max(SPARE, _held // 4):
        gc.collect()
        _held = held = _core.memory_count()[0]
    _held = min(_held, held)


class NativeFunction:
    """A plan as C++ programs: one for each thread that runs it at the same time as others.

    A thread takes an arena of the pool, and the program on it. That is built anew from the plan
    when there is none, or when another plan had the arena replaced by a larger one.

    Args:
        plan: A Plan, which may be that of other Functions, too.
        arenas: Where programs take `plan.bytes`; by default a pool of its own.

    Attributes:
        plan: The Plan.
        packed_bytes: What a program has allocated besides, for copies of weights that it does not
            write, in the form that the kernels read. Programs share the copies of the same weights.
    """

    def __init__(self, plan: Plan, arenas: _core.ArenaPool | None = None) -> None:
        self.plan = plan
        self.packed_bytes = 0
        collect_dropped()
        pool = _core.ArenaPool() if arenas is None else arenas
        self._function = _core.Function(plan.bytes, plan.threads, pool)
        # Bound methods: one attribute look-up less on the way of a single small step.
        self._call = self._function.call
        self._run = self._function.run
        self._function.program(self)

    @property
    def program(self) -> _core.Program:
        """The program of a thread that runs alone."""
        return self._function.program(self)

    def fill(self, program: _core.Program) -> None:
        """Makes an empty program that of the plan."""
        plan = self.plan
        for feed in plan.feeds:
            program.add_feed(self._buffer(feed))
        packed = []  # of each instruction that keeps packed weights, the versions of these
        packed_bytes = 0
        for node in plan.instructions:
            constants = plan.constants(node)
            condition = plan.schedule.conditions.get(id(node))
            kept = program.add(
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
                packed_bytes += kept
                packed.append(_versions(node.inputs[i].source for i in constants))
        for t in plan.outputs:
            program.add_output(self._buffer(t))
        program.set_state(locks_of(plan.variables), _versions(plan.written), packed)
        self.packed_bytes = packed_bytes

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

        Raises what `run` raises. For augmentation the rows are samples 0, 1, ... of epoch `step`.
        """
        try:
            return self._call(self, arrays, step)
        except FeedError:
            check_ranges(self.plan.feeds, arrays)
            raise

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
            How many steps were run: those before one that its values hold back, as `check_finite`
            does; 0 where that is the first.

        Raises:
            FeedError: The dtype of a feed, of integers, does not have a value of the next step.
        """
        seconds = max_seconds or 0.0
        try:
            return self._run(self, arrays, indices, first, steps, step, seconds, out, epoch, False)
        except FeedError:
            check_ranges(self.plan.feeds, arrays)
            raise

    @property
    def finite_dtypes(self) -> list[str]:
        """The dtypes of feeds, whose values `run_finite` looks at."""
        return [feed.dtype for feed in self.plan.feeds]

    def run_finite(
        self, arrays: Sequence[np.ndarray], number: int, out: Sequence[np.ndarray] | None
    ) -> int:
        """One step on the arrays of a batch, unless floats among them are not finite.

        They are looked at as what they become, where they have just been copied to.

        Args:
            arrays: One array per feed.
            number: Number of the step, and of the epoch.
            out: As for `run`.

        Returns:
            As `run`.

        Raises:
            FeedError: They are not, or as for `run`; nothing of the step has been done.
        """
        try:
            return self._run(self, arrays, None, 0, 1, number, 0.0, out, number, True)
        except FeedError:
            check_ranges(self.plan.feeds, arrays)
            raise


def _versions(variables: Iterable[Variable]) -> list[_core.Version]:
    buffers = {id(b): b for v in variables if (b := v.buffer) is not None}
    return [buffer.version for buffer in buffers.values()]
