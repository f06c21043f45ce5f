"""What a compiled model keeps between calls of `fit`, `evaluate` and `predict`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .. import changes, config
from ..engines import ProgramCache
from ..engines.immediate import ImmediateGraph
from ..graph.graph import Graph
from ..graph.open_shapes import Open, with_open_sizes
from ..graph.tensor import Spec
from ..layers import tracking
from ..scalar import Scalar
from ..utils import nest, overrides
from .arrays import Rows, as_array, as_structure, check_counts, is_numbers, named_leaves
from .checks import class_weights
from .outputs import per_output
from .report import Report, Returned
from .step import Recipe, Step, build_step

if TYPE_CHECKING:
    import numpy as np

    from ..graph.types import Shape
    from ..optimizers.optimizer import Optimizer
    from .trainer import Trainer


KEPT = 64  # programs, and ready calls of single batches


def built_from() -> tuple[Any, ...]:
    """What steps depend on beside the arguments of `TrainerState.step`."""
    return changes.count(), *config.program_settings()


class TrainerState:
    """Programs by kind and shapes, and where training is.

    Attributes:
        optimizer, objectives: As compiled, or None.
        run_eagerly: Whether steps are computed op by op.
        own: The kinds of step that the model's class has itself, see `steps.own_steps`.
        seed: Of the order of rows.
        epochs: Number of epochs so far, over all calls of `fit`.
        description: What was compiled, as it was before the first `fit` that writes checkpoints.
        programs: The compiled steps.
        returned: What the last step of each kind has returned, where it is the model's own.
        steps: The number of steps of training so far, where they are the model's own.
        armed: Not 0 while a step of training whose values are not finite is held back.
        checks_all: Whether the steps that are made look at all gradients and new weights; see
            `guard.add_guard`.
        calls: Ready calls of single batches, by kind, shapes and dtypes.
    """

    def __init__(self) -> None:
        self.optimizer: Any = None
        self.objectives: Any = None
        self.arguments: Any = None
        self.steps_per_execution = 1
        self._run_eagerly = False
        self.steps = Scalar(0, "int64", "steps")
        self.own: frozenset[str] = frozenset()
        self.seed = 0
        self.epochs = 0
        self.description: Any = None
        self._reset()

    def _reset(self) -> None:
        self.programs = ProgramCache(KEPT)
        self.armed = Scalar(0, "int64", "armed")
        self.checks_all = False
        self.calls = {}
        self._probes = {}
        self.returned = {kind: Returned() for kind in ("train", "test", "predict")}

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: without programs."""
        left = ("programs", "armed", "checks_all", "calls", "_probes", "returned")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def forget(self) -> None:
        """Drops all programs."""
        self.programs.clear()
        self.calls.clear()
        self._probes.clear()

    def use_optimizer(self, optimizer: Optimizer | None) -> None:
        """From the next step on `optimizer` trains."""
        if optimizer is not self.optimizer:
            overrides.refuse_overrides(optimizer, overrides.FITTING_OPTIMIZER)
            self.optimizer = self.arguments["optimizer"] = optimizer
            self.forget()
            changes.note_flag()

    @contextlib.contextmanager
    def checking(self, everything: bool) -> Iterator[None]:
        """A `with` block in which `checks_all` has a value."""
        before, self.checks_all = self.checks_all, everything
        try:
            yield
        finally:
            self.checks_all = before

    def follow(self, own: frozenset[str]) -> None:
        """Notes which kinds of step are the model's own, such as a function that was set on it."""
        if own != self.own:
            self.own = own
            self.forget()

    def ready(self, key: tuple[Any, ...]) -> Any:
        """The ready call of single batches for this key, or None."""
        call = self.calls.get(key)
        if call is None:
            return None
        current = built_from()
        if call.made != current:
            if call.made[1:] != current[1:] or not call.basis.is_current():
                return None
            call.made = current  # something else has changed
        return call

    def probe(self, model: Trainer, structure: Any) -> Probe:
        """Shapes and dtypes of the outputs for inputs of these shapes; builds the model if needed.

        Args:
            model: The model.
            structure: Arrays, nested as the model takes them.

        Returns:
            A Probe.

        Raises:
            ValueError: The inputs do not fit the model; the message names the layer.
        """
        key = repr(nest.map_given(_kind, structure))
        found, basis = self._probes.get(key, (None, None))
        if found is not None and basis.is_current():
            return found
        with changes.tracing:
            found, basis = self._probes.get(key, (None, None))
            if found is None or not basis.is_current():
                look = _eager_outputs if self.run_eagerly else _outputs
                basis = changes.Basis()
                with basis:
                    outputs, specs = _described(model, structure) or look(model, structure)
                found = Probe(model, nest.pack(outputs, specs))
                while len(self._probes) >= KEPT:
                    self._probes.pop(next(iter(self._probes)))
                self._probes[key] = found, basis
            return found

    def position(self) -> dict[str, Any]:
        """Where training is, as plain values."""
        return {"seed": self.seed, "epochs": self.epochs}

    def go_to(self, position: Mapping[str, Any]) -> None:
        """Makes the position what `position` returned."""
        seed, epochs = position["seed"], position["epochs"]
        if not all(type(n) is int and 0 <= n < 2**64 for n in (seed, epochs)):
            raise ValueError(f"expected a seed and a number of epochs, received {position!r:.200}")
        self.seed, self.epochs = seed, epochs

    def report(self, model: Trainer, kind: str) -> Report:
        """The Report of a run of steps of a kind."""
        return Report(model, self.objectives, self.returned[kind] if kind in self.own else None)

    @property
    def counter(self) -> np.ndarray:
        """The number of steps of training so far, an array of shape ()."""
        return (self.steps if "train" in self.own else self.optimizer._iterations).array

    @property
    def run_eagerly(self) -> bool:
        """Whether steps are computed op by op."""
        return self._run_eagerly

    @run_eagerly.setter
    def run_eagerly(self, value: bool) -> None:
        if value is not self._run_eagerly:
            self._run_eagerly = value
            changes.note_flag()
            self.forget()

    def step(self, model: Trainer, kind: str, batch: int, rows: Rows) -> Step:
        """The Step for these shapes, compiled at the first call."""
        variables = model.trainable_variables if kind == "train" else ()
        key = (
            kind,
            batch,
            repr(
                [
                    *(None if a is None else _kind(a) for a in rows.x),
                    *(None if a is None else a.shape[1:] for a in (*rows.y, *rows.weights)),
                    *((_form(rows),) if kind in self.own else ()),
                ]
            ),
            *config.program_settings(),
            kind == "train" and self.checks_all,
            tuple(id(v) for v in variables),
        )

        def build(arenas: Any) -> Step:
            is_own = kind in self.own
            recipe = Recipe(model, kind, batch, rows, self, self.returned[kind] if is_own else None)
            return build_step(recipe, arenas, self.run_eagerly)

        step, basis = self.programs.get_with_basis(key, build)
        step.basis = basis
        return step


