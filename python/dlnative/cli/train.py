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

import numpy as np

from ..data import Standardizer, infer_task, learn_classes
from ..saving import save
from .machine import configure
from .mlp import build
from .sources import Samples, Source, read_source
from .task import Classification, Regression, Task, describe

__all__ = ["run"]

_SMALL = 10_000  # samples; below, smaller batches give enough steps per epoch


def run(options: argparse.Namespace) -> None:
    """Trains, prints what came out, and writes the model if ``--out`` says where.

    The folder gets ``config.json`` and ``weights.safetensors``, ``history.csv`` (a row per epoch)
    and ``history.json`` (the same, and the final figures).
    """
    configure(options)
    optimizer = _make_optimizer(options.optimizer, options.learning_rate)
    source = read_source(options.data, options.data_dir, options.target)
    train, validation = _split(source, options.validation_split, options.seed)
    task = _make_task(source, train, options.task)
    model = _make_model(task, source, options)
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
        _print_start(options.data, task, source, train, validation, model)
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


def _split(source: Source, fraction: float | None, seed: int) -> tuple[Samples, Samples | None]:
    """Takes a random share of the training set for validation, whatever the file's order."""
    if fraction is None:
        fraction = 0.1 if source.test is None else 0.0
    samples = source.train
    total = len(samples.x)
    count = round(total * fraction)
    if count == 0:
        return samples, None
    if count == total:
        raise ValueError(f"--validation-split {fraction} leaves nothing of {total} samples")
    order = np.random.Generator(np.random.PCG64(seed)).permutation(total)
    # In the file's order on both sides: training shuffles for itself.
    held_out, kept = np.sort(order[:count]), np.sort(order[count:])
    return (
        Samples(samples.x[kept], samples.y[kept]),
        Samples(samples.x[held_out], samples.y[held_out]),
    )


def _make_task(source: Source, train: Samples, wanted: str | None) -> Classification | Regression:
    shape = train.x.shape[1:]
    inputs = Standardizer.fit(train.x) if source.pixel_range is None else None
    if (wanted or infer_task(source.train.y)) == Regression.kind:
        targets = Standardizer.fit(Regression.numbers(train.y, "the training set"))
        return Regression(shape, inputs, source.columns, targets)
    classes = learn_classes(source.train.y)
    if len(classes) < 2:
        raise ValueError(f"the targets are all {classes[0]!r}: there is nothing to tell apart")
    return Classification(shape, inputs, source.columns, classes)


def _make_model(task: Task, source: Source, options: argparse.Namespace) -> Any:
    from .. import config

    config.set_seed(options.seed)
    return build(task, options.hidden, options.activation, options.dropout, source.pixel_range)


def _arguments(options: argparse.Namespace) -> dict:
    ignored = ("command", "out", "quiet")
    return {name: value for name, value in vars(options).items() if name not in ignored}


def _print_start(
    data: str,
    task: Task,
    source: Source,
    train: Samples,
    validation: Samples | None,
    model: Any,
) -> None:
    parts = [f"{len(train.x)} training samples of shape {task.sample_shape}"]
    if validation is not None:
        parts.append(f"{len(validation.x)} for validation")
    if source.test is not None:
        parts.append(f"{len(source.test.x)} for testing")
    print(f"data         {data}: {', '.join(parts)}")
    goal = f"{task.outputs} classes" if isinstance(task, Classification) else "one number"
    print(f"task         {task.kind}, {goal}")
    print(f"model        mlp, {model.count_params()} parameters", flush=True)


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
