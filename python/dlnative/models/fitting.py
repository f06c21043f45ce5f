"""The loops of `fit`, `evaluate` and `predict`, and what is loaded and compiled before them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..callbacks import CallbackList
from ..graph import Graph
from ..layers.extra_losses import added_losses
from ..utils import nest
from . import checks
from .arrays import as_array, as_structure, check_finite, named_leaves
from .batch import Feeds, flat_arrays
from .loop import Epochs, Order, Pass
from .state import built_from, free, labelled
from .step import resolve_constraints
from .steps import Steps

DEFAULT_BATCH = 32


class FitOptions:
    """The numbers that `fit` is given, checked."""

    def __init__(
        self,
        batch_size,
        epochs,
        initial_epoch,
        verbose,
        shuffle,
        validation_split,
        steps_per_epoch,
        validation_steps,
        validation_batch_size,
        validation_freq,
    ):
        count = checks.check_count
        self.batch_size = count("batch_size", batch_size, optional=True)
        self.epochs = count("epochs", epochs, low=0)
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

    def validates(self, epoch):
        """Whether epoch number `epoch` (from 0) is followed by a validation."""
        if isinstance(self.validation_freq, set):
            return epoch + 1 in self.validation_freq
        return (epoch + 1) % self.validation_freq == 0


def labelled_rows(model, state, kind, x, y, sample_weight=None, class_weight=None):
    """(Rows, Probe) of a data set whose shapes fit the model, the losses and the metrics.

    A step of the model's own takes data of any nesting; then there is no Probe.
    """
    if kind in state.own:
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("Give sample_weight or class_weight, not both")
            sample_weight = checks.class_weights(as_array(y, "y"), class_weight, None)
        rows = free(x, y, sample_weight)
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
    if objectives.constraints:
        resolve_constraints(model, rows, objectives)
    return rows, probe


def _has_other_losses(model, rows):
    """Whether there is something to minimise without a loss of `compile`."""
    if any(v.regularizer is not None for v in model.trainable_variables):
        return True
    graph = Graph(training=True)
    model(Feeds(graph, 2, rows).inputs(model))
    return bool(added_losses(model, graph))


def checked(
    model, state, kind, x, y, sample_weight=None, class_weight=None, finite=False, prefix=""
):
    """Rows of a data set whose shapes and values fit."""
    rows, probe = labelled_rows(model, state, kind, x, y, sample_weight, class_weight)
    if probe is None:
        if finite:
            nested = {
                "x": rows.structure,
                "y": rows.y_structure,
                "sample_weight": rows.weight_structure,
            }
            for name, structure in nested.items():
                for what, array in named_leaves(structure, prefix + name):
                    check_finite(what, array, model.input_dtype)
        return rows
    checks.check_labels(rows, probe.shapes, state.objectives, f"{prefix}y")
    if finite:
        inputs = model._feed_dtypes((rows.structure,), {})
        checks.check_all_finite(rows, inputs, probe.dtypes, prefix)
    return rows


def load(model, state, x, y, sample_weight, class_weight, validation_data, options, finite):
    """(training Rows, validation Rows or None) of `fit`'s arguments."""
    rows = checked(model, state, "train", x, y, sample_weight, class_weight, finite)
    if validation_data is not None:
        if not isinstance(validation_data, (tuple, list)) or len(validation_data) not in (2, 3):
            size = (
                f" of {len(validation_data)}" if isinstance(validation_data, (tuple, list)) else ""
            )
            raise ValueError(
                "validation_data: expected (x, y) or (x, y, sample_weight), received "
                f"{type(validation_data).__name__}{size}"
            )
        val_x, val_y, weight = (*validation_data, None)[:3]
        return rows, checked(
            model, state, "test", val_x, val_y, weight, finite=finite, prefix="validation_"
        )
    if options.validation_split:
        at = math.floor(rows.count * (1.0 - options.validation_split))
        if at in (0, rows.count):
            raise ValueError(
                f"validation_split: {options.validation_split} of {rows.count} samples leaves "
                f"none to {'train on' if at == 0 else 'validate with'}"
            )
        if state.own & {"train", "test"}:  # which may take data of another form than the other
            x, y, sample_weight = (
                _cut(a, what, at)
                for a, what in zip((x, y, sample_weight), ("x", "y", "sample_weight"), strict=True)
            )
            return rows.slice(0, at), checked(model, state, "test", x, y, sample_weight)
        rows, validation = rows.split(at)
        if class_weight is not None:  # it is for training only
            validation.weights = [None] * len(validation.weights)
        return rows, validation
    return rows, None


