"""One step of a model: traced once per shape, and made a program or computed at once each time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import changes, config, engines
from ..engines.immediate import ImmediateGraph, ImmediateTensor
from ..engines.stepping import Stepwise
from ..graph.dtypes import FLOATS
from ..graph.graph import Graph
from ..graph.refusals import ValueNeeded
from ..graph.tensor import Tensor, Tracing, ValueTensor, apply
from ..layers.extra_losses import added_losses, penalties
from ..layers.tracking import Attributes, all_layers
from ..metrics.base import Result
from ..placement import exclusive, place_for_programs
from ..plan import gradients
from ..reference.state import NotFinite
from ..utils import nest
from ..utils.packing import pack_x_y_sample_weight
from ..utils.warn import warn_user
from ..variables import Variable
from .arrays import Rows
from .batch import FedBatch, Feeds, flat_arrays, label_dtype
from .guard import add_guard
from .objectives import Objectives, compiled_loss, update_metrics
from .report import Returned


class Step:
    """A step that is ready to run and which arrays it reads.

    Attributes:
        function: Runs the step, as a Function of the engine.
        built: The engine's Function, which that is or runs; an `Immediate` one where the step is
            computed op by op.
        sources: For each feed, which array of `flat_arrays` it reads.
        recipe: What it does.
        basis: The Basis that it was built from.
        returned: {name: Variable or Result} that a step of the model's own returns; None where it
            has none, or gives numbers when it runs.
    """

    __slots__ = ("basis", "built", "function", "recipe", "returned", "sources")

    def __init__(
        self,
        built: Any,
        sources: list[int],
        recipe: Recipe,
        function: Any = None,
        returned: dict[str, Any] | None = None,
    ) -> None:
        self.built = built
        self.function = built if function is None else function
        self.sources = sources
        self.recipe = recipe
        self.returned = returned
        self.basis: Any = None

    @property
    def variables(self) -> list:
        """What the step keeps beside the state of model and optimizer."""
        return [] if self.function is self.built else self.function.variables

    def show(self) -> None:
        """What this step returns is what logs show; called when it runs."""
        if self.returned is not None:
            self.recipe.returned.logs = self.returned  # type: ignore[union-attr]

    def pick(self, arrays: Sequence[Any]) -> list[Any]:
        """The arrays of the feeds, in their order."""
        return [arrays[i] for i in self.sources]


class Recipe:
    """What one step does, for any graph that it is traced in.

    Args:
        model: The model.
        kind: "train", "test" or "predict".
        batch: Number of rows.
        rows: Rows: shapes of one row of everything.
        state: The TrainerState: optimizer and resolved Objectives.
        returned: Where a step of the model's own puts what it returns; None for the default step.
    """

    def __init__(
        self,
        model: Any,
        kind: str,
        batch: int,
        rows: Rows,
        state: Any,
        returned: Returned | None = None,
    ) -> None:
        self.model = model
        self.kind = kind
        self.batch = batch
        self.rows = rows
        self.state = state
        self.returned = returned
        self.structure: Any = None
        self.search: Callable[[Any, Any], Any] | None = None  # see `Optimizer.train_nodes`

    def trace(self, graph: Graph, arrays: Sequence[Any] | None = None) -> tuple[Feeds, list]:
        """Adds the step to a graph; returns its feeds and its outputs.

        Args:
            graph: A graph without nodes.
            arrays: The arrays of the batch, for a graph that computes at once.
        """
        feeds = Feeds(graph, self.batch, self.rows, arrays)
        if self.returned is not None:
            return feeds, self._trace_own(graph, feeds)
        outputs = self.model(feeds.inputs(self.model))
        self.structure = nest.skeleton(outputs)
        preds = nest.flatten(outputs)
        if self.kind == "predict":
            return feeds, _computed(preds)
        with Tracing(graph):
            return feeds, self._trace_default(graph, feeds, preds)

    def _trace_default(self, graph: Graph, feeds: Feeds, preds: list) -> list:
        """Loss, metrics and, in training, gradients and update; returns the outputs."""
        model, objectives, optimizer = self.model, self.state.objectives, self.state.optimizer
        variables = model.trainable_variables
        batch = FedBatch(feeds, preds)
        total = total_loss(model, graph, batch, objectives)
        objectives.loss_tracker.update_state(total, sample_weight=np.float64(self.batch))
        update_metrics(batch, objectives)
        constraints = objectives.constraints
        if constraints:
            arguments = constraint_arguments(model, batch, objectives)
            values = constraints.evaluated(graph, arguments, self.batch)
        graph.watched.append(total)
        if self.kind != "train":
            return []
        check_trainable(variables)
        if constraints:
            total = constraints.penalised(total, values)
            constraints.update(graph, values)
        if not variables:
            with Tracing(graph):
                optimizer._iterations.assign_add(1)  # what layers draw follows from it
            return [add_guard(graph, self.state, model)]
        grads = gradients(
            graph, optimizer.scale_loss(total), [graph.variable(v) for v in variables]
        )
        self.search = optimizer.train_nodes(graph, variables, grads, total)
        return [] if self.search else [add_guard(graph, self.state, model)]

    def _trace_own(self, graph: Graph, feeds: Feeds) -> list:
        """The step that the model's class has."""
        model = self.model
        step = getattr(model, f"{self.kind}_step")
        with Tracing(graph):
            returned = step(self._data(feeds))
            what = f"{type(model).__name__}.{self.kind}_step"
            if self.kind == "predict":
                outputs = nest.map_structure(lambda v: graph.result(v, what), returned)
                self.structure = nest.skeleton(outputs)
                return _computed(nest.flatten(outputs))
            if not isinstance(returned, dict):
                raise TypeError(
                    f"{what} must return a dict of what logs show, such as "
                    f"{{'loss': loss}}, it returned {type(returned).__name__}"
                )
            values = {str(name): self._logged(name, v) for name, v in returned.items()}
            self.returned.logs = values  # type: ignore[union-attr]
            if self.kind != "train":
                return []
            self.state.steps.assign_add(1)
            loss = returned.get("loss")
            if isinstance(loss, Tensor) and loss.graph is graph:
                graph.watched.append(loss)
            return [add_guard(graph, self.state, model)]

    def _data(self, feeds: Feeds) -> Any:
        """x, (x, y) or (x, y, sample_weight) as tensors of their own dtypes."""
        rows = self.rows
        x = feeds.inputs(self.model)
        y = [feeds.labels(i, self._dtype(a)) for i, a in enumerate(rows.y) if a is not None]
        weights = [
            feeds.weights(i, self._dtype(a, True))
            for i, a in enumerate(rows.weights)
            if a is not None
        ]
        return pack_x_y_sample_weight(
            x,
            nest.pack(rows.y_structure, y) if y else None,
            nest.pack(rows.weight_structure, weights) if weights else None,
        )

    def _dtype(self, array: Any, is_weight: bool = False) -> str:
        """Integers and booleans stay what they are, as inputs do."""
        if array.dtype.kind == "f" or is_weight:
            return self.model.input_dtype
        return self.model._feed_dtypes((np.empty(0, array.dtype),), {})[0]

    def _logged(self, name: str, value: Any) -> Any:
        """How a value that a step returns is read after it has run."""
        if isinstance(value, dict):
            return {key: self._logged(f"{name}/{key}", v) for key, v in value.items()}
        if isinstance(value, (Result, Variable)):
            return value
        if not isinstance(value, Tensor) or isinstance(value, ValueTensor):
            number = np.asarray(getattr(value, "value", value))
            if number.dtype.kind not in "biuf":
                raise TypeError(
                    f"{type(self.model).__name__}.{self.kind}_step: what it returns as {name!r} "
                    f"must be a tensor, a number or the result of a metric, received {value!r}"
                )
            return number
        if isinstance(value, ImmediateTensor):
            return value.value
        variable = self.returned.variable(name, value)  # type: ignore[union-attr]
        variable.assign(value)
        return variable


