"""What a model's compiled step needs and where its time goes: memory_plan and profile."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import config, losses
from ..graph.open_shapes import may_agree
from ..layers.layer import map_shapes
from ..utils import nest
from . import fitting
from .arrays import Rows
from .batch import flat_arrays
from .objectives import CROSSENTROPY, Objectives, is_loss
from .outputs import per_output
from .state import inputs_only
from .step import Immediate, Recipe, Step, build_step, resolve_constraints

if TYPE_CHECKING:
    from ..graph.types import Shape
    from .model import Model


PEAK_FLOPS = 4e9  # measures the peak of a core for profiles, in a hundredth to a tenth of a second


class Inspection:
    """Mixin of every model: looks at the step that training or prediction runs."""

    def memory_plan(self: Any, batch_size: int = 32, input_shape: Any = None) -> MemoryReport:
        """The exact memory of a step, before anything is run.

        Compiles the training step of a compiled model, or the prediction step of another one, for
        `batch_size` rows.

        Args:
            batch_size: Rows per step.
            input_shape: The shape of the data where sizes of the inputs are open: such as
                (None, 32, 32, 3), or nested like `model.input_shape`. The batch size in it does not
                matter.

        Returns:
            A MemoryReport: `arena_bytes` is what the program has allocated for activations,
            gradients and batches; `packed_bytes`, `variable_bytes` and `optimizer_bytes` are beside
            it. Printing it shows a table.

        Raises:
            ValueError: The model has no defined input shape yet; a size of it is open and not
                given; or `input_shape` does not fit.

        Example:
            >>> import dlnative
            >>> model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Dense(3)])
            >>> model.compile("adam", "mse")
            >>> model.memory_plan(batch_size=32).optimizer_bytes  # 2 slots of 15, rate, count
            136
        """
        from .checks import check_count

        batch = check_count("batch_size", batch_size)
        with config.engine("native"):
            step = _planned_step(self, batch, input_shape)
        slots = self.optimizer.variables if self.compiled and self.optimizer is not None else []
        return MemoryReport(
            batch,
            "train" if _trains(self) else "predict",
            step.built,
            sum(v.array.nbytes for v in self.variables),
            sum(v.array.nbytes for v in (*slots, *step.variables)),
        )

    def profile(self: Any, x: Any, y: Any = None, batch_size: int = 32, steps: int = 20) -> Profile:
        """Time, speed and share of the machine's peak per instruction of a step.

        Runs training steps (prediction steps where `y` is None) on real rows; the state of the
        model is put back afterwards.

        Args:
            x, y: Data, one row at least.
            batch_size: Rows per step, or as many as there are.
            steps: How many steps are timed.

        Returns:
            A Profile; printing it shows a table.
        """
        from .. import _core
        from .checks import check_count

        batch_size = check_count("batch_size", batch_size)
        steps = check_count("steps", steps)
        with config.engine("native"):
            if y is None:
                state = self._prediction()
                rows = inputs_only(x)
                batch = min(batch_size, rows.count)
                state.probe(self, rows.structure)
                step = state.step(self, "predict", batch, rows)
            else:
                state = self._training("profile()")
                rows = fitting.checked(self, state, "train", x, y)
                batch = min(batch_size, rows.count)
                fitting.build_optimizer(self, state)
                step = state.step(self, "train", batch, rows)
        _check_program(step, "profile")
        saved = [(v, v.numpy()) for v in step.built.plan.written]
        program = step.built.program
        try:
            arrays = step.pick(flat_arrays(rows))
            step.built.run(arrays, None, 0, 1)
            program.set_profiling(True)
            for _ in range(steps):
                step.built.run(arrays, None, 0, 1)
            entries = program.profile()
        finally:
            program.set_profiling(False)
            for v, value in saved:
                v.write(value)
        peak = PEAK_FLOPS / _core.fma_seconds("float32", PEAK_FLOPS) * config.num_threads()
        nodes = step.built.plan.instructions
        return Profile(
            [
                (
                    label,
                    node.op.name,
                    algorithm,
                    seconds / runs,
                    node.op.flops(node),
                    node.op.bytes(node),
                )
                for (label, algorithm, seconds, runs), node in zip(entries, nodes)
            ],
            peak,
        )


def _check_program(step: Step, what: str) -> None:
    """Raises where a step is computed op by op."""
    if isinstance(step.built, Immediate):
        raise ValueError(
            f"{what}: the step runs op by op, by run_eagerly=True or because it asks for values, "
            "so there is no program to look at"
        )


def _trains(model: Model) -> bool:
    return model.compiled and model.loss is not None


def _zeros(shape: Shape, batch: int, dtype: str = "float32") -> np.ndarray:
    """Rows of zeros that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), (batch, *shape[1:]))


