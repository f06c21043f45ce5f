"""What `fit` and `evaluate` run over, made and checked from their arguments."""

from __future__ import annotations

import math
from typing import Any

from ..utils import nest
from ..utils.packing import unpack_x_y_sample_weight
from .arrays import Rows, as_structure
from .batch import flat_arrays
from .fitting import (
    FitOptions,
    batch_size_for,
    build_optimizer,
    check_fixed_batch,
    check_one_batch,
    check_one_of_source,
    checked,
    finite_checks,
    free_rows,
    labelled_rows,
    test_pass,
    value_checks,
)
from .loop import Feed, Pass
from .order import Order
from .sources import Source, as_source, is_source
from .state import TrainerState, built_from, labelled
from .step import Step
from .stream import Layout, Stream


def load(
    model: Any,
    state: TrainerState,
    data: tuple[Any, Any, Any],
    options: FitOptions,
    class_weight: Any,
    validation_data: Any,
    finite: bool,
) -> tuple[Feed, Feed | None]:
    """(Feed to train on, Feed to validate with or None) of `fit`'s arguments.

    Args:
        model: The model.
        state: Its TrainerState.
        data: (x, y, sample_weight).
        options: A FitOptions.
        class_weight, validation_data: As `fit` takes them.
        finite: Whether NaN and infinity are looked for.
    """
    split = options.validation_split if validation_data is None else 0.0
    if is_source(data[0]):
        train: Feed = training_stream(model, state, data, options, class_weight, finite)
    else:
        x, y, sample_weight = data
        rows = checked(model, state, "train", x, y, sample_weight, class_weight, finite)
        if split:
            rows, held_out = split_off(rows, split)
            if state.own & {"train", "test"}:  # which may take data of different forms
                held_out = checked(model, state, "test", *_from(rows.count, data))
            elif class_weight is not None:  # it is for training only
                held_out.weights = [None] * len(held_out.weights)
        train = training_pass(model, state, rows, options)
        if split:
            return train, validation_pass(model, state, held_out, options)
    return train, validation_feed(model, state, validation_data, options, finite)


def training_stream(
    model: Any,
    state: TrainerState,
    data: tuple[Any, Any, Any],
    options: FitOptions,
    class_weight: Any,
    finite: bool,
) -> Stream:
    """The Stream over (x, None, None) to train on, its first batch checked."""
    x = data[0]
    if options.validation_split:
        raise ValueError(
            f"validation_split: expected arrays to split, received {type(x).__name__}; give "
            "validation_data"
        )
    check_alone(x, data[1:], options.batch_size)
    source = as_source(x, options.shuffle, state.seed)
    check_one_of_source(state.optimizer, source, options.steps_per_epoch)
    return first_checked(stream(model, state, "train", source, class_weight, finite), state, model)


def training_pass(model: Any, state: TrainerState, rows: Rows, options: FitOptions) -> Pass:
    """The Pass over `rows` to train on."""
    size = batch_size_for(model, rows.count, options.batch_size, options.steps_per_epoch)
    check_fixed_batch(model, rows.count, size)
    one_batch = check_one_batch(state.optimizer, rows.count, size)
    shuffle = options.shuffle and not one_batch
    order = Order(rows.count, min(size, rows.count), shuffle, state.seed)

    def train_step(count: int) -> Step:
        build_optimizer(model, state)
        return state.step(model, "train", count, rows)

    return Pass(rows, size, train_step, built_from, order)


def validation_pass(model: Any, state: TrainerState, rows: Rows, options: FitOptions) -> Pass:
    """The Pass over `rows` to validate with."""
    size = options.validation_batch_size or options.batch_size
    return test_pass(model, state, rows, size, options.validation_steps)


def split_off(rows: Rows, share: float) -> tuple[Rows, Rows]:
    """(the first rows, the last rows, which are this share of them)."""
    at = math.floor(rows.count * (1.0 - share))
    if at in (0, rows.count):
        raise ValueError(
            f"validation_split: {share} of {rows.count} samples leaves none to "
            f"{'train on' if at == 0 else 'validate with'}"
        )
    return rows.split(at)