def _cut(value, what, at):
    """The rows from `at` on of nested arrays."""
    if value is None:
        return None
    return nest.map_structure(lambda a: None if a is None else a[at:], as_structure(value, what))


def batch_size_for(count, batch_size, steps):
    """Samples per step: what was asked for, or what makes `steps` of the set, or 32."""
    if batch_size is not None:
        return batch_size
    return math.ceil(count / steps) if steps else DEFAULT_BATCH


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


def build_optimizer(model, state):
    """Makes the slots of parameters that have none."""
    if "train" in state.own and type(model).train_step is not Steps.train_step:
        return  # it applies gradients itself
    if state.optimizer is None:
        raise ValueError("There is no optimizer to train with: pass `optimizer` to compile()")
    state.optimizer.prepare(model.trainable_variables)


def test_pass(model, state, rows, batch_size, steps):
    """A Pass that evaluates."""
    size = batch_size_for(rows.count, batch_size, steps)
    return Pass(rows, size, lambda n: state.step(model, "test", n, rows), built_from)


def fit(model, state, rows, validation, callbacks, options):
    """Trains; see `Trainer.fit`. Everything has been checked."""

    def train_step(count):
        build_optimizer(model, state)
        return state.step(model, "train", count, rows)

    size = batch_size_for(rows.count, options.batch_size, options.steps_per_epoch)
    one_batch = check_one_batch(state.optimizer, rows.count, size)
    train = Pass(rows, size, train_step, built_from)
    order = Order(rows.count, train.batch, options.shuffle and not one_batch, state.seed)
    number = state.epochs
    if options.steps_per_epoch is None:  # a model that was loaded goes on as the saved one would
        number = max(number, options.initial_epoch)
    epochs = Epochs(train.batches, order, options.steps_per_epoch, number)
    tester = None
    if validation is not None:
        validation_size = options.validation_batch_size or options.batch_size
        tester = test_pass(model, state, validation, validation_size, options.validation_steps)
    if not isinstance(callbacks, CallbackList):
        callbacks = CallbackList(
            callbacks,
            add_history=True,
            add_progbar=options.verbose != 0,
            model=model,
            verbose=options.verbose,
            epochs=options.epochs,
            steps=epochs.length,
            samples=min(epochs.length * train.batch, rows.count),
        )
    report = state.report(model, "train")
    names = state.objectives.names()
    validated = [f"val_{name}" for name in names if tester is not None]
    callbacks.check_logs([*names, *state.objectives.constraints.names(), *validated])
    model.stop_training = False
    logs = {}
    try:
        callbacks.on_train_begin()
        run_epoch = _epoch_runner(model, state, train, callbacks, report)
        shows = callbacks.shows_progress
        for epoch in range(options.initial_epoch, options.epochs):
            report.reset()
            callbacks.on_epoch_begin(epoch)
            run_epoch(*epochs.next())
            state.epochs = epochs.number
            logs = report.logs()
            if tester is not None and options.validates(epoch):
                stop = min(options.validation_steps or tester.batches, tester.batches)
                results = test(model, state, tester, stop, callbacks, shows and False)
                logs.update((f"val_{name}", value) for name, value in results.items())
                logs = dict(sorted(logs.items()))
            logs.update(state.objectives.constraints.logs())
            callbacks.on_epoch_end(epoch, logs)
            if model.stop_training:
                break
        state.optimizer.finalize_variable_values(model.trainable_variables)
        callbacks.on_train_end(logs)
    finally:
        callbacks.close()
    return model.history


