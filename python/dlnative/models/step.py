"""One step of a model as a graph: forward, loss, metrics, backward and update, and its Function."""

from __future__ import annotations

import numpy as np

from .. import changes, engines
from ..graph.dtypes import FLOATS
from ..graph.tensor import Graph, Tracing, apply
from ..losses.base import Loss, reduce_values
from ..metrics.base import update_metric
from ..plan import gradients
from ..utils import nest


class Step:
    """A compiled step and which arrays it reads.

    Attributes:
        function: Runs the step, as a Function of the engine.
        built: The engine's Function, which that is or runs.
        sources: For each feed, which array of `flat_arrays` it reads.
    """

    __slots__ = ("built", "function", "sources")

    def __init__(self, built, sources, function=None):
        self.built = built
        self.function = built if function is None else function
        self.sources = sources

    @property
    def variables(self) -> list:
        """What the step keeps beside the state of model and optimizer."""
        return [] if self.function is self.built else self.function.variables

    def pick(self, arrays):
        """The arrays of the feeds, in their order."""
        return [arrays[i] for i in self.sources]


def flat_arrays(rows):
    """All arrays of a data set in the order that `Step.sources` counts: inputs, labels, weights."""
    return [*rows.x, *rows.y, *rows.weights]


class Feeds:
    """Makes the feeds of a graph as they are needed and notes which array each one reads."""

    def __init__(self, graph, batch, rows):
        self.graph = graph
        self.batch = batch
        self.arrays = flat_arrays(rows)
        self.sources = []
        self.made = {}

    def feed(self, index, dtype, name):
        """The feed that reads array `index` as `dtype`; None where there is no such array."""
        array = self.arrays[index]
        if array is None:
            return None
        tensor = self.made.get((index, dtype))
        if tensor is None:
            tensor = self.graph.feed((self.batch, *array.shape[1:]), dtype, name)
            self.made[index, dtype] = tensor
            self.sources.append(index)
        return tensor


def build_step(model, kind, batch, rows, objectives=None, optimizer=None, arena=None):
    """Compiles one step.

    Args:
        model: The model; it is called on graph tensors.
        kind: "train", "test" or "predict".
        batch: Number of rows of a step.
        rows: A Rows: shapes of one row of everything.
        objectives: Resolved Objectives, for "train" and "test".
        optimizer: For "train".
        arena: Where the step's tensors lie; one of its own by default.

    Returns:
        A Step. Training and testing have no outputs: they change the state.
    """
    graph = Graph(training=kind == "train")
    feeds = Feeds(graph, batch, rows)
    preds = forward(model, feeds, rows)
    if kind == "predict":
        outputs = [t if t.node is not None else apply("reshape", t, shape=t.shape) for t in preds]
        return Step(engines.build(graph, outputs, arena=arena), feeds.sources)
    variables = model.trainable_variables
    search = None
    with Tracing(graph):
        total = _total_loss(variables, feeds, rows, preds, objectives)
        objectives.loss_tracker.update_state(total, sample_weight=np.float64(batch))
        _emit_metrics(feeds, rows, preds, objectives)
        constraints = objectives.constraints
        if constraints:
            arguments = constraint_arguments(model, feeds, rows, preds, objectives)
            values = constraints.evaluated(graph, arguments, batch)
        if kind == "train":
            check_trainable(variables)
            if constraints:
                total = constraints.penalised(total, values)
                constraints.update(graph, values)
            grads = gradients(
                graph, optimizer.scale_loss(total), [graph.variable(v) for v in variables]
            )
            search = optimizer.train_nodes(graph, variables, grads, total)
    built = engines.build(graph, [], arena=arena)
    return Step(built, feeds.sources, None if search is None else search(built, arena))


def check_trainable(variables):
    """Raises ValueError where a weight that is to be trained is of integers or booleans."""
    for v in variables:
        if v.dtype not in FLOATS:
            raise ValueError(
                f"weight '{v.path}' is {v.dtype}, which no gradient can change; make it with "
                "trainable=False"
            )


