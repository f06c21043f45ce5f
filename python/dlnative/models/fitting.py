"""The epochs of `fit`, `evaluate` and `predict`, and what is loaded and compiled before them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from typing import Any

from .. import config
from ..callbacks import CallbackList
from ..graph import Graph
from ..layers import messages
from ..layers.extra_losses import added_losses
from ..utils.warn import warn_user
from . import checks
from .arrays import Rows, as_array
from .batch import Feeds, flat_arrays
from .epochs import Epochs
from .loop import Pass, run_in_parts, run_steps
from .nonfinite import POLICIES
from .pairing import warn_of_pairings
from .sources import Source
from .state import Probe, TrainerState, built_from, free, labelled
from .step import resolve_constraints
from .steps import Steps

DEFAULT_BATCH = 32


class FitOptions:
    """The numbers that `fit` is given, checked."""

    def __init__(
        self,
        batch_size: Any,
        epochs: Any,
        initial_epoch: Any,
        verbose: Any,
        shuffle: Any,
        validation_split: Any,
        steps_per_epoch: Any,
        validation_steps: Any,
        validation_batch_size: Any,
        validation_freq: Any,
        on_nonfinite: Any,
        max_seconds: Any,
        replay: Any,
    ) -> None:
        self.begun = time.perf_counter()
        count = checks.check_count
        self.batch_size = count("batch_size", batch_size, optional=True)
        self.epochs = count("epochs", epochs, low=0)
        limit = config.max_epochs()
        if limit is not None and limit < self.epochs:
            warn_user(f"Limiting epochs to {limit}")
            self.epochs = limit
        self.initial_epoch = count("initial_epoch", initial_epoch, low=0)
        self.verbose = checks.check_verbose(verbose)
        if shuffle not in (True, False, "batch"):
            raise ValueError(f"shuffle: expected True, False or 'batch', received {shuffle!r}")
        self.shuffle = shuffle
        self.validation_split = checks.check_fraction("validation_split", validation_split)
        self.steps_per_epoch = count("steps_per_epoch", steps_per_epoch, optional=True)
        self.validation_steps = count("validation_steps", validation_steps, optional=True)
        self.validation_batch_size = count(
            "validation_batch_size", validation_batch_size, optional=True
        )
        self.validation_freq = checks.check_validation_freq(validation_freq)
        if on_nonfinite not in POLICIES:
            raise ValueError(
                f"on_nonfinite: expected one of {', '.join(map(repr, POLICIES))}, received "
                f"{on_nonfinite!r}"
            )
        self.on_nonfinite = on_nonfinite
        if not isinstance(replay, (str, os.PathLike, type(None))):
            raise TypeError(f"replay: expected the path of a folder or None, received {replay!r}")
        self.replay = replay
        self.max_seconds = checks.check_max_seconds(max_seconds, self.epochs)

    @property
    def deadline(self) -> float:
        """When `max_seconds` are over, on the clock `time.perf_counter`."""
        return self.begun + (self.max_seconds or 0.0)

    def validates(self, epoch: int) -> bool:
        """Whether epoch number `epoch` (from 0) is followed by a validation."""
        if isinstance(self.validation_freq, set):
            return epoch + 1 in self.validation_freq
        return (epoch + 1) % self.validation_freq == 0


def labelled_rows(
    model: Any,
    state: TrainerState,
    kind: str,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
) -> tuple[Rows, Probe | None]:
    """(Rows, Probe) of a data set whose shapes fit the model, the losses and the metrics.

    A step of the model's own takes data of any nesting; then there is no Probe.
    """
    if kind in state.own:
        rows = free_rows(x, y, sample_weight, class_weight)
        if not model.built and model.has_call:
            state.probe(model, rows.structure)  # builds it: a step asks for the variables first
        return rows, None
    rows, probe = labelled(x, y, sample_weight, class_weight, lambda s: state.probe(model, s))
    objectives = state.objectives
    if objectives.loss is None and not _has_other_losses(model, rows):
        raise ValueError("There is no loss to compute: pass `loss` to compile()")
    labels = [None if a is None else a.shape for a in rows.y]
    resolved = objectives.targets is not None
    objectives.resolve(probe.names, probe.shapes, labels)
    try:
        checks.check_shapes(rows, probe.shapes, probe.dtypes, objectives)
        objectives.check_results()
    except (ValueError, TypeError):
        if not resolved:  # "accuracy" must not stay what labels that do not fit have made of it
            objectives.unresolve()
        raise
    if not resolved:
        warn_of_pairings(model, objectives)
    if objectives.constraints:
        resolve_constraints(model, rows, objectives)
    return rows, probe


def free_rows(x: Any, y: Any, sample_weight: Any, class_weight: Any) -> Rows:
    """Rows of data of any nesting."""
    if class_weight is not None:
        if sample_weight is not None:
            raise ValueError("Give sample_weight or class_weight, not both")
        sample_weight = checks.class_weights(as_array(y, "y"), class_weight, None)
    return free(x, y, sample_weight)


def _has_other_losses(model: Any, rows: Rows) -> bool:
    """Whether there is something to minimise without a loss of `compile`."""
    if any(v.regularizer is not None for v in model.trainable_variables):
        return True
    graph = Graph(training=True)
    model(Feeds(graph, 2, rows).inputs(model))
    return bool(added_losses(model, graph))


def checked(
    model: Any,
    state: TrainerState,
    kind: str,
    x: Any,
    y: Any,
    sample_weight: Any = None,
    class_weight: Any = None,
    finite: bool = False,
    prefix: str = "",
) -> Rows:
    """Rows of a data set whose shapes and values fit."""
    rows, probe = labelled_rows(model, state, kind, x, y, sample_weight, class_weight)
    arrays = flat_arrays(rows)
    found = value_checks(state, rows, probe, prefix)
    if finite:
        found = [*found, *finite_checks(model, rows, probe, prefix)]
    for index, check in found:
        check(arrays[index])
    return rows


def value_checks(
    state: TrainerState, rows: Rows, probe: Probe | None, prefix: str = ""
) -> list[checks.Check]:
    """What is looked for in the values of labels of these shapes.

    Args:
        state: The TrainerState of the model.
        rows: A Rows.
        probe: The Probe of the model, or None for a step of its own.
        prefix: What to put in front of the names.

    Returns:
        A list of (index of an array among `flat_arrays`, function of it that raises).
    """
    if probe is None:
        return []
    return checks.label_value_checks(rows, probe.shapes, state.objectives, f"{prefix}y")


def finite_checks(
    model: Any, rows: Rows, probe: Probe | None, prefix: str = ""
) -> list[tuple[int, checks.FiniteCheck]]:
    """Where NaN and infinity are looked for; arguments as of `value_checks`."""
    if probe is None:
        return checks.free_finite_checks(rows, model.input_dtype, prefix)
    inputs = model._feed_dtypes((rows.structure,), {})
    return checks.finite_checks(rows, inputs, probe.dtypes, prefix)


def batch_size_for(model: Any, count: int, batch_size: int | None, steps: int | None) -> int:
    """Samples per step: what was asked for or the model has fixed, what makes `steps` of the set,
    or 32.
    """
    if batch_size is None:
        batch_size = fixed_batch(model)
    if batch_size is not None:
        return batch_size
    return math.ceil(count / steps) if steps else DEFAULT_BATCH


def fixed_batch(model: Any) -> int | None:
    """The batch size that the inputs of a model have, None where it is open."""
    inputs = () if model._graph is None else model._graph.inputs
    return next((t.shape[0] for t in inputs if t.shape and t.shape[0] is not None), None)


def check_fixed_batch(model: Any, count: int, size: int) -> None:
    """ValueError where batches of a set of `count` rows have not the size that the model has."""
    fixed = fixed_batch(model)
    if fixed is None:
        return
    has = f"{messages.describe(model)}: the batch size of its Input is {fixed}"
    if size != fixed:
        raise ValueError(
            f"{has}, expected batch_size={fixed}, received {size} for {count} rows. Leave out "
            "batch_size, or make the Input without one."
        )
    if count % fixed:
        raise ValueError(
            f"{has}, but the last of {math.ceil(count / fixed)} batches would have "
            f"{count % fixed} of {count} rows. Pass a multiple of {fixed} rows, or make the Input "
            "without a batch size."
        )


def check_one_batch(optimizer: Any, count: int, size: int) -> bool:
    """Whether an optimizer wants all samples in one batch; raises where they are not."""
    if optimizer is None or not optimizer.full_batch:
        return False
    if size < count:
        raise ValueError(
            f"fit: {type(optimizer).__name__} needs all samples in one batch: expected "
            f"batch_size=len(x), {count} or more, received {size}"
        )
    return True


def check_one_of_source(optimizer: Any, source: Source, steps: int | None) -> None:
    """Raises where an optimizer wants all samples in one batch and a Source may give more.

    Args:
        optimizer: The optimizer, or None.
        source: The Source.
        steps: The number of batches of an epoch, where it is given.
    """
    if optimizer is None or not optimizer.full_batch or source.batches == 1:
        return
    expected = f"fit: {type(optimizer).__name__} needs all samples in one batch: expected"
    if source.batches is not None:
        raise ValueError(
            f"{expected} arrays or a {source.kind} of one, received {source.batches} batches"
        )
    if steps != 1:
        raise ValueError(
            f"{expected} steps_per_epoch=1 for a {source.kind}, which does not tell how many "
            f"batches it has, received {steps}"
        )


def build_optimizer(model: Any, state: TrainerState) -> None:
    """Makes the slots of parameters that have none."""
    if "train" in state.own and type(model).train_step is not Steps.train_step:
        return  # it applies gradients itself
    if state.optimizer is None:
        raise ValueError("There is no optimizer to train with: pass `optimizer` to compile()")
    variables = model.trainable_variables
    if model.built and not variables:
        warn_user(
            f"{messages.describe(model)} has no weights to train: all are frozen, or there are "
            "none. Steps update metrics and the state of layers only"
        )
    state.optimizer.prepare(variables)


def test_pass(
    model: Any, state: TrainerState, rows: Rows, batch_size: int | None, steps: int | None
) -> Pass:
    """A Pass that evaluates."""
    size = batch_size_for(model, rows.count, batch_size, steps)
    check_fixed_batch(model, rows.count, size)
    return Pass(rows, size, lambda n: state.step(model, "test", n, rows), built_from)


def epoch_runner(
    state: TrainerState,
    epochs: Epochs,
    callbacks: CallbackList,
    kind: str,
    end: Callable[[int], bool],
    logs: Callable[[], dict[str, Any]] | None,
    look: Callable[[], None] | None = None,
    part: Callable[[], int | None] | None = None,
) -> Callable[[int], None]:
    """Function that runs the steps of one epoch, given the number of the first.

    Args:
        state: The TrainerState.
        epochs: An Epochs.
        callbacks: A CallbackList.
        kind: "train", "test" or "predict".
        end: What follows each batch where a callback has a hook for it; True ends the epoch.
        logs: Function that gives what a progress bar shows; None for no bar.
        look: Called whenever a run of steps returns, or None.
        part: Function that says after how many steps at most one has to, or None.
    """
    feed = epochs.feed
    if callbacks.has_batch_hooks(kind):
        begin = getattr(callbacks, f"on_{kind}_batch_begin")

        def run_hooked(step: int) -> None:
            together = state.steps_per_execution
            epochs.end(run_steps(feed, epochs.begin(), step, begin, end, together))

        return run_hooked
    progress = look
    if logs is not None:

        def progress() -> None:
            if look is not None:
                look()
            callbacks.on_progress(feed.steps, feed.rows, logs())

    def run(step: int) -> None:
        run_in_parts(feed, epochs.begin(), step, progress, part)
        epochs.end(stopped=feed.ended)

    return run


def test(
    model: Any, state: TrainerState, epochs: Epochs, callbacks: CallbackList, in_fit: bool
) -> dict[str, Any]:
    """Evaluates one epoch; returns the logs."""
    report = state.report(model, "test")
    model.stop_evaluating = False
    epochs.feed.reset()
    try:
        callbacks.on_test_begin()
        report.reset()

        def end(batch: int) -> bool:
            callbacks.on_test_batch_end(batch, report.logs())
            return model.stop_evaluating

        logs_of_bar = report.logs if callbacks.shows_progress and not in_fit else None
        epoch_runner(state, epochs, callbacks, "test", end, logs_of_bar)(0)
        if not in_fit:
            callbacks.note_samples(epochs.feed.rows)
        logs = report.logs()
        callbacks.on_test_end(logs)
    finally:
        callbacks.close()
    return logs