def _epoch_runner(model, state, train, callbacks, report):
    """Function (indices, start, stop, epoch) that runs the steps of one epoch."""
    counter = state.counter
    if not callbacks.has_batch_hooks("train"):
        if not callbacks.shows_progress:
            return lambda indices, start, stop, epoch: train.run(
                indices, start, stop, int(counter), epoch
            )

        def run_shown(indices, start, stop, epoch):
            before = train.rows_before(start)

            def progress(done):
                callbacks.on_progress(done - start, train.rows_before(done) - before, report.logs())

            train.run(indices, start, stop, int(counter), epoch, progress)

        return run_shown

    def run_hooked(indices, start, stop, epoch):
        before = train.rows_before(start)

        def end(batch):
            logs = report.logs()
            callbacks.on_train_batch_end(batch, logs)
            done = min(start + batch + 1, stop)
            callbacks.on_progress(batch + 1, train.rows_before(done) - before, logs)
            return model.stop_training

        train.run_hooked(
            indices,
            start,
            stop,
            int(counter),
            epoch,
            callbacks.on_train_batch_begin,
            end,
            state.steps_per_execution,
        )

    return run_hooked


def test(model, state, loader, stop, callbacks, shows):
    """Evaluates the first `stop` batches; returns the logs."""
    report = state.report(model, "test")
    model.stop_evaluating = False
    try:
        callbacks.on_test_begin()
        report.reset()
        if callbacks.has_batch_hooks("test"):

            def end(batch):
                callbacks.on_test_batch_end(batch, report.logs())
                return model.stop_evaluating

            loader.run_hooked(
                None, 0, stop, 0, 0, callbacks.on_test_batch_begin, end, state.steps_per_execution
            )
        else:
            progress = None
            if shows:

                def progress(done):
                    callbacks.on_progress(done, loader.rows_before(done), report.logs())

            loader.run(None, 0, stop, progress=progress)
        logs = report.logs()
        callbacks.on_test_end(logs)
    finally:
        callbacks.close()
    return logs


def predict_own(model, state, rows, batch_size, stop, callbacks=None):
    """The outputs of a `predict_step` of the model's own, as it returns them, for all batches."""
    callbacks = CallbackList([], model=model) if callbacks is None else callbacks
    collected, structure = [], None
    model.stop_predicting = False
    try:
        callbacks.on_predict_begin()
        for batch in range(stop):
            part = rows.slice(batch * batch_size, min((batch + 1) * batch_size, rows.count))
            callbacks.on_predict_batch_begin(batch)
            step = state.step(model, "predict", part.count, part)
            outputs = step.function(*step.pick(flat_arrays(part)), step=batch)
            structure = step.recipe.structure
            collected.append(outputs)
            callbacks.on_predict_batch_end(batch, {"outputs": nest.pack(structure, outputs)})
            if model.stop_predicting:
                break
        callbacks.on_predict_end()
    finally:
        callbacks.close()
    return nest.pack(structure, [np.concatenate(parts) for parts in zip(*collected, strict=True)])


def predict(model, state, loader, stop, callbacks, probe):
    """Fills the loader's output arrays for the first `stop` batches."""
    model.stop_predicting = False
    try:
        callbacks.on_predict_begin()
        if callbacks.has_batch_hooks("predict"):

            def end(batch):
                first = batch - state.steps_per_execution + 1
                rows = slice(loader.rows_before(first), loader.rows_before(batch + 1))
                outputs = nest.pack(probe.structure, [array[rows] for array in loader.out])
                callbacks.on_predict_batch_end(batch, {"outputs": outputs})
                return model.stop_predicting

            loader.run_hooked(
                None,
                0,
                stop,
                0,
                0,
                callbacks.on_predict_batch_begin,
                end,
                state.steps_per_execution,
            )
        else:
            progress = None
            if callbacks.shows_progress:

                def progress(done):
                    callbacks.on_progress(done, loader.rows_before(done), None)

            loader.run(None, 0, stop, progress=progress)
        callbacks.on_predict_end()
    finally:
        callbacks.close()