class Immediate(Stepwise):
    """A step that is computed op by op, by the code of the model, each time that it runs."""

    def __init__(self, recipe: Recipe, step: Step) -> None:
        self.recipe = recipe
        self.step = step

    @property
    def rows(self) -> list[int]:
        """See `Stepwise.rows`."""
        return [self.recipe.batch] * len(self.step.sources)

    def once(self, arrays: Sequence[Any], step: int, epoch: int, samples: Any) -> tuple:
        """See `Stepwise.once`."""
        recipe = self.recipe
        given: list[Any] = [None] * len(flat_arrays(recipe.rows))
        for i, array in zip(self.step.sources, arrays, strict=True):
            given[i] = np.asarray(array)
        with exclusive(self._variables()):  # steps take turns
            graph = _immediate_graph()(recipe.kind == "train", step, epoch, samples)
            _, outputs = recipe.trace(graph, given)
            is_armed = recipe.kind == "train" and recipe.state.armed.array
            if is_armed and not all(t.value for t in outputs):
                raise NotFinite("the step has values that are not finite")
            if recipe.search is not None:
                raise NotImplementedError(
                    f"{type(recipe.state.optimizer).__name__} evaluates the loss several times a "
                    "step, which takes a program; run_eagerly must be False"
                )
            graph.commit()
        return tuple(np.array(t.value) for t in outputs)

    def _variables(self) -> list:
        """The variables of model and optimizer, with the locks that programs would give them."""
        optimizer = self.recipe.state.optimizer
        found = [*self.recipe.model.variables, *(optimizer.variables if optimizer else ())]
        place_for_programs(found)
        return found