def forward(model, feeds, rows):
    """Calls the model on feeds of its inputs; returns the outputs as a flat list."""
    dtypes = model._feed_dtypes((rows.structure,), {})
    names = model_input_names(model, len(rows.x))
    tensors = [feeds.feed(i, dtype, names[i]) for i, dtype in enumerate(dtypes)]
    return nest.flatten(model(nest.pack(rows.structure, tensors)))


def model_input_names(model, count):
    names = getattr(model, "input_names", None)
    return names if names is not None and len(names) == count else [None] * count


def _labels(feeds, rows, index, dtype):
    return feeds.feed(len(rows.x) + index, dtype, "y" if len(rows.y) == 1 else f"y[{index}]")


def _weight(feeds, rows, index, dtype):
    return feeds.feed(len(rows.x) + len(rows.y) + index, dtype, "sample_weight")


def label_dtype(objective, pred):
    """int32 for a loss or metric of class numbers, else the dtype in which it computes."""
    if isinstance(objective, Loss):
        return objective._label_dtype(pred.dtype)
    return "int32" if getattr(objective, "sparse_labels", False) else pred.dtype


def constraint_arguments(model, feeds, rows, preds, objectives):
    """What constraints may take, as functions without arguments: labels are fed if one does."""
    losses = {target.index: target.loss for target in objectives.targets}

    def y_true():
        labels = []
        for i, pred in enumerate(preds):
            label = _labels(feeds, rows, i, label_dtype(losses.get(i), pred))
            if label is None:
                raise ValueError("y: expected labels for a constraint of y_true, received none")
            labels.append(label)
        return labels[0] if len(labels) == 1 else labels

    return {
        "model": lambda: model,
        "y_true": y_true,
        "y_pred": lambda: preds[0] if len(preds) == 1 else preds,
    }


def resolve_constraints(model, rows, objectives):
    """Looks at the constraints for rows of these shapes; see `Constraints.resolve`."""

    def trace(graph, batch):
        feeds = Feeds(graph, batch, rows)
        return constraint_arguments(model, feeds, rows, forward(model, feeds, rows), objectives)

    shapes = [None if a is None else (a.shape[1:], a.dtype.name) for a in flat_arrays(rows)]
    objectives.constraints.resolve(model, (changes.count(), repr(shapes)), trace)


def _total_loss(variables, feeds, rows, preds, objectives):
    """The sum of the losses of all outputs and of the penalties of regularized weights."""
    total = None
    for target in objectives.targets:
        pred = preds[target.index]
        labels = _labels(feeds, rows, target.index, label_dtype(target.loss, pred))
        weight = _weight(feeds, rows, target.index, pred.dtype)
        values = target.loss._values(labels, pred)
        # The weight of the loss goes into the scale of the sum, where it costs nothing.
        factor = 1.0 if target.weight is None else float(target.weight)
        value = reduce_values(values, weight, target.loss.reduction, factor)
        if target.tracker is not None:
            if factor == 0.0:
                plain = reduce_values(values, weight, target.loss.reduction)
            else:
                plain = value if factor == 1.0 else apply("rescale", value, scale=1.0 / factor)
            target.tracker.update_state(plain, sample_weight=np.float64(feeds.batch))
        total = value if total is None else apply("add", total, value)
    for variable in variables:
        if variable.regularizer is not None:
            penalty = feeds.graph.result(
                variable.regularizer(feeds.graph.variable(variable)),
                f"the regularizer of '{variable.path}'",
            )
            penalty = apply("sum", penalty) if penalty.shape else penalty
            total = penalty if total is None else apply("add", total, penalty)
    if total is None:
        raise ValueError("There is no loss to train with: pass `loss` to compile()")
    return total


def _emit_metrics(feeds, rows, preds, objectives):
    for index, metric, weighted, _ in objectives.reported:
        pred = preds[index]
        labels = _labels(feeds, rows, index, label_dtype(metric, pred))
        weight = _weight(feeds, rows, index, pred.dtype) if weighted else None
        update_metric(metric, labels, pred, *(() if weight is None else (weight,)))