def _input_shapes(model: Model, given: Any) -> Any:
    """The shapes of the inputs, nested as these are, with what is given for open sizes."""
    graph = model._graph
    if not model.built or graph is None:
        raise ValueError(
            f"memory_plan: model '{model.name}' has no input shape yet. Begin it with an Input, or "
            "call it once."
        )
    inputs = graph.input
    flat = nest.flatten(inputs)
    shapes = [t.shape for t in flat]
    if given is not None:
        shapes = []
        map_shapes(shapes.append, given)
        if len(shapes) != len(flat) or not all(
            may_agree(shape, t.shape, 0) for shape, t in zip(shapes, flat)
        ):
            expected = [t.shape for t in flat] if len(flat) > 1 else flat[0].shape
            raise ValueError(f"memory_plan: expected input_shape like {expected}, received {given}")
    for t, shape in zip(flat, shapes):
        if None in shape[1:]:
            example = (None, *(32 if n is None else n for n in shape[1:]))
            raise ValueError(
                f"memory_plan: the memory of model '{model.name}' depends on sizes of input "
                f"'{t.name}' that are open, {shape}. Pass input_shape, such as {example}."
            )
    return nest.pack(inputs, shapes)


def _planned_step(model: Any, batch: int, input_shape: Any = None) -> Step:
    """The step for rows of zeros; what the model has compiled and resolved so far stays."""
    shapes = _input_shapes(model, input_shape)
    rows = inputs_only(map_shapes(lambda shape: _zeros(shape, batch), shapes))
    if not _trains(model):
        return build_step(Recipe(model, "predict", batch, rows, model._prediction()))
    state = model._training("memory_plan()")
    if "train" in state.own:
        raise ValueError(
            f"memory_plan: {type(model).__name__} has a training step of its own, whose labels are "
            "not known; look at a step of prediction in a model that is not compiled"
        )
    probe = state.probe(model, rows.structure)
    given = state.objectives
    labels = [
        None if loss is None else _zeros(loss._label_shape(shape), batch)
        for loss, shape in zip(_losses(given, probe), probe.shapes)
    ]
    objectives = Objectives(
        given.loss, given.loss_weights, given.metrics, given.weighted_metrics, given.constraints
    )
    objectives.resolve(probe.names, probe.shapes, [None if a is None else a.shape for a in labels])
    fitting.build_optimizer(model, state)
    rows = Rows(rows.x, labels, [None] * len(labels), rows.structure, batch)
    if objectives.constraints:
        resolve_constraints(model, rows, objectives)
    planned = copy.copy(state)
    planned.objectives = objectives
    return build_step(Recipe(model, "train", batch, rows, planned))


def _losses(objectives: Objectives, probe: Any) -> list[Any]:
    """One Loss or None per output."""
    count = len(probe.shapes)
    given = objectives.loss
    given = [given] * count if is_loss(given) else per_output(given, probe.names, count, "loss")
    return [None if loss is None else losses.as_loss(_named(loss)) for loss in given]


