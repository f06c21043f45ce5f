"""What a model is for, and what lies between a user's data and the model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..data import Columns, ImageFormat, Standardizer, decode, encode
from ..saving import SavedModel

__all__ = ["Classification", "Regression", "Task", "check_range", "describe", "task_of"]

_BATCH = 256  # samples per step where nothing is trained
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Task:
    """What both tasks have in common: the inputs.

    Pixels (uint8) go into the model as they are, and the model rescales them; other inputs are
    standardised by the statistics of the training set.

    Attributes:
        sample_shape: The shape of one input.
        inputs: The standardisation of the inputs, if any.
        columns: The columns of the CSV file, if it was one.
        images: How files become images that the model takes, if the samples are such.
        pixel_range: The largest value of a pixel, if the inputs are pixels.
    """

    sample_shape: tuple[int, ...]
    inputs: Standardizer | None
    columns: Columns | None
    images: ImageFormat | None
    pixel_range: int | None

    kind = ""

    @property
    def outputs(self) -> int:
        """Number of the model's outputs."""
        raise NotImplementedError

    def encode_inputs(self, x: np.ndarray, source: str) -> np.ndarray:
        """Returns what the model takes, or raises ValueError if the shape is another."""
        if x.shape[1:] != self.sample_shape:
            raise ValueError(
                f"{source}: expected samples of shape {self.sample_shape}, as the model was "
                f"trained on, received {x.shape[1:]}"
            )
        if self.inputs is None:
            check_range(x, source)
            return x
        return _standardised(self.inputs, x, source)

    def take_pixels(self, x: np.ndarray) -> np.ndarray:
        """Returns what was read with `images` in the shape and the range of the samples."""
        x = x.reshape(len(x), *self.sample_shape)
        if self.pixel_range in (None, 255):
            return x
        return np.rint(x * (self.pixel_range / 255)).astype(np.uint8)

    def encode_targets(self, y: np.ndarray, source: str) -> np.ndarray:
        """Returns what the loss takes, or raises ValueError if a target does not belong."""
        raise NotImplementedError

    def compile(self, model: Any, optimizer: Any = "adam") -> None:
        """Compiles a model with the loss and the metric that go with the task."""
        raise NotImplementedError

    def measure(self, model: Any, x: np.ndarray, y: np.ndarray, source: str) -> dict[str, float]:
        """Returns a compiled model's figures on labelled data, in the unit of the targets."""
        raise NotImplementedError

    def run(self, model: Any, x: np.ndarray, source: str) -> np.ndarray:
        """Returns the model's outputs, float64 of shape `(n, outputs)`."""
        inputs = self.encode_inputs(x, source)
        return model.predict(inputs, batch_size=_BATCH, verbose=0).astype(np.float64)

    def get_config(self) -> dict[str, Any]:
        """Returns everything but the classes as JSON values."""
        return {
            "task": self.kind,
            "sample_shape": list(self.sample_shape),
            "inputs": self.inputs and self.inputs.get_config(),
            "columns": self.columns and self.columns.get_config(),
            "images": self.images and self.images.get_config(),
            "pixel_range": self.pixel_range,
        }