def _from(at: int, data: tuple[Any, Any, Any]) -> list[Any]:
    """The rows from `at` on of nested arrays."""

    def cut(value: Any, what: str) -> Any:
        arrays = as_structure(value, what)
        return nest.map_structure(lambda a: None if a is None else a[at:], arrays)

    names = ("x", "y", "sample_weight")
    return [None if v is None else cut(v, name) for v, name in zip(data, names, strict=True)]


def validation_feed(
    model: Any, state: TrainerState, data: Any, options: FitOptions, finite: bool
) -> Feed | None:
    """The Feed of `validation_data`, or None."""
    if data is None:
        return None
    if is_source(data):
        if options.validation_batch_size is not None:
            check_alone(data, (), options.validation_batch_size, "validation_")
        source = as_source(data, False, 0)
        feed = stream(model, state, "test", source, None, finite, "validation_")
        feed.check_first()
        return feed
    is_tuple = isinstance(data, (tuple, list))
    needs_labels = "test" not in state.own and state.objectives.loss is not None
    if len(data) not in (1, 2, 3) if is_tuple else needs_labels:
        size = f" of {len(data)}" if is_tuple else ""
        raise ValueError(
            "validation_data: expected (x, y), (x, y, sample_weight), (x,) where there are no "
            "labels, or a generator, iterable or PyDataset of such batches, received "
            f"{type(data).__name__}{size}"
        )
    x, y, weight = unpack_x_y_sample_weight(data)
    try:
        rows = checked(model, state, "test", x, y, weight, finite=finite, prefix="validation_")
    except (TypeError, ValueError) as error:
        if type(error) not in (TypeError, ValueError) or str(error).startswith("validation_"):
            raise
        raise type(error)(f"validation_data: {error}") from error
    return validation_pass(model, state, rows, options)


def check_alone(x: Any, others: tuple[Any, ...], batch_size: int | None, prefix: str = "") -> None:
    """Raises where something is given that a source of batches brings itself."""
    kind = type(x).__name__
    for name, value in zip(("y", "sample_weight"), others, strict=False):
        if value is not None:
            raise ValueError(
                f"{name}: expected None where x is a {kind}, each of whose batches is (x,), (x, y) "
                f"or (x, y, sample_weight), received {type(value).__name__}"
            )
    if batch_size is not None:
        raise ValueError(
            f"{prefix}batch_size: expected None where x is a {kind}, which makes the batches "
            f"itself, received {batch_size}"
        )


def stream(
    model: Any,
    state: TrainerState,
    kind: str,
    source: Source,
    class_weight: Any = None,
    finite: bool = False,
    prefix: str = "",
) -> Stream:
    """The Stream over a source that trains ("train") or evaluates ("test")."""

    def layout_of(batch: Any) -> Layout:
        x, y, weight = unpack_x_y_sample_weight(batch)
        rows, probe = labelled_rows(model, state, kind, x, y, weight, class_weight)

        def remake(batch: Any) -> list[Any]:
            x, y, weight = unpack_x_y_sample_weight(batch)
            if probe is None:
                return flat_arrays(free_rows(x, y, weight, class_weight))
            return flat_arrays(labelled(x, y, weight, class_weight, lambda _: probe)[0])

        looks = finite_checks(model, rows, probe, prefix) if finite else []
        return Layout(rows, remake, value_checks(state, rows, probe, prefix), looks, [])

    def get_step(rows: Rows) -> Step:
        if kind == "train":
            build_optimizer(model, state)
        return state.step(model, kind, rows.count, rows)

    return Stream(source, layout_of, get_step, built_from)


def first_checked(feed: Stream, state: TrainerState, model: Any) -> Stream:
    """`feed`, after a look at its first batch where the model or its losses are not built yet."""
    if state.objectives.targets is None or not model.built:
        feed.peek()
    return feed


def test_feed(
    model: Any,
    state: TrainerState,
    x: Any,
    y: Any,
    sample_weight: Any,
    batch_size: int | None,
    steps: int | None,
) -> Feed:
    """The Feed of `evaluate`'s arguments."""
    if not is_source(x):
        rows = checked(model, state, "test", x, y, sample_weight)
        return test_pass(model, state, rows, batch_size, steps)
    check_alone(x, (y, sample_weight), batch_size)
    feed = stream(model, state, "test", as_source(x, False, 0))
    return first_checked(feed, state, model)
