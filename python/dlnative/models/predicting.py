"""The loop of `predict`, and what is loaded before it."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..layers.tracking import Rollback
from ..utils import nest
from ..utils.packing import unpack_x_y_sample_weight
from . import on_batch
from .arrays import Rows
from .batch import flat_arrays
from .epochs import Epochs
from .feeds import check_alone
from .fitting import batch_size_for, check_fixed_batch, epoch_runner, fixed_batch
from .loop import Feed, Pass
from .predictions import Predictions, check_apart, given_arrays
from .reading import closing
from .sources import RowsSource, Source, as_source, is_source
from .state import TrainerState, built_from, inputs_only
from .stream import Layout, Stream

LARGE_SET, LARGE_BATCH = 2048, 256  # `predict` may choose its batches: larger ones are faster


def make_feed(
    model: Any,
    state: TrainerState,
    x: Any,
    batch_size: int | None,
    steps: int | None,
    plain: bool,
    out: Any,
) -> Feed:
    """The Feed of `predict`'s arguments.

    Args:
        model: The model.
        state: Its TrainerState.
        x, batch_size, steps, out: As `Trainer.predict` takes them.
        plain: Whether there are neither steps nor callbacks: batches may have any size.
    """
    if is_source(x):
        check_alone(x, (), batch_size)
        return predicting_stream(model, state, as_source(x, False, 0), Predictions(out))
    with Rollback(model):
        rows = inputs_only(x)
        if "predict" in state.own:
            size = batch_size_for(model, rows.count, batch_size, steps)
            return predicting_stream(model, state, RowsSource(rows, size), Predictions(out))
        probe = state.probe(model, rows.structure)
    is_one_batch = on_batch.is_one_batch(x, batch_size)
    if batch_size is None and plain and rows.count >= LARGE_SET and fixed_batch(model) is None:
        batch_size = LARGE_BATCH
    batch_size = batch_size_for(model, rows.count, batch_size, steps)
    check_fixed_batch(model, rows.count, batch_size)
    if plain and out is None and is_one_batch and rows.count <= batch_size:
        on_batch.keep_prediction(model, state, x, rows, probe)
    specs = probe.row_specs()
    if out is None:
        arrays = [np.empty((rows.count, *shape), dtype) for shape, dtype in specs]
    else:
        count = rows.count if steps is None else min(rows.count, steps * batch_size)
        arrays = given_arrays(out, specs, count)
        check_apart(arrays, rows.x)
    return Pass(
        rows,
        batch_size,
        lambda size: state.step(model, "predict", size, rows),
        built_from,
        out=arrays,
        structure=probe.structure,
    )


def predicting_stream(
    model: Any, state: TrainerState, source: Source, predictions: Predictions
) -> Stream:
    """The Stream over a source that predicts."""

    def layout_of(batch: Any) -> Layout:
        with Rollback(model):
            rows = inputs_only(unpack_x_y_sample_weight(batch)[0])
            probe = None if "predict" in state.own else state.probe(model, rows.structure)
        if probe is not None:
            predictions.structure = probe.structure

        def remake(batch: Any) -> list[Any]:
            return flat_arrays(inputs_only(unpack_x_y_sample_weight(batch)[0]))

        return Layout(rows, remake, [], [], None if probe is None else probe.row_specs())

    def get_step(rows: Any) -> Any:
        return state.step(model, "predict", rows.count, rows)

    return Stream(source, layout_of, get_step, built_from, predictions)


def predict_one(model: Any, state: TrainerState, rows: Rows) -> Any:
    """The outputs of a `predict_step` of the model's own for one batch."""
    step = state.step(model, "predict", rows.count, rows)
    outputs = step.function(*step.pick(rows.x), step=0)
    return nest.pack(step.recipe.structure, outputs)


def predict(model: Any, state: TrainerState, epochs: Epochs, callbacks: Any) -> None:
    """Runs one epoch; what it gives are the outputs of the Feed."""
    feed = epochs.feed
    model.stop_predicting = False

    def end(batch: int) -> bool:
        count = feed.steps - (batch - state.steps_per_execution + 1)
        outputs = nest.pack(feed.structure, feed.outputs(count))
        callbacks.on_predict_batch_end(batch, {"outputs": outputs})
        return model.stop_predicting

    with closing(feed):
        try:
            callbacks.on_predict_begin()
            logs = dict if callbacks.shows_progress else None
            epoch_runner(state, epochs, callbacks, "predict", end, logs)(0)
            callbacks.note_samples(feed.rows)
            callbacks.on_predict_end()
        finally:
            callbacks.close()