def _described(model: Any, structure: Any) -> tuple[Any, list[Spec]] | None:
    """The same as `_outputs`, of a functional model that is as it was made, for such inputs.

    None where the outputs have to be looked for.
    """
    graph = model._graph
    if graph is None or overrides.overridden(type(model), ("call", "__call__")):
        return None
    inputs, outputs = graph.input, graph.output
    if nest.skeleton(inputs) != nest.skeleton(structure):
        return None
    arrays, tensors = nest.flatten(structure), nest.flatten(inputs)
    if any(array is None for array in arrays):
        return None
    dtypes = model._feed_dtypes((structure,), {})
    for array, tensor, dtype in zip(arrays, tensors, dtypes, strict=True):
        if (None, *array.shape[1:]) != tensor.shape or dtype != tensor.dtype:
            return None
    layers = tracking.all_layers(model)
    if any("_changed" in vars(layer) for layer in layers):
        return None
    for layer in layers:
        changes.used(layer)
    return outputs, [Spec(t.shape, t.dtype) for t in nest.flatten(outputs)]


def _outputs(model: Any, structure: Any) -> tuple[Any, list[Spec]]:
    """The outputs of a model for arrays, nested, and their shapes with an open batch, flat."""
    outputs = None

    def run(size: int | None) -> list[Any]:
        nonlocal outputs
        graph = Graph(training=None)
        dtypes = iter(model._feed_dtypes((structure,), {}))
        batch = None if size is None else Open(size)
        inputs = nest.map_given(
            lambda a: graph.feed((batch, *a.shape[1:]), next(dtypes)), structure
        )
        outputs = model(inputs)
        return nest.flatten(outputs)

    specs = with_open_sizes(run)
    return outputs, specs