def _immediate_graph() -> type[ImmediateGraph]:
    """The class of graphs that compute at once: the oracle is imported where it is asked."""
    if not config.is_verifying():
        return ImmediateGraph
    from ..engines.verified import VerifiedGraph

    return VerifiedGraph


def build_step(recipe: Recipe, arenas: Any = None, run_eagerly: bool = False) -> Step:
    """Makes a step that can run.

    Args:
        recipe: What it does.
        arenas: Where its tensors lie; a pool of its own by default.
        run_eagerly: Whether it is to be computed op by op.

    Returns:
        A Step. Testing has no outputs, as it changes the state; training has one, whether all was
        finite, see `guard.add_guard`.
    """
    if not run_eagerly:
        is_own = recipe.returned is not None
        before = Attributes(recipe.model) if is_own or _has_own_layers(recipe.model) else None
        try:
            return _compiled(recipe, arenas, before)
        except (ValueNeeded, SetInPython) as error:
            if before is None or (isinstance(error, ValueNeeded) and not is_own):
                raise
            before.restore()
            _warn(recipe, error)
    changes.read_anew()
    sources = [i for i, a in enumerate(flat_arrays(recipe.rows)) if a is not None]
    step = Step(None, sources, recipe)
    step.built = step.function = Immediate(recipe, step)
    return step


def _has_own_layers(model: Any) -> bool:
    """Whether the code of a layer is the user's."""
    package = __name__.partition(".")[0]
    return any(type(each).__module__.partition(".")[0] != package for each in all_layers(model))


class SetInPython(Exception):
    """Code of a step sets a number, anew each time that it runs."""


def _compiled(recipe: Recipe, arenas: Any, before: Attributes | None) -> Step:
    graph = Graph(training=recipe.kind == "train")
    feeds, outputs = recipe.trace(graph)
    if before is not None:
        _check_numbers(recipe, before)
    built = engines.build(graph, outputs, arenas=arenas)
    function: Any = None
    if config.is_verifying():
        from ..engines.verified import VerifiedFunction

        function = VerifiedFunction(graph, outputs, built)
    if recipe.search is not None:
        function = recipe.search(function or built, arenas)
        function.armed = recipe.state.armed
    returned = None if recipe.returned is None else recipe.returned.logs
    return Step(built, feeds.sources, recipe, function, returned)


