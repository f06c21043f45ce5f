"""``dlnative train``: from a data set to a folder with a trained model."""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
import time
from pathlib import Path
from typing import Any

from ..data import Columns, Standardizer, learn_classes
from ..saving import save
from .image_files import format_of
from .machine import configure
from .networks import build, resolve
from .sources import Source, read_source
from .task import Classification, Regression, Task, describe

__all__ = ["run"]

_SHOWN = 10  # classes
_SMALL = 10_000  # samples; below, smaller batches give enough steps per epoch


def run(options: argparse.Namespace) -> None:
    """Trains, prints what came out, and writes the model if ``--out`` says where.

    The folder gets the model (``config.json`` and its weights), ``history.csv`` (a row per epoch)
    and ``history.json`` (the same, and the final figures).
    """
    configure(options)
    optimizer = _make_optimizer(options.optimizer, options.learning_rate)
    resolve(options)
    source = read_source(options)
    train, validation = source.train, source.validation
    task = _make_task(source)
    model = _make_model(task, options)
    task.compile(model, optimizer)
    x = task.encode_inputs(train.x, options.data)
    y = task.encode_targets(train.y, options.data)
    watched = None
    if validation is not None:
        watched = (
            task.encode_inputs(validation.x, options.data),
            task.encode_targets(validation.y, options.data),
        )
    batch_size = options.batch_size or (32 if len(x) < _SMALL else 128)
    folder = _Folder(options.out)
    try:
        _print_start(options, task, source, model)
        start = time.perf_counter()
        history = model.fit(
            x,
            y,
            batch_size=batch_size,
            epochs=options.epochs,
            validation_data=watched,
            callbacks=_schedule(options.schedule, optimizer, options.epochs),
            verbose=0 if options.quiet else 1,
        )
        seconds = time.perf_counter() - start
        results: dict[str, Any] = {
            "seconds": seconds,
            "samples_per_second": len(x) * options.epochs / seconds,
        }
        for name, samples in (("validation", validation), ("test", source.test)):
            if samples is not None:
                results[name] = task.measure(model, samples.x, samples.y, options.data)
        _print_results(options.epochs, results)
        training = {**_arguments(options), "batch_size": batch_size, "samples": len(x)}
        folder.write(model, task, training, history.history, results)
    except BaseException:
        folder.discard()
        raise


class _Folder:
    """The folder of ``--out``: made before training, so that it cannot fail after it."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._is_new = False
        if self._path is not None:
            self._is_new = not self._path.exists()
            self._path.mkdir(parents=True, exist_ok=True)
            if not os.access(self._path, os.W_OK):
                raise PermissionError(f"{self._path}: no permission to write there")

    def write(
        self, model: Any, task: Task, training: dict, history: dict[str, list], results: dict
    ) -> None:
        if self._path is None:
            print("saved        no (--out DIR keeps the model)")
            return
        epochs: list[dict[str, float]] = [
            {"epoch": i + 1} for i in range(len(next(iter(history.values()))))
        ]
        for name, values in history.items():
            for row, value in zip(epochs, values, strict=True):
                row[name] = float(value)
        files = {"history.csv": _csv(epochs), "history.json": _json({"epochs": epochs, **results})}
        save(
            model,
            self._path,
            classes=task.classes if isinstance(task, Classification) else None,
            preprocessing=task.get_config(),
            training=training,
            files=files,
        )
        print(f"saved        {self._path}")

    def discard(self) -> None:
        """Removes the folder again if it was made here and is still empty."""
        if self._is_new and self._path is not None and not any(self._path.iterdir()):
            self._path.rmdir()


def _make_optimizer(name: str, learning_rate: float | None) -> Any:
    from .. import optimizers

    optimizer = optimizers.get(name)
    if learning_rate is not None:
        optimizer.learning_rate = learning_rate
    return optimizer


def _schedule(name: str, optimizer: Any, epochs: int) -> list:
    """Callbacks that set the learning rate: ``rate * (1 + cos(pi * epoch / epochs)) / 2``."""
    from ..callbacks import LambdaCallback

    if name == "constant":
        return []
    rate = float(optimizer.learning_rate)

    def set_rate(epoch: int, logs: dict | None = None) -> None:
        optimizer.learning_rate = rate * (1 + math.cos(math.pi * epoch / epochs)) / 2

    return [LambdaCallback(on_epoch_begin=set_rate)]


def _make_task(source: Source) -> Classification | Regression:
    x = source.train.x
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


def _arguments(options: argparse.Namespace) -> dict:
    ignored = ("command", "out", "quiet")
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


def _print_results(epochs: int, results: dict) -> None:
    speed = f"{results['samples_per_second']:,.0f} samples/s".replace(",", " ")
    print(f"trained      {epochs} epochs in {results['seconds']:.1f} s, {speed}")
    for name in ("validation", "test"):
        if name in results:
            print(f"{name:12} {describe(results[name])}")


def _csv(rows: list[dict]) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def _json(value: Any) -> str:
    """JSON proper: what is not finite becomes null."""
    return json.dumps(_finite(value), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
