"""Losses and metrics as `compile` was given them, resolved to the outputs of the model."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, metrics
from ..graph.graph import Graph
from ..graph.tensor import apply
from ..losses.base import LossFunctionWrapper, reduce_values
from ..metrics import Mean, Metric
from ..metrics.base import update_metric
from ..placement import place
from ..utils import overrides
from ..utils.numbers import finite_number
from ..variables import Variable
from .batch import label_dtype
from .outputs import per_output

if TYPE_CHECKING:
    from ..graph.types import Shape
    from .lagrangian import Constraints
    from .model import Model


ACCURACY = ("accuracy", "acc")
CROSSENTROPY = ("crossentropy", "ce")


class CompileMetrics(Metric):
    """The metrics of `compile` as one: what `Model.metrics` has in their place, as in Keras.

    Args:
        model: The model.
        objectives: Its Objectives.
    """

    is_several = True

    def __init__(self, model: Model, objectives: Objectives) -> None:
        super().__init__(name="compile_metrics")
        self._model = weakref.ref(model)
        self._objectives = objectives

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, once the model has seen data."""
        return [metric for _, metric, _, _ in self._objectives.reported]

    @property
    def variables(self) -> list[Variable]:
        return [v for metric in self.metrics for v in metric.variables]

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Updates all of them with a batch."""
        model: Any = self._model()
        model._update_compile_metrics(y_true, y_pred, sample_weight)

    def reset_state(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def result(self) -> dict[str, Any]:
        """{name: value}"""
        results = {}
        for _, metric, _, name in self._objectives.reported:
            value = metric.result()
            results.update(value if isinstance(value, dict) else {name: value})
        return results


class Target:
    """The loss of one output."""

    __slots__ = ("index", "loss", "tracker", "weight")

    def __init__(self, index: int, loss: Any, weight: float, tracker: Mean | None) -> None:
        self.index = index
        self.loss = loss
        self.weight = weight
        self.tracker = tracker


class Objectives:
    """What a model is trained for and what is reported.

    Attributes:
        targets: List of Target, once resolved.
        reported: List of (output index, Metric, whether it is weighted, name in logs).
        loss_tracker: The mean of the total loss.
        extra: Metrics among the attributes of the model and its layers.
        constraints: The Constraints.
    """

    def __init__(
        self,
        loss: Any,
        loss_weights: Any,
        metrics: Any,
        weighted_metrics: Any,
        constraints: Constraints,
    ) -> None:
        self.loss = loss
        self.loss_weights = loss_weights
        self.metrics = metrics
        self.weighted_metrics = weighted_metrics
        self.loss_tracker = Mean(name="loss")
        self.extra: list[Metric] = []
        self.constraints = constraints
        self._together: CompileMetrics | None = None
        self.unresolve()
        check_names(loss, metrics, weighted_metrics, loss_weights)

    def compile_metrics(self, model: Model) -> CompileMetrics:
        """The metrics of `compile` as one Metric."""
        if self._together is None:
            self._together = CompileMetrics(model, self)
        return self._together

    def unresolve(self) -> None:
        """Forgets which loss and metric belongs to which output."""
        self.targets: Any = None
        self.resolved: Any = None  # the arguments of `resolve`, once it was called
        self.reported: list[Any] = []
        self._logged: list[tuple[str, Any]] | None = None
        self._keys: dict[
            str, list[str]
        ] = {}  # name of a metric whose result is a dict -> the names in it

    # --- resolving -------------------------------------------------------------------------------

    def resolve(self, names: Sequence[str] | None, preds: Sequence[Shape], labels: Any) -> None:
        """Assigns losses and metrics to outputs; "accuracy" becomes the accuracy that fits.

        Args:
            names: Names of the outputs, or None.
            preds: Shape of each output, the batch first.
            labels: Shape of the labels of each output, or None where there are none.
        """
        if self.targets is not None:
            self._check_given(names, labels)
            return
        self.resolved = [names, [*preds], [*labels]]
        targets = self._targets(names, preds, labels)
        reported = [
            *self._metrics(self.metrics, False, names, preds, labels, "metrics"),
            *self._metrics(self.weighted_metrics, True, names, preds, labels, "weighted_metrics"),
        ]
        self.reported = unique_names(
            reported, several=len(preds) > 1 and names is not None, outputs=names
        )
        self.targets = targets
        named: list[tuple[str, Any]] = [("loss", self.loss_tracker)]
        named += [(name, metric) for _, metric, _, name in self.reported]
        named += [(t.tracker.name, t.tracker) for t in targets if t.tracker is not None]
        if self.constraints:
            self._check_free([name for name, _ in named])
            named.append((self.constraints.violation.name, self.constraints.violation))
        self._logged = sorted(named, key=lambda item: item[0])
        place([v for _, metric in named for v in metric.variables])

    def _check_free(self, names: Sequence[str]) -> None:
        """Raises where a loss or metric has the name of what constraints put into the logs."""
        for name in (self.constraints.violation.name, *self.constraints.names()):
            if name in names:
                raise ValueError(f"metrics: '{name}' is the name of what constraints report")

    def _targets(
        self, names: Sequence[str] | None, preds: Sequence[Shape], labels: Any
    ) -> list[Target]:
        count = len(preds)
        given = self.loss
        if is_loss(given):
            given = [given] * count
        given = per_output(given, names, count, "loss")
        weights = self.loss_weights
        if isinstance(weights, (list, tuple)) and len(weights) != count:
            used = [i for i, loss in enumerate(given) if loss is not None]
            if len(weights) == len(used):
                weights = [weights[used.index(i)] if i in used else None for i in range(count)]
        weights = per_output(weights, names, count, "loss_weights")
        several = sum(loss is not None for loss in given) > 1
        targets = []
        for i, loss in enumerate(given):
            if loss is None:
                continue
            check_labels_given("the loss", i, names, labels)
            loss = make_loss(loss, preds[i], labels[i])
            if loss.reduction in (None, "none"):
                raise ValueError(
                    f"loss '{loss.name}': reduction {loss.reduction!r} gives one loss per sample; "
                    "training needs 'sum_over_batch_size' or 'sum'"
                )
            name = names[i] if names else loss.name
            tracker = Mean(name=f"{name}_loss") if several else None
            targets.append(Target(i, loss, weights[i], tracker))
        return targets

    def _metrics(
        self,
        given: Any,
        weighted: bool,
        names: Sequence[str] | None,
        preds: Sequence[Shape],
        labels: Any,
        what: str,
    ) -> list[Any]:
        count = len(preds)
        if not given:
            return []
        if count == 1:
            found = [_flat(given)]
        else:
            found = [_flat(entry) for entry in per_output(given, names, count, what)]
        reported = []
        for i, entries in enumerate(found):
            for entry in entries:
                check_labels_given(f"the metric {entry!r}", i, names, labels)
                metric = make_metric(entry, preds[i], labels[i])
                metric._make_state(labels[i], preds[i])
                reported.append((i, metric, weighted, metric.name))
        return reported

    def _check_given(self, names: Sequence[str] | None, labels: Any) -> None:
        for target in self.targets:
            check_labels_given("the loss", target.index, names, labels)
        for index, _, _, name in self.reported:
            check_labels_given(f"the metric {name!r}", index, names, labels)

    # --- state -----------------------------------------------------------------------------------

    @property
    def all_metrics(self) -> list[Any]:
        """Every Metric: the loss, the metrics, the losses of outputs (the order of `evaluate`)."""
        trackers = [t.tracker for t in self.targets or () if t.tracker is not None]
        violation = [self.constraints.violation] if self.constraints else []
        reported = (metric for _, metric, _, _ in self.reported)
        return [self.loss_tracker, *reported, *trackers, *violation, *self.extra]

    def reset(self) -> None:
        """Forgets all batches so far."""
        for metric in self.all_metrics:
            metric.reset_state()

    def logs(self) -> dict[str, Any]:
        """{name: value} in alphabetical order, as Keras's logs are.

        A value is a float, or an array where a metric has several; the values of a result that is a
        dict have the names that it gives them.
        """
        logs = {}
        for name, metric in self._named():
            value = metric.result()
            if isinstance(value, dict):
                logs.update((key, logged(value[key])) for key in sorted(value))
            else:
                logs[name] = value if isinstance(value, float) else logged(value)
        return dict(sorted(logs.items())) if self.extra else logs

    def _named(self) -> list[tuple[str, Any]]:
        """(name in logs, metric) of all."""
        named = self._logged or [("loss", self.loss_tracker)]
        return [*named, *((m.name, m) for m in self.extra)] if self.extra else named

    def names(self) -> list[str]:
        """The names in `logs`."""
        return [key for name, _ in self._named() for key in self._keys.get(name, (name,))]

    @property
    def has_metrics(self) -> bool:
        """Whether `compile` was given metrics."""
        return bool(self.metrics or self.weighted_metrics)

    def check_results(self) -> None:
        """Raises TypeError where the result of a metric of the user's is made of no numbers."""
        for _, metric, _, name in self.reported:
            if type(metric).result is Mean.result:
                continue
            try:
                with np.errstate(all="ignore"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    value = metric.result()
            except Exception:  # such as a division by the number of batches so far, which is 0
                continue
            if isinstance(value, dict):
                self._keys[name] = sorted(value)
            for part in value.values() if isinstance(value, dict) else (value,):
                if np.asarray(part).dtype.kind not in "biuf":
                    raise TypeError(
                        f"metric '{name}': expected result() to return a number, an array of "
                        f"numbers, or a dict of such, it returned {value!r} of type "
                        f"{type(value).__name__}"
                    )

    def in_order(self, logs: Mapping[str, Any]) -> Any:
        """Values of `logs` as `evaluate` returns them: a number, or a list, the loss first."""
        first = [metric.name for metric in self.all_metrics]
        values = [logs[name] for name in first if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in first]
        return values[0] if len(values) == 1 else values

    def direction(self, name: str) -> str | None:
        """Which way a name in the logs is better: "up", "down", or None where it is not known."""
        if name == "loss" or any(
            t.tracker is not None and t.tracker.name == name for t in self.targets or ()
        ):
            return "down"
        if self.constraints and name == self.constraints.violation.name:
            return "down"
        for _, metric, _, logged in self.reported:
            if logged == name:
                return metric._direction
        return None

    # --- checks ----------------------------------------------------------------------------------

    def check_differentiable(self, names: Sequence[str] | None, preds: Sequence[Shape]) -> None:
        """Raises where a loss of the user's has no gradient; `preds` are shapes of outputs."""
        given = [self.loss] * len(preds) if is_loss(self.loss) else None
        given = given or per_output(self.loss, names, len(preds), "loss")
        for loss, pred in zip(given, preds, strict=True):
            if callable(loss) and not isinstance(loss, type):
                check_gradient(losses.as_loss(loss), pred)


def compiled_loss(batch: Any, objectives: Objectives) -> Any:
    """The sum of the losses of all outputs; None where there are none."""
    total = None
    for target in objectives.targets:
        pred = batch.preds[target.index]
        labels = batch.labels(target.index, label_dtype(target.loss, pred))
        weight = batch.weights(target.index, pred.dtype)
        values = target.loss._values(labels, pred)
        # The weight of the loss goes into the scale of the sum, where it costs nothing.
        factor = 1.0 if target.weight is None else float(target.weight)
        value = reduce_values(values, weight, target.loss.reduction, factor)
        if target.tracker is not None:
            if factor == 0.0:
                plain = reduce_values(values, weight, target.loss.reduction)
            else:
                plain = value if factor == 1.0 else apply("rescale", value, scale=1.0 / factor)
            target.tracker.update_state(plain, sample_weight=np.float64(batch.size))
        total = value if total is None else apply("add", total, value)
    return total


def update_metrics(batch: Any, objectives: Objectives) -> None:
    """Updates the metrics of `compile`."""
    for index, metric, weighted, _ in objectives.reported:
        pred = batch.preds[index]
        labels = batch.labels(index, label_dtype(metric, pred))
        weight = batch.weights(index, pred.dtype) if weighted else None
        update_metric(metric, labels, pred, *(() if weight is None else (weight,)))


def logged(value: Any) -> float | np.ndarray:
    """A value of a metric as it stands in logs: a float, or an array that nobody changes."""
    array = np.array(value)
    return float(array.item()) if array.size == 1 else array


def check_labels_given(
    what: str, index: int, names: Sequence[str] | None, labels: Sequence[Any]
) -> None:
    """Raises where a loss or metric has no labels to compare the output with."""
    if labels[index] is None:
        where = f" of output '{names[index]}'" if names and len(labels) > 1 else ""
        raise ValueError(f"y: expected labels for {what}{where}, received none")


def unique_names(
    reported: Sequence[Any], several: bool, outputs: Sequence[str] | None
) -> list[Any]:
    """Names in the logs as Keras makes them: "head_mae"; if taken "mae_1" or "weighted_mae"."""
    counts: dict[str, int] = {}
    named = []
    for index, metric, weighted, name in reported:
        prefix = f"{outputs[index]}_" if several and outputs else ""
        name = prefix + metric.name
        if name in counts and weighted:
            name = f"{prefix}weighted_{metric.name}"
        if name in counts:
            counts[name] += 1
            name = f"{name}_{counts[name] - 1}"
        else:
            counts[name] = 1
        named.append((index, metric, weighted, name))
    return named


def is_loss(value: Any) -> bool:
    """Whether `value` is one loss for all outputs, not a list or dict with one per output."""
    return not isinstance(value, (list, tuple, dict)) or (
        isinstance(value, dict) and "class_name" in value
    )


def _flat(value: Any) -> list[Any]:
    """All metrics in a value, which may be one, or nested lists of them."""
    if value is None:
        return []
    if isinstance(value, dict) and "class_name" not in value:
        return [item for entry in value.values() for item in _flat(entry)]
    if isinstance(value, (list, tuple)):
        return [item for entry in value for item in _flat(entry)]
    return [value]


def check_names(loss: Any, metric: Any, weighted_metrics: Any, loss_weights: Any) -> None:
    """Raises for unknown names of losses and metrics, and for arguments of a wrong type."""
    for entry in [loss] if is_loss(loss) else _flat(loss):
        if not (isinstance(entry, str) and entry.lower() in CROSSENTROPY):
            given = losses.get(entry)
            if isinstance(given, losses.Loss):
                overrides.refuse_overrides(given, overrides.LOSS)
    for what, given in (("metrics", metric), ("weighted_metrics", weighted_metrics)):
        if given is not None and not isinstance(given, (list, tuple, dict)):
            raise ValueError(
                f"{what}: expected a list, or a dict by names of outputs, received {given!r}"
            )
        for entry in _flat(given):
            if not (isinstance(entry, str) and entry.lower() in ACCURACY):
                metrics.get(entry)
    for weight in _flat(loss_weights):
        finite_number("loss_weights", "every entry", weight)


def kind_of_labels(pred: Shape, labels: Any) -> str:
    """Which of "binary", "sparse" and "categorical" the shapes mean, as in Keras."""
    if pred[-1] == 1:
        return "binary"
    if len(labels) < len(pred) or labels[-1] == 1:
        return "sparse"
    return "categorical"


def make_loss(identifier: Any, pred: Shape, labels: Any) -> Any:
    """A Loss of its own for one output."""
    if isinstance(identifier, str) and identifier.lower() in CROSSENTROPY:
        functions = {
            "binary": losses.binary_crossentropy,
            "sparse": losses.sparse_categorical_crossentropy,
            "categorical": losses.categorical_crossentropy,
        }
        return LossFunctionWrapper(functions[kind_of_labels(pred, labels)], name=identifier)
    return losses.as_loss(identifier)


def make_metric(identifier: Any, pred: Shape, labels: Any) -> Metric:
    """The Metric for one output; a name or function becomes a new one."""
    if isinstance(identifier, str) and identifier.lower() in ACCURACY:
        classes = {
            "binary": metrics.BinaryAccuracy,
            "sparse": metrics.SparseCategoricalAccuracy,
            "categorical": metrics.CategoricalAccuracy,
        }
        return classes[kind_of_labels(pred, labels)](name=identifier)
    metric = metrics.get(identifier)
    if not isinstance(metric, Metric):
        metric = metrics.MeanMetricWrapper(metric)
    if isinstance(identifier, str):
        metric.name = identifier
    return metric


def check_gradient(loss: Any, pred: Shape) -> None:
    """Raises where a loss of the user's is not differentiable.

    Args:
        loss: A Loss.
        pred: Shape of the predictions, the batch first.

    Raises:
        ValueError: An op of the loss has no gradient, or the loss does not depend on predictions.
    """
    from ..plan import gradients

    graph = Graph(training=True)
    shape = (2, *pred[1:])
    y_pred = graph.feed(shape, "float32", "y_pred")
    y_true = graph.feed(loss._label_shape(shape), loss._label_dtype("float32"), "y_true")
    try:
        values = loss._values(y_true, y_pred)
    except (ValueError, TypeError):
        return  # labels of another shape than the predictions: `fit` will see them
    total = values if values.shape == () else reduce_values(values, None, "sum")
    try:
        grads = gradients(graph, total, [y_pred])
    except ValueError as error:
        raise ValueError(f"loss '{loss.name}': {error}. As a metric it can be used.") from None
    if grads[0] is None:
        raise ValueError(
            f"loss '{loss.name}': it does not depend on the predictions, or only in steps"
        )
