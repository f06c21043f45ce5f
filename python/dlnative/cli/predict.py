"""`dlnative predict`: a trained model's predictions, for people or as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from typing import Any

import numpy as np

from ..saving import atomic_write, check_output, load
from .image_files import read_files
from .machine import configure
from .sources import read_inputs
from .task import Classification, Regression, task_of

__all__ = ["run"]

_SHOWN = 3  # classes per image


def run(options: argparse.Namespace) -> None:
    """Writes a row per sample, in the order of the data.

    For image files: the name and the likeliest classes. Otherwise, and with `--out` or
    `--probabilities`, CSV with the columns `file` (of images), `prediction` and, for
    classification, `probability`, that of the predicted class; with `--probabilities` also
    one column per class.
    """
    if bool(options.images) == (options.data is not None):
        raise ValueError("predict takes image files, or --data, and not both")
    configure(options)
    if options.out is not None:
        check_output(options.out)
    saved = load(options.folder, compile=False)
    task = task_of(saved, options.folder)
    if options.probabilities and isinstance(task, Regression):
        raise ValueError("--probabilities goes with classification; this model does regression")
    if options.images:
        files, outputs = options.images, _run_on_files(saved.model, task, options)
    else:
        x, files = read_inputs(options, task)
        outputs = task.run(saved.model, x, options.data)
    if options.images and options.out is None and not options.probabilities:
        sys.stdout.write(_lines(task, files, outputs))
        return
    text = _table(task, files, outputs, options.probabilities)
    if options.out is None:
        sys.stdout.write(text)
    else:
        atomic_write(options.out, text)


def _run_on_files(model: Any, task: Classification | Regression, options: Any) -> np.ndarray:
    for name in ("data_dir", "header", "cache_dir", "skip_broken"):
        if getattr(options, name):
            raise ValueError(f"--{name.replace('_', '-')} goes with --data, not with image files")
    if task.images is None:
        raise ValueError(
            f"{options.folder}: the model was not trained on images; give samples by --data FILE"
        )
    return np.concatenate(
        [
            task.run(model, task.take_pixels(pixels), options.images[0])
            for pixels in read_files(options.images, task.images)
        ]
    )


def _lines(task: Classification | Regression, files: list[str], outputs: np.ndarray) -> str:
    """`photo.jpg  cat 93.1 %, dog 4.2 %, fox 1.1 %`"""
    width = max(map(len, files))
    if isinstance(task, Regression):
        answers = [f"{value:.6g}" for value in task.decode(outputs)]
    else:
        probabilities = task.probabilities(outputs)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :_SHOWN]
        answers = [
            ", ".join(f"{task.classes[i]} {row[i]:.1%}" for i in order)
            for row, order in zip(probabilities, best, strict=True)
        ]
    return "".join(f"{file:{width}}  {answer}\n" for file, answer in zip(files, answers))


def _table(
    task: Classification | Regression,
    files: list[str] | None,
    outputs: np.ndarray,
    every_class: bool,
) -> str:
    columns: dict[str, list[Any]] = {} if files is None else {"file": files}
    columns["prediction"] = task.decode(outputs).tolist()
    if not isinstance(task, Regression):
        probabilities = task.probabilities(outputs)
        columns["probability"] = _rounded(probabilities.max(axis=1))
        if every_class:
            for name, column in zip(task.classes, probabilities.T, strict=True):
                columns[f"probability of {name}"] = _rounded(column)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return stream.getvalue()


def _rounded(probabilities: np.ndarray) -> list[str]:
    return [f"{p:.6g}" for p in probabilities]
