"""What a compiled model keeps between calls of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

from typing import Any

from .. import changes, config
from ..engines import ProgramCache
from ..graph.open_shapes import Open, with_open_sizes
from ..graph.tensor import Graph
from ..utils import nest
from .arrays import Rows, as_array, as_structure, check_counts, is_numbers, named_leaves
from .checks import class_weights
from .outputs import per_output
from .step import build_step

KEPT = 64  # programs, and ready calls of single batches


def built_from():
    """What steps depend on beside the arguments of `TrainerState.step`."""
    return changes.count(), *config.program_settings()


class TrainerState:
    """Programs by kind and shapes, and where training is.

    Attributes:
        optimizer, objectives: As compiled, or None.
        seed: Of the order of rows.
        epochs: Number of epochs so far, over all calls of `fit`.
        programs: The compiled steps.
        calls: Ready calls of single batches, by kind, shapes and dtypes.
    """

    def __init__(self):
        self.optimizer: Any = None
        self.objectives: Any = None
        self.arguments: Any = None
        self.steps_per_execution = 1
        self.seed = 0
        self.epochs = 0
        self._reset()

    def _reset(self):
        self.programs = ProgramCache(KEPT)
        self.calls = {}
        self._probes = {}
        self._changes = changes.count()

    def __getstate__(self):
        """For copies and pickles: without programs."""
        left = ("programs", "calls", "_probes", "_changes")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._reset()

    def forget(self):
        """Drops all programs: something in the model has changed."""
        self.programs.clear()
        self.calls.clear()
        self._probes.clear()
        self._changes = changes.count()

    def refresh(self):
        """Drops all programs if something they were built from has changed."""
        if self._changes != changes.count():
            self.forget()

    def current(self):
        """What ready calls depend on beside their arguments."""
        return self.programs.dropped, changes.count(), *config.program_settings()

    def probe(self, model, structure):
        """Shapes and dtypes of the outputs for inputs of these shapes; builds the model if needed.

        Args:
            model: The model.
            structure: Arrays, nested as the model takes them.

        Returns:
            A Probe.

        Raises:
            ValueError: The inputs do not fit the model; the message names the layer.
        """
        key = repr(nest.map_structure(_kind, structure))
        with self.programs.lock:
            found = self._probes.get(key)
            if found is None:
                outputs = None

                def run(size):
                    nonlocal outputs
                    graph = Graph(training=None)
                    dtypes = iter(model._feed_dtypes((structure,), {}))
                    batch = None if size is None else Open(size)
                    outputs = model(
                        nest.map_structure(
                            lambda a: graph.feed((batch, *a.shape[1:]), next(dtypes)), structure
                        )
                    )
                    return nest.flatten(outputs)

                specs = with_open_sizes(run)
                found = self._probes[key] = Probe(model, nest.pack(outputs, specs))
                self._changes = changes.count()  # building the model is no change
            return found

    def step(self, model, kind, batch, rows):
        """The Step for these shapes, compiled at the first call."""
        variables = model.trainable_variables if kind == "train" else ()
        key = (
            kind,
            batch,
            repr(
                [
                    *map(_kind, rows.x),
                    *(None if a is None else a.shape[1:] for a in (*rows.y, *rows.weights)),
                ]
            ),
            *config.program_settings(),
            tuple(id(v) for v in variables),
        )

        def build(arena):
            return build_step(model, kind, batch, rows, self.objectives, self.optimizer, arena)

        dropped = self.programs.dropped
        step = self.programs.get(key, build)
        if self.programs.dropped != dropped:  # ready calls would keep the memory of the old ones
            self.calls.clear()
        return step


def _kind(array):
    """What programs depend on: the shape of a row, and the dtype of integers and booleans."""
    return array.shape[1:], array.dtype.name if array.dtype.kind in "iub" else None


class Probe:
    """The outputs of a model: how they are nested, their names, shapes and dtypes."""

    def __init__(self, model, outputs):
        flat = nest.flatten(outputs)
        self.structure = nest.map_structure(lambda t: None, outputs)
        self.shapes = [t.shape for t in flat]
        self.dtypes = [t.dtype for t in flat]
        names = getattr(model, "output_names", None)
        if isinstance(outputs, dict):
            names = sorted(outputs)
        self.names = list(names) if names is not None and len(names) == len(flat) else None


def inputs_only(x):
    """Rows of inputs without labels."""
    structure = as_structure(x, "x")
    count = check_counts(named_leaves(structure, "x"))
    return Rows(nest.flatten(structure), [], [], structure, count)


def labelled(x, y, sample_weight, class_weight, probe_of):
    """Rows of inputs, labels and weights, one label and weight array per output.

    Args:
        x, y, sample_weight, class_weight: As `fit` takes them.
        probe_of: Function from the nested inputs to a Probe.

    Returns:
        (Rows, Probe).

    Raises:
        ValueError, TypeError: See `Trainer.fit`.
    """
    structure = as_structure(x, "x")
    named = named_leaves(structure, "x")
    check_counts(named)
    probe = probe_of(structure)
    count = len(probe.shapes)
    labels = [
        None if a is None else as_array(a, "y" if count == 1 else f"y[{i}]")
        for i, a in enumerate(per_output(y, probe.names, count, "y", single=_is_array))
    ]
    if sample_weight is not None and class_weight is not None:
        raise ValueError("Give sample_weight or class_weight, not both")
    if class_weight is not None:
        if count > 1:
            raise ValueError(
                f"class_weight: expected a model with one output, this one has {count}"
            )
        if labels[0] is None:
            raise ValueError("class_weight: expected labels y, received none")
        sample_weight = class_weights(labels[0], class_weight, probe.shapes[0][-1])
    if sample_weight is not None and count > 1 and _is_array(sample_weight):
        weight = as_array(sample_weight, "sample_weight")
        if weight.ndim > 2 or weight.shape[1:] not in ((), (1,)):
            raise ValueError(
                "sample_weight: one array for several outputs needs one weight per sample, "
                f"received shape {weight.shape}"
            )
        sample_weight = [weight] * count
    weights = [
        None if a is None else as_array(a, "sample_weight" if count == 1 else f"sample_weight[{i}]")
        for i, a in enumerate(
            per_output(sample_weight, probe.names, count, "sample_weight", single=_is_array)
        )
    ]
    for i, a in enumerate(labels):
        named.append(("y" if count == 1 else f"y[{i}]", a))
        named.append(("sample_weight" if count == 1 else f"sample_weight[{i}]", weights[i]))
    return Rows(nest.flatten(structure), labels, weights, structure, check_counts(named)), probe


def _is_array(value):
    """One array, also as a list of numbers; not a list or dict of arrays."""
    return not isinstance(value, dict) and not (
        isinstance(value, (list, tuple)) and not is_numbers(value)
    )
