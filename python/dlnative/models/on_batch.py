"""Single batches: a call of a tiny model has to cost microseconds, so calls are kept ready.

A ready call is found by shapes and dtypes of its arrays. What it leaves out, compared with the
first call for these shapes, are the checks that shapes and dtypes decide.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..layers.tracking import Rollback
from ..metrics import Mean
from . import fitting
from .batch import flat_arrays
from .checks import check_labels, label_checks
from .state import KEPT, TrainerState, built_from

if TYPE_CHECKING:
    from ..graph.types import Shape
    from .arrays import Rows
    from .step import Step
    from .trainer import Trainer


def ready(model: Trainer, kind: str, x: Any, y: Any) -> Any:
    """The ready call for these arrays, or None."""
    state = model.__dict__.get("_trainer")
    if state is None or type(x) is not np.ndarray or type(y) is not np.ndarray:
        return None
    return state.ready((kind, x.shape, y.shape, x.dtype, y.dtype))


def is_one_batch(x: Any, batch_size: Any) -> bool:
    """Whether `predict` runs the array `x` as one batch."""
    if batch_size is None:
        batch_size = fitting.DEFAULT_BATCH
    return type(batch_size) is int and type(x) is np.ndarray and 0 < len(x) <= batch_size


def ready_prediction(model: Trainer, x: Any) -> Any:
    """The ready prediction for this array, or None."""
    state = model.__dict__.get("_trainer")
    if state is None or type(x) is not np.ndarray:
        return None
    return state.ready((x.shape, x.dtype))


class BatchCall:
    """One step of training or testing on one batch of known shapes.

    Args:
        model: The model.
        state: Its TrainerState.
        kind: "train" or "test".
        step: The Step.
        classes: Number of classes where labels are class numbers, else None.
    """

    __slots__ = (
        "basis",
        "both",
        "checks",
        "counter",
        "function",
        "made",
        "means",
        "objectives",
        "pick",
        "predictions",
        "programs",
        "resets",
    )

    def __init__(
        self,
        state: TrainerState,
        kind: str,
        step: Step,
        checks: Sequence[Callable[..., None]],
        predictions: Shape,
    ) -> None:
        self.made = built_from()
        self.basis = step.basis
        self.function = step.function
        self.both = step.sources == [0, 1]
        self.pick = step.sources
        self.checks = checks
        self.predictions = predictions
        self.objectives = state.objectives
        metrics = state.objectives.all_metrics
        self.resets = [metric.reset_state for metric in metrics]
        plain = all(
            type(m).result is Mean.result and type(m).reset_state is Mean.reset_state
            for m in metrics
        )
        self.means = [m.state.array for m in metrics] if plain else None
        self.counter = state.optimizer._iterations.array if kind == "train" else None
        self.programs = state.programs

    def __call__(self, x: Any, y: Any) -> Any:
        for check in self.checks:
            check(y, self.predictions, "y")
        with self.programs.training:
            means = self.means
            if means is None:
                for reset in self.resets:
                    reset()
            else:
                for mean in means:
                    mean.fill(0.0)
            step = 0 if self.counter is None else int(self.counter)
            if self.both:
                self.function(x, y, step=step)
            else:
                both = (x, y)
                self.function(*[both[i] for i in self.pick], step=step)
            if means is None:
                return self.objectives.in_order(self.objectives.logs())
            if len(means) == 1:
                total, count = means[0].tolist()
                return total / count
            results = []
            for mean in means:
                total, count = mean.tolist()
                results.append(total / count if count else 0.0)
            return results


class PredictionCall:
    """The outputs of a model with one input and one output, for one shape."""

    __slots__ = ("basis", "function", "made")

    def __init__(self, step: Step) -> None:
        self.made = built_from()
        self.basis = step.basis
        self.function = step.function

    def __call__(self, x: Any) -> Any:
        return self.function(x)[0]


def run(
    model: Trainer,
    state: TrainerState,
    kind: str,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    return_dict: bool,
) -> Any:
    """One step on one batch, whatever its form; keeps a ready call where there can be one."""
    with state.programs.training:
        return _run(model, state, kind, x, y, sample_weight, class_weight, return_dict)


def _run(
    model: Trainer,
    state: TrainerState,
    kind: str,
    x: Any,
    y: Any,
    sample_weight: Any,
    class_weight: Mapping[int, float] | None,
    return_dict: bool,
) -> Any:
    with Rollback(model):
        rows, probe = fitting.labelled_rows(model, state, kind, x, y, sample_weight, class_weight)
        if probe is not None:
            check_labels(rows, probe.shapes, state.objectives)
    if kind == "train":
        fitting.build_optimizer(model, state)
    step = state.step(model, kind, rows.count, rows)
    report = state.report(model, kind)
    is_plain = probe is not None and report.is_plain
    if (
        is_plain
        and type(x) is np.ndarray
        and type(y) is np.ndarray
        and rows.x[0] is x
        and rows.y[0] is y
    ):
        _keep(
            state,
            (kind, x.shape, y.shape, x.dtype, y.dtype),
            lambda: _batch_call(model, state, kind, rows, probe),
        )
    report.reset()
    number = int(state.counter) if kind == "train" else 0
    step.function(*step.pick(flat_arrays(rows)), step=number)
    step.show()
    logs = report.logs()
    return logs if return_dict else report.in_order(logs)


def _batch_call(
    model: Trainer, state: TrainerState, kind: str, rows: Rows, probe: Any
) -> BatchCall | None:
    """A ready call for these shapes, without weights; None where logs have names of their own."""
    objectives = state.objectives
    if rows.weights[0] is not None or len(rows.y) != 1:
        return None
    names = [metric.name for metric in objectives.all_metrics]
    if len(set(names)) < len(names):
        return None
    step = state.step(model, kind, rows.count, rows)
    checks = [check for _, check in label_checks(objectives, classes_only=True)]
    return BatchCall(state, kind, step, checks, probe.shapes[0])


def keep_prediction(model: Trainer, state: TrainerState, x: Any, rows: Rows, probe: Any) -> None:
    """Keeps a ready prediction for the shape of `x` where there can be one."""
    if type(x) is not np.ndarray or rows.x[0] is not x or probe.structure is not None:
        return
    _keep(
        state,
        (x.shape, x.dtype),
        lambda: PredictionCall(state.step(model, "predict", rows.count, rows)),
    )


def _keep(state: TrainerState, key: tuple[Any, ...], make: Callable[[], Any]) -> None:
    call = make()
    if call is None:
        return
    with state.programs.lock:
        while len(state.calls) >= KEPT:
            state.calls.pop(next(iter(state.calls)))
        state.calls[key] = call
