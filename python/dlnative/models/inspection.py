"""What a model's compiled step needs and where its time goes: memory_plan and profile."""

from __future__ import annotations

import numpy as np

from .. import config
from ..utils import nest
from .loop import Pass


class Inspection:
    """Mixin of every model: looks at the step that training or prediction runs."""

    def memory_plan(self, batch_size=32):
        """The exact memory of a step, before anything is run.

        Compiles the training step of a compiled model, or the prediction step of another one, for
        `batch_size` rows.

        Args:
            batch_size: Rows per step.

        Returns:
            A MemoryReport: `arena_bytes` is what the program has allocated for activations,
            gradients and batches; `variable_bytes` and `optimizer_bytes` are beside it. Printing it
            shows a table.

        Raises:
            ValueError: The model has no defined input shape yet.

        Example:
            >>> import dlnative
            >>> model = dlnative.Sequential([dlnative.Input((4,)), dlnative.layers.Dense(3)])
            >>> model.compile("adam", "mse")
            >>> model.memory_plan(batch_size=32).optimizer_bytes  # two slots, 4 x 3 + 3 parameters
            152
        """
        from .checks import check_count

        batch = check_count("batch_size", batch_size)
        with config.engine("native"):
            step = _step(self, batch)
        memory = step.function.memory
        slots = self.optimizer.variables if self.compiled and self.optimizer is not None else []
        return MemoryReport(
            batch,
            "train" if _trains(self) else "predict",
            memory,
            sum(v.value.nbytes for v in self.variables),
            sum(v.value.nbytes for v in slots),
        )

    def profile(self, x, y=None, batch_size=32, steps=20):
        """Time, speed and share of the machine's peak per instruction of a step.

        Runs training steps (prediction steps where `y` is None) on real rows; the state of the model
        is put back afterwards.

        Args:
            x, y: Data of at least `batch_size` rows.
            batch_size: Rows per step.
            steps: How many steps are timed.

        Returns:
            A Profile; printing it shows a table.
        """
        from .. import _core
        from .checks import check_count

        batch = check_count("batch_size", batch_size)
        steps = check_count("steps", steps)
        with config.engine("native"):
            rows, step = _rows_and_step(self, x, y, batch)
        saved = [(v, v.numpy()) for v in _state_of(step)]
        program = step.function.program
        try:
            run = Pass(rows, batch, lambda n: step)
            run.run(None, 0, 1)
            program.set_profiling(True)
            for _ in range(steps):
                run.run(None, 0, 1)
            entries = program.profile()
        finally:
            program.set_profiling(False)
            for v, value in saved:
                v.assign(value)
        peak = _core.fma_peak("float32", 0.05) * config.num_threads()
        nodes = [n for n in step.function.schedule.nodes if not step.function.is_view(n)]
        return Profile(
            [
                (label, node.op.name, algorithm, seconds / runs, node.op.flops(node), node.op.bytes(node))
                for (label, algorithm, seconds, runs), node in zip(entries, nodes)
            ],
            peak,
        )


def _trains(model):
    return model.compiled and model.loss is not None


def _state_of(step):
    found = {}
    for node in step.function.graph_nodes:
        for t in node.inputs:
            if t is not None and getattr(t.source, "is_graph_variable", False):
                found[id(t.source)] = t.source
    return found.values()


def _zeros(shape, batch, dtype):
    """Rows of zeros that take no memory."""
    return np.broadcast_to(np.zeros((), dtype), (batch, *shape[1:]))


def _step(model, batch):
    if not model.built or getattr(model, "inputs", None) is None:
        raise ValueError(f"memory_plan: model '{model.name}' has no input shape yet: begin it with an Input, or call it once")
    inputs = nest.map_structure(lambda t: _zeros(t.shape, batch, "float32"), model._inputs_struct)
    return _rows_and_step(model, inputs, None, batch)[1]


def _rows_and_step(model, x, y, batch):
    from . import fitting
    from .state import inputs_only, labelled

    if _trains(model):
        state = model._training("memory_plan")
        plain = inputs_only(x)
        probe = state.probe(model, plain.structure)
        if y is None:
            y = [None] * len(probe.shapes)
            sparse = _sparse_outputs(state.objectives, probe)
            for i, shape in enumerate(probe.shapes):
                y[i] = _zeros(shape[:-1], batch, "int32") if i in sparse else _zeros(shape, batch, "float32")
            y = y[0] if len(y) == 1 else y
        rows, probe = labelled(x, y, None, None, lambda s: state.probe(model, s))
        state.objectives.resolve(probe, rows)
        fitting.build_optimizer(model, state)
        return rows, state.step(model, "train", batch, rows)
    state = model._prediction()
    rows = inputs_only(x)
    state.probe(model, rows.structure)
    return rows, state.step(model, "predict", batch, rows)
