"""`dlnative train`: from a data set to a folder with a trained model."""

from __future__ import annotations

import argparse
import math
import time
from typing import Any

import numpy as np

from ..data import Columns, Standardizer, learn_classes
from .image_files import format_of
from .machine import configure
from .model_folder import BestEpoch, LastEpoch, ModelFolder
from .networks import build, resolve
from .resumption import options_of_run
from .samples import Samples
from .signals import held, released
from .sources import Source, read_source
from .task import Classification, Regression, Task, check_range, describe

__all__ = ["run"]

_SHOWN = 10  # classes
_SMALL = 10_000  # samples; below, smaller batches give enough steps per epoch


def run(options: argparse.Namespace) -> None:
    """Trains, prints what came out, and writes the model if `--out` says where.

    The folder gets the model, `history.csv` (a row per epoch) and `history.json` (the same, and
    the final figures). Whatever ends training (Ctrl-C, an error), the folder has the model of the
    last whole epoch, or what it had before if there is none, and checkpoints for `--resume`.
    """
    if options.resume is not None:
        given, found = options, options_of_run(options)
        if found is None:
            print(f"{given.resume} has the model of a run that has ended: there is nothing to do")
            return
        options = found
    elif options.data is None:
        raise ValueError("the following arguments are required: --data, or --resume DIR")
    configure(options)
    optimizer = _make_optimizer(options.optimizer, options.learning_rate)
    if options.schedule is None:  # a line search begins at the rate, which nothing else needs
        options.schedule = "constant" if optimizer.full_batch else "cosine"
    resolve(options)
    if options.out is None:
        _train(options, optimizer, None)
        print("saved        no (--out DIR keeps the model)")
    else:
        with ModelFolder(options.out) as folder:
            _train(options, optimizer, folder)
            print(f"saved        {options.out}")


def _train(options: argparse.Namespace, optimizer: Any, folder: ModelFolder | None) -> None:
    source = read_source(options)
    task = _make_task(source)
    model = _make_model(task, options)
    task.compile(model, optimizer)
    x, y = _encoded(task, source.train, options.data)
    watched = None
    if source.validation is not None:
        watched = _encoded(task, source.validation, f"{options.data}, validation set")
    if source.test is not None:  # what is wrong with it is said before training
        _encoded(task, source.test, f"{options.data}, test set")
    batch_size = _batch_size(options.batch_size, optimizer, len(x))
    training = {**_arguments(options), "batch_size": batch_size, "samples": len(x)}
    if folder is not None:
        folder.rehearse(model, task, training)
    _print_start(options, task, source, model)

    last, best, start = LastEpoch(), BestEpoch(), time.perf_counter()
    results: dict[str, Any] = {}
    if folder is not None and options.resume is None:
        folder.checkpoints.begin(options.arguments)
    with held():
        try:
            with released():
                model.fit(
                    x,
                    y,
                    batch_size=batch_size,
                    epochs=options.epochs,
                    validation_data=watched,
                    callbacks=[
                        *_schedule(options.schedule, optimizer, options.epochs),
                        *_log(options.log),
                        last,
                        best,
                    ],
                    verbose=0 if options.quiet else 1,
                    on_nonfinite=options.on_nonfinite,
                    replay=options.replay,
                    resume=None if folder is None else folder.checkpoints.path,
                )
                last.end(model)
        finally:
            results["seconds"] = seconds = time.perf_counter() - start
            results["samples_per_second"] = len(x) * last.trained / seconds
            if folder is not None and last.state is not None:
                folder.write(model, task, training, last, results)
                folder.write_best(task, training, last, best)
                if last.count == options.epochs:
                    folder.checkpoints.remove()

    for name, samples in (("validation", source.validation), ("test", source.test)):
        if samples is not None:
            results[name] = task.measure(model, samples.x, samples.y, options.data)
    if folder is not None:
        folder.add_results(last, results)
    _print_results(options.epochs, results)


