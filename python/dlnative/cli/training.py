"""What `train` and `tune` share: the data of a run, and a model that is ready to train on it."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Columns, Standardizer, learn_classes
from .image_files import format_of
from .networks import build, resolve
from .samples import Samples
from .sources import Source, read_source
from .task import Classification, Regression, Task, check_range

__all__ = ["Data", "arguments_of", "complete", "make_model", "make_optimizer", "read_data"]

_SHOWN = 10  # classes
_SMALL = 10_000  # samples; below, smaller batches give enough steps per epoch


@dataclass(frozen=True, eq=False)
class Data:
    """A data set as the model and the loss take it.

    Attributes:
        name: What `--data` was.
        source: The samples as they were read.
        task: What the model is for.
        x, y: The training set.
        watched: The validation set, if there is one.
    """

    name: str
    source: Source
    task: Classification | Regression
    x: np.ndarray
    y: np.ndarray
    watched: tuple[np.ndarray, np.ndarray] | None

    def print(self) -> None:
        """Says what was read."""
        parts = [f"{len(self.x)} training samples of shape {self.task.sample_shape}"]
        for samples, purpose in (
            (self.source.validation, "validation"),
            (self.source.test, "testing"),
        ):
            if samples is not None:
                parts.append(f"{len(samples.x)} for {purpose}")
        print(f"data         {self.name}: {', '.join(parts)}")
        if self.source.columns is not None:
            print(f"header       {_describe_header(self.source.columns, self.source.header)}")
        print(f"task         {_describe_task(self.task)}", flush=True)

    def measure(self, model: Any) -> dict[str, dict[str, float]]:
        """A trained model's figures on the samples it was not trained on: {set: {name: value}}."""
        sets = (("validation", self.source.validation), ("test", self.source.test))
        return {
            name: self.task.measure(model, samples.x, samples.y, self.name)
            for name, samples in sets
            if samples is not None
        }


def read_data(options: argparse.Namespace) -> Data:
    """Reads and checks everything that `--data` names, the test set included.

    Raises:
        ValueError, FileNotFoundError: If it cannot be trained on; the message names the file.
    """
    source = read_source(options)
    task = _make_task(source)
    x, y = _encoded(task, source.train, options.data)
    watched = None
    if source.validation is not None:
        watched = _encoded(task, source.validation, f"{options.data}, validation set")
    if source.test is not None:  # what is wrong with it is said before training
        _encoded(task, source.test, f"{options.data}, test set")
    return Data(options.data, source, task, x, y, watched)


def complete(options: argparse.Namespace) -> None:
    """Fills in the defaults that depend on other options.

    Raises:
        ValueError: If there is no such optimizer, or the model has no such option.
    """
    optimizer = make_optimizer(options)
    if options.schedule is None:  # a line search begins at the rate, which nothing else needs
        options.schedule = "constant" if optimizer.full_batch else "cosine"
    resolve(options)


def make_optimizer(options: argparse.Namespace) -> Any:
    """The optimizer that the options name."""
    from .. import optimizers

    optimizer: Any = optimizers.get(options.optimizer)
    if options.learning_rate is not None:
        optimizer.learning_rate = options.learning_rate
    return optimizer


def make_model(options: argparse.Namespace, data: Data) -> tuple[Any, dict[str, Any]]:
    """A compiled model, and the arguments of its `fit`.

    Args:
        options: Those of `train`, `complete`.
        data: What it is to be trained on.

    Raises:
        ValueError: If model and data do not fit together.
    """
    from .. import config

    config.set_seed(options.seed)
    model = build(data.task, options, options.augment)
    optimizer = make_optimizer(options)
    data.task.compile(model, optimizer)
    return model, {
        "batch_size": _batch_size(options.batch_size, optimizer, len(data.x)),
        "epochs": options.epochs,
        "validation_data": data.watched,
        "on_nonfinite": options.on_nonfinite,
        "callbacks": _schedule(options.schedule, optimizer, options.epochs),
    }


def arguments_of(
    options: argparse.Namespace, data: Data, fitting: dict[str, Any]
) -> dict[str, Any]:
    """The arguments of training that are kept with the model."""
    ignored = ("command", "arguments", "out", "resume", "replay", "quiet", "log")
    given = {name: value for name, value in vars(options).items() if name not in ignored}
    return {**given, "batch_size": fitting["batch_size"], "samples": len(data.x)}


def _encoded(task: Task, samples: Samples, source: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns what the model and the loss take, or raises ValueError."""
    return task.encode_inputs(samples.x, source), task.encode_targets(samples.y, source)


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


def _describe_header(columns: Columns, line: int | None) -> str:
    place = "none, the columns go by position" if line is None else f"line {line}"
    return f"{place}; {len(columns.features)} features and the target {columns.target!r}"


def _describe_task(task: Task) -> str:
    if not isinstance(task, Classification):
        return f"{task.kind}, one number"
    shown = ", ".join(map(str, task.classes[:_SHOWN]))
    more = ", ..." if len(task.classes) > _SHOWN else ""
    return f"{task.kind}, {len(task.classes)} classes: {shown}{more}"
