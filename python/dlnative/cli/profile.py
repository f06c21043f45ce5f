"""`dlnative profile`: where the time of a step goes."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from ..saving import load
from .machine import configure
from .networks import build, resolve
from .task import Classification, Regression, task_of

__all__ = ["run"]

_CLASSES = 10


def run(options: argparse.Namespace) -> None:
    """Prints a row per instruction of a step on random data, in the order in which they run."""
    configure(options)
    model, task = _saved(options) if options.folder is not None else _named(options)
    x, y = _random_batch(task, options.batch_size)
    task.compile(model)
    profile = model.profile(
        x, None if options.inference else y, batch_size=options.batch_size, steps=options.steps
    )
    kind = "inference" if options.inference else "training"
    print(f"{kind} step of {options.batch_size} samples of shape {task.sample_shape}")
    print(profile)


def _saved(options: argparse.Namespace) -> tuple[Any, Classification | Regression]:
    for name in ("model", "input_shape", "classes", "hidden", "activation", "dropout"):
        if getattr(options, name) is not None:
            raise ValueError(
                f"--{name.replace('_', '-')} describes a new model; MODEL is a saved one"
            )
    saved = load(options.folder, compile=False)
    return saved.model, task_of(saved, options.folder)


def _named(options: argparse.Namespace) -> tuple[Any, Classification]:
    if options.model is None or options.input_shape is None:
        raise ValueError("profile takes the folder of a saved model, or --model and --input-shape")
    resolve(options)
    shape = options.input_shape
    task = Classification(
        sample_shape=shape,
        inputs=None,
        columns=None,
        images=None,
        pixel_range=255 if len(shape) > 1 else None,
        classes=[*range(options.classes or _CLASSES)],
    )
    return build(task, options), task


def _random_batch(task: Classification | Regression, count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.Generator(np.random.PCG64(0))
    shape = (count, *task.sample_shape)
    if task.pixel_range is None:
        x = generator.standard_normal(shape, np.float32)
    else:
        x = generator.integers(0, task.pixel_range + 1, shape, np.uint8)
    if isinstance(task, Regression):
        return x, generator.standard_normal((count, 1), np.float32)
    return x, generator.integers(0, task.outputs, count, np.int32)