def _named(loss: Any) -> Any:
    crossentropy = isinstance(loss, str) and loss.lower() in CROSSENTROPY
    return "categorical_crossentropy" if crossentropy else loss


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Text with aligned columns; the first is on the left, the others on the right."""
    lines = [header, *rows]
    widths = [max(len(row[i]) for row in lines) for i in range(len(header))]
    return "\n".join(
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths))
        )
        for row in lines
    )


class MemoryReport:
    """Bytes of a step.

    Attributes:
        batch_size: Rows of the step.
        kind: "train" or "predict".
        arena_bytes: Activations, gradients, batches and workspace, in the one block that the
            program has.
        packed_bytes: Copies of weights that the step does not change, in the form that the kernels
            read: those of convolutions, in prediction steps. Steps of the same weights share them.
        table_bytes: Index tables and other constants of the instructions, such as those of
            convolutions.
        variable_bytes: Weights and other variables of the model.
        optimizer_bytes: Slots of the optimizer, and what a line search keeps.
        rows: (name, bytes, offset, first node, last node) of every piece of the arena.
    """

    def __init__(
        self, batch_size: int, kind: str, function: Any, variable_bytes: int, optimizer_bytes: int
    ) -> None:
        self.batch_size = batch_size
        self.kind = kind
        self.arena_bytes = function.plan.bytes
        self.packed_bytes = function.packed_bytes
        self.table_bytes = function.table_bytes
        self.variable_bytes = variable_bytes
        self.optimizer_bytes = optimizer_bytes
        self.rows = function.plan.memory.rows()

    @property
    def total_bytes(self) -> int:
        """All that training or prediction holds: program, variables, state of the optimizer."""
        program = self.arena_bytes + self.packed_bytes + self.table_bytes
        return program + self.variable_bytes + self.optimizer_bytes

    def __str__(self) -> str:
        rows = [
            (name, f"{size:,}", f"{offset:,}", f"{start}", f"{end}")
            for name, size, offset, start, end in self.rows
        ]
        return "\n".join(
            [
                f"{self.kind} step of {self.batch_size} rows",
                table(("tensor", "bytes", "offset", "from", "to"), rows),
                f"arena      {self.arena_bytes:>14,} bytes",
                f"packed     {self.packed_bytes:>14,} bytes",
                f"tables     {self.table_bytes:>14,} bytes",
                f"variables  {self.variable_bytes:>14,} bytes",
                f"optimizer  {self.optimizer_bytes:>14,} bytes",
                f"total      {self.total_bytes:>14,} bytes",
            ]
        )

    __repr__ = __str__


class Profile:
    """Where the time of a step goes.

    Attributes:
        rows: (layer, op, algorithm, seconds per run, FLOPs, bytes) per instruction, in order.
        peak: FLOP/s of the machine with the threads in use, measured beside it.
    """

    def __init__(self, rows: list[tuple[Any, ...]], peak: float) -> None:
        self.rows = rows
        self.peak = peak

    @property
    def seconds(self) -> float:
        """Seconds per step, the sum of all instructions."""
        return sum(row[3] for row in self.rows)

    def __str__(self) -> str:
        total = self.seconds or 1.0
        cells = [
            (
                f"{layer}: {op}",
                algorithm,
                f"{1e6 * seconds:.1f}",
                f"{100 * seconds / total:.1f}",
                f"{flops / seconds / 1e9:.1f}" if seconds else "",
                f"{100 * flops / seconds / self.peak:.0f}" if seconds else "",
                f"{size / seconds / 1e9:.1f}" if seconds else "",
            )
            for layer, op, algorithm, seconds, flops, size in self.rows
        ]
        header = ("instruction", "algorithm", "us", "%", "GFLOP/s", "% of peak", "GB/s")
        return (
            table(header, cells)
            + f"\nstep: {1e6 * self.seconds:.1f} us, peak {self.peak / 1e9:.0f} GFLOP/s"
        )

    __repr__ = __str__