def _eager_outputs(model: Any, structure: Any) -> tuple[Any, list[Spec]]:
    """The same of a model that asks for values: it is called on the first row."""
    graph = ImmediateGraph(training=None)
    dtypes = iter(model._feed_dtypes((structure,), {}))
    inputs = nest.map_given(lambda a: graph.feed_array(a[:1], next(dtypes)), structure)
    outputs = model(inputs)
    return outputs, [Spec((None, *t.shape[1:]), t.dtype) for t in nest.flatten(outputs)]


def _form(rows: Rows) -> list[Any]:
    """How the data of a step of the user's are nested, and their dtypes."""
    return [
        nest.map_given(lambda a: a.dtype.name, rows.structure),
        [a.dtype.name for a in (*rows.y, *rows.weights) if a is not None],
        nest.skeleton(rows.y_structure),
        nest.skeleton(rows.weight_structure),
    ]


def _kind(array: Any) -> tuple[Shape, str | None]:
    """What programs depend on: the shape of a row, and the dtype of integers and booleans."""
    return array.shape[1:], array.dtype.name if array.dtype.kind in "iub" else None


class Probe:
    """The outputs of a model: how they are nested, their names, shapes and dtypes."""

    def __init__(self, model: Trainer, outputs: Any) -> None:
        flat = nest.flatten(outputs)
        self.structure = nest.skeleton(outputs)
        self.shapes = [t.shape for t in flat]
        self.dtypes = [t.dtype for t in flat]
        names = getattr(model, "output_names", None)
        if isinstance(outputs, dict):
            names = sorted(outputs)
        self.names = list(names) if names is not None and len(names) == len(flat) else None

    def row_specs(self) -> list[tuple[Shape, str]]:
        """(shape of a row, dtype) of each output."""
        return [(shape[1:], d) for shape, d in zip(self.shapes, self.dtypes, strict=True)]


def inputs_only(x: Any) -> Rows:
    """Rows of inputs without labels."""
    structure = as_structure(x, "x")
    count = check_counts(named_leaves(structure, "x"))
    return Rows(nest.flatten(structure), [], [], structure, count)


def free(x: Any, y: Any, sample_weight: Any) -> Rows:
    """Rows of data of any nesting, for a step of the user's.

    Raises:
        ValueError, TypeError: See `Trainer.fit`.
    """
    structure = as_structure(x, "x")
    named = named_leaves(structure, "x")
    labels = None if y is None else as_structure(y, "y")
    weights = None if sample_weight is None else as_structure(sample_weight, "sample_weight")
    named += named_leaves(labels, "y") + named_leaves(weights, "sample_weight")
    count = check_counts(named)

    def leaves(nested: Any) -> list[Any]:
        return [a for a in nest.flatten(nested) if a is not None]

    return Rows(
        leaves(structure), leaves(labels), leaves(weights), structure, count, labels, weights
    )


def labelled(
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    probe_of: Callable[[Any], Probe],
) -> tuple[Rows, Probe]:
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


def _is_array(value: Any) -> bool:
    """One array, also as a list of numbers; not a list or dict of arrays."""
    return not isinstance(value, dict) and not (
        isinstance(value, (list, tuple)) and not is_numbers(value)
    )