def _check_numbers(recipe: Recipe, before: Attributes) -> None:
    """Raises SetInPython where a program would leave out what the code counts."""
    numbers = before.changed_numbers()
    if not numbers:
        return
    kept = [(o, dict(vars(o))) for o in (recipe, recipe.returned) if o is not None]
    recipe.trace(Graph(training=recipe.kind == "train"))  # what follows from the shapes stays
    for owner, state in kept:
        vars(owner).update(state)
    for (layer, name), value in numbers.items():
        if getattr(layer, name) != value:
            raise SetInPython(f"{type(layer).__name__}.{name}")


def _warn(recipe: Recipe, error: Exception) -> None:
    name = f"{type(recipe.model).__name__}.{recipe.kind}_step"
    if isinstance(error, SetInPython):
        why = f"sets {error} to another number each time"
        advice = "a program would do that once; a Variable and its assign_add are a part of it"
    else:
        why, advice = f"needs the value of a tensor{_line_of(error)}", str(error)
    warn_user(f"{name} {why}, so it runs op by op, which is slower: {advice}")


def _line_of(error: Exception) -> str:
    """File and line of the innermost code outside of this package."""
    package = __name__.partition(".")[0]
    found = ""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__name__", "").partition(".")[0] != package:
            found = f" at {frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found


def _computed(tensors: list) -> list:
    """Outputs of a program: what no node computes, such as an input, is copied."""
    return [t if t.node is not None else apply("reshape", t, shape=t.shape) for t in tensors]


def check_trainable(variables: Sequence[Variable]) -> None:
    """Raises ValueError where a weight that is to be trained is of integers or booleans."""
    for v in variables:
        if v.dtype not in FLOATS:
            raise ValueError(
                f"weight '{v.path}' is {v.dtype}, which no gradient can change; make it with "
                "trainable=False"
            )


def constraint_arguments(
    model: Any, batch: FedBatch, objectives: Objectives
) -> dict[str, Callable[[], Any]]:
    """What constraints may take, as functions without arguments: labels are fed if one does."""
    losses = {target.index: target.loss for target in objectives.targets}
    preds = batch.preds

    def y_true() -> Any:
        labels = []
        for i, pred in enumerate(preds):
            label = batch.labels(i, label_dtype(losses.get(i), pred))
            if label is None:
                raise ValueError("y: expected labels for a constraint of y_true, received none")
            labels.append(label)
        return labels[0] if len(labels) == 1 else labels

    return {
        "model": lambda: model,
        "y_true": y_true,
        "y_pred": lambda: preds[0] if len(preds) == 1 else preds,
    }


def resolve_constraints(model: Any, rows: Rows, objectives: Objectives) -> None:
    """Looks at the constraints for rows of these shapes; see `Constraints.resolve`."""

    def trace(graph: Graph, batch: int) -> dict[str, Callable[[], Any]]:
        feeds = Feeds(graph, batch, rows)
        preds = nest.flatten(model(feeds.inputs(model)))
        return constraint_arguments(model, FedBatch(feeds, preds), objectives)

    shapes = [None if a is None else (a.shape[1:], a.dtype.name) for a in flat_arrays(rows)]
    objectives.constraints.resolve(model, (changes.count(), repr(shapes)), trace)


def total_loss(model: Any, graph: Graph, batch: FedBatch, objectives: Objectives) -> Tensor:
    """The losses of all outputs, what layers have added, and the penalties of weights."""
    total = compiled_loss(batch, objectives)
    for term in (*added_losses(model, graph), *penalties(model.trainable_variables)):
        total = term if total is None else apply("add", total, term)
    if total is None:
        raise ValueError("There is no loss to train with: pass `loss` to compile()")
    return total