@dataclass(frozen=True, eq=False)
class Classification(Task):
    """One of several classes; the model's outputs are their logits.

    Attributes:
        classes: The classes in the order of the outputs.
    """

    classes: list[int] | list[str]

    kind = "classification"

    @property
    def outputs(self) -> int:
        """The number of classes."""
        return len(self.classes)

    def encode_targets(self, y: np.ndarray, source: str) -> np.ndarray:
        """Returns class numbers, int32 `(n,)`."""
        return encode(y, self.classes, source)

    def compile(self, model: Any, optimizer: Any = "adam") -> None:
        from ..losses import SparseCategoricalCrossentropy

        loss = SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])

    def measure(self, model: Any, x: np.ndarray, y: np.ndarray, source: str) -> dict[str, float]:
        inputs, targets = self.encode_inputs(x, source), self.encode_targets(y, source)
        figures = model.evaluate(inputs, targets, batch_size=_BATCH, verbose=0, return_dict=True)
        return {"accuracy": float(figures["accuracy"]), "loss": float(figures["loss"])}

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Returns `softmax(logits)` over the last axis."""
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)

    def decode(self, logits: np.ndarray) -> np.ndarray:
        """Returns the most probable class of every row."""
        return decode(logits.argmax(axis=1), self.classes)


@dataclass(frozen=True, eq=False)
class Regression(Task):
    """One number; the model's output is that number, standardised.

    So the learning rate fits whatever the unit of the targets is.

    Attributes:
        targets: The standardisation of the targets.
    """

    targets: Standardizer

    kind = "regression"

    @property
    def outputs(self) -> int:
        """One: the number itself."""
        return 1

    def encode_targets(self, y: np.ndarray, source: str) -> np.ndarray:
        """Returns standardised values, float32 `(n, 1)`."""
        return _standardised(self.targets, self.numbers(y, source), source)[:, None]

    def compile(self, model: Any, optimizer: Any = "adam") -> None:
        model.compile(optimizer=optimizer, loss="mean_squared_error")

    def measure(self, model: Any, x: np.ndarray, y: np.ndarray, source: str) -> dict[str, float]:
        truth = self.numbers(y, source)
        error = self.decode(self.run(model, x, source)) - truth
        squared = float(np.square(error).sum())
        spread = float(np.square(truth - truth.mean()).sum())
        return {
            "mean_absolute_error": float(np.abs(error).mean()),
            "root_mean_squared_error": math.sqrt(squared / len(error)),
            "r2": 1 - squared / spread if spread else math.nan,
        }

    def decode(self, outputs: np.ndarray) -> np.ndarray:
        """Returns the outputs in the unit of the targets, `(n,)`."""
        return self.targets.invert(outputs[:, 0])

    @staticmethod
    def numbers(y: np.ndarray, source: str) -> np.ndarray:
        """Returns targets as float64, or raises ValueError if they are not finite numbers."""
        try:
            numbers = y.astype(np.float64)
        except ValueError as error:
            raise ValueError(f"{source}: regression needs numbers as targets: {error}") from error
        check_range(numbers, source, "the target")
        return numbers

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "targets": self.targets.get_config()}


def _standardised(standardizer: Standardizer, values: np.ndarray, source: str) -> np.ndarray:
    try:
        return standardizer.apply(values)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def check_range(values: np.ndarray, source: str, what: str = "the value") -> None:
    """Raises ValueError if a value is not finite or beyond float32, in which models compute."""
    if values.dtype.kind != "f" or (values.min() >= -_LARGEST and values.max() <= _LARGEST):
        return
    place = np.argwhere(~(abs(values) <= _LARGEST))[0]
    raise ValueError(
        f"{source}: sample {place[0]} has {what} {values[tuple(place)]:g}; expected numbers within "
        f"{_LARGEST:.2g}, as float32 has them: divide the data by a constant"
    )


def task_of(saved: SavedModel, folder: str) -> Classification | Regression:
    """Restores the task of a model that `dlnative train` wrote.

    Raises:
        ValueError: If the folder was written by other means, and so has no task, or if the task
            is none, or not that of the model.
    """
    config = saved.preprocessing or {}
    if "task" not in config:
        raise ValueError(f"{folder}: not written by dlnative train: it has no task")
    try:
        task = _restore(config, saved.classes)
        _check_shapes(task, saved.model)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else repr(error)
        raise ValueError(f"{folder}: not as dlnative train writes it: {reason}") from error
    return task


def _restore(
    config: dict[str, Any], classes: list[int] | list[str] | None
) -> Classification | Regression:
    shape, pixel_range = config["sample_shape"], config.get("pixel_range")
    if not isinstance(shape, list) or not all(type(n) is int and n > 0 for n in shape):
        raise ValueError(f"expected a shape as 'sample_shape', received {shape!r}")
    if pixel_range is not None and not (type(pixel_range) is int and 1 <= pixel_range <= 255):
        raise ValueError(f"expected 1 to 255 or null as 'pixel_range', received {pixel_range!r}")
    common: dict[str, Any] = {
        "sample_shape": tuple(shape),
        "inputs": config["inputs"] and Standardizer.from_config(config["inputs"]),
        "columns": config["columns"] and Columns.from_config(config["columns"]),
        # Not in folders that were written before there were images.
        "images": config.get("images") and ImageFormat(**config["images"]),
        "pixel_range": pixel_range,
    }
    if config["task"] == Regression.kind:
        return Regression(**common, targets=Standardizer.from_config(config["targets"]))
    if config["task"] == Classification.kind and classes:
        return Classification(**common, classes=classes)
    raise ValueError(f"expected a task with its classes, received {config['task']!r}")


def _check_shapes(task: Classification | Regression, model: Any) -> None:
    """Raises ValueError unless what stands before and after the model fits it."""
    shapes = {
        "inputs": ((None, *task.sample_shape), getattr(model, "input_shape", None)),
        "outputs": ((None, task.outputs), getattr(model, "output_shape", None)),
    }
    for name, (expected, received) in shapes.items():
        if received != expected:
            raise ValueError(f"the task has {name} of shape {expected}, the model of {received}")
    statistics = {"inputs": (task.inputs, task.sample_shape)}
    if isinstance(task, Regression):
        statistics["targets"] = (task.targets, ())
    for name, (standardizer, shape) in statistics.items():
        if standardizer is not None and standardizer.mean.shape != shape:
            raise ValueError(
                f"expected statistics of the {name} of shape {shape}, received "
                f"{standardizer.mean.shape}"
            )
    if task.columns is not None and task.sample_shape != (len(task.columns.features),):
        raise ValueError(
            f"{len(task.columns.features)} feature columns do not make samples of shape "
            f"{task.sample_shape}"
        )
    size = task.images and task.images.image_size
    if (
        task.images
        and size
        and math.prod(size) * task.images.channels != math.prod(task.sample_shape)
    ):
        raise ValueError(f"images of {size} pixels do not make samples of {task.sample_shape}")


def describe(figures: dict[str, float]) -> str:
    """Returns figures in words: `accuracy 0.9812, loss 0.0641`."""
    return ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