def _encoded(task: Task, samples: Samples, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the model and the loss take, or raises ValueError."""
    return task.encode_inputs(samples.x, source), task.encode_targets(samples.y, source)


def _make_optimizer(name: str, learning_rate: float | None) -> Any:
    from .. import optimizers

    optimizer: Any = optimizers.get(name)
    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    return optimizer


def _batch_size(given: int | None, optimizer: Any, samples: int) -> int:
    """Samples per step."""
    if not optimizer.full_batch:
        return given or (32 if samples < _SMALL else 128)
    if given is not None and given < samples:
        raise ValueError(
            f"--batch-size: {type(optimizer).__name__} needs all {samples} training samples in one "
            f"batch, which is its default, received {given}"
        )
    return samples


def _schedule(name: str, optimizer: Any, epochs: int) -> list[Any]:
    """Callbacks that set the learning rate: `rate * (1 + cos(pi * epoch / epochs)) / 2`."""
    from ..callbacks import LambdaCallback

    if name == "constant":
        return []
    rate = float(optimizer.learning_rate)

    def set_rate(epoch: int, logs: dict[str, Any] | None = None) -> None:
        optimizer.learning_rate = rate * (1 + math.cos(math.pi * epoch / epochs)) / 2

    return [LambdaCallback(on_epoch_begin=set_rate)]


def _log(path: str | None) -> list[Any]:
    """Callbacks that write the logs of epochs."""
    from ..callbacks import CSVLogger, JSONLLogger

    if path is None:
        return []
    return [CSVLogger(path) if path.endswith(".csv") else JSONLLogger(path)]


def _make_task(source: Source) -> Classification | Regression:
    x = source.train.x
    check_range(x, "the training set")
    common: dict[str, Any] = {
        "sample_shape": x.shape[1:],
        "inputs": Standardizer.fit(x) if source.pixel_range is None else None,
        "columns": source.columns,
        "images": source.images if source.pixel_range is None else format_of(x.shape[1:]),
        "pixel_range": source.pixel_range,
    }
    if source.task == Regression.kind:
        numbers = Regression.numbers(source.train.y, "the training set")
        return Regression(**common, targets=Standardizer.fit(numbers))
    classes = learn_classes(source.targets)
    if len(classes) < 2:
        raise ValueError(f"the targets are all {classes[0]!r}: there is nothing to tell apart")
    return Classification(**common, classes=classes)


def _make_model(task: Task, options: argparse.Namespace) -> Any:
    from .. import config

    config.set_seed(options.seed)
    return build(task, options, options.augment)


def _arguments(options: argparse.Namespace) -> dict[str, Any]:
    ignored = ("command", "arguments", "out", "resume", "replay", "quiet", "log")
    return {name: value for name, value in vars(options).items() if name not in ignored}


def _print_start(options: argparse.Namespace, task: Task, source: Source, model: Any) -> None:
    parts = [f"{len(source.train.x)} training samples of shape {task.sample_shape}"]
    for samples, purpose in ((source.validation, "validation"), (source.test, "testing")):
        if samples is not None:
            parts.append(f"{len(samples.x)} for {purpose}")
    print(f"data         {options.data}: {', '.join(parts)}")
    if source.columns is not None:
        print(f"header       {_describe_header(source.columns, source.header)}")
    print(f"task         {_describe_task(task)}")
    print(f"model        {options.model}, {model.count_params()} parameters", flush=True)


def _describe_header(columns: Columns, line: int | None) -> str:
    place = "none, the columns go by position" if line is None else f"line {line}"
    return f"{place}; {len(columns.features)} features and the target {columns.target!r}"


def _describe_task(task: Task) -> str:
    if not isinstance(task, Classification):
        return f"{task.kind}, one number"
    shown = ", ".join(map(str, task.classes[:_SHOWN]))
    more = ", ..." if len(task.classes) > _SHOWN else ""
    return f"{task.kind}, {len(task.classes)} classes: {shown}{more}"


def _print_results(epochs: int, results: dict[str, Any]) -> None:
    speed = f"{results['samples_per_second']:,.0f} samples/s".replace(",", " ")
    print(f"trained      {epochs} epochs in {results['seconds']:.1f} s, {speed}")
    for name in ("validation", "test"):
        if name in results:
            print(f"{name:12} {describe(results[name])}")
